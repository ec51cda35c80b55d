//! The task that carries one session's records over its circuits.
//!
//! ```text
//! offered half --credit--> Session::connected --RESUME, RESUME_RSP--> Event::Adopted: data flows
//! circuit closed, socket gone, nothing heard for long --> Session::disconnected, Path::Wanted --> offered half
//! ```

mod ending;

use std::sync::Arc;
use std::time::{Duration, Instant};

use didagent_didcomm::protocols::relay::CloseCode;
use didagent_session::{ConnectionId, Event, Input, Output, close};
use futures_util::FutureExt as _;
use tokio::sync::mpsc::{self, error::SendError};

use super::lines::{Line, Lines};
use super::stream::Opener;
use super::{Ended, FromPeer, MISSING, Path, SessionStream, Shared, State, StreamState, wake};
use crate::io::alarm::Alarm;
use crate::io::websocket::{Circuit, FromCircuit};

/// STREAM_RESET code of a stream for another round than ours, and of one too many.
const RESET_REFUSED: u32 = 2;

/// Streams that a peer may have opened and that somebody here still holds: one that is carried, four that the bridge lets
/// wait, and a few that are being closed. Each may hold a window of unread bytes.
const MAX_STREAMS: usize = 8;

/// Unread bytes are kept in pieces of at least this size where possible, since a peer may send them one by one.
const PIECE: usize = 16 * 1024;

/// How often the path is measured, so that a dead peer behind a live mediator is noticed.
const PING_EVERY: Duration = Duration::from_secs(2);

/// After so long without a word from the peer another circuit is asked for, beside the one that stands (RL-18).
const SUSPECT: Duration = Duration::from_secs(8);

/// A circuit that the session has not adopted after so long most likely leads to a half that nobody holds any more.
const ADOPTION: Duration = Duration::from_secs(3);

/// People are told again how long a peer has been missing.
const TELL_EVERY: Duration = Duration::from_secs(15);

/// Longest pause between two looks at the clock while something is wrong.
const LOOK: Duration = Duration::from_secs(1);

/// A deadline that is noticed so much too late means that we ourselves stood still: then a peer had no chance to be heard.
const STOOD_STILL: Duration = Duration::from_secs(2);

pub(super) struct Task {
    shared: Arc<Shared>,
    offered: mpsc::UnboundedReceiver<(u32, Circuit)>,
    lines: Lines,
    /// Circuits that nobody needs any more, to be closed.
    discarded: Vec<Line>,
    /// Streams of the peer that nobody took. To drop one takes the session's lock, which who finds that out may hold.
    untaken: Vec<SessionStream>,
    /// The connection on which data flows.
    current: Option<ConnectionId>,
    /// Since when there is none.
    alone_since: Instant,
    /// Circuits are asked for.
    wanted: bool,
    events: mpsc::UnboundedSender<(usize, FromPeer)>,
    index: usize,
    /// A PING was not answered yet.
    pinged: bool,
    next_ping: Instant,
    up: bool,
    /// From here on silence counts: when we last woke from a standstill.
    listening: Instant,
    /// Since when the peer is missing, and when people are told so again.
    missing: Option<(Instant, Instant)>,
    /// Since when we want to end.
    closing_since: Option<Instant>,
    /// When we said CLOSE.
    said: Option<Instant>,
    over: Option<Ended>,
}

impl Task {
    pub(super) fn new(
        shared: Arc<Shared>,
        offered: mpsc::UnboundedReceiver<(u32, Circuit)>,
        events: mpsc::UnboundedSender<(usize, FromPeer)>,
        index: usize,
    ) -> Self {
        let now = Instant::now();
        Self {
            shared,
            offered,
            lines: Lines::default(),
            discarded: Vec::new(),
            untaken: Vec::new(),
            current: None,
            alone_since: now,
            // Whoever starts a session asks for its first circuit.
            wanted: true,
            events,
            index,
            pinged: false,
            next_ping: now,
            up: false,
            listening: now,
            missing: None,
            closing_since: None,
            said: None,
            over: None,
        }
    }

