//! `didagent demo`: a real run between separate processes, of which nothing is left.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::Value;
use support::demo::{assert_nothing_is_left, demo};
use support::party::{text, words};
use support::process::Process;
use support::stage::NAMES;
use support::system::processes_that_know;
use support::{program, until};

fn assert_demo_works(parties: usize) {
    let folder = tempfile::tempdir().unwrap();
    let count = parties.to_string();
    let finished =
        Process::start("demo", &mut demo(folder.path(), &["--json", "--parties", &count])).finish();
    assert_eq!(finished.code, 0, "{finished:#?}");
    let done: Value = serde_json::from_str(finished.lines.last().unwrap()).unwrap();
    assert_eq!(
        (&done["v"], text(&done, "type"), &done["parties"]),
        (&1.into(), "demo.done", &parties.into())
    );
    let results = words(&done["results"]);
    assert_eq!(results.len(), parties);
    for result in &results {
        assert_eq!(result, &results[0]);
        let average = result.strip_prefix(&format!("average of {parties} inputs: ")).unwrap();
        assert!((0.0..=1000.0).contains(&average.parse::<f64>().unwrap()), "{average}");
    }
    assert_eq!(words(&done["names"]), NAMES[..parties]);
    // Every other line is an event too, and each party's program said the result itself.
    let events: Vec<Value> = finished.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outputs = events.iter().filter(|event| event["event"]["type"] == "run.output");
    assert_eq!(outputs.count(), parties);
    assert_nothing_is_left(folder.path());
}

#[test]
fn two_parties_get_one_result_and_nothing_is_left() {
    assert_demo_works(2);
}

#[test]
fn three_parties_get_one_result_and_nothing_is_left() {
    assert_demo_works(3);
}

#[test]
fn five_parties_get_one_result_and_nothing_is_left() {
    assert_demo_works(5);
}

#[test]
fn people_see_every_partys_result_on_stdout() {
    let folder = tempfile::tempdir().unwrap();
    let finished = Process::start("demo", &mut demo(folder.path(), &[])).finish();
    assert_eq!(finished.code, 0, "{finished:#?}");
    let mut shown: Vec<_> = finished.lines.iter().map(|line| line.trim().split_once(' ').unwrap()).collect();
    shown.sort_unstable();
    let names: Vec<_> = shown.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, NAMES[..3]);
    for (_, result) in &shown {
        assert_eq!(result.trim(), shown[0].1.trim());
        assert!(result.trim().starts_with("average of 3 inputs: "), "{result}");
    }
    assert_nothing_is_left(folder.path());
}

/// Interrupts a demo after an event of this type.
fn assert_interrupted_after(wanted: &str, signal: &str, whole_group: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = demo(folder.path(), &["--json"]);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut demo = Process::start("demo", &mut command);
    loop {
        let line = demo.next_line().unwrap_or_else(|| panic!("no {wanted}"));
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["type"] == wanted || event["event"]["type"] == wanted {
            break;
        }
    }
    if whole_group {
        demo.signal_group(signal)
    } else {
        demo.signal(signal)
    }
    let finished = demo.finish();
    assert_eq!(finished.code, 130, "{signal} after {wanted}: {finished:#?}");
    let last: Value = serde_json::from_str(finished.lines.last().unwrap()).unwrap();
    assert_eq!((text(&last, "type"), text(&last, "code")), ("error", "E0003"));
    assert_nothing_is_left(folder.path());
}

#[test]
fn killed_in_the_run_it_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let rounds = program("rounds.py");
    let words = ["--json", "--program", rounds.to_str().unwrap(), "--", "600"];
    let mut demo = Process::start("demo", &mut demo(folder.path(), &words));
    loop {
        let line = demo.next_line().expect("no run.started");
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["event"]["type"] == "run.started" {
            break;
        }
    }
    demo.signal("KILL");
    until("no process of the demo is left", || processes_that_know(folder.path()).is_empty());
}

#[test]
fn interrupted_at_its_start_it_leaves_nothing() {
    assert_interrupted_after("demo.python", "INT", true);
    assert_interrupted_after("demo.started", "TERM", false);
}

#[test]
fn interrupted_while_parties_join_it_leaves_nothing() {
    assert_interrupted_after("room.invitation", "INT", true);
    assert_interrupted_after("party.joined", "TERM", false);
}

#[test]
fn interrupted_in_the_run_it_leaves_nothing() {
    for whole_group in [true, false] {
        assert_interrupted_after("run.started", "INT", whole_group);
        assert_interrupted_after("run.started", "TERM", whole_group);
    }
}
