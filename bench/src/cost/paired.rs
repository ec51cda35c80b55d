//! Contestants in turns, so that a machine that changes its mind changes all of them.
//!
//! Every round gives each contestant one slice of time; a ratio is made within a round, and only ratios are averaged. A
//! processor that halves its clock between two rounds moves no ratio. Time is CPU time of the thread: nothing that is
//! measured here waits, so what a neighbour took of a core is not counted.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    /// How often each contestant has its turn.
    pub rounds: usize,
    /// How long a turn takes, at least.
    pub slice: Duration,
}

impl Amount {
    /// For results that are kept.
    pub const FULL: Self = Self { rounds: 201, slice: Duration::from_millis(4) };
    /// Tells whether it works, and the order of magnitude.
    pub const QUICK: Self = Self { rounds: 21, slice: Duration::from_millis(1) };
    /// Tells whether it works.
    pub const TRIAL: Self = Self { rounds: 2, slice: Duration::ZERO };
}

/// Something that costs time.
pub struct Contestant<'a> {
    name: &'static str,
    /// Messages, or whatever is counted, in one call.
    per_call: u32,
    run: Box<dyn FnMut() + 'a>,
}

impl<'a> Contestant<'a> {
    /// One call is one message.
    pub fn new(name: &'static str, run: impl FnMut() + 'a) -> Self {
        Self::of_many(name, 1, run)
    }

    /// One call is `per_call` messages.
    pub fn of_many(name: &'static str, per_call: u32, run: impl FnMut() + 'a) -> Self {
        Self { name, per_call, run: Box::new(run) }
    }

    fn turn(&mut self, calls: u32) -> Duration {
        let begun = cpu_time();
        for _ in 0..calls {
            (self.run)();
        }
        cpu_time().saturating_sub(begun)
    }

    /// So many calls fill a slice.
    fn calls_for(&mut self, slice: Duration) -> u32 {
        let mut calls = 1;
        // The first turn warms up.
        self.turn(1);
        while self.turn(calls) < slice && calls < 1 << 20 {
            calls *= 2;
        }
        calls
    }
}

/// CPU time of this thread so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

impl std::fmt::Debug for Contestant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contestant").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What one race gave: nanoseconds for each message, by contestant and round.
#[derive(Debug, Clone, Default)]
pub struct Race {
    rounds: Vec<(&'static str, Vec<f64>)>,
}

/// A median with the 95 % confidence interval of the median.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Middle {
    /// The median itself.
    pub median: f64,
    /// Lower end of the interval.
    pub lower: f64,
    /// Upper end of the interval.
    pub upper: f64,
}

impl Race {
    /// Lets all run, in turns.
    pub fn run(mut contestants: Vec<Contestant<'_>>, amount: Amount) -> Self {
        let calls: Vec<u32> =
            contestants.iter_mut().map(|contestant| contestant.calls_for(amount.slice)).collect();
        let mut rounds: Vec<_> = contestants
            .iter()
            .map(|contestant| (contestant.name, Vec::with_capacity(amount.rounds)))
            .collect();
        for round in 0..amount.rounds {
            // Nobody always runs after the same other one.
            for place in 0..contestants.len() {
                let index = (place + round) % contestants.len();
                let taken = contestants[index].turn(calls[index]);
                let messages = f64::from(calls[index]) * f64::from(contestants[index].per_call);
                rounds[index].1.push(taken.as_secs_f64() * 1e9 / messages);
            }
        }
        Self { rounds }
    }

    /// Nanoseconds for one message.
    ///
    /// # Panics
    /// If nobody of that name ran.
    pub fn time(&self, name: &str) -> Middle {
        Middle::of(self.of(name).to_vec())
    }

    /// How many times `dear` costs what all of `cheap` cost together.
    ///
    /// # Panics
    /// If nobody of those names ran.
    pub fn ratio(&self, dear: &str, cheap: &[&str]) -> Middle {
        let sum = |round: usize| cheap.iter().map(|name| self.of(name)[round]).sum::<f64>();
        Middle::of(self.of(dear).iter().enumerate().map(|(round, time)| time / sum(round)).collect())
    }

    /// All names, in the order in which they were given.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.rounds.iter().map(|(name, _)| *name)
    }

    fn of(&self, name: &str) -> &[f64] {
        let found = self.rounds.iter().find(|(candidate, _)| *candidate == name);
        &found.unwrap_or_else(|| panic!("{name} did not run")).1
    }
}

impl Middle {
    /// Of at least one value. The interval is that of the order statistics: it assumes nothing of the distribution.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let half = (0.98 * f64::from(u32::try_from(count).unwrap_or(u32::MAX)).sqrt()).ceil();
        let at = |index: usize| values.get(index.min(count.saturating_sub(1))).copied().unwrap_or(f64::NAN);
        // The half width is below 2^16 for all counts that fit into memory.
        let half = (0..=count).find(|steps| f64::from(u32::try_from(*steps).unwrap_or(u32::MAX)) >= half);
        let half = half.unwrap_or(count);
        let median = f64::midpoint(at(count.saturating_sub(1) / 2), at(count / 2));
        Self { median, lower: at((count / 2).saturating_sub(half)), upper: at(count / 2 + half) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_has_an_interval_that_grows_with_the_spread() {
        let one = Middle::of((0..101).map(f64::from).collect());
        assert_eq!((one.median, one.lower, one.upper), (50.0, 40.0, 60.0));
        assert_eq!(Middle::of(vec![3.0]), Middle { median: 3.0, lower: 3.0, upper: 3.0 });
        assert_eq!(Middle::of(vec![4.0, 1.0, 2.0, 3.0]).median, 2.5);
    }

    #[test]
    fn ratios_are_made_within_a_round() {
        // The machine halves its speed after the first round; the ratio stays.
        let race =
            Race { rounds: vec![("a", vec![30.0, 60.0]), ("b", vec![4.0, 8.0]), ("c", vec![6.0, 12.0])] };
        assert_eq!(race.ratio("a", &["b", "c"]), Middle { median: 3.0, lower: 3.0, upper: 3.0 });
        assert_eq!(race.time("b").median, 6.0);
    }

    #[test]
    fn everybody_runs_in_every_round_and_many_in_one_call_count() {
        let (mut first, mut second) = (0, 0);
        let race = Race::run(
            vec![Contestant::new("first", || first += 1), Contestant::of_many("second", 10, || second += 1)],
            Amount { rounds: 5, slice: Duration::ZERO },
        );
        assert_eq!(race.names().collect::<Vec<_>>(), ["first", "second"]);
        assert_eq!((race.of("first").len(), race.of("second").len()), (5, 5));
        // One to warm up, one to count, and five rounds.
        assert_eq!((first, second), (7, 7));
    }
}
