//! See `didagent_fuzz::target("didcomm_protected")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("didcomm_protected");
