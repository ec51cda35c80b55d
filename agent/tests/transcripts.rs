//! Transcripts (R22): each run leaves one at every party, whichever way it ends, and `didagent verify` tells what holds from what does not.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use didagent_didcomm::protocols::b64url_decode;
use serde_json::Value;
use support::party::{Agent, text};
use support::stage::{Stage, finish};
use support::transcripts::{refused, transcript_of, verified, verify};
use support::{average, program, python_command};

/// Decides TR-01, TR-02, TR-24, TR-40.
#[test]
fn a_run_leaves_transcripts_that_hold_alone_and_together() {
    // Inputs of at most 1000, written so that no digest has them by chance.
    const SECRETS: [&str; 3] = ["0000000000314", "0000000000271", "0000000000161"];
    let stage = Stage::new();
    let ended = stage.run(SECRETS.iter().map(|input| python_command(&average(), &[input])).collect());
    let files: Vec<_> = ended.iter().map(|party| transcript_of(party.assert_ok())).collect();
    for (index, (party, file)) in ended.iter().zip(&files).enumerate() {
        assert_eq!(file.parent().unwrap(), stage.home(&party.name).join("runs"));
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        let said = verified(&[file]);
        assert_eq!(said["words"], party.event("room.ready")["words"]);
        let names: Vec<_> = said["parties"].as_array().unwrap().iter().map(|one| text(one, "name")).collect();
        assert_eq!(names, ["alice", "bob", "carol"]);
        assert_eq!((&said["m"], &said["threshold"]), (&3.into(), &1.into()));
        let statement = &said["statements"][0];
        assert_eq!((&statement["index"], &statement["exit"]), (&index.into(), &0.into()));
        assert_eq!((&statement["program"], &statement["reason"]), (&0.into(), &Value::Null));
        for (member, total) in [("up", "bytes_up"), ("down", "bytes_down")] {
            let peers = statement["peers"].as_array().unwrap().iter();
            let sum: u64 = peers.map(|peer| peer[member].as_u64().unwrap()).sum();
            assert_eq!(sum, party.event("run.exited")[total].as_u64().unwrap());
            assert!(sum > 0);
        }
        let document: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        for member in ["roster", "statement"] {
            let bytes = b64url_decode(text(&document, member)).unwrap();
            let inside = String::from_utf8(bytes).unwrap();
            for kept_out in SECRETS.iter().copied().chain([stage.folder().to_str().unwrap(), "average of"]) {
                assert!(!inside.contains(kept_out), "{kept_out} in {inside}");
            }
        }
    }
    let all: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let statements = verified(&all)["statements"].as_array().unwrap().len();
    assert_eq!(statements, 3);

    let mut words: Vec<&OsStr> = all.iter().map(|file| file.as_os_str()).collect();
    let (option, ours, other) = (OsString::from("--program"), average(), program("rounds.py"));
    words.extend([option.as_os_str(), ours.as_os_str()]);
    let shown = verify(&words);
    let screen = shown.lines.join("\n");
    assert_eq!(shown.code, 0, "{shown:?}");
    for part in ["3 transcripts hold", "average.py", "that of the file", "any 2 together", "party 2 (carol)"]
    {
        assert!(screen.contains(part), "{part} is not in {screen}");
    }
    *words.last_mut().unwrap() = other.as_os_str();
    assert!(refused(&words, 8, "E1004").contains("SHA-256"));
    assert!(refused(&[words[0], words[0]], 8, "E1004").contains("party 0"));
    assert_refused_if_changed(&files, &stage.folder().join("changed.json"));
}

/// One byte of the statement, a statement of somebody else, half a file, another file, none.
fn assert_refused_if_changed(files: &[PathBuf], changed: &Path) {
    let original = std::fs::read(&files[0]).unwrap();
    let mut document: Value = serde_json::from_slice(&original).unwrap();
    let other: Value = serde_json::from_slice(&std::fs::read(&files[1]).unwrap()).unwrap();
    let is_refused = |bytes: &[u8], exit, code| {
        std::fs::write(changed, bytes).unwrap();
        refused(&[changed.as_os_str()], exit, code)
    };
    let at = String::from_utf8_lossy(&original).find("\"statement\": \"").unwrap() + 60;
    let mut byte = original.clone();
    byte[at] = if byte[at] == b'A' { b'B' } else { b'A' };
    is_refused(&byte, 8, "E1002");
    document["statement"] = other["statement"].clone();
    assert!(is_refused(&serde_json::to_vec(&document).unwrap(), 8, "E1002").contains("not signed by"));
    is_refused(&original[..original.len() / 2], 2, "E1001");
    is_refused(b"{}", 2, "E1001");
    std::fs::remove_file(changed).unwrap();
    refused(&[changed.as_os_str()], 2, "E1001");
}

