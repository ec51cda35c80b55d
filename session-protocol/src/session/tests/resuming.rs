//! Resumption over a link that an adversary owns; the bounds and the ends of it.

use std::time::Duration;

use super::{world::World, *};
use crate::{EpochLimits, EpochMark, Padding, Suite, record::sealer::log};

/// Steps of one of eight runs, a million in all; `DIDAGENT_SOAK` makes it long.
fn steps() -> usize {
    if std::env::var_os("DIDAGENT_SOAK").is_some() { 2_000_000 } else { 125_000 }
}

fn limits() -> Limits {
    Limits { retransmission: 200 * 1024, record_size: 2048, stream_window: 60_000, ..Limits::default() }
}

#[test]
fn s11_se_54_se_55_every_byte_arrives_once_under_any_cut_loss_delay_and_forgery() {
    for seed in 0..8 {
        let mut world = World::new(&limits(), seed);
        for round in 0..steps() {
            world.step();
            if round % 5000 == 4999 {
                world.heal();
            }
        }
        world.heal();
        assert!(world.adopted > steps() / 300, "{} adoptions", world.adopted);
        assert!(world.written() > steps() * 10, "{} bytes", world.written());
        assert!(log::count() > steps() / 100, "S10 saw {} seals", log::count());
        assert!(world.ends.iter().all(|end| end.stats().records_resent > 100));
        assert!(world.ends.iter().all(|end| end.epoch() > 0));
    }
}

/// The same for every suite and padding, epochs that end all the time, a window of one byte, and the largest records in the
/// smallest buffer.
#[test]
fn s11_s20_every_byte_arrives_once_whatever_the_limits() {
    let mark =
        |records, time| EpochMark { records, bytes: records * 2000, time: Duration::from_millis(time) };
    let (soft, hard) = (mark(30, 400), mark(90, 2000));
    let epoch = EpochLimits { soft, hard, last: 1 << 20, forgeries: 5, ..EpochLimits::default() };
    let constant = |size, every| Padding::Constant { size, every: Duration::from_millis(every) };
    let short = Limits { epoch, ..limits() };
    let variants = [
        short.clone(),
        Limits { padding: Padding::Buckets, ..short.clone() },
        Limits { padding: constant(1536, 2), ..short.clone() },
        Limits { padding: constant(12_500, 3), stream_window: 3_000_000, ..limits() },
        Limits { stream_window: 1, ..limits() },
        Limits { stream_window: 3_000_000, record_size: crate::MAX_RECORD, ..short },
    ];
    for (limits, seed) in variants.iter().zip(100..) {
        for suite in Suite::ALL {
            let mut world = World::of(suite, limits, seed);
            for round in 0..15_000 {
                world.step();
                if round % 3000 == 2999 {
                    world.heal();
                }
            }
            assert!(world.adopted > 20 && world.written() > 100, "{} {}", world.adopted, world.written());
        }
    }
}

/// S18, SE-52: a peer that is dead behind a live connection costs no more than the limit, and nothing is lost.
#[test]
fn s18_se_52_a_dead_peer_costs_no_more_than_the_limit() {
    let limits = Limits { stream_window: 16 << 20, send_buffer: 4096, ..Limits::default() };
    let mut world = World::new(&limits, 1);
    world.heal();
    world.wires.last_mut().unwrap().frozen = true;
    for _ in 0..40_000 {
        for side in 0..2 {
            world.write(side, 700);
            world.poll(side);
        }
    }
    world.check();
    let limit = limits.retransmission;
    assert!(world.peak <= limit - 64 * 1024 && world.peak > limit - 128 * 1024, "{}", world.peak);
    assert_eq!(world.write(0, 10_000).min(1), 0, "the writer is told to wait");
    // S20: both buffers are full of data. The acknowledgements get through all the same.
    world.heal();
    assert!(world.written() > 2 * (limit - 300 * 1024) / 2);
}

/// S20: both are full, the connection lives, and everything crosses at once.
#[test]
fn s20_se_52_two_full_buffers_do_not_block_each_other() {
    for size in [40, 700] {
        let limits = Limits { stream_window: 4 << 20, send_buffer: 4096, ..limits() };
        let mut world = World::new(&limits, 2);
        world.heal();
        for _ in 0..20_000 {
            for side in 0..2 {
                world.write(side, size);
                world.poll(side);
            }
        }
        // No cut: what is on the wire arrives, one side first, then in turns.
        let wire = world.wires.len() - 1;
        for turn in 0..100_000 {
            let side = usize::from(turn % 3 == 0);
            world.deliver(wire, side);
            world.poll(side);
            world.check();
            world.now += Duration::from_micros(100);
        }
        assert!(world.ends.iter().all(Session::is_delivered), "they block each other");
        world.heal();
    }
}

