//! A child process: its lines as they come, its exit code as a shell gives it, an end with the test.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{PATIENCE, until};

/// How long the rest of the output may take after the process ended; a grandchild may hold the pipe.
const REST: Duration = Duration::from_secs(10);

/// A running child. It is killed when it is dropped; whatever it started must notice by itself, which is itself tested.
#[derive(Debug)]
pub struct Process {
    what: String,
    child: Child,
    lines: Receiver<String>,
    stderr: Arc<Mutex<Vec<u8>>>,
    stderr_ended: Receiver<()>,
}

/// What is left of a process.
#[derive(Debug)]
pub struct Finished {
    /// Exit code as a shell gives it: 128 and the signal for a process that a signal ended.
    pub code: i32,
    /// The lines of stdout that nobody read before.
    pub lines: Vec<String>,
    /// All of stderr.
    pub stderr: String,
}

impl Process {
    /// Starts `command`, called `what` in messages of failing tests. Its stdin is closed unless the command says more.
    pub fn start(what: &str, command: &mut Command) -> Self {
        let (sender, lines) = channel();
        Self::start_with(what, command.stderr(Stdio::piped()), move |line| sender.send(line).is_ok(), lines)
    }

    /// Like [`Process::start`], but its stdout stays in the pipe until a line is asked for.
    pub fn start_unhurried(what: &str, command: &mut Command, without_stderr: bool) -> Self {
        let (sender, lines) = sync_channel(0);
        command.stderr(if without_stderr { Stdio::null() } else { Stdio::piped() });
        Self::start_with(what, command, move |line| sender.send(line).is_ok(), lines)
    }

    fn start_with(
        what: &str,
        command: &mut Command,
        take: impl Fn(String) -> bool + Send + 'static,
        lines: Receiver<String>,
    ) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{what} cannot be started: {error}"));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.split(b'\n') {
                let Ok(line) = line else { return };
                if !take(String::from_utf8_lossy(&line).into_owned()) {
                    return;
                }
            }
        });
        let (ended, stderr_ended) = channel();
        let stderr = Arc::default();
        let seen = Arc::clone(&stderr);
        if let Some(mut pipe) = child.stderr.take() {
            std::thread::spawn(move || read_all(&mut pipe, &seen, &ended));
        }
        Self { what: what.to_owned(), child, lines, stderr, stderr_ended }
    }

    /// Its stdin, if the command said that it is a pipe; once.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next line on stdout; `None` when there will be no more.
    pub fn next_line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("{} wrote no line within {PATIENCE:?}; its stderr:\n{}", self.what, self.stderr())
            }
        }
    }

    /// What it wrote on stderr so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().unwrap()).into_owned()
    }

    /// Waits until stderr has `text`.
    pub fn wait_for_stderr(&self, text: &str) {
        until(&format!("{} writes {text:?} on stderr", self.what), || self.stderr().contains(text));
    }

    /// Sends a signal by its name, for example `INT`.
    pub fn signal(&self, name: &str) {
        signal(name, &self.pid().to_string());
    }

    /// Sends a signal to the process and everything in its group, as a terminal does. The command must have been given
    /// a group of its own.
    pub fn signal_group(&self, name: &str) {
        signal(name, &format!("-{}", self.pid()));
    }

    /// Says whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end.
    pub fn finish(self) -> Finished {
        self.finish_within(PATIENCE)
    }

    /// Waits for the end, which a deadline under test puts off.
    pub fn finish_within(mut self, limit: Duration) -> Finished {
        let deadline = Instant::now() + limit;
        let mut lines = Vec::new();
        // Reads while waiting, or the process could block on a full pipe.
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            match self.lines.recv_timeout(Duration::from_millis(10)) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(10)),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let late = Instant::now() >= deadline;
            assert!(!late, "{} does not end; stdout: {lines:#?}\nstderr:\n{}", self.what, self.stderr());
        };
        while let Ok(line) = self.lines.recv_timeout(REST) {
            lines.push(line);
        }
        let _ = self.stderr_ended.recv_timeout(REST);
        Finished { code: shell_code(status), lines, stderr: self.stderr() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `command` to its end.
pub fn run(what: &str, command: &mut Command) -> Finished {
    Process::start(what, command.stdin(Stdio::null())).finish()
}

/// Sends a signal to a process, or with a minus in front to a group; the standard library can only kill.
pub fn signal(name: &str, target: &str) {
    let status = Command::new("kill").args(["-s", name, "--", target]).status().unwrap();
    assert!(status.success(), "cannot send {name} to {target}");
}

fn read_all(pipe: &mut impl std::io::Read, seen: &Mutex<Vec<u8>>, ended: &Sender<()>) {
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = pipe.by_ref().read(&mut piece) {
        seen.lock().unwrap().extend_from_slice(&piece[..count]);
    }
    let _ = ended.send(());
}

fn shell_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap()
}
