//! A program that waits in vain: for a party whose program has ended, or not begun.
//!
//! Implements `spec/room.md` RM-53. MPyC's shutdown is a barrier, so a party that is done is needed by nobody who ends properly. Whoever
//! is still inside MPyC then, and hears nothing, waits for ever. A program that has left MPyC may compute for as long as it likes.
//!
//! Not its concern: a party that is lost or says that it failed (`run`).

use std::time::{Duration, Instant};

use super::run::Run;
use super::{Engine, describe};
use crate::failure::{Failure, Kind};
use crate::report::{Report, Reporter};

/// So long nothing may happen to a program that needs a party that is done. Between the last bytes of that party and the end of
/// MPyC's shutdown here lie milliseconds, on a slow machine a second.
const VAIN: Duration = Duration::from_secs(10);

/// After so long people are told whose program has sent nothing yet. It may still be computing, so nothing is stopped.
const NOTHING_YET: Duration = Duration::from_secs(15);

/// For so long before that, nothing may have passed at all. In many programs some party never has anything to send to some other, and
/// then what passes between others shows that all have started.
const QUIET: Duration = Duration::from_secs(10);

/// Pause between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// What is known of a wait.
#[derive(Debug)]
pub(super) struct VainWait {
    /// When to see whether a program has sent nothing, and how many bytes had passed [`QUIET`] before; `None` once that was done.
    nothing_yet: Option<(Instant, Option<u64>)>,
    look: Option<Instant>,
    /// Since when the program seems to wait, and how many bytes had passed.
    since: Option<(Instant, u64)>,
    told: bool,
}

impl VainWait {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            nothing_yet: Some((started + (NOTHING_YET - QUIET), None)),
            look: None,
            since: None,
            told: false,
        }
    }

    /// Returns when to look again.
    pub(super) fn next_look(&self, somebody_is_done: bool) -> Option<Instant> {
        let look = somebody_is_done.then(|| self.look.unwrap_or_else(Instant::now));
        [look, self.nothing_yet.map(|(at, _)| at)].into_iter().flatten().min()
    }

    /// Says whether it is time to look whose program has sent nothing, and nothing at all has passed for long.
    fn is_all_quiet(&mut self, bytes: u64, now: Instant) -> bool {
        let due = self.nothing_yet.take_if(|(at, _)| *at <= now);
        if let Some((_, None)) = due {
            self.nothing_yet = Some((now + QUIET, Some(bytes)));
        }
        due.is_some_and(|(_, before)| before == Some(bytes))
    }

    /// Somebody is missing, so nothing passes between the others either: what each has sent is looked at once it is back.
    fn put_off(&mut self, now: Instant) {
        if let Some(next) = self.nothing_yet.as_mut().filter(|(at, _)| *at <= now) {
            *next = (now + QUIET, None);
        }
    }

    /// Notes whether the program seems to wait; returns whether it has done so for long, without a byte that passed.
    fn note(&mut self, waits: bool, bytes: u64, now: Instant) -> bool {
        self.look = Some(now + LOOK);
        if !waits {
            self.since = None;
            return false;
        }
        let (since, _) = *match &mut self.since {
            Some(since) if since.1 == bytes => since,
            since => since.insert((now, bytes)),
        };
        now.saturating_duration_since(since) >= VAIN
    }
}

