//! A session and its whole path for one payload: write, seal, mask, unmask, open, ratchet, event, credit.
//!
//! Nothing lies between the two ends but a function call, so the numbers hold for one core that does the work of both.

use std::hint::black_box;
use std::time::Instant;

use didagent_session::{
    ConnectionId, Established, Event, Initiator, Input, Limits, MAX_RECORD, Output, Params, Responder,
    Session, StaticPublic, StaticSecret, StreamId, Suite,
};
use rand_core::{CryptoRng, Rng as _, UnwrapErr};

/// The operating system's generator: the session asks for it, and a program pays for it.
pub fn system_rng() -> impl CryptoRng + Send + 'static {
    UnwrapErr(getrandom::SysRng)
}

/// The static keys of two parties that shake hands.
#[derive(Debug)]
pub struct Handshake {
    suite: Suite,
    secrets: [StaticSecret; 2],
    publics: [StaticPublic; 2],
    limits: Limits,
}

impl Handshake {
    /// Fresh keys.
    pub fn new(suite: Suite) -> Self {
        let mut rng = system_rng();
        let mut secret = || {
            let mut scalar = [0; 32];
            rng.fill_bytes(&mut scalar);
            StaticSecret::from_bytes(scalar)
        };
        let secrets = [secret(), secret()];
        let publics = secrets.each_ref().map(StaticSecret::public);
        Self { suite, secrets, publics, limits: Limits::default() }
    }

    /// A whole handshake, both ends: two messages, hellos in them, and the key schedule.
    ///
    /// # Panics
    /// If the library refuses its own messages.
    pub fn run(&self) -> [Established; 2] {
        let mut rng = system_rng();
        let [alice, bob] = &self.secrets;
        let [alice_public, bob_public] = &self.publics;
        let side = |local, remote| Params {
            suite: self.suite,
            local,
            remote,
            prologue: b"bench",
            limits: self.limits.clone(),
        };
        let (initiator, message1) =
            Initiator::start(side(alice, bob_public), &mut rng).expect("valid parameters");
        let (responder, message2) =
            Responder::answer(side(bob, alice_public), &message1, &mut rng).expect("the peer's message 1");
        [initiator.finish(&message2).expect("the peer's message 2"), responder]
    }
}

/// Two confirmed ends of one session with a stream from one to the other.
#[derive(Debug)]
pub struct Pair {
    sender: Session,
    receiver: Session,
    /// The connection, as the sender and as the receiver call it.
    ends: (ConnectionId, ConnectionId),
    stream: StreamId,
    /// A record on its way.
    record: Vec<u8>,
    /// One on its way back.
    answer: Vec<u8>,
    /// Where the receiver copies what it reads, if it does.
    taken: Option<Vec<u8>>,
}

impl Pair {
    /// A session of suite 1.
    pub fn new() -> Self {
        Self::of(Suite::KkChaChaPoly)
    }

    /// A session with default limits.
    pub fn of(suite: Suite) -> Self {
        Self::after(&Handshake::new(suite))
    }

    /// A session with records of up to 64 KiB.
    pub fn with_large_records(suite: Suite) -> Self {
        let limits = Limits { record_size: MAX_RECORD, ..Limits::default() };
        Self::after(&Handshake { limits, ..Handshake::new(suite) })
    }

    /// Runs the handshake, confirms the session and opens the stream.
    ///
    /// # Panics
    /// If the library refuses its own messages.
    fn after(handshake: &Handshake) -> Self {
        let now = Instant::now();
        let [sender, receiver] = handshake.run();
        let mut sender = sender.into_session(now, system_rng());
        let mut receiver = receiver.into_session(now, system_rng());
        let stream = sender.open([0; 32]).expect("the first stream");
        let first = "a new session takes a connection";
        let ends = (sender.connected(now).expect(first), receiver.connected(now).expect(first));
        let mut pair =
            Self { sender, receiver, ends, stream, record: Vec::new(), answer: Vec::new(), taken: None };
        let first = pair.carry(b"confirm and open");
        assert_eq!(first, 16);
        pair
    }

    /// Carries `payload` so many times, written one by one and flushed once, as a party under load does.
    ///
    /// # Panics
    /// If the stream does not take them all at once.
    pub fn carry_joined(&mut self, payload: &[u8], times: u32) -> usize {
        for _ in 0..times {
            let accepted = self.sender.write(self.stream, payload).expect("an open stream");
            assert_eq!(accepted, payload.len(), "the stream is full");
        }
        self.flush(Instant::now())
    }

