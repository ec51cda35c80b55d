//! See `didagent_fuzz::target("http_head")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("http_head");
