//! Two sessions, a clock, and connections that an adversary owns: it delays, loses, duplicates, cuts, freezes, replays,
//! reflects and forges. Everything is chosen by one seed.
//!
//! Beside it runs the model of `resume.pml`: what each record does at a receiver that expects number n, and in which order a
//! sender repeats. After each step: what a peer acknowledged it has, kept bytes are within the limit, no key sealed twice, bytes come once
//! and in order. [`World::heal`] then gives the two one good connection, and everything must arrive.

use std::{
    collections::{HashMap, VecDeque},
    hash::{Hash as _, Hasher as _},
    time::{Duration, Instant},
};

use rand_chacha::{ChaCha20Rng, rand_core::Rng as _};

use crate::{
    ConnectionId, Event, Input, Limits, Output, Session, SessionError, StreamId, Suite,
    record::sealer::log,
    testing::{FIRST, origin, rng, sessions_of},
};

/// One connection as it is in the world.
pub(super) struct Wire {
    /// What each end calls it.
    pub(super) names: [ConnectionId; 2],
    /// Whether each end still has it.
    pub(super) up: [bool; 2],
    /// On the way to each end.
    pub(super) to: [VecDeque<Vec<u8>>; 2],
    /// The number of the record that each end sent on it last.
    sent: [Option<u64>; 2],
    /// Nothing moves on it, and nobody notices.
    pub(super) frozen: bool,
}

impl Wire {
    fn new(names: [ConnectionId; 2]) -> Self {
        Self { names, up: [true; 2], to: Default::default(), sent: [None; 2], frozen: false }
    }
}

/// What one end's application did on its stream, and what it got of the other's.
#[derive(Default)]
struct App {
    written: usize,
    read: usize,
    unread: usize,
}

pub(super) struct World {
    pub(super) ends: [Session; 2],
    pub(super) now: Instant,
    pub(super) wires: Vec<Wire>,
    /// What was on a connection when it broke, and every message of a resumption: side, its name there, bytes.
    late: Vec<(usize, ConnectionId, Vec<u8>)>,
    rng: ChaCha20Rng,
    streams: [StreamId; 2],
    apps: [App; 2],
    una: [u64; 2],
    limits: Limits,
    /// Side and number of every record that was sealed, by its bytes but for the cid.
    numbers: HashMap<u64, (usize, u64)>,
    pub(super) adopted: usize,
    pub(super) peak: usize,
}

/// A record, whatever its cid.
fn bytes_of(record: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    record[9..].hash(&mut hasher);
    hasher.finish()
}

fn pattern(side: usize, at: usize) -> u8 {
    (at.wrapping_mul(131) ^ at >> 8 ^ side << 7).to_le_bytes()[0]
}

impl World {
    pub(super) fn new(limits: &Limits, seed: u64) -> Self {
        Self::of(Suite::KkChaChaPoly, limits, seed)
    }

