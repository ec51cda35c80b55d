//! The task that carries one session's records over its circuit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use didagent_didcomm::protocols::relay::CloseCode;
use didagent_session::{ConnectionId, Event, Input, Output, close};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

use super::stream::Opener;
use super::{Ended, FromPeer, SessionStream, Shared, State, StreamState, wake};
use crate::io::websocket::{Circuit, FromCircuit};

/// STREAM_RESET code of a stream for another round than ours, and of one too many.
const RESET_REFUSED: u32 = 2;

/// Streams that a peer may have opened and that somebody here still holds: one that is carried, four that the bridge lets
/// wait, and a few that are being closed. Each may hold a window of unread bytes.
const MAX_STREAMS: usize = 8;

/// Unread bytes are kept in pieces of at least this size where possible, since a peer may send them one by one.
const PIECE: usize = 16 * 1024;

/// How long the rest of the data may take to be acknowledged when the session ends well.
const DRAIN: Duration = Duration::from_secs(10);

/// How long the last records and the end of the circuit may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// How often the path is measured, so that a dead peer behind a live mediator is noticed.
const PING_EVERY: Duration = Duration::from_secs(2);

/// A peer of which nothing is heard for so long is lost, although it is pinged. It bounds how long others wait for a party that sleeps; a
/// longer pause needs resumption, which this version of the session does not have.
const PEER_DEAD: Duration = Duration::from_secs(8);

/// After so long people are told that nothing is heard of a peer.
const PEER_SILENT: Duration = Duration::from_secs(4);

/// A deadline that is noticed so much too late means that we ourselves stood still: then a peer had no chance to be heard.
const STOOD_STILL: Duration = Duration::from_secs(2);

pub(super) struct Task {
    shared: Arc<Shared>,
    circuit: Circuit,
    events: mpsc::UnboundedSender<(usize, FromPeer)>,
    index: usize,
    /// Bytes that the relay still takes from us.
    credit: usize,
    /// A PING was not answered yet.
    pinged: bool,
    up: bool,
    /// From here on silence counts: when we last woke from a standstill.
    listening: Instant,
    /// People were told that the peer is silent.
    told_silent: bool,
}

/// What the session wants next.
enum Next {
    Send(Vec<u8>),
    Wait(Option<Instant>),
    Over(Ended),
}

impl Task {
    pub(super) fn new(
        shared: Arc<Shared>,
        circuit: Circuit,
        events: mpsc::UnboundedSender<(usize, FromPeer)>,
        index: usize,
    ) -> Self {
        Self {
            shared,
            circuit,
            events,
            index,
            credit: 0,
            pinged: false,
            up: false,
            listening: Instant::now(),
            told_silent: false,
        }
    }

    pub(super) async fn run(mut self) {
        let connected = self.shared.lock().session.connected(Instant::now());
        match connected {
            Ok(connection) => {
                let ended = self.carry(connection).await;
                self.finish(ended).await;
            }
            Err(error) => self.finish(Ended::Lost(error.to_string())).await,
        }
    }

    /// Carries records until the session ends or its circuit is lost.
    async fn carry(&mut self, connection: ConnectionId) -> Ended {
        let mut next_ping = Instant::now();
        let mut drain_until = None;
        let mut outgoing: Option<Vec<u8>> = None;
        loop {
            let mut deadline = None;
            if outgoing.is_none() {
                match self.next(&mut drain_until) {
                    Next::Send(record) => outgoing = Some(record),
                    Next::Wait(until) => deadline = until,
                    Next::Over(ended) => return ended,
                }
            }
            if let Some(record) = outgoing.take_if(|record| record.len() <= self.credit) {
                self.credit -= record.len();
                tracing::trace!(bytes = record.len(), "record sent");
                // The socket's writer always gets on or fails, so this wait is bounded.
                if !self.circuit.send(&record).await {
                    return Ended::Socket;
                }
                // Take in what arrived before sealing more, but do not wait for it.
                match self.circuit.incoming.try_recv() {
                    Ok(event) => {
                        if let Some(over) = self.incoming(connection, event) {
                            return over;
                        }
                    }
                    Err(mpsc::error::TryRecvError::Empty) => {}
                    Err(mpsc::error::TryRecvError::Disconnected) => return Ended::Socket,
                }
                continue;
            }
            let deadline =
                deadline.into_iter().chain([next_ping]).chain(drain_until).min().unwrap_or(next_ping);
            tokio::select! {
                event = self.circuit.incoming.recv() => {
                    let Some(event) = event else { return Ended::Socket };
                    if let Some(over) = self.incoming(connection, event) {
                        return over;
                    }
                }
                () = self.shared.wake.notified() => {}
                () = sleep_until(deadline.into()) => {
                    let now = Instant::now();
                    if now.saturating_duration_since(deadline) >= STOOD_STILL {
                        self.listening = now;
                    }
                    if let Some(over) = self.time_passed(now, &mut next_ping) {
                        return over;
                    }
                }
            }
        }
    }

