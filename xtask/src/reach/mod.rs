//! What must be reached, measured: the demo's time, and what a message costs in a session and without one.
//!
//! ```text
//! release build -> criterion (bench/) -> 20 demos -> figures beside their limits -> bench/results/<date>-<commit>.{md,json}
//! ```

mod date;
mod figures;
mod report;

use std::fs;
use std::time::SystemTime;

use serde_json::Value;

use crate::command::Line;
use crate::demo::Stage;
use crate::failure::{About as _, Failure, Result};
use crate::reach::figures::{Figure, Spread};
use crate::reach::report::Report;
use crate::stages::{BENCH, run_one};
use crate::workshop::Workshop;

/// How many demos are measured.
const DEMOS: usize = 20;

/// Measures, prints, writes; fails when something was not reached.
pub(crate) fn run(workshop: &Workshop) -> Result {
    run_one(workshop, "python")?;
    let commit = commit()?;
    println!("\n=== build");
    workshop.run(Line::cargo("build --locked --release --package didagent --bin didagent"))?;

    println!("\n=== criterion");
    workshop.run(BENCH.cargo(workshop, "bench", "--bench reach")?.with("DIDAGENT_COMMIT", &commit))?;
    let measured = workshop.made().join("reach.json");
    let (json, markdown) = (measured.clone(), measured.with_extension("md"));
    let report = BENCH.cargo(workshop, "run", "--release --bin report -- --out")?;
    workshop.run(report.word(&json).word("--out").word(&markdown))?;
    let read = |path| fs::read_to_string(path).about("read the report of the bench");
    let bench: Value = serde_json::from_str(&read(&json)?).about("read the report of the bench")?;

    println!("\n=== demos");
    let agent = workshop.target.join("release").join("didagent");
    println!("$ {} demo --json --parties 3        {DEMOS} times", workshop.shown(&agent));
    let stage = Stage::set(agent, workshop.python())?;
    let demos = (0..DEMOS).map(|_| stage.play(3)).collect::<Result<Vec<_>>>()?;
    let wall = Spread::of(demos.iter().map(|demo| demo.wall.as_secs_f64()).collect());
    let mpyc = Spread::of(demos.iter().map(|demo| demo.mpyc_ms / 1000.0).collect());

    let figures = Figure::all(wall, &bench)?;
    let report = Report {
        date: date::utc(SystemTime::now()),
        commit,
        figures,
        wall,
        mpyc,
        demos: DEMOS,
        bench,
        bench_table: read(&markdown)?.lines().skip(2).collect::<Vec<_>>().join("\n"),
    };
    let markdown = report.markdown();
    println!("\n{markdown}");
    let folder = workshop.root.join("bench").join("results");
    fs::create_dir_all(&folder).about(format!("make {}", folder.display()))?;
    for (ending, text) in [("md", markdown), ("json", report.json()?)] {
        let path = folder.join(format!("{}.{ending}", report.name()));
        fs::write(&path, text).about(format!("write {}", path.display()))?;
        println!("written: {}", workshop.shown(&path));
    }
    match report.figures.iter().all(Figure::reached) {
        true => Ok(()),
        false => Err(Failure::check("NOT REACHED")),
    }
}

/// The short name of the commit, marked if the tree has changes that are in no commit.
fn commit() -> Result<String> {
    let commit = Line::new("git rev-parse --short=9 HEAD").quiet()?;
    let changes = Line::new("git status --porcelain --untracked-files=no -- . :!bench/results").quiet()?;
    Ok(format!("{}{}", commit.trim(), if changes.trim().is_empty() { "" } else { "-changed" }))
}
