//! Two endpoints, a link between them, and an adversary on it. The input is a script of what they do.
//!
//! The length of the script chooses the cipher suite. Each step is one byte, and the argument bytes that it takes; a missing
//! argument is 0. The low nibble chooses the step, bit 7 the side, bit 6 the second table.
//!
//! ```text
//! 0 open         1 write n      2 finish     3 reset       4 read n       5 ping       6 poll       7 deliver
//! 8 flip bit nn  9 cut to nn    a replay     b reflect     c skip one     d time n     e close code f n:
//!    n % 8 is 0 give up   1, 2 a connection more    3, 4 both lose the newest connection   5 this end loses it
//!             6 a late record of a connection that is gone      7 a message or record on another connection than its own
//!
//! second table: 0 new epoch    1 handshake inside the session, or its answer    2 seconds n
//! ```
//!
//! Properties: what is not the peer's next record is not accepted and changes nothing but, at worst, which connection is used;
//! streams deliver a prefix of what was written, in order; while both ends live and find a connection nothing is lost.

use std::collections::{BTreeMap, VecDeque};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use didagent_session::{
    ConnectionId, Event, Input, Output, RehandshakeError, Session, SessionError, Stats, StreamId, Suite,
};

use crate::Outcome;
use crate::parties::{START, Statics, first, sessions, small_limits, suite};

/// Steps of one script: a longer one finds nothing that two shorter ones do not.
const MAX_STEPS: usize = 512;

// The keys are the same in every suite.
static STATICS: LazyLock<Statics> = LazyLock::new(|| Statics::new(Suite::KkChaChaPoly, small_limits()));

/// A script. `Accepted` means that both ends lived until its end, and all that was written arrived.
pub(crate) fn conversation(input: &[u8]) -> Outcome {
    let mut script = Script(input);
    let mut world = World::new(suite(input.len()));
    for _ in 0..MAX_STEPS {
        let Some(step) = script.next() else { break };
        world.step(step & 0x4f, usize::from(step >> 7), &mut script);
    }
    world.settle()
}

struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn short(&mut self) -> usize {
        self.next().unwrap_or_default().into()
    }

    fn long(&mut self) -> usize {
        self.short() << 8 | self.short()
    }
}

/// What one application knows of a stream.
#[derive(Default)]
struct Use {
    written: usize,
    delivered: usize,
    unread: usize,
    /// Some bytes may be gone: one of the two sides reset it.
    broken: bool,
}

/// A record on its way, and the number of its connection in the world.
type Flying = (usize, Vec<u8>);

struct End {
    session: Session,
    streams: BTreeMap<StreamId, Use>,
    /// Records on their way to this end, oldest first.
    inbox: VecDeque<Flying>,
    /// Records that arrived here.
    seen: Vec<Flying>,
    /// What this end calls each connection of the world, while it has it.
    links: Vec<Option<ConnectionId>>,
    /// What it called those that it lost.
    names: Vec<Option<ConnectionId>>,
}

struct World {
    ends: [End; 2],
    now: Instant,
}

impl World {
    fn new(suite: Suite) -> Self {
        let end = |session| End {
            session,
            streams: BTreeMap::new(),
            inbox: VecDeque::new(),
            seen: Vec::new(),
            links: vec![Some(first())],
            names: vec![Some(first())],
        };
        let (initiator, responder) = sessions(suite, small_limits());
        let mut world = Self { ends: [end(initiator), end(responder)], now: *START };
        (0..2).for_each(|side| world.drain(side, &[]));
        world
    }

