//! A host that decides who gets a seat: from another terminal, and at a question.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;

use support::party::{Party, bare, text};
use support::process::{Finished, run};
use support::schema::Schema;
use support::stage::{Stage, finish};
use support::{average, didagent, python_command, until};

fn averaging(number: &str) -> Vec<OsString> {
    python_command(&average(), &[number])
}

fn ask(stage: &Stage, home: &str, words: &[&str]) -> Finished {
    run(&words.join(" "), bare(&didagent()).arg("--home").arg(stage.home(home)).args(words))
}

fn refused(asked: &Finished, exit: i32, said: &str) {
    assert_eq!((asked.code, asked.lines.len()), (exit, 0), "{asked:?}");
    assert!(asked.stderr.contains(said), "{asked:?}");
}

/// Reads lines up to one that has this in it.
fn shows(party: &mut Party, wanted: &str) -> String {
    loop {
        let line = party.process.next_line().unwrap_or_else(|| panic!("{} never shows {wanted}", party.name));
        if line.contains(wanted) {
            return line;
        }
    }
}

/// Decides RM-106, RM-107, RM-108, LP-09.
#[test]
fn a_host_lets_in_refuses_and_lists_from_another_terminal_and_the_order_is_its_own() {
    let stage = Stage::new();
    let mut alice = stage.invite("alice", 3).option(&["--approve"]).program(averaging("1")).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let mut asking = |name: &str, number: &str| {
        let mut guest = stage.join(name, &link).program(averaging(number)).start();
        let own = guest.wait_for("room.pending");
        let asks = alice.wait_for("party.asks");
        assert_eq!((text(&asks, "name"), text(&asks, "acquaintance")), (name, "new"));
        assert_eq!(text(&asks, "identity"), text(&own, "identity"));
        guest
    };
    let (bob, mallory, dave, carol) =
        (asking("bob", "3"), asking("mallory", "9"), asking("dave", "7"), asking("carol", "5"));
    let shown = ask(&stage, "alice", &["room", "show"]);
    let list = shown.lines.join("\n");
    assert_eq!(list.matches("asks for a seat").count(), 4, "{list}");
    let status = ask(&stage, "alice", &["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status.lines[0]).unwrap();
    Schema::read("status.schema.json").assert_valid(&status);
    assert_eq!(text(&status["applicants"][3], "name"), "carol");
    dave.process.signal("INT");
    assert_eq!(text(&alice.wait_for("party.withdrew"), "name"), "dave");
    dave.finish().assert_error(130, "E0003");

    refused(&ask(&stage, "alice", &["room", "approve", "zoe"]), 2, "E0801");
    refused(&ask(&stage, "bob", &["room", "approve", "bob"]), 1, "only the host decides");
    assert_eq!(ask(&stage, "alice", &["room", "refuse", "mallory"]).code, 0);
    assert!(mallory.finish().assert_error(3, "E0402").contains("does not want this party"));
    stage.join("mallory", &link).program(averaging("9")).run().assert_error(3, "E0402");
    // Carol came last and sits first.
    for name in ["carol", "bob"] {
        assert_eq!(ask(&stage, "alice", &["room", "approve", name]).code, 0);
        assert_eq!(text(&alice.wait_for("party.joined"), "name"), name);
    }
    let ready = alice.wait_for("room.ready");
    let order: Vec<_> = ready["parties"].as_array().unwrap().iter().map(|one| text(one, "name")).collect();
    assert_eq!(order, ["alice", "carol", "bob"]);
    for ended in finish(vec![alice, bob, carol]) {
        assert_eq!(ended.assert_ok().output(), ["average of 3 inputs: 3.00"]);
    }

    // Those whom the home has met may be let in by themselves, and a host that goes on still decides.
    let mut alice = stage.invite("alice", 4).option(&["--approve=strangers"]).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let _bob = stage.join("bob", &link).start();
    assert_eq!(text(&alice.wait_for("party.joined"), "acquaintance"), "known");
    let mut erin = stage.join("erin", &link).start();
    erin.wait_for("room.pending");
    alice.wait_for("party.asks");
    alice.process.signal("KILL");
    alice.finish();
    let mut alice = stage.resume("alice").start();
    alice.wait_for("room.resumed");
    let frank = ask(&stage, "frank", &["identity", "show"]).lines[0].clone();
    until("the room is open", || ask(&stage, "alice", &["room", "approve", &frank]).code == 0);
    let _frank = stage.join("frank", &link).start();
    assert_eq!(text(&alice.wait_for("party.joined"), "name"), "frank");
    let mut gina = stage.join("gina", &link).start();
    gina.wait_for("room.pending");
    assert_eq!(text(&alice.wait_for("party.asks"), "name"), "gina");
    alice.process.signal("INT");
    alice.finish().assert_error(130, "E0003");
    // Whoever waits is told, too.
    assert!(gina.finish().assert_error(7, "E0405").contains("the host was interrupted"));
}

/// Decides RM-106.
#[test]
fn at_a_terminal_the_person_is_asked_and_what_is_typed_later_is_the_programs() {
    let stage = Stage::new();
    let program = ["bash", "-c", "echo type here; read line; echo got $line", "bash"].map(OsString::from);
    let types = "let mallory=>n\nlet bob=>y\ntype here=>hello";
    let alice = stage.invite("alice", 2).option(&["--approve"]).program(program.to_vec());
    let mut alice = alice.at_terminal().variable("TERMINAL_TYPES", types).start();
    let link = shows(&mut alice, "http").trim().to_owned();
    let mallory = stage.join("mallory", &link).program(vec!["true".into()]).for_people().start();
    assert_eq!(mallory.finish().code, 3);
    let bob = stage.join("bob", &link).program(vec!["true".into()]).for_people().start();
    shows(&mut alice, "got hello");
    bob.process.wait_for_stderr("the host decides who gets a seat; waiting");
    bob.finish();
    let alice = alice.finish();
    assert!(alice.stderr.contains("modes kept"), "{alice:#?}");
    refused(&ask(&stage, "alice", &["room", "approve", "bob"]), 1, "E0704");
}
