//! Runs programs of MPyC over agents and over plain relays, in pairs, and prints one table.
//!
//! ```text
//! mpyc --agent didagent --relay didagent-baseline --python target/xtask/python/bin/python3 [--demos FOLDER] [--pairs 15]
//! ```

use std::path::PathBuf;

use clap::Parser;
use didagent_bench::mpyc::{Report, Tools};
use didagent_bench::output::Output;

/// Runs programs of MPyC over agents and over plain relays, in pairs.
#[derive(Parser)]
struct Arguments {
    /// The `didagent` to measure, a release build.
    #[arg(long)]
    agent: PathBuf,
    /// The `didagent-baseline` to measure it against, a release build.
    #[arg(long)]
    relay: PathBuf,
    /// A Python with MPyC.
    #[arg(long)]
    python: PathBuf,
    /// The folder of MPyC's public demos.
    #[arg(long, env = "DIDAGENT_MPYC_DEMOS")]
    demos: Option<PathBuf>,
    /// How many pairs of each program.
    #[arg(long, default_value_t = 15)]
    pairs: usize,
    #[command(flatten)]
    output: Output,
}

fn main() -> anyhow::Result<()> {
    let Arguments { agent, relay, python, demos, pairs, output } = Arguments::parse();
    let report = Report::measure(&Tools { agent, relay, python, demos }, pairs)?;
    output.tell(&report.run, &report.markdown(), &report)
}
