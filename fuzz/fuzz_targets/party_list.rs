//! See `didagent_fuzz::target("party_list")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("party_list");
