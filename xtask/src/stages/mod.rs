//! The stages of `test` and `soak`, in their order, each with what it needs.

mod build;
mod foreign;
mod layers;
mod mpyc_demos;
mod peers;
mod prerequisites;
mod python;
mod reference;
mod requirements;
mod soak;
mod style;
mod supply;
mod text;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

pub(crate) use self::foreign::BENCH;
pub(crate) use self::requirements::write as write_requirements;
use crate::failure::{Failure, Result};
use crate::workshop::{Length, Workshop};

/// One stage.
struct Stage {
    name: &'static str,
    about: &'static str,
    /// Stages whose results it uses. They are quick when the results are there.
    needs: &'static [&'static str],
    soak_only: bool,
    run: fn(&Workshop) -> Result,
}

const STAGES: &[Stage] = &[
    stage("prerequisites", "what must be installed", &[], prerequisites::run),
    stage("python", "private Pythons for tests, with MPyC and without", &["prerequisites"], python::run),
    stage("format", "rustfmt changes nothing", &[], style::format),
    stage("lint", "clippy has nothing to say", &[], style::lint),
    stage("docs", "the documentation builds without warnings", &[], style::docs),
    stage("layers", "arrows between packages point one way", &[], layers::run),
    stage(
        "supply",
        "licences, bans, sources and advisories of what others wrote",
        &["prerequisites"],
        supply::run,
    ),
    stage("build", "every binary and test, once", &[], build::run),
    stage("test", "all tests of the workspace", &["python", "build"], build::test),
    stage("interop", "other people's software against ours", &["python", "build"], foreign::interop),
    stage("fuzz", "the fuzzers' corpus, replayed", &[], foreign::fuzz),
    stage("bench", "the benches still run; nothing is measured", &[], foreign::bench),
    stage("reference", "the session protocol in Python, and its vectors", &["prerequisites"], reference::run),
    stage(
        "requirements",
        "each requirement of spec/ has a test, and the table says which",
        &[],
        requirements::check,
    ),
    stage(
        "models",
        "Spin finds no fault in the models, and one in each mutant",
        &["prerequisites"],
        crate::models::spin,
    ),
    stage("text", "links, lengths and words of every file", &[], text::run),
    Stage {
        soak_only: true,
        ..stage(
            "interop-heavy",
            "peers whose transcripts the tests replay, live",
            &["prerequisites"],
            foreign::interop_heavy,
        )
    },
    Stage {
        soak_only: true,
        ..stage("demos", "220 demos in a row, nothing left behind", &["python", "build"], soak::run)
    },
    Stage {
        soak_only: true,
        ..stage("mpyc-demos", "MPyC's public demos, against plain TCP", &["python", "build"], mpyc_demos::run)
    },
];

const fn stage(
    name: &'static str,
    about: &'static str,
    needs: &'static [&'static str],
    run: fn(&Workshop) -> Result,
) -> Stage {
    Stage { name, about, needs, soak_only: false, run }
}

/// The stages with what they are for.
pub(crate) fn list() -> String {
    STAGES.iter().fold(String::new(), |mut list, stage| {
        let only = if stage.soak_only { " (soak only)" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(list, "  {:<14} {}{only}", stage.name, stage.about);
        list
    })
}

/// Runs every stage; the first that fails ends the run.
pub(crate) fn run_all(workshop: &Workshop) -> Result {
    run(workshop, &STAGES.iter().filter(|stage| fits(stage, workshop)).collect::<Vec<_>>())
}

/// Runs one stage and what it needs.
pub(crate) fn run_one(workshop: &Workshop, name: &str) -> Result {
    let known = STAGES.iter().find(|stage| stage.name == name && fits(stage, workshop));
    let Some(wanted) = known else {
        return Err(Failure::usage(format!("no stage is called {name}; there are\n{}", list())));
    };
    run(workshop, &with_needs(wanted))
}

fn fits(stage: &Stage, workshop: &Workshop) -> bool {
    !stage.soak_only || workshop.length == Length::Long
}

fn with_needs(wanted: &'static Stage) -> Vec<&'static Stage> {
    let mut names = vec![wanted.name];
    let mut next = 0;
    while let Some(name) = names.get(next) {
        names.extend(STAGES.iter().find(|stage| stage.name == *name).map_or(&[][..], |stage| stage.needs));
        next += 1;
    }
    STAGES.iter().filter(|stage| names.contains(&stage.name)).collect()
}

fn run(workshop: &Workshop, stages: &[&Stage]) -> Result {
    let mut times = Vec::new();
    let mut outcome = Ok(());
    for (index, stage) in stages.iter().enumerate() {
        println!("\n=== {}/{} {}: {}", index + 1, stages.len(), stage.name, stage.about);
        let begun = Instant::now();
        let result = (stage.run)(workshop);
        times.push((stage.name, begun.elapsed()));
        if let Err(failure) = result {
            let command = if workshop.length == Length::Short { "test" } else { "soak" };
            outcome = Err(failure.and(&format!("run it again: cargo xtask {command} --only {}", stage.name)));
            break;
        }
    }
    print!("{}", table(&times, workshop.begun.elapsed(), outcome.is_ok()));
    outcome?;
    match workshop.deadline() {
        Some(deadline) if Instant::now() > deadline => {
            Err(Failure::check("every stage passed, but too late"))
        }
        _ => Ok(()),
    }
}

fn table(times: &[(&str, Duration)], total: Duration, passed: bool) -> String {
    let mut table = "\n  stage           minutes\n".to_owned();
    let minutes = |time: Duration| time.as_secs_f64() / 60.0;
    // Writing to a String cannot fail.
    for (index, (name, time)) in times.iter().enumerate() {
        let failed = if !passed && index + 1 == times.len() { "  FAILED" } else { "" };
        let _ = writeln!(table, "  {name:<14}  {:>7.2}{failed}", minutes(*time));
    }
    let _ = writeln!(table, "  {:<14}  {:>7.2}", "total", minutes(total));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(stages: &[&Stage]) -> Vec<&'static str> {
        stages.iter().map(|stage| stage.name).collect()
    }

    #[test]
    fn a_stage_brings_what_it_needs_in_the_order_of_the_list() {
        let test = STAGES.iter().find(|stage| stage.name == "test").unwrap();
        assert_eq!(names(&with_needs(test)), ["prerequisites", "python", "build", "test"]);
        for need in STAGES.iter().flat_map(|stage| stage.needs) {
            assert!(STAGES.iter().any(|stage| stage.name == *need), "{need}");
        }
    }

    #[test]
    fn the_table_names_what_failed() {
        let times = [("lint", Duration::from_secs(90)), ("test", Duration::from_secs(3))];
        let table = table(&times, Duration::from_secs(93), false);
        assert!(table.contains("lint               1.50\n") && table.contains("0.05  FAILED\n"), "{table}");
        assert!(!super::table(&times, Duration::ZERO, true).contains("FAILED"));
    }
}
