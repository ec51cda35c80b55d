//! Random conversations against a model: every byte accepted arrives once and in order, nothing stalls, nothing is refused.
#![allow(
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs
)]
#![allow(unreachable_pub)]

mod pair;

use std::collections::BTreeMap;

use didagent_session::{Event, Limits, RehandshakeError, Role, Session, StreamId, fuzzing};
use pair::{End, Pair};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Action {
    Open,
    Write { pick: usize, length: usize },
    Finish { pick: usize },
    Reset { pick: usize },
    Read { pick: usize, length: usize },
    Ping,
    Ratchet,
    Rehandshake,
    Seconds(u64),
    Step,
    Settle,
}

fn action() -> impl Strategy<Value = (bool, Action)> {
    let pick = any::<usize>();
    let action = prop_oneof![
        2 => Just(Action::Open),
        8 => (pick, 0_usize..5000).prop_map(|(pick, length)| Action::Write { pick, length }),
        1 => pick.prop_map(|pick| Action::Finish { pick }),
        1 => pick.prop_map(|pick| Action::Reset { pick }),
        4 => (pick, 0_usize..5000).prop_map(|(pick, length)| Action::Read { pick, length }),
        1 => Just(Action::Ping),
        4 => Just(Action::Ratchet),
        2 => Just(Action::Rehandshake),
        2 => (0_u64..200).prop_map(Action::Seconds),
        4 => Just(Action::Step),
        1 => Just(Action::Settle),
    ];
    (any::<bool>(), action)
}

/// What one side wrote on a stream, and what the other side got of it.
#[derive(Default)]
struct Direction {
    written: Vec<u8>,
    arrived: usize,
    consumed: usize,
    finished: bool,
    fin_arrived: bool,
}

/// By stream and by whether `a` is the writer. A stream leaves the model when anybody resets it.
#[derive(Default)]
struct Model {
    directions: BTreeMap<(StreamId, bool), Direction>,
}

impl Model {
    fn streams(&self) -> Vec<StreamId> {
        self.directions.keys().filter(|(_, by_a)| *by_a).map(|(stream, _)| *stream).collect()
    }

    fn insert(&mut self, stream: StreamId) {
        for by_a in [true, false] {
            self.directions.insert((stream, by_a), Direction::default());
        }
    }

    fn remove(&mut self, stream: StreamId) {
        self.directions.retain(|(of, _), _| *of != stream);
    }

    fn observe(&mut self, at_a: bool, end: &mut End) {
        let mut data = std::mem::take(&mut end.data).into_iter();
        for event in end.take() {
            match event {
                Event::StreamData { .. } => {
                    let (stream, bytes) = data.next().unwrap();
                    if let Some(direction) = self.directions.get_mut(&(stream, !at_a)) {
                        let end = direction.arrived + bytes.len();
                        assert_eq!(direction.written[direction.arrived..end], bytes);
                        assert!(!direction.fin_arrived);
                        direction.arrived = end;
                    }
                }
                Event::StreamFinished { stream } => {
                    if let Some(direction) = self.directions.get_mut(&(stream, !at_a)) {
                        assert!(direction.finished && direction.arrived == direction.written.len());
                        direction.fin_arrived = true;
                    }
                }
                Event::Closed { .. } => panic!("closed"),
                _ => {}
            }
        }
    }

    fn apply(&mut self, end: &mut End, is_a: bool, action: &Action) {
        let streams = self.streams();
        let chosen = |pick: usize| (!streams.is_empty()).then(|| streams[pick % streams.len()]);
        match *action {
            Action::Open => {
                if let Ok(stream) = end.session.open([3; 32]) {
                    self.insert(stream);
                }
            }
            Action::Write { pick, length } => {
                let Some(stream) = chosen(pick) else { return };
                let direction = self.directions.get_mut(&(stream, is_a)).unwrap();
                let start = direction.written.len();
                let bytes: Vec<u8> = (start..start + length).map(|i| (i * 7 + i / 256) as u8).collect();
                // The side that did not open it may not have heard of it yet.
                if let Ok(accepted) = end.session.write(stream, &bytes) {
                    assert!(!direction.finished);
                    direction.written.extend_from_slice(&bytes[..accepted]);
                }
            }
            Action::Finish { pick } => {
                let Some(stream) = chosen(pick) else { return };
                if end.session.finish(stream).is_ok() {
                    self.directions.get_mut(&(stream, is_a)).unwrap().finished = true;
                }
            }
            Action::Reset { pick } => {
                if let Some(stream) = chosen(pick).filter(|stream| end.session.reset(*stream, 1).is_ok()) {
                    self.remove(stream);
                }
            }
            Action::Read { pick, length } => {
                let Some(stream) = chosen(pick) else { return };
                let direction = self.directions.get_mut(&(stream, !is_a)).unwrap();
                let length = length.min(direction.arrived - direction.consumed);
                // A stream this side has not heard of has nothing to consume.
                if length > 0 {
                    end.session.consume(stream, length).unwrap();
                    direction.consumed += length;
                }
            }
            Action::Ping => end.session.ping(),
            Action::Ratchet => end.session.ratchet(),
            Action::Rehandshake => rehandshake(&mut end.session),
            Action::Seconds(_) | Action::Step | Action::Settle => {}
        }
    }

