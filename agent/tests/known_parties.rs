//! Rooms whose parties are known beforehand: roster files, and the parties of the last run.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};

use support::party::{Agent, Party, bare, text};
use support::process::run;
use support::stage::{Stage, finish};
use support::town::{PRIVATE, Town};
use support::{average, didagent, python_command};

/// What `identity show` prints with these words.
fn shown(stage: &Stage, home: &str, words: &[&str]) -> String {
    let mut show = bare(&didagent());
    let shown =
        run("identity show", show.arg("--home").arg(stage.home(home)).args(["identity", "show"]).args(words));
    assert_eq!(shown.code, 0, "{shown:?}");
    shown.lines.concat()
}

/// The entry of a home that is its did:key.
fn entry(stage: &Stage, home: &str) -> String {
    format!("[[party]]\nname = \"{home}\"\ndid = \"{}\"\n", shown(stage, home, &[]))
}

/// Where a home is written to.
fn at(stage: &Stage, home: &str) -> String {
    let at = shown(stage, home, &["--address", "--mediator", stage.mediator_link()]);
    format!("at = \"{at}\"\n")
}

fn write(stage: &Stage, text: &str) -> PathBuf {
    let path = stage.folder().join("roster.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn agent(stage: &Stage, home: &str, words: &[&str]) -> Agent {
    Agent::new(didagent(), stage.home(home), home, words)
}

fn by_file(stage: &Stage, home: &str, file: &Path) -> Agent {
    agent(stage, home, &["run", "--roster", file.to_str().unwrap()])
        .program(python_command(&average(), &["4"]))
}

/// A file of these homes, whose first one is the host.
fn file_of(stage: &Stage, homes: &[&str]) -> PathBuf {
    let mut text = format!("{}{}", entry(stage, homes[0]), at(stage, homes[0]));
    homes[1..].iter().for_each(|home| text += &entry(stage, home));
    write(stage, &text)
}

/// Waits for the table, and returns the round and the names in it.
fn table(party: &mut Party) -> (u64, Vec<String>) {
    let ready = party.wait_for("room.ready");
    let names = ready["parties"].as_array().unwrap().iter().map(|party| text(party, "name").to_owned());
    (ready["round"].as_u64().unwrap(), names.collect())
}

/// Decides RM-120, RM-122, RM-123, RM-126.
#[test]
fn organisations_run_from_a_roster_file_and_once_more() {
    let town = Town::new();
    let stage = &town.stage;
    let homes = ["carol", "alice", "bob"];
    let carol = town.publish_with("carol", "carol", &["--mediator", stage.mediator_link()]);
    let [alice, bob] = ["alice", "bob"].map(|home| town.publish(home, home));
    let names = [(&carol, "c"), (&alice, "a"), (&bob, "b")];
    let entries = names.map(|(did, name)| format!("[[party]]\ndid = \"{did}\"\nname = \"{name}\"\n"));
    let file = write(stage, &format!("name = \"audit\"\nthreshold = 1\n{}", entries.concat()));
    for round in 1..=2 {
        // The host is the last one to begin.
        let start = |home| town.agent(by_file(stage, home, &file).option(&[PRIVATE])).start();
        let mut parties: Vec<_> = ["bob", "alice", "carol"].map(start).into();
        parties.reverse();
        let listed = parties[0].wait_for("room.listed");
        assert_eq!((text(&listed, "name"), &listed["index"]), ("audit", &0.into()));
        for party in &mut parties {
            assert_eq!(table(party), (round, homes.map(str::to_owned).into()));
        }
        for ended in finish(parties) {
            assert_eq!(ended.assert_ok().output(), ["average of 3 inputs: 4.00"]);
        }
    }
    // The same people, who say nothing about a file nor about their did:web.
    let again = |home| {
        let again = agent(stage, home, &["again", PRIVATE]).program(python_command(&average(), &["7"]));
        town.agent(again).start()
    };
    let mut parties: Vec<_> = homes.map(again).into();
    for party in &mut parties {
        assert_eq!(table(party), (3, homes.map(str::to_owned).into()));
    }
    for ended in finish(parties) {
        assert_eq!(ended.assert_ok().output(), ["average of 3 inputs: 7.00"]);
    }
}

/// Decides RM-120, RM-128.
#[test]
fn the_people_of_a_room_meet_again_without_a_link() {
    let stage = Stage::new();
    let homes = ["alice", "bob", "carol"];
    agent(&stage, "alice", &["again"]).run().assert_error(2, "E0609");
    for ended in stage.run(vec![python_command(&average(), &["4"]); 3]) {
        ended.assert_ok();
    }
    for round in 2..=3 {
        let start =
            |home| agent(&stage, home, &["again"]).program(python_command(&average(), &["5"])).start();
        let mut parties: Vec<_> = homes.map(start).into();
        for party in &mut parties {
            assert_eq!(table(party), (round, homes.map(str::to_owned).into()));
        }
        for ended in finish(parties) {
            assert_eq!(ended.assert_ok().output(), ["average of 3 inputs: 5.00"]);
        }
    }
}

/// Decides RM-124, RM-127.
#[test]
fn a_host_that_was_killed_comes_back_to_guests_that_wait() {
    let stage = Stage::new();
    let file = file_of(&stage, &["alice", "bob", "carol"]);
    let mut bob = by_file(&stage, "bob", &file).start();
    let mut alice = by_file(&stage, "alice", &file).start();
    alice.wait_for("party.joined");
    bob.wait_for("room.seats");
    alice.process.signal("KILL");
    alice.finish();
    let mut alice = by_file(&stage, "alice", &file).start();
    // Bob finds that his host has another room now.
    alice.wait_for("party.joined");
    let carol = by_file(&stage, "carol", &file).start();
    for ended in finish(vec![alice, bob, carol]) {
        assert_eq!(ended.assert_ok().output(), ["average of 3 inputs: 4.00"]);
    }
}

/// Decides RM-124, RM-127.
#[test]
fn whoever_is_missing_or_has_another_file_is_named() {
    let stage = Stage::new();
    let file = file_of(&stage, &["alice", "bob", "carol"]);
    let mut alice = by_file(&stage, "alice", &file).option(&["--wait", "12s"]).start();
    alice.wait_for("room.listed");
    let bob = by_file(&stage, "bob", &file).option(&["--wait", "12s"]).start();
    alice.wait_for("party.joined");
    // Carol's file has the two others the other way round.
    let other = stage.folder().join("other.toml");
    let text = format!("{}{}", entry(&stage, "alice"), at(&stage, "alice"));
    std::fs::write(&other, text + &entry(&stage, "carol") + &entry(&stage, "bob")).unwrap();
    let mut carol = by_file(&stage, "carol", &other).option(&["--wait", "4s"]).start();
    assert!(carol.wait_for("party.note")["text"].as_str().unwrap().contains("another order"));
    carol.finish().assert_error(3, "E0402");
    by_file(&stage, "dave", &file).run().assert_error(2, "E0608");
    let alice = alice.finish();
    let message = alice.assert_error(6, "E0404");
    assert!(message.ends_with("missing: carol"), "{message}");
    bob.finish().assert_error(6, "E0404");
    // Nobody is there at all.
    by_file(&stage, "bob", &file).option(&["--wait", "2s"]).run().assert_error(6, "E0401");
    // What the file says of the threshold is not what the program would do.
    let text = std::fs::read_to_string(&file).unwrap();
    let file = write(&stage, &format!("threshold = 0\n{text}"));
    by_file(&stage, "bob", &file).run().assert_error(4, "E0407");
    // This home has moved to another mediator since the file was written.
    let moved = support::mediator::Mediator::start(&didagent());
    by_file(&stage, "alice", &write(&stage, &text))
        .option(&["--mediator", &moved.link])
        .run()
        .assert_error(2, "E0608");
}
