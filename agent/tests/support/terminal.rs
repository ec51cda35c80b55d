//! A person at a terminal: types a command as it stands in the guide, reads the screen, types answers.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::{ChildStdin, Stdio};

use super::party::bare;
use super::process::Process;
use super::{didagent, program, python};

/// Somebody's terminal, with one command running in it.
#[derive(Debug)]
pub struct Terminal {
    /// Whose it is.
    pub name: String,
    process: Process,
    keyboard: ChildStdin,
    lines: Vec<String>,
}

/// A terminal after its command has ended.
#[derive(Debug)]
pub struct Left {
    /// Whose it was.
    pub name: String,
    /// The command's exit code.
    pub code: i32,
    /// All that it showed.
    pub lines: Vec<String>,
    /// The terminal's modes are what they were.
    pub modes_kept: bool,
}

impl Terminal {
    /// `name` types `didagent <words>` in the folder with the tests' programs. `python` is the one with MPyC, the account's
    /// name is the person's, and `environment` comes on top.
    pub fn start(name: &str, home: &Path, words: &[&str], environment: &[(&str, OsString)]) -> Self {
        let interpreter = python();
        let vote = program("vote.py");
        let mut command = bare(Path::new(&interpreter));
        let mut path = Path::new(&interpreter).parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        command.arg(program("terminal.py")).arg(didagent()).args(words).stdin(Stdio::piped());
        command.env("PATH", path).env("DIDAGENT_HOME", home).env("USER", name);
        command.env_remove("DIDAGENT_NO_PRIVACY").env_remove("DIDAGENT_ALLOW_UNKNOWN_PROGRAM");
        command.envs(environment.iter().cloned()).current_dir(vote.parent().unwrap());
        let mut process = Process::start(name, &mut command);
        let keyboard = process.stdin();
        let lines = vec![format!("$ didagent {}", words.join(" "))];
        Self { name: name.to_owned(), process, keyboard, lines }
    }

    /// Waits for a line with `text`, and returns it.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let Some(line) = self.process.next_line() else {
                panic!("{} saw no {text:?}: {:#?}\n{}", self.name, self.lines, self.process.stderr());
            };
            let line = line.trim_end_matches('\r').to_owned();
            self.lines.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Types a line and Enter.
    pub fn types(&mut self, line: &str) {
        writeln!(self.keyboard, "{line}").unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Presses Ctrl-C.
    pub fn ctrl_c(&self) {
        self.process.signal("USR1");
    }

    /// Waits for the command's end.
    pub fn finish(self) -> Left {
        let Self { name, process, mut lines, keyboard } = self;
        let finished = process.finish();
        drop(keyboard);
        lines.extend(finished.lines.iter().map(|line| line.trim_end_matches('\r').to_owned()));
        Left { name, code: finished.code, lines, modes_kept: finished.stderr.contains("modes kept") }
    }
}