    /// Everything that is due goes over. The clock is read once for each payload: both ends are in one turn of one loop.
    fn flush(&mut self, now: Instant) -> usize {
        let mut arrived = 0;
        while transmit(&mut self.sender, now, &mut self.record) {
            arrived += self.receive(now);
        }
        arrived
    }

    /// Carries `payload` from the one application to the other and returns how many bytes arrived.
    ///
    /// A payload that is larger than a record (16 KiB with its headers) travels in several, as for every user of a session.
    ///
    /// # Panics
    /// If the session ends: it carries 2^24 records, which is more than a measurement makes.
    pub fn carry(&mut self, payload: &[u8]) -> usize {
        let (mut written, mut arrived) = (0, 0);
        while arrived < payload.len() {
            let accepted = self.sender.write(self.stream, &payload[written..]).expect("an open stream");
            written += accepted;
            let before = arrived;
            arrived += self.flush(Instant::now());
            assert!(accepted > 0 || arrived > before, "the stream stands still");
        }
        arrived
    }

    /// Carries as many bytes in one record without a copy at either end: they are sealed where the sender finds room for
    /// them, and the receiver reads them where they were opened.
    ///
    /// # Panics
    /// If they do not go into one record.
    pub fn carry_in_place(&mut self, length: usize) -> usize {
        let now = Instant::now();
        let reserved = self.sender.reserve(self.stream, length, now).expect("an open stream");
        let mut reserved = reserved.expect("credit");
        assert_eq!(black_box(reserved.bytes_mut()).len(), length);
        reserved.commit(length);
        self.flush(now)
    }

    /// The same with one copy at each end: out of the sender's buffer, into the receiver's.
    ///
    /// # Panics
    /// If the bytes do not go into one record.
    pub fn carry_copied(&mut self, payload: &[u8]) -> usize {
        let now = Instant::now();
        let reserved = self.sender.reserve(self.stream, payload.len(), now).expect("an open stream");
        let mut reserved = reserved.expect("credit");
        reserved.bytes_mut().copy_from_slice(payload);
        reserved.commit(payload.len());
        self.taken.get_or_insert_default();
        self.flush(now)
    }

    /// Counts the bytes of all records, both ways, since the session began.
    pub fn wire_bytes(&self) -> u64 {
        self.sender.stats().bytes_sent + self.receiver.stats().bytes_sent
    }

    /// The receiving program: one record in, all outputs out, and what the reader took is given back as credit.
    fn receive(&mut self, now: Instant) -> usize {
        let mut arrived = 0;
        let input = Input::Record { connection: self.ends.1, record: &mut self.record };
        self.receiver.handle(input, now).expect("the peer's record");
        loop {
            match self.receiver.poll(now) {
                Output::Event(Event::StreamData { stream, range }) => {
                    let bytes = black_box(&self.record[range]);
                    arrived += bytes.len();
                    if let Some(taken) = &mut self.taken {
                        taken.clear();
                        taken.extend_from_slice(bytes);
                        black_box(taken);
                    }
                    self.receiver.consume(stream, bytes.len()).expect("what was delivered");
                }
                Output::Event(_) => {}
                Output::Disconnect(connection) => panic!("connection {connection} works"),
                // An acknowledgement or credit goes back at once, and its cost is part of the measurement.
                Output::Transmit { record, .. } => {
                    self.answer.clear();
                    self.answer.extend_from_slice(record);
                    let input = Input::Record { connection: self.ends.0, record: &mut self.answer };
                    self.sender.handle(input, now).expect("the peer's record");
                    while self.sender.poll_event().is_some() {}
                }
                Output::Timeout(_) => return arrived,
            }
        }
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

/// Copies the next record into `link`, as a socket would; false if there is none.
fn transmit(session: &mut Session, now: Instant, link: &mut Vec<u8>) -> bool {
    loop {
        match session.poll(now) {
            Output::Transmit { record, .. } => {
                link.clear();
                link.extend_from_slice(record);
                return true;
            }
            Output::Event(_) | Output::Disconnect(_) => {}
            Output::Timeout(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pair;
    use crate::{SIZES, payload};

    #[test]
    fn every_size_arrives_whole_and_credit_comes_back() {
        for size in SIZES {
            let mut pair = Pair::new();
            // More than the window of 1 MiB: without credit the stream would stand still.
            for _ in 0..40_usize.max(3 * 1024 * 1024 / size.max(1024)) {
                assert_eq!(pair.carry(&payload(size)), size);
            }
            assert!(pair.wire_bytes() > 40 * u64::try_from(size).unwrap());
        }
    }
}
