//! See `didagent_fuzz::target("did_peer4")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("did_peer4");
