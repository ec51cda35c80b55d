//! The person's program: looked at before anybody is invited, started under the supervisor when everybody is ready.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use didagent_bridge::launch::{self, Rewritten};
use didagent_bridge::manifest::{self, Manifest, ManifestError, Probe};
use didagent_bridge::plan;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::core::room::ThresholdRule;
use crate::failure::{Failure, Kind};
use crate::io::home::RunDir;
use crate::io::supervise::{self, spawn_failure};
use crate::io::{os, stdout};

/// How long Python may take to say whether it has MPyC: a cold start from a slow disk takes seconds.
const PROBE: Duration = Duration::from_secs(60);

/// Longest line of a program's captured stdout in bytes; a longer one is handed on in pieces.
const MAX_LINE: u64 = 64 * 1024;

/// Longest name of a program that is told, in characters.
const MAX_NAME: usize = 100;

/// Lines of captured output that wait for the reader of our own stdout; then the program waits.
const LINES: usize = 64;

/// A command that can be started, as far as can be told beforehand.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// The words, with the interpreter in front if it is a Python script.
    resolved: Vec<OsString>,
    is_python: bool,
    comparing: Comparing,
    manifest: Manifest,
    /// What the launcher checks at the start.
    agreed: Vec<u8>,
}

/// What a person says about comparing programs.
#[derive(Debug, Clone, Default)]
pub struct Comparing {
    /// The arguments are the same for everybody, so they are told and compared.
    pub same_args: bool,
    /// More files to compare.
    pub include: Vec<OsString>,
    /// Programs that cannot be compared are allowed.
    pub allow_unknown: bool,
}

impl Program {
    /// Looks at a command: the program must exist, and if it is Python, it must have MPyC.
    ///
    /// # Errors
    /// [`Kind::CommandNotFound`], [`Kind::CommandNotExecutable`], [`Kind::MpycMissing`], [`Kind::ProgramUnclear`].
    pub(crate) async fn check(typed: Vec<OsString>, comparing: Comparing) -> Result<Self, Failure> {
        let resolved = didagent_bridge::io::resolve(&typed);
        let first =
            resolved.first().ok_or_else(|| Failure::new(Kind::Usage, "there is no program after `--`"))?;
        find(first)?;
        let is_python = matches!(launch::rewrite(&resolved, Path::new("launcher.py")), Rewritten::Python(_));
        if is_python {
            if let Some(word) = plan::conflicting_argument(&launch::arguments_of(&resolved)) {
                let word = word.to_string_lossy();
                return Err(Failure::new(
                    Kind::Usage,
                    format!("the program's argument {word} is one that didagent gives to MPyC"),
                )
                .hint(format!("leave {word} out; didagent adds -P and -I itself")));
            }
            let script = launch::script_of(&resolved).map(PathBuf::from);
            if let Some(script) = script.filter(|script| !script.exists()) {
                let shown = script.display();
                return Err(Failure::new(Kind::CommandNotFound, format!("there is no program {shown}"))
                    .hint("check the words after `--`"));
            }
        }
        let (manifest, agreed) = describe(&resolved, &comparing).await?;
        Ok(Self { resolved, is_python, comparing, manifest, agreed })
    }

    /// Looks at the program once more and returns what it would run now: its person may have mended it.
    ///
    /// # Errors
    /// As [`Program::check`].
    pub(crate) async fn look_again(mut self) -> Result<Self, Failure> {
        (self.manifest, self.agreed) = describe(&self.resolved, &self.comparing).await?;
        Ok(self)
    }

    /// Returns what it would run.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns how the threshold follows from the command line: MPyC's `-T`, else its default.
    pub(crate) fn threshold(&self) -> ThresholdRule {
        launch::threshold(&self.resolved).map_or(ThresholdRule::Default, ThresholdRule::Fixed)
    }

    /// Says whether the launcher keeps the program's own port on loopback.
    pub(crate) fn is_python(&self) -> bool {
        self.is_python
    }

