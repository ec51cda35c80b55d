//! Two endpoints, a link between them, and an adversary on it. The input is a script of what they do.
//!
//! Each step is one byte, and the argument bytes that it takes; a missing argument is 0. The low nibble chooses the step,
//! bit 7 the side.
//!
//! ```text
//! 0 open         1 write n      2 finish     3 reset       4 read n       5 ping       6 poll       7 deliver
//! 8 flip bit nn  9 cut to nn    a replay     b reflect     c skip one     d time n     e close code f path lost
//! ```
//!
//! Properties: what is not the peer's next record is not accepted and changes nothing; streams deliver a prefix of what was
//! written, in order; while both ends live nothing is lost.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use didagent_session::{Event, Input, Output, Session, SessionError, Stats, StreamId};

use crate::Outcome;
use crate::parties::{START, sessions, small_limits};

/// Steps of one script: a longer one finds nothing that two shorter ones do not.
const MAX_STEPS: usize = 512;

/// A script. `Accepted` means that both ends lived until its end, and all that was written arrived.
pub(crate) fn conversation(input: &[u8]) -> Outcome {
    let mut script = Script(input);
    let mut world = World::new();
    for _ in 0..MAX_STEPS {
        let Some(step) = script.next() else { break };
        world.step(step & 0xf, usize::from(step >> 7), &mut script);
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

struct End {
    session: Session,
    streams: BTreeMap<StreamId, Use>,
    /// Records on their way to this end.
    inbox: VecDeque<Vec<u8>>,
    /// Records that arrived here.
    seen: Vec<Vec<u8>>,
}

struct World {
    ends: [End; 2],
    now: Instant,
}

impl World {
    fn new() -> Self {
        let end =
            |session| End { session, streams: BTreeMap::new(), inbox: VecDeque::new(), seen: Vec::new() };
        let (initiator, responder) = sessions(small_limits());
        let mut world = Self { ends: [end(initiator), end(responder)], now: *START };
        (0..2).for_each(|side| world.drain(side));
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
                if let Some(record) = seen.get(which % seen.len().max(1)).cloned() {
                    self.must_refuse(side, &record);
                }
            }
            0xb => {
                if let Some(record) = self.ends[1 - side].inbox.front().cloned() {
                    self.must_refuse(side, &record);
                }
            }
            0xc => {
                if let Some(record) = self.ends[side].inbox.get(1).cloned() {
                    self.must_refuse(side, &record);
                }
            }
            0xd => {
                self.now += Duration::from_millis(script.short() as u64);
                for side in 0..2 {
                    self.ends[side].session.handle(Input::Timeout, self.now).expect("time always passes");
                    self.drain(side);
                }
            }
            0xe => {
                self.ends[side].session.close(script.short() as u32);
                self.drain(side);
            }
            _ => {
                self.ends[side].session.path_lost();
                self.drain(side);
            }
        }
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

    /// Takes all records out of a session and puts them on the link.
    fn poll(&mut self, side: usize) {
        self.drain(side);
        while let Output::Transmit(record) = self.ends[side].session.poll(self.now) {
            assert!(record.len() <= small_limits().record_size);
            self.ends[1 - side].inbox.push_back(record);
            self.drain(side);
        }
        self.drain(side);
    }

    /// Gives a session the next record on the link.
    fn deliver(&mut self, side: usize) {
        let now = self.now;
        let Some(record) = self.ends[side].inbox.pop_front() else { return };
        let end = &mut self.ends[side];
        let over = end.session.is_over();
        let result = end.session.handle(Input::Record(&record), now);
        let expected = if over { Err(SessionError::Closed) } else { Ok(()) };
        assert_eq!(result, expected, "an honest peer's next record");
        end.seen.push(record);
        self.drain(side);
    }

    /// Gives a session a changed copy of the next record on the link.
    fn attack(&mut self, side: usize, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(mut record) = self.ends[side].inbox.front().cloned() {
            change(&mut record);
            self.must_refuse(side, &record);
        }
    }

    /// Gives a session a record that is not the peer's next one: refused or dropped, and nothing changes but the counts of that.
    fn must_refuse(&mut self, side: usize, record: &[u8]) {
        // Everything due is out and time has moved, so whatever the record causes is seen.
        self.now += Duration::from_millis(1);
        self.poll(side);
        let now = self.now;
        let session = &mut self.ends[side].session;
        let (before, idle) = (visible(session), session.poll(now));
        let result = session.handle(Input::Record(record), now);
        assert!(!matches!(result, Err(SessionError::Violation { .. })), "nothing in it was believed");
        assert_eq!((visible(session), session.poll(now)), (before, idle), "{result:?}");
    }

    /// The application takes all events and checks them.
    fn drain(&mut self, side: usize) {
        let peer_side = 1 - side;
        while let Some(event) = self.ends[side].session.poll_event() {
            match event {
                Event::StreamOpened { stream, context } => {
                    assert_eq!(context, [7; 32]);
                    self.ends[side].streams.entry(stream).or_default();
                }
                Event::StreamData { stream, bytes } => {
                    let written = self.ends[peer_side].streams.get(&stream).map_or(0, |used| used.written);
                    let used = self.ends[side].streams.entry(stream).or_default();
                    for byte in &bytes {
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
        // 64 records of each side, and between them reading; far fewer rounds than this.
        for _ in 0..1000 {
            let mut idle = true;
            for side in 0..2 {
                self.poll(side);
                while !self.ends[1 - side].inbox.is_empty() {
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
fn visible(session: &Session) -> (Stats, Instant, bool, bool) {
    let mut stats = session.stats();
    (stats.records_dropped, stats.records_rejected) = (0, 0);
    (stats, session.last_heard(), session.is_over(), session.is_delivered())
}

/// The byte at `offset` of what `side` writes on `stream`.
fn pattern(stream: StreamId, side: usize, offset: usize) -> u8 {
    (offset.wrapping_mul(7) ^ (stream.value() as usize) << 3 ^ side) as u8
}
