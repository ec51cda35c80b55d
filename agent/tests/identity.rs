//! The identity (R2, R20): made once, never overwritten; it stays the same when its owner moves.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use support::mediator::Mediator;
use support::party::{bare, text};
use support::process::{Finished, run};
use support::schema::Schema;
use support::stage::{Stage, finish};
use support::{average, didagent, python_command};

fn command(home: &Path, words: &[&str]) -> Finished {
    run(&words.join(" "), bare(&didagent()).arg("--home").arg(home).args(words))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Decides SC-03.
#[test]
fn the_first_use_makes_an_identity_for_its_owner_alone_and_later_ones_keep_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("new/home");
    let first = command(&home, &["identity", "show"]);
    assert_eq!((first.code, first.lines.len()), (0, 1), "{first:?}");
    assert!(first.lines[0].starts_with("did:key:z6Mk"), "{first:?}");
    assert_eq!(mode(&home.join("identity.json")), 0o600);
    assert_eq!(mode(&home), 0o700);
    assert_eq!(command(&home, &["identity", "show"]).lines, first.lines);
    let other = command(&folder.path().join("other"), &["identity", "new"]);
    assert_eq!(other.code, 0);
    assert_ne!(other.lines, first.lines);
}

#[test]
fn a_new_identity_never_replaces_one() {
    let folder = tempfile::tempdir().unwrap();
    let first = command(folder.path(), &["identity", "new"]);
    let file = std::fs::read(folder.path().join("identity.json")).unwrap();
    let second = command(folder.path(), &["identity", "new"]);
    assert_eq!((second.code, second.lines), (2, Vec::new()));
    assert!(second.stderr.contains(&first.lines[0]), "it does not say which: {}", second.stderr);
    assert_eq!(std::fs::read(folder.path().join("identity.json")).unwrap(), file);
}

fn contacts(home: &Path) -> Vec<Value> {
    let shown = command(home, &["contacts", "--json"]);
    assert_eq!((shown.code, shown.lines.len()), (0, 1), "{shown:?}");
    let document: Value = serde_json::from_str(&shown.lines[0]).unwrap();
    Schema::read("contacts.schema.json").assert_valid(&document);
    document["contacts"].as_array().unwrap().clone()
}

#[test]
fn a_party_that_moves_to_another_mediator_is_still_the_same_contact() {
    let stage = Stage::new();
    let second = Mediator::start(&didagent());
    for (round, mediator) in [stage.mediator_link(), &second.link].into_iter().enumerate() {
        let mut alice =
            stage.invite_at("alice", 2, mediator).program(python_command(&average(), &["1"])).start();
        let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
        let bob = stage.join("bob", &link).program(python_command(&average(), &["2"])).start();
        for party in finish(vec![alice, bob]) {
            party.assert_ok();
        }
        let known = contacts(&stage.home("bob"));
        let [alice] = known.as_slice() else { panic!("{known:#?}") };
        assert_eq!(text(alice, "name"), "alice");
        let shown = command(&stage.home("alice"), &["identity", "show"]).lines;
        assert_eq!(text(alice, "identity"), shown[0]);
        assert!(!alice.to_string().contains("did:peer"), "nobody is told where mail for her goes: {alice:#}");
        let file = std::fs::read(stage.home("bob").join("contacts.json")).unwrap();
        let file: Value = serde_json::from_slice(&file).unwrap();
        let connections = support::party::words(&file["contacts"][0]["connections"]);
        assert_eq!(connections.len(), round + 1, "{connections:#?}");
        assert!(connections.iter().all(|did| did.starts_with("did:peer:2")), "{connections:#?}");
        assert_ne!(connections.first(), connections.get(1));
    }
    let people = command(&stage.home("bob"), &["contacts"]);
    assert_eq!(people.lines.len(), 1, "{people:?}");
    assert!(people.lines[0].starts_with("alice  did:key:z6Mk"), "{people:?}");
}

#[test]
fn nobody_is_a_contact_before_a_roster_names_them() {
    let stage = Stage::new();
    let mut alice = stage.invite("alice", 3).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let mut bob = stage.join("bob", &link).start();
    bob.wait_for("room.seats");
    assert!(contacts(&stage.home("alice")).is_empty());
    assert!(contacts(&stage.home("bob")).is_empty());
}

/// A name of our own stays, whatever the party calls itself, and is shown when we meet.
#[test]
fn a_petname_is_shown_when_we_meet_and_whoever_is_forgotten_is_new() {
    let stage = Stage::new();
    let meet = || {
        let mut alice = stage.invite("alice", 2).program(python_command(&average(), &["1"])).start();
        let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
        let bob = stage.join("bob", &link).program(python_command(&average(), &["2"])).start();
        let ended = finish(vec![alice, bob]);
        ended[1].assert_ok().event("room.ready")["parties"][0].clone()
    };
    assert_eq!(meet()["acquaintance"], "new");
    let home = stage.home("bob");
    assert_eq!(command(&home, &["contacts", "name", "alice", "alice of the bank"]).lines, [""; 0]);
    let met = meet();
    assert_eq!((&met["acquaintance"], &met["petname"]), (&"known".into(), &"alice of the bank".into()));
    let listed = command(&home, &["contacts"]).lines;
    assert!(listed[0].starts_with("alice of the bank  did:key:z6Mk"), "{listed:?}");
    assert!(listed[0].ends_with("(calls itself alice)"), "{listed:?}");
    command(&home, &["contacts", "forget", "alice of the bank"]);
    assert!(contacts(&home).is_empty());
    assert_eq!(meet()["acquaintance"], "new");
}
