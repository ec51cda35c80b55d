//! A host whose process was killed while people waited: it goes on with the same link and the same seats.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;
use support::lasting::Lasting;
use support::party::{Party, bare, text, words};
use support::process::run;
use support::schema::Schema;
use support::stage::{Stage, finish};
use support::{average, didagent, python_command, until};

fn averaging(number: &str) -> Vec<OsString> {
    python_command(&average(), &[number])
}

fn link_of(host: &mut Party) -> String {
    text(&host.wait_for("room.invitation"), "link").to_owned()
}

fn kept(stage: &Stage) -> PathBuf {
    stage.home("alice").join("room.json")
}

/// What `room ls` prints.
fn listed(stage: &Stage, home: &str, words: &[&str]) -> String {
    let mut command = bare(&didagent());
    command.arg("--home").arg(stage.home(home)).args(["room", "ls"]).args(words);
    let listed = run("room ls", &mut command);
    assert_eq!((listed.code, listed.stderr.as_str()), (0, ""), "{listed:?}");
    listed.lines.join("\n")
}

/// The document of `room ls --json`, which fits its schema.
fn rooms_of(stage: &Stage, home: &str) -> Value {
    let document = serde_json::from_str(&listed(stage, home, &["--json"])).unwrap();
    Schema::read("rooms.schema.json").assert_valid(&document);
    document
}

/// A room for four with bob and carol in it, and its link.
fn two_guests(stage: &Stage) -> (Party, String, Party, Party) {
    let mut host = stage.invite("alice", 4).program(averaging("1")).start();
    let link = link_of(&mut host);
    let mut guests = ["bob", "carol"].into_iter().zip(["2", "3"]).map(|(name, number)| {
        let mut guest = stage.join(name, &link).program(averaging(number)).start();
        guest.wait_for("room.seats");
        host.wait_for("party.joined");
        guest
    });
    let (bob, carol) = (guests.next().unwrap(), guests.next().unwrap());
    drop(guests);
    (host, link, bob, carol)
}

/// Lets dave in, and waits for the average of 1, 2, 3 and 6 in the order in which people came.
fn fill(stage: &Stage, mut host: Party, link: &str, bob: Party, carol: Party) {
    let dave = stage.join("dave", link).program(averaging("6")).start();
    let joined = host.wait_for("party.joined");
    assert_eq!((text(&joined, "name"), &joined["index"]), ("dave", &3.into()));
    let ready = host.wait_for("room.ready");
    assert!(!kept(stage).exists(), "the nonce may be shown from here on");
    let order: Vec<_> =
        ready["parties"].as_array().unwrap().iter().map(|party| text(party, "name")).collect();
    assert_eq!(order, ["alice", "bob", "carol", "dave"]);
    for ended in finish(vec![host, bob, carol, dave]) {
        assert_eq!(ended.assert_ok().output(), ["average of 4 inputs: 3.00"]);
        assert!(ended.events("party.left").is_empty(), "{ended:#?}");
    }
}

