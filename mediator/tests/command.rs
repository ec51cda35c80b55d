//! The program as it is run: arguments, output, signals, exit codes.
#![cfg(unix)]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start processes and fail by panicking"
)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use didagent_didcomm::protocols::out_of_band::Invitation;

fn serve(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_didagent-mediator"))
        .arg("serve")
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line
}

/// Sends a signal by number; the standard library can only kill.
fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn prints_its_invitation_first_and_stops_on_both_signals() {
    for name in ["TERM", "INT"] {
        let mut child = serve(&["--listen", "127.0.0.1:0", "--public-url", "https://med.example.org"]);
        let link = first_line(&mut child);
        assert!(link.starts_with("https://med.example.org/?_oob="), "{link}");
        assert!(Invitation::from_url(&link).is_ok());
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn data_directory_keeps_the_did_and_memory_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("mediator");
    let did = |with_data: bool| {
        let mut arguments = vec!["--listen", "127.0.0.1:0", "--public-url", "https://med.example.org"];
        if with_data {
            arguments.extend(["--data", data.to_str().unwrap()]);
        }
        let mut child = serve(&arguments);
        let link = first_line(&mut child);
        signal(&child, "TERM");
        child.wait().unwrap();
        Invitation::from_url(&link).unwrap().from().to_owned()
    };
    assert_eq!(did(true), did(true));
    assert_ne!(did(false), did(false));
}

/// Runs it to its end; returns the exit code and what it said.
fn refused(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_didagent-mediator"));
    command.arg("serve").args(arguments).env("DIDAGENT_LOG", "off");
    command
}

#[test]
fn exit_codes_and_sentences_tell_what_is_wrong() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let file = tempfile::NamedTempFile::new().unwrap();
    let below = file.path().join("data");
    let any = ["--listen", "127.0.0.1:0"];
    for (arguments, code, says) in [
        (vec!["--listen", "nowhere"], 2, vec!["--listen"]),
        ([&any[..], &["--public-url", "ftp://x"]].concat(), 2, vec!["ftp://x", "try: --public-url https://"]),
        (vec!["--listen", "0.0.0.0:0"], 2, vec!["--public-url"]),
        (
            vec!["--listen", &taken],
            5,
            vec![&taken, "in use", "try: another program listens there", "--listen 127.0.0.1:0"],
        ),
        (vec!["--listen", "192.0.2.1:1"], 5, vec!["192.0.2.1:1", "--listen 127.0.0.1:8080"]),
        (
            [&any[..], &["--data", file.path().to_str().unwrap()]].concat(),
            8,
            vec!["mediator-keys.json", "--data"],
        ),
        ([&any[..], &["--data", below.to_str().unwrap()]].concat(), 8, vec!["mediator-keys.json", "--data"]),
    ] {
        let (got, said) = refused(&mut program(&arguments));
        assert_eq!(got, Some(code), "{arguments:?}: {said}");
        for words in says {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(!said.contains("panicked") && said.lines().count() < 8, "{said}");
    }
}

#[test]
fn keys_that_cannot_be_written_leave_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    // No file may grow: what a full disk does, without one.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" serve --listen 127.0.0.1:0 --data \"$1\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_didagent-mediator")]).arg(directory.path());
    let (code, said) = refused(command.env("DIDAGENT_LOG", "off"));
    assert_eq!(code, Some(8), "{said}");
    assert!(said.contains("mediator-keys.json") && said.contains("try: "), "{said}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
