//! The words that say which transcripts a run leaves, and which ones are verified.

use std::path::PathBuf;

use clap::Args;

use crate::core::room::roster::MAX_PARTIES;
use crate::io::engine::Keeping;

/// Which transcripts a run leaves.
#[derive(Debug, Args)]
pub(in crate::cli) struct TranscriptArgs {
    /// Write the signed transcript of the run to this file too
    #[arg(long, value_name = "FILE")]
    transcript: Option<PathBuf>,
    /// Keep no transcript of the run in the home
    #[arg(long, env = "DIDAGENT_NO_TRANSCRIPT", value_parser = clap::builder::FalseyValueParser::new())]
    no_transcript: bool,
}

impl From<TranscriptArgs> for Keeping {
    fn from(args: TranscriptArgs) -> Self {
        Self { in_home: !args.no_transcript, copy: args.transcript }
    }
}

/// Which transcripts are verified, and against what.
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArgs {
    /// Transcripts of one run, at most one of each party
    #[arg(required = true, num_args = 1..=MAX_PARTIES, value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// The program that was run: its SHA-256 must be the one that the parties agreed on
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) program: Option<PathBuf>,
    /// A DID document of a party or issuer, which counts instead of what the transcripts say of its keys; may be repeated
    #[arg(long = "document", value_name = "FILE")]
    pub(in crate::cli) documents: Vec<PathBuf>,
    /// Write one JSON document
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
