//! See `didagent_fuzz::target("session_hostile_peer")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("session_hostile_peer");
