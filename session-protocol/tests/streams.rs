//! Streams as an application sees them.
#![allow(
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs
)]
#![allow(unreachable_pub)]

mod pair;

use didagent_session::{Event, Limits, StreamError, close};
use pair::Pair;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 251) as u8).collect()
}

#[test]
fn both_sides_open_streams_with_their_own_ids() {
    let mut pair = Pair::new(&Limits::default());
    let ids: Vec<_> = (0..3)
        .map(|i| (pair.a.session.open([i; 32]).unwrap(), pair.b.session.open([i; 32]).unwrap()))
        .collect();
    pair.settle().unwrap();
    for (i, (from_a, from_b)) in ids.into_iter().enumerate() {
        assert_eq!((from_a.value() as usize, from_b.value() as usize), (2 * i + 1, 2 * i + 2));
        assert!(pair.b.saw(&Event::StreamOpened { stream: from_a, context: [i as u8; 32] }));
        assert!(pair.a.saw(&Event::StreamOpened { stream: from_b, context: [i as u8; 32] }));
    }
}

#[test]
fn st_06_a_writer_without_credit_waits_until_the_reader_consumes() {
    let window = 64 * 1024;
    let mut pair = Pair::new(&Limits { stream_window: window, ..Limits::default() });
    let data = pattern(10 * window + 17);
    let stream = pair.a.session.open([0; 32]).unwrap();

    let (mut written, mut read) = (0, Vec::new());
    let mut rounds = 0;
    while read.len() < data.len() {
        rounds += 1;
        assert!(rounds < 100, "stuck at {written} written, {} read", read.len());
        let accepted = pair.a.session.write(stream, &data[written..]).unwrap();
        written += accepted;
        pair.settle().unwrap();
        // The credit is used up: nothing is accepted, and nobody promises room.
        assert_eq!(pair.a.session.write(stream, &data[written..]).unwrap(), 0);
        assert!(!pair.a.saw(&Event::StreamWritable { stream }));
        assert!(written - read.len() <= window);

        let got = pair.b.bytes(stream);
        pair.b.take();
        read.extend_from_slice(&got);
        assert!(read.len() == written);
        pair.b.session.consume(stream, got.len()).unwrap();
        pair.settle().unwrap();
        assert_eq!(pair.a.saw(&Event::StreamWritable { stream }), written < data.len());
        pair.a.take();
    }
    assert_eq!(read, data);
}

#[test]
fn credit_comes_back_in_batches() {
    let mut pair = Pair::new(&Limits { stream_window: 1000, ..Limits::default() });
    let stream = pair.a.session.open([0; 32]).unwrap();
    assert_eq!(pair.a.session.write(stream, &[1; 2000]).unwrap(), 1000);
    pair.settle().unwrap();
    pair.b.session.consume(stream, 499).unwrap();
    pair.settle().unwrap();
    assert_eq!(pair.a.session.write(stream, &[1; 10]).unwrap(), 0);
    pair.b.session.consume(stream, 1).unwrap();
    pair.settle().unwrap();
    assert_eq!(pair.a.session.write(stream, &[1; 2000]).unwrap(), 500);
    assert_eq!(pair.b.session.consume(stream, 501), Err(StreamError::ConsumeBeyond));
}

#[test]
fn the_send_buffer_bounds_what_a_dead_connection_holds() {
    let mut pair = Pair::new(&Limits { send_buffer: 100, ..Limits::default() });
    let stream = pair.a.session.open([0; 32]).unwrap();
    assert_eq!(pair.a.session.write(stream, &[0; 1000]).unwrap(), 100);
    assert_eq!(pair.a.session.write(stream, &[0; 1000]).unwrap(), 0);
    pair.step().unwrap();
    assert!(pair.a.saw(&Event::StreamWritable { stream }));
    assert_eq!(pair.a.session.write(stream, &[0; 1000]).unwrap(), 100);
}

