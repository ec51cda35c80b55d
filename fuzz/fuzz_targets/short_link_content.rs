//! See `didagent_fuzz::target("short_link_content")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("short_link_content");
