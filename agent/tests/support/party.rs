//! A party: one `didagent invite` or `didagent join`, its events, and how it ended.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::PATIENCE;
use super::process::{Finished, Process};
use super::schema::Events;

/// A command line of a party that was not started yet.
#[derive(Debug)]
pub struct Agent {
    /// The binary.
    pub binary: PathBuf,
    /// The home folder.
    pub home: PathBuf,
    /// The name that others see.
    pub name: String,
    words: Vec<OsString>,
    command: Vec<OsString>,
    json: bool,
    named: bool,
    own_group: bool,
    environment: Vec<(OsString, OsString)>,
    /// A shell line around the command, with `"$@"` for it.
    shell: Option<String>,
    stderr: Stderr,
    slowly: bool,
}

/// Where stderr goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stderr {
    Kept,
    Unread,
    WithStdout,
}

impl Agent {
    /// `didagent <words> --name <name>`, with events as JSON.
    pub fn new(binary: PathBuf, home: PathBuf, name: &str, words: &[&str]) -> Self {
        let words = words.iter().map(OsString::from).collect();
        let command = Vec::new();
        Self {
            binary,
            home,
            name: name.to_owned(),
            words,
            command,
            json: true,
            named: true,
            own_group: false,
            environment: Vec::new(),
            shell: None,
            stderr: Stderr::Kept,
            slowly: false,
        }
    }

    /// Adds words to the command line, in front of the program.
    pub fn option(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(OsString::from));
        self
    }

    /// Gives the program to run.
    pub fn program(mut self, command: Vec<OsString>) -> Self {
        self.command = command;
        self
    }

    /// Gives no name.
    pub fn unnamed(mut self) -> Self {
        self.named = false;
        self
    }

    /// Shows what people see, in place of events.
    pub fn for_people(mut self) -> Self {
        self.json = false;
        self
    }

    /// Gives it a process group of its own, as a shell does.
    pub fn in_own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    /// Sets a variable of its environment.
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Lets another command read its stdout; the exit code is still the agent's.
    pub fn read_by(mut self, reader: &str) -> Self {
        self.shell = Some(format!("set -o pipefail; \"$@\" | {reader}"));
        self
    }

    /// Throws its stderr away, and that of its program.
    pub fn unread_stderr(mut self) -> Self {
        self.stderr = Stderr::Unread;
        self
    }

    /// Writes stderr to where stdout goes.
    pub fn stderr_to_stdout(mut self) -> Self {
        self.stderr = Stderr::WithStdout;
        self
    }

    /// Leaves its stdout in the pipe until the test asks for a line.
    pub fn read_slowly(mut self) -> Self {
        self.slowly = true;
        self
    }

    /// Runs it at a terminal of its own, as people do; see `programs/terminal.py`.
    pub fn at_terminal(mut self) -> Self {
        self.json = false;
        self.shell = Some(format!(
            "exec '{}' '{}' \"$@\"",
            super::python().display(),
            super::program("terminal.py").display()
        ));
        self
    }

    /// Runs it inside a shell line, with `"$@"` for its command.
    pub fn inside(mut self, line: &str) -> Self {
        self.shell = Some(line.to_owned());
        self
    }

    /// Starts it.
    pub fn start(self) -> Party {
        let mut command = match &self.shell {
            None => bare(&self.binary),
            Some(line) => {
                let line = match self.stderr {
                    Stderr::WithStdout => line.replace("\"$@\"", "\"$@\" 2>&1"),
                    Stderr::Unread => line.replace("\"$@\"", "\"$@\" 2>/dev/null"),
                    Stderr::Kept => line.clone(),
                };
                let mut command = bare(std::path::Path::new("bash"));
                command.args(["-c", &line, "bash"]).arg(&self.binary);
                command
            }
        };
        command.arg("--home").arg(&self.home).args(&self.words);
        if self.named {
            command.args(["--name", &self.name]);
        }
        if self.json {
            command.arg("--json");
        }
        if !self.command.is_empty() {
            command.arg("--").args(&self.command);
        }
        if self.own_group {
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        command.envs(self.environment).stdin(Stdio::null());
        let process = match (self.slowly, self.stderr) {
            (true, _) => Process::start_unhurried(&self.name, &mut command, self.stderr != Stderr::Kept),
            (false, Stderr::Unread) if self.shell.is_none() => panic!("only with a shell or read slowly"),
            (false, _) => Process::start(&self.name, &mut command),
        };
        Party { name: self.name, home: self.home, process, events: Vec::new() }
    }

    /// Starts it and waits for its end.
    pub fn run(self) -> Ended {
        self.start().finish()
    }
}

/// A `didagent` command without anything of the tests' own environment that would change what it does.
pub fn bare(binary: &std::path::Path) -> Command {
    let mut command = Command::new(binary);
    for variable in [
        "DIDAGENT_ALLOW_PRIVATE_HOSTS",
        "DIDAGENT_CONFIRM",
        "DIDAGENT_CONFIRM_WITHIN",
        "DIDAGENT_HOME",
        "DIDAGENT_LINK",
        "DIDAGENT_LOG",
        "DIDAGENT_MEDIATOR",
        "DIDAGENT_NEW_DID",
        "DIDAGENT_NO_TRANSCRIPT",
        "DIDAGENT_PATIENCE",
        "DIDAGENT_PYTHON",
        "DIDAGENT_STRANGERS",
        "MPYC_NOPRSS",
    ] {
        command.env_remove(variable);
    }
    // Most runs of these tests have two parties, and some run `true`.
    command.env("DIDAGENT_NO_PRIVACY", "1").env("DIDAGENT_ALLOW_UNKNOWN_PROGRAM", "1");
    command
}

