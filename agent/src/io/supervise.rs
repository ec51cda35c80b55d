//! The supervisor: a small process between the engine and the program.
//!
//! `kill -9` of the engine must end the program too, and no portable way exists to ask the system for that without `unsafe`
//! code. So the engine starts itself as `didagent supervise`, which starts the program, shares its terminal, and watches the
//! engine's local socket: when the engine asks for it, or is gone, the program is stopped.
//!
//! ```text
//! engine --starts--> supervisor --starts--> program
//!    ^---local socket----'
//! ```

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout_at};

use crate::failure::{Failure, Kind};
use crate::io::local_api::Supervision;
use crate::io::os::{self, Below};

/// How long a program may take to end after it was asked to; then it is killed.
const GRACE: Duration = Duration::from_secs(3);

/// How long what a program left in the background may take to end by itself, for example to write the last lines of a log.
const REST: Duration = Duration::from_secs(1);

/// Pause between two looks at what the program left behind.
const LOOK: Duration = Duration::from_millis(20);

/// How often what the program left behind is killed; twice is enough for anything but a fork bomb.
const KILLS: usize = 50;

/// Runs `command` until it ends, the engine asks to stop it, or the engine is gone. Returns the program's exit code as a
/// shell would.
pub(crate) async fn supervise(socket: &Path, command: &[OsString]) -> u8 {
    match run(socket, command).await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{}", failure.screen());
            failure.kind.exit()
        }
    }
}

async fn run(socket: &Path, command: &[OsString]) -> Result<u8, Failure> {
    // Ctrl-C reaches the program by itself; the supervisor stays to hand on its exit code.
    let other =
        |error: io::Error| Failure::new(Kind::Other, format!("the program cannot be supervised: {error}"));
    let mut ends = os::EndRequests::listen().map_err(other)?;
    let mut passed_on = os::PassedOn::listen().map_err(other)?;
    let mut supervision = Supervision::attach(socket).await.map_err(other)?;
    let modes = os::TerminalModes::note();
    os::adopt_orphans();
    let mut child = spawn(command)?;
    let pid = child.id();
    let group = pid.and_then(os::group_of);
    let status = loop {
        tokio::select! {
            status = child.wait() => {
                if let Some(group) = group {
                    tokio::select! {
                        () = end_rest_of_group(group) => {}
                        _wanted = supervision.stop_wanted() => kill(Below::All).await,
                    }
                }
                break status;
            }
            _wanted = supervision.stop_wanted() => break stop(&mut child).await,
            () = ends.next() => {}
            () = passed_on.hand_on(pid) => {}
        }
    };
    if let Some(modes) = modes
        && status.as_ref().map_or(true, |status| status.code().is_none())
    {
        // A program that a signal ended, while it asked for a password for example, could not put them back itself.
        modes.restore();
    }
    status.map(os::shell_code).map_err(other)
}

fn spawn(command: &[OsString]) -> Result<Child, Failure> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| Failure::new(Kind::Usage, "there is no program to run"))?;
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    if !std::io::stdin().is_terminal() {
        // What it starts can then be ended with it, on every system. Not at a terminal: there only the terminal's own group
        // may read what a person types, and Ctrl-C reaches that group anyway.
        os::own_group(&mut command);
    }
    command.spawn().map_err(|error| spawn_failure(program, &error))
}

/// Returns the failure of a program that cannot be started, with the shell's exit codes.
pub(crate) fn spawn_failure(program: &OsString, error: &io::Error) -> Failure {
    let name = program.display();
    match error.kind() {
        io::ErrorKind::NotFound => Failure::new(Kind::CommandNotFound, format!("there is no program {name}"))
            .hint("check the words after `--`"),
        _ if os::is_no_program(error) => {
            Failure::new(Kind::CommandNotExecutable, format!("{name} is no program of this machine: {error}"))
                .hint(
                    "a script begins with a line such as #!/bin/sh; or write its interpreter in front of it",
                )
        }
        _ => Failure::new(Kind::CommandNotExecutable, format!("{name} cannot be started: {error}")),
    }
}

/// Ends the program and everything that it started, whatever became of the processes in between: asks, waits, kills.
async fn stop(child: &mut Child) -> io::Result<std::process::ExitStatus> {
    let pid = child.id();
    // It may have ended just now; the wait below says so.
    let _ = pid.map(os::ask_group_to_end);
    os::ask_to_end_below(Below::All);
    let deadline = Instant::now() + GRACE;
    let asked = timeout_at(deadline, child.wait()).await;
    if asked.is_ok() {
        ended_by(Below::All, deadline).await;
    }
    let status = match asked {
        Ok(status) => status,
        Err(_) => {
            child.start_kill()?;
            child.wait().await
        }
    };
    let _ = pid.map(os::kill_group);
    kill(Below::All).await;
    status
}

/// Ends what a program that has ended left in its process group, as the rest of a shell's pipeline: it has nothing to talk to any
/// more. What the program put into a session of its own it wanted to stay.
async fn end_rest_of_group(group: Below) {
    if ended_by(group, Instant::now() + REST).await {
        return;
    }
    eprintln!("warning: the program has ended but left processes in the background; they are ended now");
    os::ask_to_end_below(group);
    if !ended_by(group, Instant::now() + GRACE).await {
        kill(group).await;
    }
}

/// Waits until these processes have ended, and says whether they have by the deadline.
async fn ended_by(which: Below, deadline: Instant) -> bool {
    while os::is_any_below(which) {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK).await;
    }
    true
}

/// Kills every process below this one; for an engine whose supervisor is gone.
pub(crate) async fn end_what_is_left() {
    kill(Below::All).await;
}

async fn kill(which: Below) {
    // One that forks while it is being killed is found the next time.
    for _ in 0..KILLS {
        if !os::is_any_below(which) {
            break;
        }
        os::kill_below(which);
        sleep(LOOK).await;
    }
}
