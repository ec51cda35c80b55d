//! What people get wrong, and what is missing: one clear message and the exit code of its kind, before anybody is bothered.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use support::mediator::Mediator;
use support::party::{Agent, Ended, bare, text};
use support::process::run;
use support::stage::Stage;
use support::{average, didagent, program, python, python_command, python_without_mpyc};

/// Runs a party that must be refused at once; returns the lines of its message.
fn refused(agent: Agent, exit: i32, code: &str) -> String {
    let ended = agent.for_people().run();
    assert!(ended.text.is_empty() && ended.events.is_empty(), "stdout is for data: {ended:#?}");
    assert_message(&ended, exit, code)
}

fn assert_message(ended: &Ended, exit: i32, code: &str) -> String {
    assert_eq!(ended.code, exit, "{ended:#?}");
    let messages: Vec<_> = ended.stderr.matches("error[").collect();
    assert_eq!(messages.len(), 1, "not one message: {ended:#?}");
    let (_, message) = ended.stderr.split_once("error[").unwrap();
    assert!(message.starts_with(&format!("{code}]: ")), "{ended:#?}");
    message.to_owned()
}

/// A room that waits, its host, and its link.
fn waiting_room(stage: &Stage, parties: usize) -> (support::party::Party, String) {
    waiting_room_of(stage, "alice", parties)
}

/// The same with a link that contains everything.
fn waiting_room_with_full_link(stage: &Stage) -> (support::party::Party, String) {
    let mut host = stage.invite("alice", 2).option(&["--full"]).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    (host, link)
}

fn waiting_room_of(stage: &Stage, name: &str, parties: usize) -> (support::party::Party, String) {
    let mut host = stage.invite(name, parties).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    (host, link)
}

#[test]
fn texts_that_are_no_links_are_told_from_damaged_links() {
    let stage = Stage::new();
    for garbage in
        ["", " ", "hello", "http://", "http://example.org/", "http://example.org/?oob=x", "did:peer:2.Ez"]
    {
        refused(stage.join("bob", garbage), 2, "E0201");
        if !garbage.trim().is_empty() {
            refused(stage.invite_at("bob", 2, garbage), 2, "E0201");
        }
    }
    for garbage in
        ["http://example.org/?_oob=", "https://example.org/?_oob=%00", "http://example.org/?_oob=e30"]
    {
        let message = refused(stage.join("bob", garbage), 2, "E0202");
        assert!(message.contains("try: "), "{message}");
    }
}

#[test]
fn a_link_that_was_cut_or_changed_is_refused_as_damaged() {
    let stage = Stage::new();
    let (_host, link) = waiting_room_with_full_link(&stage);
    let (before, payload) = link.split_once("_oob=").unwrap();
    let end = payload.find('#').unwrap_or(payload.len());
    for kept in [1, end / 4, end / 2, end - 1] {
        refused(stage.join("bob", &format!("{before}_oob={}", &payload[..kept])), 2, "E0202");
    }
    for at in [3, end / 3, end / 2, end - 2] {
        let mut changed = payload.as_bytes().to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        refused(stage.join("bob", &format!("{before}_oob={changed}")), 2, "E0202");
    }
    // The mediator's link has the same protection.
    let cut = &stage.mediator_link()[..stage.mediator_link().len() / 2];
    refused(stage.invite_at("bob", 2, cut), 2, "E0202");
}

#[test]
fn links_to_something_else_are_refused_with_what_they_are() {
    let stage = Stage::new();
    let (_host, link) = waiting_room(&stage, 2);
    assert!(refused(stage.join("bob", stage.mediator_link()), 3, "E0204").contains("a mediator"));
    assert!(refused(stage.invite_at("bob", 2, &link), 3, "E0204").contains("a room"));
    assert!(refused(stage.join("bob", &link).option(&["--mediator", &link]), 3, "E0204").contains("a room"));
}

#[test]
fn an_expired_room_ends_for_its_host_and_is_refused_to_guests() {
    let stage = Stage::new();
    let mut host = stage.invite("alice", 2).option(&["--expires", "1s", "--full"]).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    let host = host.finish();
    assert!(host.assert_error(6, "E0404").contains("1 of 2 seats"), "{host:#?}");
    assert!(refused(stage.join("bob", &link), 3, "E0203").contains("expired"));
}