/// A running party.
#[derive(Debug)]
pub struct Party {
    /// Its name.
    pub name: String,
    /// Its home folder.
    pub home: PathBuf,
    /// Its process.
    pub process: Process,
    events: Vec<Value>,
}

impl Party {
    /// Waits for the next event of this type; earlier ones of other types are passed over, and kept.
    pub fn wait_for(&mut self, wanted: &str) -> Value {
        loop {
            let Some(line) = self.process.next_line() else {
                let (name, events, stderr) = (&self.name, &self.events, self.process.stderr());
                panic!("{name} ended without {wanted}; events: {events:#?}\nstderr:\n{stderr}");
            };
            let event = event(&line);
            self.events.push(event.clone());
            if event["type"] == wanted {
                return event;
            }
        }
    }

    /// Says whether the next event is of this type; `false` also when there is none any more.
    pub fn next_is(&mut self, wanted: &str) -> bool {
        let Some(line) = self.process.next_line() else { return false };
        self.events.push(event(&line));
        self.events.last().is_some_and(|event| event["type"] == wanted)
    }

    /// The event of this type that came already.
    pub fn kept(&self, wanted: &str) -> &Value {
        let found = self.events.iter().find(|event| event["type"] == wanted);
        found.unwrap_or_else(|| panic!("{} had no {wanted}: {:#?}", self.name, self.events))
    }

    /// Waits until the program wrote a line that begins with `start`, and returns the rest of it.
    pub fn wait_for_output(&mut self, start: &str) -> String {
        loop {
            let output = self.wait_for("run.output");
            if let Some(rest) = text(&output, "line").strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// Forgets the events so far.
    pub fn forget(&mut self) {
        self.events.clear();
    }

    /// Waits for MPyC's arguments, and returns the ports in them by party index.
    pub fn wait_for_ports(&mut self) -> Vec<u16> {
        ports_in(&words(&self.wait_for("run.ports")["arguments"]))
    }

    /// Waits for its end.
    pub fn finish(self) -> Ended {
        self.finish_within(PATIENCE)
    }

    /// Waits for its end, which a deadline under test puts off.
    pub fn finish_within(self, limit: Duration) -> Ended {
        let Self { name, process, mut events, .. } = self;
        let Finished { code, lines, stderr } = process.finish_within(limit);
        // In human form the lines are text.
        let (json, text): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.starts_with('{'));
        events.extend(json.iter().map(|line| event(line)));
        Ended { name, code, events, text, stderr }
    }
}

/// How a party ended.
#[derive(Debug)]
pub struct Ended {
    /// Its name.
    pub name: String,
    /// Exit code.
    pub code: i32,
    /// All its events.
    pub events: Vec<Value>,
    /// Lines on stdout that are no events.
    pub text: Vec<String>,
    /// All of stderr.
    pub stderr: String,
}

impl Ended {
    /// The only event of this type.
    pub fn event(&self, wanted: &str) -> &Value {
        let found = self.events(wanted);
        assert_eq!(found.len(), 1, "{} has not one {wanted}: {self:#?}", self.name);
        found[0]
    }

    /// All events of this type.
    pub fn events(&self, wanted: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["type"] == wanted).collect()
    }

    /// What its program wrote on stdout.
    pub fn output(&self) -> Vec<&str> {
        self.events("run.output").into_iter().map(|event| text(event, "line")).collect()
    }

    /// Fails unless it ended well.
    pub fn assert_ok(&self) -> &Self {
        assert_eq!(self.code, 0, "{self:#?}");
        assert!(self.events("error").is_empty(), "{self:#?}");
        if let [exited] = self.events("run.exited").as_slice() {
            assert!(exited["reason"].is_null(), "{self:#?}");
        }
        self
    }

    /// Fails unless it ended before a program ran, with this exit code and one error with this code; returns the message.
    pub fn assert_error(&self, exit: i32, code: &str) -> &str {
        assert_eq!(self.code, exit, "{self:#?}");
        let error = self.event("error");
        assert_eq!((text(error, "code"), &error["exit"]), (code, &exit.into()), "{self:#?}");
        assert!(self.events("run.exited").is_empty(), "{self:#?}");
        text(error, "message")
    }

    /// Fails unless its program was stopped for this reason; returns the message.
    pub fn assert_stopped(&self, exit: i32, code: &str) -> &str {
        assert_eq!(self.code, exit, "{self:#?}");
        let exited = self.event("run.exited");
        assert_eq!((&exited["code"], text(&exited["reason"], "code")), (&exit.into(), code), "{self:#?}");
        assert!(exited["program"].is_null(), "{self:#?}");
        text(&exited["reason"], "message")
    }
}

/// A member of an event that is a text.
pub fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event[name].as_str().unwrap_or_else(|| panic!("no text {name} in {event}"))
}

/// A list of texts.
pub fn words(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// The ports in MPyC's arguments, by party index.
pub fn ports_in(arguments: &[String]) -> Vec<u16> {
    let addresses = arguments.iter().filter_map(|word| word.strip_prefix("127.0.0.1:"));
    addresses.map(|port| port.parse().unwrap()).collect()
}

/// Whatever a test does, each event that it sees must be one that is described.
fn event(line: &str) -> Value {
    Events::shared().read(line)
}
