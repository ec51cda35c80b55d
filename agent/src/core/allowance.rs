//! A token bucket: what others can make us do has a rate. Not its concern: what is done, and for whom.

use std::time::{Duration, Instant};

/// How much at once, and how soon again.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Uses at once.
    pub burst: u32,
    /// Time after which one more is allowed.
    pub each: Duration,
}

/// A bucket that is filled at a [`Rate`].
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    rate: Rate,
    tokens: u32,
    filled: Instant,
}

impl Allowance {
    /// A full one.
    pub fn full(rate: Rate, now: Instant) -> Self {
        Self { rate, tokens: rate.burst, filled: now }
    }

    /// Uses it once; `false` if it is used up.
    pub fn spend(&mut self, now: Instant) -> bool {
        self.refill(now);
        let had = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        had
    }

    /// Says whether nothing of it is used.
    pub fn is_full(&self, now: Instant) -> bool {
        let mut later = *self;
        later.refill(now);
        later.tokens == self.rate.burst
    }

    fn refill(&mut self, now: Instant) {
        let Rate { burst, each } = self.rate;
        let earned = now.saturating_duration_since(self.filled).as_millis() / each.as_millis().max(1);
        if let Some(earned) = u32::try_from(earned).ok().filter(|earned| *earned < burst) {
            self.tokens = self.tokens.saturating_add(earned).min(burst);
            self.filled += each * earned;
        } else {
            (self.tokens, self.filled) = (burst, now);
        }
    }
}
