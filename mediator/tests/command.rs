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

#[test]
fn exit_codes_tell_what_is_wrong() {
    let code = |arguments: &[&str]| serve(arguments).wait().unwrap().code();
    assert_eq!(code(&["--listen", "nowhere"]), Some(2));
    assert_eq!(code(&["--listen", "127.0.0.1:0", "--public-url", "ftp://x"]), Some(2));
    assert_eq!(code(&["--listen", "0.0.0.0:0"]), Some(2));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(code(&["--listen", &taken.local_addr().unwrap().to_string()]), Some(5));
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(code(&["--listen", "127.0.0.1:0", "--data", file.path().to_str().unwrap()]), Some(8));
}
