//! The core behind its lock, with a clock, and the wires to the sockets' tasks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use super::keys::Identity;
use crate::core::limits::Limits;
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
    pub(super) fn new(identity: Identity, limits: Limits, seed: [u8; 32]) -> Self {
        Self {
            core: Mutex::new(Mediator::new(identity.did(), limits, MemoryStore::default(), seed)),
            identity,
            start: Instant::now(),
            lines: Mutex::default(),
            next_socket: AtomicU64::new(1),
            deadline: Mutex::new(TICK),
        }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Registers a new socket.
    pub(super) fn connect(&self) -> (SocketId, Arc<Line>) {
        let socket = SocketId(self.next_socket.fetch_add(1, Ordering::Relaxed));
        let line = Arc::new(Line::default());
        lock(&self.lines).insert(socket, line.clone());
        self.handle(Input::SocketOpened(socket));
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
        self.handle(Input::Stop);
        for line in lock(&self.lines).values() {
            line.close(Closing::GoingAway);
        }
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