/// SE-53: ends that only answer each other's PINGs keep little.
#[test]
fn se_53_records_that_ask_for_nothing_are_acknowledged_in_the_end() {
    let (mut a, mut b, mut now) = pair(&Limits::default());
    for id in 0..2000 {
        hostile(&mut a, &mut b, &[Frame::Ping { id }], now).unwrap();
        pump(&mut b, &mut a, now);
        a.outbox.acknowledge(a.outbox.next(), |_, _| {});
        now += Duration::from_millis(1);
        assert!(b.outbox.next() - b.outbox.una() <= 600);
        a.handle(Input::Timeout, now).unwrap();
        pump(&mut a, &mut b, now);
    }
    assert!(b.outbox.next() >= 2000);
}

fn two_connections(a: &mut Session, b: &mut Session, now: Instant) -> ConnectionId {
    let (name, other) = (a.connected(now).unwrap(), b.connected(now).unwrap());
    assert_eq!(name, other);
    name
}

fn message(session: &mut Session, on: ConnectionId, now: Instant) -> Option<Vec<u8>> {
    loop {
        match session.poll(now) {
            Output::Transmit { connection, record } => {
                assert_eq!(connection, on);
                return Some(record.to_vec());
            }
            Output::Event(_) | Output::Disconnect(_) => {}
            Output::Timeout(_) => return None,
        }
    }
}

fn hand(to: &mut Session, on: ConnectionId, record: &[u8], now: Instant) -> Vec<Event> {
    to.handle(Input::Record { connection: on, record: &mut record.to_vec() }, now).unwrap();
    std::iter::from_fn(|| to.poll_event()).collect()
}

/// The three messages, one by one: who adopts when, and that the old connection lives until then.
#[test]
fn se_54_nothing_changes_until_the_own_nonce_comes_back() {
    let (mut a, mut b, now) = pair(&Limits::default());
    let second = two_connections(&mut a, &mut b, now);
    let resume = message(&mut a, second, now).unwrap();
    assert_eq!((resume[0], resume.len()), (0x11, 73));
    assert_eq!(hand(&mut b, second, &resume, now), []);
    assert!(b.paths.is_current(FIRST));
    let answer = message(&mut b, second, now).unwrap();
    assert_eq!((answer[0], answer.len()), (0x12, 89));
    assert!(a.paths.is_current(FIRST));
    assert_eq!(hand(&mut a, second, &answer, now), [Event::Adopted(second)]);
    assert_eq!(a.poll(now), Output::Disconnect(FIRST));
    let last = message(&mut a, second, now).unwrap();
    assert_eq!(last[0], 0x12);
    assert!(b.paths.is_current(FIRST));
    assert_eq!(hand(&mut b, second, &last, now), [Event::Adopted(second)]);
    assert!(b.paths.is_current(second));

    // All of it again, on this connection and on another: nothing moves.
    let third = two_connections(&mut a, &mut b, now);
    for record in [&resume, &answer, &last] {
        for on in [second, third] {
            for end in [&mut a, &mut b] {
                assert_eq!(hand(end, on, record, now), []);
                assert!(end.paths.is_current(second));
            }
        }
    }
}

/// Of two connections at once both ends take the one with the higher generation, whatever is heard first.
#[test]
fn se_54_two_connections_at_once_end_on_the_same_one() {
    for order in 0..16 {
        let (mut a, mut b, now) = pair(&Limits::default());
        let (x, y) = (a.connected(now).unwrap(), a.connected(now).unwrap());
        // The other end sees them in the other order.
        let (y_b, x_b) = (b.connected(now).unwrap(), b.connected(now).unwrap());
        let mut queues: [[Vec<Vec<u8>>; 2]; 2] = Default::default();
        for round in 0..40 {
            for side in 0..2 {
                let end = if side == 0 { &mut a } else { &mut b };
                loop {
                    match end.poll(now) {
                        Output::Transmit { connection, record } => {
                            let is_x = connection == if side == 0 { x } else { x_b };
                            queues[1 - side][usize::from(is_x)].push(record.to_vec());
                        }
                        Output::Timeout(_) => break,
                        Output::Event(_) | Output::Disconnect(_) => {}
                    }
                }
            }
            for (side, queues) in queues.iter_mut().enumerate() {
                let which = (order >> ((round + side) % 4)) & 1;
                let (end, names) = if side == 0 { (&mut a, [y, x]) } else { (&mut b, [y_b, x_b]) };
                for which in [which, 1 - which] {
                    if !queues[which].is_empty() {
                        let record = queues[which].remove(0);
                        hand(end, names[which], &record, now);
                        break;
                    }
                }
            }
        }
        assert_eq!(a.paths.is_current(x), b.paths.is_current(x_b), "order {order}");
        assert!(a.paths.is_current(x) || a.paths.is_current(y));
        assert_eq!(b.paths.is_current(y_b), a.paths.is_current(y));
    }
}