    /// Starts the program with MPyC's arguments under the supervisor, which attaches to the local socket of `home`.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] or [`Kind::Other`] when it cannot be started.
    pub(crate) fn start(
        &self,
        arguments: &[String],
        home: &Path,
        run_dir: &RunDir,
        capture: bool,
    ) -> Result<Running, Failure> {
        let launcher = run_dir.write_launcher()?;
        if !self.agreed.is_empty() {
            run_dir.write_agreed(&self.agreed)?;
        }
        let command = match launch::rewrite_with(&self.resolved, &launcher, arguments) {
            Rewritten::Python(command) => command,
            Rewritten::NotPython => {
                self.resolved.iter().cloned().chain(arguments.iter().map(OsString::from)).collect()
            }
        };
        let itself = std::env::current_exe().map_err(|error| {
            Failure::new(Kind::Other, format!("this program cannot find itself: {error}"))
        })?;
        let mut supervisor = Command::new(itself);
        supervisor.arg("supervise").arg("--socket").arg(os::local_socket_path(home)).arg("--").args(command);
        if capture {
            supervisor.stdout(Stdio::piped());
        }
        os::adopt_orphans();
        let passed_on = os::PassedOn::listen().map_err(|error| {
            Failure::new(Kind::Other, format!("signals for the program cannot be received: {error}"))
        })?;
        let mut child = supervisor.spawn().map_err(|error| {
            Failure::new(Kind::Other, format!("the supervisor cannot be started: {error}"))
        })?;
        let lines = child.stdout.take().map(|stdout| {
            let (sender, lines) = mpsc::channel(LINES);
            tokio::spawn(read_lines(stdout, sender));
            lines
        });
        Ok(Running { child, lines, passed_on })
    }
}

/// A program that was started.
#[derive(Debug)]
pub(crate) struct Running {
    /// The supervisor.
    pub(crate) child: Child,
    /// Captured lines of its stdout, until it is closed.
    pub(crate) lines: Option<mpsc::Receiver<String>>,
    /// Signals that are the program's.
    pub(crate) passed_on: os::PassedOn,
}

impl Running {
    /// Waits for the end of `child`, the supervisor, hands on to it the signals that are the program's, and returns the program's exit
    /// code as a shell gives it.
    pub(crate) async fn code(child: &mut Child, passed_on: &mut os::PassedOn) -> u8 {
        let pid = child.id();
        let status = tokio::select! {
            status = child.wait() => status,
            never = passed_on.hand_on(pid) => never,
        };
        // A supervisor ends with an exit code. One that was killed has left the program to us.
        if status.as_ref().map_or(true, |status| status.code().is_none()) {
            supervise::end_what_is_left().await;
        }
        status.map_or(1, os::shell_code)
    }

    /// Kills a supervisor that hangs, and the program with it.
    pub(crate) async fn kill(&mut self) {
        let _ = self.child.kill().await;
        supervise::end_what_is_left().await;
    }
}

/// Asks the program's own Python what it would run.
async fn describe(command: &[OsString], comparing: &Comparing) -> Result<(Manifest, Vec<u8>), Failure> {
    let probe = manifest::probe_command(command, comparing.same_args, &comparing.include);
    let (mut told, agreed) = match &probe {
        Some(words) => {
            let probe = probe_with(words).await?;
            if probe.manifest.mpyc.is_none() {
                let python = words.first().map(|python| python.display().to_string()).unwrap_or_default();
                return Err(Failure::new(Kind::MpycMissing, format!("{python} has no MPyC"))
                    .hint(format!("{python} -m pip install mpyc==0.11")));
            }
            (probe.manifest, probe.agreed)
        }
        None => {
            let name = command.first().and_then(|word| Path::new(word).file_name());
            let name = name.map(|name| name.to_string_lossy().chars().take(MAX_NAME).collect());
            (Manifest::unknown(name.unwrap_or_default()), Vec::new())
        }
    };
    told.allow_unknown = comparing.allow_unknown;
    Ok((told, agreed))
}

async fn probe_with(words: &[OsString]) -> Result<Probe, Failure> {
    let Some((python, arguments)) = words.split_first() else {
        return Err(Failure::new(Kind::Usage, "there is no program after `--`"));
    };
    let asked = Command::new(python)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = match timeout(PROBE, asked).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(spawn_failure(python, &error)),
        Err(_) => return Err(silent(python)),
    };
    manifest::read_probe(&output.stdout).map_err(|error| match error {
        ManifestError::Program(why) => Failure::new(Kind::ProgramUnclear, why),
        error => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing");
            let python = python.display();
            Failure::new(Kind::ProgramUnclear, format!("{error}; {python} said: {said}"))
        }
    })
}

