//! After a warm-up no record allocates, whichever way its bytes go: neither at the end that seals nor at the one that opens.
//!
//! What a backend of the AEAD takes from C's allocator is not seen here; `ring` takes nothing.
#![cfg(not(feature = "null-cipher"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, missing_docs)]

use std::time::{Duration, Instant};

use didagent_session::{
    ConnectionId, Event, Initiator, Input, Limits, MAX_RECORD, Output, Params, Responder, Session,
    StaticSecret, StreamId, Suite,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

/// Two ends and one buffer in place of the network.
struct Ends {
    sessions: [Session; 2],
    connections: [ConnectionId; 2],
    stream: StreamId,
    record: Vec<u8>,
    arrived: usize,
    now: Instant,
}

impl Ends {
    fn new(suite: Suite) -> Self {
        let (alice, bob) = (StaticSecret::from_bytes([1; 32]), StaticSecret::from_bytes([2; 32]));
        let (alice_public, bob_public) = (alice.public(), bob.public());
        let limits = Limits { record_size: MAX_RECORD, ..Limits::default() };
        let side = |local, remote| Params { suite, local, remote, prologue: b"", limits: limits.clone() };
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (initiator, message1) = Initiator::start(side(&alice, &bob_public), &mut rng).unwrap();
        let (responder, message2) =
            Responder::answer(side(&bob, &alice_public), &message1, &mut rng).unwrap();
        let now = Instant::now();
        let mut sessions = [
            initiator.finish(&message2).unwrap().into_session(now, rng.clone()),
            responder.into_session(now, rng),
        ];
        let connections = sessions.each_mut().map(|session| session.connected(now).unwrap());
        let stream = sessions[0].open([0; 32]).unwrap();
        let mut ends = Self { sessions, connections, stream, record: vec![0; MAX_RECORD], arrived: 0, now };
        ends.drain();
        ends
    }

    /// Everything goes over, both ways; the reader consumes what arrives.
    fn drain(&mut self) {
        self.now += Duration::from_micros(10);
        while self.carry(0) | self.carry(1) {}
    }

    /// One record, or one event, of that end; `false` if there is none.
    fn carry(&mut self, from: usize) -> bool {
        let length = match self.sessions[from].poll(self.now) {
            Output::Transmit { record, .. } => {
                self.record[..record.len()].copy_from_slice(record);
                record.len()
            }
            Output::Event(_) => return true,
            Output::Disconnect(_) | Output::Timeout(_) => return false,
        };
        let to = 1 - from;
        let input = Input::Record { connection: self.connections[to], record: &mut self.record[..length] };
        self.sessions[to].handle(input, self.now).unwrap();
        while let Some(event) = self.sessions[to].poll_event() {
            if let Event::StreamData { stream, range } = event {
                self.arrived += range.len();
                self.sessions[to].consume(stream, range.len()).unwrap();
            }
        }
        true
    }

    fn write(&mut self, bytes: &[u8]) {
        assert_eq!(self.sessions[0].write(self.stream, bytes), Ok(bytes.len()));
        self.drain();
    }

    fn reserve(&mut self, length: usize) {
        let reserved = self.sessions[0].reserve(self.stream, length, self.now).unwrap();
        let mut reserved = reserved.expect("nothing waits, and there is credit");
        assert_eq!(reserved.bytes_mut().len(), length);
        reserved.commit(length);
        self.drain();
    }
}

#[test]
fn no_record_allocates_after_the_warm_up() {
    for suite in Suite::ALL {
        let mut ends = Ends::new(suite);
        let many = vec![7; 40_000];
        let mut turn = || {
            for _ in 0..200 {
                ends.write(&many[..64]);
                ends.write(&many[..1]);
                ends.write(&many);
                ends.reserve(16);
                ends.reserve(60_000);
            }
        };
        turn();
        let counted = allocation_counter::measure(turn);
        assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{suite:?}");
        assert_eq!(ends.arrived, 400 * (64 + 1 + 40_000 + 16 + 60_000), "{suite:?}");
    }
}
