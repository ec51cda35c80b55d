//! A peer whose other end is a session in the test's hands.

mod ends;

use didagent_didcomm::protocols::relay::Frame;
use didagent_session::{
    ConnectionId, Event, Initiator, Input, Limits, Output, Params, Responder, Session, StaticSecret, Suite,
};
use tokio_tungstenite::tungstenite::Message;

use super::lines::{Line, Lines};
use super::*;
use crate::core::test_rng;
use crate::io::websocket::FromCircuit;

/// The hash that everybody signed.
const ROUND: [u8; 32] = [7; 32];

const ALICE: [u8; 32] = [1; 32];
const BOB: [u8; 32] = [2; 32];

/// The keys with which the session of a peer began.
fn statics() -> Statics {
    Statics { local: StaticSecret::from_bytes(BOB), remote: StaticSecret::from_bytes(ALICE).public() }
}

/// The initiator's session, and the responder's, which a [`Peer`] carries.
fn sessions() -> (Session, Session) {
    let [alice, bob] = [ALICE, BOB].map(StaticSecret::from_bytes);
    let (to_alice, to_bob) = (alice.public(), bob.public());
    let params = |local, remote| Params {
        suite: Suite::KkChaChaPoly,
        local,
        remote,
        prologue: b"prologue",
        limits: Limits::default(),
    };
    let (initiator, first) = Initiator::start(params(&alice, &to_bob), &mut test_rng(1)).unwrap();
    let (responder, second) = Responder::answer(params(&bob, &to_alice), &first, &mut test_rng(2)).unwrap();
    let initiator = initiator.finish(&second).unwrap();
    let now = Instant::now();
    (initiator.into_session(now, test_rng(3)), responder.into_session(now, test_rng(4)))
}

