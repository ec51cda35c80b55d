//! Who else can reach the local ports (R9): another pid is refused, and nothing is reachable from outside of this machine.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::PATIENCE;
use support::party::text;
use support::process::Process;
use support::stage::{Stage, finish};
use support::system::{listening_on, outside_address};
use support::{average, program, python, python_command, until};

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// An address of this machine that is loopback, and still not the one on which everything may listen.
const OTHER_LOOPBACK: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Connects to `port` as a party with this pid, and says whether the connection was closed from the other side.
fn is_refused(port: u16, pid: u16) -> bool {
    let mut stream = TcpStream::connect((LOOPBACK, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A key follows the pid, as in MPyC.
    let _ = stream.write_all(&[pid.to_le_bytes().as_slice(), &[7; 16]].concat());
    // An answer, or silence, would be a connection that stands.
    match stream.read(&mut [0; 16]) {
        Ok(count) => count == 0,
        Err(error) => {
            matches!(error.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe)
        }
    }
}

/// MPyC started by hand, as `didagent ports` tells people.
fn by_hand(program: &Path, arguments: &[&str], ports: &[u16], index: usize) -> Process {
    let mut words: Vec<OsString> = vec![program.into()];
    for port in ports {
        words.extend(["-P".into(), format!("127.0.0.1:{port}").into()]);
    }
    words.extend(["-I".into(), index.to_string().into()]);
    words.extend(arguments.iter().map(OsString::from));
    Process::start("MPyC", Command::new(python()).args(words).stdin(Stdio::null()))
}

/// Decides BR-06, SC-04.
#[test]
fn a_local_stranger_with_another_pid_is_refused_and_the_right_mpyc_still_gets_through() {
    let stage = Stage::new();
    let mut parties = stage.start(vec![Vec::new(), Vec::new(), Vec::new()]);
    let ports: Vec<_> = parties.iter_mut().map(support::party::Party::wait_for_ports).collect();
    // Party 0 listens for its MPyC's dials to 1 and 2, party 1 for those to 2. Only the own pid is right there.
    for (listener, peer, pids) in [(0, 1, [1, 2, 7]), (0, 2, [1, 2, 512]), (1, 2, [0, 2, 0x0100])] {
        for pid in pids {
            assert!(
                is_refused(ports[listener][peer], pid),
                "party {listener} took pid {pid} on the port for {peer}"
            );
            let warning = parties[listener].wait_for("warning");
            let message = text(&warning, "message");
            assert!(message.contains(&format!("party {peer} (")), "{message}");
            assert!(message.contains(&format!("party {pid}")), "{message}");
        }
    }
    let numbers = ["1", "2", "6"];
    let programs: Vec<_> =
        (0..3).map(|index| by_hand(&average(), &[numbers[index]], &ports[index], index)).collect();
    for program in programs {
        let finished = program.finish();
        assert_eq!(
            (finished.code, finished.lines),
            (0, vec!["average of 3 inputs: 3.00".to_owned()]),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn a_stranger_that_is_faster_than_the_own_program_does_not_stop_the_run() {
    let stage = Stage::new();
    let go = stage.folder().join("go");
    let late = |number| python_command(&program("late.py"), &[go.to_str().unwrap(), number]);
    let mut parties = stage.start(vec![late("1"), late("2")]);
    let ports = parties[0].wait_for_ports();
    assert!(is_refused(ports[1], 1));
    assert!(text(&parties[0].wait_for("warning"), "message").contains("party 1 (bob)"));
    // One that says nothing is not in the way either.
    let _silent = TcpStream::connect((LOOPBACK, ports[1])).unwrap();
    std::fs::write(go, "").unwrap();
    for party in finish(parties) {
        assert_eq!(party.assert_ok().output(), ["waiting", "sum 3"]);
    }
}

/// Decides BR-13, BR-20, SC-04.
#[test]
fn mpycs_port_is_open_on_loopback_alone_while_it_waits_for_the_others() {
    let stage = Stage::new();
    let go = stage.folder().join("go");
    let late = |number| python_command(&program("late.py"), &[go.to_str().unwrap(), number]);
    let now = |number| python_command(&program("late.py"), &["/", number]);
    // While party 0 does not start its MPyC, the others listen for it.
    let mut parties = stage.start(vec![late("1"), now("2"), now("3")]);
    let ports: Vec<_> = parties.iter_mut().map(support::party::Party::wait_for_ports).collect();
    for index in [1, 2] {
        let own = ports[index][index];
        until("MPyC listens", || listening_on(own).0 == [LOOPBACK]);
        assert_eq!(listening_on(own), (vec![LOOPBACK], false));
        assert_unreachable_from_outside(own);
    }
    // So are the ports of the bridges.
    for (index, peer) in [(0, 1), (0, 2), (1, 2)] {
        assert_eq!(listening_on(ports[index][peer]), (vec![LOOPBACK], false));
        assert_unreachable_from_outside(ports[index][peer]);
    }
    std::fs::write(go, "").unwrap();
    for party in finish(parties) {
        assert_eq!(party.assert_ok().output(), ["waiting", "sum 6"]);
    }
}

/// What the test above looks at does tell open from closed: MPyC by itself is open to everybody.
#[test]
fn mpyc_without_the_launcher_is_open_to_other_addresses() {
    let port = 19_000 + u16::try_from(std::process::id() % 900).unwrap();
    let mpyc = by_hand(&program("late.py"), &["/", "1"], &[port - 1, port], 1);
    until("MPyC listens", || !listening_on(port).0.is_empty());
    assert_eq!(listening_on(port).0, [Ipv4Addr::UNSPECIFIED]);
    assert!(can_connect(OTHER_LOOPBACK.into(), port));
    drop(mpyc);
}

fn assert_unreachable_from_outside(port: u16) {
    assert!(!can_connect(OTHER_LOOPBACK.into(), port));
    assert!(!can_connect("::1".parse().unwrap(), port));
    // A machine without a network has no address to try.
    if let Some(address) = outside_address() {
        assert!(!can_connect(address, port), "{address}");
    }
}

fn can_connect(address: IpAddr, port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::new(address, port), Duration::from_secs(2)).is_ok()
}
