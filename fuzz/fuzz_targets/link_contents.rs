//! See `didagent_fuzz::target("link_contents")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("link_contents");
