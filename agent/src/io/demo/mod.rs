//! The demo: the same commands that people would type, as separate processes with separate homes.
//!
//! ```text
//! didagent mediator serve            -> its link
//! didagent invite --mediator LINK    -> the invitation
//! didagent join -                    <- the invitation, as every guest gets it
//! ```
//!
//! The processes share nothing but these two links. What is shown comes from their output; the result is what MPyC printed
//! at each party. The program is the one that comes along, or a person's own, which then runs in the person's folder and
//! with the same arguments at every party.
//!
//! Not its concern: how a party works (`engine`), what people see of it (`cli::demo`).

mod outcome;
mod program;
mod stage;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::failure::{Failure, Kind};
use crate::io::os::EndRequests;
use crate::io::python_env::MPYC_VERSION;
pub(crate) use outcome::{Outcome, PartyOutcome};
use stage::Stage;

/// Names of the parties. There are as many as a demo may have: each is a process with a Python of its own, and more of them
/// show nothing that ten do not.
pub(crate) const NAMES: [&str; 10] =
    ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];

/// How much later than its children the demo may see a signal that a terminal sent to all of them.
const SIGNAL: Duration = Duration::from_millis(300);

/// What the demo is to do.
#[derive(Debug)]
pub(crate) struct Wish {
    /// How many parties, 2 to as many as there are [`NAMES`].
    pub(crate) parties: usize,
    /// A person's own program in place of the one that comes along.
    pub(crate) program: Option<PathBuf>,
    /// How long a party waits for what is missing in the run.
    pub(crate) patience: Duration,
    /// Its arguments, the same for every party.
    pub(crate) arguments: Vec<OsString>,
}

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
    /// A line that a party or its program wrote to stderr; only of a person's own program.
    Stderr {
        /// The party's name.
        party: &'static str,
        /// The line without its end.
        line: String,
    },
}

/// Hears what the demo reports.
pub(crate) type Tell<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// Runs the demo.
///
/// # Errors
/// Whatever keeps the parties from a run; and with the program that comes along, everything but a good end.
pub(crate) async fn run(wish: &Wish, tell: Tell<'_>) -> Result<Outcome, Failure> {
    let mut ends = EndRequests::listen().map_err(|error| other("listen to signals", &error))?;
    let interrupted = || Failure::new(Kind::Interrupted, "interrupted");
    if let Some(program) = &wish.program {
        program::look_at(program)?;
    }
    let mut stage = Stage::set()?;
    let outcome = tokio::select! {
        biased;
        () = ends.next() => Err(interrupted()),
        outcome = stage.play(wish, tell) => outcome,
    };
    // A signal to the whole group may reach a child before it has a group of its own, and its end be seen first.
    let ended_well = outcome.as_ref().is_ok_and(|outcome| outcome.code() == 0);
    let outcome =
        if !ended_well && timeout(SIGNAL, ends.next()).await.is_ok() { Err(interrupted()) } else { outcome };
    stage.clear().await;
    outcome
}

fn other(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Other, format!("cannot {what}: {error}"))
}

/// Says which MPyC the demo uses, for the screen.
pub(crate) fn python_shown(python: &Path) -> String {
    format!("{} (MPyC {MPYC_VERSION})", python.display())
}
