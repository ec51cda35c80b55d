//! One run of `didagent demo` as a program sees it, and what it left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::{About as _, Failure, Result};
use crate::workshop::Workshop;

/// A place where demos run: their temporary folders are in it and nothing else is.
#[derive(Debug)]
pub(crate) struct Stage {
    agent: PathBuf,
    python: PathBuf,
    folder: PathBuf,
    /// Where the words of a demo go that failed.
    failures: PathBuf,
}

/// What a demo said about itself.
#[derive(Debug)]
pub(crate) struct Done {
    /// From starting the program to its end.
    pub(crate) wall: Duration,
    /// The longest run of MPyC among the parties, in milliseconds.
    pub(crate) mpyc_ms: f64,
    /// From the moment at which the last party had joined until all sessions stood, in milliseconds.
    pub(crate) forming_ms: f64,
}

impl Stage {
    /// A stage for this binary; its MPyC runs in the workshop's Python.
    pub(crate) fn set(agent: PathBuf, workshop: &Workshop) -> Result<Self> {
        // Not in the target folder: the path of a local socket may have about 100 bytes.
        let folder = std::env::temp_dir().join(format!("didagent-xtask-{}", std::process::id()));
        fs::create_dir_all(&folder).about(format!("make {}", folder.display()))?;
        Ok(Self { agent, python: workshop.python(), folder, failures: workshop.made() })
    }

    /// Runs one demo; an error unless all parties have the same result and nothing is left.
    pub(crate) fn play(&self, parties: usize) -> Result<Done> {
        let begun = Instant::now();
        let mut demo = self.demo(parties);
        let output = self.output(&mut demo)?;
        let wall = begun.elapsed();
        let (mpyc_ms, forming_ms) = self.kept(&output, read(&done(&output)?, parties))?;
        self.kept(&output, self.check_that_nothing_is_left())?;
        Ok(Done { wall, mpyc_ms, forming_ms })
    }

    /// Runs a program in its folder, with another Python than the stage's; returns what each party printed.
    pub(crate) fn play_program(
        &self,
        parties: usize,
        python: &Path,
        program: &Path,
        arguments: &[&str],
    ) -> Result<Vec<String>> {
        let mut demo = self.demo(parties);
        if let Some(folder) = program.parent() {
            demo.current_dir(folder);
        }
        demo.env("DIDAGENT_PYTHON", python).arg("--program").arg(program).arg("--").args(arguments);
        let output = self.output(&mut demo)?;
        let results = self.kept(&output, done(&output).and_then(|last| results(&last, parties)))?;
        self.kept(&output, self.check_that_nothing_is_left())?;
        Ok(results)
    }

    fn demo(&self, parties: usize) -> Command {
        let mut demo = Command::new(&self.agent);
        demo.args(["demo", "--json", "--parties", &parties.to_string()])
            .env("TMPDIR", &self.folder)
            .env("XDG_RUNTIME_DIR", &self.folder)
            .env("DIDAGENT_PYTHON", &self.python)
            .stdin(Stdio::null());
        demo
    }

    fn output(&self, demo: &mut Command) -> Result<Output> {
        demo.output().about(format!("start {}", self.agent.display()))
    }

    /// Keeps all that a demo said when it was not as it should be: it may never happen again.
    fn kept<T>(&self, output: &Output, result: Result<T>) -> Result<T> {
        result.map_err(|failure| {
            let file = self.failures.join(format!("failed-demo-{}.txt", std::process::id()));
            let said = [&output.stdout[..], b"\n--- stderr\n", &output.stderr].concat();
            match fs::create_dir_all(&self.failures).and_then(|()| fs::write(&file, said)) {
                Ok(()) => failure.and(&format!("all that it said: {}", file.display())),
                Err(error) => failure.and(&format!("what it said could not be kept: {error}")),
            }
        })
    }

