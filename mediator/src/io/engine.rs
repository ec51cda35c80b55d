//! The core behind its lock, with a clock, and the wires to the sockets' tasks.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use didagent_didcomm::short_link::LinkId;
use tokio::sync::{Notify, watch};

use super::keys::Identity;
use crate::core::features::Part;
use crate::core::limits::Limits;
use crate::core::links::{Fetched, LinkName};
use crate::core::rates::Rates;
use crate::core::{CloseReason, Input, Mediator, Now, Outgoing, Output, SocketId};
use crate::store::MemoryStore;

/// Longest sleep of the timer: a circuit that begins while it sleeps can bring an earlier deadline.
const TICK: Duration = Duration::from_secs(1);

/// The core and everything that its tasks share.
#[derive(Debug)]
pub(super) struct Engine {
    core: Mutex<Mediator<MemoryStore>>,
    identity: Identity,
    start: Instant,
    lines: Mutex<HashMap<SocketId, Arc<Line>>>,
    next_socket: AtomicU64,
    deadline: Mutex<Duration>,
    rates: Mutex<Rates>,
    stopping: watch::Sender<bool>,
}

/// What became of a message that was posted.
#[derive(Debug)]
pub(super) enum Posted {
    /// It was taken; nothing goes back.
    Taken,
    /// It was taken, and this envelope answers it.
    Answered(Vec<u8>),
    /// It is not an envelope for this mediator, or an anonymous message that only its sender could be asked about.
    Unreadable,
    /// Too many answers wait.
    Busy,
}

/// The wire to the task that writes a socket.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// There is something to write, or a reason to close.
    pub(super) wake: Notify,
    closing: Mutex<Option<Closing>>,
}

/// Why a socket is closed from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// The core wants it.
    Core(CloseReason),
    /// The mediator stops; what is queued goes out first.
    GoingAway,
}

impl Line {
    pub(super) fn closing(&self) -> Option<Closing> {
        *lock(&self.closing)
    }

    fn close(&self, why: Closing) {
        lock(&self.closing).get_or_insert(why);
        self.wake.notify_one();
    }
}

