//! The demo: the same commands that people would type, as separate processes with separate homes.
//!
//! ```text
//! didagent mediator serve            -> its link
//! didagent invite --mediator LINK    -> the invitation
//! didagent join -                    <- the invitation, as every guest gets it
//! ```
//!
//! The processes share nothing but these two links. What is shown comes from their output; the result is what MPyC printed
//! at each party.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use didagent_bridge::programs::AVERAGE_SOURCE;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::failure::{Failure, Kind};
use crate::io::os::{self, EndRequests};
use crate::io::python_env::{MPYC_VERSION, python_with_mpyc};
use crate::io::{random_u64, system_rng};

/// How long the mediator may take to print its link, and the host to print the invitation.
const FIRST_LINE: Duration = Duration::from_secs(20);

/// How long a process may take to end after it was asked to.
const END: Duration = Duration::from_secs(10);

/// How much later than its children the demo may see a signal that a terminal sent to all of them.
const SIGNAL: Duration = Duration::from_millis(300);

/// How much of a party's stderr is kept to be shown if it fails, in bytes.
const KEPT_STDERR: u64 = 64 * 1024;

/// Names of the parties.
const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

/// What the demo reports while it works.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Something is being prepared.
    Preparing(String),
    /// The Python that runs the program.
    Python(PathBuf),
    /// A process was started with this command line, as a person would type it.
    Started(String),
    /// A party's event.
    Event {
        /// The party's name.
        party: &'static str,
        /// The event.
        event: Value,
    },
}

/// What came out.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// In the order of the party indices.
    pub(crate) parties: Vec<PartyOutcome>,
    /// From the start of the mediator to the end of the last party.
    pub(crate) elapsed: Duration,
}

/// What came out at one party.
#[derive(Debug)]
pub(crate) struct PartyOutcome {
    pub(crate) name: &'static str,
    pub(crate) index: u64,
    /// What MPyC printed on stdout.
    pub(crate) output: Vec<String>,
    /// How long MPyC ran.
    pub(crate) mpyc: Duration,
    /// Bytes from MPyC to the other parties.
    pub(crate) bytes_up: u64,
}

/// Runs the demo with `parties` parties.
pub(crate) async fn run(parties: usize, tell: &mut (dyn FnMut(Progress) + Send)) -> Result<Outcome, Failure> {
    let mut ends = EndRequests::listen().map_err(|error| other("listen to signals", &error))?;
    let mut stage = Stage::set()?;
    let interrupted = || Failure::new(Kind::Interrupted, "interrupted");
    let outcome = tokio::select! {
        biased;
        () = ends.next() => Err(interrupted()),
        outcome = stage.play(parties, tell) => outcome,
    };
    // A signal to the whole group may reach a child before it has a group of its own, and its end be seen first.
    let outcome = match outcome {
        Err(_) if timeout(SIGNAL, ends.next()).await.is_ok() => Err(interrupted()),
        outcome => outcome,
    };
    stage.clear().await;
    outcome
}

/// All that the demo must leave behind as it found it.
struct Stage {
    folder: PathBuf,
    exe: PathBuf,
    mediator: Option<Child>,
    parties: Vec<Party>,
}

struct Party {
    name: &'static str,
    child: Child,
    stderr: JoinHandle<String>,
}

impl Stage {
    fn set() -> Result<Self, Failure> {
        let exe = std::env::current_exe().map_err(|error| other("find this program", &error))?;
        let folder =
            std::env::temp_dir().join(format!("didagent-demo-{:016x}", random_u64(&mut system_rng()?)));
        os::create_private_dir(&folder).map_err(|error| other("make a temporary folder", &error))?;
        Ok(Self { folder, exe, mediator: None, parties: Vec::new() })
    }

