//! See `didagent_fuzz::target("status_bits")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("status_bits");