#[test]
fn one_byte_windows_still_move_everything() {
    let mut pair = Pair::new(&Limits { stream_window: 1, ..Limits::default() });
    let stream = pair.a.session.open([0; 32]).unwrap();
    for byte in 0..50 {
        assert_eq!(pair.a.session.write(stream, &[byte, 0]).unwrap(), 1);
        pair.settle().unwrap();
        assert_eq!(pair.b.bytes(stream), [byte]);
        pair.b.take();
        pair.b.session.consume(stream, 1).unwrap();
        pair.settle().unwrap();
    }
}

/// Decides ST-08.
#[test]
fn fin_both_ways_frees_the_stream_after_all_bytes() {
    let mut pair = Pair::new(&Limits::default());
    let stream = pair.a.session.open([0; 32]).unwrap();
    let data = pattern(100_000);
    assert_eq!(pair.a.session.write(stream, &data).unwrap(), data.len());
    pair.a.session.finish(stream).unwrap();
    pair.settle().unwrap();
    assert_eq!(pair.b.bytes(stream), data);
    assert_eq!(pair.b.events.last(), Some(&Event::StreamFinished { stream }));

    // The other direction is still open, as a half-closed TCP connection is.
    assert_eq!(pair.b.session.write(stream, b"answer").unwrap(), 6);
    pair.settle().unwrap();
    assert_eq!(pair.a.bytes(stream), b"answer");
    pair.b.session.finish(stream).unwrap();
    pair.settle().unwrap();
    assert_eq!(pair.a.events.last(), Some(&Event::StreamFinished { stream }));
    for end in [&mut pair.a, &mut pair.b] {
        assert_eq!(end.session.write(stream, b"x"), Err(StreamError::Unknown));
        assert_eq!(end.session.reset(stream, 0), Err(StreamError::Unknown));
        assert_eq!(end.session.consume(stream, 1), Ok(()));
        assert!(end.session.is_delivered());
    }
}

#[test]
fn an_empty_stream_can_finish() {
    let mut pair = Pair::new(&Limits::default());
    let stream = pair.b.session.open([9; 32]).unwrap();
    pair.b.session.finish(stream).unwrap();
    pair.settle().unwrap();
    assert_eq!(
        pair.a.take(),
        [Event::StreamOpened { stream, context: [9; 32] }, Event::StreamFinished { stream }]
    );
}

/// Decides ST-08.
#[test]
fn reset_reaches_the_peer_and_drops_what_was_queued() {
    let mut pair = Pair::new(&Limits::default());
    let stream = pair.a.session.open([0; 32]).unwrap();
    pair.settle().unwrap();
    pair.b.session.write(stream, &pattern(50_000)).unwrap();
    pair.a.session.write(stream, b"lost").unwrap();
    pair.a.session.reset(stream, 0xabcd).unwrap();
    pair.settle().unwrap();
    assert_eq!(pair.b.events.last(), Some(&Event::StreamReset { stream, code: 0xabcd }));
    assert!(pair.b.bytes(stream).is_empty());
    assert_eq!(pair.b.session.write(stream, b"x"), Err(StreamError::Unknown));
    assert!(pair.a.session.is_delivered() && pair.b.session.is_delivered());
}

/// Decides ST-08.
#[test]
fn crossing_resets_are_no_error() {
    let mut pair = Pair::new(&Limits::default());
    let stream = pair.a.session.open([0; 32]).unwrap();
    pair.settle().unwrap();
    pair.a.session.reset(stream, 1).unwrap();
    pair.b.session.reset(stream, 2).unwrap();
    pair.a.take();
    pair.b.take();
    pair.settle().unwrap();
    assert!(pair.a.take().is_empty() && pair.b.take().is_empty());
}

