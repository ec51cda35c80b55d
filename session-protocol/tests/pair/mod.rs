//! Two sessions, one virtual clock, and a link that keeps order: what the stream protocol assumes of its carrier.
#![allow(dead_code, reason = "each test file uses another part")]

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use didagent_session::{
    ConnectionId, Established, Event, Initiator, Input, Limits, Output, Params, Responder, Session,
    SessionError, StaticSecret, StreamId, Suite,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

/// The static keys of both ends.
pub fn statics() -> (StaticSecret, StaticSecret) {
    (StaticSecret::from_bytes([1; 32]), StaticSecret::from_bytes([2; 32]))
}

/// Runs a handshake.
pub fn handshake(limits: &Limits, seed: u64) -> (Established, Established) {
    handshake_of(Suite::KkChaChaPoly, limits, seed)
}

/// Runs a handshake of this suite.
pub fn handshake_of(suite: Suite, limits: &Limits, seed: u64) -> (Established, Established) {
    let (alice, bob) = statics();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (alice_public, bob_public) = (alice.public(), bob.public());
    let to_bob = Params { suite, local: &alice, remote: &bob_public, prologue: b"p", limits: limits.clone() };
    let to_alice =
        Params { suite, local: &bob, remote: &alice_public, prologue: b"p", limits: limits.clone() };
    let (initiator, message1) = Initiator::start(to_bob, &mut rng).unwrap();
    let (responder, message2) = Responder::answer(to_alice, &message1, &mut rng).unwrap();
    (initiator.finish(&message2).unwrap(), responder)
}

/// One end with what its application saw and what is on the way to it.
pub struct End {
    pub session: Session,
    pub connection: ConnectionId,
    pub events: Vec<Event>,
    /// Stream data in the order of arrival.
    pub data: Vec<(StreamId, Vec<u8>)>,
    pub inbox: VecDeque<Vec<u8>>,
}

impl End {
    fn new(mut session: Session, now: Instant) -> Self {
        let connection = session.connected(now).unwrap();
        Self { session, connection, events: Vec::new(), data: Vec::new(), inbox: VecDeque::new() }
    }

    /// Drains the session; returns the records it sent and its next deadline.
    fn drain(&mut self, now: Instant) -> (Vec<Vec<u8>>, Option<Instant>) {
        let mut sent = Vec::new();
        loop {
            match self.session.poll(now) {
                Output::Transmit { record, .. } => sent.push(record.to_vec()),
                Output::Event(event) => self.events.push(event),
                Output::Disconnect(connection) => panic!("{connection} works"),
                Output::Timeout(deadline) => return (sent, deadline),
            }
        }
    }

    /// Hands in a record and takes what it brings.
    pub fn handle(&mut self, mut record: Vec<u8>, now: Instant) -> Result<(), SessionError> {
        let connection = self.connection;
        self.session.handle(Input::Record { connection, record: &mut record }, now)?;
        while let Some(event) = self.session.poll_event() {
            if let Event::StreamData { stream, range } = &event {
                self.data.push((*stream, record[range.clone()].to_vec()));
            }
            self.events.push(event);
        }
        Ok(())
    }

    /// The events since the last call.
    pub fn take(&mut self) -> Vec<Event> {
        self.data.clear();
        std::mem::take(&mut self.events)
    }

    /// The bytes that arrived on a stream since the last `take`.
    pub fn bytes(&self, of: StreamId) -> Vec<u8> {
        let own = self.data.iter().filter(|(stream, _)| *stream == of);
        own.flat_map(|(_, bytes)| bytes.iter().copied()).collect()
    }

    pub fn saw(&self, event: &Event) -> bool {
        self.events.contains(event)
    }
}

/// Both ends, and every record in the order sent.
pub struct Pair {
    pub now: Instant,
    pub a: End,
    pub b: End,
    pub wire: Vec<Vec<u8>>,
}

impl Pair {
    pub fn new(limits: &Limits) -> Self {
        Self::of(Suite::KkChaChaPoly, limits)
    }

    pub fn of(suite: Suite, limits: &Limits) -> Self {
        let (a, b) = handshake_of(suite, limits, 7);
        let now = Instant::now();
        let a = End::new(a.into_session(now, ChaCha20Rng::seed_from_u64(1)), now);
        let b = End::new(b.into_session(now, ChaCha20Rng::seed_from_u64(2)), now);
        let mut pair = Self { now, a, b, wire: Vec::new() };
        pair.settle().unwrap();
        pair.a.take();
        pair.b.take();
        pair
    }

    /// Moves records until both ends are idle, and lets no time pass.
    pub fn step(&mut self) -> Result<Option<Instant>, SessionError> {
        loop {
            let (from_a, deadline_a) = self.a.drain(self.now);
            let (from_b, deadline_b) = self.b.drain(self.now);
            let idle = from_a.is_empty() && from_b.is_empty();
            self.wire.extend(from_a.iter().chain(&from_b).cloned());
            self.b.inbox.extend(from_a);
            self.a.inbox.extend(from_b);
            for end in [&mut self.a, &mut self.b] {
                while let Some(record) = end.inbox.pop_front() {
                    end.handle(record, self.now)?;
                }
            }
            if idle {
                return Ok([deadline_a, deadline_b].into_iter().flatten().min());
            }
        }
    }

    /// Like `step`, and lets time pass until nothing is due any more but the end of an epoch.
    pub fn settle(&mut self) -> Result<(), SessionError> {
        while let Some(deadline) = self.step()? {
            assert!(deadline > self.now);
            if deadline - self.now > Duration::from_millis(20) {
                break;
            }
            self.now = deadline;
            self.a.session.handle(Input::Timeout, self.now)?;
            self.b.session.handle(Input::Timeout, self.now)?;
        }
        Ok(())
    }
}