#[test]
fn a_link_is_taken_from_stdin_too() {
    let stage = Stage::new();
    let (mut host, link) = waiting_room(&stage, 3);
    for (name, words) in [("bob", vec!["join", "-"]), ("carol", vec!["join"])] {
        let file = stage.folder().join("link.txt");
        std::fs::write(&file, format!("  {link}\n")).unwrap();
        let mut command = bare(&didagent());
        command.arg("--home").arg(stage.home(name)).args(words).args(["--name", name]);
        command.stdin(std::fs::File::open(file).unwrap());
        let guest = support::process::Process::start(name, &mut command);
        assert_eq!(text(&host.wait_for("party.joined"), "name"), name);
        drop(guest);
    }
    let empty = run("join", bare(&didagent()).arg("--home").arg(stage.home("dave")).args(["join", "-"]));
    assert_eq!(empty.code, 2);
    assert!(empty.stderr.contains("error[E0201]"), "{}", empty.stderr);
}

#[test]
fn a_mediator_that_is_not_there_is_unreachable_for_host_and_guest() {
    let mut stage = Stage::new();
    let (host, link) = waiting_room(&stage, 2);
    stage.kill_mediator();
    // Who waits already tries again; who comes now is told at once.
    host.process.signal("INT");
    host.finish().assert_error(130, "E0003");
    refused(stage.invite("alice", 2), 5, "E0301");
    refused(stage.join("bob", &link), 5, "E0301");
}

#[test]
fn something_else_at_the_mediators_address_is_no_mediator() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mediator = Mediator::start_behind(&didagent(), listener.local_addr().unwrap().port());
    let stage = Stage::new();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        }
    });
    let message = refused(stage.invite_at("alice", 2, &mediator.link), 5, "E0303");
    assert!(message.contains("HTTP status 200"), "{message}");
}

#[test]
fn whoever_comes_when_the_room_is_full_is_refused() {
    let stage = Stage::new();
    let rounds = python_command(&program("rounds.py"), &["25"]);
    let mut host = stage.invite("alice", 2).program(rounds.clone()).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    let mut guest = stage.join("bob", &link).program(rounds).start();
    guest.wait_for_output("running");
    let late = stage.join("carol", &link).run();
    assert!(late.assert_error(3, "E0402").contains("full"), "{late:#?}");
    for party in [host.finish(), guest.finish()] {
        assert_eq!(party.assert_ok().output().last(), Some(&"rounds 25"));
    }
}

/// The mediator keeps the mail of a host that has gone, so only time tells. This is the slowest test of all: half a minute.
#[test]
fn a_guest_whose_host_has_gone_is_told_so_in_the_end() {
    let stage = Stage::new();
    let (host, link) = waiting_room(&stage, 2);
    host.process.signal("INT");
    host.finish().assert_error(130, "E0003");
    assert!(refused(stage.join("bob", &link), 6, "E0401").contains("the host did not answer"));
}

#[test]
fn a_home_without_a_mediator_says_how_to_get_one() {
    let stage = Stage::new();
    let agent = Agent::new(didagent(), stage.home("alice"), "alice", &["invite", "--parties", "2"]);
    let message = refused(agent, 2, "E0305");
    assert!(message.contains("didagent mediator serve"), "{message}");
}

/// Checks a command that cannot run. Nobody may be asked before that is known, so there is no mediator to be asked.
fn refused_command(command: Vec<OsString>, exit: i32, code: &str) -> String {
    let mut stage = Stage::new();
    let (_, link) = waiting_room(&stage, 2);
    stage.kill_mediator();
    let as_guest = refused(stage.join("bob", &link).program(command.clone()), exit, code);
    let as_host = refused(stage.invite("carol", 2).program(command), exit, code);
    assert_eq!(as_guest, as_host);
    as_host
}

