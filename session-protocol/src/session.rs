//! The session: records in, records out, streams between. Specification: `spec/session.md`, `spec/streams.md`.
//!
//! ```text
//! socket ── record ──▶ handle ─▶ Opener ─▶ frames ─▶ streams ─▶ Event
//! socket ◀─ Transmit ─ poll ◀─ Outbox ◀─ Sealer ◀─ frames ◀─ streams ◀─ open, write, finish, reset, consume
//! socket ── connected, disconnected ──▶ Paths ─▶ RESUME, RESUME_RSP ─▶ Outbox from the first that is not acknowledged
//! ```
//!
//! Not its concern: framing on a byte stream, making connections, what a stream's context means.

pub mod close;

mod acks;
mod cids;
mod epochs;
mod error;
mod event;
mod exchange;
mod local;
mod outbox;
mod padding;
mod path;
mod receive;
mod rehandshake;
mod report;
mod reserve;
mod resumption;
mod send;
mod stream;
mod streams;

use std::{collections::VecDeque, fmt, time::Instant};

use rand_core::CryptoRng;

pub use error::{RehandshakeError, SessionError, StreamError};
pub use event::{ConnectionId, Event, Input, Output, Stats, StreamId};
pub use report::StreamReport;
pub use reserve::Reserved;

use crate::{
    Role,
    established::{ExportError, Start},
    hello::Cid,
    limits::RECORD_OVERHEAD,
    record::{Opener, Sealer, resume::Message},
    schedule::ExporterSecret,
};
use acks::Acks;
use cids::{Held, Issued};
use epochs::Epochs;
use outbox::Outbox;
use padding::Pacer;
use path::Paths;
use streams::Streams;

/// A running session.
///
/// It outlives its connections: [`connected`](Session::connected) names one, and what the peer did not acknowledge on one goes
/// out again on the next.
///
/// After each call to [`handle`](Session::handle), and after any of the other mutating calls, drain
/// [`poll`](Session::poll) until it returns [`Output::Timeout`]; then wait for a record, for the local application, or for
/// that instant, and call `handle` again. `poll` gives all events before the next record, so a caller whose socket is full
/// keeps the one record it holds, stops calling `poll`, and goes on with `handle` and [`poll_event`](Session::poll_event).
/// While there is another connection beside that one it must go on with `poll`, and queue what is for the full one: else the
/// answers that move the session to the other never come. The queue then holds no more than the session keeps.
///
/// Memory is bounded: unsent bytes by `Limits::send_buffer` per stream, sealed ones by `Limits::retransmission` and the two
/// largest records more that let the ring of them turn over, undelivered events by what one record can hold if
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
    phase: Phase,
    confirm_due: bool,
    epochs: Epochs,
    pacer: Pacer,
    acks: Acks,
    ping: Ping,
    control: VecDeque<Control>,
    streams: Streams,
    issued: Issued,
    held: Held,
    paths: Paths,
    outbox: Outbox,
    /// Number of the record that goes out next on the current connection, sealed or not.
    transmitted: u64,
    /// One past the highest number that ever went out.
    transmitted_once: u64,
    /// The message of a resumption that goes out.
    message: Message,
    events: VecDeque<Event>,
    /// Events of stream data among them.
    undrained: usize,
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
    /// The CLOSE was sealed. It and what is before it are sent again on a new connection; nothing else happens.
    Said,
    /// Nothing is sealed, sent or opened any more.
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

impl Ping {
    fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        id
    }
}

/// Frames that keep their order among each other.
#[derive(Debug)]
enum Control {
    Open { stream: u32, context: [u8; 32] },
    Reset { stream: u32, code: u32 },
}

impl Control {
    fn is_reset_of(&self, id: u32) -> bool {
        matches!(self, Self::Reset { stream, .. } if *stream == id)
    }
}

impl Session {
    pub(crate) fn new(start: Start, now: Instant, guards: Box<dyn CryptoRng + Send>) -> Self {
        let Start { role, sid, exporter, epoch, binding, send, receive, local, peer, limits } = start;
        let initiator = role == Role::Initiator;
        let peers_record = crate::wire::length(peer.max_record.into());
        let pacer = Pacer::new(limits.padding, peers_record.saturating_sub(RECORD_OVERHEAD));
        let sizes = pacer.sizes(limits.record_size.min(peers_record));
        let streams = Streams::new(role, u64::from(peer.stream_window), &limits);
        Self {
            role,
            sid,
            exporter,
            opener: Opener::new(receive, limits.epoch.last),
            sealer: Sealer::new(send, limits.epoch.last),
            guards,
            max_record: limits.max_record,
            phase: if initiator { Phase::Open } else { Phase::Unconfirmed },
            confirm_due: initiator,
            epochs: Epochs::new(role, binding, limits.epoch.clone(), epoch, now),
            pacer,
            acks: Acks::default(),
            ping: Ping::default(),
            control: VecDeque::new(),
            streams,
            issued: Issued::new(local.cids),
            held: Held::new(peer.cids),
            paths: Paths::new(),
            outbox: Outbox::new(limits.retransmission, sizes),
            transmitted: 0,
            transmitted_once: 0,
            message: Message::new(),
            events: if initiator { VecDeque::from([Event::Confirmed]) } else { VecDeque::new() },
            undrained: 0,
            stats: Stats::default(),
            heard: now,
        }
    }

