//! `records.json`: chain, nonce, associated data, mask and bytes of records in every place of the numbering.

use serde_json::Value;

use super::{array, bytes, file, list, number};
use crate::{
    Suite,
    aead::{Aead, Cipher, RecordAead},
    mask::HeaderKey,
    ratchet::ChainKey,
    record::{HEADER_LEN, Header, RecordIn, TYPE_DATA, aad, nonce},
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
                let (message_key, next) = chain.step();
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