/// Decides RM-42.
#[tokio::test]
async fn streams_of_another_round_are_reset_and_our_own_carry_the_round() {
    let (mut alice, bob) = sessions();
    let (circuit, to_bob, mut from_bob) = Circuit::of_test();
    let (events, mut heard) = mpsc::unbounded_channel();
    let peer = Peer::start(bob, statics(), ROUND, events, 0);
    peer.offer(0, circuit);
    to_bob.send(FromCircuit::Credit(1 << 20)).await.unwrap();
    let right = alice.open(ROUND).unwrap();
    let wrong = alice.open([8; 32]).unwrap();

    let connection = alice.connected(Instant::now()).unwrap();
    let (mut opened, mut reset) = (Vec::new(), Vec::new());
    let talk = async {
        while opened.is_empty() || reset.is_empty() {
            match alice.poll(Instant::now()) {
                Output::Transmit { record, .. } => {
                    to_bob.send(FromCircuit::record_of_test(record.to_vec())).await.unwrap();
                }
                Output::Event(Event::StreamOpened { context, .. }) => opened.push(context),
                Output::Event(Event::StreamReset { stream, .. }) => reset.push(stream),
                Output::Event(Event::Confirmed | Event::Adopted(_) | Event::Pong { .. }) => {}
                Output::Disconnect(_) => panic!("the connection is in order"),
                Output::Event(other) => panic!("{other:?}"),
                Output::Timeout(_) => {
                    let Some(Message::Binary(frame)) = from_bob.recv().await else {
                        panic!("the peer ended")
                    };
                    let Ok(Frame::Data { record, .. }) = Frame::decode(&frame) else { panic!("{frame:?}") };
                    let record = &mut record.to_vec();
                    alice.handle(Input::Record { connection, record }, Instant::now()).unwrap();
                    // Once somebody was heard, it may open one too.
                    if opened.is_empty() && reset.len() == 1 {
                        peer.open().unwrap();
                    }
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), talk).await.unwrap();
    assert_eq!((opened, reset), (vec![ROUND], vec![wrong]));
    let streams = std::iter::from_fn(|| heard.try_recv().ok())
        .filter(|(_, event)| matches!(event, FromPeer::Stream(_)))
        .count();
    assert_eq!(streams, 1, "{right:?} alone is one of this round");
}

/// Decides SE-31.
#[tokio::test]
async fn a_handshake_inside_the_session_is_answered() {
    let (mut alice, bob) = sessions();
    let (circuit, to_bob, mut from_bob) = Circuit::of_test();
    let (events, _heard) = mpsc::unbounded_channel();
    let peer = Peer::start(bob, statics(), ROUND, events, 0);
    peer.offer(0, circuit);
    to_bob.send(FromCircuit::Credit(1 << 20)).await.unwrap();
    let connection = alice.connected(Instant::now()).unwrap();
    let keys =
        Statics { local: StaticSecret::from_bytes(ALICE), remote: StaticSecret::from_bytes(BOB).public() };
    alice.rehandshake(&keys.local, &keys.remote).unwrap();
    let talk = async {
        loop {
            match alice.poll(Instant::now()) {
                Output::Transmit { record, .. } => {
                    to_bob.send(FromCircuit::record_of_test(record.to_vec())).await.unwrap();
                }
                Output::Event(Event::Epoch(epoch)) => return epoch,
                Output::Event(Event::Closed { code, .. }) => panic!("closed with {code}"),
                Output::Event(_) => {}
                Output::Disconnect(_) => panic!("the connection is in order"),
                Output::Timeout(_) => {
                    let Some(Message::Binary(frame)) = from_bob.recv().await else {
                        panic!("the peer ended")
                    };
                    let Ok(Frame::Data { record, .. }) = Frame::decode(&frame) else { panic!("{frame:?}") };
                    let record = &mut record.to_vec();
                    alice.handle(Input::Record { connection, record }, Instant::now()).unwrap();
                }
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), talk).await.unwrap(), 1);
}

/// One end of a conversation over circuits that the test holds.
struct End {
    session: Session,
    lines: Lines,
    /// What each circuit sends, and its connection.
    sent: Vec<(ConnectionId, mpsc::Receiver<Message>)>,
    adopted: usize,
}

impl End {
    fn new(session: Session) -> Self {
        Self { session, lines: Lines::default(), sent: Vec::new(), adopted: 0 }
    }

    fn connect(&mut self, credit: u32) {
        let connection = self.session.connected(Instant::now()).unwrap();
        let (circuit, _, sent) = Circuit::of_test();
        let mut line = Line::half(0, circuit);
        line.connection = Some(connection);
        line.add_credit(credit);
        self.lines.push(line);
        self.sent.push((connection, sent));
    }

    /// What the task does before it waits; returns what went out.
    async fn turn(&mut self) -> Vec<(ConnectionId, Vec<u8>)> {
        while self.lines.have_room() {
            match self.session.poll(Instant::now()) {
                Output::Transmit { connection, record } => self.lines.put(connection, record),
                Output::Event(Event::Adopted(_)) => self.adopted += 1,
                Output::Event(_) => {}
                Output::Disconnect(connection) => drop(self.lines.remove_connection(connection)),
                Output::Timeout(_) => break,
            }
        }
        while self.lines.send().await.is_some() {}
        let mut out = Vec::new();
        for (connection, sent) in &mut self.sent {
            while let Ok(Message::Binary(frame)) = sent.try_recv() {
                let Ok(Frame::Data { record, .. }) = Frame::decode(&frame) else { panic!("{frame:?}") };
                out.push((*connection, record.to_vec()));
            }
        }
        out
    }

    fn take(&mut self, records: Vec<(ConnectionId, Vec<u8>)>) {
        for (connection, mut record) in records {
            self.session.handle(Input::Record { connection, record: &mut record }, Instant::now()).unwrap();
            while let Some(event) = self.session.poll_event() {
                self.adopted += usize::from(matches!(event, Event::Adopted(_)));
            }
        }
    }
}

/// S20: both ends are full of data for a circuit that takes nothing any more, and nobody says so.
#[tokio::test]
async fn s20_a_circuit_that_stands_still_does_not_keep_the_next_one_from_being_adopted() {
    let (alice, bob) = sessions();
    let mut ends = [End::new(alice), End::new(bob)];
    // Enough for the CONFIRM, and no record of data.
    ends.iter_mut().for_each(|end| end.connect(200));
    for turn in 0..4 {
        let records = ends[turn % 2].turn().await;
        ends[1 - turn % 2].take(records);
    }
    for end in &mut ends {
        for _ in 0..2 {
            let stream = end.session.open(ROUND).unwrap();
            end.session.write(stream, &vec![7; 1 << 20]).unwrap();
        }
        let _ = end.turn().await;
        end.connect(1 << 20);
    }
    for turn in 0..20 {
        let records = ends[turn % 2].turn().await;
        // What is sent on the old circuit never arrives.
        let second = |(connection, _): &(ConnectionId, _)| *connection == ends[0].sent[1].0;
        let records = records.into_iter().filter(second).collect();
        ends[1 - turn % 2].take(records);
    }
    assert_eq!(ends.map(|end| end.adopted), [2, 2]);
}

/// The next circuit need not wait until a slow one has taken all that is queued for it.
#[tokio::test]
async fn the_shortest_queue_goes_first() {
    let (alice, _) = sessions();
    let mut end = End::new(alice);
    end.connect(1 << 20);
    end.connect(1 << 20);
    let [(first, _), (second, _)] = &end.sent[..] else { panic!("two circuits") };
    let (first, second) = (*first, *second);
    for number in 0..5 {
        end.lines.put(first, &[0, number]);
    }
    end.lines.put(second, &[1]);
    end.lines.send().await.unwrap().unwrap();
    assert!(end.sent[0].1.try_recv().is_err());
    assert!(end.sent[1].1.try_recv().is_ok());
    for _ in 0..5 {
        end.lines.send().await.unwrap().unwrap();
    }
    assert!(end.lines.send().await.is_none() && end.lines.are_empty());
}

/// The peer opens a stream when nobody is left to take it: the task goes on, and whoever asks for the session gets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_nobody_takes_is_reset_and_holds_nothing_up() {
    let (mut alice, bob) = sessions();
    let (circuit, to_bob, mut from_bob) = Circuit::of_test();
    let (events, heard) = mpsc::unbounded_channel();
    let peer = Peer::start(bob, statics(), ROUND, events, 0);
    drop(heard);
    peer.offer(0, circuit);
    to_bob.send(FromCircuit::Credit(1 << 20)).await.unwrap();
    let connection = alice.connected(Instant::now()).unwrap();
    let stream = alice.open(ROUND).unwrap();
    let talk = async {
        loop {
            match alice.poll(Instant::now()) {
                Output::Transmit { record, .. } => {
                    to_bob.send(FromCircuit::record_of_test(record.to_vec())).await.unwrap();
                }
                Output::Event(Event::StreamReset { stream, .. }) => return stream,
                Output::Event(_) | Output::Disconnect(_) => {}
                Output::Timeout(_) => {
                    let Some(Message::Binary(frame)) = from_bob.recv().await else {
                        panic!("the peer ended")
                    };
                    let Ok(Frame::Data { record, .. }) = Frame::decode(&frame) else { panic!("{frame:?}") };
                    let record = &mut record.to_vec();
                    alice.handle(Input::Record { connection, record }, Instant::now()).unwrap();
                }
            }
        }
    };
    let reset = tokio::time::timeout(Duration::from_secs(10), talk).await;
    // A test that waited for the task to end would hang with it.
    let Ok(reset) = reset else {
        eprintln!("the session is stuck");
        std::process::abort()
    };
    assert_eq!(reset, stream);
}
