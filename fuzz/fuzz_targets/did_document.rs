//! See `didagent_fuzz::target("did_document")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("did_document");
