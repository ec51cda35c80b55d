//! See `didagent_fuzz::target("did_resolve")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("did_resolve");
