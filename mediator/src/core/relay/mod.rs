//! Circuits: two sockets that name the same token exchange opaque records (`spec/relay.md`).
//!
//! ```text
//! initiator                    mediator                   responder
//!   open{token}  ------------->                              (either may come first)
//!                <------------  opened{7}
//!                               opened{3} ---------------->  join{token}
//!                <------------  CREDIT 7 | CREDIT 3 ------->
//!   DATA 7       ------------->         DATA 3 ----------->
//!                <------------  CREDIT 7                     (as records are written)
//!   CLOSE 7      ------------->         CLOSE 3 ---------->  (after everything that was queued)
//! ```
//!
//! Not its concern: who a client is (the mediator passes the DID that authenticated), the DIDComm messages, sockets.

mod lane;
mod turns;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use didagent_didcomm::protocols::relay::{
    CircuitId, CloseCode, Frame, FrameError, MIN_WINDOW, Token, refusal,
};

use super::SocketId;
use super::limits::Limits;
use super::replay::Replay;
use lane::Lane;

/// Tokens of ended circuits that are remembered; 32 bytes each.
const USED_TOKENS: usize = 16 * 1024;

/// CLOSE frames that may wait on a socket before further unknown circuits go unanswered.
const MAX_UNKNOWN: usize = 64;

/// An end of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Initiator,
    Responder,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }
}

/// A value for each end.
#[derive(Debug, Default)]
struct Both<T> {
    initiator: T,
    responder: T,
}

impl<T> Both<T> {
    fn of(&self, side: Side) -> &T {
        match side {
            Side::Initiator => &self.initiator,
            Side::Responder => &self.responder,
        }
    }

    fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Initiator => &mut self.initiator,
            Side::Responder => &mut self.responder,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key(u64);

#[derive(Debug)]
struct Circuit {
    token: Token,
    ends: Both<Option<End>>,
    /// Lanes by their sender.
    lanes: Both<Lane>,
    window: u32,
    paired: bool,
}

#[derive(Debug)]
struct End {
    socket: SocketId,
    id: CircuitId,
    did: Arc<str>,
}

/// The circuits of one socket.
#[derive(Debug, Default)]
struct Port {
    last_id: u32,
    circuits: BTreeMap<CircuitId, (Key, Side)>,
    /// Circuits with something to send to this socket, in turn.
    ring: VecDeque<CircuitId>,
    /// The circuit that was last reported as unknown: once is enough.
    unknown: Option<CircuitId>,
    /// CLOSE frames to send at once.
    closes: VecDeque<(CircuitId, CloseCode)>,
    /// Circuits for which a CREDIT frame is due.
    credits: BTreeSet<CircuitId>,
    /// Half circuits of this socket, oldest first.
    waiting: BTreeSet<Key>,
}

/// One `open` or `join`.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) socket: SocketId,
    pub(super) did: Arc<str>,
    pub(super) side: Side,
    pub(super) token: Token,
    pub(super) window: u32,
}

/// All circuits.
#[derive(Debug)]
pub(super) struct Relay {
    circuits: HashMap<Key, Circuit>,
    by_token: HashMap<[u8; 32], Key>,
    per_did: HashMap<Arc<str>, usize>,
    ports: HashMap<SocketId, Port>,
    /// Half circuits and when their partner is late; keys count up, so the oldest is the first.
    waiting: BTreeMap<Key, Duration>,
    used: Replay,
    next_key: u64,
    woken: BTreeSet<SocketId>,
}