    /// Takes in one complete record, or the passing of time.
    ///
    /// A duplicate, a late record and one of an unknown type are dropped, counted in [`Stats`] and `Ok`. So is a record with a
    /// number that is too high on the current connection, after which [`Output::Disconnect`] comes: all one knows is that this
    /// connection is of no use any more.
    ///
    /// # Errors
    /// * [`SessionError::Rejected`]: the record does not verify. Nothing changed; drop it.
    /// * [`SessionError::Undrained`], [`SessionError::UnknownConnection`]: the caller's mistakes. Nothing changed.
    /// * [`SessionError::Violation`]: the peer broke the protocol. The session closes; drain `poll`.
    /// * [`SessionError::Closed`]: the session is over.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) -> Result<(), SessionError> {
        match input {
            Input::Timeout => {
                self.tick(now);
                Ok(())
            }
            Input::Record { connection, record } => self.receive(connection, record, now),
        }
    }

    /// Gives the next event, then what to drop or to send, then the instant at which to call `handle` with
    /// [`Input::Timeout`].
    pub fn poll(&mut self, now: Instant) -> Output<'_> {
        self.tick(now);
        if let Some(event) = self.poll_event() {
            return Output::Event(event);
        }
        if let Some(connection) = self.paths.next_drop() {
            return Output::Disconnect(connection);
        }
        if self.phase == Phase::Closed {
            return Output::Timeout(None);
        }
        if let Some(connection) = self.seal_message() {
            return Output::Transmit { connection, record: &self.message };
        }
        let current = self.paths.current().map(|link| (link.id, link.cid));
        if let Some((connection, cid)) = current.filter(|_| self.pacer.may_send(now)) {
            if self.transmitted == self.outbox.next() {
                self.seal_next(now);
            }
            let seq = self.transmitted;
            // Sealing may have ended the session.
            if seq < self.outbox.next() && self.phase != Phase::Closed {
                self.note_transmitted(seq);
                self.pacer.passed(now);
                let record = self.outbox.addressed(seq, &cid);
                return Output::Transmit { connection, record };
            }
            if self.phase == Phase::Open {
                // No record can be kept, so none goes out at this time.
                self.pacer.passed(now);
            }
        }
        match self.poll_event() {
            Some(event) => Output::Event(event),
            None => Output::Timeout(self.deadline(now)),
        }
    }

    /// Gives the next event and seals nothing: for a caller whose socket takes no more.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if matches!(event, Some(Event::StreamData { .. })) {
            self.undrained = self.undrained.saturating_sub(1);
        }
        event
    }

    /// Asks the peer for a sign of life; [`Event::Pong`] has the round trip. Does nothing while one is outstanding.
    pub fn ping(&mut self) {
        if self.ping.outstanding.is_none() {
            self.ping.due = true;
        }
    }

    /// Closes the session with a code; those from [`close::APPLICATION`] on are the application's.
    ///
    /// What was not sealed yet is not sent. To end without loss, wait for [`is_delivered`](Session::is_delivered) first. If the
    /// connection breaks with the CLOSE on it, a new one carries it again; 30 s are a good time to offer that.
    pub fn close(&mut self, code: u32) {
        self.end(code);
    }

    /// Gives the session up without a CLOSE: what the peer sent last may be missing. The session ends with
    /// [`close::PATH_LOST`], and whoever reads its streams must take them as truncated. After [`close`](Self::close) it only
    /// ends the sending again of what the peer did not acknowledge.
    pub fn abandon(&mut self) {
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
        self.issued.as_slice()
    }

    /// Whether nothing waits to be sent and the peer acknowledged everything that was: opened and queued there, perhaps unread.
    pub fn is_delivered(&self) -> bool {
        !self.confirm_due
            && self.control.is_empty()
            && !self.streams.has_unsent()
            && self.outbox.is_acknowledged()
    }

    /// Whether the session is closed or closing.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. } | Phase::Said | Phase::Closed)
    }

    /// When the last record of the peer verified; before the first, when the session began.
    pub fn last_heard(&self) -> Instant {
        self.heard
    }

    /// Counts since the session began.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// What became of the bytes of each stream that is not over, or has bytes that the peer did not acknowledge; by stream.
    pub fn report(&self) -> Vec<StreamReport> {
        self.streams.report()
    }

    fn tick(&mut self, now: Instant) {
        self.acks.tick(now);
        self.paths.tick(now);
        self.tick_epoch(now);
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.pacer.is_constant() && self.is_connected() {
            // Everything else waits for the next record.
            let more = self.phase == Phase::Open
                || matches!(self.phase, Phase::Closing { .. })
                || self.transmitted < self.outbox.next();
            let record = self.pacer.deadline().filter(|_| more);
            return earlier(record, self.paths.deadline());
        }
        let talks = !self.is_over() && self.is_connected();
        let to_say = earlier(self.acks.deadline(), self.epoch_deadline(now)).filter(|_| talks);
        earlier(to_say, self.paths.deadline())
    }

    fn note_transmitted(&mut self, seq: u64) {
        self.transmitted = seq.saturating_add(1);
        if seq < self.transmitted_once {
            self.stats.records_resent = self.stats.records_resent.saturating_add(1);
        }
        self.transmitted_once = self.transmitted_once.max(self.transmitted);
    }

    fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.guards.fill_bytes(&mut bytes);
        bytes
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

/// The earlier of two instants, if there is one.
fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
