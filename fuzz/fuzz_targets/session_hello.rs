//! See `didagent_fuzz::target("session_hello")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("session_hello");
