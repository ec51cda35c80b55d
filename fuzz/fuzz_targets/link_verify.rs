//! See `didagent_fuzz::target("link_verify")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("link_verify");