impl Engine {
    /// Looks whether the program waits in vain.
    ///
    /// # Errors
    /// [`Kind::EndedEarly`] names whose program has ended.
    pub(super) fn look_for_vain_wait(&mut self, now: Instant) -> Result<(), Failure> {
        let waits = self.is_in_mpyc();
        let Some(run) = &mut self.run else { return Ok(()) };
        let counts = self.peers.keys().map(|peer| run.bridge.counts(*peer));
        let bytes = counts.map(|counts| counts.bytes_up + counts.bytes_down).sum();
        if self.peers.values().any(|peer| peer.facts().away) {
            // Of one that is missing people are told anyway.
            run.vain.put_off(now);
        }
        if run.vain.is_all_quiet(bytes, now) {
            let has_sent = |peer: usize| run.bridge.counts(peer).bytes_down > 0;
            let silent: Vec<_> = self.peers.keys().copied().filter(|peer| !has_sent(*peer)).collect();
            if waits && !silent.is_empty() {
                self.notices.push(format!(
                    "nothing has come from the program of {} for {} s; has it started MPyC?",
                    self.describe_all(silent),
                    NOTHING_YET.as_secs(),
                ));
            }
            return Ok(());
        }
        if run.done.is_empty() {
            return Ok(());
        }
        if !run.vain.note(waits, bytes, now) || run.vain.told {
            return Ok(());
        }
        run.vain.told = true;
        let stops = run.program.is_some();
        match self.ended_early() {
            Some(failure) if stops => Err(failure),
            // Who started MPyC by hand ends it by hand.
            Some(failure) => {
                self.notices.push(failure.message);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Returns the failure of a program that is inside MPyC although others are done.
    pub(super) fn ended_early(&self) -> Option<Failure> {
        let run = self.run.as_ref()?;
        if run.done.is_empty() || !self.is_in_mpyc() {
            return None;
        }
        let who = self.describe_all(run.done.iter().copied());
        Some(
            Failure::new(Kind::EndedEarly, format!("the program of {who} has ended, but MPyC here still needs it"))
                .hint("compare the programs and their arguments: all must take the same steps, and end MPyC with shutdown"),
        )
    }

    /// Says that our own program ended without an error before MPyC did: the others cannot know better than that it is done.
    pub(super) fn warn_of_early_end(&self, run: &Run, reporter: &mut dyn Reporter) {
        let is_python = self.program.as_ref().is_some_and(|program| program.is_python());
        let message = if self.run_dir.is_in_mpyc() {
            "the program has ended without an end of MPyC (mpc.shutdown); others may wait for it in vain"
        } else if is_python && !run.connections.met() {
            "the program has ended without having met the others' programs; others may wait for it in vain"
        } else {
            return;
        };
        reporter.report(&Report::Warning(message.to_owned()));
    }

    fn is_in_mpyc(&self) -> bool {
        let Some(run) = &self.run else { return false };
        self.run_dir.is_in_mpyc() || run.connections.stand() || run.bridge.is_mpyc_listening() == Some(true)
    }

    fn describe_all(&self, parties: impl IntoIterator<Item = usize>) -> String {
        let Some(roster) = &self.roster else { return String::new() };
        parties.into_iter().map(|party| describe(roster, party)).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides RM-53.
    #[test]
    fn a_wait_is_vain_only_if_nothing_happens_for_long() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut wait = VainWait::new(start);
        assert!(!wait.note(true, 5, start));
        assert!(!wait.note(true, 5, start + 9 * second));
        // A byte passed, so it went on.
        assert!(!wait.note(true, 6, start + 10 * second));
        assert!(!wait.note(true, 6, start + 19 * second));
        // It left MPyC and came back.
        assert!(!wait.note(false, 6, start + 20 * second));
        assert!(!wait.note(true, 6, start + 21 * second));
        assert!(!wait.note(true, 6, start + 30 * second));
        assert!(wait.note(true, 6, start + 31 * second));
    }

    #[test]
    fn nobody_is_said_to_have_sent_nothing_while_bytes_pass_between_others() {
        let start = Instant::now();
        let first = start + (NOTHING_YET - QUIET);
        for (later, is_quiet) in [(7, true), (8, false)] {
            let mut wait = VainWait::new(start);
            assert!(!wait.is_all_quiet(0, start));
            // Each program greets the next, also one that has not started.
            assert!(!wait.is_all_quiet(7, first));
            assert_eq!(wait.next_look(false), Some(start + NOTHING_YET));
            assert_eq!(wait.is_all_quiet(later, start + NOTHING_YET), is_quiet);
            assert_eq!(
                (wait.next_look(false), wait.is_all_quiet(later, start + 9 * NOTHING_YET)),
                (None, false)
            );
        }
    }

    #[test]
    fn nobody_is_said_to_have_sent_nothing_while_somebody_is_missing() {
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let mut wait = VainWait::new(start);
        assert!(!wait.is_all_quiet(7, start + (NOTHING_YET - QUIET)));
        wait.put_off(start + minute);
        assert_eq!(wait.next_look(false), Some(start + minute + QUIET));
        // It is back, and has as long as at the start.
        assert!(!wait.is_all_quiet(7, start + minute + QUIET));
        assert!(wait.is_all_quiet(7, start + minute + 2 * QUIET));
    }

    #[test]
    fn it_looks_only_when_somebody_is_done_or_was_never_heard() {
        let start = Instant::now();
        let mut wait = VainWait::new(start);
        assert_eq!(wait.next_look(false), Some(start + (NOTHING_YET - QUIET)));
        wait.nothing_yet = None;
        assert_eq!(wait.next_look(false), None);
        wait.note(false, 0, start);
        assert_eq!(wait.next_look(true), Some(start + LOOK));
    }
}