    pub(super) async fn run(mut self) {
        let mut alarm = Alarm::new();
        let ended = loop {
            let mut wants = None;
            self.untaken.clear();
            while self.over.is_none() && self.lines.have_room() {
                wants = match self.next() {
                    Some(until) => until,
                    None => continue,
                };
                break;
            }
            for line in std::mem::take(&mut self.discarded) {
                line.close().await;
            }
            if let Some(ended) = self.over.take() {
                break ended;
            }
            if let Some(sent) = self.lines.send().await {
                if let Err(place) = sent {
                    self.lose(place, None);
                }
                // Take in what arrived before sealing more, but do not wait for it.
                if let Some((place, heard)) = self.lines.heard().now_or_never() {
                    self.incoming(place, heard);
                }
                continue;
            }
            alarm.set(wants.map_or(self.next_look(), |until| until.min(self.next_look())));
            tokio::select! {
                (place, heard) = self.lines.heard() => self.incoming(place, heard),
                Some((number, circuit)) = self.offered.recv() => {
                    let half = Line::half(number, circuit);
                    if self.wanted {
                        self.lines.push(half);
                    } else {
                        self.discarded.push(half);
                    }
                }
                () = self.shared.wake.notified() => {}
                deadline = alarm.rings() => {
                    let now = Instant::now();
                    if now.saturating_duration_since(deadline) >= STOOD_STILL {
                        self.listening = now;
                    }
                    self.time_passed(now);
                }
            }
        };
        self.finish(ended).await;
    }

    /// Drains the session's events and takes records from it; returns until when it has no more, or `None` if it may have.
    fn next(&mut self) -> Option<Option<Instant>> {
        let now = Instant::now();
        let shared = Arc::clone(&self.shared);
        let mut guard = shared.lock();
        let state = &mut *guard;
        if !state.pingers.is_empty() && !self.pinged {
            state.session.ping();
            self.pinged = true;
        }
        let ends = state.ends_due(now);
        self.end_if_wanted(state, now);
        match state.session.poll(now) {
            Output::Transmit { connection, record } => self.lines.put(connection, record),
            Output::Disconnect(connection) => {
                tracing::debug!(%connection, "the session drops a connection");
                if let Some(line) = self.lines.remove_connection(connection) {
                    self.discarded.push(line);
                }
                self.disconnected(state, connection, now);
            }
            Output::Timeout(until) => return Some(until.into_iter().chain(ends).min()),
            Output::Event(event) => self.event(state, event, &[]),
        }
        None
    }

