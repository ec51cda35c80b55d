//! What an authenticated peer may cost in memory (S18), whatever it sends and however little it takes in.

use super::*;
use crate::record::resume::{Message, Resume};

/// A RESUME_RSP of `a` on a connection, with that generation and under the token of `b` at that place.
fn answer(a: &Session, b: &Session, generation: u64, place: usize, on: ConnectionId) -> Message {
    let nonces = b.paths.nonces();
    let echo = nonces.get(usize::try_from(on.value()).unwrap().min(nonces.len() - 1)).copied();
    let rx_next = a.opener.next();
    let message = Resume { generation, rx_next, nonce: [7; 16], echo };
    let mut out = Message::new();
    let key = a.epochs.own_resume_key(a.opener.is_pending());
    message.seal(a.epochs.cipher(), key, &b.cids()[place], &[9; 16], &mut out);
    out
}

/// Decides SE-50: at most 16 are kept, also for a peer that goes back and forth between the tokens it has and takes in nothing.
#[test]
fn s18_se_50_a_peer_that_goes_back_and_forth_between_tokens_costs_no_more_than_sixteen() {
    let (a, mut b, now) = pair(&Limits::default());
    for generation in 1..200 {
        let place = if generation % 2 == 0 { 0 } else { b.cids().len() - 1 };
        let mut record = answer(&a, &b, generation, place, FIRST);
        b.handle(Input::Record { connection: FIRST, record: &mut record }, now).unwrap();
        assert_eq!(b.paths.generations().0, generation, "it is adopted");
        assert!(b.cids().len() <= 16, "{} tokens after {generation}", b.cids().len());
        assert!(b.issued.due_len() <= 16);
        drain(&mut b);
    }
}

/// ST-05, S18: the peer opens streams, the application resets them at once, and the peer acknowledges nothing.
#[test]
fn s18_st_05_refused_streams_cost_no_more_than_a_queue_however_little_the_peer_takes() {
    let (mut a, mut b, now) = pair(&Limits::default());
    let mut id = 1;
    let result = loop {
        let result = hostile(&mut a, &mut b, &[Frame::StreamOpen { stream: id, context: &[1; 32] }], now);
        a.outbox.acknowledge(a.outbox.next(), |_, _| {});
        if result.is_err() || id > 20_000 {
            break result;
        }
        while let Some(event) = b.poll_event() {
            if let Event::StreamOpened { stream, .. } = event {
                b.reset(stream, 2).unwrap();
            }
        }
        // Nothing is polled: as if the outbox were full or the connection took nothing.
        id += 2;
    };
    assert_eq!(b.control.len(), crate::limits::MAX_UNSAID_RESETS);
    assert_eq!(result, Err(SessionError::Violation { code: close::STREAM_LIMIT }));
}

/// The same by a peer that gives up each stream itself before it hears of the reset: nothing piles up, nothing is closed.
#[test]
fn s18_st_07_resets_that_cross_leave_nothing_to_say() {
    let (mut a, mut b, now) = pair(&Limits::default());
    for id in (1..4001).step_by(2) {
        hostile(&mut a, &mut b, &[Frame::StreamOpen { stream: id, context: &[1; 32] }], now).unwrap();
        drain(&mut b);
        b.reset(StreamId::new(id), 2).unwrap();
        hostile(&mut a, &mut b, &[Frame::StreamReset { stream: id, code: 3 }], now).unwrap();
        a.outbox.acknowledge(a.outbox.next(), |_, _| {});
        assert!(b.control.is_empty());
    }
    // One that is said is no longer waited for.
    hostile(&mut a, &mut b, &[Frame::StreamOpen { stream: 4001, context: &[1; 32] }], now).unwrap();
    drain(&mut b);
    b.reset(StreamId::new(4001), 2).unwrap();
    while transmit(&mut b, now).is_some() {}
    assert!(b.control.is_empty());
    assert!(!b.streams.reset_settled(4001));
}

/// Decides ST-09: of several PINGs the peer may answer the latest only, also when that is one that nobody waits for.
#[test]
fn st_09_a_ping_that_replaces_another_still_ends_the_wait() {
    let (mut a, mut b, now) = pair(&Limits::default());
    a.ping();
    pump(&mut a, &mut b, now);
    assert!(a.ping.outstanding.is_some() && b.ping.pong_due.is_some());
    // The record is acknowledged, by a RESUME_RSP or an ACK that had no room for the PONG; then too much is kept that asks
    // for nothing.
    a.outbox.acknowledge(a.outbox.next(), |_, _| {});
    for _ in 0..crate::limits::QUIET_RECORDS {
        a.ping.pong_due = Some(5);
        pump(&mut a, &mut b, now);
    }
    a.ping.pong_due = Some(5);
    let record = transmit(&mut a, now).unwrap();
    give(&mut b, &record, now).unwrap();
    assert!(pump(&mut b, &mut a, now).iter().any(|event| matches!(event, Event::Pong { .. })));
    assert!(a.ping.outstanding.is_none(), "nobody would ever be asked again");
}
