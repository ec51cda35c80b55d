//! Notices that this machine stood still: asleep with its lid closed, suspended, or its processes stopped.
//!
//! A task looks at both clocks twice a second. The monotonic one shows that the process did not run, the other one also that the
//! whole machine did not: on Linux the monotonic clock sleeps with it. A step of the clock by hand looks the same, which does
//! no harm: a standstill only explains a loss, `spec/room.md` RM-54.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use super::clock::sleep_until;

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// Others wait for 5 s at least, and the last word may have been 2 s before it stood still. A shorter pause is none that matters;
/// on a machine with too much to do a task can wait for a second or two.
const STANDSTILL: Duration = Duration::from_secs(6);

/// How long after it a loss is put down to a standstill, beside the patience with those who may be gone: until the connections that
/// died in it are found dead.
const AFTERMATH: Duration = Duration::from_secs(30);

/// How long deadlines wait after a standstill: what arrived meanwhile is read first.
const CATCH_UP: Duration = Duration::from_secs(2);

/// Knows whether this machine stood still a short while ago.
#[derive(Debug)]
pub(crate) struct Standstill(Arc<Mutex<Clocks>>);

#[derive(Debug)]
struct Clocks {
    monotonic: Instant,
    wall: SystemTime,
    /// When the last standstill ended and how long it was.
    last: Option<(Instant, Duration)>,
    aftermath: Duration,
}

impl Standstill {
    /// Starts to look, until this is dropped. `patience` is for how long a run waits for whoever is away.
    pub(crate) fn watch(patience: Duration) -> Self {
        let clocks = Clocks::at(Instant::now(), SystemTime::now(), AFTERMATH + patience);
        let clocks = Arc::new(Mutex::new(clocks));
        tokio::spawn(keep_looking(Arc::downgrade(&clocks)));
        Self(clocks)
    }

    /// Returns how long this machine stood still, if it did so a short while ago.
    pub(crate) fn recent(&self) -> Option<Duration> {
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // What wakes the caller may come before the task has looked.
        clocks.look(now, SystemTime::now());
        clocks.last.filter(|(woke, _)| now < *woke + clocks.aftermath).map(|(_, length)| length)
    }

    /// It did no harm: everybody was still there.
    pub(crate) fn forget(&self) {
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Deadlines still wait for a moment.
        if clocks.last.is_some_and(|(woke, _)| Instant::now() >= woke + CATCH_UP) {
            clocks.last = None;
        }
    }

    /// Returns when to act on a deadline: later than it says if this machine has just woken.
    pub(crate) fn postponed(&self, deadline: Instant) -> Instant {
        if self.recent().is_none() {
            return deadline;
        }
        let clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clocks.last.map_or(deadline, |(woke, _)| deadline.max(woke + CATCH_UP))
    }
}

async fn keep_looking(clocks: Weak<Mutex<Clocks>>) {
    while let Some(clocks) = clocks.upgrade() {
        clocks.lock().unwrap_or_else(PoisonError::into_inner).look(Instant::now(), SystemTime::now());
        drop(clocks);
        sleep_until(Instant::now() + LOOK).await;
    }
}

impl Clocks {
    fn at(monotonic: Instant, wall: SystemTime, aftermath: Duration) -> Self {
        Self { monotonic, wall, last: None, aftermath }
    }

    fn look(&mut self, monotonic: Instant, wall: SystemTime) {
        let ran = monotonic.saturating_duration_since(self.monotonic);
        // A clock that was set back says nothing.
        let passed = wall.duration_since(self.wall).unwrap_or_default().max(ran);
        if passed >= STANDSTILL {
            self.last = Some((monotonic, passed));
        }
        (self.monotonic, self.wall) = (monotonic, wall);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides RM-54.
    #[test]
    fn either_clock_shows_a_standstill_and_short_pauses_are_none() {
        let (start, wall) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let second = Duration::from_secs(1);
        // The process was stopped; the machine slept, and with it the monotonic clock.
        for (ran, passed) in [(60 * second, 60 * second), (second, 60 * second)] {
            let mut clocks = Clocks::at(start, wall, AFTERMATH);
            clocks.look(start + ran, wall + passed);
            assert_eq!(clocks.last, Some((start + ran, 60 * second)));
            clocks.look(start + ran + second, wall + passed + second);
            assert_eq!(clocks.last, Some((start + ran, 60 * second)), "it is remembered");
        }
        let mut clocks = Clocks::at(start, wall, AFTERMATH);
        clocks.look(start + 5 * second, wall + 5 * second);
        clocks.look(start + 6 * second, wall - 500 * second);
        assert_eq!(clocks.last, None);
    }
}
