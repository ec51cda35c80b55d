//! Sizes and instants of records under each policy.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    Event, Input, Limits, Output, Session,
    session::{close, epochs::tests::Two, tests::give},
    testing::{FIRST, origin, sessions, sessions_of},
};

/// What the independent reference computed from the specification.
#[test]
fn se_40_agrees_with_the_reference() {
    let text = include_str!("../../../../spec/vectors/session/padding.json");
    let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
    let number =
        |case: &serde_json::Value, name: &str| usize::try_from(case[name].as_u64().unwrap()).unwrap();
    let padded = |mode, most, length| {
        let mut record = vec![7; HEADER_LEN + length];
        Pacer::new(mode, most).pad(&mut record);
        assert!(record[HEADER_LEN + length..].iter().all(|byte| *byte == 0));
        record.len() - HEADER_LEN
    };
    let constant = Padding::Constant { size: 1536, every: Duration::from_secs(1) };
    let sizes = vectors["sizes"].as_array().unwrap();
    assert!(sizes.len() > 20);
    for case in sizes {
        let length = number(case, "length");
        assert_eq!(padded(Padding::Off, 65_499, length), length);
        assert_eq!(padded(Padding::Buckets, usize::MAX, length), number(case, "buckets"), "{length}");
        if length <= 1536 {
            assert_eq!(padded(constant, 65_499, length), 1536);
        }
    }
    let capped = vectors["capped"].as_array().unwrap();
    assert!(capped.len() > 3);
    for case in capped {
        let most = number(case, "max_record") - RECORD_OVERHEAD;
        assert_eq!(padded(Padding::Buckets, most, number(case, "length")), number(case, "buckets"));
    }
}

proptest! {
    #[test]
    fn se_40_buckets_grow_with_the_length_add_little_and_are_few(length in 1_usize..70_000) {
        let size = bucket(length);
        prop_assert!(size >= length && size >= bucket(length - 1));
        prop_assert!(length < 64 || size < length * 2);
        prop_assert!(length <= 1024 || (size - length) * 8 < length);
        prop_assert_eq!(bucket(size), size);
    }
}

#[test]
fn se_40_there_are_few_sizes() {
    let sizes: std::collections::BTreeSet<usize> = (1..=65_499).map(bucket).collect();
    // Five small ones, then sixteen for each doubling.
    assert_eq!(sizes.len(), 5 + 6 * 16);
}

fn with(padding: Padding, max_record: usize) -> Limits {
    Limits { padding, max_record, record_size: crate::MAX_RECORD, ..Limits::default() }
}

/// A conversation with writes of all sizes; returns the lengths of all records and what arrived.
fn talk(two: &mut Two) -> (Vec<usize>, usize) {
    let stream = two.a.open([1; 32]).unwrap();
    let (mut arrived, mut written) = (0, 0);
    for size in [1, 10, 100, 1000, 5000, 40_000, 200_000] {
        written += two.a.write(stream, &vec![7; size]).unwrap();
        two.b.ping();
        for _ in 0..8 {
            for event in two.settle() {
                if let Event::StreamData { range, .. } = event {
                    two.b.consume(stream, range.len()).unwrap();
                    arrived += range.len();
                }
            }
        }
    }
    two.ratchet();
    assert_eq!(arrived, written);
    (two.sent.iter().flatten().map(Vec::len).collect(), arrived)
}

#[test]
fn se_40_every_record_has_one_of_the_sizes_and_none_is_beyond_the_peers_limit() {
    for max_record in [2048, 10_000, crate::MAX_RECORD] {
        let mut two = Two::new(&with(Padding::Buckets, max_record));
        let (lengths, _) = talk(&mut two);
        let most = max_record - RECORD_OVERHEAD;
        for length in lengths {
            let size = length - RECORD_OVERHEAD;
            assert!(size <= most && bucket(size) == size, "{size}");
        }
        two.a.close(close::DONE);
        two.settle();
        let last = two.sent[0].last().unwrap().len() - RECORD_OVERHEAD;
        assert_eq!(last, 64);
    }
    // Without it, sizes are as they come.
    let (lengths, _) = talk(&mut Two::new(&with(Padding::Off, 2048)));
    assert!(lengths.iter().any(|length| bucket(length - RECORD_OVERHEAD) != length - RECORD_OVERHEAD));
}

/// What `session` sends at this instant.
fn due(session: &mut Session, now: Instant) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    loop {
        match session.poll(now) {
            Output::Transmit { record, .. } => records.push(record.to_vec()),
            Output::Event(_) | Output::Disconnect(_) => {}
            Output::Timeout(_) => return records,
        }
    }
}

