//! RESUME and RESUME_RSP: layout, both keys, everything that is refused.

use super::*;

/// The keys of two epochs, for messages of one end and of the other.
fn keys() -> [[ResumeKey; 2]; 2] {
    [[10, 11], [20, 21]].map(|end| end.map(|byte| ResumeKey::take(&mut [byte; 32])))
}

fn open(keys: &[ResumeKey], bytes: &[u8]) -> Option<(Resume, Cid)> {
    Resume::open(CIPHER, keys.iter(), bytes)
}

const CIPHER: Cipher = Cipher::ChaChaPoly;
const RESUME: Resume = Resume { generation: 3, rx_next: 0x0102, nonce: [7; 16], echo: None };
const RSP: Resume = Resume { echo: Some([8; 16]), ..RESUME };
const CID: Cid = [9; 8];

fn sealed(message: Resume, key: &ResumeKey) -> Vec<u8> {
    let mut out = Message::new();
    message.seal(CIPHER, key, &CID, &[6; 16], &mut out);
    out
}

#[test]
fn se_54_both_messages_round_trip_under_the_keys_of_both_epochs() {
    let [own, _] = keys();
    for message in [RESUME, RSP] {
        for key in &own {
            let bytes = sealed(message, key);
            assert_eq!(bytes.len(), if message.echo.is_some() { 89 } else { 73 });
            assert_eq!(open(&own, &bytes), Some((message, CID)));
        }
        let bytes = own.each_ref().map(|key| sealed(message, key));
        if !crate::NULL_CIPHER {
            assert_ne!(bytes[0][25..], bytes[1][25..]);
            assert_eq!(open(&own[..1], &bytes[1]), None);
        }
        let mut other = Message::new();
        message.seal(Cipher::AesGcm, &own[0], &CID, &[6; 16], &mut other);
        assert_eq!(Resume::open(Cipher::AesGcm, own.iter(), &other), Some((message, CID)));
    }
}

/// The message of section 12.2, built by hand from the primitives.
#[cfg(not(feature = "null-cipher"))]
#[test]
fn the_layout_is_that_of_the_specification() {
    let [own, _] = keys();
    let salt = [6; 16];
    let mut key = [0; 32];
    let info = [&b"didagent-session/1 resume key"[..], &[0x12], &salt].concat();
    Hkdf::<Sha256>::from_prk(&[11; 32]).unwrap().expand(&info, &mut key).unwrap();
    let mut body = [&3_u64.to_be_bytes()[..], &0x0102_u64.to_be_bytes(), &[7; 16], &[8; 16]].concat();
    let prefix = [&[0x12][..], &CID, &salt].concat();
    let tag = <crate::aead::Portable as Aead>::seal(CIPHER, &key, &[0; 12], &prefix, &mut body).unwrap();
    assert_eq!(sealed(RSP, &own[1]), [&prefix[..], &body, &tag].concat());
}

#[cfg(not(feature = "null-cipher"))]
#[test]
fn se_56_each_changed_bit_each_truncation_and_trailing_bytes_are_refused() {
    let [own, foreign] = keys();
    for message in [RESUME, RSP] {
        let bytes = sealed(message, &own[1]);
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[index] ^= 1 << bit;
                assert_eq!(open(&own, &changed), None, "byte {index} bit {bit}");
            }
            assert_eq!(open(&own, &bytes[..index]), None);
        }
        assert_eq!(open(&own, &[&bytes[..], &[0]].concat()), None);
        // The keys of the two directions differ: nobody takes its own message.
        assert_eq!(open(&foreign, &bytes), None);
    }
}

#[test]
fn se_59_only_a_resume_is_answered_by_a_stranger_and_an_answer_never() {
    let [own, _] = keys();
    let bytes = sealed(RESUME, &own[1]);
    let answer = unknown_cid(&bytes).unwrap();
    assert_eq!(answer, [0x13, 9, 9, 9, 9, 9, 9, 9, 9]);
    assert_eq!(unknown(&answer), Some(&CID));
    assert_eq!(unknown_cid(&answer), None);
    assert_eq!(unknown_cid(&sealed(RSP, &own[1])), None);
    assert_eq!(unknown_cid(&bytes[..72]), None);
    for length in 0..9 {
        assert_eq!(unknown(&answer[..length]), None);
    }
    assert_eq!(unknown(&[&answer[..], &[0]].concat()), None);
    assert_eq!(unknown(&[0x12; 9]), None);
}
