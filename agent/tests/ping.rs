//! `didagent ping` (R22): over the session, by message while no session stands, and without an engine.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use support::party::{bare, text};
use support::process::{Finished, run};
use support::schema::Events;
use support::stage::{Stage, finish};
use support::{average, didagent, python_command};

fn ping(home: &Path, words: &[&str]) -> Finished {
    run("ping", bare(&didagent()).arg("--home").arg(home).arg("ping").args(words))
}

/// The events of a ping; all of them fit the schema.
fn events(home: &Path, words: &[&str]) -> (i32, Vec<Value>) {
    let finished = ping(home, &[words, &["--json"]].concat());
    assert_eq!(finished.stderr, "", "events only");
    (finished.code, finished.lines.iter().map(|line| Events::shared().read(line)).collect())
}

/// Fails unless the command failed like this; returns what it said.
fn assert_fails(finished: &Finished, exit: i32, code: &str) -> String {
    assert_eq!(finished.code, exit, "{finished:?}");
    assert!(finished.stderr.contains(&format!("error[{code}]")), "{finished:?}");
    finished.stderr.clone()
}

/// Decides LP-07.
#[test]
fn over_the_session_by_message_and_by_name_or_identity() {
    let stage = Stage::new();
    let mut alice = stage.invite("alice", 3).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let mut bob = stage.join("bob", &link).start();
    let identity = text(&alice.wait_for("party.joined"), "identity").to_owned();
    bob.wait_for("room.seats");
    let (home, bobs) = (stage.home("alice"), stage.home("bob"));
    let host = format!("127.0.0.1:{}", stage.mediator.as_ref().unwrap().port);

    // No session stands yet: by message, both ways.
    for (home, name) in [(&home, "bob"), (&bobs, "alice")] {
        let (code, events) = events(home, &[name, "--count", "2", "--interval", "100ms"]);
        assert_eq!((code, events.len()), (0, 3), "{events:#?}");
        for (number, reply) in events[..2].iter().enumerate() {
            assert_eq!((text(reply, "type"), &reply["number"]), ("ping.reply", &(number + 1).into()));
            assert_eq!((text(reply, "way"), text(reply, "via")), ("didcomm", host.as_str()));
        }
        assert_eq!((&events[2]["sent"], &events[2]["answered"]), (&2.into(), &2.into()));
    }
    let unknown = assert_fails(&ping(&home, &["carol"]), 2, "E0801");
    assert!(unknown.contains("known: bob"), "{unknown}");
    assert_fails(&ping(&home, &["alice"]), 2, "E0002");

    // Another bob takes the last seat.
    let mut second = stage.join("bob", &link);
    second.home = stage.home("second");
    let mut second = second.start();
    let other = text(&alice.wait_for("party.joined"), "identity").to_owned();
    for party in [&mut alice, &mut bob, &mut second] {
        party.wait_for("run.ports");
    }
    let ambiguous = assert_fails(&ping(&home, &["bob"]), 2, "E0802");
    for identity in [&identity, &other] {
        assert!(ambiguous.contains(&identity[identity.len() - 8..]), "{ambiguous}");
    }
    for wanted in [identity.as_str(), &format!("..{}", &identity[identity.len() - 8..])] {
        let (code, events) = events(&home, &[wanted, "--count", "2", "--interval", "100ms"]);
        assert_eq!((code, events.len()), (0, 3), "{events:#?}");
        let reply = &events[0];
        assert_eq!((text(reply, "way"), text(reply, "path")), ("session", "relay"));
        assert_eq!((text(reply, "identity"), text(reply, "via")), (identity.as_str(), host.as_str()));
        assert!(reply["rtt_ms"].as_f64().unwrap() > 0.0);
    }
    let shown = ping(&bobs, &["alice", "--count", "1"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{shown:?}");
    assert!(shown.lines[0].contains(&format!("over the session, relay via {host}")), "{shown:?}");
    assert!(shown.lines[1].starts_with("alice: 1 of 1 answered, min/avg/max "), "{shown:?}");
    for party in [&alice, &bob, &second] {
        party.process.signal("INT");
    }
    finish(vec![alice, bob, second]);
}

#[test]
fn without_an_engine_a_contact_is_asked_through_the_own_mediator() {
    let stage = Stage::new();
    let bobs = stage.home("bob");
    let nobody = assert_fails(&ping(&bobs, &["alice"]), 2, "E0801");
    assert!(!nobody.contains("try:"), "there is nobody to try: {nobody}");
    for party in stage.run(vec![python_command(&average(), &["1"]), python_command(&average(), &["2"])]) {
        party.assert_ok();
    }
    // bob used the room's mediator, and has chosen none: alice's serves to ask her, but she is not there.
    assert_fails(&ping(&bobs, &["alice", "--count", "1", "--timeout", "1s"]), 6, "E0803");
    let with_mediator = |words: &[&'static str]| [&["--mediator", stage.mediator_link()], words].concat();
    let late = Instant::now();
    let offline =
        ping(&bobs, &with_mediator(&["alice", "--count", "2", "--timeout", "1s", "--interval", "100ms"]));
    assert_fails(&offline, 6, "E0803");
    assert!(late.elapsed().as_secs() >= 2, "each of the two has its time");
    assert_eq!(offline.lines.len(), 3, "{offline:?}");
    assert!(offline.lines[2].starts_with("alice: 0 of 2 answered"), "{offline:?}");

    let mut alice = stage.invite("alice", 2).start();
    alice.wait_for("room.invitation");
    let (code, said) = events(&bobs, &with_mediator(&["alice", "--count", "2", "--interval", "100ms"]));
    assert_eq!((code, said.len()), (0, 3), "{said:#?}");
    assert_eq!((text(&said[0], "way"), text(&said[0], "path")), ("didcomm", "mailbox"));
    // Several at a time from one home would take each other's mail.
    assert!(!bobs.join("engine.sock").exists());
    let (code, said) = events(&bobs, &with_mediator(&["dora"]));
    assert_eq!((code, said.len(), text(&said[0], "code")), (2, 1, "E0801"));
    alice.process.signal("INT");
    assert_eq!(alice.finish().code, 130);
}

#[test]
fn a_mediator_that_is_gone_is_named() {
    let mut stage = Stage::new();
    for party in stage.run(vec![python_command(&average(), &["1"]), python_command(&average(), &["2"])]) {
        party.assert_ok();
    }
    stage.kill_mediator();
    let home = stage.home("alice");
    assert_fails(&ping(&home, &["bob", "--count", "1"]), 5, "E0301");
}
