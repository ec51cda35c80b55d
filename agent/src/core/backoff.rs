//! When to try again: the pauses between attempts to reach a mediator that was lost, and when to give up.
//!
//! Specification: `spec/room.md`, RM-70 and RM-74. Not its concern: the attempts themselves (`io`).

use std::time::{Duration, Instant};

/// How long a lost mediator is tried again while people wait for each other. A restart takes seconds; people who wait for longer
/// than this want to know.
pub const RETRY: Duration = Duration::from_secs(60);

/// Pause before the first attempt. A process that is restarted needs about as long.
const FIRST: Duration = Duration::from_millis(500);

/// Longest pause. Guests give a host that is missing at its mediator a few of these.
const LONGEST: Duration = Duration::from_secs(4);

/// A connection that stood for so long was a good one: the next loss is a new outage. A mediator that lets everybody in and
/// throws them out again would otherwise be tried for ever.
const STABLE: Duration = Duration::from_secs(10);

/// An outage of a mediator.
#[derive(Debug)]
pub struct Outage {
    since: Instant,
    /// For how long it is tried again.
    limit: Duration,
    attempts: u32,
    next: Option<Instant>,
    back: Option<Instant>,
}

impl Outage {
    /// The connection broke at `now`; `before` is the last outage, if there was one. It is tried again for as long as `limit`.
    pub fn begin(before: Option<Self>, now: Instant, limit: Duration) -> Self {
        let goes_on = |outage: &Self| outage.back.is_none_or(|back| now < back + STABLE);
        let outage = Self { since: now, limit, attempts: 0, next: None, back: None };
        before.filter(goes_on).map_or(outage, |before| Self { limit, ..before })
    }

    /// Plans the next attempt; `false` when it has been tried for long enough. `random` spreads the attempts of many
    /// agents that all lost the same mediator at the same moment.
    pub fn plan(&mut self, now: Instant, random: u64) -> bool {
        self.back = None;
        let pause = FIRST.saturating_mul(1 << self.attempts.min(8)).min(LONGEST);
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        // Half of the pause, and up to as much again.
        let pause = Duration::from_millis(millis / 2 + random % (millis / 2).max(1));
        self.attempts += 1;
        self.next = Some(now + pause);
        now + pause < self.end()
    }

    /// Returns how often it was tried again, or is about to be.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns when it has been tried for long enough.
    pub fn end(&self) -> Instant {
        self.since + self.limit
    }

    /// Returns when the next attempt is due; `None` while one goes on.
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Says whether the next attempt is due, and if so that it goes on now.
    pub fn attempt(&mut self, now: Instant) -> bool {
        self.next.take_if(|next| *next <= now).is_some()
    }

    /// The mediator is back.
    pub fn over(&mut self, now: Instant) {
        self.back = Some(now);
    }

    /// Says whether the mediator is still missing.
    pub fn lasts(&self) -> bool {
        self.back.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "any instant will do as the beginning of the test's time")]
    fn start() -> Instant {
        Instant::now()
    }

    /// Runs an outage in which no attempt succeeds; returns the pauses.
    fn pauses(random: u64) -> Vec<Duration> {
        let mut now = start();
        let mut outage = Outage::begin(None, now, RETRY);
        let mut pauses = Vec::new();
        while outage.plan(now, random) {
            let next = outage.next().unwrap();
            assert!(!outage.attempt(now) && outage.attempt(next) && outage.next().is_none());
            pauses.push(next - now);
            now = next;
        }
        pauses
    }

    /// Decides RM-70.
    #[test]
    fn pauses_grow_to_a_limit_and_end_after_a_minute() {
        for random in [0, 1, 249, 250, 12_345_678, u64::MAX] {
            let pauses = pauses(random);
            assert!(pauses[0] >= FIRST / 2 && pauses[0] < FIRST, "{pauses:?}");
            assert!(pauses.iter().all(|pause| *pause < LONGEST), "{pauses:?}");
            let sum: Duration = pauses.iter().sum();
            assert!(sum < RETRY && sum > RETRY - LONGEST, "{sum:?}");
            assert!(pauses.len() < 40, "{pauses:?}");
        }
        assert_ne!(pauses(0), pauses(100), "all agents would come back at once");
    }

    /// Decides RM-70.
    #[test]
    fn a_mediator_that_comes_and_goes_is_one_outage() {
        let mut now = start();
        let mut outage = Outage::begin(None, now, RETRY);
        let begin = now;
        while outage.plan(now, 7) {
            assert!(now < begin + RETRY, "it goes on for ever");
            now = outage.next().unwrap();
            assert!(outage.attempt(now));
            outage.over(now);
            assert!(!outage.lasts());
            outage = Outage::begin(Some(outage), now, RETRY);
        }
    }

    /// Decides RM-70.
    #[test]
    fn a_loss_after_a_good_connection_is_a_new_outage() {
        let now = start();
        let mut outage = Outage::begin(None, now, RETRY);
        assert!(outage.plan(now + RETRY - Duration::from_secs(1), 0));
        outage.over(now + RETRY);
        let mut outage = Outage::begin(Some(outage), now + RETRY + STABLE, RETRY);
        assert!(outage.plan(now + RETRY + STABLE, 0));
    }
}
