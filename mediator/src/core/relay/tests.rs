//! Pairing, tokens, credit, fairness, ends and bounds of circuits.

use didagent_didcomm::protocols::relay::{MAX_RECORD, MAX_WINDOW};
use proptest::prelude::*;

use super::*;

mod bounds;
mod pressure;

const A: SocketId = SocketId(1);
const B: SocketId = SocketId(2);
const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    relay: Relay,
    limits: Limits,
    now: Duration,
}

impl Bench {
    fn new() -> Self {
        let limits = Limits::default();
        Self { relay: Relay::new(&limits), limits, now: Duration::ZERO }
    }

    fn ask(
        &mut self,
        socket: SocketId,
        did: &str,
        side: Side,
        token: u8,
        window: u32,
    ) -> Result<CircuitId, &'static str> {
        let request = Request { socket, did: did.into(), side, token: Token::new([token; 32]), window };
        self.relay.request(request, self.now, &self.limits)
    }

    fn open(&mut self, token: u8) -> Result<CircuitId, &'static str> {
        self.ask(A, "did:a", Side::Initiator, token, MAX_WINDOW)
    }

    fn join(&mut self, token: u8) -> Result<CircuitId, &'static str> {
        self.ask(B, "did:b", Side::Responder, token, MAX_WINDOW)
    }

    /// Opens and joins a circuit and takes the first credit; returns its ids at A and at B.
    fn paired(&mut self, token: u8) -> (CircuitId, CircuitId) {
        self.paired_with(token, MAX_WINDOW)
    }

    fn paired_with(&mut self, token: u8, window: u32) -> (CircuitId, CircuitId) {
        let a = self.ask(A, "did:a", Side::Initiator, token, window).unwrap();
        let b = self.ask(B, "did:b", Side::Responder, token, MAX_WINDOW).unwrap();
        let ids = (a, b);
        for (socket, id) in [(A, ids.0), (B, ids.1)] {
            let credit = Frame::Credit { circuit: id, bytes: window }.encode();
            assert_eq!(self.relay.next_control(socket), Some(credit));
        }
        ids
    }

    fn send(&mut self, socket: SocketId, circuit: CircuitId, record: &[u8]) {
        self.relay.receive(socket, &Frame::Data { circuit, record }.encode()).unwrap();
    }

    fn end(&mut self, socket: SocketId, circuit: CircuitId, code: CloseCode) {
        self.relay.receive(socket, &Frame::Close { circuit, code }.encode()).unwrap();
    }

    fn next(&mut self, socket: SocketId) -> Option<Vec<u8>> {
        self.relay.next_control(socket).or_else(|| self.relay.next_data(socket))
    }

    fn expect_close(&mut self, socket: SocketId, circuit: CircuitId, code: CloseCode) {
        assert_eq!(self.next(socket), Some(Frame::Close { circuit, code }.encode()));
    }

    fn assert_empty(&self) {
        assert!(
            self.relay.circuits.is_empty() && self.relay.by_token.is_empty() && self.relay.per_did.is_empty()
        );
        assert!(
            self.relay
                .ports
                .values()
                .all(|port| port.circuits.is_empty() && port.ring.is_empty() && port.credits.is_empty())
        );
    }
}

fn data(circuit: CircuitId, record: &[u8]) -> Option<Vec<u8>> {
    Some(Frame::Data { circuit, record }.encode())
}

#[test]
fn rl_04_either_half_may_come_first_and_records_pass_both_ways() {
    for swapped in [false, true] {
        let mut bench = Bench::new();
        let (a, b) = if swapped {
            let b = bench.join(1).unwrap();
            assert_eq!(bench.next(B), None);
            (bench.open(1).unwrap(), b)
        } else {
            let a = bench.open(1).unwrap();
            assert_eq!(bench.next(A), None);
            (a, bench.join(1).unwrap())
        };
        assert!(bench.next(A).is_some() && bench.next(B).is_some(), "first credit");
        bench.send(A, a, b"to b");
        bench.send(B, b, b"to a");
        assert_eq!(bench.next(B), data(b, b"to b"));
        assert_eq!(bench.next(A), data(a, b"to a"));
        assert_eq!((bench.next(A), bench.next(B)), (None, None));
    }
}

