//! Ctrl-C, SIGTERM and a closed terminal, in each phase: exit code 130, the others are told, nothing is left.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::io::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use support::mediator::Mediator;
use support::party::{Agent, Ended, Party, text};
use support::stage::Stage;
use support::system::{is_running, processes_that_know};
use support::{didagent, program, role, until};

/// How soon a command must have ended after the request.
const SOON: Duration = Duration::from_secs(15);

/// How a person ends a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    /// Ctrl-C at a terminal: everybody in the foreground gets it.
    CtrlC,
    /// The terminal is closed.
    Hangup,
    /// SIGTERM, to the agent alone.
    Terminate,
}

const REQUESTS: [Request; 3] = [Request::CtrlC, Request::Hangup, Request::Terminate];

impl Request {
    /// Prepares the agent for being ended in this way.
    fn prepare(self, agent: Agent) -> Agent {
        match self {
            Self::CtrlC | Self::Hangup => agent.at_terminal(),
            Self::Terminate => agent.for_people(),
        }
    }

    fn send(self, party: &Party) {
        match self {
            Self::CtrlC => party.process.signal("USR1"),
            Self::Hangup => party.process.signal("USR2"),
            Self::Terminate => party.process.signal("TERM"),
        }
    }

    /// Sends the request and waits for the end: 130, soon, and a terminal that is as it was.
    fn ends(self, party: Party) -> Ended {
        self.send(&party);
        let ended = self.ended(party, 130);
        self.assert_modes(&ended);
        ended
    }

    /// Fails unless the terminal is as it was.
    fn assert_modes(self, ended: &Ended) {
        assert!(self != Self::CtrlC || ended.stderr.contains("modes kept"), "{ended:#?}");
    }

    fn ended(self, party: Party, code: i32) -> Ended {
        let home = party.home.clone();
        let ended = party.finish_within(SOON);
        assert_eq!(ended.code, code, "{self:?} {ended:#?}");
        until("no process of it is left", || processes_that_know(&home).is_empty());
        for left in ["run", "engine.sock"] {
            assert!(!home.join(left).exists(), "{self:?} left {left} behind");
        }
        ended
    }
}

/// Waits until the party shows a line with `text`, on its terminal or on stderr, and returns it.
fn shows(party: &mut Party, request: Request, text: &str) -> String {
    let is_for_stderr = !["http", "pids ", "running"].contains(&text);
    if request == Request::Terminate && is_for_stderr {
        party.process.wait_for_stderr(text);
        return String::new();
    }
    loop {
        let line = party.process.next_line().unwrap_or_else(|| panic!("{} ended without {text}", party.name));
        if line.contains(text) {
            return line.trim().to_owned();
        }
    }
}

fn rounds() -> Vec<OsString> {
    role(&program("rounds.py"), &["600"])
}

#[test]
fn before_the_mailbox() {
    for request in REQUESTS {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let mediator = Mediator::start_behind(&didagent(), silent.local_addr().unwrap().port());
        let stage = Stage::new();
        let party = request.prepare(stage.invite_at("alice", 2, &mediator.link)).start();
        // It waits for an answer that never comes.
        let _connection = silent.accept().unwrap();
        request.ends(party);
    }
}

#[test]
fn in_the_lobby_as_guest() {
    for request in REQUESTS {
        let stage = Stage::new();
        let mut host = stage.invite("alice", 3).start();
        let link = text(&host.wait_for("room.invitation"), "link").to_owned();
        let mut guest = request.prepare(stage.join("bob", &link).program(rounds())).start();
        shows(&mut guest, request, "in the room");
        request.ends(guest);
        assert_eq!(text(&host.wait_for("party.left"), "name"), "bob");
    }
}

#[test]
fn in_the_lobby_as_host() {
    for request in REQUESTS {
        let stage = Stage::new();
        let mut host = request.prepare(stage.invite("alice", 3).program(rounds())).start();
        let link = shows(&mut host, request, "http");
        let mut other = stage.join("bob", &link).program(rounds()).start();
        other.wait_for("room.seats");
        request.ends(host);
        assert!(other.finish().assert_error(7, "E0405").contains("the host was interrupted"));
    }
}

#[test]
fn while_the_room_forms() {
    for request in REQUESTS {
        let stage = Stage::new();
        let mut host = stage.invite("alice", 3).program(rounds()).start();
        let link = text(&host.wait_for("room.invitation"), "link").to_owned();
        let mut still = stage.join("bob", &link).program(rounds()).in_own_group().start();
        still.wait_for("room.seats");
        still.process.signal_group("STOP");
        let guest = request.prepare(stage.join("carol", &link).program(rounds())).start();
        host.wait_for("party.joined");
        host.wait_for("party.joined");
        request.ends(guest);
        let message = host.finish();
        let message = message.assert_error(7, "E0405");
        assert!(message.contains("party 2 (carol) was interrupted"), "{message}");
    }
}

