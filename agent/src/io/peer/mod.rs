//! The data plane of one peer: a session over one circuit after the other, and its streams as byte streams.
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
//! A session outlives its circuits (`spec/session.md`, section 12). When one is lost, or nothing is heard on it, the task says
//! [`Path::Wanted`] and is offered circuits until one works; readers and writers just wait. It gives the peer up when its patience
//! ends.
//!
//! Not its concern: who may open what (`core::room`), where circuits come from (`io::engine`), MPyC (`didagent_bridge`).

mod ends;
mod lines;

mod stream;
mod task;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use didagent_session::{Role, Session, StreamId, StreamReport};
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::Instrument as _;

use ends::Ends;
use stream::Opener;
pub(crate) use stream::SessionStream;
use task::Task;

use crate::core::pairing::Statics;
use crate::io::websocket::Circuit;

/// What the engine hears from a peer.
#[derive(Debug)]
pub(crate) enum FromPeer {
    /// Both sides hold the session and the path works.
    Up,
    /// The path was measured.
    Rtt(Duration),
    /// What the session needs of circuits, or knows of them.
    Path(Path),
    /// Nothing was heard of the peer for so long, although it is pinged. It is waited for.
    Missing(Duration),
    /// It was heard again, after so long.
    Back(Duration),
    /// The peer opened a stream of our round.
    Stream(SessionStream),
    /// The session is over.
    Ended(Ended),
}

/// What a session says of its circuits, by their numbers (RL-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// It needs one, or one more because it hears nothing.
    Wanted,
    /// It needs none any more; halves that waited are closed.
    Enough,
    /// Credit was seen on this one.
    Paired(u32),
    /// No partner came to this one, or the session did not take it.
    Failed(u32),
    /// Data flows.
    Good,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// One side said CLOSE after everything was acknowledged: nothing is missing. If it was the peer, its streams stay as they
    /// are until [`Peer::abort`], as below.
    Closed,
    /// The peer is gone or broke the session, and how, for people. Its streams stay as they are, so that the program
    /// can be stopped for a reason that can be named; they fail when the bridge is shut down.
    Lost(String),
}

/// A peer with a session.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    shared: Arc<Shared>,
    offers: mpsc::UnboundedSender<(u32, Circuit)>,
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
    /// For handshakes inside the session.
    statics: Statics,
    /// The hash that every stream of this round carries.
    round: [u8; 32],
    streams: HashMap<StreamId, StreamState>,
    /// Streams that the peer opened and that somebody here still holds.
    handles: usize,
    /// We want to end within so long; the task closes the session once everything is acknowledged.
    closing: Option<Duration>,
    /// How long the peer may be silent before it is lost.
    patience: Duration,
    /// The path was measured, which is when the session counts as up (RM-32).
    rtt: Option<Duration>,
    /// Who waits for the next measurement, at most [`MAX_PINGERS`].
    pingers: Vec<oneshot::Sender<Duration>>,
    /// The session is over.
    over: bool,
    /// Streams may fail now. When a peer is lost or has closed the session they first stay as they are, so that the program can
    /// be stopped for a reason that can be named, instead of failing by itself for one that cannot.
    aborted: bool,
    /// What the peer hears of the ends of our streams, for the same reason on its side.
    ends: Ends,
    /// The peer ended a stream before we did.
    fell_first: bool,
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

/// Exporter label of a circuit's token, `spec/0-names.md` section 0.2.
const TOKEN_LABEL: &[u8] = b"didagent-relay-token/1";

/// How long a peer may be silent before the run. The room ends soon anyway.
const PATIENCE_BEFORE_RUN: Duration = Duration::from_secs(8);

/// After so long people are told that nothing is heard of a peer. It is pinged every 2 s.
const MISSING: Duration = Duration::from_secs(4);

/// Commands that may wait for one measurement; one more is told that nothing came.
const MAX_PINGERS: usize = 16;

/// What is known of a peer at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerFacts {
    /// The path was measured, and the session is not over.
    pub(crate) up: bool,
    /// The session is over.
    pub(crate) over: bool,
    /// Nothing is heard of it at the moment, or it has no circuit.
    pub(crate) away: bool,
    /// The round-trip time as measured last.
    pub(crate) rtt: Option<Duration>,
    /// Time since the last record that verified.
    pub(crate) silent: Duration,
    /// It ended a stream before this side did, so what fails here may have failed there first.
    pub(crate) fell_first: bool,
    /// Streams that stand.
    pub(crate) streams: usize,
    /// Bytes of streams that were sent.
    pub(crate) bytes_up: u64,
    /// Bytes of streams that were received.
    pub(crate) bytes_down: u64,
}