    /// Takes one event of the session; the bytes of a stream are in `record`.
    fn event(&mut self, state: &mut State, event: Event, record: &[u8]) {
        match event {
            Event::Confirmed => tracing::debug!("the peer holds the session's keys"),
            Event::Epoch(epoch) => tracing::debug!(epoch, "a new epoch"),
            // Once a day, and after very many forgeries; the initiator begins.
            Event::RehandshakeDue => {
                let State { session, statics, .. } = state;
                if let Err(error) = session.rehandshake(&statics.local, &statics.remote) {
                    tracing::debug!(%error, "no handshake inside the session");
                }
            }
            Event::Rehandshake => {
                let State { session, statics, .. } = state;
                // What does not authenticate has closed the session, which tells so itself.
                if let Err(error) = session.answer_rehandshake(&statics.local, &statics.remote) {
                    tracing::warn!(peer = self.index, %error, "a handshake inside the session failed");
                }
            }
            Event::Adopted(connection) => {
                tracing::debug!(%connection, "data flows on a connection");
                self.current = Some(connection);
                self.enough();
                self.tell(FromPeer::Path(Path::Good));
            }
            Event::Suspended => {
                self.alone();
            }
            // The peer must still hear it.
            Event::Closed { code: close::DONE, by_peer: false } => self.said = Some(Instant::now()),
            Event::Closed { code, by_peer } => {
                self.over.get_or_insert(if code == close::DONE {
                    Ended::Closed
                } else {
                    let who = if by_peer { "it" } else { "this side" };
                    Ended::Lost(format!("{who} closed the session (code {code})"))
                });
            }
            Event::StreamOpened { stream, context } => {
                tracing::debug!(%stream, "the peer opened a stream");
                if context == state.round && state.handles < MAX_STREAMS {
                    state.handles += 1;
                    state.streams.insert(stream, StreamState::default());
                    let stream = SessionStream::new(Arc::clone(&self.shared), stream, Opener::Peer);
                    self.tell(FromPeer::Stream(stream));
                } else {
                    tracing::warn!(peer = self.index, "a stream was refused: another round, or too many");
                    let _ = state.session.reset(stream, RESET_REFUSED);
                }
            }
            Event::StreamData { stream, range } => {
                let bytes = record.get(range).unwrap_or_default();
                match state.streams.get_mut(&stream) {
                    Some(open) => {
                        match open.received.back_mut() {
                            Some(last) if last.len() + bytes.len() <= PIECE => last.extend_from_slice(bytes),
                            _ => open.received.push_back(bytes.to_vec()),
                        }
                        wake(&mut open.reader);
                    }
                    // Its reader is gone: take the bytes off the peer's hands.
                    None => {
                        let _ = state.session.consume(stream, bytes.len());
                    }
                }
            }
            Event::StreamFinished { stream } => state.ended_by_peer(stream, |open| {
                open.finished = true;
                wake(&mut open.reader);
            }),
            Event::StreamReset { stream, .. } => state.ended_by_peer(stream, |open| {
                open.reset = true;
                wake(&mut open.reader);
                wake(&mut open.writer);
            }),
            Event::StreamWritable { stream } => state.with(stream, |open| wake(&mut open.writer)),
            Event::Pong { rtt } => {
                self.pinged = false;
                state.rtt = Some(rtt);
                for pinger in state.pingers.drain(..) {
                    let _ = pinger.send(rtt);
                }
                tracing::trace!(?rtt, "path measured");
                self.tell(FromPeer::Rtt(rtt));
                if !self.up {
                    self.up = true;
                    tracing::debug!(peer = self.index, "a session is up");
                    self.tell(FromPeer::Up);
                }
            }
            other => tracing::debug!(peer = self.index, ?other, "an event of a later version"),
        }
    }

    /// Takes what the circuit at this place hears; `None` means that its socket is gone.
    fn incoming(&mut self, place: usize, heard: Option<FromCircuit>) {
        let Some(line) = self.lines.at(place) else { return };
        match heard {
            Some(FromCircuit::Credit(bytes)) => {
                tracing::trace!(bytes, "credit of the relay");
                line.add_credit(bytes);
                if line.connection.is_none() {
                    self.paired(place);
                }
            }
            Some(FromCircuit::Record(mut record)) => {
                tracing::trace!(bytes = record.len(), "record received");
                // The mediator gives credit first, so before that it is none of the peer's.
                let Some(connection) = line.connection else { return };
                let now = Instant::now();
                let shared = Arc::clone(&self.shared);
                let mut guard = shared.lock();
                let state = &mut *guard;
                let before = state.session.last_heard();
                let handled = state.session.handle(Input::Record { connection, record: &mut record }, now);
                while let Some(event) = state.session.poll_event() {
                    self.event(state, event, &record);
                }
                if let Err(error) = handled {
                    // One record that does not authenticate moves nothing.
                    tracing::debug!(peer = self.index, %error, "a record was refused");
                } else if state.session.last_heard() > before {
                    self.heard(connection, now);
                }
            }
            Some(FromCircuit::Closed(code)) => self.lose(place, Some(code)),
            None => self.lose(place, None),
        }
    }

    /// Both ends are at the circuit at this place.
    fn paired(&mut self, place: usize) {
        let now = Instant::now();
        let connected = self.shared.lock().session.connected(now);
        let Some(line) = self.lines.at(place) else { return };
        let number = line.number;
        match connected {
            Ok(connection) => {
                tracing::debug!(%connection, number, "the peer is at a circuit");
                line.connection = Some(connection);
                line.since = now;
                self.wanted = false;
                self.discarded.extend(self.lines.remove_halves());
                self.tell(FromPeer::Path(Path::Paired(number)));
            }
            Err(error) => {
                tracing::debug!(number, %error, "a circuit is not taken");
                self.discarded.extend(self.lines.remove(place));
                self.tell(FromPeer::Path(Path::Failed(number)));
            }
        }
    }

