//! See `didagent_fuzz::target("session_message2")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("session_message2");