#[test]
fn in_a_run() {
    for request in REQUESTS {
        let stage = Stage::new();
        let mut host = stage.invite("alice", 2).program(rounds()).start();
        let link = text(&host.wait_for("room.invitation"), "link").to_owned();
        let mut guest = request.prepare(stage.join("bob", &link).program(rounds())).start();
        shows(&mut guest, request, "running");
        request.ends(guest);
        let host = host.finish();
        let message = host.assert_stopped(125, "E0405");
        assert!(message.contains("party 1 (bob) was interrupted"), "{message}");
    }
}

/// A program that ignores every request, and what it started, at a terminal too.
#[test]
fn in_a_run_of_a_program_that_ignores_it_once_and_twice() {
    for request in REQUESTS {
        for twice in [false, true] {
            let stage = Stage::new();
            let family = || role(&program("family.py"), &[]);
            let mut host = stage.invite("alice", 2).program(rounds()).start();
            let link = text(&host.wait_for("room.invitation"), "link").to_owned();
            let mut guest = request.prepare(stage.join("bob", &link).program(family())).start();
            let line = shows(&mut guest, request, "pids ");
            let pids: Vec<u32> = line.split(' ').skip(1).map(|pid| pid.parse().unwrap()).collect();
            assert!(pids.iter().all(|pid| is_running(*pid)));
            request.send(&guest);
            if twice && request != Request::Hangup {
                // The first one must have been seen: two at once are one.
                std::thread::sleep(Duration::from_millis(500));
                request.send(&guest);
            }
            let ended = request.ended(guest, 130);
            if !twice {
                // After the second request nobody waits for the supervisor, who puts the modes back.
                request.assert_modes(&ended);
            }
            until("nothing of it is left", || !pids.iter().any(|pid| is_running(*pid)));
            assert_eq!(host.finish().code, 125);
        }
    }
}

#[test]
fn kill_of_the_agent_at_a_terminal_takes_everything_along() {
    let stage = Stage::new();
    let impatient = stage.invite("alice", 2).option(&["--patience", "6"]);
    let mut host = impatient.program(rounds()).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    let family = role(&program("family.py"), &[]);
    let mut guest = stage.join("bob", &link).program(family).at_terminal().start();
    let line = shows(&mut guest, Request::CtrlC, "pids ");
    let pids: Vec<u32> = line.split(' ').skip(1).map(|pid| pid.parse().unwrap()).collect();
    let known = processes_that_know(&stage.home("bob"));
    let agent = known.iter().find(|line| line.contains(" join ") && !line.contains("terminal.py")).unwrap();
    support::process::signal("KILL", agent.split(' ').next().unwrap());
    assert_eq!(guest.finish().code, 137);
    until("nothing of it is left", || !pids.iter().any(|pid| is_running(*pid)));
    assert_eq!(host.finish().code, 125);
}

#[test]
fn while_the_last_bytes_are_waited_for_once_is_polite_and_twice_leaves() {
    for (request, times) in [(Request::CtrlC, 1), (Request::CtrlC, 2), (Request::Terminate, 2)] {
        let stage = Stage::new();
        let half = role(&program("half.py"), &[]);
        let mut host = request.prepare(stage.invite("alice", 2).program(half)).start();
        let link = shows(&mut host, request, "http");
        let mut guest = stage.join("bob", &link).start();
        let ports = guest.wait_for_ports();
        // This stands for bob's MPyC, which takes the connection and never ends it.
        let mpyc = TcpListener::bind(("127.0.0.1", ports[1])).unwrap();
        let (mut connection, _) = mpyc.accept().unwrap();
        connection.write_all(b"x").unwrap();
        until("alice's program has ended", || {
            !processes_that_know(&host.home).iter().any(|line| line.contains(" supervise "))
        });
        // Alice hears of it a moment after the system did; a Ctrl-C in that moment counts as one before it.
        std::thread::sleep(Duration::from_millis(500));
        request.send(&host);
        for _ in 1..times {
            std::thread::sleep(Duration::from_millis(500));
            request.send(&host);
        }
        // Its program ended well, and all that is left are bytes that somebody else may want.
        request.ended(host, if times == 1 { 0 } else { 130 });
    }
}

#[test]
fn a_reader_that_stands_still_keeps_nobody_from_leaving() {
    let stage = Stage::new();
    let flood = role(&program("flood.py"), &["lines", "20"]);
    let mut host = stage.invite("alice", 2).program(flood).unread_stderr().read_slowly().start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    let quiet = role(&program("flood.py"), &["lines", "0"]);
    let mut guest = stage.join("bob", &link).program(quiet).start();
    guest.wait_for("run.started");
    host.wait_for_output("0000100 ");
    // Nobody reads any more from here on.
    host.process.signal("INT");
    until("it has ended", || host.process.has_ended());
    assert_eq!(host.finish().code, 130);
    let message = guest.finish();
    assert!(message.assert_stopped(125, "E0405").contains("party 0 (alice) was interrupted"));
}
