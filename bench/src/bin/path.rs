//! Measures the way through two agents and a mediator beside two plain relays, and prints one table.
//!
//! ```text
//! cargo build --release -p didagent --bin didagent
//! cargo build --release --manifest-path bench/Cargo.toml -p didagent-baseline
//! cargo run --release --manifest-path bench/Cargo.toml --bin path -- --agent target/release/didagent --relay bench/target/release/didagent-baseline
//! ```

use std::path::PathBuf;

use clap::Parser;
use didagent_bench::output::Output;
use didagent_bench::path::{Amount, Binaries, Report};

/// Measures the way through two agents and a mediator beside two plain relays.
#[derive(Parser)]
struct Arguments {
    /// The `didagent` to measure, a release build.
    #[arg(long)]
    agent: PathBuf,
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
    let Arguments { agent, relay, quick, output } = Arguments::parse();
    let amount = if quick { Amount::QUICK } else { Amount::FULL };
    let report = Report::measure(&Binaries { agent: &agent, relay: &relay }, amount)?;
    output.tell(&report.run, &report.markdown(), &report)
}