#[test]
fn a_program_that_is_not_there_gives_127() {
    assert!(refused_command(vec!["no-such-program".into()], 127, "E0603").contains("no-such-program"));
    assert!(refused_command(vec!["/no/such/program".into()], 127, "E0603").contains("/no/such/program"));
    assert!(
        refused_command(vec![python(), "no-such-script.py".into()], 127, "E0603")
            .contains("no-such-script.py")
    );
}

#[test]
fn a_program_that_cannot_be_executed_gives_126() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "no program").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused_command(vec![file.into()], 126, "E0604").contains("notes.txt"));
}

#[test]
fn a_python_without_mpyc_is_refused_with_the_line_that_installs_it() {
    let command = vec![python_without_mpyc(), average().into(), "5".into()];
    let message = refused_command(command, 2, "E0602");
    let python = python_without_mpyc();
    let python = python.to_str().unwrap();
    assert!(message.contains(&format!("try: {python} -m pip install mpyc==0.11")), "{message}");
}

#[test]
fn arguments_that_are_the_bridges_own_are_refused() {
    for argument in ["-P", "-I2", "--index=1", "-B11365", "--ssl"] {
        let message = refused_command(python_command(&average(), &["5", argument]), 2, "E0002");
        assert!(message.contains(argument), "{message}");
    }
}

/// Decides BR-22.
#[test]
fn a_program_that_is_not_python_is_warned_about_and_runs() {
    let stage = Stage::new();
    for party in stage.run(vec![vec!["true".into()], vec!["true".into()]]) {
        party.assert_ok();
        assert!(text(party.event("warning"), "message").contains("not Python"), "{party:#?}");
    }
}

#[test]
fn a_home_is_held_by_one_command_at_a_time_and_says_by_which() {
    let stage = Stage::new();
    let (host, _) = waiting_room(&stage, 2);
    let holder = format!("`didagent invite` (process {})", host.process.pid());
    assert!(refused(stage.invite("alice", 2), 1, "E0701").contains(&holder));
    let (_other, other_link) = waiting_room_of(&stage, "bob", 2);
    assert!(refused(stage.join("alice", &other_link), 1, "E0701").contains(&holder));
    // Asking for the identity takes nothing from anybody.
    let shown =
        run("identity", bare(&didagent()).arg("--home").arg(stage.home("alice")).args(["identity", "show"]));
    assert_eq!(shown.code, 0, "{shown:?}");
}

#[test]
fn a_home_whose_command_was_killed_is_free_again() {
    let stage = Stage::new();
    let (host, _) = waiting_room(&stage, 2);
    host.process.signal("KILL");
    host.finish();
    let mut next = stage.invite("alice", 2).start();
    next.wait_for("room.invitation");
}

/// All commands that need the identity must refuse it, and leave the file as it is.
fn identity_is_refused(stage: &Stage, home: &Path) {
    let file = home.join("identity.json");
    let before = std::fs::read(&file).unwrap();
    for words in [["identity", "show"], ["identity", "new"]] {
        let finished = run("identity", bare(&didagent()).arg("--home").arg(home).args(words));
        assert_eq!((finished.code, finished.lines), (8, Vec::new()), "{}", finished.stderr);
        assert_eq!(finished.stderr.matches("error[E0703]").count(), 1, "{}", finished.stderr);
    }
    refused(stage.invite("alice", 2), 8, "E0703");
    assert_eq!(std::fs::read(&file).unwrap(), before, "the file was touched");
}