/// Decides RM-100, RM-101, RM-102, RM-105.
#[test]
fn a_killed_host_goes_on_with_its_guests_and_the_same_link() {
    let stage = Stage::new();
    let (host, link, bob, carol) = two_guests(&stage);
    let mode = std::fs::metadata(kept(&stage)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let rooms = rooms_of(&stage, "alice");
    assert_eq!((text(&rooms["open"], "role"), &rooms["open"]["missing"]), ("host", &1.into()), "{rooms:#}");
    assert!(rooms["resumable"].is_null(), "it is open: {rooms:#}");
    assert_eq!(text(&rooms_of(&stage, "bob")["open"], "role"), "guest");
    host.process.signal("KILL");
    host.finish();
    let rooms = rooms_of(&stage, "alice");
    assert!(rooms["open"].is_null());
    assert_eq!(
        (words(&rooms["resumable"]["guests"]), &rooms["resumable"]["seats"]),
        (vec!["bob".to_owned(), "carol".to_owned()], &4.into())
    );
    let shown = listed(&stage, "alice", &[]);
    assert!(shown.starts_with("can go on  4 seats: alice, bob, carol; the link ends in "), "{shown}");
    let mut host = stage.resume("alice").program(averaging("1")).start();
    let resumed = host.wait_for("room.resumed");
    let guests: Vec<_> = resumed["guests"].as_array().unwrap().iter().map(|one| text(one, "name")).collect();
    assert_eq!(guests, ["bob", "carol"]);
    assert_eq!(link_of(&mut host), link);
    // One home, one engine: the same room does not go on twice.
    stage.resume("alice").run().assert_error(1, "E0701");
    fill(&stage, host, &link, bob, carol);
    stage.resume("alice").run().assert_error(1, "E0805");
    let rooms = rooms_of(&stage, "bob");
    let [past] = rooms["past"].as_array().unwrap().as_slice() else { panic!("{rooms:#}") };
    assert_eq!((&past["index"], text(past, "program"), &past["exit"]), (&1.into(), "average.py", &0.into()));
    let shown = listed(&stage, "bob", &[]);
    assert!(shown.contains("average.py with alice, carol, dave: done in "), "{shown}");
    // One that was changed is said to be, and hides nothing.
    let path = PathBuf::from(text(past, "transcript"));
    std::fs::write(path.with_file_name("20000101T000000Z-00000000.json"), "{}").unwrap();
    let rooms = rooms_of(&stage, "bob");
    let holds: Vec<_> = rooms["past"].as_array().unwrap().iter().map(|one| one["holds"] == true).collect();
    assert_eq!(holds, [true, false], "{rooms:#}");
    assert_eq!(listed(&stage, "nobody", &[]), "this home has had no room yet");
}

/// Decides RM-101, RM-103.
#[test]
fn host_killed_and_mediator_restarted_the_room_goes_on() {
    let mut lasting = Lasting::new();
    let (host, link, mut bob, mut carol) = two_guests(&lasting.stage);
    host.process.signal("KILL");
    host.finish();
    lasting.restart(&mut [&mut bob, &mut carol]);
    // Longer than the mediator's word that nobody is there would keep a guest that has no seat.
    for guest in [&mut bob, &mut carol] {
        guest.wait_for("mediator.back");
        assert_eq!(guest.wait_for("host.away")["patience_seconds"], 300);
    }
    let mut host = lasting.stage.resume("alice").program(averaging("1")).start();
    assert_eq!(link_of(&mut host), link);
    for guest in [&mut bob, &mut carol] {
        guest.wait_for("host.back");
        assert_eq!(words(&guest.wait_for("room.seats")["names"]), ["alice", "bob", "carol"]);
    }
    fill(&lasting.stage, host, &link, bob, carol);
}

/// Decides RM-100.
#[test]
fn a_new_room_leaves_the_old_one_until_somebody_sits_in_it() {
    let stage = Stage::new();
    let mut first = stage.invite("alice", 3).start();
    let link = link_of(&mut first);
    let mut bob = stage.join("bob", &link).start();
    first.wait_for("party.joined");
    bob.wait_for("room.seats");
    first.process.signal("KILL");
    first.finish();
    // What people see: one line, with the command.
    let new = stage.invite("alice", 3).for_people().start();
    new.process.wait_for_stderr("a room of this home with bob can go on");
    new.process.wait_for_stderr("waiting for 2 more");
    let screen = new.process.stderr();
    assert_eq!(screen.matches("didagent invite --resume -- CMD").count(), 1, "{screen}");
    new.process.signal("INT");
    assert_eq!(new.finish().code, 130);
    let mut first = stage.resume("alice").for_people().start();
    assert_eq!(first.process.next_line().unwrap(), link);
    first.process.wait_for_stderr("the room goes on; asking those who have a seat");
    first.process.wait_for_stderr("waiting for 1 more");
    first.process.signal("KILL");
    first.finish();
    let mut second = stage.invite("alice", 3).start();
    let other = link_of(&mut second);
    let _dave = stage.join("dave", &other).start();
    second.wait_for("party.joined");
    second.process.signal("KILL");
    second.finish();
    let mut second = stage.resume("alice").start();
    assert_eq!(text(&second.wait_for("room.resumed")["guests"][0], "name"), "dave");
    // In order: people are told, and there is nothing to go on with.
    second.process.signal("INT");
    second.finish().assert_error(130, "E0003");
    assert!(!kept(&stage).exists());
    bob.process.signal("INT");
}

/// Decides RM-104.
#[test]
fn what_cannot_be_read_opens_no_room_and_says_why() {
    let stage = Stage::new();
    let refused = |exit, code: &str, said: &str| {
        let ended = stage.resume("alice").run();
        let message = ended.assert_error(exit, code);
        assert!(message.contains(said), "{message}");
        assert!(text(ended.event("error"), "hint").contains("didagent invite"), "{ended:#?}");
    };
    refused(1, "E0805", "no room to go on with");
    let mut host = stage.invite("alice", 2).option(&["--expires", "10m"]).start();
    link_of(&mut host);
    let file = std::fs::read(kept(&stage)).unwrap();
    host.process.signal("KILL");
    host.finish();
    for (bytes, said) in [
        (&file[..file.len() / 2], "cut off or was changed"),
        (b"", "cut off or was changed"),
        (b"{\"v\": 7}", "layout has version 7"),
        (&[0; 64], "cut off or was changed"),
    ] {
        std::fs::write(kept(&stage), bytes).unwrap();
        refused(1, "E0702", said);
    }
    std::fs::write(kept(&stage), &file).unwrap();
    let identity = stage.home("alice").join("identity.json");
    let own = std::fs::read(&identity).unwrap();
    std::fs::remove_file(&identity).unwrap();
    refused(1, "E0805", "the room was opened as did:key:");
    std::fs::write(&identity, own).unwrap();
    let mut host = stage.resume("alice").start();
    link_of(&mut host);
    let mut command = bare(&didagent());
    let both = ["invite", "--resume", "--parties", "3"];
    assert_eq!(run("both", command.arg("--home").arg(stage.home("alice")).args(both)).code, 2);
    host.process.signal("INT");
    host.finish();
    until("the file goes with the room", || !kept(&stage).exists());
}
