//! Measures two hops without a mediator: with a session, with its AEAD alone, and plain.
//!
//! ```text
//! hops --hop target/release/direct --relay target/release/didagent-baseline [--quick] [--out FILE.md] [--out FILE.json]
//! ```

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use didagent_bench::direct::measure::{Amount, Report};

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
    /// A file to write, `.md` or `.json`; may be given several times.
    #[arg(long)]
    out: Vec<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { hop, relay, quick, out } = Arguments::parse();
    let beside = std::env::current_exe()?.with_file_name("direct");
    let amount = if quick { Amount::QUICK } else { Amount::FULL };
    let report = Report::measure(&hop.unwrap_or(beside), &relay, amount)?;
    let markdown = report.markdown();
    println!("{}, {} cores, load {}\n\n{markdown}", report.run.cpu, report.run.cores, report.run.load);
    for path in out {
        let text = match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => serde_json::to_string_pretty(&report)? + "\n",
            _ => markdown.clone(),
        };
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
