//! The data plane of one peer: a session over a circuit, and its streams as byte streams.
//!
//! ```text
//! bridge --poll_write--> Session --poll--> record --credit--> circuit --> mediator --> ...
//! bridge <--poll_read--- streams <--events-- Session <--handle-- circuit <-- mediator <-- ...
//! ```
//!
//! Readers and writers work on the session directly, under its lock; the peer's task carries records. A writer waits when
//! the session takes no more (the peer's credit or the send buffer is used up), the session waits when the relay gives no
//! credit, so back-pressure reaches the local socket and nothing is dropped.
//!
//! Not its concern: who may open what (`core::room`), MPyC (`didagent_bridge`).

use std::collections::{HashMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use didagent_didcomm::protocols::relay::CloseCode;
use didagent_session::{Event, Input, Output, Session, SessionError, StreamId, close};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep_until, timeout};

use crate::io::websocket::{Circuit, FromCircuit};

/// STREAM_RESET code of a stream that was dropped without FIN, and of one that is not wanted.
const RESET_ABORTED: u32 = 1;
/// STREAM_RESET code of a stream for another round than ours.
const RESET_OTHER_ROUND: u32 = 2;

/// How long the rest of the data may take to be acknowledged when the session ends well.
const DRAIN: Duration = Duration::from_secs(10);

/// How often the path is measured, so that a dead peer behind a live mediator is noticed.
const PING_EVERY: Duration = Duration::from_secs(2);

/// A peer of which nothing is heard for so long is lost, although it is pinged. It bounds how long others wait for a party that sleeps; a
/// longer pause needs resumption, which this version of the session does not have.
const PEER_DEAD: Duration = Duration::from_secs(8);

/// What the engine hears from a peer.
#[derive(Debug)]
pub(crate) enum FromPeer {
    /// Both sides hold the session and the path works.
    Up,
    /// The path was measured.
    Rtt(Duration),
    /// The peer opened a stream of our round.
    Stream(SessionStream),
    /// The session is over.
    Ended(Ended),
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// One side said CLOSE after everything was acknowledged: nothing is missing.
    Closed,
    /// The peer is gone or broke the session, and how, for people. Its streams stay as they are, so that the program
    /// can be stopped for a reason that can be named; they fail when the bridge is shut down.
    Lost(String),
    /// The socket to the mediator is gone, which says nothing about the peer; the socket reports it itself.
    Socket,
}

/// A peer with a session.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Wakes the task when the session may have something to send.
    wake: Notify,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

struct State {
    session: Session,
    /// The hash that every stream of this round carries.
    round: [u8; 32],
    streams: HashMap<StreamId, StreamState>,
    /// We want to end; the task closes the session once everything is acknowledged.
    closing: bool,
    /// The session is over.
    over: bool,
    /// Streams may fail now. When a peer is lost they first stay as they are, so that the program can be stopped for a
    /// reason that can be named, instead of failing by itself for one that cannot.
    aborted: bool,
}

