//! What somebody on the wire sees.
#![cfg(not(feature = "null-cipher"))]
#![allow(
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs
)]
#![allow(unreachable_pub)]

mod pair;

use didagent_session::{Limits, RECORD_OVERHEAD, Suite};
use pair::{Pair, handshake};

/// S17: across the records of one direction, byte 0 and the cid are constant and every other bit takes both values about
/// equally often.
#[test]
fn s17_only_version_and_cid_are_constant() {
    for suite in [Suite::KkChaChaPoly, Suite::KkAesGcm] {
        only_version_and_cid_are_constant(Pair::of(suite, &Limits::default()));
    }
}

fn only_version_and_cid_are_constant(mut pair: Pair) {
    let stream = pair.a.session.open([0; 32]).unwrap();
    let cid = pair.b.session.cids()[0];
    let before = pair.wire.len();
    for _ in 0..2000 {
        pair.a.session.write(stream, b"same").unwrap();
        pair.step().unwrap();
        pair.b.session.consume(stream, 4).unwrap();
    }
    let records: Vec<_> = pair.wire[before..].iter().filter(|record| record[1..9] == cid).collect();
    assert!(records.len() >= 2000);
    assert!(records.iter().all(|record| record[0] == 0x10));
    let shortest = records.iter().map(|record| record.len()).min().unwrap();
    assert_eq!(shortest, RECORD_OVERHEAD + 7 + 4);
    for index in 9..shortest {
        for bit in 0..8 {
            let ones = records.iter().filter(|record| record[index] >> bit & 1 == 1).count();
            // Seven standard deviations; the generator is seeded, so the outcome is always the same.
            let deviation = (ones as f64 - records.len() as f64 / 2.0).abs();
            assert!(deviation < 7.0 * (records.len() as f64).sqrt() / 2.0, "byte {index} bit {bit}: {ones}");
        }
    }
}

#[test]
fn no_plaintext_and_no_record_twice() {
    for suite in Suite::ALL {
        has_no_plaintext_and_no_record_twice(Pair::of(suite, &Limits::default()));
    }
}

fn has_no_plaintext_and_no_record_twice(mut pair: Pair) {
    let stream = pair.a.session.open([0x5a; 32]).unwrap();
    let needle = b"a secret share of a secret input";
    for _ in 0..100 {
        pair.a.session.write(stream, needle).unwrap();
        pair.step().unwrap();
    }
    let mut sorted: Vec<_> = pair.wire.iter().map(|record| &record[9..]).collect();
    sorted.sort();
    assert!(sorted.windows(2).all(|two| two[0] != two[1]));
    for record in &pair.wire {
        assert!(!record.windows(8).any(|window| window == &needle[..8] || window == [0x5a; 8]));
    }
}

#[test]
fn cids_and_sids_are_fresh() {
    let (a, b) = handshake(&Limits::default(), 1);
    let (c, _) = handshake(&Limits::default(), 2);
    assert_ne!(a.sid(), c.sid());
    assert!(a.cids().iter().all(|cid| !b.cids().contains(cid) && !c.cids().contains(cid)));
}
