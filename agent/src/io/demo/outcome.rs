//! What came out of a demo, and whose fault it was.

use std::time::Duration;

use serde_json::Value;

use crate::failure::{Failure, Kind};

/// How much of a program's output is kept for the result, in bytes. All of it is reported as it comes.
const KEPT_OUTPUT: usize = 256 * 1024;

/// What came out.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// In the order of the party indices.
    pub(crate) parties: Vec<PartyOutcome>,
    /// From the start of the mediator to the end of the last party.
    pub(crate) elapsed: Duration,
}

/// What came out at one party.
#[derive(Debug)]
pub(crate) struct PartyOutcome {
    pub(crate) name: &'static str,
    pub(crate) index: u64,
    /// What the program printed on stdout, as far as it is kept.
    pub(crate) output: Vec<String>,
    kept: usize,
    /// The program printed more than is kept.
    pub(crate) truncated: bool,
    /// From the moment at which the room was full until all sessions stood.
    pub(crate) forming: Duration,
    /// How long MPyC ran.
    pub(crate) mpyc: Duration,
    /// Bytes from MPyC to the other parties.
    pub(crate) bytes_up: u64,
    /// Exit code of the party's command.
    pub(crate) code: u8,
    /// Exit code of its program, if that ended by itself.
    pub(crate) program: Option<u8>,
    /// Why the party stopped its program, or never had one.
    pub(crate) reason: Option<Failure>,
    /// What was last on its stderr.
    pub(crate) last_words: Vec<String>,
}

impl Outcome {
    /// Returns the party whose program failed first, as far as can be told: the others' ends follow from it.
    pub(crate) fn culprit(&self) -> Option<&PartyOutcome> {
        let failed = || self.parties.iter().filter(|party| party.program.is_some_and(|code| code != 0));
        failed().find(|party| party.reason.is_none()).or_else(|| failed().next())
    }

    /// Returns the exit code of the demo: that of the program that failed, or of the first party that did not end well.
    pub(crate) fn code(&self) -> u8 {
        let failed = self.parties.iter().map(|party| party.code).find(|code| *code != 0);
        self.culprit().and_then(|party| party.program).or(failed).unwrap_or(0)
    }

    /// Returns the failure of a demo in which no program failed by itself, but a party did.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let mut failed = self.parties.iter().filter(|party| party.code != 0).peekable();
        let first = *failed.peek()?;
        // Who ended without a word is what the others complain about.
        let silent = failed.find(|party| party.reason.is_none());
        Some(silent.unwrap_or(first).failure())
    }
}

impl PartyOutcome {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            index: 0,
            output: Vec::new(),
            kept: 0,
            truncated: false,
            forming: Duration::ZERO,
            mpyc: Duration::ZERO,
            bytes_up: 0,
            code: 0,
            program: None,
            reason: None,
            last_words: Vec::new(),
        }
    }

    /// Takes in one of the party's events.
    pub(super) fn note(&mut self, event: &Value) {
        let number = |name: &str| event.get(name).and_then(Value::as_u64);
        let milliseconds = |name: &str| {
            let value = event.get(name).and_then(Value::as_f64).unwrap_or(0.0);
            Duration::try_from_secs_f64(value / 1000.0).unwrap_or_default()
        };
        match event.get("type").and_then(Value::as_str) {
            Some("room.ready") => {
                self.index = number("index").unwrap_or(0);
                self.forming = milliseconds("forming_ms");
            }
            Some("run.output") => self.keep(event.get("line").and_then(Value::as_str).unwrap_or_default()),
            Some("run.exited") => {
                self.bytes_up = number("bytes_up").unwrap_or(0);
                self.mpyc = milliseconds("elapsed_ms");
                self.program = number("program").and_then(|code| u8::try_from(code).ok());
                self.reason = event.get("reason").and_then(failure_of);
            }
            Some("error") => self.reason = failure_of(event),
            _ => {}
        }
    }

    fn keep(&mut self, line: &str) {
        self.kept = self.kept.saturating_add(line.len() + 1);
        if self.kept <= KEPT_OUTPUT {
            self.output.push(line.to_owned());
        } else {
            self.truncated = true;
        }
    }

    fn failure(&self) -> Failure {
        let Self { name, code, .. } = self;
        match &self.reason {
            Some(Failure { kind, message, hint }) => {
                let failure = Failure::new(*kind, format!("{name}: {message}"));
                hint.iter().fold(failure, |failure, hint| failure.hint(hint.clone()))
            }
            None => {
                let words = self.last_words.join(" | ");
                let words = if words.is_empty() { words } else { format!(": {words}") };
                Failure::new(Kind::Other, format!("{name} ended with exit code {code}{words}"))
            }
        }
    }
}

/// Reads the failure in an `error`, or in the reason of a `run.exited`.
pub(super) fn failure_of(event: &Value) -> Option<Failure> {
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    let kind = Kind::ALL.iter().find(|kind| Some(kind.code()) == text("code")).copied();
    let failure = Failure::new(kind.unwrap_or(Kind::Other), text("message")?);
    Some(match text("hint") {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn party(name: &'static str, code: u8, program: Option<u8>, reason: Option<&str>) -> PartyOutcome {
        let mut party = PartyOutcome::new(name);
        let reason = reason.map(|message| json!({"code": "E0406", "message": message}));
        party.note(&json!({"type": "run.exited", "program": program, "reason": reason}));
        party.code = code;
        party
    }

    fn outcome(parties: Vec<PartyOutcome>) -> Outcome {
        Outcome { parties, elapsed: Duration::ZERO }
    }

    #[test]
    fn the_program_that_failed_by_itself_gives_the_exit_code() {
        let stopped = || party("alice", 125, None, Some("bob failed"));
        // Carol's program failed because bob's was gone.
        let dragged = party("carol", 1, Some(1), Some("bob failed"));
        let outcome = outcome(vec![stopped(), dragged, party("bob", 3, Some(3), None)]);
        assert_eq!(outcome.code(), 3);
        assert_eq!(outcome.culprit().unwrap().name, "bob");
    }

    #[test]
    fn without_a_failed_program_the_party_without_a_word_is_to_blame() {
        let lost = || party("alice", 125, None, Some("lost bob"));
        let mut silent = party("bob", 137, None, None);
        silent.last_words = vec!["Killed".to_owned()];
        let all = outcome(vec![lost(), silent]);
        assert!(all.culprit().is_none());
        assert_eq!(all.failure().unwrap().message, "bob ended with exit code 137: Killed");
        let failure = outcome(vec![lost()]).failure().unwrap();
        assert_eq!((failure.kind, failure.message.as_str()), (Kind::PeerFailed, "alice: lost bob"));
        assert!(outcome(vec![party("alice", 0, Some(0), None)]).failure().is_none());
    }

    #[test]
    fn endless_output_is_not_kept() {
        let mut party = PartyOutcome::new("alice");
        let line = "x".repeat(1023);
        for _ in 0..1000 {
            party.note(&json!({"type": "run.output", "line": line}));
        }
        assert!(party.truncated);
        assert_eq!(party.output.len(), KEPT_OUTPUT / 1024);
    }
}
