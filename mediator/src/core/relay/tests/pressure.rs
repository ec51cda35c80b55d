//! Circuits that press: floods of full and of tiny records, receivers that stall, and who waits for whom.

use super::*;

/// What the window of one direction may take of memory when records are single bytes.
const TINY_MEMORY: usize = 2 * 256 * 1024 + 16 * 1024;

impl Bench {
    /// Fills the window from A with records of `length` bytes.
    fn flood(&mut self, circuit: CircuitId, length: usize) {
        let window = usize::try_from(MAX_WINDOW).unwrap();
        for _ in 0..window / length {
            self.send(A, circuit, &vec![7; length]);
        }
    }

    /// Returns the circuit of the next record for B.
    fn next_of(&mut self, socket: SocketId) -> Option<CircuitId> {
        let frame = self.relay.next_data(socket)?;
        match Frame::decode(&frame).unwrap() {
            Frame::Data { circuit, .. } => Some(circuit),
            other => panic!("{other:?}"),
        }
    }

    fn memory(&self) -> usize {
        let lanes = self.relay.circuits.values().flat_map(|c| [&c.lanes.initiator, &c.lanes.responder]);
        lanes.map(Lane::memory).sum()
    }
}

#[test]
fn rl_24_a_small_record_waits_for_one_full_record_of_each_other_circuit() {
    for others in [1, 8] {
        let mut bench = Bench::new();
        let floods: Vec<_> = (0..others).map(|token| bench.paired(token)).collect();
        let (small, at_b) = bench.paired(100);
        for (a, _) in &floods {
            bench.flood(*a, MAX_RECORD);
        }
        // In the middle of the flood, with savings of every size.
        for _ in 0..others {
            bench.next_of(B);
        }
        bench.send(A, small, b"small");
        let before = std::iter::from_fn(|| bench.next_of(B)).take_while(|id| *id != at_b).count();
        assert!(before <= usize::from(others), "{before} records of {others} circuits went before it");
    }
}

#[test]
fn rl_24_tiny_records_get_no_more_time_than_full_ones() {
    let mut bench = Bench::new();
    let ((tiny, at_tiny), (full, at_full)) = (bench.paired(1), bench.paired(2));
    bench.flood(tiny, 1);
    bench.flood(full, MAX_RECORD);
    let mut order = std::iter::from_fn(|| bench.next_of(B));
    // Between two full records a circuit of single bytes has its share of bytes, where each counts 65.
    let first = order.by_ref().take_while(|id| *id != at_full).count();
    let second = order.by_ref().take_while(|id| *id != at_full).count();
    let share = MAX_RECORD / 65;
    assert!(second.abs_diff(share) < share / 3 && first < 2 * share, "{first} {second} {share}");
    assert!(order.filter(|id| *id == at_tiny).count() > 100_000, "all of it comes in the end");
}

#[test]
fn rl_15_windows_of_single_bytes_take_twice_their_bytes_at_most() {
    let mut bench = Bench::new();
    let (a, _) = bench.paired(1);
    bench.flood(a, 1);
    assert!(bench.memory() <= TINY_MEMORY, "{}", bench.memory());
    let mut bench = Bench::new();
    let (a, b) = bench.paired(1);
    bench.flood(a, MAX_RECORD);
    assert!(bench.memory() <= 256 * 1024 + 8 * 1024, "{}", bench.memory());
    while bench.next_of(B).is_some() {}
    assert_eq!(bench.memory(), 0, "an idle circuit keeps nothing");
    for length in [1, 127, 128, 16_383, 16_384, MAX_RECORD] {
        bench.next(A);
        let record: Vec<u8> = (0..length).map(|at| at.to_le_bytes()[0]).collect();
        bench.send(A, a, &record);
        assert!(bench.relay.next_data(B) == data(b, &record), "{length}");
    }
}

#[test]
fn rl_15_a_receiver_that_stalls_holds_its_own_circuit_and_no_other() {
    let mut bench = Bench::new();
    let stalled = SocketId(50);
    let a = bench.open(1).unwrap();
    bench.ask(stalled, "did:stalled", Side::Responder, 1, MAX_WINDOW).unwrap();
    while bench.relay.next_control(A).is_some() {}
    let (other, _) = bench.paired(2);
    bench.flood(a, MAX_RECORD);
    assert_eq!(bench.relay.next_control(A), None, "no credit for what nobody took");
    for _ in 0..100 {
        bench.send(A, other, &[1; 60_000]);
        assert!(bench.next_of(B).is_some());
        while let Some(frame) = bench.relay.next_control(A) {
            assert_eq!(Frame::decode(&frame).unwrap().circuit(), other);
        }
    }
    // It reads again: everything is there, and the sender may go on.
    let waiting = std::iter::from_fn(|| bench.next_of(stalled)).count();
    assert_eq!(waiting, usize::try_from(MAX_WINDOW).unwrap() / MAX_RECORD);
    assert!(matches!(
        Frame::decode(&bench.relay.next_control(A).unwrap()).unwrap(),
        Frame::Credit { circuit, .. } if circuit == a
    ));
    // It dies instead: what it did not take is gone, and so is its memory.
    bench.send(A, a, &[1; 60_000]);
    bench.relay.socket_closed(stalled);
    assert_eq!(bench.memory(), 0);
    bench.expect_close(A, a, CloseCode::PEER_GONE);
}
