//! `records.json`: chain, nonce, associated data, mask and bytes of records in every place of the numbering.

use serde_json::Value;

use super::{array, bytes, file, list, number, small, text};
use crate::{
    Suite,
    aead::{Aead, Cipher, RecordAead},
    hello::Cid,
    mask::HeaderKey,
    ratchet::ChainKey,
    record::{HEADER_LEN, Header, OpenError, Opener, RecordIn, Sealer, TAG_LEN, TYPE_DATA, aad, nonce},
    schedule::Direction,
};

const FILE: &str = include_str!("../../../spec/vectors/session/records.json");

fn families() -> Vec<(Value, Cipher, HeaderKey)> {
    let file = file(FILE);
    [("ChaChaPoly", Cipher::ChaChaPoly), ("AESGCM", Cipher::AesGcm)]
        .into_iter()
        .map(|(name, cipher)| (file["families"][name].clone(), cipher))
        .map(|(family, cipher)| (family.clone(), cipher, HeaderKey::take(cipher, &mut array(&family, "hp"))))
        .collect()
}

/// Sections 3 to 6 of session.md, piece by piece.
#[test]
fn se_04_records_piece_by_piece() {
    for (family, cipher, header_key) in families() {
        for id in list(&family, "suites") {
            let suite = Suite::from_id(u8::try_from(id.as_u64().unwrap()).unwrap()).unwrap();
            assert_eq!(suite.cipher(), cipher);
        }
        for start in list(&family, "starts") {
            let (epoch, cid): (u64, [u8; 8]) = (number(start, "epoch"), array(start, "cid"));
            let mut chain = ChainKey::take(&mut array(&list(start, "records")[0], "ck"));
            for row in list(start, "records") {
                assert_eq!(chain.expose()[..], bytes(row, "ck"));
                let mut step = chain.prepare();
                let (message_key, next) = step.keys();
                assert_eq!(message_key.expose()[..], bytes(row, "mk"));
                assert_eq!(next.expose()[..], bytes(row, "ck_next"));
                chain = next;

                let seq = number(row, "seq");
                let header: [u8; 12] = array(row, "header");
                let parsed = Header::decode(header);
                let [low, ..] = epoch.to_le_bytes();
                assert_eq!((parsed.epoch, parsed.flags), (low, 0));
                assert_eq!(parsed.seq_low, seq % (1 << 48));
                assert_eq!(parsed.encode(), header);
                assert_eq!(nonce(parsed.guard, seq)[..], bytes(row, "nonce"));
                assert_eq!(aad(TYPE_DATA, &header)[..], bytes(row, "aad"));
                let derived = step.guard(TYPE_DATA, parsed.without_guard(), &bytes(row, "plaintext"));
                assert_eq!(derived[..], bytes(row, "derived_guard"));

                let mut sealed = bytes(row, "plaintext");
                let (nonce, aad) = (array(row, "nonce"), bytes(row, "aad"));
                let tag = RecordAead::seal(cipher, message_key.expose(), &nonce, &aad, &mut sealed).unwrap();
                assert_eq!(tag[..], bytes(row, "tag"));
                assert_eq!(header_key.mask(&tag)[..], bytes(row, "mask"));
                let masked = header.iter().zip(header_key.mask(&tag)).map(|(byte, mask)| byte ^ mask);
                let record: Vec<u8> =
                    [TYPE_DATA].into_iter().chain(cid).chain(masked).chain(sealed).chain(tag).collect();
                assert_eq!(record, bytes(row, "record"));

                let parts = RecordIn::split(&record).unwrap();
                assert_eq!((parts.cid, parts.unmask(&header_key)), (&cid, header));
                let mut opened = record[HEADER_LEN..].to_vec();
                let length =
                    RecordAead::open(cipher, message_key.expose(), &nonce, &aad, &mut opened).unwrap();
                assert_eq!(opened[..length], bytes(row, "plaintext"));
            }
            let again = &start["last_again"];
            let last = list(start, "records").last().unwrap();
            let (moved, record) = (bytes(again, "record"), bytes(last, "record"));
            assert_eq!(moved[1..9], bytes(again, "cid"));
            assert_eq!((&moved[..1], &moved[9..]), (&record[..1], &record[9..]));
        }
    }
}