    /// Reads everything until nothing moves; then all that was accepted has arrived.
    fn finish(&mut self, pair: &mut Pair) {
        loop {
            pair.settle().unwrap();
            // A handshake that nobody answers would hold the data at the hard limit.
            rehandshake(&mut pair.b.session);
            pair.settle().unwrap();
            self.observe(true, &mut pair.a);
            self.observe(false, &mut pair.b);
            let mut moved = false;
            for ((stream, by_a), direction) in &mut self.directions {
                let reader: &mut Session = if *by_a { &mut pair.b.session } else { &mut pair.a.session };
                let unread = direction.arrived - direction.consumed;
                if unread > 0 {
                    reader.consume(*stream, unread).unwrap();
                    direction.consumed = direction.arrived;
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        for direction in self.directions.values() {
            assert_eq!(direction.arrived, direction.written.len());
            assert_eq!(direction.fin_arrived, direction.finished);
        }
        assert!(pair.a.session.is_delivered() && pair.b.session.is_delivered());
        assert_eq!(pair.a.session.epoch(), pair.b.session.epoch());
    }
}

/// The initiator begins a handshake inside the session, the responder answers one if there is one.
fn rehandshake(session: &mut Session) {
    let (alice, bob) = pair::statics();
    let done = match session.role() {
        Role::Initiator => session.rehandshake(&alice, &bob.public()),
        Role::Responder => session.answer_rehandshake(&bob, &alice.public()),
    };
    assert!(matches!(done, Ok(()) | Err(RehandshakeError::UnderWay | RehandshakeError::NotAsked)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Decides SE-07.
    #[test]
    fn s11_every_accepted_byte_arrives_once_and_in_order(
        window in prop_oneof![1_usize..50, 1000_usize..20_000],
        send_buffer in prop_oneof![1_usize..50, 1000_usize..20_000],
        record_size in 2048_usize..5000,
        actions in prop::collection::vec(action(), 0..120),
    ) {
        let limits = Limits { stream_window: window, send_buffer, record_size, ..Limits::default() };
        let mut pair = Pair::new(&limits);
        let mut model = Model::default();
        for (is_a, action) in actions {
            match action {
                Action::Step => { pair.step().unwrap(); }
                Action::Settle => pair.settle().unwrap(),
                Action::Seconds(seconds) => pair.now += std::time::Duration::from_secs(seconds),
                _ => {}
            }
            model.observe(true, &mut pair.a);
            model.observe(false, &mut pair.b);
            let end = if is_a { &mut pair.a } else { &mut pair.b };
            model.apply(end, is_a, &action);
        }
        model.finish(&mut pair);
    }

    /// A peer that holds the keys may send any frames: the session goes on or closes, and stays usable for draining.
    #[test]
    fn any_frames_of_an_authenticated_peer_are_survived(
        mut records in prop::collection::vec(prop::collection::vec(prop_oneof![0_u8..0x16, any::<u8>()], 1..60), 1..20),
    ) {
        let mut pair = Pair::new(&Limits::default());
        for frames in &mut records {
            fuzzing::decode_frames(frames);
            let outcome = fuzzing::accept_frames(&mut pair.b.session, frames, pair.now);
            prop_assert!(outcome.is_ok() || pair.b.session.is_over());
            while pair.b.session.poll_event().is_some() {}
            while matches!(pair.b.session.poll(pair.now), didagent_session::Output::Transmit { .. }) {}
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::decode_hello(&bytes);
        prop_assert_eq!(fuzzing::decode_record(&bytes), bytes.len() >= 37);
        fuzzing::decode_resume(&bytes);
    }
}