impl Peer {
    /// Starts to carry `session` over the circuits that are offered; its events go to `events`, in order.
    pub(crate) fn start(
        session: Session,
        statics: Statics,
        round: [u8; 32],
        events: mpsc::UnboundedSender<(usize, FromPeer)>,
        index: usize,
    ) -> Self {
        let state = State {
            session,
            statics,
            round,
            streams: HashMap::new(),
            handles: 0,
            closing: None,
            patience: PATIENCE_BEFORE_RUN,
            rtt: None,
            pingers: Vec::new(),
            over: false,
            aborted: false,
            ends: Ends::default(),
            fell_first: false,
        };
        // Both sides have the same session id, so the logs of two parties can be laid side by side. It is not secret.
        let sid: String = state.session.sid().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let span = tracing::info_span!("session", party = index, sid);
        let shared = Arc::new(Shared { state: Mutex::new(state), wake: Notify::new() });
        let (offers, offered) = mpsc::unbounded_channel();
        tokio::spawn(Task::new(Arc::clone(&shared), offered, events, index).run().instrument(span));
        Self { shared, offers }
    }

    /// Waits for the peer for so long from now on, whenever it is silent.
    pub(crate) fn be_patient(&self, patience: Duration) {
        self.shared.lock().patience = patience;
        self.shared.wake.notify_one();
    }

    /// Returns the token of the session's circuit with this number, and who opens it; `None` when the session is over.
    pub(crate) fn token(&self, number: u32) -> Option<(Role, [u8; 32])> {
        let state = self.shared.lock();
        let mut token = [0; 32];
        let exported = state.session.export(TOKEN_LABEL, &number.to_be_bytes(), &mut token);
        exported.ok().filter(|()| !state.over).map(|()| (state.session.role(), token))
    }

    /// Gives the session its half of the circuit with this number. It is closed if nobody wants it any more.
    pub(crate) fn offer(&self, number: u32, circuit: Circuit) {
        // When the task is gone, the mediator hears so with the socket.
        let _ = self.offers.send((number, circuit));
    }

    /// Returns what became of the bytes of each stream.
    pub(crate) fn report(&self) -> Vec<StreamReport> {
        self.shared.lock().session.report()
    }

    /// Opens a stream of this round.
    pub(crate) fn open(&self) -> io::Result<SessionStream> {
        let mut state = self.shared.lock();
        if state.over || state.closing.is_some() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let round = state.round;
        let id = state.session.open(round).map_err(io::Error::other)?;
        state.streams.insert(id, StreamState::default());
        drop(state);
        self.shared.wake.notify_one();
        Ok(SessionStream::new(Arc::clone(&self.shared), id, Opener::Us))
    }

    /// Returns what is known of the peer now.
    pub(crate) fn facts(&self) -> PeerFacts {
        let state = self.shared.lock();
        let stats = state.session.stats();
        let silent = Instant::now().saturating_duration_since(state.session.last_heard());
        PeerFacts {
            up: state.rtt.is_some() && !state.over,
            over: state.over,
            rtt: state.rtt,
            away: state.rtt.is_some() && !state.over && (!state.session.is_connected() || silent >= MISSING),
            silent,
            fell_first: state.fell_first,
            streams: state.streams.len(),
            bytes_up: stats.stream_bytes_sent,
            bytes_down: stats.stream_bytes_received,
        }
    }

    /// Measures the path. `None` when the session ends first; a lost answer is waited for until then.
    pub(crate) async fn ping(&self) -> Option<Duration> {
        let (pinger, answer) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            state.pingers.retain(|pinger| !pinger.is_closed());
            if state.over || state.pingers.len() >= MAX_PINGERS {
                return None;
            }
            state.pingers.push(pinger);
        }
        self.shared.wake.notify_one();
        answer.await.ok()
    }

    /// From now on the ends of our streams wait for that of our program.
    pub(crate) fn hold_ends(&self) {
        self.shared.lock().hold_ends();
    }

    /// Our program has ended well: the ends of its streams wait no longer.
    pub(crate) fn release_ends(&self) {
        self.shared.lock().release_ends();
        self.shared.wake.notify_one();
    }

    /// Keeps from the peer how our streams end from now on: it is told in words that we leave, and what our program does while it
    /// is stopped says less. The end of the session ends them.
    pub(crate) fn mute(&self) {
        self.shared.lock().mute();
    }

    /// Lets the streams of a session that is over fail.
    pub(crate) fn abort(&self) {
        self.shared.lock().abort();
    }

    /// Ends the session once the peer has acknowledged everything, or after `limit`.
    pub(crate) fn close(&self, limit: Duration) {
        self.shared.lock().closing = Some(limit);
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The same for a FIN or RESET of the peer.
    fn ended_by_peer(&mut self, stream: StreamId, change: impl FnOnce(&mut StreamState)) {
        // One that was dropped here is not in the table any more.
        self.fell_first |= self.streams.get(&stream).is_some_and(|open| !open.closed_here);
        self.with(stream, change);
    }
}

#[cfg(test)]
mod tests;
