//! See `didagent_fuzz::target("session_record")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("session_record");
