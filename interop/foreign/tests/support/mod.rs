//! The processes of a test: a mediator and parties of ours, started from the binary of the main workspace.
//!
//! | variable | names |
//! |---|---|
//! | `DIDAGENT_TEST_AGENT` | a built `didagent` |
//! | `DIDAGENT_TEST_PYTHON` | a Python interpreter with MPyC 0.11 |
#![allow(dead_code, unreachable_pub, reason = "every test file uses its part")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// How long anything may take that should happen. Only a failing test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A process that is gone with the test.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: PathBuf,
}

impl Process {
    fn start(mut command: Command, errors: PathBuf) -> Self {
        let stderr = File::create(&errors).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, errors }
    }

    /// Its next line, if there is one more.
    pub async fn line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.lines.next_line()).await.expect("no line comes").unwrap()
    }

    /// The next event of this type.
    pub async fn event(&mut self, type_: &str) -> Value {
        let mut last = Value::Null;
        while let Some(line) = self.line().await {
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["type"] == type_ {
                return event;
            }
            last = event;
        }
        panic!("it ended without {type_}, after {last}: {}", self.errors());
    }

    /// Waits for its end; returns its exit code and the lines that were not read.
    pub async fn end(mut self) -> (Option<i32>, Vec<String>) {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            lines.push(line);
        }
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it does not end").unwrap();
        (status.code(), lines)
    }

    /// Ends it at once.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// What it wrote to stderr so far.
    pub fn errors(&self) -> String {
        fs::read_to_string(&self.errors).unwrap()
    }
}

/// A mediator, and a folder for homes.
#[derive(Debug)]
pub struct Stage {
    /// The mediator, while it runs.
    pub mediator: Option<Process>,
    /// The mediator's link.
    pub link: String,
    folder: tempfile::TempDir,
}

impl Stage {
    /// Starts the mediator on a free port.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mediator, link) = start_mediator(folder.path().join("mediator.txt")).await;
        Self { mediator: Some(mediator), link, folder }
    }

    /// Starts a second mediator; returns it and its link.
    pub async fn second_mediator(&self) -> (Process, String) {
        start_mediator(self.folder.path().join("second.txt")).await
    }

    /// Starts the host of a room for so many, with the program and its number; returns it and the room's link.
    pub async fn host(&self, parties: usize, number: u32) -> (Process, String) {
        self.host_at(&[&self.link], parties, number).await
    }

    /// The host of a room for two who both show a credential of `issuer`.
    pub async fn host_requiring(&self, issuer: &str, number: u32) -> (Process, String) {
        let words = ["invite", "--parties", "2", "--full", "--no-privacy", "--mediator", &self.link];
        let words = [&words[..], &["--require-issuer", issuer]].concat();
        let mut host = self.party("host", &words, number);
        let link = host.event("room.invitation").await["link"].as_str().unwrap().to_owned();
        (host, link)
    }

    /// Runs a command in a home until it ends; returns what it prints.
    pub async fn said(&self, home: &str, words: &[&str]) -> String {
        let mut command = agent();
        command.arg("--home").arg(self.folder.path().join(home)).args(words);
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes a file, and returns where it is.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    /// The same for a host that has mailboxes at several mediators.
    pub async fn host_at(&self, mediators: &[&str], parties: usize, number: u32) -> (Process, String) {
        let parties = parties.to_string();
        let mut words = vec!["invite", "--parties", &parties, "--full"];
        // Of two, either one alone can open the inputs; the agent wants to hear that this is meant.
        words.extend((parties == "2").then_some("--no-privacy"));
        words.extend(mediators.iter().flat_map(|link| ["--mediator", link]));
        let mut host = self.party("host", &words, number);
        let link = host.event("room.invitation").await["link"].as_str().unwrap().to_owned();
        (host, link)
    }

    /// Starts a guest of ours.
    pub fn guest(&self, link: &str, number: u32) -> Process {
        self.party("guest", &["join", link], number)
    }

    fn party(&self, name: &str, words: &[&str], number: u32) -> Process {
        let mut command = agent();
        command.arg("--home").arg(self.folder.path().join(name)).args(words);
        command.args(["--name", name, "--json", "--"]).args(program(number));
        Process::start(command, self.folder.path().join(format!("{name}.txt")))
    }
}

/// The command line of the program that all parties run, with this number as input.
pub fn program(number: u32) -> Vec<OsString> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/largest.py");
    vec![from_environment("DIDAGENT_TEST_PYTHON"), path.into(), number.to_string().into()]
}

async fn start_mediator(errors: PathBuf) -> (Process, String) {
    let mut command = agent();
    command.args(["mediator", "serve", "--listen", "127.0.0.1:0"]);
    let mut mediator = Process::start(command, errors);
    let link = mediator.line().await.expect("the mediator gave no link");
    (mediator, link)
}

fn agent() -> Command {
    Command::new(from_environment("DIDAGENT_TEST_AGENT"))
}

fn from_environment(variable: &str) -> OsString {
    let value =
        std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set: see tests/support"));
    assert!(Path::new(&value).is_file(), "{variable}: there is no {}", value.display());
    value
}