    fn step(&mut self, step: u8, side: usize, script: &mut Script<'_>) {
        match step {
            0 => {
                if let Ok(stream) = self.ends[side].session.open([7; 32]) {
                    self.ends[side].streams.entry(stream).or_default();
                }
            }
            1 => self.write(side, script),
            2 => {
                if let Some(stream) = self.stream(side, script) {
                    let _ = self.ends[side].session.finish(stream);
                }
            }
            3 => {
                if let Some(stream) = self.stream(side, script)
                    && self.ends[side].session.reset(stream, 1).is_ok()
                {
                    self.ends.iter_mut().for_each(|end| end.streams.entry(stream).or_default().broken = true);
                }
            }
            4 => {
                if let Some(stream) = self.stream(side, script) {
                    let wanted = script.short();
                    self.ends[side].read(stream, wanted);
                }
            }
            5 => self.ends[side].session.ping(),
            6 => self.poll(side),
            7 => self.deliver(side),
            8 => {
                let bit = script.long();
                self.attack(side, |record| {
                    let bits = record.len() * 8;
                    record[bit % bits / 8] ^= 1 << (bit % 8);
                });
            }
            9 => {
                let length = script.long();
                self.attack(side, |record| record.truncate(length % record.len()));
            }
            0xa => {
                let which = script.short();
                let seen = &self.ends[side].seen;
                if let Some((link, record)) = seen.get(which % seen.len().max(1)).cloned() {
                    self.must_refuse(side, link, &record);
                }
            }
            0xb => {
                if let Some((link, record)) = self.ends[1 - side].inbox.front().cloned() {
                    self.must_refuse(side, link, &record);
                }
            }
            0xc => {
                // Messages of a resumption are for any order, records are not.
                if let Some((link, record)) = self.ends[side].inbox.get(1).cloned()
                    && record[0] == 0x10
                    && self.ends[side].inbox[0].1[0] == 0x10
                {
                    self.must_refuse(side, link, &record);
                }
            }
            0xd => self.wait(Duration::from_millis(script.short() as u64)),
            0x40 => self.ends[side].session.ratchet(),
            0x41 => self.rehandshake(side),
            0x42 => self.wait(Duration::from_secs(script.short() as u64)),
            0x43..=0x4f => {}
            0xe => {
                self.ends[side].session.close(script.short() as u32);
                self.drain(side, &[]);
            }
            _ => self.connections(side, script),
        }
    }

    fn connections(&mut self, side: usize, script: &mut Script<'_>) {
        let what = script.short();
        match what % 8 {
            0 => {
                self.ends[side].session.abandon();
                self.drain(side, &[]);
            }
            1 | 2 => self.connect(),
            3 | 4 => (0..2).for_each(|side| self.lose(side, self.newest(side))),
            5 => self.lose(side, self.newest(side)),
            6 => {
                // Records that were on a connection when it broke may still come, in any order among connections.
                let gone = |(link, _): &Flying| self.ends[side].links[*link].is_none();
                if let Some(at) = self.ends[side].inbox.iter().position(gone)
                    && let Some((link, record)) = self.ends[side].inbox.remove(at)
                {
                    let _ = self.hand_in(side, link, &record);
                }
            }
            _ => {
                let seen = &self.ends[side].seen;
                let other = script.short() % self.ends[side].links.len();
                if let Some((link, record)) = seen.get(what / 8 % seen.len().max(1)).cloned()
                    && link != other
                {
                    let _ = self.hand_in(side, other, &record);
                }
            }
        }
    }

    /// Both ends get a connection more, if they take one.
    fn connect(&mut self) {
        for end in &mut self.ends {
            let name = end.session.connected(self.now).ok();
            end.links.push(name);
            end.names.push(name);
        }
        let link = self.ends[0].links.len() - 1;
        for side in 0..2 {
            if self.ends.iter().any(|end| end.links[link].is_none()) {
                self.lose(side, Some(link));
            }
            self.drain(side, &[]);
        }
    }

    fn newest(&self, side: usize) -> Option<usize> {
        self.ends[side].links.iter().rposition(Option::is_some)
    }

    fn lose(&mut self, side: usize, link: Option<usize>) {
        let end = &mut self.ends[side];
        if let Some(name) = link.and_then(|link| end.links[link].take()) {
            end.session.disconnected(name, self.now);
            self.drain(side, &[]);
        }
    }

