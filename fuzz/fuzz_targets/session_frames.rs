//! See `didagent_fuzz::target("session_frames")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("session_frames");
