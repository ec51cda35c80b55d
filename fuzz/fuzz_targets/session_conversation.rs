//! See `didagent_fuzz::target("session_conversation")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("session_conversation");
