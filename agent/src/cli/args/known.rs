//! `run` and `again`: rooms whose parties are known beforehand.

use std::path::PathBuf;

use clap::Args;

use super::{Expiry, RoomArgs};

/// A run from a roster file.
#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
    /// The roster file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) roster: PathBuf,
    /// How long to wait for the others: seconds, or a number with s, m or h
    #[arg(long, default_value_t = Expiry::of_seconds(300), value_name = "TIME")]
    pub(in crate::cli) wait: Expiry,
    #[command(flatten)]
    pub(in crate::cli) privacy: PrivacyArgs,
    #[command(flatten)]
    pub(in crate::cli) room: RoomArgs,
}

/// One more run with the parties of the last one.
#[derive(Debug, Args)]
pub(in crate::cli) struct AgainArgs {
    /// How long to wait for the others: seconds, or a number with s, m or h
    #[arg(long, default_value_t = Expiry::of_seconds(900), value_name = "TIME")]
    pub(in crate::cli) wait: Expiry,
    #[command(flatten)]
    pub(in crate::cli) privacy: PrivacyArgs,
    #[command(flatten)]
    pub(in crate::cli) room: RoomArgs,
}

/// Whether a threshold of 0 is meant.
#[derive(Debug, Args)]
pub(in crate::cli) struct PrivacyArgs {
    /// Go on without a question although each party alone can open all inputs: threshold 0, which MPyC takes for 2 parties
    #[arg(long, env = "DIDAGENT_NO_PRIVACY", value_parser = clap::builder::FalseyValueParser::new())]
    pub(in crate::cli) no_privacy: bool,
}
