//! A timer for loops that pass many messages between two times at which something is due.
//!
//! A deadline that moves with every message would be taken out of the runtime's timers and put in again, and each time that
//! makes the earliest one, the runtime wakes its own poller with a system call. So an alarm that was set stays, and rings at
//! its time even if its reason is gone; who hears it looks at the clock and sets it again.
//!
//! Not its concern: what is due.

use std::pin::Pin;
use std::time::Instant;

use tokio::time::Sleep;

use super::clock::sleep_until;

/// Rings once after each time that it was set.
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    at: Option<Instant>,
}

impl Alarm {
    /// An alarm that is not set.
    pub(crate) fn new() -> Self {
        Self { sleep: Box::pin(sleep_until(Instant::now())), at: None }
    }

    /// Sets it so that it rings at `deadline` at the latest.
    pub(crate) fn set(&mut self, deadline: Instant) {
        if self.at.is_none_or(|at| deadline < at) {
            self.at = Some(deadline);
            self.sleep.as_mut().reset(deadline.into());
        }
    }

    /// Waits until it rings, and returns the time for which it was set. It is not set any more then. Waits for ever if it was
    /// not set. Dropping the future loses nothing.
    pub(crate) async fn rings(&mut self) -> Instant {
        let Some(at) = self.at else { return std::future::pending().await };
        self.sleep.as_mut().await;
        self.at = None;
        at
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn rings_once_for_the_earliest_time_and_then_only_when_it_is_set_again() {
        let begun = Instant::now();
        let after = |milliseconds| begun + Duration::from_millis(milliseconds);
        let mut alarm = Alarm::new();
        assert_eq!(alarm.rings().now_or_never(), None);
        alarm.set(after(3_600_000));
        alarm.set(after(50));
        alarm.set(after(7_200_000));
        assert_eq!(alarm.rings().await, after(50));
        assert!(Instant::now() >= after(50));
        assert_eq!(alarm.rings().now_or_never(), None);
        alarm.set(after(60));
        assert_eq!(alarm.rings().await, after(60));
    }
}