    /// A connection that one end dropped is gone for the other when all that was on it arrived.
    fn notice(&mut self) {
        for link in 0..self.ends[0].links.len() {
            for side in 0..2 {
                let gone = self.ends[1 - side].links[link].is_none();
                if gone && self.ends[side].inbox.iter().all(|(of, _)| *of != link) {
                    self.lose(side, Some(link));
                }
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        for side in 0..2 {
            self.ends[side].session.handle(Input::Timeout, self.now).expect("time always passes");
            self.drain(side, &[]);
        }
    }

    /// The initiator begins a handshake, the responder answers one if there is one.
    fn rehandshake(&mut self, side: usize) {
        let session = &mut self.ends[side].session;
        let (local, remote) = STATICS.keys(side == 0);
        let result = if side == 0 {
            session.rehandshake(local, remote)
        } else {
            session.answer_rehandshake(local, remote)
        };
        assert!(!matches!(result, Err(RehandshakeError::Authentication | RehandshakeError::OtherKeys)));
    }

    fn stream(&self, side: usize, script: &mut Script<'_>) -> Option<StreamId> {
        let streams = &self.ends[side].streams;
        let index = script.short() % streams.len().max(1);
        streams.keys().nth(index).copied()
    }

    fn write(&mut self, side: usize, script: &mut Script<'_>) {
        let Some(stream) = self.stream(side, script) else { return };
        let length = script.short();
        let end = &mut self.ends[side];
        let offset = end.streams.entry(stream).or_default().written;
        let bytes: Vec<u8> = (offset..offset + length).map(|at| pattern(stream, side, at)).collect();
        if let Ok(accepted) = end.session.write(stream, &bytes) {
            assert!(accepted <= length);
            end.streams.entry(stream).or_default().written += accepted;
        }
    }

    /// Takes all records out of a session and puts them on their connections.
    fn poll(&mut self, side: usize) {
        loop {
            self.drain(side, &[]);
            let [a, b] = &mut self.ends;
            let (end, peer) = if side == 0 { (a, b) } else { (b, a) };
            match end.session.poll(self.now) {
                Output::Transmit { connection, record } => {
                    assert!(record.len() <= small_limits().record_size);
                    let link = end.links.iter().position(|link| *link == Some(connection));
                    peer.inbox.push_back((link.expect("a connection that stands"), record.to_vec()));
                }
                Output::Disconnect(connection) => {
                    let link = end.links.iter().position(|link| *link == Some(connection));
                    self.lose(side, link);
                }
                Output::Event(event) => panic!("{event:?} was not drained"),
                Output::Timeout(_) => return,
            }
        }
    }

    /// Gives a session the oldest record on the connections that it has.
    fn deliver(&mut self, side: usize) {
        let end = &mut self.ends[side];
        // What the connection lost, when it broke, may come late or never.
        let Some(at) = end.inbox.iter().position(|(link, _)| end.links[*link].is_some()) else { return };
        let Some((link, record)) = end.inbox.remove(at) else { return };
        let newest = self.newest(side);
        let end = &mut self.ends[side];
        let over = end.session.is_over();
        // Late on a connection that two others followed: what is in it comes again on the newest (SE-50).
        let retired =
            newest != Some(link) && !end.session.cids().iter().any(|cid| record.get(1..9) == Some(cid));
        let result = self.hand_in(side, link, &record);
        let end = &mut self.ends[side];
        assert!(
            result == Ok(())
                || over && result == Err(SessionError::Closed)
                || retired && result == Err(SessionError::Rejected),
            "{result:?} to an honest peer"
        );
        end.seen.push((link, record));
    }

    /// Gives a session a record on a connection, and takes what it brings.
    fn hand_in(&mut self, side: usize, link: usize, record: &[u8]) -> Result<(), SessionError> {
        let Some(connection) = self.ends[side].names[link] else { return Ok(()) };
        let record = &mut record.to_vec();
        let result = self.ends[side].session.handle(Input::Record { connection, record }, self.now);
        assert!(!matches!(result, Err(SessionError::Violation { .. })), "the peer is honest");
        self.drain(side, record);
        result
    }

    /// Gives a session a changed copy of the next record on the link.
    fn attack(&mut self, side: usize, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some((link, mut record)) = self.ends[side].inbox.front().cloned() {
            change(&mut record);
            self.must_refuse(side, link, &record);
        }
    }

    /// Gives a session a record that is not the peer's next one: refused or dropped, and nothing changes but the counts of
    /// that and, at worst, the connection is given up.
    fn must_refuse(&mut self, side: usize, link: usize, record: &[u8]) {
        // Everything due is out and time has moved, so whatever the record causes is seen.
        self.now += Duration::from_millis(1);
        self.poll(side);
        let before = visible(&self.ends[side].session);
        let _ = self.hand_in(side, link, record);
        assert_eq!(visible(&self.ends[side].session), before);
        self.poll(side);
    }

    /// The application takes all events and checks them.
    fn drain(&mut self, side: usize, record: &[u8]) {
        let peer_side = 1 - side;
        while let Some(event) = self.ends[side].session.poll_event() {
            match event {
                Event::StreamOpened { stream, context } => {
                    assert_eq!(context, [7; 32]);
                    self.ends[side].streams.entry(stream).or_default();
                }
                Event::StreamData { stream, range } => {
                    let bytes = &record[range];
                    let written = self.ends[peer_side].streams.get(&stream).map_or(0, |used| used.written);
                    let used = self.ends[side].streams.entry(stream).or_default();
                    for byte in bytes {
                        assert_eq!(*byte, pattern(stream, peer_side, used.delivered), "bytes in order");
                        used.delivered += 1;
                    }
                    used.unread += bytes.len();
                    assert!(used.delivered <= written, "nothing that was not written");
                    assert!(used.unread <= small_limits().stream_window, "no more than the window");
                }
                Event::StreamFinished { stream } => {
                    let written = self.ends[peer_side].streams.get(&stream).map_or(0, |used| used.written);
                    assert_eq!(self.ends[side].streams.entry(stream).or_default().delivered, written);
                }
                _ => {}
            }
        }
    }

    /// Lets everything that is queued arrive, and looks at what arrived.
    fn settle(mut self) -> Outcome {
        // Each epoch lets 48 records of a side pass, with 256 bytes of each stream between two times of reading; and there
        // are connections.
        for round in 0..1000 {
            let mut idle = true;
            self.rehandshake(1);
            self.notice();
            if round % 50 == 0 || self.ends.iter().all(|end| !end.session.is_connected()) {
                idle = self.ends.iter().any(|end| end.session.is_over());
                self.now += Duration::from_secs(11);
                self.connect();
            }
            for side in 0..2 {
                self.poll(side);
                while self.ends[1 - side]
                    .inbox
                    .iter()
                    .any(|(link, _)| self.ends[1 - side].links[*link].is_some())
                {
                    idle = false;
                    self.deliver(1 - side);
                }
                let streams: Vec<_> = self.ends[1 - side].streams.keys().copied().collect();
                streams.into_iter().for_each(|stream| idle &= !self.ends[1 - side].read(stream, usize::MAX));
            }
            if idle {
                return self.judge();
            }
        }
        panic!("the sessions never come to rest");
    }

    fn judge(self) -> Outcome {
        let [a, b] = &self.ends;
        if a.session.is_over() || b.session.is_over() {
            return Outcome::Refused;
        }
        assert_eq!(a.session.epoch(), b.session.epoch(), "the ends seal in one epoch");
        for (from, to) in [(a, b), (b, a)] {
            for (stream, used) in from.streams.iter().filter(|(_, used)| !used.broken) {
                let delivered = to.streams.get(stream).map_or(0, |used| used.delivered);
                assert_eq!(delivered, used.written, "stream {stream} lost bytes");
            }
        }
        Outcome::Accepted
    }
}

impl End {
    /// Gives back credit for at most `wanted` bytes that were delivered; returns whether there were any.
    fn read(&mut self, stream: StreamId, wanted: usize) -> bool {
        let used = self.streams.entry(stream).or_default();
        let n = wanted.min(used.unread);
        if n == 0 {
            return false;
        }
        used.unread -= n;
        self.session.consume(stream, n).expect("no more than was delivered");
        true
    }
}

/// What anybody can see of a session's state, but the counts of what was dropped and rejected.
fn visible(session: &Session) -> (Stats, Instant, bool, bool, u32) {
    let mut stats = session.stats();
    (stats.records_dropped, stats.records_rejected) = (0, 0);
    (stats, session.last_heard(), session.is_over(), session.is_delivered(), session.epoch())
}

/// The byte at `offset` of what `side` writes on `stream`.
fn pattern(stream: StreamId, side: usize, offset: usize) -> u8 {
    (offset.wrapping_mul(7) ^ (stream.value() as usize) << 3 ^ side) as u8
}
