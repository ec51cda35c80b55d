//! Rooms whose parties are known beforehand: roster files, and the parties of the last run.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use didagent_didcomm::protocols::{b64url_decode, b64url_encode};
use serde_json::{Value, json};
use support::party::{Agent, Party, bare, text};
use support::process::run;
use support::stage::{Stage, finish};
use support::town::{PRIVATE, Town};
use support::transcripts::{refused, transcript_of, verified, verified_with, verify};
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

/// Decides RM-120, RM-122, RM-123, RM-126, TR-25, TR-26.
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
    let mut transcripts = Vec::new();
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
        transcripts.clear();
        for ended in finish(parties) {
            assert_eq!(ended.assert_ok().output(), ["average of 3 inputs: 4.00"]);
            transcripts.push(transcript_of(&ended));
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
    let Town { stage, site } = town;
    let domain = format!("localhost:{}", site.port);
    drop(site);
    let documents = homes.map(|home| {
        let path = stage.folder().join(format!("{home}.did.json"));
        std::fs::write(&path, shown(&stage, home, &["--domain", &domain, "--path", home])).unwrap();
        path
    });
    what_they_ran_holds_when_the_site_is_off(&stage, &[carol, alice, bob], &transcripts, &documents);
}

/// The transcripts of parties 0 to 2, whose identities are `dids` and whose documents are in `documents`.
fn what_they_ran_holds_when_the_site_is_off(
    stage: &Stage,
    dids: &[String; 3],
    transcripts: &[PathBuf],
    documents: &[PathBuf; 3],
) {
    let key = |index: usize, from: &str, seen_by: &[usize]| json!({"did": dids[index], "from": from, "seen_by": seen_by, "differs": false});
    // Alone, everything rests on the word of the party whose transcript it is, and its own key on nobody's.
    let said = verified(&[&transcripts[1]]);
    let told = [key(0, "transcripts", &[1]), key(1, "transcripts", &[]), key(2, "transcripts", &[1])];
    assert_eq!(said["keys"], json!(told));
    let screen = verify(&[transcripts[1].as_os_str()]).lines.join("\n");
    for part in [
        "the transcript holds, if web sites published the keys that are said below: ",
        &format!("{}  as party 1 (alice) saw it at the time of the run; the site was not asked", dids[0]),
        &format!("{}  as its own party alone says; the site was not asked", dids[1]),
    ] {
        assert!(screen.contains(part), "{part} is not in {screen}");
    }
    let all: Vec<_> = transcripts.iter().map(PathBuf::as_path).collect();
    let told =
        [key(0, "transcripts", &[1, 2]), key(1, "transcripts", &[0, 2]), key(2, "transcripts", &[0, 1])];
    assert_eq!(verified(&all)["keys"], json!(told));
    // With documents that the reader has, nobody's word is needed.
    let option = OsStr::new("--document");
    let given = documents.iter().flat_map(|path| [option, path.as_os_str()]);
    let words: Vec<_> = std::iter::once(transcripts[1].as_os_str()).chain(given).collect();
    let told = [key(0, "document", &[1]), key(1, "document", &[]), key(2, "document", &[1])];
    assert_eq!(verified_with(&words)["keys"], json!(told));
    let screen = verify(&words).lines.join("\n");
    assert!(screen.starts_with("the transcript holds: all parties signed"), "{screen}");
    let listed = run(
        "room ls",
        bare(&didagent()).arg("--home").arg(stage.home("alice")).args(["room", "ls", "--json"]),
    );
    let listed: Value = serde_json::from_str(&listed.lines.join("\n")).unwrap();
    let holds = listed["past"].as_array().unwrap().iter().map(|one| one["holds"] == true);
    assert_eq!(holds.collect::<Vec<_>>(), [true; 3], "{listed:#}");
    assert_refused_if_changed(stage, &transcripts[1], &documents[0]);
}