const LIMIT: u64 = 1 << 24;

fn direction(cipher: Cipher, family: &Value, first: &Value) -> Direction {
    let header = HeaderKey::take(cipher, &mut array(family, "hp"));
    Direction { chain: ChainKey::take(&mut array(first, "ck")), header, cipher }
}

/// The same records through sealer and opener; the last one comes under another cid.
#[test]
fn se_04_se_05_se_13_whole_records() {
    for (family, cipher, _) in families() {
        for start in list(&family, "starts") {
            let rows = list(start, "records");
            let (epoch, seq, cid) = (small(start, "epoch"), number(start, "seq"), array(start, "cid"));
            let mut sealer = Sealer::new(direction(cipher, &family, &rows[0]), LIMIT);
            sealer.jump(epoch, seq, 0);
            let cids: [Cid; 2] = [cid, array(&start["last_again"], "cid")];
            let mut opener = Opener::new(direction(cipher, &family, &rows[0]), LIMIT);
            opener.jump(epoch, seq, 0);
            for (index, row) in rows.iter().enumerate() {
                let expected = bytes(row, "record");
                let mut record = vec![0; HEADER_LEN];
                record.extend(bytes(row, "plaintext"));
                record.resize(record.len() + TAG_LEN, 0);
                let [g0, g1, g2, g3, ..] = array::<12>(row, "nonce");
                sealer.seal(&mut record, [g0, g1, g2, g3]).unwrap();
                record[1..9].copy_from_slice(&cid);
                assert_eq!(record, expected);

                let is_last = index + 1 == rows.len();
                let comes = if is_last { bytes(&start["last_again"], "record") } else { expected };
                let mut record = comes.clone();
                let opened = opener.open(&mut record, &cids).unwrap();
                let plaintext = opener.commit(opened).plaintext;
                assert_eq!(record[plaintext], bytes(row, "plaintext"));
                assert_eq!(opener.open(&mut comes.clone(), &cids).err(), Some(OpenError::Duplicate));
            }
        }
    }
}

/// SE-04 to SE-07, SE-14, SE-23: what does not open, and why.
#[test]
fn se_06_what_does_not_open() {
    for (family, cipher, _) in families() {
        let failing = &family["must_fail"];
        let cids: [Cid; 1] = [array(failing, "cid")];
        let fresh = || {
            let mut opener = Opener::new(direction(cipher, failing, failing), LIMIT);
            opener.jump(small(failing, "epoch"), number(failing, "seq"), 0);
            opener
        };
        let mut opener = fresh();
        // What is late on another connection is for the caller that knows of connections.
        for case in list(failing, "cases").iter().filter(|case| case["current"] == true) {
            let seen = match opener.open(&mut bytes(case, "bytes"), &cids) {
                Err(OpenError::UnknownType | OpenError::Duplicate) => "drop".to_owned(),
                Err(OpenError::Unverified) => "reject".to_owned(),
                Err(OpenError::Gap { .. }) => "gap".to_owned(),
                Ok(opened) => format!("flags {}", opener.commit(opened).flags),
            };
            let expected = match case["outcome"].get("close") {
                Some(_) => text(case, "name").to_owned(),
                None => text(case, "outcome").to_owned(),
            };
            if seen.starts_with("flags") {
                assert_ne!(seen, "flags 0");
                opener = fresh();
                assert!(expected.starts_with("flag "), "{expected}");
            } else {
                assert_eq!(seen, expected, "{}", text(case, "name"));
            }
        }
        let mut good = bytes(failing, "good");
        let opened = opener.open(&mut good, &cids).unwrap();
        let plaintext = opener.commit(opened).plaintext;
        assert_eq!(good[plaintext], bytes(failing, "good_plaintext"));
    }
}