    async fn play(
        &mut self,
        parties: usize,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Outcome, Failure> {
        let python = python_with_mpyc(&mut |text| tell(Progress::Preparing(text.to_owned()))).await?;
        tell(Progress::Python(python.clone()));
        let program = self.folder.join("average.py");
        std::fs::write(&program, AVERAGE_SOURCE).map_err(|error| other("write the program", &error))?;

        let begun = Instant::now();
        let mediator = self.start_mediator(tell).await?;
        let (events, mut from_parties) = mpsc::channel(64);
        let command = [python.into_os_string(), program.into_os_string()];
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let count = parties.to_string();

        let host = words(&["invite", "--parties", &count, "--mediator", &mediator]);
        tell(Progress::Started(format!(
            "didagent invite --parties {count} --mediator LINK -- python average.py"
        )));
        self.start_party(NAMES[0], host, &command, None, &events).await?;
        let link = first(&mut from_parties, tell, "room.invitation").await?;
        let link = link.get("link").and_then(Value::as_str).unwrap_or_default().to_owned();
        for name in &NAMES[1..parties] {
            tell(Progress::Started("didagent join - -- python average.py".to_owned()));
            self.start_party(name, words(&["join", "-"]), &command, Some(&link), &events).await?;
            first(&mut from_parties, tell, "party.joined").await?;
        }
        drop(events);

        let mut outcomes: Vec<PartyOutcome> =
            NAMES[..parties].iter().map(|name| PartyOutcome::new(name)).collect();
        let mut failure = None;
        while let Some((party, event)) = from_parties.recv().await {
            if let Some(outcome) = outcomes.iter_mut().find(|outcome| outcome.name == party) {
                outcome.note(&event);
            }
            if failure.is_none() && event.get("type").and_then(Value::as_str) == Some("error") {
                failure = event.get("message").and_then(Value::as_str).map(str::to_owned);
            }
            tell(Progress::Event { party, event });
        }
        self.wait_for_parties(failure).await?;
        let elapsed = begun.elapsed();
        outcomes.sort_by_key(|outcome| outcome.index);
        Ok(Outcome { parties: outcomes, elapsed })
    }

    async fn start_mediator(&mut self, tell: &mut (dyn FnMut(Progress) + Send)) -> Result<String, Failure> {
        let arguments = ["mediator", "serve", "--listen", "127.0.0.1:0"];
        tell(Progress::Started(format!("didagent {}", arguments.join(" "))));
        // In groups of their own: Ctrl-C is for the demo, which ends them in order.
        let mut command = Command::new(&self.exe);
        os::own_group(&mut command);
        let mut child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| other("start the mediator", &error))?;
        let stdout = child.stdout.take();
        self.mediator = Some(child);
        let stdout = stdout.ok_or_else(|| Failure::new(Kind::Other, "the mediator has no stdout"))?;
        let mut lines = BufReader::new(stdout).lines();
        match timeout(FIRST_LINE, lines.next_line()).await {
            Ok(Ok(Some(link))) => Ok(link),
            _ => Err(Failure::new(Kind::MediatorUnreachable, "the demo's mediator did not start")
                .hint("didagent mediator serve --listen 127.0.0.1:0")),
        }
    }

    async fn start_party(
        &mut self,
        name: &'static str,
        arguments: Vec<OsString>,
        command: &[OsString],
        link: Option<&str>,
        events: &mpsc::Sender<(&'static str, Value)>,
    ) -> Result<(), Failure> {
        let mut party = Command::new(&self.exe);
        os::own_group(&mut party);
        let mut child = party
            .arg("--home")
            .arg(self.folder.join(name))
            .args(arguments)
            .args(["--name", name, "--json", "--"])
            .args(command)
            .stdin(if link.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| other("start a party", &error))?;
        if let (Some(mut stdin), Some(link)) = (child.stdin.take(), link) {
            let written = stdin.write_all(format!("{link}\n").as_bytes()).await;
            written.map_err(|error| other("hand over the link", &error))?;
        }
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(read_events(BufReader::new(stdout).lines(), name, events.clone()));
        }
        let stderr = tokio::spawn(keep(child.stderr.take()));
        self.parties.push(Party { name, child, stderr });
        Ok(())
    }

