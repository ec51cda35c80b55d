//! The runtime of a command: one thread carries all bytes, the main thread decides.
//!
//! A message passes several tasks one after the other, never at once: more threads would spend most of their time on waking
//! each other. And a runtime that knows only one thread does less for each message than one for many that has a single one: with it, and
//! with the long timers apart (`clock`), the CPU of both agents for a message of MPyC fell from 50 to 42 us in one run.

use std::sync::{Arc, mpsc};

use crate::failure::{Failure, Kind};

/// Runs until the process ends: whoever carries bytes holds it too.
pub(crate) struct Runtime(Arc<tokio::runtime::Runtime>);

impl Runtime {
    /// Starts the thread that carries.
    ///
    /// # Errors
    /// [`Kind::Other`] when the system gives no thread or no poller.
    pub(crate) fn start() -> Result<Self, Failure> {
        let none = |error| Failure::new(Kind::Other, format!("the system gives no threads: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(none)?;
        let runtime = Arc::new(runtime);
        let carrier = Arc::clone(&runtime);
        let (drives, driven) = mpsc::channel();
        // The first that blocks on it drives it for as long as it does, here for ever.
        let carry = move || {
            carrier.block_on(async {
                let _ = drives.send(());
                std::future::pending::<()>().await;
            });
        };
        std::thread::Builder::new().name("carrier".to_owned()).spawn(carry).map_err(none)?;
        // If the thread fell, the main thread drives it alone.
        let _ = driven.recv();
        Ok(Self(runtime))
    }

    /// Runs what decides on this thread.
    pub(crate) fn block_on<F: Future>(&self, decides: F) -> F::Output {
        self.0.block_on(decides)
    }
}
