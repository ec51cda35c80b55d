//! See `didagent_fuzz::target("credential_text")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("credential_text");
