//! Measures two hops without a mediator: with a session, with its AEAD alone, and plain.
//!
//! ```text
//! hops --hop target/release/direct --relay target/release/didagent-baseline [--quick] [--out FILE.md] [--out FILE.json]
//! ```

use std::path::PathBuf;

use clap::Parser;
use didagent_bench::direct::measure::{Amount, Report};
use didagent_bench::output::Output;

/// Measures two hops without a mediator.
#[derive(Parser)]
struct Arguments {
    /// The program of one hop, a release build of `direct`; without it the one beside this program.
    #[arg(long)]
    hop: Option<PathBuf>,
    /// The `didagent-baseline` to measure it against, a release build.
    #[arg(long)]
    relay: PathBuf,
    /// Measure little: tells whether it works, and the order of magnitude.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    output: Output,
}

fn main() -> anyhow::Result<()> {
    let Arguments { hop, relay, quick, output } = Arguments::parse();
    let beside = std::env::current_exe()?.with_file_name("direct");
    let amount = if quick { Amount::QUICK } else { Amount::FULL };
    let report = Report::measure(&hop.unwrap_or(beside), &relay, amount)?;
    output.tell(&report.run, &report.markdown(), &report)
}
