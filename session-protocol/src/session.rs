//! The session: records in, records out, streams between. Specification: `spec/session.md`, `spec/streams.md`.
//!
//! ```text
//! socket ── record ──▶ handle ─▶ Opener ─▶ frames ─▶ streams ─▶ Event
//! socket ◀─ Transmit ─ poll  ◀─ Sealer ◀─ frames ◀─ streams ◀─ open, write, finish, reset, consume
//! ```
//!
//! Not its concern: framing on a byte stream, reconnecting, what a stream's context means.

pub mod close;

mod acks;
mod epochs;
mod error;
mod event;
mod exchange;
mod receive;
mod send;
mod stream;
mod streams;

use std::{collections::VecDeque, fmt, time::Instant};

use rand_core::CryptoRng;

pub use error::{SessionError, StreamError};
pub use event::{Event, Input, Output, Stats, StreamId};

use crate::{
    Role,
    established::{ExportError, Start},
    hello::Cid,
    limits::MAX_QUEUED_CONTROL,
    record::{Opener, Sealer},
    schedule::ExporterSecret,
};
use acks::Acks;
use epochs::Epochs;
use streams::Streams;

/// A running session.
///
/// After each call to [`handle`](Session::handle), and after any of the other mutating calls, drain
/// [`poll`](Session::poll) until it returns [`Output::Timeout`]; then wait for a record, for the local application, or for
/// that instant, and call `handle` again. `poll` gives all events before the next record, so a caller whose socket is full
/// keeps the one record it holds, stops calling `poll`, and goes on with `handle` and [`poll_event`](Session::poll_event).
///
/// Memory is bounded: unsent bytes by `Limits::send_buffer` per stream, undelivered events by what one record can hold if
/// the caller drains them after each `handle`, unread stream data by the window that the caller's own `consume` opens.
pub struct Session {
    role: Role,
    sid: [u8; 32],
    exporter: ExporterSecret,
    opener: Opener,
    sealer: Sealer,
    guards: Box<dyn CryptoRng + Send>,
    /// Largest record accepted.
    max_record: usize,
    /// Largest record sealed.
    record_size: usize,
    phase: Phase,
    confirm_due: bool,
    epochs: Epochs,
    acks: Acks,
    ping: Ping,
    control: VecDeque<Control>,
    streams: Streams,
    events: VecDeque<Event>,
    stats: Stats,
    heard: Instant,
}

/// Where in its life the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The responder before the initiator's first record: silent.
    Unconfirmed,
    /// Records flow both ways.
    Open,
    /// A CLOSE is to be sealed; nothing else is.
    Closing { code: u32 },
    /// Nothing is sealed or opened any more.
    Closed,
}

/// PING and PONG. At most one PING is outstanding and one PONG owed, so a flood of either costs nothing.
#[derive(Debug, Default)]
struct Ping {
    due: bool,
    next_id: u64,
    outstanding: Option<(u64, Instant)>,
    pong_due: Option<u64>,
}

/// Frames that keep their order among each other.
#[derive(Debug)]
enum Control {
    Open { stream: u32, context: [u8; 32] },
    Reset { stream: u32, code: u32 },
}

impl Session {
    pub(crate) fn new(start: Start, now: Instant, guards: Box<dyn CryptoRng + Send>) -> Self {
        let Start { role, sid, exporter, epoch, binding, send, receive, local, peer, limits } = start;
        // Hello::decode accepts no empty list, so the default is never used.
        let cid = peer.cids.first().copied().unwrap_or_default();
        let initiator = role == Role::Initiator;
        Self {
            role,
            sid,
            exporter,
            opener: Opener::new(receive, local.cids, limits.epoch.last),
            sealer: Sealer::new(send, cid, limits.epoch.last),
            guards,
            max_record: limits.max_record,
            record_size: limits.record_size.min(crate::wire::length(peer.max_record.into())),
            phase: if initiator { Phase::Open } else { Phase::Unconfirmed },
            confirm_due: initiator,
            epochs: Epochs::new(role, binding, limits.epoch.clone(), epoch, now),
            acks: Acks::default(),
            ping: Ping::default(),
            control: VecDeque::new(),
            streams: Streams::new(role, u64::from(peer.stream_window), &limits),
            events: if initiator { VecDeque::from([Event::Confirmed]) } else { VecDeque::new() },
            stats: Stats::default(),
            heard: now,
        }
    }

