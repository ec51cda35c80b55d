//! Runs programs of MPyC over agents and over plain relays, in turns, and prints one table.
//!
//! ```text
//! mpyc --agent didagent --relay didagent-baseline --python target/xtask/python/bin/python3 [--demos FOLDER] [--rounds 15]
//! ```

use std::path::PathBuf;

use clap::Parser;
use didagent_bench::mpyc::{Report, Tools};
use didagent_bench::output::Output;

/// Runs programs of MPyC over agents and over plain relays, in turns.
#[derive(Parser)]
struct Arguments {
    /// The `didagent` to measure, a release build.
    #[arg(long)]
    agent: PathBuf,
    /// The `didagent-baseline` to measure it against, a release build.
    #[arg(long)]
    relay: PathBuf,
    /// The program of one hop with a session, a release build of `direct`; without it the one beside this program.
    #[arg(long)]
    hop: Option<PathBuf>,
    /// A Python with MPyC.
    #[arg(long)]
    python: PathBuf,
    /// The folder of MPyC's public demos.
    #[arg(long, env = "DIDAGENT_MPYC_DEMOS")]
    demos: Option<PathBuf>,
    /// How many rounds of each program.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    #[command(flatten)]
    output: Output,
}

fn main() -> anyhow::Result<()> {
    let Arguments { agent, relay, hop, python, demos, rounds, output } = Arguments::parse();
    let hop = match hop {
        Some(hop) => hop,
        None => std::env::current_exe()?.with_file_name("direct"),
    };
    let report = Report::measure(&Tools { agent, relay, hop, python, demos }, rounds)?;
    output.tell(&report.run, &report.markdown(), &report)
}
