//! `--confirm`: nothing starts before a person has compared the words; `spec/room.md`, RM-91 to RM-95.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;

use serde_json::Value;
use support::lasting::Lasting;
use support::party::{Agent, Party, bare, text, words};
use support::process::{Finished, run};
use support::stage::{Stage, finish};
use support::{average, didagent, python_command};

/// How long the parties wait for one that is missing, in seconds: for a mediator that is restarted it is enough.
const PATIENCE: &str = "10";

fn ask(stage: &Stage, home: &str, words: &[&str]) -> Finished {
    run(&words.join(" "), bare(&didagent()).arg("--home").arg(stage.home(home)).args(words))
}

fn averaging() -> Vec<OsString> {
    python_command(&average(), &["4"])
}

fn status(stage: &Stage, home: &str) -> Value {
    serde_json::from_str(&ask(stage, home, &["status", "--json"]).lines[0]).unwrap()
}

/// Alice, bob and carol; `change` makes bob's command what it is. All are ready, and nobody has started.
fn three(stage: &Stage, change: impl Fn(Agent) -> Agent) -> Vec<Party> {
    let patience = ["--patience", PATIENCE];
    let mut alice = stage.invite("alice", 3).option(&patience).program(averaging()).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let join = |name: &str| stage.join(name, &link).option(&patience).program(averaging());
    let bob = change(join("bob").option(&["--confirm"])).start();
    alice.wait_for("party.joined");
    let mut parties = vec![alice, bob, join("carol").start()];
    for (index, party) in parties.iter_mut().enumerate() {
        let confirming = party.wait_for("room.confirming");
        assert_eq!(confirming["words"], party.kept("room.ready")["words"]);
        assert_eq!(confirming["waiting"], serde_json::json!([{"index": 1, "name": "bob"}]));
        assert_eq!(confirming["asked"], index == 1);
    }
    parties
}

fn started(parties: Vec<Party>) {
    for ended in finish(parties) {
        assert_eq!(ended.assert_ok().output(), ["average of 3 inputs: 4.00"]);
        let order: Vec<_> = ended.events.iter().map(|event| text(event, "type")).collect();
        let at = |wanted: &str| order.iter().position(|type_| *type_ == wanted).unwrap();
        assert!(at("party.confirmed") < at("run.ports") && at("run.ports") < at("run.started"), "{order:?}");
        assert_eq!(ended.events("room.ready").len(), 1);
    }
}

/// Decides RM-92, LP-10.
#[test]
fn another_terminal_confirms_the_words_and_only_the_right_ones() {
    let stage = Stage::new();
    let asked = ask(&stage, "bob", &["room", "confirm"]);
    assert!((asked.code, asked.stderr.contains("E0704")) == (1, true), "{asked:?}");
    let parties = three(&stage, |agent| agent);
    let shown = words(&parties[1].kept("room.confirming")["words"]);
    for name in ["alice", "bob", "carol"] {
        let status = status(&stage, name);
        assert_eq!(text(&status, "phase"), "confirming");
        let waiting = serde_json::json!([{"index": 1, "name": "bob", "for": "confirm"}]);
        assert_eq!(status["room"]["waiting"], waiting, "{status}");
        let screen = ask(&stage, name, &["status"]).lines.join("\n");
        assert!(screen.contains("waiting   bob has not confirmed the words"), "{screen}");
    }
    for (who, words, exit, code) in [
        ("alice", vec![], 1, "E0804"),
        ("bob", vec!["tulip", "anchor", "seven", "mango"], 8, "E0408"),
        ("bob", shown[..3].iter().map(String::as_str).collect(), 8, "E0408"),
    ] {
        let asked = ask(&stage, who, &[&["room", "confirm"], words.as_slice()].concat());
        assert!((asked.code, asked.stderr.contains(code)) == (exit, true), "{asked:?}");
    }
    let pasted = shown.join(" ").to_uppercase();
    let asked = ask(&stage, "bob", &["room", "confirm", &pasted]);
    assert_eq!((asked.code, asked.stderr.as_str()), (0, ""));
    started(parties);
}

/// Decides RM-93.
#[test]
fn a_no_ends_the_room_for_everybody_and_nobody_is_remembered() {
    let stage = Stage::new();
    let parties = three(&stage, |agent| agent);
    assert_eq!(ask(&stage, "bob", &["room", "confirm", "--no"]).code, 0);
    for ended in finish(parties) {
        let message = ended.assert_error(8, "E0408").to_owned();
        match ended.name.as_str() {
            "bob" => assert_eq!(message, "you said that the words are not the same"),
            _ => assert!(message.contains("party 1 (bob) said that the words are not the same"), "{message}"),
        }
        let contacts = ask(&stage, &ended.name, &["contacts", "--json"]);
        assert!(!contacts.lines.join("").contains("did:key"), "{contacts:?}");
    }
}

/// Decides RM-94.
#[test]
fn who_does_not_answer_in_time_ends_the_room_with_its_name() {
    let stage = Stage::new();
    let parties = three(&stage, |agent| agent.option(&["--confirm-within", "5s"]));
    for ended in finish(parties) {
        let message = ended.assert_error(6, "E0409").to_owned();
        match ended.name.as_str() {
            "bob" => assert_eq!(message, "the words were not confirmed here in time"),
            _ => assert!(message.contains("party 1 (bob) did not confirm the words in time"), "{message}"),
        }
    }
}

/// Decides RM-95.
#[test]
fn a_mediator_that_restarts_while_words_are_compared_takes_nothing_away() {
    let mut lasting = Lasting::new();
    let parties = three(&lasting.stage, |agent| agent);
    lasting.stage.kill_mediator();
    // The answer is given while nobody can hear it.
    assert_eq!(ask(&lasting.stage, "bob", &["room", "confirm"]).code, 0);
    lasting.start();
    started(parties);
}

#[test]
fn whoever_goes_while_words_are_compared_is_named() {
    for (signal, said) in [("KILL", "lost party 2 (carol)"), ("TERM", "party 2 (carol) was interrupted")] {
        let stage = Stage::new();
        let mut parties = three(&stage, |agent| agent);
        let carol = parties.pop().unwrap();
        carol.process.signal(signal);
        for ended in finish(parties) {
            assert!(ended.assert_error(7, "E0405").contains(said), "{ended:#?}");
        }
        assert_eq!(carol.finish().code, if signal == "KILL" { 137 } else { 130 });
    }
}

#[test]
fn a_variable_asks_for_it_too_and_without_a_terminal_the_screen_says_how_to_answer() {
    let stage = Stage::new();
    let host = stage.invite("alice", 2).for_people().variable("DIDAGENT_CONFIRM", "yes").program(averaging());
    let mut alice = host.start();
    let link = alice.process.next_line().unwrap();
    let bob = stage.join("bob", &link).variable("DIDAGENT_CONFIRM", "0").program(averaging()).start();
    alice.process.wait_for_stderr("didagent room confirm    (from another terminal");
    assert_eq!(ask(&stage, "alice", &["room", "confirm"]).code, 0);
    for ended in finish(vec![alice, bob]) {
        assert_eq!(ended.code, 0, "{ended:#?}");
    }
}
