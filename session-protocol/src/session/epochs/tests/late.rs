//! Records of older epochs, lost and forged ones while an epoch begins.

use super::*;

/// SE-24 and S13: old records are what they were, and say nothing new.
#[test]
fn se_24_records_of_older_epochs_come_again_and_change_nothing() {
    let mut two = Two::new(&Limits::default());
    let stream = two.a.open([1; 32]).unwrap();
    for byte in 0..6 {
        two.a.write(stream, &[byte]).unwrap();
        two.settle();
        two.ratchet();
    }
    two.b.ratchet();
    two.settle();
    let before = (two.b.snapshot(), two.a.snapshot(), two.epochs());
    let [from_a, from_b] = two.sent.clone();
    for record in &from_a {
        assert_eq!(give(&mut two.b, record, two.now), Ok(()));
        assert!(give(&mut two.a, record, two.now).is_err());
    }
    for record in &from_b {
        assert_eq!(give(&mut two.a, record, two.now), Ok(()));
    }
    assert_eq!((two.b.snapshot(), two.a.snapshot(), two.epochs()), before);
    assert_eq!(two.b.stats().records_dropped, crate::wire::count(from_a.len()));
    // Numbers go on over all epochs.
    assert_eq!(two.a.sealer.next(), crate::wire::count(from_a.len()));
}

/// A gap that swallowed the change of epochs is a gap, or the connection would stay and say nothing any more.
#[test]
fn se_07_a_record_after_a_lost_change_of_epochs_is_a_gap() {
    let mut two = Two::new(&Limits::default());
    two.a.ratchet();
    two.forth();
    let _lost = transmit(&mut two.b, two.now).unwrap();
    two.b.ping();
    let next = transmit(&mut two.b, two.now).unwrap();
    assert_eq!(give(&mut two.a, &next, two.now), Ok(()));
    assert!(!two.a.is_connected());
    assert_eq!(two.a.stats().records_rejected, 1);
}

#[test]
fn s12_forgeries_while_an_epoch_begins_change_nothing() {
    let mut two = Two::new(&Limits::default());
    two.a.ratchet();
    two.forth();
    let answer = transmit(&mut two.b, two.now).unwrap();
    let before = two.a.snapshot();
    // The number is at its place 15 to 20: a gap costs the connection, as `se_07` shows.
    for index in (1..15).chain(21..answer.len()) {
        let mut forged = answer.clone();
        forged[index] ^= 1;
        let _ = give(&mut two.a, &forged, two.now);
    }
    assert_eq!(two.a.snapshot(), before);
    give(&mut two.a, &answer, two.now).unwrap();
    two.a.ping();
    let first = transmit(&mut two.a, two.now).unwrap();
    let (before, pending) = (two.b.snapshot(), two.b.opener.pending_key());
    for index in (1..15).chain(21..first.len()) {
        let mut forged = first.clone();
        forged[index] ^= 0x80;
        let _ = give(&mut two.b, &forged, two.now);
    }
    assert_eq!((two.b.snapshot(), two.b.opener.pending_key()), (before, pending));
    give(&mut two.b, &first, two.now).unwrap();
    assert_eq!(two.epochs(), [1; 4]);
}
