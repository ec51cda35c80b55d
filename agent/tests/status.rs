//! `didagent status` (R22): what a second terminal learns about the engine that holds a home, in every phase.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;
use support::party::{bare, text};
use support::process::{Finished, run};
use support::schema::Schema;
use support::stage::Stage;
use support::system::contains;
use support::{PATIENCE, didagent, program, python_command, until};

fn status(home: &Path, words: &[&str]) -> Finished {
    run("status", bare(&didagent()).arg("--home").arg(home).arg("status").args(words))
}

/// The document, which must fit its schema.
fn document(home: &Path, words: &[&str]) -> Value {
    let finished = status(home, &[&["--json"], words].concat());
    assert_eq!((finished.code, finished.lines.len()), (0, 1), "{finished:?}");
    let document: Value = serde_json::from_str(&finished.lines[0]).unwrap();
    Schema::read("status.schema.json").assert_valid(&document);
    document
}

/// What people see, all of it on stdout.
fn screen(home: &Path) -> String {
    let finished = status(home, &[]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""), "{finished:?}");
    finished.lines.join("\n")
}

#[test]
fn without_an_engine_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for words in [&[][..], &["--json"], &["--link"]] {
        let finished = status(folder.path(), words);
        assert_eq!((finished.code, finished.lines.len()), (1, 0), "{finished:?}");
        assert!(finished.stderr.contains("error[E0704]"), "{}", finished.stderr);
        assert!(finished.stderr.contains(&folder.path().display().to_string()), "{}", finished.stderr);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "asking leaves nothing behind");
}

/// Decides LP-04, LP-06.
#[test]
fn each_phase_shows_what_is_known_then() {
    let stage = Stage::new();
    let go = stage.folder().join("go");
    let secret = "8392017465";
    let late = |number| python_command(&program("late.py"), &[go.to_str().unwrap(), number]);
    let mut alice = stage.invite("alice", 3).program(late(secret)).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let home = stage.home("alice");

    until("alice waits for two", || document(&home, &[])["phase"] == "waiting");
    let waiting = document(&home, &[]);
    assert_eq!((text(&waiting, "role"), text(&waiting, "name")), ("host", "alice"));
    assert_eq!((&waiting["room"]["seats"], &waiting["room"]["missing"]), (&3.into(), &2.into()));
    assert_eq!(waiting["mediator"]["connected"], true);
    assert_eq!(text(&waiting["parties"][0], "path"), "self");
    assert!(waiting["room"]["link_expires"].as_u64().unwrap() > waiting["now"].as_u64().unwrap());
    assert_eq!(waiting["program"]["since"], Value::Null);
    assert!(screen(&home).starts_with("waiting for 2 more  (alice as host)\n"), "{}", screen(&home));

    let mut bob = stage.join("bob", &link).program(late("1")).start();
    alice.wait_for("party.joined");
    bob.wait_for("room.seats");
    let guest = document(&stage.home("bob"), &[]);
    assert_eq!((text(&guest, "role"), text(&guest, "phase")), ("guest", "waiting"));
    assert_eq!(guest["parties"][0]["identity"], Value::Null, "a guest has it from the roster alone");
    assert_eq!((text(&guest["parties"][1], "name"), text(&guest["parties"][1], "path")), ("bob", "self"));

    let mut carol = stage.join("carol", &link).program(late("2")).start();
    let parties = [&mut alice, &mut bob, &mut carol];
    for party in parties {
        party.wait_for("run.started");
    }
    let host = format!("127.0.0.1:{}", stage.mediator.as_ref().unwrap().port);
    for (index, name) in ["alice", "bob", "carol"].into_iter().enumerate() {
        let running = document(&stage.home(name), &[]);
        assert_eq!((text(&running, "phase"), &running["room"]["threshold"]), ("running", &1.into()));
        assert_eq!(running["ports"].as_array().unwrap().len(), 8, "-P three times, and -I");
        assert!(running["program"]["since"].is_u64());
        for (other, party) in running["parties"].as_array().unwrap().iter().enumerate() {
            assert_eq!(
                (&party["index"], text(party, "name")),
                (&other.into(), ["alice", "bob", "carol"][other])
            );
            if other == index {
                assert_eq!((text(party, "path"), &party["session"]), ("self", &Value::Null));
            } else {
                assert_eq!((text(party, "path"), text(party, "via")), ("relay", host.as_str()));
                assert_eq!(text(party, "session"), "up");
                assert!(party["rtt_ms"].as_f64().unwrap() > 0.0);
                assert!(party["last_contact_ms"].as_u64().unwrap() < 60_000);
            }
        }
        let shown = screen(&stage.home(name));
        assert!(shown.starts_with("running") && shown.contains(&format!("relay via {host}")), "{shown}");
        assert!(shown.contains("path: this version has no direct paths"), "{shown}");
        // Neither the input nor the way in, unless it is asked for.
        let all = [shown.as_bytes(), running.to_string().as_bytes()].concat();
        assert!(!contains(&all, secret.as_bytes()) && !contains(&all, b"_oob="), "{shown}");
        assert!(!contains(&all, link.as_bytes()), "{shown}");
    }
    assert_eq!(text(&document(&home, &["--link"])["room"], "link"), link);
    assert_eq!(document(&stage.home("bob"), &["--link"])["room"].get("link"), None);
    std::fs::write(&go, "").unwrap();
    for party in [alice, bob, carol] {
        party.finish().assert_ok();
    }
    let after = status(&home, &[]);
    assert!(after.code == 1 && after.stderr.contains("error[E0704]"), "{after:?}");
}

