//! How streams end when the peer closes, and what the peer hears of ours.

use didagent_session::close;
use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Bob as a [`Peer`], and Alice at the other end of its circuit.
struct Table {
    alice: Session,
    connection: ConnectionId,
    peer: Peer,
    to_bob: mpsc::Sender<FromCircuit>,
    from_bob: mpsc::Receiver<Message>,
    heard: mpsc::UnboundedReceiver<(usize, FromPeer)>,
}

impl Table {
    async fn new() -> Self {
        let (mut alice, bob) = sessions();
        let (circuit, to_bob, from_bob) = Circuit::of_test();
        let (events, heard) = mpsc::unbounded_channel();
        let peer = Peer::start(bob, statics(), ROUND, events, 0);
        peer.offer(0, circuit);
        to_bob.send(FromCircuit::Credit(1 << 20)).await.unwrap();
        let connection = alice.connected(Instant::now()).unwrap();
        Self { alice, connection, peer, to_bob, from_bob, heard }
    }

    /// Carries records until Bob's engine hears something that `wanted` takes; returns that and what Alice's session said by then.
    async fn until<T>(&mut self, mut wanted: impl FnMut(FromPeer) -> Option<T>) -> (T, Vec<Event>) {
        let mut events = Vec::new();
        let talk = async {
            loop {
                match self.alice.poll(Instant::now()) {
                    Output::Transmit { record, .. } => {
                        self.to_bob.send(FromCircuit::record_of_test(record.to_vec())).await.unwrap();
                    }
                    Output::Event(event) => events.push(event),
                    Output::Disconnect(_) => panic!("the connection is in order"),
                    Output::Timeout(_) => tokio::select! {
                        Some((_, event)) = self.heard.recv() => {
                            if let Some(found) = wanted(event) {
                                return found;
                            }
                        }
                        Some(Message::Binary(frame)) = self.from_bob.recv() => {
                            // What follows the last record closes the circuit.
                            let Ok(Frame::Data { record, .. }) = Frame::decode(&frame) else { continue };
                            let input = Input::Record { connection: self.connection, record: &mut record.to_vec() };
                            self.alice.handle(input, Instant::now()).unwrap();
                        }
                    },
                }
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(30), talk).await.unwrap();
        (found, events)
    }

    /// Waits until what Alice has said is known to Bob: the first answer may be to a ping that came before it.
    /// Returns what Alice's session said meanwhile.
    async fn settle(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let pinged = |event| matches!(event, FromPeer::Rtt(_)).then_some(());
        for _ in 0..2 {
            let peer = self.peer.clone();
            let pinging = tokio::spawn(async move { peer.ping().await });
            events.extend(self.until(pinged).await.1);
            drop(pinging);
        }
        events
    }

    async fn stream_of_alice(&mut self) -> (StreamId, SessionStream) {
        let id = self.alice.open(ROUND).unwrap();
        let (stream, _) = self.until(stream).await;
        (id, stream)
    }
}

fn stream(event: FromPeer) -> Option<SessionStream> {
    match event {
        FromPeer::Stream(stream) => Some(stream),
        _ => None,
    }
}

fn ended(event: FromPeer) -> Option<Ended> {
    match event {
        FromPeer::Ended(ended) => Some(ended),
        _ => None,
    }
}

/// Decides RM-51.
#[tokio::test]
async fn streams_of_a_peer_that_closes_stay_until_the_reason_is_known() {
    let mut table = Table::new().await;
    let (_, mut stream) = table.stream_of_alice().await;
    table.alice.close(close::DONE);
    assert_eq!(table.until(ended).await.0, Ended::Closed);
    let mut buffer = [0];
    assert!(stream.read(&mut buffer).now_or_never().is_none());
    assert!(stream.write(b"x").now_or_never().is_none());
    table.peer.abort();
    assert!(stream.read(&mut buffer).now_or_never().unwrap().is_err());
    assert!(stream.write(b"x").now_or_never().unwrap().is_err());
}

/// Decides RM-55.
#[tokio::test]
async fn a_peer_that_was_told_in_words_hears_of_no_stream_that_ends_before_the_session_does() {
    for is_mute in [false, true] {
        let mut table = Table::new().await;
        let (_, mut finished) = table.stream_of_alice().await;
        let (_, dropped) = table.stream_of_alice().await;
        if is_mute {
            table.peer.mute();
        }
        finished.shutdown().await.unwrap();
        drop(dropped);
        table.peer.close(Duration::from_secs(10));
        let (how, events) = table.until(ended).await;
        assert_eq!(how, Ended::Closed);
        let closed = events.iter().position(|event| matches!(event, Event::Closed { .. })).unwrap();
        let is_end =
            |event: &&Event| matches!(event, Event::StreamFinished { .. } | Event::StreamReset { .. });
        let ends = events[..closed].iter().filter(is_end).count();
        assert_eq!(ends, if is_mute { 0 } else { 2 }, "{events:?}");
    }
}

/// Decides RM-96.
#[tokio::test]
async fn the_ends_of_a_programs_streams_wait_for_its_own_end_but_not_for_long() {
    for (how, told) in [("released", 2), ("muted", 0), ("closed", 0), ("waited for", 2)] {
        let mut table = Table::new().await;
        let (_, mut finished) = table.stream_of_alice().await;
        let (_, dropped) = table.stream_of_alice().await;
        table.peer.hold_ends();
        finished.shutdown().await.unwrap();
        drop(dropped);
        match how {
            "released" => table.peer.release_ends(),
            "muted" => table.peer.mute(),
            "waited for" => tokio::time::sleep(Duration::from_millis(600)).await,
            _ => {}
        }
        let mut events = table.settle().await;
        table.peer.close(Duration::from_secs(10));
        events.extend(table.until(ended).await.1);
        let ends = events.iter().take_while(|event| !matches!(event, Event::Closed { .. }));
        let ends =
            ends.filter(|event| matches!(event, Event::StreamFinished { .. } | Event::StreamReset { .. }));
        assert_eq!(ends.count(), told, "{how}: {events:?}");
    }
}

/// Decides RM-56.
#[tokio::test]
async fn whoever_ends_a_stream_first_is_known() {
    let mut table = Table::new().await;
    let (id, mut ours_first) = table.stream_of_alice().await;
    ours_first.shutdown().await.unwrap();
    table.alice.finish(id).unwrap();
    table.settle().await;
    assert!(!table.peer.facts().fell_first);
    let (id, _dropped_last) = table.stream_of_alice().await;
    table.alice.reset(id, 1).unwrap();
    table.settle().await;
    assert!(table.peer.facts().fell_first);
}