impl Relay {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            circuits: HashMap::new(),
            by_token: HashMap::new(),
            per_did: HashMap::new(),
            ports: HashMap::new(),
            waiting: BTreeMap::new(),
            used: Replay::new(limits.replay_memory, USED_TOKENS),
            next_key: 0,
            woken: BTreeSet::new(),
        }
    }

    /// Registers one half of a circuit; the answer is its id or a code of [`refusal`] (RL-04 to RL-08).
    pub(super) fn request(
        &mut self,
        request: Request,
        now: Duration,
        limits: &Limits,
    ) -> Result<CircuitId, &'static str> {
        if request.window < MIN_WINDOW {
            return Err(refusal::WINDOW);
        }
        let token = *request.token.as_bytes();
        if self.used.contains(&[&token], now) {
            return Err(refusal::TOKEN_USED);
        }
        let of_did = self.per_did.get(&request.did).copied().unwrap_or_default();
        let of_socket = self.ports.get(&request.socket).map_or(0, |port| port.circuits.len());
        if of_did >= limits.circuits_per_did || of_socket >= limits.circuits_per_socket {
            return Err(refusal::TOO_MANY);
        }
        let key = match self.by_token.get(&token) {
            Some(key) => *key,
            None => {
                let waiting = self.ports.get(&request.socket).map_or(0, |port| port.waiting.len());
                if waiting >= limits.waiting_per_socket {
                    return Err(refusal::TOO_MANY);
                }
                if self.circuits.len() >= limits.circuits && !self.evict_waiting() {
                    return Err(refusal::TOO_MANY);
                }
                self.add_circuit(&request, now, limits)
            }
        };
        let circuit = self.circuits.get_mut(&key).ok_or(refusal::TOKEN_USED)?;
        if circuit.paired || circuit.ends.of(request.side).is_some() {
            return Err(refusal::TOKEN_USED);
        }
        if circuit.ends.of(request.side.other()).as_ref().is_some_and(|end| end.did == request.did) {
            return Err(refusal::SAME_DID);
        }
        let port = self.ports.entry(request.socket).or_default();
        // Ids count up and a socket ends long before 2^32 requests, so none is used twice.
        port.last_id = port.last_id.checked_add(1).ok_or(refusal::TOO_MANY)?;
        let id = CircuitId(port.last_id);
        port.circuits.insert(id, (key, request.side));
        if circuit.ends.of(request.side.other()).is_none() {
            port.waiting.insert(key);
        }
        *self.per_did.entry(request.did.clone()).or_default() += 1;
        circuit.window = circuit.window.min(request.window);
        *circuit.ends.of_mut(request.side) = Some(End { socket: request.socket, id, did: request.did });
        if circuit.ends.of(request.side.other()).is_some() {
            self.pair(key, now);
        }
        Ok(id)
    }

    fn add_circuit(&mut self, request: &Request, now: Duration, limits: &Limits) -> Key {
        let key = Key(self.next_key);
        self.next_key += 1;
        let circuit = Circuit {
            token: request.token,
            ends: Both::default(),
            lanes: Both::default(),
            window: limits.window,
            paired: false,
        };
        self.circuits.insert(key, circuit);
        self.by_token.insert(*request.token.as_bytes(), key);
        self.waiting.insert(key, now + limits.partner_wait);
        key
    }

    /// Ends a half circuit to make room, the oldest of the socket that has most of them: who opens many competes with itself.
    fn evict_waiting(&mut self) -> bool {
        let fullest =
            self.ports.values().max_by_key(|port| (port.waiting.len(), Reverse(port.waiting.first())));
        let Some(key) = fullest.and_then(|port| port.waiting.first().copied()) else { return false };
        tracing::debug!("all circuits are taken: a waiting one was ended");
        self.end_waiting(key);
        true
    }

    /// Ends a half circuit: no partner comes.
    fn end_waiting(&mut self, key: Key) {
        let Some(circuit) = self.circuits.get(&key) else { return };
        let side = if circuit.ends.initiator.is_some() { Side::Initiator } else { Side::Responder };
        self.send_close(key, side, CloseCode::NO_PARTNER);
        self.end_half(key, side, CloseCode::NO_PARTNER);
    }

    fn pair(&mut self, key: Key, now: Duration) {
        let Some(circuit) = self.circuits.get_mut(&key) else { return };
        circuit.paired = true;
        self.waiting.remove(&key);
        self.used.first_time(&[circuit.token.as_bytes()], now);
        for side in [Side::Initiator, Side::Responder] {
            circuit.lanes.of_mut(side).start(circuit.window);
            let Some(end) = circuit.ends.of(side) else { continue };
            if let Some(port) = self.ports.get_mut(&end.socket) {
                port.credits.insert(end.id);
                port.waiting.remove(&key);
            }
            self.woken.insert(end.socket);
        }
    }

    /// Takes a binary frame from a client.
    ///
    /// # Errors
    /// [`FrameError`]: the socket is to be closed (RL-22).
    pub(super) fn receive(&mut self, socket: SocketId, bytes: &[u8]) -> Result<(), FrameError> {
        let frame = Frame::decode(bytes)?;
        let id = frame.circuit();
        let port = self.ports.entry(socket).or_default();
        let Some(&(key, side)) = port.circuits.get(&id) else {
            // A circuit that has ended: the client had not read our CLOSE yet. One that never was: say so (RL-33).
            let never_was = id.0 > port.last_id || id.0 == 0;
            let say_so = port.unknown != Some(id) && port.closes.len() < MAX_UNKNOWN;
            if never_was && say_so && !matches!(frame, Frame::Close { .. }) {
                port.unknown = Some(id);
                port.closes.push_back((id, CloseCode::UNKNOWN_CIRCUIT));
                self.woken.insert(socket);
            }
            return Ok(());
        };
        match frame {
            Frame::Data { record, .. } => self.data(key, side, record),
            Frame::Credit { .. } => self.fault(key, side, CloseCode::UNEXPECTED_FRAME),
            Frame::Close { code, .. } => {
                self.end_half(key, side, if code.is_clients() { code } else { CloseCode::DONE });
            }
        }
        Ok(())
    }

    fn data(&mut self, key: Key, side: Side, record: &[u8]) {
        let Some(circuit) = self.circuits.get_mut(&key) else { return };
        if circuit.paired && circuit.ends.of(side.other()).is_none() {
            // The partner is gone and the CLOSE that says so is on its way (RL-32).
            return;
        }
        let lane = circuit.lanes.of_mut(side);
        let was_empty = lane.is_empty();
        if lane.push(record).is_err() {
            self.fault(key, side, CloseCode::CREDIT_EXCEEDED);
        } else if was_empty {
            self.enter_ring(key, side.other());
        }
    }

    /// Gives the end at `side` a turn among the circuits of its socket.
    fn enter_ring(&mut self, key: Key, side: Side) {
        let Some(end) = self.circuits.get(&key).and_then(|circuit| circuit.ends.of(side).as_ref()) else {
            return;
        };
        if let Some(port) = self.ports.get_mut(&end.socket)
            && !port.ring.contains(&end.id)
        {
            port.ring.push_back(end.id);
        }
        self.woken.insert(end.socket);
    }

    /// Ends a circuit because the client at `side` broke a rule.
    fn fault(&mut self, key: Key, side: Side, code: CloseCode) {
        self.send_close(key, side, code);
        self.end_half(key, side, CloseCode::PEER_GONE);
    }

    fn send_close(&mut self, key: Key, side: Side, code: CloseCode) {
        let Some(end) = self.circuits.get(&key).and_then(|circuit| circuit.ends.of(side).as_ref()) else {
            return;
        };
        if let Some(port) = self.ports.get_mut(&end.socket) {
            port.closes.push_back((end.id, code));
            self.woken.insert(end.socket);
        }
    }

    /// Removes the end at `side`. Its partner gets what is queued and then `code` (RL-31).
    fn end_half(&mut self, key: Key, side: Side, code: CloseCode) {
        let Some(circuit) = self.circuits.get_mut(&key) else { return };
        if let Some(end) = circuit.ends.of_mut(side).take() {
            if let Some(port) = self.ports.get_mut(&end.socket) {
                port.circuits.remove(&end.id);
                port.credits.remove(&end.id);
                port.waiting.remove(&key);
                port.ring.retain(|id| *id != end.id);
            }
            if let Some(count) = self.per_did.get_mut(&end.did) {
                *count -= 1;
                if *count == 0 {
                    self.per_did.remove(&end.did);
                }
            }
        }
        if circuit.ends.of(side.other()).is_none() {
            let token = *circuit.token.as_bytes();
            self.circuits.remove(&key);
            self.waiting.remove(&key);
            self.by_token.remove(&token);
            return;
        }
        // What the partner sent can no longer be delivered, and needs no more credit.
        circuit.lanes.of_mut(side.other()).clear();
        circuit.lanes.of_mut(side).close = Some(code);
        self.enter_ring(key, side.other());
    }

    /// Ends all circuits of a socket that is gone.
    pub(super) fn socket_closed(&mut self, socket: SocketId) {
        let Some(port) = self.ports.get(&socket) else { return };
        let all: Vec<_> = port.circuits.values().copied().collect();
        for (key, side) in all {
            self.end_half(key, side, CloseCode::PEER_GONE);
        }
        self.ports.remove(&socket);
        self.woken.remove(&socket);
    }

    /// Tells every end that the mediator stops, and forgets the circuits: a partner's socket that closes afterwards says nothing
    /// more on them (RL-31).
    pub(super) fn stop(&mut self) {
        for (socket, port) in &mut self.ports {
            let circuits = std::mem::take(&mut port.circuits);
            port.closes.extend(circuits.into_keys().map(|id| (id, CloseCode::GOING_AWAY)));
            port.ring.clear();
            port.credits.clear();
            port.waiting.clear();
            self.woken.insert(*socket);
        }
        self.circuits.clear();
        self.by_token.clear();
        self.per_did.clear();
        self.waiting.clear();
    }

    /// Ends circuits whose partner did not come in time (RL-09).
    pub(super) fn timeout(&mut self, now: Duration) {
        while let Some((key, deadline)) = self.waiting.first_key_value()
            && *deadline <= now
        {
            let key = *key;
            self.end_waiting(key);
            // It went with its circuit; this keeps the loop finite whatever happens.
            self.waiting.remove(&key);
        }
    }

    /// Returns when [`Self::timeout`] has something to do.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.waiting.first_key_value().map(|(_, deadline)| *deadline)
    }

    /// Returns a socket that has something to send, once.
    pub(super) fn next_woken(&mut self) -> Option<SocketId> {
        self.woken.pop_first()
    }

    /// Returns the number of circuits, waiting ones included.
    pub(super) fn circuits(&self) -> usize {
        self.circuits.len()
    }
}

#[cfg(test)]
mod tests;
