//! See `didagent_fuzz::target("didcomm_unpack")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("didcomm_unpack");