#[test]
fn se_56_four_wait_eight_are_answered_and_ten_seconds_are_enough() {
    let (mut a, mut b, now) = pair(&Limits::default());
    let waiting: Vec<_> = (0..4).map(|_| a.connected(now).unwrap()).collect();
    assert_eq!(a.connected(now), Err(SessionError::TooManyConnections));
    assert!(a.paths.is_current(FIRST));
    while message_any(&mut a, now).is_some() {}
    let late = now + Duration::from_secs(10);
    assert_eq!(a.poll(late - Duration::from_millis(1)), Output::Timeout(Some(late)));
    for name in waiting {
        assert_eq!(a.poll(late), Output::Disconnect(name));
    }
    assert!(a.is_connected());

    // Nine different RESUMEs of the peer on one connection: eight are answered.
    let resumes: Vec<_> = (0..9)
        .map(|_| {
            let name = b.connected(now).unwrap();
            let resume = message(&mut b, name, now).unwrap();
            b.disconnected(name, now);
            resume
        })
        .collect();
    let name = a.connected(late).unwrap();
    for (count, resume) in resumes.iter().enumerate() {
        hand(&mut a, name, resume, late);
        let answer = message_any(&mut a, late);
        assert_eq!(answer.is_some(), count < 8);
    }
    assert!(a.paths.link_mut(name).is_none());
    assert!(a.is_connected());
}

fn message_any(session: &mut Session, now: Instant) -> Option<Vec<u8>> {
    transmit(session, now)
}

/// What was opened after `rx_next` was told, and acknowledged on a connection that is gone, is acknowledged once more.
#[test]
fn se_62_an_adopted_connection_carries_an_acknowledgement_at_once() {
    let (mut a, mut b, now) = pair(&Limits::default());
    let stream = a.open([1; 32]).unwrap();
    a.write(stream, b"late").unwrap();
    let late = transmit(&mut a, now).unwrap();
    let second = two_connections(&mut a, &mut b, now);
    let (from_a, from_b) = (message(&mut a, second, now).unwrap(), message(&mut b, second, now).unwrap());
    hand(&mut b, second, &from_a, now);
    let answer_of_b = message(&mut b, second, now).unwrap();
    hand(&mut a, second, &from_b, now);
    let answer_of_a = message(&mut a, second, now).unwrap();
    assert_eq!(hand(&mut b, FIRST, &late, now).len(), 2, "opened, and its data");
    let _lost = message(&mut b, FIRST, now + Duration::from_millis(20)).unwrap();
    hand(&mut a, second, &answer_of_b, now);
    assert!(!b.acks.is_due(), "it was said");
    hand(&mut b, second, &answer_of_a, now);
    // Asked directly: the NEW_CID that follows an adoption would bring an acknowledgement too.
    assert!(b.acks.is_due() && b.acks.is_owed());
    for _ in 0..4 {
        while let Some(record) = message(&mut a, second, now) {
            assert_eq!(hand(&mut b, second, &record, now), [], "it has all of it");
        }
        while let Some(record) = message(&mut b, second, now) {
            hand(&mut a, second, &record, now);
        }
    }
    assert!(a.is_delivered());
}

/// SE-51: without a connection nothing is sealed, and everything waits.
#[test]
fn se_51_se_57_nothing_is_sealed_without_a_connection_and_nothing_is_lost() {
    let (mut a, mut b, now) = pair(&Limits::default());
    let stream = a.open([1; 32]).unwrap();
    a.disconnected(FIRST, now);
    drain(&mut a);
    a.write(stream, b"waits").unwrap();
    a.ping();
    let sealed = a.sealer.next();
    assert_eq!(a.poll(now + Duration::from_secs(50_000)), Output::Timeout(None));
    assert_eq!((a.sealer.next(), a.epoch()), (sealed, 0));
    b.disconnected(FIRST, now);
    let name = two_connections(&mut a, &mut b, now);
    let mut seen = Vec::new();
    for _ in 0..4 {
        while let Some(record) = message(&mut a, name, now) {
            seen.extend(hand(&mut b, name, &record, now));
        }
        while let Some(record) = message(&mut b, name, now) {
            hand(&mut a, name, &record, now);
        }
    }
    assert!(seen.iter().any(|event| matches!(event, Event::StreamData { .. })));
}

