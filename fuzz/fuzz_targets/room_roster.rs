//! See `didagent_fuzz::target("room_roster")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("room_roster");
