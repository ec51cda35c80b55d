//! What another terminal decides about a room that is open, and how it waits for others.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::party::{bare, text};
use support::process::{Finished, Process, run};
use support::stage::{Stage, finish};
use support::{average, didagent, python_command};

fn ask(stage: &Stage, home: &str, words: &[&str]) -> Finished {
    run(&words.join(" "), bare(&didagent()).arg("--home").arg(stage.home(home)).args(words))
}

fn refused(asked: &Finished, exit: i32, said: &str) {
    assert_eq!((asked.code, asked.lines.len()), (exit, 0), "{asked:?}");
    assert!(asked.stderr.contains(said), "{asked:?}");
}

/// Decides LP-09.
#[test]
fn a_host_kicks_starts_and_waits_from_another_terminal() {
    let stage = Stage::new();
    let program = || python_command(&average(), &["4"]);
    refused(&ask(&stage, "alice", &["room", "close"]), 1, "E0704");
    let mut alice = stage.invite("alice", 5).program(program()).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    refused(&ask(&stage, "alice", &["room", "start"]), 1, "nobody else is there yet");
    refused(&ask(&stage, "alice", &["wait", "--parties", "2", "--timeout", "1s"]), 6, "E0404");

    let mut waiting = bare(&didagent());
    waiting.arg("--home").arg(stage.home("alice")).args(["wait", "--parties", "3"]);
    let waiting = Process::start("wait", &mut waiting);
    let mallory = stage.join("mallory", &link).program(program()).start();
    alice.wait_for("party.joined");
    refused(&ask(&stage, "alice", &["room", "start"]), 1, "each alone could open all inputs");
    let bob = stage.join("bob", &link).program(program()).start();
    alice.wait_for("party.joined");
    assert_eq!(waiting.finish().code, 0);
    refused(&ask(&stage, "bob", &["room", "kick", "mallory"]), 1, "only the host decides");
    refused(&ask(&stage, "alice", &["room", "kick", "dave"]), 2, "E0801");
    refused(&ask(&stage, "alice", &["room", "kick", "alice"]), 1, "E0804");
    let kicked = ask(&stage, "alice", &["room", "kick", "mallory"]);
    assert_eq!((kicked.code, kicked.stderr.as_str()), (0, ""));
    assert_eq!(alice.wait_for("party.left")["name"], "mallory");
    assert!(mallory.finish().assert_error(3, "E0402").contains("does not want this party"));
    stage.join("mallory", &link).program(program()).run().assert_error(3, "E0402");

    let mut carol = stage.join("carol", &link).program(program()).start();
    alice.wait_for("party.joined");
    carol.wait_for("room.seats");
    let shown = ask(&stage, "carol", &["room", "show"]);
    assert!(shown.code == 0 && shown.lines.join("\n").contains("alice"), "{shown:?}");
    assert_eq!(ask(&stage, "alice", &["room", "start"]).code, 0);
    for ended in finish(vec![alice, bob, carol]) {
        assert_eq!(ended.assert_ok().output(), ["average of 3 inputs: 4.00"]);
    }
}

#[test]
fn closing_a_room_ends_it_for_everybody() {
    let stage = Stage::new();
    let mut alice = stage.invite("alice", 3).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let mut bob = stage.join("bob", &link).start();
    bob.wait_for("room.seats");
    alice.wait_for("party.joined");
    assert_eq!(ask(&stage, "alice", &["room", "close"]).code, 0);
    assert_eq!(alice.finish().code, 130);
    assert!(bob.finish().assert_error(7, "E0405").contains("the host was interrupted"));
}
