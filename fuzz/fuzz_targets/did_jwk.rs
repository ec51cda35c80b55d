//! See `didagent_fuzz::target("did_jwk")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("did_jwk");
