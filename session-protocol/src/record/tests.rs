//! Record layer tests: layout, order, tampering, erasure.

use super::*;
#[cfg(not(feature = "null-cipher"))]
use crate::aead::{Aead as _, Portable};
use crate::{aead::Cipher, ratchet::ChainKey, schedule::Direction};

const CID: Cid = [0xc1; 8];

fn direction_of(cipher: Cipher) -> Direction {
    let header = HeaderKey::take(cipher, &mut [2; 32]);
    Direction { chain: ChainKey::take(&mut [1; 32]), header, cipher }
}

fn direction() -> Direction {
    direction_of(Cipher::ChaChaPoly)
}

fn pair_of(cipher: Cipher) -> (Sealer, Opener) {
    (Sealer::new(direction_of(cipher), 1 << 24), Opener::new(direction_of(cipher), 1 << 24))
}

fn pair() -> (Sealer, Opener) {
    pair_of(Cipher::ChaChaPoly)
}

fn seal(sealer: &mut Sealer, frames: &[u8], guard: [u8; 4]) -> Vec<u8> {
    let mut record = [&[0; HEADER_LEN], frames, &[0; TAG_LEN]].concat();
    sealer.seal(&mut record, guard).unwrap();
    record[1..9].copy_from_slice(&CID);
    record
}

fn open(opener: &mut Opener, record: &[u8]) -> Result<Vec<u8>, OpenError> {
    open_under(opener, record, &[CID])
}

fn open_under(opener: &mut Opener, record: &[u8], cids: &[Cid]) -> Result<Vec<u8>, OpenError> {
    let mut buffer = record.to_vec();
    let opened = opener.open(&mut buffer, cids)?;
    Ok(buffer[opener.commit(opened).plaintext].to_vec())
}

/// The record of section 3, built by hand from the primitives.
#[cfg(not(feature = "null-cipher"))]
#[test]
fn se_04_hs_16_layout_is_the_one_of_the_specification() {
    layout_is_the_one_of_the_specification(Cipher::ChaChaPoly);
    layout_is_the_one_of_the_specification(Cipher::AesGcm);
}

#[cfg(not(feature = "null-cipher"))]
fn layout_is_the_one_of_the_specification(cipher: Cipher) {
    let (mut sealer, _) = pair_of(cipher);
    seal(&mut sealer, b"first", [9; 4]);
    let record = seal(&mut sealer, b"frames", [1, 2, 3, 4]);

    let (_, second) = ChainKey::take(&mut [1; 32]).step();
    let (message_key, _) = second.step();
    let header = [1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 1];
    let nonce = [1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 1];
    let aad = [0x10, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 1];
    let mut ciphertext = b"frames".to_vec();
    let tag = Portable::seal(cipher, message_key.expose(), &nonce, &aad, &mut ciphertext).unwrap();
    let mask = HeaderKey::take(cipher, &mut [2; 32]).mask(&tag);
    let masked: Vec<u8> = header.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    assert_eq!(record, [&[0x10][..], &CID, &masked, &ciphertext, &tag].concat());
}