#[test]
fn rl_06_a_token_is_used_once() {
    let mut bench = Bench::new();
    let (a, _) = bench.paired(1);
    assert_eq!(bench.open(1), Err(refusal::TOKEN_USED));
    assert_eq!(bench.ask(SocketId(3), "did:c", Side::Responder, 1, MAX_WINDOW), Err(refusal::TOKEN_USED));
    bench.end(A, a, CloseCode::DONE);
    bench.expect_close(B, CircuitId(1), CloseCode::DONE);
    bench.assert_empty();
    assert_eq!(bench.join(1), Err(refusal::TOKEN_USED));
    bench.now += bench.limits.replay_memory;
    assert!(bench.join(1).is_ok());
}

#[test]
fn rl_06_a_half_is_taken_once_and_not_by_the_same_did() {
    let mut bench = Bench::new();
    bench.open(1).unwrap();
    assert_eq!(bench.ask(B, "did:b", Side::Initiator, 1, MAX_WINDOW), Err(refusal::TOKEN_USED));
    assert_eq!(bench.ask(B, "did:a", Side::Responder, 1, MAX_WINDOW), Err(refusal::SAME_DID));
    assert!(bench.join(1).is_ok(), "the refused requests have not spoiled the token");
}

#[test]
fn rl_09_half_a_circuit_ends_after_its_time_and_its_token_stays_good() {
    let mut bench = Bench::new();
    let a = bench.open(1).unwrap();
    assert_eq!(bench.relay.deadline(), Some(bench.limits.partner_wait));
    bench.relay.timeout(bench.limits.partner_wait - SECOND);
    assert_eq!(bench.next(A), None);
    bench.relay.timeout(bench.limits.partner_wait);
    bench.expect_close(A, a, CloseCode::NO_PARTNER);
    bench.assert_empty();
    bench.now = bench.limits.partner_wait;
    bench.paired(1);
    bench.relay.timeout(bench.now * 9);
    assert_eq!((bench.next(A), bench.next(B)), (None, None), "a paired circuit has no such deadline");
}

#[test]
fn rl_13_window_is_the_smallest_wish_and_fits_a_record() {
    let mut bench = Bench::new();
    assert_eq!(bench.ask(A, "did:a", Side::Initiator, 1, MIN_WINDOW - 1), Err(refusal::WINDOW));
    let a = bench.ask(A, "did:a", Side::Initiator, 1, u32::MAX).unwrap();
    let b = bench.ask(B, "did:b", Side::Responder, 1, MIN_WINDOW).unwrap();
    assert_eq!(bench.next(A), Some(Frame::Credit { circuit: a, bytes: MIN_WINDOW }.encode()));
    assert_eq!(bench.next(B), Some(Frame::Credit { circuit: b, bytes: MIN_WINDOW }.encode()));
    bench.send(A, a, &vec![7; MAX_RECORD]);
    assert_eq!(bench.next(B), data(b, &vec![7; MAX_RECORD]));
}

#[test]
fn rl_14_more_than_the_credit_ends_the_circuit_and_delivers_what_was_in_it() {
    let mut bench = Bench::new();
    let (a, b) = bench.paired(1);
    for _ in 0..4 {
        bench.send(A, a, &[1; 64 * 1024]);
    }
    bench.send(A, a, b"one too many");
    bench.expect_close(A, a, CloseCode::CREDIT_EXCEEDED);
    for _ in 0..4 {
        assert_eq!(bench.next(B), data(b, &[1; 64 * 1024]));
    }
    bench.expect_close(B, b, CloseCode::PEER_GONE);
    bench.assert_empty();
}

