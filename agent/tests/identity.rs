//! The identity (R2, R20): made once, never overwritten, never shown; it stays the same when its owner moves.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use support::mediator::Mediator;
use support::party::{bare, text};
use support::process::{Finished, run};
use support::stage::{Stage, finish};
use support::system::contains;
use support::{average, didagent, program, python_command};

fn command(home: &Path, words: &[&str]) -> Finished {
    run(&words.join(" "), bare(&didagent()).arg("--home").arg(home).args(words))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

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

/// Every way in which a key could be written by accident.
fn spellings(key: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    // As `{:?}` shows bytes, without the ends: a list may be longer.
    let listed = format!("{key:?}").trim_matches(['[', ']']).to_owned();
    let texts = [URL_SAFE_NO_PAD.encode(key), STANDARD.encode(key), hex.to_uppercase(), hex, listed];
    texts.into_iter().map(String::into_bytes).chain([key.to_vec()]).collect()
}

#[test]
fn no_log_shows_keys_inputs_or_the_invitation() {
    const INPUTS: [&str; 3] = ["839201746583", "571938264017", "264918375042"];
    let stage = Stage::new();
    let exchange = |input: &&str| python_command(&program("exchange.py"), &[input, "mark"]);
    let commands = INPUTS.iter().map(exchange).collect();
    let ended = finish(stage.start_with(commands, |agent| agent.option(&["--log", "trace"])));
    let link = text(ended[0].event("room.invitation"), "link").to_owned();
    let (_, payload) = link.split_once("_oob=").unwrap();
    let payload = payload.split_once('#').map_or(payload, |(payload, _)| payload);
    let secrets: Vec<_> = ended
        .iter()
        .flat_map(|party| {
            let file = std::fs::read(stage.home(&party.name).join("identity.json")).unwrap();
            let file: Value = serde_json::from_slice(&file).unwrap();
            ["ed25519", "x25519"].map(|name| URL_SAFE_NO_PAD.decode(text(&file, name)).unwrap())
        })
        .collect();
    assert_eq!(secrets.len(), 6);
    for party in &ended {
        party.assert_ok();
        assert!(party.stderr.contains(" DEBUG didagent::"), "the log is no log: {}", party.stderr);
        // The program's own lines belong to the program, and the host's invitation is what the host asked for.
        let own = |event: &&Value| !matches!(event["type"].as_str(), Some("run.output" | "room.invitation"));
        let events: Vec<_> = party.events.iter().filter(own).map(Value::to_string).collect();
        let written = [party.stderr.as_bytes(), events.join("\n").as_bytes()].concat();
        for secret in &secrets {
            assert_eq!(secret.len(), 32);
            for spelling in spellings(secret) {
                assert!(!contains(&written, &spelling), "{} writes a secret key", party.name);
            }
        }
        for input in INPUTS {
            assert!(!contains(&written, input.as_bytes()), "{} writes an input", party.name);
        }
        for piece in payload.as_bytes().chunks_exact(40) {
            assert!(!contains(&written, piece), "{} writes the link", party.name);
        }
    }
}

fn contacts(home: &Path) -> Vec<Value> {
    let shown = command(home, &["contacts", "--json"]);
    assert_eq!((shown.code, shown.lines.len()), (0, 1), "{shown:?}");
    let document: Value = serde_json::from_str(&shown.lines[0]).unwrap();
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
        let connections = support::party::words(&alice["connections"]);
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