/// Decides SC-03.
#[test]
fn an_identity_file_that_others_may_read_is_refused_and_left_alone() {
    let stage = Stage::new();
    let home = stage.home("alice");
    run("identity", bare(&didagent()).arg("--home").arg(&home).args(["identity", "new"]));
    let file = home.join("identity.json");
    for mode in [0o640, 0o604, 0o660] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        identity_is_refused(&stage, &home);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[test]
fn a_damaged_identity_file_is_refused_and_left_alone() {
    let stage = Stage::new();
    let home = stage.home("alice");
    run("identity", bare(&didagent()).arg("--home").arg(&home).args(["identity", "new"]));
    let file = home.join("identity.json");
    let whole = std::fs::read_to_string(&file).unwrap();
    for damaged in [
        String::new(),
        "{}".to_owned(),
        whole[..whole.len() / 2].to_owned(),
        whole.replace("\"v\": 1", "\"v\": 2"),
    ] {
        assert_ne!(damaged, whole);
        // Written in place, which keeps its mode.
        std::fs::write(&file, &damaged).unwrap();
        identity_is_refused(&stage, &home);
    }
}

#[test]
fn a_home_that_cannot_be_made_is_unusable_and_its_parents_are_made() {
    let stage = Stage::new();
    std::fs::write(stage.folder().join("file"), "").unwrap();
    // Nobody can make folders in /proc, not even root, whom no mode of a folder stops.
    for home in [stage.folder().join("file/home"), "/proc/didagent/home".into()] {
        let agent = Agent::new(
            didagent(),
            home.clone(),
            "alice",
            &["invite", "-n", "2", "--mediator", stage.mediator_link()],
        );
        let message = refused(agent, 1, "E0702");
        assert!(message.contains(home.to_str().unwrap()), "{message}");
    }
    let mut deep = stage.invite("a/b/c", 2).start();
    deep.wait_for("room.invitation");
}

#[test]
fn impossible_words_on_the_command_line_are_usage_errors() {
    let stage = Stage::new();
    for words in [
        vec!["invite"],
        vec!["invite", "--parties", "1"],
        vec!["invite", "--parties", "17"],
        vec!["invite", "--parties", "2", "--expires", "0"],
        vec!["invite", "--parties", "2", "--expires", "1y"],
        vec!["demo", "--parties", "11"],
        vec!["identity"],
        vec!["fly"],
        vec![],
    ] {
        let finished = run("didagent", bare(&didagent()).arg("--home").arg(stage.home("x")).args(&words));
        assert_eq!((finished.code, finished.lines), (2, Vec::new()), "{words:?}: {}", finished.stderr);
        assert!(!finished.stderr.is_empty(), "{words:?}");
    }
    let mut nameless = stage.invite("alice", 2);
    for name in ["", "two\nlines", &"x".repeat(100)] {
        name.clone_into(&mut nameless.name);
        let agent = Agent::new(
            didagent(),
            stage.home("alice"),
            name,
            &["invite", "-n", "2", "--mediator", stage.mediator_link()],
        );
        refused(agent, 2, "E0002");
    }
}

/// The demo with an environment that lacks something.
fn demo_in(stage: &Stage, path: &Path, python: Option<OsString>) -> support::process::Finished {
    let mut command = bare(&didagent());
    command
        .arg("demo")
        .env("PATH", path)
        .env("TMPDIR", stage.folder())
        .env("XDG_CACHE_HOME", stage.home("cache"));
    if let Some(python) = python {
        command.env("DIDAGENT_PYTHON", python);
    }
    run("demo", &mut command)
}

#[test]
fn a_demo_without_python_says_how_to_install_it() {
    const INSTALL: &str = "try: sudo apt-get install -y python3 python3-venv";
    let stage = Stage::new();
    let path = stage.home("bin");
    std::fs::create_dir(&path).unwrap();
    let missing = demo_in(&stage, &path, None);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(missing.stderr.contains("error[E0601]") && missing.stderr.contains(INSTALL), "{missing:?}");

    // Debian's python3 without python3-venv: it runs, and cannot make an environment.
    let python = path.join("python3");
    std::fs::write(&python, "#!/bin/sh\necho 'ensurepip is not available' >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let without_venv = demo_in(&stage, &path, None);
    assert_eq!(without_venv.code, 2, "{without_venv:?}");
    assert!(
        without_venv.stderr.contains("error[E0601]") && without_venv.stderr.contains(INSTALL),
        "{without_venv:?}"
    );
    assert!(without_venv.stderr.contains("ensurepip is not available"), "{without_venv:?}");

    let without_mpyc = demo_in(&stage, &path, Some(python_without_mpyc()));
    assert_eq!(without_mpyc.code, 2, "{without_mpyc:?}");
    assert!(without_mpyc.stderr.contains("error[E0602]"), "{without_mpyc:?}");
}