/// Three parties in the middle of a run.
fn in_a_run(stage: &Stage, change: impl Fn(Agent) -> Agent) -> Vec<support::party::Party> {
    let rounds = || python_command(&program("rounds.py"), &["600"]);
    let mut parties = stage.start_with((0..3).map(|_| rounds()).collect(), change);
    parties.iter_mut().for_each(|party| drop(party.wait_for_output("running")));
    parties
}

/// Fails unless the party's only statement says that it ended in this way.
fn assert_says(file: &Path, exit: i32, reason: &str) {
    let statement = verified(&[file])["statements"][0].clone();
    assert_eq!((&statement["exit"], text(&statement, "reason")), (&exit.into(), reason));
    assert!(statement["program"].is_null(), "{statement}");
    let screen = verify(&[file.as_os_str()]).lines.join("\n");
    assert!(screen.contains(&format!("stopped because of {reason}")), "{screen}");
}

#[test]
fn a_run_that_lost_a_party_says_so_and_the_lost_one_says_nothing() {
    let stage = Stage::new();
    let mut parties = in_a_run(&stage, |agent| agent.option(&["--patience", "5"]));
    let lost = parties.remove(1);
    lost.process.signal("KILL");
    let ended = finish(parties);
    let files: Vec<_> = ended.iter().map(transcript_of).collect();
    files.iter().for_each(|file| assert_says(file, 125, "E0405"));
    verified(&[&files[0], &files[1]]);
    drop(lost);
    assert!(!stage.home("bob").join("runs").exists());
}

#[test]
fn an_interrupted_run_says_so_and_a_person_chooses_where() {
    let stage = Stage::new();
    let folder = stage.folder().to_owned();
    let copy = |name: &str| folder.join(format!("{name}.json"));
    let parties = in_a_run(&stage, |agent| {
        let copy = copy(&agent.name);
        let agent = agent.option(&["--transcript", copy.to_str().unwrap()]);
        if agent.name == "carol" { agent.option(&["--no-transcript"]) } else { agent }
    });
    parties[2].process.signal("INT");
    let ended = finish(parties);
    assert_says(&copy("carol"), 130, "E0003");
    assert!(!stage.home("carol").join("runs").exists());
    assert_eq!(ended[2].code, 130);
    for party in &ended[..2] {
        let written: Vec<_> = party.events("run.transcript").iter().map(|one| text(one, "path")).collect();
        let kept = std::fs::read(written[0]).unwrap();
        assert_eq!((written.len(), written[1]), (2, copy(&party.name).to_str().unwrap()));
        assert_eq!(kept, std::fs::read(copy(&party.name)).unwrap());
        assert_says(&copy(&party.name), 125, "E0405");
    }
    verified(&[&copy("carol"), &copy("bob"), &copy("alice")]);
    let nowhere = folder.join("nowhere").join("copy.json");
    let refused = stage.invite("dave", 2).option(&["--transcript", nowhere.to_str().unwrap()]).run();
    assert!(refused.assert_error(2, "E0002").contains("no such folder"), "{refused:#?}");
}

/// Decides TR-41.
#[test]
fn a_home_that_takes_no_transcript_changes_nothing_of_the_run() {
    let stage = Stage::new();
    std::fs::create_dir_all(stage.home("bob")).unwrap();
    std::fs::set_permissions(stage.home("bob"), std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::write(stage.home("bob").join("runs"), "no folder").unwrap();
    let ended = stage.run(["1", "3"].map(|input| python_command(&average(), &[input])).into());
    for party in &ended {
        party.assert_ok();
    }
    assert!(ended[1].events("run.transcript").is_empty());
    let warnings: Vec<_> = ended[1].events("warning").iter().map(|one| text(one, "message")).collect();
    assert!(warnings.iter().any(|text| text.contains("no transcript of this run")), "{warnings:?}");
}