#[test]
fn a_hundred_thousand_small_writes_travel_in_few_records() {
    let mut pair = Pair::new(&Limits::default());
    let stream = pair.a.session.open([0; 32]).unwrap();
    let before = pair.a.session.stats().records_sent;
    let mut expected = Vec::new();
    for i in 0..100_000_u32 {
        assert_eq!(pair.a.session.write(stream, &i.to_be_bytes()).unwrap(), 4);
        expected.extend_from_slice(&i.to_be_bytes());
    }
    pair.settle().unwrap();
    assert_eq!(pair.b.bytes(stream), expected);
    let stats = pair.a.session.stats();
    let records = stats.records_sent - before;
    assert_eq!(records, 400_000_u64.div_ceil(16 * 1024 - 64), "{stats:?}");
    assert_eq!(stats.stream_bytes_sent, 400_000);
    assert!(stats.bytes_sent < 402_000, "{stats:?}");
}

#[test]
fn large_writes_fill_records_and_streams_take_turns() {
    let mut pair = Pair::new(&Limits { record_size: 64 * 1024, ..Limits::default() });
    let streams: Vec<_> = (0..4).map(|_| pair.a.session.open([0; 32]).unwrap()).collect();
    let data = pattern(1 << 20);
    for stream in &streams {
        assert_eq!(pair.a.session.write(*stream, &data).unwrap(), data.len());
        assert_eq!(pair.a.session.write(*stream, &[0]).unwrap(), 0);
    }
    let before = pair.wire.len();
    pair.settle().unwrap();
    for stream in &streams {
        assert_eq!(pair.b.bytes(*stream), data);
    }
    assert!(pair.wire[before..].iter().any(|record| record.len() == 64 * 1024));
    assert!(pair.wire[before..].iter().all(|record| record.len() <= 64 * 1024));
    // No stream waits for another to end: the first piece of each arrives before the second of any.
    let arrivals = pair.b.events.iter().filter_map(|event| match event {
        Event::StreamData { stream, .. } => Some(*stream),
        _ => None,
    });
    assert_eq!(arrivals.take(4).collect::<Vec<_>>(), streams);
}

#[test]
fn the_peers_limit_on_records_is_kept() {
    let limits = Limits { record_size: 64 * 1024, max_record: 2048, ..Limits::default() };
    let mut pair = Pair::new(&limits);
    let stream = pair.a.session.open([0; 32]).unwrap();
    pair.a.session.write(stream, &pattern(20_000)).unwrap();
    pair.settle().unwrap();
    assert_eq!(pair.b.bytes(stream), pattern(20_000));
    assert!(pair.wire.iter().all(|record| record.len() <= 2048));
}

/// Decides SE-11.
#[test]
fn close_reaches_the_peer_with_its_code() {
    let mut pair = Pair::new(&Limits::default());
    pair.a.session.close(close::APPLICATION + 5);
    pair.step().unwrap();
    let closed = |by_peer| Event::Closed { code: close::APPLICATION + 5, by_peer };
    assert_eq!(pair.a.take(), [closed(false)]);
    assert_eq!(pair.b.take(), [closed(true)]);
    pair.a.session.close(0);
    pair.b.session.abandon();
    pair.settle().unwrap();
    assert!(pair.a.take().is_empty() && pair.b.take().is_empty());
}

/// Decides SE-11.
#[test]
fn s15_a_connection_that_ends_without_close_is_reported() {
    let mut pair = Pair::new(&Limits::default());
    let stream = pair.a.session.open([0; 32]).unwrap();
    pair.a.session.write(stream, b"half of").unwrap();
    pair.settle().unwrap();
    pair.b.session.abandon();
    pair.b.session.abandon();
    pair.step().unwrap();
    assert_eq!(pair.b.events.last(), Some(&Event::Closed { code: close::PATH_LOST, by_peer: false }));
    assert!(!pair.b.saw(&Event::StreamFinished { stream }));
    assert_eq!(pair.b.session.write(stream, b"x"), Err(StreamError::Closed));
}
