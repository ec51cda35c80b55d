//! Measures records, messages and handshakes beside their neighbours, and prints one table.
//!
//! ```text
//! cargo run --release --manifest-path bench/Cargo.toml --bin cost -- [--quick] [--out FILE.md] [--out FILE.json]
//! ```

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use didagent_bench::cost::Report;
use didagent_bench::cost::paired::Amount;

/// Measures records, messages and handshakes beside their neighbours.
#[derive(Parser)]
struct Arguments {
    /// Measure little: tells whether it works, and the order of magnitude.
    #[arg(long)]
    quick: bool,
    /// A file to write, `.md` or `.json`; may be given several times.
    #[arg(long)]
    out: Vec<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { quick, out } = Arguments::parse();
    let report = Report::measure(if quick { Amount::QUICK } else { Amount::FULL })?;
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
