//! Why our program failed: by itself, or because another party did.
//!
//! ```text
//! culprit:  program fails, nobody else was first       --> says so at once
//! others:   a connection falls, the program fails too  --> wait for the culprit's word
//! ```
//!
//! Not its concern: a program that is stopped because of what others said (`run`).

use std::time::Duration;

use tokio::time::sleep_until;

use super::Engine;
use crate::failure::Failure;
use crate::io::peer::Peer;
use crate::report::Reporter;

/// A program that fails because another party failed often ends before the news of that party arrives. So long we wait for
/// an explanation before we blame our own program.
const EXPLANATION: Duration = Duration::from_millis(1500);

/// The same when nothing points at another party. The others' programs fall because ours fell, and wait for our word, so it must
/// be much sooner than [`EXPLANATION`].
const READ_QUEUES: Duration = Duration::from_millis(100);

impl Engine {
    /// Waits a moment for news of another party that explain why our program failed.
    pub(super) async fn explanation(&mut self, reporter: &mut dyn Reporter) -> Option<Failure> {
        let wait = if self.is_anybody_suspect() { EXPLANATION } else { READ_QUEUES };
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let happened = tokio::select! {
                Some(event) = self.from_peers.recv() => self.on_peer(event, reporter).await.map(drop),
                Some(event) = self.from_mediators.recv() => {
                    match self.on_mediator(event, reporter).await {
                        Ok(_) => self.drain_room(reporter).await.map(drop),
                        Err(failure) => Err(failure),
                    }
                }
                () = sleep_until(deadline) => {
                    let blamed = self.run.as_ref().and_then(|run| run.blame.as_ref());
                    let blamed = blamed.map(|blame| (blame.failure.clone(), blame.suspect.is_none()));
                    return match blamed {
                        Some((failure, false)) => Some(failure),
                        hearsay => self.ended_early().or(hearsay.map(|(failure, _)| failure)),
                    };
                }
            };
            if let Err(failure) = happened {
                return Some(failure);
            }
        }
    }

    /// Says whether our program may have failed because of another party: one that ended a connection before we did, is missing,
    /// or has left.
    fn is_anybody_suspect(&self) -> bool {
        let is_suspect = |peer: &Peer| {
            let facts = peer.facts();
            facts.fell_first || facts.away || facts.over
        };
        self.peers.values().any(is_suspect)
            || self.run.as_ref().is_some_and(|run| run.blame.is_some() || !run.done.is_empty())
    }
}