/// SE-58, S15: the CLOSE goes out again; and without one the end is reported as truncated.
#[test]
fn se_58_a_close_that_was_lost_is_sent_again() {
    let (mut a, mut b, now) = pair(&Limits::default());
    let stream = a.open([1; 32]).unwrap();
    a.write(stream, b"last words").unwrap();
    transmit(&mut a, now).unwrap();
    a.close(7);
    let _lost = transmit(&mut a, now).unwrap();
    a.disconnected(FIRST, now);
    b.disconnected(FIRST, now);
    assert_eq!(a.write(stream, b"x"), Err(StreamError::Closed));
    let name = two_connections(&mut a, &mut b, now);
    let mut seen = Vec::new();
    for _ in 0..4 {
        while let Some(record) = message(&mut a, name, now) {
            if !b.is_over() {
                seen.extend(hand(&mut b, name, &record, now));
            }
        }
        while let Some(record) = message(&mut b, name, now) {
            hand(&mut a, name, &record, now);
        }
    }
    assert_eq!(seen.last(), Some(&Event::Closed { code: 7, by_peer: true }));
    assert!(seen.iter().any(|event| matches!(event, Event::StreamData { .. })));
    a.abandon();
    assert_eq!(a.connected(now), Err(SessionError::Closed));
}

/// SE-59: a hint and no more.
#[test]
fn se_59_unknown_cid_is_told_once_and_ends_nothing() {
    let (mut a, mut b, now) = pair(&Limits::default());
    a.disconnected(FIRST, now);
    let name = a.connected(now).unwrap();
    let resume = message(&mut a, name, now).unwrap();
    let answer = crate::unknown_cid(&resume).unwrap();
    drain(&mut a);
    assert_eq!(hand(&mut a, name, &answer, now), [Event::UnknownCid(name)]);
    assert_eq!(hand(&mut a, name, &answer, now), []);
    let mut other = answer;
    other[5] ^= 1;
    assert_eq!(hand(&mut a, name, &other, now), []);
    assert!(!a.is_over() && a.paths.link_mut(name).is_some());
    assert_eq!(b.connected(now), Ok(name));
    hand(&mut b, name, &resume, now);
    let rsp = message(&mut b, name, now).unwrap();
    assert_eq!(hand(&mut a, name, &rsp, now), [Event::Adopted(name)]);
}

/// SE-60: what was acknowledged, what may have arrived, what cannot have.
#[test]
fn se_60_the_report_adds_up() {
    let limits = Limits { record_size: 2048, ..Limits::default() };
    let (mut a, mut b, now) = pair(&limits);
    let stream = a.open([1; 32]).unwrap();
    a.write(stream, &[1; 1000]).unwrap();
    pump(&mut a, &mut b, now);
    pump(&mut b, &mut a, now + ACK_DELAY);
    a.write(stream, &[2; 500]).unwrap();
    transmit(&mut a, now).unwrap();
    a.disconnected(FIRST, now);
    a.write(stream, &[3; 70]).unwrap();
    a.finish(stream).unwrap();
    let report = a.report();
    let [of] = report[..] else { panic!("{report:?}") };
    assert_eq!((of.stream, of.acknowledged, of.unacknowledged, of.unsent), (stream, 1000, 500, 70));
    a.reset(stream, 1).unwrap();
    assert_eq!(a.report(), report, "its bytes may still be under way");
    a.abandon();
    assert_eq!(a.report(), report);
}

/// SE-61: the ends need not agree which connection was the first.
#[test]
fn se_61_the_first_connection_of_one_end_may_be_the_second_of_the_other() {
    for early in [0, 1] {
        let now = origin();
        let (a, b) = crate::testing::established_of(crate::Suite::KkChaChaPoly, &Limits::default());
        let mut ends =
            [a.into_session(now, crate::testing::rng(8)), b.into_session(now, crate::testing::rng(9))];
        let lost = ends[early].connected(now).unwrap();
        transmit(&mut ends[early], now);
        ends[early].disconnected(lost, now);
        let names = [0, 1].map(|side| ends[side].connected(now).unwrap());
        let stream = ends[0].open([1; 32]).unwrap();
        ends[0].write(stream, b"data").unwrap();
        let mut seen = Vec::new();
        for round in 0..10 {
            let side = round % 2;
            while let Some(record) = transmit(&mut ends[side], now) {
                seen.extend(hand(&mut ends[1 - side], names[1 - side], &record, now));
            }
        }
        assert!(seen.iter().any(|event| matches!(event, Event::StreamData { .. })), "{seen:?}");
        assert!(ends.iter().all(Session::is_connected));
    }
}