/// Another document, and each part of the file that makes a key somebody's.
fn assert_refused_if_changed(stage: &Stage, transcript: &Path, carols: &Path) {
    let changed = stage.folder().join("changed.json");
    let carols = std::fs::read_to_string(carols).unwrap();
    let given = |text: &str| {
        std::fs::write(&changed, text).unwrap();
        [transcript.into(), "--document".into(), changed.clone().into()]
    };
    let is_refused = |words: &[OsString], exit, code| {
        refused(&words.iter().map(OsString::as_os_str).collect::<Vec<_>>(), exit, code)
    };
    let mallorys = shown(stage, "mallory", &["--domain", "mallory.example"]);
    let mut document: Value = serde_json::from_str(&carols).unwrap();
    let others: Value = serde_json::from_str(&mallorys).unwrap();
    document["verificationMethod"][0]["publicKeyJwk"] =
        others["verificationMethod"][0]["publicKeyJwk"].clone();
    let message = is_refused(&given(&document.to_string()), 8, "E1002");
    assert!(message.contains("party 0") && message.contains("identity link"), "{message}");
    assert!(is_refused(&given(&mallorys), 2, "E0002").contains("no party and no issuer"));
    is_refused(&given("{}"), 8, "E0906");
    let twice = [&given(&carols)[..], &["--document".into(), changed.clone().into()]].concat();
    assert!(is_refused(&twice, 2, "E0002").contains("two documents"));

    let file: Value = serde_json::from_slice(&std::fs::read(transcript).unwrap()).unwrap();
    let statement = b64url_decode(text(&file, "statement")).unwrap();
    let statement: Value = serde_json::from_slice(&statement).unwrap();
    assert_eq!(statement["documents"].as_array().unwrap().len(), 3);
    let stating = |change: &dyn Fn(&mut Value)| {
        let mut statement = statement.clone();
        change(&mut statement);
        let mut file = file.clone();
        file["statement"] = b64url_encode(statement.to_string()).into();
        std::fs::write(&changed, file.to_string()).unwrap();
        [changed.clone().into()]
    };
    let keys = |at: usize| statement["documents"][at]["keys"].clone();
    // The same, but not as it was signed; then the key of somebody else, and none.
    is_refused(&stating(&|_| ()), 8, "E1002");
    is_refused(
        &stating(&|other| other["documents"][0]["keys"][0]["key"] = keys(1)[0]["key"].clone()),
        8,
        "E1002",
    );
    is_refused(&stating(&|other| drop(other["documents"].as_array_mut().unwrap().remove(2))), 8, "E1003");
    let mut other = file.clone();
    other["signature"] = other["ready"][0]["signature"].clone();
    std::fs::write(&changed, other.to_string()).unwrap();
    is_refused(&[changed.clone().into()], 8, "E1002");
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

/// Times that are tried one after the other, for whatever has to happen before a command's time is over: a machine may be busy.
const TIMES: [&str; 3] = ["5s", "15s", "40s"];

/// Decides RM-127.
#[test]
fn whoever_is_missing_when_the_time_is_over_is_named() {
    let stage = Stage::new();
    let file = file_of(&stage, &["alice", "bob", "carol"]);
    let is_named = TIMES.iter().any(|time| {
        let [alice, bob] =
            ["alice", "bob"].map(|home| by_file(&stage, home, &file).option(&["--wait", time]).start());
        let [alice, bob] = [alice.finish(), bob.finish()];
        if alice.events("party.joined").is_empty() || bob.events("room.seats").is_empty() {
            return false;
        }
        let message = alice.assert_error(6, "E0404");
        assert!(message.ends_with("missing: carol"), "{message}");
        bob.assert_error(6, "E0404");
        true
    });
    assert!(is_named, "they never met");
    // Nobody is there at all.
    by_file(&stage, "bob", &file).option(&["--wait", "2s"]).run().assert_error(6, "E0401");
}

/// Decides RM-124.
#[test]
fn whoever_has_another_file_is_told_and_gets_no_seat() {
    let stage = Stage::new();
    let file = file_of(&stage, &["alice", "bob", "carol"]);
    let mut alice = by_file(&stage, "alice", &file).start();
    alice.wait_for("room.listed");
    // Carol's file has the two others the other way round.
    let other = stage.folder().join("other.toml");
    let text = format!("{}{}", entry(&stage, "alice"), at(&stage, "alice"));
    std::fs::write(&other, text + &entry(&stage, "carol") + &entry(&stage, "bob")).unwrap();
    let is_told = TIMES.iter().any(|time| {
        let carol = by_file(&stage, "carol", &other).option(&["--wait", time]).run();
        let notes = carol.events("party.note");
        let is_told = notes.iter().any(|note| note["text"].as_str().unwrap().contains("another order"));
        if is_told {
            carol.assert_error(3, "E0402");
        }
        is_told
    });
    assert!(is_told, "the host never said so");
    alice.process.signal("INT");
    assert!(alice.finish().events("party.joined").is_empty());
    by_file(&stage, "dave", &file).run().assert_error(2, "E0608");
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