/// Idle, busy, at the change of epochs and at the end: the same size, one in each interval.
#[test]
fn se_41_constant_mode_looks_the_same_whatever_happens() {
    const EVERY: Duration = Duration::from_millis(10);
    for suite in crate::Suite::ALL {
        let size = 1536;
        let start = origin();
        let limits = with(Padding::Constant { size, every: EVERY }, crate::MAX_RECORD);
        let mut ends = <[Session; 2]>::from(sessions_of(suite, &limits, start));
        let (mut sent, mut arrived, mut written) = ([0_u32; 2], 0, 0);
        let mut stream = None;
        for millisecond in 0..4000_u32 {
            let now = start + Duration::from_millis(millisecond.into());
            if millisecond == 1000 {
                let id = ends[0].open([1; 32]).unwrap();
                written = ends[0].write(id, &vec![7; 100_000]).unwrap();
                ends[1].ping();
                stream = Some(id);
            }
            if millisecond == 2000 {
                ends[0].ratchet();
            }
            for from in 0..2 {
                for mut record in due(&mut ends[from], now) {
                    assert_eq!(record.len(), size + RECORD_OVERHEAD);
                    if from == 0 {
                        assert_eq!(millisecond % 10, 0, "not at its time");
                    }
                    sent[from] += 1;
                    let to = &mut ends[1 - from];
                    to.handle(Input::Record { connection: FIRST, record: &mut record }, now).unwrap();
                    while let Some(event) = to.poll_event() {
                        if let Event::StreamData { range, .. } = event {
                            arrived += range.len();
                            to.consume(stream.unwrap(), range.len()).unwrap();
                        }
                    }
                }
            }
            if let Output::Timeout(next) = ends[0].poll(now) {
                assert_eq!(next, Some(start + Duration::from_millis((millisecond / 10 * 10 + 10).into())));
            }
        }
        assert_eq!((arrived, ends[0].epoch(), ends[1].epoch()), (written, 1, 1));
        assert_eq!(sent, [400, 400]);
        ends[0].close(close::DONE);
        assert!(due(&mut ends[0], start + Duration::from_millis(3999)).is_empty());
        let last = due(&mut ends[0], start + Duration::from_secs(4));
        assert_eq!(last.iter().map(Vec::len).collect::<Vec<_>>(), [size + RECORD_OVERHEAD]);
        assert!(due(&mut ends[0], start + Duration::from_secs(5)).is_empty());
    }
}

#[test]
fn se_41_who_comes_late_sends_one_record_and_goes_on() {
    let every = Duration::from_millis(10);
    let start = origin();
    let (mut a, _) = sessions(&with(Padding::Constant { size: 2000, every }, 4096), start);
    assert_eq!(due(&mut a, start).len(), 1);
    // A little late: the next one keeps its time.
    assert_eq!(due(&mut a, start + Duration::from_millis(13)).len(), 1);
    assert_eq!(due(&mut a, start + Duration::from_millis(19)).len(), 0);
    assert_eq!(due(&mut a, start + Duration::from_millis(20)).len(), 1);
    // Very late.
    assert_eq!(due(&mut a, start + Duration::from_millis(100)).len(), 1);
    assert_eq!(due(&mut a, start + Duration::from_millis(109)).len(), 0);
    assert_eq!(due(&mut a, start + Duration::from_millis(110)).len(), 1);
}

#[test]
fn se_41_the_peers_limit_lowers_the_size() {
    let now = origin();
    let every = Duration::from_millis(10);
    let (mut a, _) = sessions(&with(Padding::Constant { size: 60_000, every }, 2048), now);
    assert_eq!(due(&mut a, now)[0].len(), 2048);
}

/// An unconfirmed responder has nobody to send to.
#[test]
fn se_41_hs_10_a_responder_begins_when_the_initiator_confirmed() {
    let now = origin();
    let every = Duration::from_millis(10);
    let (mut a, mut b) = sessions(&with(Padding::Constant { size: 1536, every }, 2048), now);
    assert!(due(&mut b, now).is_empty());
    assert_eq!(b.poll(now + Duration::from_secs(10)), Output::Timeout(None));
    let first = due(&mut a, now);
    give(&mut b, &first[0], now).unwrap();
    assert_eq!(due(&mut b, now).len(), 1);
}

/// What is sent again on another connection takes the same times.
#[test]
fn se_41_records_that_are_sent_again_keep_the_pace() {
    const EVERY: Duration = Duration::from_millis(10);
    let start = origin();
    let limits = with(Padding::Constant { size: 1536, every: EVERY }, 4096);
    let (mut a, mut b) = sessions(&limits, start);
    // Ten records that nobody gets.
    let lost: usize = (0..10).map(|step| due(&mut a, start + EVERY * step).len()).sum();
    assert_eq!(lost, 10);
    let mut now = start + EVERY * 10;
    let mut names = Vec::new();
    for session in [&mut a, &mut b] {
        session.disconnected(FIRST, now);
        names.push(session.connected(now).unwrap());
    }
    let mut data = Vec::new();
    for step in 0..200 {
        now = start + Duration::from_millis(100 + step);
        let mut sent = 0;
        for mut record in due(&mut a, now) {
            if record[0] == 0x10 {
                assert_eq!(record.len(), 1536 + RECORD_OVERHEAD);
                sent += 1;
                data.push(step);
            }
            b.handle(Input::Record { connection: names[1], record: &mut record }, now).unwrap();
        }
        assert!(sent <= 1);
        for mut record in due(&mut b, now) {
            a.handle(Input::Record { connection: names[0], record: &mut record }, now).unwrap();
        }
        while a.poll_event().is_some() || b.poll_event().is_some() {}
    }
    assert!(a.stats().records_resent == 10 && data.len() >= 19, "{data:?}");
    // The first was late, because there was no connection at its time.
    assert!(data[1..].windows(2).all(|pair| pair[1] - pair[0] == 10), "{data:?}");
}
