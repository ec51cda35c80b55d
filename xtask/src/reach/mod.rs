//! What must be reached, measured: the demo's time, what a message costs in a session and without one; and beside it what
//! the way through two agents and a mediator costs, against two plain relays.
//!
//! ```text
//! release build -> criterion, costs in turns, whole processes, programs of MPyC (all of bench/) -> 20 + 5 demos
//!               -> 30 rooms from the last paste to MPyC's first byte -> figures beside their limits -> bench/results/<date>-<commit>.{md,json}
//! ```

mod date;
mod figures;
mod first_byte;
mod report;

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use crate::command::Line;
use crate::demo::Stage;
use crate::failure::{About as _, Failure, Result};
use crate::reach::figures::{Figure, Spread};
use crate::reach::first_byte::FirstByte;
use crate::reach::report::{Large, Report};
use crate::stages::{BENCH, run_one};
use crate::workshop::Workshop;

/// How many demos of three parties are measured.
const DEMOS: usize = 20;

/// How many demos of ten parties.
const LARGE_DEMOS: usize = 5;

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
    let read = |path: &Path| fs::read_to_string(path).about("read the report of the bench");
    let bench: Value = serde_json::from_str(&read(&json)?).about("read the report of the bench")?;

    println!("\n=== two agents and a mediator, against two relays");
    let agent = workshop.target.join("release").join("didagent");
    workshop.run(BENCH.cargo(workshop, "build", "--release --package didagent-baseline")?)?;
    let (path_json, path_markdown) = (workshop.made().join("path.json"), workshop.made().join("path.md"));
    let path = BENCH.cargo(workshop, "run", "--release --bin path --")?.with("DIDAGENT_COMMIT", &commit);
    let path = path.word("--agent").word(&agent).word("--relay").word(workshop.relay());
    workshop.run(path.word("--out").word(&path_json).word("--out").word(&path_markdown))?;
    let path: Value = serde_json::from_str(&read(&path_json)?).about("read the report of the path")?;

    let measured_by = |name: &str, line: Line| -> Result<(Value, String)> {
        let (json, markdown) =
            (workshop.made().join(format!("{name}.json")), workshop.made().join(format!("{name}.md")));
        let line = line.with("DIDAGENT_COMMIT", &commit);
        workshop.run(line.word("--out").word(&json).word("--out").word(&markdown))?;
        let value = serde_json::from_str(&read(&json)?).about(format!("read the report of {name}"))?;
        Ok((value, read(&markdown)?))
    };
    println!("\n=== records, messages and handshakes");
    let line = BENCH.cargo(workshop, "run", "--release --bin cost --")?;
    let (cost, cost_table) = measured_by("cost", line)?;

    println!("\n=== two hops without a mediator");
    workshop.run(BENCH.cargo(workshop, "build", "--release --bins")?)?;
    let line = BENCH.cargo(workshop, "run", "--release --bin hops --")?;
    let (hops, hops_table) = measured_by("hops", line.word("--relay").word(workshop.relay()))?;

    println!("\n=== programs of MPyC, over agents and over relays");
    let line = BENCH.cargo(workshop, "run", "--release --bin mpyc --")?.word("--agent").word(&agent);
    let line = line.word("--relay").word(workshop.relay()).word("--python").word(workshop.python());
    let (mpyc_programs, mpyc_table) = measured_by("mpyc", line)?;

    println!("\n=== demos");
    println!("$ {} demo --json --parties 3        {DEMOS} times", workshop.shown(&agent));
    let stage = Stage::set(agent, workshop)?;
    println!(
        "$ {} demo --json --parties 10       {LARGE_DEMOS} times",
        workshop.shown(&workshop.target.join("release").join("didagent"))
    );
    let large = (0..LARGE_DEMOS).map(|_| stage.play(10)).collect::<Result<Vec<_>>>()?;
    let forming = Spread::of(large.iter().map(|demo| demo.forming_ms / 1000.0).collect());
    let large_wall = Spread::of(large.iter().map(|demo| demo.wall.as_secs_f64()).collect());
    let demos = (0..DEMOS).map(|_| stage.play(3)).collect::<Result<Vec<_>>>()?;
    let wall = Spread::of(demos.iter().map(|demo| demo.wall.as_secs_f64()).collect());
    let mpyc = Spread::of(demos.iter().map(|demo| demo.mpyc_ms / 1000.0).collect());

    println!("\n=== from the last paste to MPyC's first byte");
    let first_byte = FirstByte::measure(&workshop.target.join("release").join("didagent"), workshop)?;

    let figures = Figure::all(wall, forming, first_byte.p95(), &[&cost, &hops, &mpyc_programs])?;
    let report = Report {
        date: date::utc(SystemTime::now()),
        commit,
        figures,
        wall,
        mpyc,
        demos: DEMOS,
        large: Large { demos: LARGE_DEMOS, wall: large_wall, forming },
        first_byte,
        path,
        path_table: read(&path_markdown)?,
        cost,
        cost_table,
        hops,
        hops_table,
        mpyc_programs,
        mpyc_table,
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

/// Measures from the last paste to MPyC's first byte alone, and prints it.
pub(crate) fn run_first_byte(workshop: &Workshop) -> Result {
    run_one(workshop, "python")?;
    workshop.run(Line::cargo("build --locked --release --package didagent --bin didagent"))?;
    let measured = FirstByte::measure(&workshop.target.join("release").join("didagent"), workshop)?;
    println!("\n{}", measured.markdown());
    match measured.p95() <= first_byte::SECONDS {
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
