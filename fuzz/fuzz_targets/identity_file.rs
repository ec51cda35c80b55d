//! See `didagent_fuzz::target("identity_file")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("identity_file");