impl Engine {
    /// `page` is the http or https address under which clients reach it.
    pub(super) fn new(
        identity: Identity,
        page: &str,
        limits: Limits,
        (without, lobby): (&[Part], bool),
        seed: [u8; 32],
    ) -> Self {
        let core = Mediator::new(identity.did(), limits, MemoryStore::default(), seed);
        let core = if lobby { core.with_lobby() } else { core };
        let core = core.without(without).at(page);
        Self {
            core: Mutex::new(core),
            identity,
            start: Instant::now(),
            lines: Mutex::default(),
            next_socket: AtomicU64::new(1),
            deadline: Mutex::new(TICK),
            rates: Mutex::default(),
            stopping: watch::Sender::new(false),
        }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Registers a new socket of a client at this address.
    pub(super) fn connect(&self, from: IpAddr) -> (SocketId, Arc<Line>) {
        self.register(Input::SocketOpened, from)
    }

    fn register(&self, opened: fn(SocketId) -> Input<'static>, from: IpAddr) -> (SocketId, Arc<Line>) {
        let socket = SocketId(self.next_socket.fetch_add(1, Ordering::Relaxed));
        let line = Arc::new(Line::default());
        lock(&self.lines).insert(socket, line.clone());
        self.handle(opened(socket));
        lock(&self.core).comes_from(socket, from);
        (socket, line)
    }

    /// Forgets a socket.
    pub(super) fn disconnect(&self, socket: SocketId) {
        lock(&self.lines).remove(&socket);
        self.handle(Input::SocketClosed(socket));
    }

    /// Takes an encrypted text from a client.
    pub(super) fn receive_text(&self, socket: SocketId, text: &[u8]) {
        match self.identity.open(text) {
            Ok(received) => self.handle(Input::Message { socket, received: Box::new(received) }),
            Err(error) => {
                // The error is made of our own words: it repeats nothing of the message.
                tracing::debug!(socket = socket.0, %error, "a message does not open");
                self.handle(Input::Unreadable(socket));
            }
        }
    }

    /// Returns the content of a short link.
    pub(super) fn take_link(&self, id: LinkId, take_hash: &[u8; 32]) -> Fetched<Vec<u8>> {
        lock(&self.core).take_link(id, take_hash, self.now())
    }

    /// Returns the invitation behind an `_oobid`.
    pub(super) fn readable_link(&self, id: [u8; 16]) -> Fetched<Vec<u8>> {
        lock(&self.core).readable_link(id, self.now())
    }

    /// Tells whether a link works.
    pub(super) fn link_state(&self, name: LinkName) -> Fetched<()> {
        lock(&self.core).link_state(name, self.now())
    }

    /// Tells whether a client at this address may post a message now.
    pub(super) fn may_post(&self, from: IpAddr) -> bool {
        lock(&self.rates).take(from, self.start.elapsed())
    }

    /// Takes an encrypted message that was posted from this address, and returns the answer if the message asks for it here.
    pub(super) fn exchange(&self, envelope: &[u8], from: IpAddr) -> Posted {
        let received = match self.identity.open(envelope) {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%error, "a posted message does not open");
                return Posted::Unreadable;
            }
        };
        let here = received.message.wants_answer_here();
        let (socket, line) = self.register(Input::PostOpened, from);
        self.handle(Input::Message { socket, received: Box::new(received) });
        // A request has one answer, and an HTTP response holds one message.
        let answer = if here { self.next_for(socket) } else { None };
        self.disconnect(socket);
        match (line.closing(), answer) {
            (Some(Closing::Core(CloseReason::Unreadable)), _) => Posted::Unreadable,
            (Some(_), _) => Posted::Busy,
            (None, Some(Outgoing::Message { to, message })) => match self.identity.seal(&to, &message) {
                Ok(envelope) => Posted::Answered(envelope),
                Err(error) => {
                    tracing::debug!(%error, "an answer cannot be encrypted");
                    Posted::Taken
                }
            },
            (None, _) => Posted::Taken,
        }
    }

    pub(super) fn handle(&self, input: Input<'_>) {
        let mut core = lock(&self.core);
        core.handle(input, self.now());
        self.carry_out(&mut core);
    }

    /// Returns the next thing to write to a socket.
    pub(super) fn next_for(&self, socket: SocketId) -> Option<Outgoing> {
        let mut core = lock(&self.core);
        let outgoing = core.next_for(socket, self.now());
        self.carry_out(&mut core);
        outgoing
    }

    /// Sends what the core has left to say and closes all sockets.
    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
        self.handle(Input::Stop);
        for line in lock(&self.lines).values() {
            line.close(Closing::GoingAway);
        }
    }

    /// Resolves when the mediator stops.
    pub(super) async fn stopping(&self) {
        // The sender lives as long as this engine, so there is no other end.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Keeps the core's deadlines; never returns.
    pub(super) async fn keep_time(&self) {
        loop {
            let wait = lock(&self.deadline).saturating_sub(self.start.elapsed()).min(TICK);
            tokio::time::sleep(wait.max(Duration::from_millis(10))).await;
            if *lock(&self.deadline) <= self.start.elapsed() {
                self.handle(Input::Timeout);
                let (circuits, bytes) = lock(&self.core).load();
                tracing::trace!(circuits, bytes, "load");
            }
        }
    }

    fn carry_out(&self, core: &mut Mediator<MemoryStore>) {
        loop {
            match core.poll() {
                Output::Wake(socket) => {
                    if let Some(line) = lock(&self.lines).get(&socket) {
                        line.wake.notify_one();
                    }
                }
                Output::Close(socket, reason) => {
                    if let Some(line) = lock(&self.lines).get(&socket) {
                        line.close(Closing::Core(reason));
                    }
                }
                Output::Timeout(deadline) => {
                    *lock(&self.deadline) = deadline;
                    return;
                }
            }
        }
    }

    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Now { since_start: self.start.elapsed(), unix }
    }
}

/// Locks; a panic of another holder does not stop everybody else, since the core keeps no half-done state across calls
/// that other sockets depend on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
