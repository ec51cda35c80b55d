//! Unmodified MPyC over bridges that are joined in memory, all parties on this machine.
//!
//! Needs the environment variable `DIDAGENT_TEST_PYTHON`: a Python interpreter with MPyC installed. Without it these
//! tests fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod addresses;
mod common;

use std::ffi::OsString;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use addresses::other_addresses;
use common::{TestStream, stream_pair};
use didagent_bridge::io::{Bridge, BridgeEvent, BridgeOptions, Mesh};
use didagent_bridge::launch::{LAUNCHER_SOURCE, Rewritten, rewrite_with};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// A run takes about two seconds; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(90);

fn python() -> OsString {
    std::env::var_os("DIDAGENT_TEST_PYTHON")
        .expect("DIDAGENT_TEST_PYTHON must name a Python interpreter that has MPyC")
}

fn in_package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The mesh of one party: streams in memory, each delivered to the queue of the party at the other end.
struct MemoryMesh {
    me: usize,
    queues: Arc<Vec<mpsc::UnboundedSender<(usize, TestStream)>>>,
}

impl Mesh for MemoryMesh {
    type Stream = TestStream;

    async fn open(&self, peer: usize) -> io::Result<TestStream> {
        let (near, far) = stream_pair();
        self.queues[peer].send((self.me, far)).map_err(|_| io::ErrorKind::NotConnected)?;
        Ok(near)
    }
}

struct Party {
    stdout: String,
    stderr: String,
    events: Vec<BridgeEvent>,
    bridge: Arc<Bridge>,
}

fn start(launcher: &Path, program: &Path, mpyc_arguments: &[String], arguments: &[&str]) -> Child {
    let mut command = vec![python(), "-u".into(), program.into()];
    command.extend(arguments.iter().map(OsString::from));
    let Rewritten::Python(words) = rewrite_with(&command, launcher, mpyc_arguments) else {
        panic!("DIDAGENT_TEST_PYTHON is not called python")
    };
    Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Runs a program, which starts MPyC `runs` times, as `m` parties, each over its own bridge, to its end.
async fn run(m: usize, runs: usize, program: &str, arguments: &[&str]) -> Vec<Party> {
    let folder = tempfile::tempdir().unwrap();
    let launcher = folder.path().join("launcher.py");
    std::fs::write(&launcher, LAUNCHER_SOURCE).unwrap();
    let (queues, waiting): (Vec<_>, Vec<_>) = (0..m).map(|_| mpsc::unbounded_channel()).unzip();
    let queues = Arc::new(queues);

    let mut running = Vec::new();
    for (me, mut streams) in waiting.into_iter().enumerate() {
        let seed = u64::from(std::process::id()) << 8 | u64::try_from(me).unwrap();
        let (plan, listeners) = Bridge::bind(me, m, &[], seed).await.unwrap();
        let child = start(&launcher, &in_package(program), &plan.mpyc_arguments(), arguments);
        let mesh = MemoryMesh { me, queues: Arc::clone(&queues) };
        let mut bridge = Bridge::start_with(listeners, mesh, BridgeOptions::default());
        let events = bridge.events();
        let bridge = Arc::new(bridge);
        let taker = Arc::clone(&bridge);
        let taking = tokio::spawn(async move {
            while let Some((peer, stream)) = streams.recv().await {
                taker.incoming(peer, stream).await;
            }
        });
        running.push((child, bridge, events, taking));
    }

    let mut parties = Vec::new();
    for (me, (child, bridge, mut events, taking)) in running.into_iter().enumerate() {
        let output =
            tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("MPyC hangs").unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "party {me}: {}\n{stdout}\n{stderr}", output.status);
        // MPyC is gone, so the last events are under way: each connection has one at its start and one at its end.
        let mut seen = Vec::new();
        while seen.len() < 2 * runs * (m - 1) {
            seen.push(
                tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event is missing").unwrap(),
            );
        }
        taking.abort();
        parties.push(Party { stdout, stderr, events: seen, bridge });
    }
    parties
}

fn is_connected(event: &BridgeEvent) -> bool {
    matches!(event, BridgeEvent::Connected { .. })
}

/// Checks that each party had `runs` orderly connections with each other one, and that the bytes agree on both sides.
fn assert_orderly(parties: &[Party], runs: usize) {
    let m = parties.len();
    for (me, party) in parties.iter().enumerate() {
        for event in &party.events {
            assert!(
                is_connected(event) || matches!(event, BridgeEvent::Finished { .. }),
                "party {me}: {event:?}"
            );
        }
        assert_eq!(party.events.len(), 2 * runs * (m - 1), "party {me}: {:?}", party.events);
        for (peer, other) in parties.iter().enumerate().filter(|(peer, _)| *peer != me) {
            let counts = party.bridge.counts(peer);
            assert_eq!(counts.connections, u64::try_from(runs).unwrap());
            assert!(counts.bytes_up > 0 && counts.bytes_down > 0);
            assert_eq!(counts.bytes_up, other.bridge.counts(me).bytes_down);
        }
    }
}

async fn average(m: usize) {
    let parties = run(m, 1, "python/didagent/programs/average.py", &["--show-input"]).await;
    let inputs: Vec<u64> = parties
        .iter()
        .enumerate()
        .map(|(me, party)| {
            let label = format!("input of party {me}: ");
            let line = party.stderr.lines().find_map(|line| line.strip_prefix(label.as_str()));
            line.expect("the input was not shown").parse().unwrap()
        })
        .collect();
    assert!(inputs.iter().all(|input| *input <= 1000));
    let count = u64::try_from(m).unwrap();
    let (total, cents) = (inputs.iter().sum::<u64>(), 100);
    let (whole, rest) = (total / count, total % count);
    // The remainder in hundredths, half of one rounded up.
    let hundredths = whole * cents + (rest * cents + count / 2) / count;
    let expected = format!("average of {m} inputs: {}.{:02}\n", hundredths / cents, hundredths % cents);
    for party in &parties {
        assert_eq!(party.stdout, expected, "inputs {inputs:?}");
    }
    assert_orderly(&parties, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_parties_compute_the_average() {
    average(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_parties_compute_the_average() {
    average(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_parties_compute_the_average() {
    average(5).await;
}

/// Decides BR-08.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_may_start_and_stop_mpyc_twice() {
    let parties = run(3, 2, "tests/programs/two_runs.py", &[]).await;
    for party in &parties {
        let results: Vec<&str> = party.stderr.lines().filter(|line| line.starts_with("run with")).collect();
        assert_eq!(results, ["run with factor 1: 6", "run with factor 10: 60"]);
    }
    assert_orderly(&parties, 2);
}

/// Decides BR-20.
#[tokio::test]
async fn mpyc_listens_on_loopback_only() {
    let folder = tempfile::tempdir().unwrap();
    let launcher = folder.path().join("launcher.py");
    std::fs::write(&launcher, LAUNCHER_SOURCE).unwrap();
    let (plan, _listeners) = Bridge::bind(1, 2, &[], std::process::id().into()).await.unwrap();
    // Party 1 alone: it listens, and waits for party 0 for ever.
    let program = in_package("python/didagent/programs/average.py");
    let mut child = start(&launcher, &program, &plan.mpyc_arguments(), &["7"]);
    let listening = async {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, plan.own_port())).await.is_err() {
            assert!(child.try_wait().unwrap().is_none(), "MPyC ended");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listening).await.expect("MPyC does not listen");
    for address in other_addresses() {
        let error = TcpStream::connect((address, plan.own_port())).await.expect_err("it answers");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "{address}");
    }
    child.kill().await.unwrap();
}
