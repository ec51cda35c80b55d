//! Runs programs of MPyC over agents and over plain relays, in pairs, and prints one table.
//!
//! ```text
//! mpyc --agent didagent --relay didagent-baseline --python target/xtask/python/bin/python3 [--demos FOLDER] [--pairs 15]
//! ```

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use didagent_bench::mpyc::{Report, Tools};

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
    /// A file to write, `.md` or `.json`; may be given several times.
    #[arg(long)]
    out: Vec<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { agent, relay, python, demos, pairs, out } = Arguments::parse();
    let report = Report::measure(&Tools { agent, relay, python, demos }, pairs)?;
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
