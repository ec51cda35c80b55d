//! The transcript of a run that is over.
//!
//! Specification: `spec/transcript.md`. Written before `run.exited`, the last event, and before the others are told: it is a file of some
//! KB. Not its concern: its bytes (`core::transcript`), where it goes (`io::transcripts`).

use super::Engine;
use crate::core::transcript::Outcome;
use crate::failure::Failure;
use crate::io::{transcripts, unix_now};
use crate::report::{Report, Reporter, RunExited};

impl Engine {
    /// Writes it wherever the person wants one. That it cannot be written changes nothing of the run (TR-41).
    pub(super) fn write_transcript(&mut self, exited: &RunExited, reporter: &mut dyn Reporter) {
        let Some(record) = self.record.take() else { return };
        let keeping = &self.keeping;
        if !keeping.in_home && keeping.copy.is_none() {
            return;
        }
        let ended = unix_now();
        let outcome = Outcome {
            ended,
            exit: exited.code,
            program: exited.program,
            reason: exited.reason.as_ref().map(|failure| failure.kind.code()),
            peers: exited.peers.clone(),
        };
        let bytes = record.write(outcome, &self.identity);
        let mut tell = |written: Result<_, Failure>| match written {
            Ok(path) => reporter.report(&Report::Transcript { path }),
            Err(failure) => reporter.report(&Report::Warning(failure.message)),
        };
        if keeping.in_home {
            tell(transcripts::keep(&self.home, ended, &record.roster.hash(), &bytes));
        }
        if let Some(path) = &keeping.copy {
            tell(transcripts::copy(path, &bytes).map(|()| path.clone()));
        }
    }
}