    /// Drains the session's events and returns what it wants.
    fn next(&mut self, drain_until: &mut Option<Instant>) -> Next {
        let now = Instant::now();
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        if !state.pingers.is_empty() && !self.pinged {
            state.session.ping();
            self.pinged = true;
        }
        if state.closing {
            let until = *drain_until.get_or_insert(now + DRAIN);
            if state.session.is_delivered() || now >= until {
                state.session.close(close::DONE);
            }
        }
        loop {
            match state.session.poll(now) {
                Output::Transmit { record, .. } => return Next::Send(record.to_vec()),
                Output::Timeout(until) => return Next::Wait(until),
                Output::Disconnect(_) => return Next::Over(Ended::Lost("records are missing".to_owned())),
                Output::Event(event) => {
                    if let Some(ended) = self.event(&mut state, event, &[]) {
                        return Next::Over(ended);
                    }
                }
            }
        }
    }

    /// Acts on an event. `record` is the one that was just handed in, where stream data lies.
    fn event(&mut self, state: &mut State, event: Event, record: &[u8]) -> Option<Ended> {
        match event {
            Event::Closed { code: close::DONE, .. } => return Some(Ended::Closed),
            Event::Closed { code, by_peer } => {
                let who = if by_peer { "it" } else { "this side" };
                return Some(Ended::Lost(format!("{who} closed the session (code {code})")));
            }
            Event::Confirmed => tracing::debug!("the peer holds the session's keys"),
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
            Event::StreamFinished { stream } => state.with(stream, |open| {
                open.finished = true;
                wake(&mut open.reader);
            }),
            Event::StreamReset { stream, .. } => state.with(stream, |open| {
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
            Event::Adopted(_) | Event::Suspended => {}
            other => tracing::debug!(peer = self.index, ?other, "an event of a later version"),
        }
        None
    }

    fn incoming(&mut self, connection: ConnectionId, event: FromCircuit) -> Option<Ended> {
        let lost = |why: &str| Some(Ended::Lost(why.to_owned()));
        match event {
            FromCircuit::Credit(bytes) => {
                tracing::trace!(bytes, "credit of the relay");
                self.add_credit(bytes);
                None
            }
            FromCircuit::Record(mut record) => {
                tracing::trace!(bytes = record.len(), "record received");
                let shared = Arc::clone(&self.shared);
                let mut state = shared.lock();
                let input = Input::Record { connection, record: &mut record };
                if let Err(error) = state.session.handle(input, Instant::now()) {
                    // One record that does not authenticate moves nothing.
                    tracing::debug!(peer = self.index, %error, "a record was refused");
                }
                while let Some(event) = state.session.poll_event() {
                    if let Some(ended) = self.event(&mut state, event, &record) {
                        return Some(ended);
                    }
                }
                None
            }
            FromCircuit::Closed(CloseCode::PEER_GONE) => lost("its connection is gone"),
            FromCircuit::Closed(CloseCode::NO_PARTNER) => lost("it did not come to the circuit"),
            FromCircuit::Closed(CloseCode::GOING_AWAY) => Some(Ended::Socket),
            FromCircuit::Closed(code) => lost(&format!("the circuit was closed (code {})", code.0)),
        }
    }

    fn time_passed(&mut self, now: Instant, next_ping: &mut Instant) -> Option<Ended> {
        let mut state = self.shared.lock();
        // Any record that verified counts: a PING may queue behind a megabyte on a slow link.
        let silence = now.saturating_duration_since(state.session.last_heard().max(self.listening));
        if self.up && silence >= PEER_DEAD {
            return Some(Ended::Lost(format!("it has not answered for {} s", PEER_DEAD.as_secs())));
        }
        if self.up && silence >= PEER_SILENT && !self.told_silent {
            self.tell(FromPeer::Silent(silence));
        }
        self.told_silent = silence >= PEER_SILENT;
        let _ = state.session.handle(Input::Timeout, now);
        if now >= *next_ping {
            *next_ping = now + PING_EVERY;
            if !self.pinged {
                state.session.ping();
                self.pinged = true;
            }
        }
        None
    }

    /// Sends what is still to be said, then tells everybody that the session is over.
    async fn finish(mut self, ended: Ended) {
        tracing::debug!(?ended, "the session ends");
        if ended == Ended::Closed {
            // What is left is the CLOSE itself; without it the peer would take us for lost.
            let _ = timeout(FAREWELL, self.say_rest()).await;
        }
        let _ = timeout(FAREWELL, self.circuit.close(CloseCode::DONE)).await;
        let mut state = self.shared.lock();
        state.over = true;
        state.pingers.clear();
        if ended == Ended::Closed {
            state.abort();
        }
        drop(state);
        self.tell(FromPeer::Ended(ended));
    }

    async fn say_rest(&mut self) {
        loop {
            let record = match self.shared.lock().session.poll(Instant::now()) {
                Output::Transmit { record, .. } => record.to_vec(),
                Output::Event(_) | Output::Disconnect(_) => continue,
                Output::Timeout(_) => return,
            };
            while record.len() > self.credit {
                match self.circuit.incoming.recv().await {
                    Some(FromCircuit::Credit(bytes)) => self.add_credit(bytes),
                    Some(FromCircuit::Record(_)) => {}
                    Some(FromCircuit::Closed(_)) | None => return,
                }
            }
            self.credit -= record.len();
            if !self.circuit.send(&record).await {
                return;
            }
        }
    }

    fn add_credit(&mut self, bytes: u32) {
        self.credit = self.credit.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    fn tell(&self, event: FromPeer) {
        // The engine may be gone already when the process ends.
        let _ = self.events.send((self.index, event));
    }
}