fn attach(home: &Path) -> UnixStream {
    let stream = UnixStream::connect(home.join("engine.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asks in so many words and returns the line that comes, empty if the engine hangs up.
fn said(home: &Path, question: &[u8]) -> String {
    let mut stream = attach(home);
    // A question that is too long may be cut off while it is written.
    let _ = stream.write_all(question);
    let mut line = String::new();
    let _ = BufReader::new(stream).read_line(&mut line);
    line
}

/// Decides LP-02, LP-03, LP-05.
#[test]
fn askers_that_hang_or_talk_nonsense_hold_up_neither_the_engine_nor_others() {
    let stage = Stage::new();
    let mut alice = stage.invite("alice", 2).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let home = stage.home("alice");
    // Connected and silent, half a question, a question without a reader, one that is answered later.
    let mut hanging: Vec<_> = (0..20).map(|_| attach(&home)).collect();
    for stream in &mut hanging[..5] {
        stream.write_all(br#"{"v":1,"requ"#).unwrap();
    }
    for stream in &mut hanging[5..10] {
        stream.write_all(b"{\"v\":1,\"request\":\"ports\"}\n").unwrap();
    }
    for question in [
        &b"\n"[..],
        b"ports\n",
        b"{\"request\":\"status\"}\n",
        b"{\"v\":2,\"request\":\"status\"}\n",
        b"{\"v\":1,\"request\":\"everything\"}\n",
        b"[\n",
        &[0xff, 0xfe, b'\n'],
        &vec![b'x'; 200_000],
    ] {
        let answer = said(&home, question);
        assert!(answer.is_empty() || answer.contains(r#""code":"E0705""#), "{answer}");
    }
    assert!(
        said(&home, b"{\"v\":1,\"request\":\"status\",\"later\":[1]}\n").contains(r#""phase":"waiting""#)
    );
    let askers: Vec<_> = (0..8)
        .map(|_| {
            let home = home.clone();
            std::thread::spawn(move || document(&home, &[]))
        })
        .collect();
    for asker in askers {
        assert_eq!(text(&asker.join().unwrap(), "phase"), "waiting");
    }
    // Too many at once are told so, and the room still goes its way.
    let waiting: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = attach(&home);
            stream.write_all(b"{\"v\":1,\"request\":\"ports\"}\n").unwrap();
            stream
        })
        .collect();
    until("one too many is turned away", || {
        said(&home, b"{\"v\":1,\"request\":\"status\"}\n").contains("E0705")
    });
    let mut bob = stage.join("bob", &link).start();
    bob.wait_for("run.ports");
    alice.wait_for("run.ports");
    let mut answer = String::new();
    BufReader::new(&waiting[0]).read_line(&mut answer).unwrap();
    assert!(answer.contains("127.0.0.1:"), "{answer}");
    // Half a question is not waited for.
    assert_eq!(hanging[0].read(&mut [0]).unwrap(), 0);
    drop((waiting, hanging));
    until("there is room again", || status(&home, &[]).code == 0);
    alice.process.signal("INT");
    assert_eq!(alice.finish().code, 130);
    bob.finish();
}

/// Decides LP-01.
#[test]
fn nobody_else_may_ask() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::new();
    let mut alice = stage.invite("alice", 2).start();
    alice.wait_for("room.invitation");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&stage.home("alice").join("engine.sock")), 0o600);
    assert_eq!(mode(&stage.home("alice")), 0o700);
    alice.process.signal("INT");
    assert_eq!(alice.finish().code, 130);
}