    fn check_that_nothing_is_left(&self) -> Result {
        let files = fs::read_dir(&self.folder).about(format!("list {}", self.folder.display()))?;
        let files: Vec<String> = files.flatten().map(|entry| entry.path().display().to_string()).collect();
        if !files.is_empty() {
            return Err(Failure::check(format!("FAILED: the demo left files: {}", files.join(", "))));
        }
        let processes = processes_that_name(&self.folder);
        if !processes.is_empty() {
            return Err(Failure::check(format!(
                "FAILED: the demo left processes:\n  {}",
                processes.join("\n  ")
            )));
        }
        let folder = self.folder.to_string_lossy();
        let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
        let sockets: Vec<&str> = sockets.lines().filter(|line| line.contains(&*folder)).collect();
        match sockets.is_empty() {
            true => Ok(()),
            false => {
                Err(Failure::check(format!("FAILED: the demo left sockets:\n  {}", sockets.join("\n  "))))
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Fails when something was left, which then stays to be looked at.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Returns the last event of a demo that ended well.
fn done(output: &Output) -> Result<String> {
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().last().unwrap_or_default();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::check(format!("FAILED ({}): {last}\n{}", output.status, stderr.trim_end())));
    }
    Ok(last.to_owned())
}

/// Reads what each of so many parties printed from the last event of a demo.
fn results(last: &str, parties: usize) -> Result<Vec<String>> {
    let fault = |what: &str| Failure::check(format!("FAILED: {what}: {last}"));
    let event: Value = serde_json::from_str(last).map_err(|_| fault("the last line is not JSON"))?;
    if event.get("type").and_then(Value::as_str) != Some("demo.done") {
        return Err(fault("the last event is not demo.done"));
    }
    let results = event.get("results").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let results: Vec<String> = results
        .iter()
        .filter_map(|result| result.as_str())
        .filter(|result| !result.is_empty())
        .map(str::to_owned)
        .collect();
    if results.len() == parties { Ok(results) } else { Err(fault("not every party has a result")) }
}

/// Reads the last event of a demo of so many parties; returns in milliseconds MPyC's share, and how long the sessions took.
fn read(last: &str, parties: usize) -> Result<(f64, f64)> {
    let fault = |what: &str| Failure::check(format!("FAILED: {what}: {last}"));
    let results = results(last, parties)?;
    if results.iter().any(|result| Some(result) != results.first()) {
        return Err(fault("the parties do not all have the same result"));
    }
    let event: Value = serde_json::from_str(last).map_err(|_| fault("the last line is not JSON"))?;
    let time = |name: &str| {
        event.get(name).and_then(Value::as_f64).ok_or_else(|| fault(&format!("there is no {name}")))
    };
    Ok((time("mpyc_ms")?, time("forming_ms")?))
}

/// Command lines of running processes that were started with this folder in their environment or arguments.
///
/// Linux only; elsewhere it finds nothing, and says so by being empty.
fn processes_that_name(folder: &Path) -> Vec<String> {
    let folder = folder.as_os_str().as_encoded_bytes();
    let named = |path: PathBuf| {
        fs::read(path).is_ok_and(|bytes| bytes.windows(folder.len()).any(|window| window == folder))
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes =
        entries.filter(|entry| entry.file_name().to_string_lossy().chars().all(|c| c.is_ascii_digit()));
    let found =
        processes.filter(|entry| named(entry.path().join("environ")) || named(entry.path().join("cmdline")));
    found
        .map(|entry| {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).replace('\0', " ")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::process::Stdio;

    use super::*;

    #[test]
    fn only_equal_results_of_all_parties_are_a_success() {
        let done = |results: &str| {
            format!(r#"{{"v":1,"type":"demo.done","results":{results},"mpyc_ms":800.5,"forming_ms":20.25}}"#)
        };
        assert_eq!(read(&done(r#"["a","a","a"]"#), 3).unwrap(), (800.5, 20.25));
        for wrong in [r#"["a","a","b"]"#, r#"["a","a"]"#, r#"["","",""]"#, "[]", "[1,1,1]"] {
            assert!(read(&done(wrong), 3).is_err(), "{wrong}");
        }
        assert!(read(r#"{"v":1,"type":"error"}"#, 3).is_err());
        assert!(read("", 3).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn finds_a_process_by_its_environment() {
        let folder = format!("/tmp/didagent-xtask-test-{}", std::process::id());
        let mut cat = Command::new("cat");
        let pipes = cat.env("TMPDIR", &folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        // Between fork and exec a process has no environment yet; one that answers is past that.
        let mut echo = [0];
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut echo).unwrap();
        let found = processes_that_name(Path::new(&folder));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, ["cat "]);
        assert!(processes_that_name(Path::new(&folder)).is_empty());
    }
}
