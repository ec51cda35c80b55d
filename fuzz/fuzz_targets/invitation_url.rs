//! See `didagent_fuzz::target("invitation_url")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("invitation_url");
