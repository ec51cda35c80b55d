//! See `didagent_fuzz::target("relay_frame")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("relay_frame");
