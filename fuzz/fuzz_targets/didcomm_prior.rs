//! See `didagent_fuzz::target("didcomm_prior")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("didcomm_prior");