#[test]
fn rl_14_no_data_before_the_first_credit_was_sent() {
    let mut bench = Bench::new();
    let a = bench.open(1).unwrap();
    bench.send(A, a, b"early");
    bench.expect_close(A, a, CloseCode::CREDIT_EXCEEDED);
    bench.assert_empty();
}

#[test]
fn rl_15_credit_comes_back_as_records_are_written_and_not_before() {
    let mut bench = Bench::new();
    let (a, b) = bench.paired(1);
    for _ in 0..4 {
        bench.send(A, a, &[1; 64 * 1024]);
    }
    assert_eq!(bench.next(A), None, "nothing was written yet");
    assert!(bench.next(B).is_some());
    assert_eq!(bench.next(A), Some(Frame::Credit { circuit: a, bytes: 64 * 1024 }.encode()));
    assert_eq!(bench.relay.next_woken(), Some(A));
    bench.send(A, a, &[2; 64 * 1024]);
    for byte in [1, 1, 1, 2] {
        assert_eq!(bench.next(B), data(b, &[byte; 64 * 1024]));
    }
}

#[test]
fn rl_16_frames_that_only_the_mediator_sends_end_the_circuit() {
    let mut bench = Bench::new();
    let (a, b) = bench.paired(1);
    bench.relay.receive(A, &Frame::Credit { circuit: a, bytes: 1 }.encode()).unwrap();
    bench.expect_close(A, a, CloseCode::UNEXPECTED_FRAME);
    bench.expect_close(B, b, CloseCode::PEER_GONE);
    bench.assert_empty();
}

#[test]
fn rl_22_what_is_no_frame_is_an_error() {
    let mut bench = Bench::new();
    let (a, _) = bench.paired(1);
    let frame = Frame::Data { circuit: a, record: b"x" }.encode();
    for end in 0..frame.len() {
        assert!(bench.relay.receive(A, &frame[..end]).is_err());
    }
    assert!(bench.relay.receive(A, &[9; 20]).is_err());
}

#[test]
fn rl_24_circuits_of_a_socket_take_turns_by_bytes() {
    let mut bench = Bench::new();
    let (large, small) = (bench.paired(1), bench.paired(2));
    for _ in 0..4 {
        bench.send(A, large.0, &[1; 64 * 1024]);
    }
    for _ in 0..64 {
        bench.send(A, small.0, &[2; 1024]);
    }
    let mut sent = HashMap::from([(large.1, 0), (small.1, 0)]);
    let mut widest = 0;
    while sent[&small.1] < 64 * 1024 {
        let frame = bench.relay.next_data(B).unwrap();
        let Frame::Data { circuit, record } = Frame::decode(&frame).unwrap() else { panic!("{frame:?}") };
        *sent.get_mut(&circuit).unwrap() += record.len();
        widest = widest.max(sent[&large.1].saturating_sub(sent[&small.1]));
    }
    assert!(widest <= 64 * 1024, "{widest}: the large circuit was never more than one record ahead");
    assert!(sent[&large.1] >= 64 * 1024, "and was not starved");
}

#[test]
fn rl_31_what_is_queued_arrives_before_the_close_of_client_or_socket() {
    for lost_socket in [false, true] {
        let mut bench = Bench::new();
        let (a, b) = bench.paired(1);
        bench.send(A, a, b"one");
        bench.send(A, a, b"two");
        bench.send(B, b, b"never read");
        if lost_socket {
            bench.relay.socket_closed(A);
        } else {
            bench.end(A, a, CloseCode(300));
            assert!(bench.relay.ports[&A].ring.is_empty());
            assert_eq!(bench.next(A), None, "nothing comes after one's own close");
        }
        let circuit = bench.relay.circuits.values().next().unwrap();
        assert!(circuit.lanes.responder.is_empty(), "nothing is kept for an end that left");
        assert_eq!(bench.next(B), data(b, b"one"));
        bench.send(B, b, b"into the void");
        assert_eq!(bench.next(B), data(b, b"two"));
        bench.expect_close(B, b, if lost_socket { CloseCode::PEER_GONE } else { CloseCode(300) });
        bench.assert_empty();
    }
}

