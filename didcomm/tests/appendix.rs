//! The examples of DIDComm Messaging v2.1, Appendix C.3, that use X25519: opened with the key of every recipient.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::HashMap;

use didagent_didcomm::did::{DidDocument, PublicKey, VerificationMethod, did_of};
use didagent_didcomm::envelope::{UnpackError, unpack};
use didagent_didcomm::keys::X25519Secret;
use serde::Deserialize;
use serde_json::Value;

const KEYS: &str = include_str!("../../spec/vectors/didcomm/appendix-keys.json");
const PLAINTEXT: &str = include_str!("../../spec/vectors/didcomm/appendix-plaintext.json");
const ANONCRYPT: &str = include_str!("../../spec/vectors/didcomm/appendix-anoncrypt-x25519-xc20p.json");
const AUTHCRYPT: &str =
    include_str!("../../spec/vectors/didcomm/appendix-authcrypt-x25519-a256cbc-hs512.json");

/// Between `created_time` and `expires_time` of the examples.
const THEN: u64 = 1_516_300_000;

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kid: String,
    x: String,
    d: String,
}

fn keys() -> Vec<Key> {
    serde_json::from_str::<Keys>(KEYS).unwrap().keys
}

fn bytes(text: &str) -> [u8; 32] {
    // The appendix writes base64url without padding: 43 digits of 6 bits.
    let digits = text.bytes().map(|c| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => panic!("not base64url"),
    });
    let bits: Vec<bool> = digits.flat_map(|d| (0..6).rev().map(move |i| d >> i & 1 == 1)).collect();
    std::array::from_fn(|i| bits[i * 8..][..8].iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit)))
}

fn documents() -> HashMap<String, DidDocument> {
    let mut documents = HashMap::new();
    for key in keys() {
        let did = did_of(&key.kid).to_owned();
        let document = documents.entry(did.clone()).or_insert_with(|| DidDocument::new(did));
        document.key_agreement.push(key.kid.clone());
        document.verification_methods.push(VerificationMethod {
            id: key.kid,
            alias: None,
            key: PublicKey::X25519(bytes(&key.x)),
        });
    }
    documents
}

fn envelope(vector: &str) -> (Vec<u8>, Vec<String>) {
    let vector: Value = serde_json::from_str(vector).unwrap();
    let kids = vector["jwe"]["recipients"].as_array().unwrap().iter();
    let kids = kids.map(|r| r["header"]["kid"].as_str().unwrap().to_owned()).collect();
    (serde_json::to_vec(&vector["jwe"]).unwrap(), kids)
}

fn only(kid: &str) -> HashMap<String, X25519Secret> {
    let key = keys().into_iter().find(|key| key.kid == kid).unwrap();
    HashMap::from([(key.kid, X25519Secret::from_bytes(bytes(&key.d)))])
}

#[test]
fn the_keys_of_the_appendix_are_pairs() {
    assert_eq!(keys().len(), 4);
    for key in keys() {
        assert_eq!(X25519Secret::from_bytes(bytes(&key.d)).public(), bytes(&key.x), "{}", key.kid);
    }
}

/// Decides CN-07.
#[test]
fn opens_the_anoncrypt_example_with_each_of_three_keys() {
    let (jwe, kids) = envelope(ANONCRYPT);
    assert_eq!(kids.len(), 3);
    for kid in kids {
        let unpacked = unpack(&jwe, &only(&kid), &documents(), THEN).unwrap();
        assert_plaintext(&unpacked.message);
        assert_eq!(unpacked.sender, None, "`from` alone authenticates nobody");
        assert_eq!(unpacked.recipient_kid, Some(kid));
        assert!(unpacked.anonymous && unpacked.encrypted);
    }
}

/// Decides CN-07.
#[test]
fn opens_the_authcrypt_example_with_each_of_three_keys() {
    let (jwe, kids) = envelope(AUTHCRYPT);
    assert_eq!(kids.len(), 3);
    for kid in kids {
        let unpacked = unpack(&jwe, &only(&kid), &documents(), THEN).unwrap();
        assert_plaintext(&unpacked.message);
        let sender = unpacked.sender.unwrap();
        assert_eq!(sender.did, "did:example:alice");
        assert_eq!(sender.kid, "did:example:alice#key-x25519-1");
        assert_eq!(unpacked.recipient_kid, Some(kid));
        assert!(!unpacked.anonymous && unpacked.encrypted);
    }
}

#[test]
fn refuses_the_examples_after_their_time_and_with_other_keys() {
    let (jwe, kids) = envelope(AUTHCRYPT);
    assert_eq!(
        unpack(&jwe, &only(&kids[0]), &documents(), 1_516_385_932),
        Err(UnpackError::Expired { expires_time: 1_516_385_931 })
    );
    let alice = only("did:example:alice#key-x25519-1");
    assert_eq!(unpack(&jwe, &alice, &documents(), THEN), Err(UnpackError::NotForUs));
    let wrong = HashMap::from([(kids[0].clone(), X25519Secret::from_bytes([7; 32]))]);
    assert_eq!(unpack(&jwe, &wrong, &documents(), THEN), Err(UnpackError::Undecryptable));
}

/// The encrypted examples carry C.1 with a `typ` and with another `type` than C.1 prints.
fn assert_plaintext(message: &didagent_didcomm::message::Message) {
    let expected: Value = serde_json::from_str(PLAINTEXT).unwrap();
    let got = serde_json::to_value(message).unwrap();
    for member in ["id", "from", "to", "created_time", "expires_time", "body"] {
        assert_eq!(got[member], expected["message"][member], "{member}");
    }
    assert_eq!(got["typ"], "application/didcomm-plain+json");
    assert!(message.type_.ends_with("://example.com/protocols/lets_do_lunch/1.0/proposal"));
}
