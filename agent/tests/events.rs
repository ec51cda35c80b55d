//! `--json` (R22): every line is an event that fits its schema, every type has a schema and occurs, and a reader that goes
//! ends the command.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::party::{bare, text};
use support::process::run;
use support::schema::Events;
use support::stage::{Stage, finish};
use support::system::processes_that_know;
use support::{average, didagent, program, python_command, until};

/// What is between `"type": "` and the next quote in the sources of the command line, where all events are made.
fn types_in_the_code() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    let mut types = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for (at, start) in source.match_indices(r#""type": ""#) {
            let rest = &source[at + start.len()..];
            types.insert(rest.split('"').next().unwrap().to_owned());
        }
    }
    types
}

/// Notes the types of events, which must fit; events of a demo's parties count too.
fn note(events: &[Value], schema: &Events, seen: &mut BTreeSet<String>) {
    for event in events {
        schema.assert_valid(event);
        seen.insert(text(event, "type").to_owned());
        if event["event"].is_object() {
            seen.insert(text(&event["event"], "type").to_owned());
        }
    }
}

#[test]
fn every_type_has_a_schema_and_occurs() {
    let schema = Events::read();
    let described: BTreeSet<_> = schema.types().into_iter().map(str::to_owned).collect();
    assert_eq!(types_in_the_code(), described);

    let mut seen = BTreeSet::new();
    let demo =
        run("demo", bare(&didagent()).env("DIDAGENT_PYTHON", support::python()).args(["demo", "--json"]));
    assert_eq!(demo.code, 0, "{demo:?}");
    let demo = schema.of(&demo.lines);
    assert_eq!(text(demo.last().unwrap(), "type"), "demo.done");
    note(&demo, &schema, &mut seen);

    // Somebody leaves and comes back; a run in which a program fails; somebody who is refused; pings.
    let stage = Stage::new();
    let fail = python_command(&program("fail.py"), &["7"]);
    let mut alice = stage.invite("alice", 2).program(python_command(&average(), &["1"])).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let mut gone = stage.join("gone", &link).start();
    gone.wait_for("room.seats");
    gone.process.signal("INT");
    note(&gone.finish().events, &schema, &mut seen);
    alice.wait_for("party.left");
    let home = stage.home("alice");
    let ping = |name: &str| {
        run("ping", bare(&didagent()).arg("--home").arg(&home).args(["ping", name, "--json", "--count", "1"]))
    };
    let mut bob = stage.join("bob", &link).program(fail).start();
    alice.wait_for("party.joined");
    bob.wait_for("run.started");
    // The run may be over already, which is an answer too.
    note(&schema.of(&ping("bob").lines), &schema, &mut seen);
    let carol = stage.join("carol", &link).run();
    let ended = finish(vec![alice, bob]);
    for party in ended.iter().chain([&carol]) {
        note(&party.events, &schema, &mut seen);
    }
    // The child's code and ours, whichever way it ended.
    let [alice, bob] = ended.as_slice() else { panic!() };
    assert_eq!((alice.code, bob.code), (125, 7));
    let (alice, bob) = (alice.event("run.exited"), bob.event("run.exited"));
    assert_eq!((&alice["code"], &alice["program"]), (&json!(125), &Value::Null));
    assert_eq!(text(&alice["reason"], "code"), "E0406");
    assert_eq!((&bob["code"], &bob["program"], &bob["reason"]), (&json!(7), &json!(7), &Value::Null));

    let mut dora = stage.invite("dora", 2).start();
    dora.wait_for("room.invitation");
    let away = ["--json", "--count", "1", "--timeout", "100ms", "--mediator", stage.mediator_link()];
    let mut lost = bare(&didagent());
    lost.arg("--home").arg(stage.home("bob")).args(["ping", "alice"]).args(away);
    let lost = run("ping", &mut lost);
    assert_eq!(lost.code, 6, "{lost:?}");
    note(&schema.of(&lost.lines), &schema, &mut seen);
    let link = text(&stage_link(&stage), "link").to_owned();
    drop(link);
    dora.process.signal("INT");
    note(&dora.finish().events, &schema, &mut seen);
    let missing: Vec<_> = described.difference(&seen).collect();
    assert!(missing.is_empty(), "no test shows {missing:?}");
}