#[test]
fn rl_30_clients_cannot_speak_in_the_mediators_name() {
    let mut bench = Bench::new();
    let (a, b) = bench.paired(1);
    bench.end(A, a, CloseCode::GOING_AWAY);
    bench.expect_close(B, b, CloseCode::DONE);
}

#[test]
fn rl_33_unknown_circuits_are_answered_once_and_ended_ones_never() {
    let mut bench = Bench::new();
    let (a, _) = bench.paired(1);
    let unknown = CircuitId(77);
    bench.send(A, unknown, b"x");
    bench.send(A, unknown, b"x");
    bench.expect_close(A, unknown, CloseCode::UNKNOWN_CIRCUIT);
    assert_eq!(bench.next(A), None);
    bench.end(A, CircuitId(78), CloseCode::DONE);
    assert_eq!(bench.next(A), None, "a close needs no answer");
    for id in 100..1000 {
        bench.send(A, CircuitId(id), b"x");
    }
    assert!(bench.relay.ports[&A].closes.len() <= MAX_UNKNOWN);
    while bench.next(A).is_some() {}
    bench.end(A, a, CloseCode::DONE);
    bench.send(A, a, b"late");
    assert_eq!(bench.next(A), None);
}

#[test]
fn rl_34_stop_closes_every_circuit() {
    let mut bench = Bench::new();
    let (a, b) = bench.paired(1);
    bench.send(A, a, b"lost");
    bench.relay.stop();
    bench.expect_close(A, a, CloseCode::GOING_AWAY);
    bench.expect_close(B, b, CloseCode::GOING_AWAY);
    // One end goes first, and still sends what crossed its CLOSE.
    bench.send(B, b, b"crossed");
    bench.relay.socket_closed(B);
    assert_eq!(bench.next(A), None, "one CLOSE is enough");
    bench.assert_empty();
}

