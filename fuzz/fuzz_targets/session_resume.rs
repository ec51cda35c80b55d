//! See `didagent_fuzz::target("session_resume")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("session_resume");
