//! Several mediators (`spec/relay.md`, RL-63 and RL-64; `spec/room.md`, RM-80): whichever of them is lost, and whenever people
//! wait, the room goes on at the other.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;

use didagent::core::invite::Invitation;
use support::mediator::Mediator;
use support::party::{Party, bare, text};
use support::process::run;
use support::stage::{Stage, finish};
use support::{average, didagent, python_command};

fn averaging(number: &str) -> Vec<OsString> {
    python_command(&average(), &[number])
}

fn link_of(host: &mut Party) -> String {
    text(&host.wait_for("room.invitation"), "link").to_owned()
}

/// Waits until a party says that one mediator takes the place of another.
fn wait_for_change(party: &mut Party, lost: u16, taken: u16) {
    let said = party.wait_for("warning");
    let said = text(&said, "message");
    let names = [format!("mediator at 127.0.0.1:{lost}: "), format!("127.0.0.1:{taken} takes its place")];
    assert!(names.iter().all(|name| said.contains(name)), "{said}");
}

fn port(stage: &Stage) -> u16 {
    stage.mediator.as_ref().unwrap().port
}

/// Decides RL-64, RM-80.
#[test]
fn rm_80_a_room_whose_mediator_is_lost_goes_on_at_the_second() {
    let mut stage = Stage::new();
    let second = Mediator::start(&didagent());
    let first_port = port(&stage);
    let host = stage.invite("alice", 3).option(&["--full", "--mediator", &second.link]);
    let mut alice = host.program(averaging("1")).start();
    let link = link_of(&mut alice);
    assert_eq!(Invitation::read(&link, 0).unwrap().mediators().len(), 2);
    // Bob has no mediator of his own, so he takes both of alice's.
    let mut bob = stage.join("bob", &link).program(averaging("3")).start();
    bob.wait_for("room.seats");
    alice.wait_for("party.joined");
    stage.kill_mediator();
    for party in [&mut alice, &mut bob] {
        wait_for_change(party, first_port, second.port);
    }
    // Who comes now meets the second only.
    let carol = stage.join("carol", &link).program(averaging("8")).start();
    let joined = alice.wait_for("party.joined");
    assert_eq!((text(&joined, "name"), &joined["index"]), ("carol", &2.into()));
    for party in finish(vec![alice, bob, carol]) {
        assert_eq!(party.assert_ok().output(), ["average of 3 inputs: 4.00"]);
        assert!(party.events("mediator.lost").is_empty(), "{party:#?}");
    }
}

/// Decides RL-64, RM-80.
#[test]
fn a_guest_keeps_its_seat_and_hears_in_a_run_who_leaves_when_its_own_mediators_come_and_go() {
    let stage = Stage::new();
    let data = tempfile::tempdir().unwrap();
    let first = Mediator::start_lasting(&didagent(), 0, data.path());
    let second = Mediator::start(&didagent());
    let mut alice = stage.invite("alice", 3).start();
    let link = link_of(&mut alice);
    let own = ["--mediator", &first.link, "--mediator", &second.link];
    let mut bob = stage.join("bob", &link).option(&own).start();
    bob.wait_for("room.seats");
    alice.wait_for("party.joined");
    let (first_port, second_port) = (first.port, second.port);
    first.kill();
    wait_for_change(&mut bob, first_port, second_port);
    // The first comes back, and is the second one now: bob goes on with it when the other is lost.
    let _first = Mediator::start_lasting(&didagent(), first_port, data.path());
    let mut carol = stage.join("carol", &link).start();
    assert_eq!(alice.wait_for("party.joined")["index"], 2, "bob has his seat");
    for party in [&mut alice, &mut bob, &mut carol] {
        party.wait_for("run.ports");
    }
    second.kill();
    wait_for_change(&mut bob, second_port, first_port);
    carol.process.signal("INT");
    carol.finish();
    for party in finish(vec![alice, bob]) {
        let why = party.assert_stopped(7, "E0405");
        assert!(why.contains("party 2 (carol) was interrupted"), "{why}");
    }
}

/// Decides RL-64.
#[test]
fn a_ping_and_a_text_take_the_mediator_that_answers() {
    let mut stage = Stage::new();
    let second = Mediator::start(&didagent());
    let both = ["--full", "--mediator", &second.link];
    // They meet, so that bob knows alice.
    let mut alice = stage.invite("alice", 2).option(&both).start();
    let link = link_of(&mut alice);
    let mut bob = stage.join("bob", &link).start();
    for party in [&mut bob, &mut alice] {
        party.wait_for("run.ports");
        party.process.signal("INT");
    }
    finish(vec![alice, bob]);
    let mut alice = stage.invite("alice", 2).option(&both).start();
    let link = link_of(&mut alice);
    let first_port = port(&stage);
    stage.kill_mediator();
    wait_for_change(&mut alice, first_port, second.port);
    let ask =
        |words: &[&str]| run("didagent", bare(&didagent()).arg("--home").arg(stage.home("bob")).args(words));
    for to in ["alice", &link] {
        let sent = ask(&["message", to, "hello"]);
        assert_eq!(sent.code, 0, "{sent:?}");
        assert!(sent.lines[0].starts_with(&format!("127.0.0.1:{} has taken it", second.port)), "{sent:?}");
        assert_eq!(text(&alice.wait_for("message.received"), "text"), "hello");
    }
    // Bob's own mediators are alice's, or those that he names.
    let named =
        ["ping", "alice", "--count", "1", "--mediator", stage.mediator_link(), "--mediator", &second.link];
    for words in [&named[..4], &named[..]] {
        let ping = ask(words);
        assert_eq!(ping.code, 0, "{ping:?}");
    }
    alice.process.signal("INT");
    alice.finish();
}
