//! See `didagent_fuzz::target("did_peer2")`.
#![cfg_attr(fuzzing, no_main)]

didagent_fuzz::fuzz!("did_peer2");
