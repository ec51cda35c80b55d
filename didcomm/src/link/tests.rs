use std::collections::HashMap;

use super::{LinkError, TYP, issuer, sign, sign_as, verify, verify_with};
use crate::base64url;
use crate::did::{DidDocument, PublicKey, VerificationMethod, key};
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

const WEB: &str = "did:web:example.org";

/// The document of [`WEB`] with this key, `#key-1`, listed for authentication, and for statements if `asserts`.
fn document(key: PublicKey, asserts: bool) -> HashMap<String, DidDocument> {
    let id = format!("{WEB}#key-1");
    let mut document = DidDocument::new(WEB);
    document.verification_methods.push(VerificationMethod { id: id.clone(), alias: None, key });
    document.authentication.push(id.clone());
    document.assertion_method.extend(asserts.then_some(id));
    HashMap::from([(WEB.to_owned(), document)])
}

/// Decides CN-73.
#[test]
fn a_did_web_signs_with_a_key_that_its_document_lists() {
    let (secret, did) = identity(1);
    let kid = format!("{WEB}#key-1");
    let jws = sign_as(&secret, &kid, SUB, 5);
    assert_eq!((issuer(&jws, SUB).as_deref(), issuer(&sign(&secret, SUB, 5), SUB)), (Some(WEB), None));
    // Nobody looks for a document for a link that is for somebody else, and that is what is said of it.
    assert_eq!(issuer(&jws, "did:peer:2.Ez"), None);
    assert_eq!(verify(&jws, "did:peer:2.Ez"), Err(LinkError::OtherSubject));
    let listed = document(PublicKey::Ed25519(secret.public()), true);
    let link = verify_with(&jws, SUB, &listed).unwrap();
    assert_eq!((link.identity.as_str(), link.key, link.issued_at), (WEB, secret.public(), 5));
    assert_eq!(verify(&sign(&secret, SUB, 5), SUB).unwrap().key, secret.public());
    // One of a did:key needs no document.
    assert_eq!(verify_with(&sign(&secret, SUB, 5), SUB, &HashMap::new()).unwrap().identity, did);
}

/// Decides CN-73.
#[test]
fn a_did_web_without_that_key_has_signed_nothing() {
    let (secret, did) = identity(1);
    let jws = sign_as(&secret, &format!("{WEB}#key-1"), SUB, 5);
    let own = PublicKey::Ed25519(secret.public());
    let other = identity(2).0.public();
    let refused =
        |jws: &str, documents: &HashMap<String, DidDocument>| verify_with(jws, SUB, documents).unwrap_err();
    assert_eq!(verify(&jws, SUB), Err(LinkError::NoDocument));
    assert_eq!(refused(&jws, &HashMap::new()), LinkError::NoDocument);
    assert_eq!(refused(&jws, &document(own, false)), LinkError::UnlistedKey);
    assert_eq!(refused(&jws, &document(PublicKey::X25519(secret.public()), true)), LinkError::UnlistedKey);
    // The key was replaced.
    assert_eq!(refused(&jws, &document(PublicKey::Ed25519(other), true)), LinkError::BadSignature);
    let listed = document(own, true);
    let other_name = sign_as(&secret, &format!("{WEB}#key-2"), SUB, 5);
    assert_eq!(refused(&other_name, &listed), LinkError::UnlistedKey);
    assert_eq!(verify_with(&jws, "did:peer:2.VzOther", &listed), Err(LinkError::OtherSubject));
    let of_another = forge(&secret, &header(&did), &payload(WEB));
    assert_eq!(refused(&of_another, &listed), LinkError::Malformed { what: "kid is not the key of iss" });
    for length in 0..jws.len() {
        assert!(verify_with(&jws[..length], SUB, &listed).is_err(), "{length}");
    }
}