fn silent(python: &OsStr) -> Failure {
    let python = python.display();
    let seconds = PROBE.as_secs();
    Failure::new(Kind::CommandNotExecutable, format!("{python} did not answer within {seconds} s"))
}

/// Returns the version of MPyC that `python` has, or `None`.
///
/// # Errors
/// [`Kind::CommandNotExecutable`] when `python` does not run.
pub(crate) async fn mpyc_version(python: &OsString) -> Result<Option<String>, Failure> {
    // The version without an import of MPyC, which would parse our arguments and take a second. With `-c` Python looks for
    // modules in the current folder first; the program itself would not, so neither may this.
    const ASK: &str = "import sys; del sys.path[0]; import importlib.metadata as m; print(m.version('mpyc'))";
    let asked = Command::new(python)
        .args(["-c", ASK])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    match timeout(PROBE, asked).await {
        Ok(Ok(output)) if output.status.success() => {
            Ok(Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()))
        }
        Ok(Ok(_)) => Ok(None),
        Ok(Err(error)) => Err(spawn_failure(python, &error)),
        Err(_) => Err(silent(python)),
    }
}

/// Finds the program as the system will when it starts it.
fn find(program: &OsString) -> Result<(), Failure> {
    let path = Path::new(program);
    let candidates: Vec<PathBuf> = if path.components().count() > 1 || path.is_absolute() {
        vec![path.to_owned()]
    } else {
        std::env::var_os("PATH")
            .map(|paths| std::env::split_paths(&paths).map(|dir| dir.join(path)).collect())
            .unwrap_or_default()
    };
    let found = candidates.iter().find(|candidate| candidate.is_file());
    match found {
        None if path.is_dir() => {
            let error = std::io::Error::new(std::io::ErrorKind::IsADirectory, "it is a folder");
            Err(spawn_failure(program, &error))
        }
        None => Err(spawn_failure(program, &std::io::ErrorKind::NotFound.into())),
        Some(found) if !os::is_executable(found) => {
            Err(spawn_failure(program, &std::io::ErrorKind::PermissionDenied.into()))
        }
        Some(_) => Ok(()),
    }
}

async fn read_lines(stdout: tokio::process::ChildStdout, sender: mpsc::Sender<String>) {
    let mut reader = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        stdout::room().await;
        let limit = MAX_LINE.saturating_sub(u64::try_from(line.len()).unwrap_or(MAX_LINE));
        match (&mut reader).take(limit).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) if line.is_empty() => return,
            Ok(_) | Err(_) => {
                let rest = cut_character(&mut line);
                let text = String::from_utf8_lossy(&line);
                let ended = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
                if sender.send(ended.unwrap_or(&text).to_owned()).await.is_err() {
                    return;
                }
                line = rest;
            }
        }
    }
}

/// Takes a character that is not complete off the end of a piece of a line; the next piece begins with it.
fn cut_character(piece: &mut Vec<u8>) -> Vec<u8> {
    if u64::try_from(piece.len()).unwrap_or(MAX_LINE) < MAX_LINE {
        return Vec::new();
    }
    let whole = match std::str::from_utf8(piece) {
        // Only the end is missing; anything else is no text.
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => piece.len(),
    };
    piece.split_off(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_character_that_is_cut_at_the_end_of_a_piece_is_kept_for_the_next() {
        let size = usize::try_from(MAX_LINE).unwrap();
        let mut piece = vec![b'a'; size - 1];
        piece.push("\u{e9}".as_bytes()[0]);
        assert_eq!(cut_character(&mut piece), ["\u{e9}".as_bytes()[0]]);
        assert_eq!(piece.len(), size - 1);
        for mut whole in [vec![b'a'; size], vec![0xff; size], vec![b'a', 0xc3]] {
            assert!(cut_character(&mut whole).is_empty());
        }
    }
}