#[derive(Debug, Clone)]
enum Step {
    Send { from_a: bool, circuit: usize, length: usize },
    Write { to_a: bool },
    Close { from_a: bool, circuit: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let length = prop_oneof![1_usize..100, 1_usize..=MAX_RECORD];
    let step = prop_oneof![
        8 => (any::<bool>(), 0_usize..3, length).prop_map(|(from_a, circuit, length)| Step::Send { from_a, circuit, length }),
        8 => any::<bool>().prop_map(|to_a| Step::Write { to_a }),
        1 => (any::<bool>(), 0_usize..3).prop_map(|(from_a, circuit)| Step::Close { from_a, circuit }),
    ];
    proptest::collection::vec(step, 1..300)
}

proptest! {
    /// Clients that keep to their credit: every record arrives, in order, before the close, and nothing is held that was not
    /// granted. Each record is filled with its number.
    #[test]
    fn obedient_clients_lose_nothing(steps in steps()) {
        let mut bench = Bench::new();
        // The smallest window, one in between and the largest.
        let windows = [MIN_WINDOW, 100_000, MAX_WINDOW];
        let ids: Vec<_> = (0..3).zip(windows).map(|(token, window)| bench.paired_with(token, window)).collect();
        // By direction: credit, sent and not received, own end open.
        let mut credit = windows.map(|window| [window; 2]);
        let mut transit = vec![[(); 2].map(|()| VecDeque::new()); 3];
        let mut open = [[true; 2]; 3];
        let mut number = 0_u8;
        for step in steps {
            match step {
                Step::Send { from_a, circuit, length } => {
                    let me = usize::from(!from_a);
                    let cost = u32::try_from(length).unwrap();
                    if !open[circuit][me] || credit[circuit][me] < cost { continue; }
                    credit[circuit][me] -= cost;
                    number = number.wrapping_add(1);
                    transit[circuit][me].push_back((number, length));
                    let (socket, id) = if from_a { (A, ids[circuit].0) } else { (B, ids[circuit].1) };
                    bench.send(socket, id, &vec![number; length]);
                }
                Step::Close { from_a, circuit } => {
                    let me = usize::from(!from_a);
                    if !std::mem::replace(&mut open[circuit][me], false) { continue; }
                    transit[circuit][1 - me].clear();
                    let (socket, id) = if from_a { (A, ids[circuit].0) } else { (B, ids[circuit].1) };
                    bench.end(socket, id, CloseCode::DONE);
                }
                Step::Write { to_a } => {
                    let me = usize::from(!to_a);
                    let socket = if to_a { A } else { B };
                    let Some(frame) = bench.next(socket) else { continue };
                    let frame = Frame::decode(&frame).unwrap();
                    let circuit = ids.iter().position(|ids| frame.circuit() == if to_a { ids.0 } else { ids.1 }).unwrap();
                    prop_assert!(open[circuit][me], "a frame after our own close");
                    match frame {
                        Frame::Data { record, .. } => {
                            let (number, length) = transit[circuit][1 - me].pop_front().unwrap();
                            prop_assert_eq!(record, vec![number; length]);
                        }
                        Frame::Credit { bytes, .. } => credit[circuit][me] += bytes,
                        Frame::Close { code, .. } => {
                            prop_assert_eq!(code, CloseCode::DONE);
                            prop_assert!(transit[circuit][1 - me].is_empty(), "closed before everything arrived");
                            open[circuit][me] = false;
                            transit[circuit][me].clear();
                        }
                    }
                }
            }
            for circuit in bench.relay.circuits.values().filter(|circuit| circuit.ends.initiator.is_some() && circuit.ends.responder.is_some()) {
                for side in [Side::Initiator, Side::Responder] {
                    let (credit, owed, queued, window) = circuit.lanes.of(side).balance();
                    prop_assert_eq!(credit + owed + queued, window);
                }
            }
        }
        // Nobody is stuck: once everything is written, every open direction can take a record of full size.
        loop {
            let (to_a, to_b) = (bench.next(A), bench.next(B));
            for (me, frame) in [(0, &to_a), (1, &to_b)] {
                let Some(frame) = frame else { continue };
                if let Frame::Credit { circuit: id, bytes } = Frame::decode(frame).unwrap() {
                    let circuit = ids.iter().position(|ids| id == if me == 0 { ids.0 } else { ids.1 }).unwrap();
                    credit[circuit][me] += bytes;
                } else if let Frame::Close { circuit: id, .. } = Frame::decode(frame).unwrap() {
                    let circuit = ids.iter().position(|ids| id == if me == 0 { ids.0 } else { ids.1 }).unwrap();
                    open[circuit][me] = false;
                }
            }
            if to_a.is_none() && to_b.is_none() { break; }
        }
        for (credit, open) in credit.iter().zip(open) {
            if open == [true; 2] {
                prop_assert!(credit.iter().all(|credit| usize::try_from(*credit).unwrap() >= MAX_RECORD));
            }
        }
    }

    /// Whatever bytes come, frames go only to sockets of the circuit and memory stays within the windows.
    #[test]
    fn any_bytes_are_survived(frames in proptest::collection::vec((any::<bool>(), 0_u8..5, 0_u32..5, proptest::collection::vec(any::<u8>(), 0..40)), 0..200)) {
        let mut bench = Bench::new();
        bench.paired(1);
        bench.paired(2);
        for (from_a, type_, circuit, rest) in frames {
            let mut bytes = vec![type_];
            bytes.extend(circuit.to_be_bytes());
            bytes.extend(rest);
            let _ = bench.relay.receive(if from_a { A } else { B }, &bytes);
            for circuit in bench.relay.circuits.values() {
                for side in [Side::Initiator, Side::Responder] {
                    let (credit, _, queued, window) = circuit.lanes.of(side).balance();
                    prop_assert!(credit <= window && queued <= window);
                }
            }
        }
        while bench.next(A).is_some() || bench.next(B).is_some() {}
        bench.relay.socket_closed(A);
        while bench.next(B).is_some() {}
        bench.relay.socket_closed(B);
        bench.assert_empty();
    }
}
