//! `didagent ports`: for those who start MPyC by hand, in another terminal.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use support::party::{bare, text, words};
use support::process::{Process, run};
use support::stage::{NAMES, Stage};
use support::{average, didagent, python};

fn ports_of(home: &Path) -> Process {
    let mut command = bare(&didagent());
    Process::start("didagent ports", command.arg("--home").arg(home).arg("ports").stdin(Stdio::null()))
}

fn by_hand(count: usize) {
    let stage = Stage::new();
    let mut host = stage.invite(NAMES[0], count).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    // Asked before anybody else is there, it waits.
    let mut printed = vec![ports_of(&stage.home(NAMES[0]))];
    let mut parties = vec![host];
    for name in &NAMES[1..count] {
        let mut guest = stage.join(name, &link).start();
        guest.wait_for("room.joining");
        printed.push(ports_of(&stage.home(name)));
        parties[0].wait_for("party.joined");
        parties.push(guest);
    }
    let mut mpycs = Vec::new();
    for (index, (party, printed)) in parties.iter_mut().zip(printed).enumerate() {
        let event = party.wait_for("run.ports");
        let told = words(&event["arguments"]);
        let printed = printed.finish();
        assert_eq!((printed.code, &printed.lines), (0, &vec![told.join(" ")]), "{printed:?}");
        assert_eq!(told.len(), 2 * count + 2);
        assert_eq!(told[2 * count..], ["-I".to_owned(), index.to_string()]);
        // As a shell puts it together: python LAUNCHER average.py 10 $(didagent ports)
        let arguments = printed.lines[0].split(' ');
        let mut command = Command::new(python());
        command.arg(text(&event, "launcher")).arg(average()).arg((10 * (index + 1)).to_string());
        command.args(arguments).stdin(Stdio::null());
        mpycs.push(Process::start("MPyC", &mut command));
    }
    let expected = format!("average of {count} inputs: {}.00", 5 * (count + 1));
    for mpyc in mpycs {
        let finished = mpyc.finish();
        assert_eq!((finished.code, &finished.lines), (0, &vec![expected.clone()]), "{}", finished.stderr);
    }
    for party in &mut parties {
        party.wait_for("run.idle");
        assert!(party.process.stderr().is_empty(), "{}", party.process.stderr());
    }
    for party in parties {
        party.process.signal("INT");
        party.finish().assert_ok();
    }
}

#[test]
fn two_parties_start_mpyc_by_hand() {
    by_hand(2);
}

#[test]
fn three_parties_start_mpyc_by_hand() {
    by_hand(3);
}

#[test]
fn one_party_by_hand_and_the_others_with_a_program_end_well_together() {
    let stage = Stage::new();
    let with = |number| support::python_command(&average(), &[number]);
    let mut parties = stage.start(vec![with("1"), Vec::new(), with("3")]);
    let ports = words(&parties[1].wait_for("run.ports")["arguments"]);
    let mut command = Command::new(python());
    let mpyc = run("MPyC", command.arg(average()).arg("2").args(ports));
    assert_eq!((mpyc.code, mpyc.lines), (0, vec!["average of 3 inputs: 2.00".to_owned()]), "{}", mpyc.stderr);
    for party in parties {
        party.finish().assert_ok();
    }
}

#[test]
fn people_see_the_arguments_as_the_last_line_of_stdout() {
    let stage = Stage::new();
    let mut host = stage.invite("alice", 2).for_people().start();
    let link = host.process.next_line().unwrap();
    let mut guest = stage.join("bob", &link).for_people().start();
    let host_arguments = host.process.next_line().unwrap();
    let guest_arguments = guest.process.next_line().unwrap();
    assert!(
        host_arguments.starts_with("-P 127.0.0.1:") && host_arguments.ends_with("-I 0"),
        "{host_arguments}"
    );
    assert!(
        guest_arguments.starts_with("-P 127.0.0.1:") && guest_arguments.ends_with("-I 1"),
        "{guest_arguments}"
    );
    for party in [host, guest] {
        party.process.wait_for_stderr("launcher.py");
    }
}

#[test]
fn without_an_engine_there_is_nothing_to_ask() {
    let stage = Stage::new();
    let finished = ports_of(&stage.home("nobody")).finish();
    assert_eq!((finished.code, finished.lines), (1, Vec::new()));
    assert!(finished.stderr.contains("error[E0704]"), "{}", finished.stderr);
    assert!(!stage.home("nobody").exists(), "asking made a home");
}

#[test]
fn an_engine_that_ends_before_everybody_is_ready_says_so() {
    let stage = Stage::new();
    let mut host = stage.invite("alice", 2).start();
    host.wait_for("room.invitation");
    let mut asking = ports_of(&stage.home("alice"));
    // The question must have arrived; the home's socket takes it at once.
    support::until("ports asks", || {
        let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
        let socket = stage.home("alice").join("engine.sock");
        sockets.lines().filter(|line| line.ends_with(socket.to_str().unwrap())).count() > 1
    });
    assert!(!asking.has_ended());
    host.process.signal("INT");
    host.finish().assert_error(130, "E0003");
    let finished = asking.finish();
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("error[E0704]"), "{}", finished.stderr);
}
