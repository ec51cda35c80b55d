//! See `didagent_fuzz::target("did_web_url")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("did_web_url");
