//! What a person meets in the first hour, and what the command says to it.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs::File;
use std::process::{Output, Stdio};

use support::party::{bare, text};
use support::process::Process;
use support::stage::Stage;
use support::{average, didagent, python_command};

fn run(words: &[&str]) -> Output {
    bare(&didagent()).args(words).stdin(Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_program_without_the_two_dashes_in_front_is_told_where_they_go() {
    for words in [
        &["invite", "--parties", "3", "python", "vote.py", "42"][..],
        &["join", "LINK", "python", "vote.py"],
        &["demo", "vote.py"],
    ] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("try: `--` in front of the program"), "{output:?}");
    }
    // An option that does not exist is something else.
    assert!(!stderr(&run(&["invite", "--parities", "3"])).contains("in front of the program"));
}

#[test]
fn a_code_is_explained_with_both_exit_codes_and_also_without_its_letter() {
    for code in ["E0405", "e0405", "0405"] {
        let output = run(&["explain", code]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with("E0405 (exit code 7, or 125 if a program was stopped for it): "), "{said}");
    }
    let output = run(&["explain", "E0201"]);
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("E0201 (exit code 2): "));
    assert!(stderr(&run(&["explain", "x"])).contains("a code looks like E0405"));
}

#[test]
fn what_cannot_be_written_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let full = || File::create("/dev/full").unwrap();
    let mut show = bare(&didagent());
    let output = show.arg("--home").arg(&home).args(["identity", "show"]).stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("stdout cannot be written: No space left"), "{output:?}");
    // A link that went nowhere is shown where the person looks.
    let stage = Stage::new();
    let mut invite = bare(&didagent());
    invite.arg("--home").arg(stage.home("alice")).args(["invite", "--parties", "2", "--expires", "1s"]);
    let output = invite.args(["--mediator", stage.mediator_link()]).stdout(full()).output().unwrap();
    let said = stderr(&output);
    assert!(said.contains("so here is the link:\nhttp://127.0.0.1"), "{said}");
}

#[test]
fn ports_say_that_they_wait() {
    let stage = Stage::new();
    let mut alice = stage.invite("alice", 2).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let mut ports = bare(&didagent());
    let mut asking = Process::start("ports", ports.arg("--home").arg(stage.home("alice")).arg("ports"));
    support::until("it says so", || asking.stderr().contains("waiting until everybody is ready"));
    let mut bob = stage.join("bob", &link).start();
    assert!(asking.next_line().unwrap().contains("-P 127.0.0.1:"));
    bob.wait_for("run.ports");
    for party in [alice, bob] {
        party.process.signal("INT");
        party.finish();
    }
}

#[test]
fn whoever_only_joined_can_ping_afterwards_over_the_mediator_of_whom_it_met() {
    let stage = Stage::new();
    let average = |number| python_command(&average(), &[number]);
    for party in stage.run(vec![average("1"), average("3")]) {
        party.assert_ok();
    }
    // Alice is there again, and bob has no mediator of his own.
    let mut alice = stage.invite("alice", 2).start();
    alice.wait_for("room.invitation");
    let mut ping = bare(&didagent());
    let output =
        ping.arg("--home").arg(stage.home("bob")).args(["ping", "alice", "-c", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    alice.process.signal("INT");
    alice.finish();
}

#[test]
fn ping_does_not_suggest_to_ping_oneself() {
    let stage = Stage::new();
    let mut alice = stage.invite("alice", 3).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let bob = stage.join("bob", &link).start();
    alice.wait_for("party.joined");
    let mut ping = bare(&didagent());
    let output = ping.arg("--home").arg(stage.home("alice")).args(["ping", "carol"]).output().unwrap();
    assert!(stderr(&output).contains("try: didagent ping bob   (known: bob)"), "{output:?}");
    for party in [bob, alice] {
        party.process.signal("INT");
        party.finish();
    }
}

#[test]
fn without_user_in_the_environment_the_account_has_a_name() {
    let stage = Stage::new();
    let mut invite = bare(&didagent());
    for variable in ["USER", "LOGNAME", "USERNAME"] {
        invite.env_remove(variable);
    }
    invite.arg("--home").arg(stage.home("alice")).args(["invite", "--parties", "2", "--json"]);
    let mut alice = Process::start("alice", invite.args(["--mediator", stage.mediator_link()]));
    let line: serde_json::Value = serde_json::from_str(&alice.next_line().unwrap()).unwrap();
    let mut bob = stage.join("bob", text(&line, "link")).start();
    let ready = bob.wait_for("room.ready");
    let account = std::process::Command::new("id").arg("-un").output().unwrap();
    let account = String::from_utf8(account.stdout).unwrap();
    assert_eq!(ready["parties"][0]["name"], account.trim());
    alice.signal("INT");
    bob.process.signal("INT");
    bob.finish();
    alice.finish();
}
