//! Prints the table of the newest run, and writes it to files.
//!
//! ```text
//! cargo run --manifest-path bench/Cargo.toml --bin report -- --commit "$(git rev-parse HEAD)" --out bench/results/today.md
//! ```

use std::path::PathBuf;

use anyhow::ensure;
use clap::Parser;
use didagent_bench::report::Report;
use didagent_bench::run::criterion_home;

/// Prints the table of the newest run of `cargo bench`, and writes it to files.
#[derive(Parser)]
struct Arguments {
    /// A file to write, `.md` or `.json`; may be given several times.
    #[arg(long)]
    out: Vec<PathBuf>,
    /// The commit that was measured, if the run was not told by `DIDAGENT_COMMIT`.
    #[arg(long)]
    commit: Option<String>,
    /// Criterion's directory, if it is not `CRITERION_HOME` or in the target directory.
    #[arg(long)]
    home: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { out, commit, home } = Arguments::parse();
    let mut report = Report::load(&home.unwrap_or_else(criterion_home))?;
    if let Some(commit) = commit {
        let measured = report.run.commit.get_or_insert_with(|| commit.clone());
        ensure!(*measured == commit, "the run measured commit {measured}, not {commit}");
    }
    print!("{}", report.markdown());
    for path in out {
        report.write(&path)?;
        println!("written: {}", path.display());
    }
    Ok(())
}
