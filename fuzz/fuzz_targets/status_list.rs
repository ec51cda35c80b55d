//! See `didagent_fuzz::target("status_list")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("status_list");
