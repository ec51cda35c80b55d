//! How a measuring program tells its result: the conditions and the table on stdout, and files beside it.

use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;

use crate::run::Run;

/// What every measuring program takes.
#[derive(Debug, clap::Args)]
pub struct Output {
    /// A file to write, `.md` or `.json`; may be given several times.
    #[arg(long)]
    out: Vec<PathBuf>,
}

impl Output {
    /// Prints the conditions and the table, and writes the files: `report` where a name ends in `.json`, the table elsewhere.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn tell(&self, run: &Run, markdown: &str, report: &impl Serialize) -> anyhow::Result<()> {
        let commit = run.commit.as_deref().unwrap_or("unknown");
        println!("{}, {} cores, load {}, commit {commit}\n\n{markdown}", run.cpu, run.cores, run.load);
        for path in &self.out {
            let json = path.extension().is_some_and(|ending| ending == "json");
            let text = if json { serde_json::to_string_pretty(report)? + "\n" } else { markdown.to_owned() };
            std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}