#[derive(Default)]
struct StreamState {
    received: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk that were read already.
    offset: usize,
    finished: bool,
    reset: bool,
    /// The local side has finished or reset.
    closed_here: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// One stream to a peer. Shutting it down sends FIN; dropping it before that resets it.
#[derive(Debug)]
pub(crate) struct SessionStream {
    shared: Arc<Shared>,
    id: StreamId,
}

impl Peer {
    /// Starts to carry `session` over `circuit`; `tell` is called with each event, in order.
    pub(crate) fn start(
        session: Session,
        circuit: Circuit,
        round: [u8; 32],
        events: mpsc::UnboundedSender<(usize, FromPeer)>,
        index: usize,
    ) -> Self {
        let state =
            State { session, round, streams: HashMap::new(), closing: false, over: false, aborted: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), wake: Notify::new() });
        let task = Task {
            shared: Arc::clone(&shared),
            circuit,
            events,
            index,
            credit: 0,
            pinged: false,
            heard: Instant::now(),
            up: false,
        };
        tokio::spawn(task.run());
        Self { shared }
    }

    /// Opens a stream of this round.
    pub(crate) fn open(&self) -> io::Result<SessionStream> {
        let mut state = self.shared.lock();
        if state.over || state.closing {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let round = state.round;
        let id = state.session.open(round).map_err(io::Error::other)?;
        state.streams.insert(id, StreamState::default());
        drop(state);
        self.shared.wake.notify_one();
        Ok(SessionStream { shared: Arc::clone(&self.shared), id })
    }

    /// Ends the session once the peer has acknowledged everything.
    pub(crate) fn close(&self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Task {
    shared: Arc<Shared>,
    circuit: Circuit,
    events: mpsc::UnboundedSender<(usize, FromPeer)>,
    index: usize,
    /// Bytes that the relay still takes from us.
    credit: usize,
    /// A PING was not answered yet.
    pinged: bool,
    /// When the last record of the peer verified. Anything counts: a PING may queue behind a megabyte on a slow link.
    heard: Instant,
    up: bool,
}

/// What the session wants next.
enum Next {
    Send(Vec<u8>),
    Wait(Option<Instant>),
    Over(Ended),
}

impl Task {
    async fn run(mut self) {
        let mut next_ping = Instant::now();
        let mut drain_until = None;
        let mut outgoing: Option<Vec<u8>> = None;
        let ended = loop {
            let mut deadline = None;
            if outgoing.is_none() {
                match self.next(&mut drain_until) {
                    Next::Send(record) => outgoing = Some(record),
                    Next::Wait(until) => deadline = until,
                    Next::Over(ended) => break ended,
                }
            }
            if let Some(record) = outgoing.take_if(|record| record.len() <= self.credit) {
                self.credit -= record.len();
                // The socket's writer always gets on or fails, so this wait is bounded.
                if !self.circuit.send(&record).await {
                    break Ended::Socket;
                }
                // Take in what arrived before sealing more, but do not wait for it.
                match self.circuit.incoming.try_recv() {
                    Ok(event) => {
                        if let Some(over) = self.incoming(event) {
                            break over;
                        }
                    }
                    Err(mpsc::error::TryRecvError::Empty) => {}
                    Err(mpsc::error::TryRecvError::Disconnected) => break Ended::Socket,
                }
                continue;
            }
            let deadline =
                deadline.into_iter().chain([next_ping]).chain(drain_until).min().unwrap_or(next_ping);
            tokio::select! {
                event = self.circuit.incoming.recv() => {
                    let Some(event) = event else { break Ended::Socket };
                    if let Some(over) = self.incoming(event) {
                        break over;
                    }
                }
                () = self.shared.wake.notified() => {}
                () = sleep_until(deadline.into()) => {
                    let now = Instant::now();
                    if let Some(over) = self.time_passed(now, &mut next_ping) {
                        break over;
                    }
                }
            }
        };
        self.finish(ended).await;
    }

    /// Drains the session's events and returns what it wants.
    fn next(&mut self, drain_until: &mut Option<Instant>) -> Next {
        let now = Instant::now();
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        if state.closing {
            let until = *drain_until.get_or_insert(now + DRAIN);
            if state.session.is_delivered() || now >= until {
                state.session.close(close::DONE);
            }
        }
        loop {
            match state.session.poll(now) {
                Output::Transmit(record) => return Next::Send(record),
                Output::Timeout(until) => return Next::Wait(until),
                Output::Event(Event::Closed { code, by_peer }) => {
                    if code == close::DONE {
                        return Next::Over(Ended::Closed);
                    }
                    let who = if by_peer { "it" } else { "this side" };
                    return Next::Over(Ended::Lost(format!("{who} closed the session (code {code})")));
                }
                Output::Event(event) => self.event(&mut state, event),
            }
        }
    }

    fn event(&mut self, state: &mut State, event: Event) {
        match event {
            Event::Confirmed => {}
            Event::StreamOpened { stream, context } => {
                if context == state.round {
                    state.streams.insert(stream, StreamState::default());
                    let stream = SessionStream { shared: Arc::clone(&self.shared), id: stream };
                    self.tell(FromPeer::Stream(stream));
                } else {
                    tracing::warn!(peer = self.index, "a stream of another round was refused");
                    let _ = state.session.reset(stream, RESET_OTHER_ROUND);
                }
            }
            Event::StreamData { stream, bytes } => {
                let size = bytes.len();
                match state.streams.get_mut(&stream) {
                    Some(open) => {
                        open.received.push_back(bytes);
                        wake(&mut open.reader);
                    }
                    // Its reader is gone: take the bytes off the peer's hands.
                    None => {
                        let _ = state.session.consume(stream, size);
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
                self.tell(FromPeer::Rtt(rtt));
                if !self.up {
                    self.up = true;
                    self.tell(FromPeer::Up);
                }
            }
            other => tracing::debug!(peer = self.index, ?other, "an event of a later version"),
        }
    }

    fn incoming(&mut self, event: FromCircuit) -> Option<Ended> {
        let lost = |why: &str| Some(Ended::Lost(why.to_owned()));
        match event {
            FromCircuit::Credit(bytes) => {
                self.credit = self.credit.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX));
                None
            }
            FromCircuit::Record(record) => {
                let handled = self.shared.lock().session.handle(Input::Record(&record), Instant::now());
                match handled {
                    Ok(()) => {
                        self.heard = Instant::now();
                        None
                    }
                    // One record that does not authenticate moves nothing; a gap cannot be mended without resumption.
                    Err(SessionError::Gap { .. }) => lost("records are missing"),
                    Err(error) => {
                        tracing::debug!(peer = self.index, %error, "a record was refused");
                        None
                    }
                }
            }
            FromCircuit::Closed(CloseCode::PEER_GONE) => lost("its connection is gone"),
            FromCircuit::Closed(CloseCode::NO_PARTNER) => lost("it did not come to the circuit"),
            FromCircuit::Closed(CloseCode::GOING_AWAY) => Some(Ended::Socket),
            FromCircuit::Closed(code) => lost(&format!("the circuit was closed (code {})", code.0)),
        }
    }

    fn time_passed(&mut self, now: Instant, next_ping: &mut Instant) -> Option<Ended> {
        if self.up && now.duration_since(self.heard) >= PEER_DEAD {
            return Some(Ended::Lost(format!("it has not answered for {} s", PEER_DEAD.as_secs())));
        }
        let mut state = self.shared.lock();
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

    /// Sends what is still queued after a proper close, then tells everybody that the session is over.
    async fn finish(mut self, ended: Ended) {
        loop {
            let polled = self.shared.lock().session.poll(Instant::now());
            match polled {
                Output::Transmit(record) if record.len() <= self.credit => {
                    self.credit -= record.len();
                    if !self.circuit.send(&record).await {
                        break;
                    }
                }
                Output::Event(_) => {}
                Output::Transmit(_) | Output::Timeout(_) => break,
            }
        }
        let _ = timeout(Duration::from_secs(1), self.circuit.close(CloseCode::DONE)).await;
        let mut state = self.shared.lock();
        state.over = true;
        if ended == Ended::Closed {
            state.abort();
        }
        drop(state);
        self.tell(FromPeer::Ended(ended));
    }

    fn tell(&self, event: FromPeer) {
        // The engine may be gone already when the process ends.
        let _ = self.events.send((self.index, event));
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl State {
    /// Lets every stream that is not finished fail.
    fn abort(&mut self) {
        self.over = true;
        self.aborted = true;
        for stream in self.streams.values_mut() {
            wake(&mut stream.reader);
            wake(&mut stream.writer);
        }
    }

    fn with(&mut self, stream: StreamId, change: impl FnOnce(&mut StreamState)) {
        if let Some(open) = self.streams.get_mut(&stream) {
            change(open);
        }
    }
}

impl AsyncRead for SessionStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        let State { session, streams, aborted, .. } = &mut *state;
        let Some(open) = streams.get_mut(&self.id) else { return Poll::Ready(Err(reset())) };
        let mut read = 0;
        while let Some(chunk) = open.received.front()
            && buffer.remaining() > 0
        {
            let rest = &chunk[open.offset..];
            let count = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..count]);
            read += count;
            open.offset += count;
            if open.offset == chunk.len() {
                open.received.pop_front();
                open.offset = 0;
            }
        }
        if read > 0 {
            // A stream that ended meanwhile needs no more credit.
            let _ = session.consume(self.id, read);
            drop(state);
            self.shared.wake.notify_one();
            return Poll::Ready(Ok(()));
        }
        if open.finished {
            return Poll::Ready(Ok(()));
        }
        if open.reset || *aborted {
            return Poll::Ready(Err(reset()));
        }
        open.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for SessionStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.shared.lock();
        let State { session, streams, aborted, .. } = &mut *state;
        let Some(open) = streams.get_mut(&self.id) else { return Poll::Ready(Err(reset())) };
        if open.reset || *aborted {
            return Poll::Ready(Err(reset()));
        }
        match session.write(self.id, bytes) {
            Ok(0) if !bytes.is_empty() => {
                open.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            Ok(count) => {
                drop(state);
                self.shared.wake.notify_one();
                Poll::Ready(Ok(count))
            }
            Err(error) => Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, error))),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        let State { session, streams, .. } = &mut *state;
        if let Some(open) = streams.get_mut(&self.id)
            && !open.closed_here
        {
            open.closed_here = true;
            let _ = session.finish(self.id);
            drop(state);
            self.shared.wake.notify_one();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for SessionStream {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let State { session, streams, .. } = &mut *state;
        if let Some(open) = streams.remove(&self.id)
            && (!open.closed_here || !open.finished)
            && !open.reset
        {
            let _ = session.reset(self.id, RESET_ABORTED);
        }
        drop(state);
        self.shared.wake.notify_one();
    }
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}
