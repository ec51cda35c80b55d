//! How many circuits there may be, and who makes way (RL-07).

use super::*;

#[test]
fn rl_07_circuits_are_bounded_per_did_socket_and_in_all() {
    let mut bench = Bench::new();
    (bench.limits.circuits_per_did, bench.limits.circuits_per_socket, bench.limits.circuits) = (2, 3, 4);
    let mut ask = |socket, did, token| bench.ask(SocketId(socket), did, Side::Initiator, token, MAX_WINDOW);
    assert!(ask(1, "did:a", 1).is_ok() && ask(1, "did:a", 2).is_ok());
    assert_eq!(ask(2, "did:a", 3), Err(refusal::TOO_MANY));
    assert!(ask(1, "did:b", 3).is_ok());
    assert_eq!(ask(1, "did:b", 4), Err(refusal::TOO_MANY));
    assert!(ask(2, "did:b", 4).is_ok());
    bench.relay.socket_closed(SocketId(1));
    bench.relay.socket_closed(SocketId(2));
    bench.assert_empty();
    assert!(bench.open(9).is_ok());
}

#[test]
fn rl_07_paired_circuits_are_never_ended_for_newcomers() {
    let mut bench = Bench::new();
    bench.limits.circuits = 2;
    let (a, b) = bench.paired(1);
    bench.paired(2);
    assert_eq!(bench.open(3), Err(refusal::TOO_MANY));
    bench.send(A, a, b"still");
    assert_eq!(bench.next(B), data(b, b"still"));
}

#[test]
fn rl_07_a_newcomer_takes_the_oldest_half_of_the_socket_with_most() {
    let mut bench = Bench::new();
    bench.limits.circuits = 4;
    let lonely = bench.ask(B, "did:b", Side::Initiator, 1, MAX_WINDOW).unwrap();
    let greedy: Vec<_> = (2..5).map(|token| bench.open(token).unwrap()).collect();
    assert!(bench.ask(SocketId(3), "did:c", Side::Initiator, 5, MAX_WINDOW).is_ok());
    bench.expect_close(A, greedy[0], CloseCode::NO_PARTNER);
    assert!(bench.ask(SocketId(4), "did:d", Side::Initiator, 6, MAX_WINDOW).is_ok());
    bench.expect_close(A, greedy[1], CloseCode::NO_PARTNER);
    assert!(bench.ask(SocketId(5), "did:e", Side::Initiator, 7, MAX_WINDOW).is_ok());
    bench.expect_close(B, lonely, CloseCode::NO_PARTNER);
    assert_eq!((bench.next(A), bench.next(B)), (None, None));
    assert_eq!(bench.relay.circuits(), 4);
    assert!(bench.ask(B, "did:b", Side::Responder, 4, MAX_WINDOW).is_ok(), "the newest of A waits still");
    assert!(bench.ask(B, "did:b", Side::Initiator, 1, MAX_WINDOW).is_ok(), "an ended half uses no token up");
}

#[test]
fn rl_07_waiting_halves_of_a_socket_are_bounded_and_pairing_frees_their_places() {
    let mut bench = Bench::new();
    bench.limits.waiting_per_socket = 2;
    assert!(bench.open(1).is_ok() && bench.open(2).is_ok());
    assert_eq!(bench.ask(A, "did:z", Side::Initiator, 3, MAX_WINDOW), Err(refusal::TOO_MANY));
    bench.join(1).unwrap();
    assert!(bench.open(3).is_ok());
    bench.ask(B, "did:b", Side::Initiator, 9, MAX_WINDOW).unwrap();
    bench.ask(B, "did:b", Side::Initiator, 10, MAX_WINDOW).unwrap();
    assert_eq!(bench.ask(B, "did:b", Side::Initiator, 11, MAX_WINDOW), Err(refusal::TOO_MANY));
    assert!(bench.join(2).is_ok(), "a half that completes a circuit does not wait");
    bench.relay.socket_closed(A);
    bench.relay.socket_closed(B);
    assert!(bench.relay.waiting.is_empty());
}
