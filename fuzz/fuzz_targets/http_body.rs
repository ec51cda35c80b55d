//! See `didagent_fuzz::target("http_body")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("http_body");