#[test]
fn headers_round_trip() {
    let header = Header { guard: [1, 2, 3, 4], epoch: 5, flags: 6, seq_low: 0x0708_090a_0b0c };
    assert_eq!(header.encode(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(Header::decode(header.encode()), header);
}

/// Decides SE-07.
#[test]
fn records_open_once_and_in_order() {
    let (mut sealer, mut opener) = pair();
    let records: Vec<_> = (0..4_u8).map(|i| seal(&mut sealer, &[i, i], [i; 4])).collect();
    assert_eq!(open(&mut opener, &records[1]), Err(OpenError::Gap { expected: 0, got: 1 }));
    for (i, record) in (0..4_u8).zip(&records) {
        assert_eq!(open(&mut opener, record), Ok(vec![i, i]));
        assert_eq!(open(&mut opener, record), Err(OpenError::Duplicate));
        assert_eq!(open(&mut opener, &records[0]), Err(OpenError::Duplicate));
    }
}

/// Neither cipher opens what the other sealed, even with the same keys.
#[cfg(not(feature = "null-cipher"))]
#[test]
fn hs_16_records_of_another_suite_do_not_open() {
    for (one, other) in [(Cipher::ChaChaPoly, Cipher::AesGcm), (Cipher::AesGcm, Cipher::ChaChaPoly)] {
        let record = seal(&mut pair_of(one).0, b"frames", [1; 4]);
        assert_eq!(open(&mut pair_of(one).1, &record), Ok(b"frames".to_vec()));
        assert_eq!(open(&mut pair_of(other).1, &record), Err(OpenError::Unverified));
    }
}

/// Decides SE-06, SE-13.
#[cfg(not(feature = "null-cipher"))]
#[test]
fn s12_each_changed_byte_and_each_truncation_is_refused_and_changes_nothing() {
    for cipher in [Cipher::ChaChaPoly, Cipher::AesGcm] {
        each_change_is_refused_and_changes_nothing(pair_of(cipher));
    }
}

#[cfg(not(feature = "null-cipher"))]
fn each_change_is_refused_and_changes_nothing((mut sealer, mut opener): (Sealer, Opener)) {
    let first = seal(&mut sealer, b"first", [5; 4]);
    open(&mut opener, &first).unwrap();
    let record = seal(&mut sealer, b"some frames", [6; 4]);
    let before = (opener.chain_key(), opener.next());
    for index in 0..record.len() {
        for bit in 0..8 {
            let mut tampered = record.clone();
            tampered[index] ^= 1 << bit;
            assert!(open(&mut opener, &tampered).is_err(), "byte {index} bit {bit}");
        }
        assert!(open(&mut opener, &record[..index]).is_err());
    }
    assert!(open(&mut opener, &[&record[..], &[0]].concat()).is_err());
    assert_eq!((opener.chain_key(), opener.next()), before);
    assert_eq!(open(&mut opener, &record), Ok(b"some frames".to_vec()));
}

/// Decides SE-14.
#[test]
fn unknown_types_and_foreign_cids_are_told_apart_from_forgeries() {
    let (mut sealer, mut opener) = pair();
    let record = seal(&mut sealer, b"frames", [0; 4]);
    for kind in [0x00, 0x11, 0x12, 0x13, 0x20, 0xff] {
        let mut other = record.clone();
        other[0] = kind;
        assert_eq!(open(&mut opener, &other), Err(OpenError::UnknownType));
    }
    let mut foreign = record.clone();
    foreign[1] ^= 1;
    assert_eq!(open(&mut opener, &foreign), Err(OpenError::Unverified));
    assert_eq!(open(&mut opener, &record), Ok(b"frames".to_vec()));
}

/// The relay may route a record by any cid of the receiver: the cid is not authenticated.
/// Decides SE-13.
#[test]
fn se_05_the_cid_is_outside_the_aad() {
    let mut sealer = Sealer::new(direction(), 10);
    let mut opener = Opener::new(direction(), 10);
    let mut record = seal(&mut sealer, b"frames", [0; 4]);
    record[1..9].fill(2);
    assert_eq!(open_under(&mut opener, &record, &[CID, [2; 8]]), Ok(b"frames".to_vec()));
}

#[cfg(not(feature = "null-cipher"))]
fn seal_derived(sealer: &mut Sealer, frames: &[u8]) -> Vec<u8> {
    let mut record = [&[0; HEADER_LEN], frames, &[0; TAG_LEN]].concat();
    sealer.seal(&mut record, Guard::Derived).unwrap();
    record[1..9].copy_from_slice(&CID);
    record
}

#[cfg(not(feature = "null-cipher"))]
fn guard_of(record: &[u8]) -> [u8; 4] {
    Header::decode(RecordIn::split(record).unwrap().unmask(&direction().header)).guard
}

/// S10: what is sealed twice in one state, as in a cloned process, has two nonces or is the same record.
#[cfg(not(feature = "null-cipher"))]
#[test]
fn se_17_clones_that_seal_different_things_use_different_nonces() {
    // All pairs of these differ in their frames; with guards of chance a collision would take 2^32 / 20 000 runs.
    let frames: Vec<Vec<u8>> = (0..200_u8).map(|byte| vec![byte; usize::from(byte)]).collect();
    let mut guards = std::collections::BTreeSet::new();
    for frames in &frames {
        let (mut clone, mut opener) = pair();
        let record = seal_derived(&mut clone, frames);
        assert!(guards.insert(guard_of(&record)), "{} bytes", frames.len());
        assert_eq!(seal_derived(&mut pair().0, frames), record, "the same bytes in the same state");
        assert_eq!(open(&mut opener, &record).as_ref(), Ok(frames));
    }
    // The fields beside the guard belong to it: they are authenticated under the same key and nonce.
    let mut step = direction().chain.prepare();
    let mut guard = |kind, header| step.guard(kind, header, b"frames");
    assert_ne!(guard(TYPE_DATA, [0; 8]), guard(TYPE_DATA, [0, 1, 0, 0, 0, 0, 0, 0]));
    assert_ne!(guard(TYPE_DATA, [0; 8]), guard(0x20, [0; 8]));
}

/// A record that is too long for that takes its guard from the generator, and two of one state differ all the same.
#[test]
fn s10_guards_keep_two_seals_of_one_state_apart() {
    let (mut one, mut other) = (pair().0, pair().0);
    let (a, b) = (seal(&mut one, b"frames", [1; 4]), seal(&mut other, b"framez", [2; 4]));
    assert_ne!(nonce([1; 4], 0), nonce([2; 4], 0));
    assert_ne!(a, b);
}

#[test]
fn s14_nothing_is_sealed_beyond_the_limit() {
    let mut sealer = Sealer::new(direction(), 2);
    seal(&mut sealer, b"1", [0; 4]);
    assert_eq!(sealer.remaining(), 1);
    seal(&mut sealer, b"2", [0; 4]);
    let chain = sealer.chain_key();
    let mut record = vec![0; HEADER_LEN + TAG_LEN];
    assert!(sealer.seal(&mut record, [0; 4]).is_err());
    assert_eq!((sealer.chain_key(), record), (chain, vec![0; HEADER_LEN + TAG_LEN]));
}

fn chain(byte: u8) -> ChainKey {
    ChainKey::take(&mut [byte; 32])
}

#[test]
fn se_22_a_pending_epoch_opens_beside_the_old_one_until_its_first_record() {
    let (mut sealer, mut opener) = pair();
    let first = seal(&mut sealer, b"0", [0; 4]);
    opener.expect(chain(7));
    assert_eq!(open(&mut opener, &first), Ok(b"0".to_vec()));
    let second = seal(&mut sealer, b"1", [0; 4]);
    assert_eq!(open(&mut opener, &second), Ok(b"1".to_vec()));
    assert!(opener.is_pending() && opener.epoch() == 0);
    // What the old chain would seal next, by whoever kept it.
    let mut thief = Sealer::new(direction(), 9);
    (0..2).for_each(|_| drop(seal(&mut thief, b"", [0; 4])));
    let forged = [seal(&mut thief, b"2", [0; 4]), seal(&mut thief, b"3", [0; 4])];
    sealer.switch(&chain(7));
    let third = seal(&mut sealer, b"2", [0; 4]);
    let (opened, _) = opener.peek(&third).unwrap();
    assert!(opener.commit(opened).switched);
    assert_eq!((opener.epoch(), opener.is_pending(), opener.volume().records), (1, false, 1));
    assert_eq!(open(&mut opener, &forged[0]), Err(OpenError::Duplicate));
    assert_eq!(open(&mut opener, &forged[1]), Err(OpenError::Unverified));
    assert_eq!(open(&mut opener, &second), Err(OpenError::Duplicate));
}

#[cfg(not(feature = "null-cipher"))]
#[test]
fn se_06_a_forged_first_record_of_the_pending_epoch_changes_nothing() {
    let (mut sealer, mut opener) = pair();
    opener.expect(chain(7));
    sealer.switch(&chain(8));
    let forged = seal(&mut sealer, b"frames", [0; 4]);
    let before = (opener.chain_key(), opener.pending_key(), opener.next(), opener.epoch());
    assert_eq!(open(&mut opener, &forged), Err(OpenError::Unverified));
    assert_eq!((opener.chain_key(), opener.pending_key(), opener.next(), opener.epoch()), before);
}

#[test]
fn se_23_after_a_switch_the_old_epoch_opens_no_more() {
    let (mut sealer, mut opener) = pair();
    let old = seal(&mut sealer, b"old", [0; 4]);
    opener.switch(chain(7));
    assert_eq!(open(&mut opener, &old), Err(OpenError::Unverified));
}

/// An epoch that is not the next one cannot come; the next one without being expected can, behind a gap.
#[test]
fn se_06_foreign_epochs_are_refused_and_a_gap_stays_a_gap() {
    for (epochs, ahead, expected) in [
        (1, 0, OpenError::Unverified),
        (2, 0, OpenError::Unverified),
        (255, 0, OpenError::Unverified),
        (0, 1, OpenError::Gap { expected: 0, got: 1 }),
        (1, 1, OpenError::Gap { expected: 0, got: 1 }),
        (2, 1, OpenError::Unverified),
    ] {
        let (mut sealer, mut opener) = pair();
        sealer.jump(epochs, ahead, 0);
        let record = seal(&mut sealer, b"frames", [0; 4]);
        assert_eq!(open(&mut opener, &record), Err(expected), "{epochs} {ahead}");
    }
}

#[test]
fn se_04_the_header_has_the_low_byte_of_the_epoch_and_the_full_one_is_known() {
    for epoch in [0_u32, 1, 254, 255, 256, 257, 511, 512, 0x0123_45ff, u32::MAX - 1] {
        let (mut sealer, mut opener) = pair();
        sealer.jump(epoch, 40, 9);
        opener.jump(epoch, 40, 9);
        let record = seal(&mut sealer, b"in", [0; 4]);
        let parts = RecordIn::split(&record).unwrap();
        let header = Header::decode(parts.unmask(&HeaderKey::take(Cipher::ChaChaPoly, &mut [2; 32])));
        assert_eq!(header.epoch, epoch.to_be_bytes()[3]);
        assert_eq!(open(&mut opener, &record), Ok(b"in".to_vec()));
        opener.expect(chain(7));
        sealer.switch(&chain(7));
        let record = seal(&mut sealer, b"next", [0; 4]);
        assert_eq!(open(&mut opener, &record), Ok(b"next".to_vec()));
        assert_eq!((sealer.epoch(), opener.epoch()), (epoch + 1, epoch + 1));
    }
}

/// Records count from 0 in each epoch, numbers go on.
#[test]
fn se_10_each_epoch_has_its_own_count_and_the_receiver_refuses_what_is_beyond_the_last() {
    let mut sealer = Sealer::new(direction(), 10);
    let mut opener = Opener::new(direction(), 3);
    for round in 0..3 {
        assert_eq!(open(&mut opener, &seal(&mut sealer, &[round], [0; 4])), Ok(vec![round]));
    }
    assert_eq!(sealer.volume(), Volume { records: 3, bytes: 3 * 38 });
    assert_eq!(opener.volume(), sealer.volume());
    let beyond = seal(&mut sealer, b"x", [0; 4]);
    assert_eq!(open(&mut opener, &beyond), Err(OpenError::Unverified));
    opener.expect(chain(7));
    sealer.switch(&chain(7));
    sealer.jump(1, 3, 0);
    assert_eq!(sealer.remaining(), 10);
    assert_eq!(open(&mut opener, &seal(&mut sealer, b"y", [0; 4])), Ok(b"y".to_vec()));
    assert_eq!(opener.volume(), Volume { records: 1, bytes: 38 });
}

#[test]
fn se_16_the_last_number_is_never_used() {
    let (mut sealer, mut opener) = pair();
    sealer.jump(0, u64::MAX - 1, 0);
    opener.jump(0, u64::MAX - 1, 0);
    assert_eq!(sealer.remaining(), 1);
    assert_eq!(open(&mut opener, &seal(&mut sealer, b"x", [0; 4])), Ok(b"x".to_vec()));
    assert_eq!(sealer.remaining(), 0);
    assert!(sealer.seal(&mut [0; HEADER_LEN + TAG_LEN], [0; 4]).is_err());
}

/// S16: after a record, neither end holds a key that opens it.
/// Decides SE-12.
#[test]
fn s16_processed_chain_keys_are_gone() {
    let (mut sealer, mut opener) = pair();
    let first = sealer.chain_key();
    let record = seal(&mut sealer, b"frames", [0; 4]);
    open(&mut opener, &record).unwrap();
    assert_ne!(sealer.chain_key(), first);
    assert_eq!(sealer.chain_key(), opener.chain_key());
    let (_, expected) = ChainKey::take(&mut first.clone()).step();
    assert_eq!(opener.chain_key(), *expected.expose());
    fn erases<T: zeroize::ZeroizeOnDrop>() {}
    erases::<ChainKey>();
    erases::<crate::ratchet::MessageKey>();
    erases::<HeaderKey>();
}
