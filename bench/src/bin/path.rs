//! Measures the way through two agents and a mediator beside two plain relays, and prints one table.
//!
//! ```text
//! cargo build --release -p didagent --bin didagent
//! cargo build --release --manifest-path bench/Cargo.toml -p didagent-baseline
//! cargo run --release --manifest-path bench/Cargo.toml --bin path -- --agent target/release/didagent --relay bench/target/release/didagent-baseline
//! ```

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
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
    /// A file to write, `.md` or `.json`; may be given several times.
    #[arg(long)]
    out: Vec<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { agent, relay, quick, out } = Arguments::parse();
    let amount = if quick { Amount::QUICK } else { Amount::FULL };
    let report = Report::measure(&Binaries { agent: &agent, relay: &relay }, amount)?;
    let markdown = report.markdown();
    println!(
        "{}, {} cores, load {}, commit {}\n\n{markdown}",
        report.run.cpu,
        report.run.cores,
        report.run.load,
        report.run.commit.as_deref().unwrap_or("unknown"),
    );
    for path in out {
        let text = match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => serde_json::to_string_pretty(&report)? + "\n",
            _ => markdown.clone(),
        };
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
