//! The end of a session's task: everything acknowledged, CLOSE said and heard, or nobody there to hear it.
//!
//! Specification: `spec/session.md`, SE-58, and `spec/room.md`, RM-52.

use std::time::{Duration, Instant};

use didagent_session::{Output, close};
use tokio::time::timeout;

use super::Task;
use crate::io::peer::{Ended, FromPeer, State};
use crate::io::websocket::FromCircuit;

/// How long the last records and the end of the circuit may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a session that has only its CLOSE left to say waits for a circuit to say it on.
const CLOSE_WITHOUT_CIRCUIT: Duration = Duration::from_secs(1);

/// How long the end of a session that said CLOSE waits for the peer to hang up, or for a circuit to say it again on (SE-58).
const LINGER: Duration = Duration::from_secs(3);

/// The same while its circuit stands, as round trips are not known to take longer.
const LINGER_CONNECTED: Duration = Duration::from_secs(1);

/// Shortest such time, and the pause between two looks meanwhile.
pub(super) const LOOK: Duration = Duration::from_millis(100);

impl Task {
    /// Closes the session once it may be closed, and ends it when that has been heard, or there is nobody to hear it.
    pub(super) fn end_if_wanted(&mut self, state: &mut State, now: Instant) {
        if self.said.is_none()
            && let Some(limit) = state.closing
        {
            let since = *self.closing_since.get_or_insert(now);
            if state.session.is_delivered() || now >= since + limit {
                state.session.close(close::DONE);
            }
        }
        if self.end_at(state).is_some_and(|end| now >= end) {
            let away = || Ended::Lost("it was away at the end".to_owned());
            let ended = if self.said.is_some() { Ended::Closed } else { away() };
            self.over.get_or_insert(ended);
        }
    }

    /// Returns when the task may go, if it is to.
    fn end_at(&self, state: &State) -> Option<Instant> {
        if let Some(said) = self.said {
            let connected = (2 * state.rtt.unwrap_or_default()).clamp(LOOK, LINGER_CONNECTED);
            return Some(said + if self.current.is_some() { connected } else { LINGER });
        }
        let since = self.closing_since.filter(|_| self.current.is_none())?;
        let last = since + state.closing?;
        // The peer may be gone for good, and there may be nothing left that it must have.
        let delivered = state.session.is_delivered();
        Some(if delivered { last.min(since.max(self.alone_since) + CLOSE_WITHOUT_CIRCUIT) } else { last })
    }

    /// Sends what is still to be said, then tells everybody that the session is over.
    pub(super) async fn finish(mut self, ended: Ended) {
        tracing::debug!(?ended, "the session ends");
        if ended == Ended::Closed {
            // What is left is the CLOSE itself; without it the peer would take us for lost.
            let _ = timeout(FAREWELL, self.say_rest()).await;
        }
        for line in self.lines.remove_all() {
            line.close().await;
        }
        let mut state = self.shared.lock();
        state.over = true;
        state.pingers.clear();
        // If the peer closed it, the engine knows better when.
        if ended == Ended::Closed && state.closing.is_some() {
            state.abort();
        }
        drop(state);
        self.tell(FromPeer::Ended(ended));
    }

    async fn say_rest(&mut self) {
        loop {
            while self.lines.have_room() {
                match self.shared.lock().session.poll(Instant::now()) {
                    Output::Transmit { connection, record } => self.lines.put(connection, record),
                    Output::Event(_) | Output::Disconnect(_) => {}
                    Output::Timeout(_) => break,
                }
            }
            match self.lines.send().await {
                Some(Ok(())) => continue,
                Some(Err(_)) => return,
                None if self.lines.are_empty() => return,
                None => {}
            }
            match self.lines.heard().await {
                (place, Some(FromCircuit::Credit(bytes))) => {
                    if let Some(line) = self.lines.at(place) {
                        line.add_credit(bytes);
                    }
                }
                (_, Some(FromCircuit::Record(_))) => {}
                (place, Some(FromCircuit::Closed(_)) | None) => drop(self.lines.remove(place)),
            }
        }
    }
}
