use super::{LinkError, TYP, sign, verify};
use crate::base64url;
use crate::did::key;
use crate::keys::Ed25519Secret;

const SUB: &str = "did:peer:2.Vz6MkConnection";

fn identity(seed: u8) -> (Ed25519Secret, String) {
    let secret = Ed25519Secret::from_bytes(&[seed; 32]);
    let did = key::encode_ed25519(&secret.public());
    (secret, did)
}

/// Signs any header and payload.
fn forge(secret: &Ed25519Secret, header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
    format!("{signed}.{}", base64url::encode(secret.sign(signed.as_bytes())))
}

fn header(did: &str) -> String {
    format!(r#"{{"alg":"EdDSA","typ":"{TYP}","kid":"{}"}}"#, key::kid(did))
}

fn payload(did: &str) -> String {
    format!(r#"{{"iss":"{did}","sub":"{SUB}","iat":5}}"#)
}

/// Decides CN-24.
#[test]
fn round_trip() {
    let (secret, did) = identity(1);
    let jws = sign(&secret, SUB, 5);
    let link = verify(&jws, SUB).unwrap();
    assert_eq!((link.identity, link.issued_at), (did.clone(), 5));
    assert_eq!(jws, forge(&secret, &header(&did), &payload(&did)), "the bytes are as documented");
}

/// Decides CN-25.
#[test]
fn rejects_a_link_for_another_connection() {
    assert_eq!(verify(&sign(&identity(1).0, SUB, 5), "did:peer:2.VzOther"), Err(LinkError::OtherSubject));
}

/// Decides CN-25.
#[test]
fn rejects_a_link_in_the_name_of_somebody_else() {
    let (mallory, mallory_did) = identity(2);
    let (_, did) = identity(1);
    assert_eq!(verify(&forge(&mallory, &header(&did), &payload(&did)), SUB), Err(LinkError::BadSignature));
    // The key that signed is not the key of the issuer.
    let mixed = forge(&mallory, &header(&mallory_did), &payload(&did));
    assert_eq!(verify(&mixed, SUB), Err(LinkError::Malformed { what: "kid is not the key of iss" }));
}

/// Decides CN-25.
#[test]
fn rejects_other_kinds() {
    let (secret, did) = identity(1);
    let good = (header(&did), payload(&did));
    let replace = |from: &str, to: &str| forge(&secret, &good.0.replace(from, to), &good.1);
    for jws in [
        replace("EdDSA", "none"),
        replace("EdDSA", "Ed25519"),
        replace(TYP, "didagent-link/2"),
        replace(TYP, "JWT"),
        replace("{", r#"{"crit":["b64"],"#),
        replace("{", r#"{"alg":"none","#),
        replace("\"kid\"", "\"jwk\""),
        forge(&secret, &good.0, &good.1.replace("\"iat\":5", "\"iat\":-5")),
        forge(&secret, &good.0, &good.1.replace("\"iat\":5", "\"iat\":\"5\"")),
        forge(&secret, &good.0, &good.1.replace("did:key:", "did:web:")),
        forge(&secret, &good.0, &good.1.replace('{', r#"{"sub":"x","#)),
        format!("{}.AA", sign(&secret, SUB, 5)),
        "x".repeat(super::MAX_BYTES + 1),
    ] {
        assert!(matches!(verify(&jws, SUB), Err(LinkError::Malformed { .. })), "{jws}");
    }
    let extended = forge(&secret, &good.0, &good.1.replace('{', r#"{"new":1,"#));
    assert!(verify(&extended, SUB).is_ok(), "unknown members are ignored");
}

/// Decides CN-25.
#[test]
fn rejects_each_truncation_and_each_flipped_bit() {
    let jws = sign(&identity(1).0, SUB, 5);
    for end in 0..jws.len() {
        assert!(verify(&jws[..end], SUB).is_err(), "cut at {end}");
    }
    for bit in 0..jws.len() * 8 {
        let mut altered = jws.clone().into_bytes();
        altered[bit / 8] ^= 1 << (bit % 8);
        if let Ok(altered) = String::from_utf8(altered) {
            assert!(verify(&altered, SUB).is_err(), "bit {bit}");
        }
    }
}
