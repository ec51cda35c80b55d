//! A mediator, as `didagent mediator serve` runs it.

use std::path::Path;
use std::process::{Command, Stdio};

use super::process::Process;

/// Only its log says on which port it really listens.
const INFO: &str = "didagent_mediator=info";

/// A running mediator with keys in memory.
#[derive(Debug)]
pub struct Mediator {
    process: Process,
    /// Its link.
    pub link: String,
    /// The port that it listens on.
    pub port: u16,
}

impl Mediator {
    /// Starts a mediator on a free port.
    pub fn start(binary: &Path) -> Self {
        Self::start_with(binary, &[])
    }

    /// Starts a mediator on a free port whose DID and link name `public_port` instead.
    pub fn start_behind(binary: &Path, public_port: u16) -> Self {
        Self::start_with(binary, &["--public-url", &format!("http://127.0.0.1:{public_port}")])
    }

    /// Starts a mediator on a free port with a lobby.
    pub fn start_with_lobby(binary: &Path) -> Self {
        Self::start_with(binary, &["--lobby"])
    }

    /// Starts one like [`Mediator::start_behind`] with a lobby that logs all that it can, with its keys in `data`.
    pub fn start_logging(binary: &Path, public_port: u16, data: &Path) -> Self {
        let url = format!("http://127.0.0.1:{public_port}");
        Self::listen_with(
            binary,
            "trace",
            0,
            &["--lobby", "--public-url", &url, "--data", data.to_str().unwrap()],
            |_| {},
        )
    }

    /// Starts a mediator on a free port that leaves out these parts.
    pub fn start_without(binary: &Path, parts: &str) -> Self {
        Self::start_with(binary, &["--without", parts])
    }

    /// Starts a mediator on a free port whose DID and link name this URL.
    pub fn start_named(binary: &Path, url: &str) -> Self {
        Self::start_with(binary, &["--public-url", url])
    }

    /// Starts a mediator with a lobby on this port, or with 0 on a free one, that keeps its keys in `data`: started again with both, it is
    /// the same mediator.
    pub fn start_lasting(binary: &Path, port: u16, data: &Path) -> Self {
        Self::listen_with(binary, INFO, port, &["--lobby", "--data", data.to_str().unwrap()], |_| {})
    }

    /// Starts a mediator on this port whose command `change` has changed.
    pub fn start_on(binary: &Path, port: u16, change: impl Fn(&mut Command)) -> Self {
        Self::listen_with(binary, INFO, port, &[], change)
    }

    fn start_with(binary: &Path, more: &[&str]) -> Self {
        Self::listen_with(binary, INFO, 0, more, |_| {})
    }

    fn listen_with(
        binary: &Path,
        log: &str,
        port: u16,
        more: &[&str],
        change: impl Fn(&mut Command),
    ) -> Self {
        let mut command = Command::new(binary);
        command.args(["--log", log, "mediator", "serve", "--listen"]);
        command.arg(format!("127.0.0.1:{port}"));
        change(&mut command);
        let mut process = Process::start("the mediator", command.args(more).stdin(Stdio::null()));
        let link =
            process.next_line().unwrap_or_else(|| panic!("the mediator gave no link: {}", process.stderr()));
        process.wait_for_stderr("address=127.0.0.1:");
        let log = process.stderr();
        let (_, after) = log.split_once("address=127.0.0.1:").unwrap();
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        Self { process, link, port: digits.parse().unwrap() }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.process.stderr()
    }

    /// Kills it without a goodbye.
    pub fn kill(self) {
        self.process.signal("KILL");
        self.process.finish();
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(self) {
        self.process.signal("TERM");
        self.process.finish();
    }
}