    /// A record on this connection verified.
    fn heard(&mut self, connection: ConnectionId, now: Instant) {
        if self.current == Some(connection) && self.wanted {
            self.enough();
        }
        if let Some((since, _)) = self.missing.take() {
            self.tell(FromPeer::Back(now.saturating_duration_since(since)));
        }
    }

    /// The circuit at this place is gone, or its socket is, which has no code.
    fn lose(&mut self, place: usize, code: Option<CloseCode>) {
        let Some(line) = self.lines.remove(place) else { return };
        tracing::debug!(number = line.number, ?code, "a circuit is gone");
        if let Some(connection) = line.connection {
            let shared = Arc::clone(&self.shared);
            let mut state = shared.lock();
            self.disconnected(&mut state, connection, Instant::now());
        } else if code.is_some() {
            self.tell(FromPeer::Path(Path::Failed(line.number)));
        }
        if self.said.is_some() && code == Some(CloseCode::DONE) {
            self.over.get_or_insert(Ended::Closed);
        }
    }

    fn disconnected(&mut self, state: &mut State, connection: ConnectionId, now: Instant) {
        state.session.disconnected(connection, now);
        if self.current.is_none_or(|current| current == connection) {
            self.alone();
        }
    }

    /// There is no connection any more on which data flows.
    fn alone(&mut self) {
        if self.current.take().is_some() {
            self.alone_since = Instant::now();
        }
        self.want();
    }

    fn want(&mut self) {
        if !self.wanted {
            self.wanted = true;
            self.tell(FromPeer::Path(Path::Wanted));
        }
    }

    fn enough(&mut self) {
        self.wanted = false;
        self.discarded.extend(self.lines.remove_halves());
        self.tell(FromPeer::Path(Path::Enough));
    }

    /// Returns when to look at the clock again.
    fn next_look(&self) -> Instant {
        let uneasy = self.wanted || self.missing.is_some() || self.closing_since.is_some();
        let pause = if self.said.is_some() { ending::LOOK } else { LOOK };
        if uneasy { self.next_ping.min(Instant::now() + pause) } else { self.next_ping }
    }

    fn time_passed(&mut self, now: Instant) {
        let shared = Arc::clone(&self.shared);
        let mut guard = shared.lock();
        let state = &mut *guard;
        // Any record that verified counts: a PING may queue behind a megabyte on a slow link.
        let last = state.session.last_heard().max(self.listening);
        let silence = now.saturating_duration_since(last);
        if self.up && silence >= state.patience {
            let seconds = state.patience.as_secs();
            self.over.get_or_insert(Ended::Lost(format!("nothing was heard of it for {seconds} s")));
        }
        if self.up && silence >= MISSING {
            let (since, tell_at) = self.missing.unwrap_or((last, now));
            if now >= tell_at {
                self.missing = Some((since, now + TELL_EVERY));
                self.tell(FromPeer::Missing(now.saturating_duration_since(since)));
            }
        }
        let unadopted = self.lines.newest().filter(|(connection, since)| {
            self.current != Some(*connection) && now.saturating_duration_since(*since) >= ADOPTION
        });
        if (self.up && silence >= SUSPECT) || unadopted.is_some() {
            self.want();
        }
        let _ = state.session.handle(Input::Timeout, now);
        if now >= self.next_ping {
            self.next_ping = now + PING_EVERY;
            if !self.pinged {
                state.session.ping();
                self.pinged = true;
            }
        }
    }

    fn tell(&mut self, event: FromPeer) {
        // The engine may be gone already when the process ends.
        if let Err(SendError((_, FromPeer::Stream(stream)))) = self.events.send((self.index, event)) {
            self.untaken.push(stream);
        }
    }
}