    /// Waits until every party has ended; each must have ended well.
    async fn wait_for_parties(&mut self, reported: Option<String>) -> Result<(), Failure> {
        let mut failed: Option<(&'static str, u8, String)> = None;
        for party in &mut self.parties {
            let status = party.child.wait().await.map_err(|error| other("wait for a party", &error))?;
            let said = (&mut party.stderr).await.unwrap_or_default();
            let code = os::shell_code(status);
            if code != 0 && failed.is_none() {
                failed = Some((party.name, code, said));
            }
        }
        let Some((name, code, said)) = failed else { return Ok(()) };
        let why =
            reported.unwrap_or_else(|| said.trim_end().lines().rev().take(3).collect::<Vec<_>>().join(" | "));
        Err(Failure::new(Kind::Other, format!("{name} ended with exit code {code}: {why}")))
    }

    /// Ends every process and removes the folder.
    async fn clear(mut self) {
        for party in &mut self.parties {
            end(&mut party.child).await;
        }
        if let Some(mediator) = &mut self.mediator {
            end(mediator).await;
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl PartyOutcome {
    fn new(name: &'static str) -> Self {
        Self { name, index: 0, output: Vec::new(), mpyc: Duration::ZERO, bytes_up: 0 }
    }

    fn note(&mut self, event: &Value) {
        let number = |name: &str| event.get(name).and_then(Value::as_u64);
        match event.get("type").and_then(Value::as_str) {
            Some("room.ready") => self.index = number("index").unwrap_or(0),
            Some("run.output") => {
                self.output.extend(event.get("line").and_then(Value::as_str).map(str::to_owned));
            }
            Some("run.exited") => {
                self.bytes_up = number("bytes_up").unwrap_or(0);
                let elapsed = event.get("elapsed_ms").and_then(Value::as_f64).unwrap_or(0.0);
                self.mpyc = Duration::from_secs_f64(elapsed.max(0.0) / 1000.0);
            }
            _ => {}
        }
    }
}

/// Waits for the first event of a type; an error of any party ends the wait.
async fn first(
    events: &mut mpsc::Receiver<(&'static str, Value)>,
    tell: &mut (dyn FnMut(Progress) + Send),
    wanted: &str,
) -> Result<Value, Failure> {
    let waiting = async {
        while let Some((party, event)) = events.recv().await {
            let type_ = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
            let message = event.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
            tell(Progress::Event { party, event: event.clone() });
            if type_ == wanted {
                return Ok(event);
            }
            if type_ == "error" {
                return Err(Failure::new(Kind::Other, format!("{party}: {message}")));
            }
        }
        Err(Failure::new(Kind::Other, "the parties ended early"))
    };
    match timeout(FIRST_LINE, waiting).await {
        Ok(result) => result,
        Err(_) => Err(Failure::new(Kind::Other, format!("no {wanted} within {} s", FIRST_LINE.as_secs()))),
    }
}

async fn read_events(
    mut lines: Lines<BufReader<ChildStdout>>,
    name: &'static str,
    events: mpsc::Sender<(&'static str, Value)>,
) {
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(event) = serde_json::from_str(&line)
            && events.send((name, event)).await.is_err()
        {
            return;
        }
    }
}

/// Reads all of a party's stderr and keeps the beginning.
async fn keep(stderr: Option<ChildStderr>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let mut kept = Vec::new();
    let _ = (&mut stderr).take(KEPT_STDERR).read_to_end(&mut kept).await;
    // Read on, or the party would block on a full pipe.
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

/// Asks a process to end, and kills it if it does not.
async fn end(child: &mut Child) {
    let Some(pid) = child.id() else { return };
    let _ = os::ask_to_end(pid);
    if timeout(END, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

fn other(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Other, format!("cannot {what}: {error}"))
}

/// Says which MPyC the demo uses, for the screen.
pub(crate) fn python_shown(python: &Path) -> String {
    format!("{} (MPyC {MPYC_VERSION})", python.display())
}
