//! See `didagent_fuzz::target("transcript")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("transcript");
