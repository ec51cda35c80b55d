//! Measures records, messages and handshakes beside their neighbours, and prints one table.
//!
//! ```text
//! cargo run --release --manifest-path bench/Cargo.toml --bin cost -- [--quick] [--out FILE.md] [--out FILE.json]
//! ```

use clap::Parser;
use didagent_bench::cost::Report;
use didagent_bench::cost::paired::Amount;
use didagent_bench::output::Output;

/// Measures records, messages and handshakes beside their neighbours.
#[derive(Parser)]
struct Arguments {
    /// Measure little: tells whether it works, and the order of magnitude.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    output: Output,
}

fn main() -> anyhow::Result<()> {
    let Arguments { quick, output } = Arguments::parse();
    let report = Report::measure(if quick { Amount::QUICK } else { Amount::FULL })?;
    output.tell(&report.run, &report.markdown(), &report)
}
