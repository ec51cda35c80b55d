//! `--json` (R22): every line is an event that fits its schema, every type has a schema and occurs, and a reader that goes
//! ends the command.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::party::{bare, text};
use support::process::{Finished, run};
use support::schema::Events;
use support::stage::{Stage, finish};
use support::{average, didagent, program, python_command, until};

/// What is between `"type": "` and the next quote in the sources of the command line, where all events are made.
fn types_in_the_code() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    let mut types = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        // The words of the command line are in a folder, and make no events.
        if path.is_dir() {
            continue;
        }
        let source = std::fs::read_to_string(path).unwrap();
        for (at, start) in source.match_indices(r#""type": ""#) {
            let rest = &source[at + start.len()..];
            types.insert(rest.split('"').next().unwrap().to_owned());
        }
    }
    types
}

fn read(finished: &Finished) -> Vec<Value> {
    finished.lines.iter().map(|line| Events::shared().read(line)).collect()
}

fn occurs_in_another_test(type_: &str) -> bool {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let others = files.filter(|path| path.is_file() && !path.ends_with("events.rs"));
    others
        .map(|path| std::fs::read_to_string(path).unwrap())
        .any(|text| text.contains(&format!("\"{type_}\"")))
}

/// Notes the types of events, which must fit. Those inside a demo's count too.
fn note(events: &[Value], seen: &mut BTreeSet<String>) {
    for event in events {
        Events::shared().assert_fits_whole(event);
        seen.insert(text(event, "type").to_owned());
        if event["event"].is_object() {
            seen.insert(text(&event["event"], "type").to_owned());
        }
    }
}

#[test]
fn every_type_has_a_schema_and_occurs() {
    let in_code = types_in_the_code();
    assert!(in_code.len() >= 20, "{in_code:?}");
    let unknown: Vec<_> = in_code.difference(&Events::shared().types()).cloned().collect();
    assert!(unknown.is_empty(), "spec/schemas/events.schema.json lacks {unknown:?}");

    let mut seen = BTreeSet::new();
    let demo =
        run("demo", bare(&didagent()).env("DIDAGENT_PYTHON", support::python()).args(["demo", "--json"]));
    assert_eq!(demo.code, 0, "{demo:?}");
    let demo = read(&demo);
    assert_eq!(text(demo.last().unwrap(), "type"), "demo.done");
    note(&demo, &mut seen);
    // Where no Python has MPyC, one is to be made; here that fails.
    let fake = tempfile::tempdir().unwrap();
    let python = fake.path().join("python3");
    std::fs::write(&python, "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = bare(&didagent());
    let failed = run(
        "demo",
        command.env("PATH", fake.path()).env("XDG_CACHE_HOME", fake.path()).args(["demo", "--json"]),
    );
    assert_eq!(failed.code, 2, "{failed:?}");
    note(&read(&failed), &mut seen);

    // A guest that answers a ping and then leaves.
    let stage = Stage::new();
    let mut zoe = stage.invite("zoe", 3).start();
    let link = text(&zoe.wait_for("room.invitation"), "link").to_owned();
    let mut gone = stage.join("gone", &link).start();
    gone.wait_for("room.seats");
    let ping = |home: &str, words: &[&str]| {
        let mut command = bare(&didagent());
        command.arg("--home").arg(stage.home(home)).args(["ping", "--json", "--count", "1"]).args(words);
        let finished = run("ping", &mut command);
        (finished.code, read(&finished))
    };
    let (code, answered) = ping("zoe", &["gone"]);
    assert_eq!(code, 0, "{answered:#?}");
    note(&answered, &mut seen);
    gone.process.signal("INT");
    note(&gone.finish().events, &mut seen);
    zoe.wait_for("party.left");
    zoe.process.signal("INT");
    note(&zoe.finish().events, &mut seen);

    // A run in which a program fails.
    let fails = python_command(&program("fail.py"), &["after"]);
    let ended = stage.run(vec![python_command(&average(), &["1"]), fails]);
    for party in &ended {
        note(&party.events, &mut seen);
    }
    // The child's code and ours, whichever way it ended.
    let [alice, bob] = ended.as_slice() else { panic!() };
    assert_eq!((alice.code, bob.code), (125, 3));
    let (alice, bob) = (alice.event("run.exited"), bob.event("run.exited"));
    assert_eq!((&alice["code"], &alice["program"]), (&json!(125), &Value::Null));
    assert_eq!(text(&alice["reason"], "code"), "E0406");
    assert_eq!((&bob["code"], &bob["program"], &bob["reason"]), (&json!(3), &json!(3), &Value::Null));

    // Nobody runs with alice's home any more.
    let (code, lost) = ping("bob", &["alice", "--timeout", "100ms", "--mediator", stage.mediator_link()]);
    assert_eq!(code, 6, "{lost:#?}");
    note(&lost, &mut seen);
    // A local stranger with another pid is worth a warning.
    let mut parties = stage.start(vec![Vec::new(), Vec::new()]);
    let ports = parties[0].wait_for_ports();
    let mut stranger = TcpStream::connect(("127.0.0.1", ports[1])).unwrap();
    stranger.write_all(&[7, 0]).unwrap();
    parties[0].wait_for("warning");
    for party in &parties {
        party.process.signal("INT");
    }
    for party in finish(parties) {
        note(&party.events, &mut seen);
    }
    // What takes longer to bring about has a test of its own, which waits for the event by its name.
    let missing: Vec<_> = in_code.difference(&seen).filter(|type_| !occurs_in_another_test(type_)).collect();
    assert!(missing.is_empty(), "no test shows {missing:?}");
}

/// The start of a command whose stdout is a pipe that we hold, and the rest of what it needs.
fn piped(command: &mut Command) -> (std::process::Child, BufReader<std::process::ChildStdout>) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

/// Waits for the end; returns exit code and stderr.
fn end(mut child: std::process::Child) -> (Option<i32>, String) {
    until("the command ends", || child.try_wait().unwrap().is_some());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (child.wait().unwrap().code(), stderr)
}

/// The first line holds the link, which a script may take with `head -n 1` and let the room go on.
#[test]
fn a_closed_pipe_ends_nothing() {
    let stage = Stage::new();
    for (alice, bob, json) in [("alice", "bob", true), ("carol", "dora", false)] {
        let mut command = bare(&didagent());
        command.arg("--home").arg(stage.home(alice)).args(["invite", "--parties", "2", "--name", alice]);
        command.args(["--mediator", stage.mediator_link()]).args(json.then_some("--json"));
        let (child, mut stdout) = piped(&mut command);
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        drop(stdout);
        let event = serde_json::from_str::<Value>(&line).ok();
        assert_eq!(event.is_some(), json, "{line}");
        let link = event.as_ref().map_or(line.trim(), |event| text(event, "link"));
        let mut bob = stage.join(bob, link).start();
        bob.wait_for("run.ports");
        bob.process.signal("INT");
        assert_eq!(bob.finish().code, 130);
        let (code, stderr) = end(child);
        assert_eq!(code, Some(7), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}
