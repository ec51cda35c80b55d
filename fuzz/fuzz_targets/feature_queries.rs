//! See `didagent_fuzz::target("feature_queries")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("feature_queries");
