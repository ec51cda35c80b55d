//! The circuits of one session: halves that wait for their partner, and those on which the session has a connection.

use std::collections::VecDeque;
use std::task::Poll;
use std::time::{Duration, Instant};

use didagent_didcomm::protocols::relay::CloseCode;
use didagent_session::ConnectionId;
use tokio::time::timeout;

use crate::io::websocket::{Circuit, FromCircuit};

/// How long a circuit's end may wait for room in the socket's queue.
const CLOSE: Duration = Duration::from_secs(1);

/// One circuit.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number (RL-10).
    pub(super) number: u32,
    /// The session's connection on it, once both ends are there.
    pub(super) connection: Option<ConnectionId>,
    pub(super) since: Instant,
    circuit: Circuit,
    /// Bytes that the relay still takes from us.
    credit: usize,
    /// Frames, each with the size of its record.
    waiting: VecDeque<(usize, Vec<u8>)>,
}

impl Line {
    pub(super) fn half(number: u32, circuit: Circuit) -> Self {
        Self { number, connection: None, since: Instant::now(), circuit, credit: 0, waiting: VecDeque::new() }
    }

    pub(super) fn add_credit(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    pub(super) async fn close(self) {
        // A socket that takes nothing is found out elsewhere, and closes everything.
        let _ = timeout(CLOSE, self.circuit.close(CloseCode::DONE)).await;
    }
}

/// All circuits of a session.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<Line>);

impl Lines {
    pub(super) fn push(&mut self, line: Line) {
        self.0.push(line);
    }

    /// Waits for the next thing that any of them hears; `None` means that its socket is gone.
    pub(super) async fn heard(&mut self) -> (usize, Option<FromCircuit>) {
        std::future::poll_fn(|cx| {
            for (place, line) in self.0.iter_mut().enumerate() {
                if let Poll::Ready(heard) = line.circuit.incoming.poll_recv(cx) {
                    return Poll::Ready((place, heard));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Returns the circuit at this place, as [`Lines::heard`] named it.
    pub(super) fn at(&mut self, place: usize) -> Option<&mut Line> {
        self.0.get_mut(place)
    }

    /// Takes the circuit at this place out.
    pub(super) fn remove(&mut self, place: usize) -> Option<Line> {
        (place < self.0.len()).then(|| self.0.remove(place))
    }

    /// Takes the circuit with this connection out.
    pub(super) fn remove_connection(&mut self, connection: ConnectionId) -> Option<Line> {
        let place = self.0.iter().position(|line| line.connection == Some(connection))?;
        self.remove(place)
    }

    /// Takes the halves out.
    pub(super) fn remove_halves(&mut self) -> Vec<Line> {
        self.0.extract_if(.., |line| line.connection.is_none()).collect()
    }

    /// Takes all of them out.
    pub(super) fn remove_all(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.0)
    }

    /// Returns since when the newest one has a connection.
    pub(super) fn newest(&self) -> Option<(ConnectionId, Instant)> {
        self.0.iter().filter_map(|line| Some((line.connection?, line.since))).max_by_key(|(_, since)| *since)
    }

    /// Puts a record in line for this connection. A record for one that is gone is dropped; the session sends it again.
    pub(super) fn put(&mut self, connection: ConnectionId, record: &[u8]) {
        if let Some(line) = self.0.iter_mut().find(|line| line.connection == Some(connection)) {
            line.waiting.push_back((record.len(), line.circuit.frame(record)));
        }
    }

    /// Says whether the session may be asked for the next record.
    ///
    /// With more than one circuit always: the next may be the answer that moves the session to the other one, or the word to
    /// drop the one whose records wait. Those are records that the session keeps, so they are no more than it may keep.
    pub(super) fn have_room(&self) -> bool {
        let mut standing = self.0.iter().filter(|line| line.connection.is_some());
        let first = standing.next();
        standing.next().is_some() || first.is_none_or(|line| line.waiting.is_empty())
    }

    /// Says whether no record waits to be sent.
    pub(super) fn are_empty(&self) -> bool {
        self.0.iter().all(|line| line.waiting.is_empty())
    }

    /// Sends one record for which there is credit; `None` if there is none. An error names the circuit whose socket is gone.
    /// The shortest queue goes first: that is the messages of a circuit that is to be adopted, before the data on the one that it
    /// replaces.
    pub(super) async fn send(&mut self) -> Option<Result<(), usize>> {
        let ready = |line: &Line| line.waiting.front().is_some_and(|(size, _)| *size <= line.credit);
        let ready = self.0.iter().enumerate().filter(|(_, line)| ready(line));
        let (place, _) = ready.min_by_key(|(_, line)| line.waiting.len())?;
        let line = self.0.get_mut(place)?;
        let (size, frame) = line.waiting.pop_front()?;
        line.credit -= size;
        tracing::trace!(bytes = size, "record sent");
        // The socket's writer always gets on or fails, so this wait is bounded.
        Some(if line.circuit.send(frame).await { Ok(()) } else { Err(place) })
    }
}
