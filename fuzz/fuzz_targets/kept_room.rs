//! See `didagent_fuzz::target("kept_room")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("kept_room");
