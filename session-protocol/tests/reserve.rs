//! Bytes written straight into records, beside bytes that are written as usual.
#![allow(
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs
)]
#![allow(unreachable_pub)]

mod pair;

use didagent_session::{Event, Limits, MAX_RECORD, Padding, RECORD_OVERHEAD, StreamError, StreamId};
use pair::Pair;
use proptest::prelude::*;

fn limits() -> Limits {
    Limits { record_size: MAX_RECORD, ..Limits::default() }
}

/// A stream of which the peer knows.
fn opened(limits: &Limits) -> (Pair, StreamId) {
    let mut pair = Pair::new(limits);
    let stream = pair.a.session.open([1; 32]).unwrap();
    pair.settle().unwrap();
    (pair, stream)
}

/// Puts as many of `bytes` as go into one record; `None` if none may go now.
fn reserve(pair: &mut Pair, stream: StreamId, bytes: &[u8]) -> Option<usize> {
    let mut reserved = pair.a.session.reserve(stream, bytes.len(), pair.now).unwrap()?;
    let room = reserved.bytes_mut();
    let length = room.len();
    room.copy_from_slice(&bytes[..length]);
    reserved.commit(length);
    Some(length)
}

fn consume(pair: &mut Pair, stream: StreamId) -> Vec<u8> {
    let bytes = pair.b.bytes(stream);
    pair.b.session.consume(stream, bytes.len()).unwrap();
    pair.b.take();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Decides ST-04 for both ways together: whatever is written and reserved, dropped and flushed, arrives once and in order.
    #[test]
    fn written_and_reserved_bytes_keep_their_order(
        steps in prop::collection::vec((0_u8..4, 1_usize..70_000), 1..40),
    ) {
        let (mut pair, stream) = opened(&limits());
        let (mut sent, mut arrived) = (Vec::new(), Vec::new());
        for (kind, length) in steps {
            let bytes: Vec<u8> = (0..length).map(|i| (sent.len() + i).to_le_bytes()[0]).collect();
            match kind {
                0 => {
                    let accepted = pair.a.session.write(stream, &bytes).unwrap();
                    sent.extend_from_slice(&bytes[..accepted]);
                }
                1 => {
                    let put = reserve(&mut pair, stream, &bytes).unwrap_or(0);
                    sent.extend_from_slice(&bytes[..put]);
                }
                2 => {
                    if let Some(mut reserved) = pair.a.session.reserve(stream, length, pair.now).unwrap() {
                        reserved.bytes_mut().fill(0xee);
                    }
                }
                _ => {
                    pair.settle().unwrap();
                    arrived.extend(consume(&mut pair, stream));
                }
            }
        }
        pair.a.session.finish(stream).unwrap();
        pair.settle().unwrap();
        arrived.extend(consume(&mut pair, stream));
        prop_assert_eq!(arrived, sent);
        prop_assert!(pair.a.session.is_delivered());
    }
}

#[test]
fn a_reservation_takes_what_was_put_there_and_no_more() {
    let (mut pair, stream) = opened(&limits());
    let mut reserved = pair.a.session.reserve(stream, 100, pair.now).unwrap().unwrap();
    reserved.bytes_mut()[..3].copy_from_slice(b"abc");
    reserved.commit(3);
    assert_eq!(pair.a.session.stats().stream_bytes_sent, 3);
    pair.settle().unwrap();
    assert_eq!(consume(&mut pair, stream), b"abc");
    // Nothing was put there: no record either.
    let before = pair.a.session.stats().records_sent;
    pair.a.session.reserve(stream, 100, pair.now).unwrap().unwrap().commit(0);
    pair.settle().unwrap();
    assert_eq!(pair.a.session.stats().records_sent, before);
    assert!(pair.a.session.reserve(stream, 0, pair.now).unwrap().is_none());
}

/// Decides ST-06 on this way: no byte beyond the credit, and the caller hears when there is more.
#[test]
fn reservations_stay_within_the_credit_and_go_on_after_it() {
    let window = 10_000;
    let (mut pair, stream) = opened(&Limits { stream_window: window, ..limits() });
    let bytes = vec![5; 70_000];
    assert_eq!(reserve(&mut pair, stream, &bytes), Some(window));
    pair.settle().unwrap();
    assert_eq!(reserve(&mut pair, stream, &bytes), None);
    pair.a.take();
    assert_eq!(consume(&mut pair, stream).len(), window);
    pair.settle().unwrap();
    assert!(pair.a.saw(&Event::StreamWritable { stream }));
    assert_eq!(reserve(&mut pair, stream, &bytes), Some(window));
}

/// Decides SE-40 on this way; and SE-41: what goes out by the clock cannot be made before.
#[test]
fn reservations_are_padded_like_other_records() {
    let (mut pair, stream) = opened(&Limits { padding: Padding::Buckets, ..limits() });
    let before = pair.a.session.stats().bytes_sent;
    assert_eq!(reserve(&mut pair, stream, b"abc"), Some(3));
    assert_eq!(pair.a.session.stats().bytes_sent - before, 64 + RECORD_OVERHEAD as u64);
    // Longer than what `settle` waits for: such a session never rests.
    let every = std::time::Duration::from_secs(1);
    let (mut pair, stream) = opened(&Limits { padding: Padding::Constant { size: 2000, every }, ..limits() });
    for _ in 0..4 {
        pair.now += every;
        pair.step().unwrap();
    }
    assert!(pair.b.saw(&Event::StreamOpened { stream, context: [1; 32] }));
    assert_eq!(reserve(&mut pair, stream, b"abc"), None);
}

#[test]
fn nothing_is_reserved_before_what_goes_first() {
    let limits = limits();
    let mut pair = Pair::new(&limits);
    // Its STREAM_OPEN waits.
    let stream = pair.a.session.open([1; 32]).unwrap();
    assert_eq!(reserve(&mut pair, stream, b"early"), None);
    pair.settle().unwrap();
    // Bytes that were written wait.
    pair.a.session.write(stream, b"first").unwrap();
    assert_eq!(reserve(&mut pair, stream, b"second"), None);
    pair.settle().unwrap();
    // A record that was sealed and not polled.
    assert_eq!(reserve(&mut pair, stream, b"second"), Some(6));
    assert_eq!(reserve(&mut pair, stream, b"third"), None);
    pair.settle().unwrap();
    assert_eq!(consume(&mut pair, stream), b"firstsecond");
    // There is no connection.
    let connection = pair.a.connection;
    pair.a.session.disconnected(connection, pair.now);
    assert_eq!(reserve(&mut pair, stream, b"lost"), None);
}

#[test]
fn streams_that_take_no_bytes_take_no_reservation() {
    let (mut pair, stream) = opened(&limits());
    pair.a.session.finish(stream).unwrap();
    let now = pair.now;
    assert_eq!(pair.a.session.reserve(stream, 9, now).unwrap_err(), StreamError::Finished);
    pair.a.session.reset(stream, 1).unwrap();
    assert_eq!(pair.a.session.reserve(stream, 9, now).unwrap_err(), StreamError::Unknown);
    pair.a.session.close(1);
    assert_eq!(pair.a.session.reserve(stream, 9, now).unwrap_err(), StreamError::Closed);
}
