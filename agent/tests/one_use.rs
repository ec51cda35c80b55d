//! DIDs for one room: what others see of the home, which is nothing, and what becomes of the keys.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use support::party::{Agent, Ended, bare, text};
use support::process::run;
use support::stage::{Stage, finish};
use support::traces::Traces;
use support::{average, didagent, python_command};

/// Neither a name that a person gives nor a word of anything else here.
const LOGIN: &str = "login-Kw7Qz4Tn";

fn averaging(number: &str) -> Vec<OsString> {
    python_command(&average(), &[number])
}

/// Everything below a folder, file by file.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => found.extend(files(&entry.path())),
            kind if kind.is_file() => {
                found.push((entry.path().display().to_string(), std::fs::read(entry.path()).unwrap()));
            }
            _ => {}
        }
    }
    found
}

/// alice invites, bob joins as `change` makes him; both ended well.
fn run_of_two(stage: &Stage, change: impl Fn(Agent) -> Agent) -> (Ended, Ended) {
    let mut alice = stage.invite("alice", 2).program(averaging("2")).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let bob = stage.join("bob", &link).variable("USER", LOGIN).program(averaging("4"));
    let bob = change(bob).start();
    let mut ended = finish(vec![alice, bob]).into_iter();
    let (alice, bob) = (ended.next().unwrap(), ended.next().unwrap());
    for party in [&alice, &bob] {
        assert_eq!(party.assert_ok().output(), ["average of 2 inputs: 3.00"]);
    }
    (alice, bob)
}

/// Decides CN-80, CN-81, CN-82.
#[test]
fn nobody_sees_the_home_of_a_party_with_a_new_did() {
    let (stage, proxy, _) = Stage::logging_behind_proxy(didagent());
    let home = stage.home("bob");
    // They know each other, which must change nothing.
    let (alice, bob) = run_of_two(&stage, |bob| bob.unnamed());
    assert_eq!(text(alice.event("party.joined"), "name"), LOGIN);
    assert!(bob.events("identity.one-use").is_empty(), "{bob:#?}");
    let traces = Traces::of(&home, &[LOGIN]);
    let captured = |from: usize| proxy.captured().texts.split_off(from).concat();
    // The search finds what is there.
    assert_eq!(traces.found_in(&captured(0)).len(), 2, "the mediator knows the keys of its client");
    let met = std::fs::read(stage.home("alice").join("contacts.json")).unwrap();
    assert_eq!(traces.found_in(&met).len(), 3);
    let book = std::fs::read(home.join("contacts.json")).unwrap();
    for file in ["contacts.json", "runs"] {
        let path = stage.home("alice").join(file);
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
    }
    let (log, seen) = (stage.mediator.as_ref().unwrap().log().len(), proxy.captured().texts.len());

    let mut identities = BTreeSet::new();
    for _ in 0..2 {
        let (alice, bob) = run_of_two(&stage, |bob| bob.unnamed().option(&["--new-did"]));
        let (made, joined) = (bob.event("identity.one-use"), alice.event("party.joined"));
        for member in ["name", "identity"] {
            assert_eq!(made[member], joined[member]);
        }
        assert!(text(made, "name").starts_with("anon-") && made["again"] == false, "{made}");
        assert_eq!(text(joined, "acquaintance"), "new");
        identities.insert(text(made, "identity").to_owned());
        // Whom bob has met is shown to him, and nobody else can tell.
        assert_eq!(text(&bob.event("room.ready")["parties"][0], "acquaintance"), "known");
        assert!(traces.found_in(format!("{:?}", alice.events).as_bytes()).is_empty(), "{alice:#?}");
        assert!(!home.join("one-use.json").exists(), "the room is over");
    }
    assert_eq!(identities.len(), 2);
    assert_eq!(std::fs::read(home.join("contacts.json")).unwrap(), book, "nobody was written down");

    let log = stage.mediator.as_ref().unwrap().log().split_off(log);
    assert!(log.len() > 1000 && proxy.captured().texts.len() > seen + 20);
    let mut others = files(&stage.home("alice"));
    assert!(others.iter().any(|(name, _)| name.contains("/runs/")), "there are transcripts");
    others.extend([("log".to_owned(), log.into_bytes()), ("traffic".to_owned(), captured(seen))]);
    others.push(("frames".to_owned(), proxy.captured().frames.concat()));
    for (name, bytes) in others {
        assert_eq!(traces.found_in(&bytes), Vec::<&str>::new(), "{name}");
    }
}

/// Decides CN-82.
#[test]
fn a_guest_with_a_new_did_keeps_its_seat_through_a_restart_and_writes_to_nobody_else() {
    let stage = Stage::new();
    // Somebody whom bob's home knows.
    let (_, _) = run_of_two(&stage, |bob| bob);
    let mut carol = stage.invite("carol", 3).start();
    let link = text(&carol.wait_for("room.invitation"), "link").to_owned();
    let join = || stage.join("bob", &link).unnamed().option(&["--new-did"]).start();
    let mut bob = join();
    let first = bob.wait_for("identity.one-use");
    bob.wait_for("room.seats");
    carol.wait_for("party.joined");
    // A text would come from the identity that it has elsewhere.
    let words = ["message", &link, "a minute late"];
    let sent = run("message", bare(&didagent()).arg("--home").arg(stage.home("bob")).args(words));
    assert!((sent.code, sent.stderr.contains("E0804")) == (1, true), "{sent:?}");
    bob.process.signal("KILL");
    bob.finish();
    let mut bob = join();
    let second = bob.wait_for("identity.one-use");
    assert_eq!((&first["identity"], &first["name"]), (&second["identity"], &second["name"]));
    assert_eq!((&first["again"], &second["again"]), (&false.into(), &true.into()));
    assert_eq!(bob.wait_for("room.seats")["names"].as_array().unwrap().len(), 2, "the same seat");

    let ping = |name: &str| {
        let mut command = bare(&didagent());
        command.arg("--home").arg(stage.home("bob")).args(["ping", name, "--count", "1", "--timeout", "5s"]);
        run("ping", &mut command)
    };
    assert_eq!(ping("carol").code, 0);
    let apart = ping("alice");
    assert_eq!(apart.code, 6, "{apart:?}");
    assert!(apart.stderr.contains("nobody outside the room is written to"), "{apart:?}");

    let mut dave = stage.join("dave", &link).start();
    for party in [&mut carol, &mut bob, &mut dave] {
        assert_eq!(party.wait_for("room.ready")["parties"].as_array().unwrap().len(), 3);
    }
    bob.process.signal("INT");
    bob.finish();
    assert!(!stage.home("bob").join("one-use.json").exists());
    for party in [carol, dave] {
        party.finish();
    }

    // Ctrl-C gives the seat back, and the keys go with it.
    let mut erin = stage.invite("erin", 3).option(&["--new-did"]).start();
    let made = erin.wait_for("identity.one-use");
    assert_ne!(text(&made, "identity"), "");
    let link = text(&erin.wait_for("room.invitation"), "link").to_owned();
    let mut bob = stage.join("bob", &link).option(&["--new-did"]).start();
    bob.wait_for("room.seats");
    assert!(stage.home("bob").join("one-use.json").exists());
    assert!(!stage.home("erin").join("one-use.json").exists(), "a host's room ends with it");
    assert!(!stage.home("erin").join("identity.json").exists(), "no identity is made for nothing");
    bob.process.signal("INT");
    assert_eq!(bob.finish().code, 130);
    assert!(!stage.home("bob").join("one-use.json").exists());
    erin.process.signal("INT");
    erin.finish();
}
