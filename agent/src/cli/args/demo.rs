//! `demo`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::PatienceArgs;
use crate::io::demo::NAMES;

/// A real run between parties on this machine.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  didagent demo
  didagent demo --parties 10
  didagent demo --program vote.py -- --candidates 4    your own program, the same arguments for every party
  didagent demo --json | tail -n 1")]
pub(in crate::cli) struct DemoArgs {
    /// How many parties
    #[arg(long, short = 'n', default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=MAX_DEMO_ARG))]
    pub(in crate::cli) parties: u8,
    /// A Python program that uses MPyC, to run in place of the one that comes along; the environment variable
    /// DIDAGENT_PYTHON names the Python, if it is to be another than a python3 that has MPyC
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) program: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) patience: PatienceArgs,
    /// Write events as lines of JSON on stdout
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// The program's arguments, the same for every party
    #[arg(last = true, value_name = "ARGS", requires = "program")]
    pub(in crate::cli) arguments: Vec<OsString>,
}

/// As many parties as have a name in the demo, for the parser's range.
const MAX_DEMO_ARG: i64 = 10;
const _: () = assert!(NAMES.len() == 10);
