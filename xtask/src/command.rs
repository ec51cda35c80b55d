//! One command line: shown before it runs, as a person would type it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::failure::{About as _, Failure, Result};

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A command line.
#[derive(Debug)]
pub(crate) struct Line {
    words: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
}

impl Line {
    /// Words that are separated by spaces.
    pub(crate) fn new(words: &str) -> Self {
        Self { words: words.split_whitespace().map(OsString::from).collect(), environment: Vec::new() }
    }

    /// Cargo with these words.
    pub(crate) fn cargo(words: &str) -> Self {
        Self::new(&format!("cargo {words}"))
    }

    /// A program at this path, without words yet.
    pub(crate) fn program(path: impl Into<OsString>) -> Self {
        Self { words: vec![path.into()], environment: Vec::new() }
    }

    /// Adds one word as it is.
    pub(crate) fn word(mut self, word: impl Into<OsString>) -> Self {
        self.words.push(word.into());
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Prints the line, runs it in `folder` and shows its output; kills it at the deadline.
    pub(crate) fn show_in(self, folder: &Path, deadline: Option<Instant>) -> Result {
        let shown = self.shown();
        println!("$ {shown}");
        let mut child = self.command().current_dir(folder).spawn().about(format!("start {shown}"))?;
        loop {
            if let Some(status) = child.try_wait().about(format!("wait for {shown}"))? {
                return match status.success() {
                    true => Ok(()),
                    false => Err(Failure::check(format!("FAILED ({status}): {shown}"))),
                };
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failure::check(format!("TOO LATE, killed: {shown}")));
            }
            sleep(LOOK);
        }
    }

    /// Runs the line and returns what it says on stdout.
    pub(crate) fn quiet(self) -> Result<String> {
        self.quiet_in(None)
    }

    /// The same in a folder.
    pub(crate) fn quiet_in(self, folder: Option<&Path>) -> Result<String> {
        let shown = self.shown();
        let mut command = self.command();
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        let output = command.stderr(Stdio::piped()).output().about(format!("start {shown}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::check(format!("FAILED ({}): {shown}\n{}", output.status, said.trim_end())));
        }
        String::from_utf8(output.stdout).about(format!("read the output of {shown}"))
    }

    /// Tells whether the line can be run and succeeds; shows nothing.
    pub(crate) fn succeeds(self) -> bool {
        self.quiet().is_ok()
    }

    fn command(&self) -> Command {
        let mut words = self.words.iter();
        let mut command = Command::new(words.next().cloned().unwrap_or_default());
        command
            .args(words)
            .stdin(Stdio::null())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        // What `cargo run` tells us about this package; a build script below would take it for news and run again.
        for (name, _) in std::env::vars_os() {
            let package = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
            if name.to_str().is_some_and(|name| package.iter().any(|begin| name.starts_with(begin))) {
                command.env_remove(name);
            }
        }
        command
    }

    fn shown(&self) -> String {
        let mut shown = String::new();
        // Writing to a String cannot fail.
        for (name, value) in &self.environment {
            let _ = write!(shown, "{name}={} ", quoted(&value.to_string_lossy()));
        }
        let words: Vec<String> = self.words.iter().map(|word| quoted(&word.to_string_lossy())).collect();
        shown + &words.join(" ")
    }
}

/// Quotes a word for a shell if it needs to be.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_=+./:,@%".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_as_a_shell_would_take_it() {
        let line = Line::cargo("test --locked").with("HOW", "as it is").word("it's");
        assert_eq!(line.shown(), r"HOW='as it is' cargo test --locked 'it'\''s'");
    }

    #[test]
    fn a_line_that_fails_is_a_failure_and_one_that_hangs_is_killed() {
        let here = Path::new(".");
        assert!(Line::new("true").show_in(here, None).is_ok());
        assert!(Line::new("false").show_in(here, None).is_err());
        assert!(Line::new("no-such-program-anywhere").show_in(here, None).is_err());
        let killed = Line::new("cat /dev/zero").with("A", "b");
        let killed = Line { words: vec!["sh".into(), "-c".into(), "exec sleep 600".into()], ..killed };
        assert!(killed.show_in(here, Some(Instant::now())).unwrap_err().to_string().starts_with("TOO LATE"));
    }
}
