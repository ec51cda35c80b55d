//! See `didagent_fuzz::target("credential_contents")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("credential_contents");
