//! Timers that wait for long stand on a thread of their own, off the runtime that carries bytes.
//!
//! A runtime with any timer at all reads the clock twice and sets a timer of the kernel each time it waits for its sockets:
//! about a microsecond for each message of a computation, for a deadline that is seconds away. Timers made here belong to
//! another runtime, which does nothing else; when one is due it wakes the task that awaits it, wherever that runs.
//!
//! Not its concern: short timeouts around something that is about to happen. A timer that is never polled costs nothing.

use std::sync::OnceLock;
use std::time::Instant;

use tokio::runtime::{Builder, Handle};
use tokio::time::Sleep;

/// The runtime of the timers; `None` if the system gave no thread for it, then they stand on the caller's.
static CLOCK: OnceLock<Option<Handle>> = OnceLock::new();

/// Waits until `deadline`.
///
/// # Panics
/// Outside of a runtime if the system gives no thread.
pub(crate) fn sleep_until(deadline: Instant) -> Sleep {
    let _entered = CLOCK.get_or_init(start).as_ref().map(Handle::enter);
    tokio::time::sleep_until(deadline.into())
}

fn start() -> Option<Handle> {
    let runtime = Builder::new_current_thread().enable_time().build().ok()?;
    let handle = runtime.handle().clone();
    let clock = std::thread::Builder::new().name("clock".to_owned());
    let started = clock.spawn(move || runtime.block_on(std::future::pending::<()>()));
    started.is_ok().then_some(handle)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rings_for_a_runtime_that_has_no_timers() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let begun = Instant::now();
        let deadline = begun + Duration::from_millis(30);
        runtime.block_on(async { sleep_until(deadline).await });
        assert!(Instant::now() >= deadline);
    }
}
