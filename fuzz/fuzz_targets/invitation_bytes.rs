//! See `didagent_fuzz::target("invitation_bytes")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("invitation_bytes");