    /// Takes in one complete record, or the passing of time.
    ///
    /// A duplicate and a record of an unknown type are dropped, counted in [`Stats`] and `Ok`.
    ///
    /// # Errors
    /// * [`SessionError::Rejected`]: the record does not verify. Nothing changed; drop it.
    /// * [`SessionError::Gap`]: its number is too high, and that is all one knows. Nothing changed; drop the connection.
    /// * [`SessionError::Violation`]: the peer broke the protocol. The session closes; drain `poll`.
    /// * [`SessionError::Closed`]: the session is over.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) -> Result<(), SessionError> {
        match input {
            Input::Timeout => {
                self.acks.tick(now);
                self.tick_epoch(now);
                Ok(())
            }
            Input::Record(record) => self.receive(record, now),
        }
    }

    /// Gives the next event, then the next record to send, then the instant at which to call `handle` with
    /// [`Input::Timeout`].
    pub fn poll(&mut self, now: Instant) -> Output {
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        if let Some(record) = self.seal_next(now) {
            return Output::Transmit(record);
        }
        // Sealing may have ended the session.
        match self.events.pop_front() {
            Some(event) => Output::Event(event),
            None => Output::Timeout(self.deadline(now).filter(|_| !self.is_over())),
        }
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        [self.acks.deadline(), self.epoch_deadline(now)].into_iter().flatten().min()
    }

    /// Gives the next event and seals nothing: for a caller whose socket takes no more.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Opens a stream. `context` is the 32-byte hash of what both sides must agree on for it; the peer compares.
    ///
    /// # Errors
    /// [`StreamError::TooMany`] if 256 streams of this side are open, or too many openings wait to be sent;
    /// [`StreamError::Closed`].
    pub fn open(&mut self, context: [u8; 32]) -> Result<StreamId, StreamError> {
        self.check_not_over()?;
        if self.control.len() >= MAX_QUEUED_CONTROL {
            return Err(StreamError::TooMany);
        }
        let stream = self.streams.open()?;
        self.control.push_back(Control::Open { stream, context });
        Ok(StreamId::new(stream))
    }

    /// Queues bytes on a stream and returns how many were accepted: as many as the peer's credit and the local send buffer
    /// allow, perhaps none. If not all were, [`Event::StreamWritable`] tells when there is room again.
    ///
    /// # Errors
    /// [`StreamError::Unknown`], [`StreamError::Finished`] after `finish`, [`StreamError::Closed`].
    pub fn write(&mut self, stream: StreamId, bytes: &[u8]) -> Result<usize, StreamError> {
        self.check_not_over()?;
        self.streams.write(stream.value(), bytes)
    }

    /// Ends the sending direction of a stream after the bytes already accepted.
    ///
    /// # Errors
    /// [`StreamError::Unknown`], [`StreamError::Finished`] the second time, [`StreamError::Closed`].
    pub fn finish(&mut self, stream: StreamId) -> Result<(), StreamError> {
        self.check_not_over()?;
        self.streams.finish(stream.value())
    }

    /// Gives up a stream, both directions. Bytes not yet sealed are dropped; `code` is the application's.
    ///
    /// # Errors
    /// [`StreamError::Unknown`] if the stream does not exist any more, [`StreamError::Closed`].
    pub fn reset(&mut self, stream: StreamId, code: u32) -> Result<(), StreamError> {
        self.check_not_over()?;
        self.streams.reset(stream.value())?;
        self.control.push_back(Control::Reset { stream: stream.value(), code });
        Ok(())
    }

    /// Tells that the local reader took `n` bytes from a stream; credit goes back to the peer in batches.
    ///
    /// # Errors
    /// [`StreamError::Unknown`] for a stream that never was, [`StreamError::ConsumeBeyond`] if more is consumed than was
    /// delivered. For a stream that is over it is `Ok` and does nothing.
    pub fn consume(&mut self, stream: StreamId, n: usize) -> Result<(), StreamError> {
        self.streams.consume(stream.value(), n)
    }

    /// Asks the peer for a sign of life; [`Event::Pong`] has the round trip. Does nothing while one is outstanding.
    pub fn ping(&mut self) {
        if self.ping.outstanding.is_none() {
            self.ping.due = true;
        }
    }

    /// Closes the session with a code; those from [`close::APPLICATION`] on are the application's.
    ///
    /// What was not sealed yet is not sent. To end without loss, wait for [`is_delivered`](Session::is_delivered) first.
    pub fn close(&mut self, code: u32) {
        self.end(code);
    }

    /// Tells that the connection under the session ended without a CLOSE: what the peer sent last may be missing. The session
    /// ends with [`close::PATH_LOST`], and whoever reads its streams must take them as truncated.
    pub fn path_lost(&mut self) {
        if !self.is_over() {
            self.events.push_back(Event::Closed { code: close::PATH_LOST, by_peer: false });
        }
        self.phase = Phase::Closed;
    }

    /// Derives a key for another protocol, as [`Established::export`](crate::Established::export) does.
    ///
    /// # Errors
    /// [`ExportError`] if `out` is longer than 8160 bytes.
    pub fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), ExportError> {
        if self.exporter.export(label, context, out) { Ok(()) } else { Err(ExportError) }
    }

    /// The session identifier, equal on both sides.
    pub fn sid(&self) -> [u8; 32] {
        self.sid
    }

    /// Which side of the handshake this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Routing tokens under which this side receives records.
    pub fn cids(&self) -> &[Cid] {
        self.opener.cids()
    }

    /// Whether nothing waits to be sent and the peer acknowledged everything that was: opened and queued there, perhaps unread.
    pub fn is_delivered(&self) -> bool {
        !self.confirm_due
            && self.control.is_empty()
            && !self.streams.has_unsent()
            && self.acks.all_acknowledged()
    }

    /// Whether the session is closed or closing.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. } | Phase::Closed)
    }

    /// When the last record of the peer verified; before the first, when the session began.
    pub fn last_heard(&self) -> Instant {
        self.heard
    }

    /// Counts since the session began.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn check_not_over(&self) -> Result<(), StreamError> {
        if self.is_over() { Err(StreamError::Closed) } else { Ok(()) }
    }

    /// Ends the session from this side. An unconfirmed responder has no peer to tell.
    fn end(&mut self, code: u32) {
        if self.is_over() {
            return;
        }
        self.phase = if self.phase == Phase::Unconfirmed { Phase::Closed } else { Phase::Closing { code } };
        self.events.push_back(Event::Closed { code, by_peer: false });
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role)
            .field("phase", &self.phase)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