    pub(super) fn of(suite: Suite, limits: &Limits, seed: u64) -> Self {
        log::start();
        let now = origin();
        let (mut a, mut b) = sessions_of(suite, limits, now);
        let streams = [a.open([1; 32]).unwrap(), b.open([2; 32]).unwrap()];
        Self {
            ends: [a, b],
            now,
            wires: vec![Wire::new([FIRST; 2])],
            late: Vec::new(),
            rng: rng(seed),
            streams,
            apps: Default::default(),
            una: [0; 2],
            limits: limits.clone(),
            numbers: HashMap::new(),
            adopted: 0,
            peak: 0,
        }
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.rng.next_u64() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    pub(super) fn write(&mut self, side: usize, n: usize) -> usize {
        let at = self.apps[side].written;
        let bytes: Vec<u8> = (at..at + n).map(|at| pattern(side, at)).collect();
        let accepted = self.ends[side].write(self.streams[side], &bytes).unwrap();
        self.apps[side].written += accepted;
        accepted
    }

    pub(super) fn read(&mut self, side: usize) {
        let n = std::mem::take(&mut self.apps[side].unread);
        if n > 0 {
            self.ends[side].consume(self.streams[1 - side], n).unwrap();
        }
    }

    /// Takes events; `record` is the one that was handed in.
    fn drain(&mut self, side: usize, record: &[u8]) {
        while let Some(event) = self.ends[side].poll_event() {
            match event {
                Event::StreamData { stream, range } => {
                    assert_eq!(stream, self.streams[1 - side]);
                    let app = &mut self.apps[side];
                    for byte in &record[range] {
                        assert_eq!(*byte, pattern(1 - side, app.read), "once and in order");
                        app.read += 1;
                        app.unread += 1;
                    }
                    assert!(self.apps[side].read <= self.apps[1 - side].written);
                }
                Event::Adopted(_) => self.adopted += 1,
                Event::Closed { code, by_peer } => panic!("{side} closed, {code:#x} {by_peer}"),
                _ => {}
            }
        }
    }

    /// Moves all that a session wants to send onto its connections.
    pub(super) fn poll(&mut self, side: usize) {
        loop {
            self.drain(side, &[]);
            match self.ends[side].poll(self.now) {
                Output::Transmit { connection, record } => {
                    let wire = self.wires.iter_mut().rfind(|wire| wire.names[side] == connection);
                    let wire = wire.expect("a connection of the world");
                    assert!(wire.up[side], "nothing is sent on what is gone");
                    let name = wire.names[1 - side];
                    if record[0] != 0x10 && self.late.len() < 500 {
                        self.late.push((1 - side, name, record.to_vec()));
                    }
                    wire.to[1 - side].push_back(record.to_vec());
                    if record[0] == 0x10 {
                        let key = bytes_of(record);
                        let next = wire.sent[side].map_or(0, |sent| sent + 1);
                        let last = self.ends[side].sealer.next() - 1;
                        let (of, seq) = *self.numbers.entry(key).or_insert((side, last));
                        let una = self.ends[side].outbox.una();
                        assert!(of == side && (seq == next || seq == una), "{seq} {next} {una}");
                        wire.sent[side] = Some(seq);
                    }
                }
                Output::Disconnect(connection) => {
                    let at = self.wires.iter().position(|wire| wire.names[side] == connection);
                    at.into_iter().for_each(|at| self.lose(at, side));
                }
                // By the clock, or because so much was forged; the static keys are not at hand here.
                Output::Event(Event::RehandshakeDue) => {}
                Output::Event(event) => panic!("{event:?} was drained"),
                Output::Timeout(_) => return,
            }
        }
    }

    /// One end has lost a connection; what was on the way to it may come late.
    pub(super) fn lose(&mut self, wire: usize, side: usize) {
        let wire = &mut self.wires[wire];
        if std::mem::take(&mut wire.up[side]) {
            let name = wire.names[side];
            let room = 500_usize.saturating_sub(self.late.len());
            self.late.extend(wire.to[side].drain(..).take(room).map(|record| (side, name, record)));
            self.ends[side].disconnected(name, self.now);
        }
    }

    pub(super) fn cut(&mut self, wire: usize) {
        self.lose(wire, 0);
        self.lose(wire, 1);
    }

    /// Both ends get a connection more, unless one has too many.
    pub(super) fn connect(&mut self) {
        let names = [0, 1].map(|side| self.ends[side].connected(self.now));
        match names {
            [Ok(a), Ok(b)] => {
                self.wires.push(Wire::new([a, b]));
            }
            _ => names.into_iter().enumerate().for_each(|(side, name)| match name {
                Ok(name) => self.ends[side].disconnected(name, self.now),
                Err(error) => assert_eq!(error, SessionError::TooManyConnections),
            }),
        }
        self.wires.retain(|wire| wire.up != [false; 2]);
    }

    pub(super) fn hand_in(&mut self, side: usize, connection: ConnectionId, record: &[u8]) {
        let mut copy = record.to_vec();
        let (expected, current) =
            (self.ends[side].opener.next(), self.ends[side].paths.is_current(connection));
        let una = self.ends[side].outbox.una();
        let retired = !self.ends[side].cids().iter().any(|cid| record.get(1..9) == Some(cid));
        let result = self.ends[side].handle(Input::Record { connection, record: &mut copy }, self.now);
        assert!(matches!(result, Ok(()) | Err(SessionError::Rejected)), "{result:?}");
        // What the model says of a record of the peer.
        let number = record.get(9..).and_then(|_| self.numbers.get(&bytes_of(record)));
        if retired && record[0] == 0x10 {
            assert_eq!((result, self.ends[side].opener.next()), (Err(SessionError::Rejected), expected));
        } else if let Some((_, seq)) = number.filter(|(of, _)| record[0] == 0x10 && *of != side) {
            let accepted = u64::from(*seq == expected);
            assert_eq!(self.ends[side].opener.next(), expected + accepted);
            assert_eq!(self.ends[side].paths.is_current(connection), current && *seq <= expected);
            assert_eq!(result, Ok(()));
        } else {
            assert_eq!(self.ends[side].opener.next(), expected, "nobody sealed it for us");
            assert!(self.ends[side].outbox.una() == una || record[0] == 0x12, "only an answer acknowledges");
        }
        self.drain(side, &copy);
    }

    pub(super) fn deliver(&mut self, wire: usize, side: usize) -> bool {
        let Some(wire) = self.wires.get_mut(wire).filter(|wire| !wire.frozen && wire.up[side]) else {
            return false;
        };
        let Some(record) = wire.to[side].pop_front() else { return false };
        let name = wire.names[side];
        self.hand_in(side, name, &record);
        true
    }

    /// One thing that happens.
    pub(super) fn step(&mut self) {
        let (side, what) = (self.below(2), self.below(100));
        let wire = self.below(self.wires.len());
        match what {
            0..20 => {
                let n = self.below(600);
                self.write(side, n);
            }
            20..24 => self.read(side),
            24..45 => self.poll(side),
            45..84 => {
                self.deliver(wire, side);
            }
            // Without a cipher forged bytes verify.
            84 if !crate::NULL_CIPHER => self.attack(side, wire),
            85..88 => self.deliver_late(false),
            88 => self.deliver_late(true),
            89..92 => {
                let queue = self.wires.get_mut(wire).map(|wire| &mut wire.to[side]);
                if let Some(record) = queue.and_then(|queue| queue.front().cloned()) {
                    self.wires[wire].to[side].push_front(record);
                }
            }
            92 if self.below(4) == 0 => {
                self.wires.get_mut(wire).and_then(|wire| wire.to[side].pop_front());
            }
            93 if !self.wires.is_empty() && self.below(4) == 0 => self.cut(wire),
            94 if !self.wires.is_empty() && self.below(4) == 0 => self.lose(wire, side),
            95 if self.below(6) == 0 => {
                self.wires.iter_mut().skip(wire).take(1).for_each(|wire| wire.frozen = !wire.frozen);
            }
            96 => self.connect(),
            97 if self.below(20) == 0 => self.ends[side].ratchet(),
            98 if self.below(20) == 0 => self.now += Duration::from_secs(3),
            _ => self.now += Duration::from_millis(2),
        }
        self.check();
    }

    /// What anybody on the network can do.
    fn attack(&mut self, side: usize, wire: usize) {
        let Some(name) = self.wires.get(wire).filter(|wire| wire.up[side]).map(|wire| wire.names[side])
        else {
            return;
        };
        if self.late.is_empty() {
            return;
        }
        let which = self.below(self.late.len());
        // Replayed on another connection, or reflected to its sender.
        let mut record = self.late[which].2.clone();
        if self.below(2) == 0 {
            let bit = self.below(record.len() * 8);
            record[bit / 8] ^= 1 << (bit % 8);
        }
        self.hand_in(side, name, &record);
    }

    pub(super) fn deliver_late(&mut self, forget: bool) {
        if !self.late.is_empty() {
            let which = self.below(self.late.len());
            let (side, name, record) =
                if forget { self.late.swap_remove(which) } else { self.late[which].clone() };
            self.hand_in(side, name, &record);
        }
    }

    pub(super) fn check(&mut self) {
        for side in 0..2 {
            let (own, peer) = (&self.ends[side], &self.ends[1 - side]);
            assert!(own.outbox.una() >= self.una[side], "una went back");
            assert!(own.outbox.una() <= peer.opener.next(), "acknowledged but not there");
            assert!(peer.opener.next() <= own.outbox.next());
            assert_eq!(own.outbox.next(), own.sealer.next());
            self.una[side] = own.outbox.una();
            self.peak = self.peak.max(own.outbox.cost());
            assert!(own.outbox.cost() <= self.limits.retransmission);
            assert!(own.issued.as_slice().len() <= 16);
            let report = own.report();
            let sum: u64 = report.iter().map(|of| of.acknowledged + of.unacknowledged + of.unsent).sum();
            assert_eq!(sum, u64::try_from(self.apps[side].written).unwrap());
            let acknowledged: u64 = report.iter().map(|of| of.acknowledged).sum();
            assert!(acknowledged <= u64::try_from(self.apps[1 - side].read).unwrap());
        }
    }

    /// One good connection from here on, for as long as it takes: everything arrives, everything is acknowledged.
    pub(super) fn heal(&mut self) {
        (0..self.wires.len()).for_each(|wire| self.cut(wire));
        self.now += Duration::from_secs(11);
        (0..2).for_each(|side| self.poll(side));
        for round in 0..4000 {
            if self.ends.iter().all(|end| !end.is_connected())
                && self.wires.iter().all(|wire| wire.up != [true; 2])
            {
                self.connect();
            }
            let mut moved = false;
            for side in 0..2 {
                self.poll(side);
                for wire in 0..self.wires.len() {
                    while self.deliver(wire, 1 - side) {
                        moved = true;
                    }
                    // A connection that one end dropped ends for the other.
                    if self.wires[wire].up != [true; 2] {
                        self.cut(wire);
                    }
                }
                self.read(1 - side);
            }
            self.check();
            let done = (0..2).all(|side| self.apps[1 - side].read == self.apps[side].written);
            if done && self.ends.iter().all(Session::is_delivered) {
                return;
            }
            if !moved {
                self.now += Duration::from_millis(if round % 50 == 49 { 11_000 } else { 20 });
            }
        }
        panic!("the two never come to rest: {:?}", self.ends);
    }

    pub(super) fn written(&self) -> usize {
        self.apps[0].written + self.apps[1].written
    }
}
