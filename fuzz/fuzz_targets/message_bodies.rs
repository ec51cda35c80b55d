//! See `didagent_fuzz::target("message_bodies")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("message_bodies");
