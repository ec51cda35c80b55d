//! The crate `did-key` 0.2.1 and ours, about the same identifiers.
#![allow(missing_docs)]

use did_key::{
    CONFIG_LD_PUBLIC, DIDCore, Ed25519KeyPair, Fingerprint, KeyMaterial, P256KeyPair, PatchedKeyPair,
    Secp256k1KeyPair, X25519KeyPair, generate, resolve,
};
use didagent_didcomm::did::{DidDocument, DidError, key, resolve_offline};

fn theirs() -> Vec<(&'static str, PatchedKeyPair)> {
    (1..9u8)
        .flat_map(|seed| {
            let seed = Some(&[seed; 32][..]);
            [
                ("Ed25519", generate::<Ed25519KeyPair>(seed)),
                ("X25519", generate::<X25519KeyPair>(seed)),
                ("P-256", generate::<P256KeyPair>(seed)),
                ("secp256k1", generate::<Secp256k1KeyPair>(seed)),
            ]
        })
        .collect()
}

fn did(pair: &PatchedKeyPair) -> String {
    format!("did:key:{}", pair.fingerprint())
}

fn ours(did: &str) -> DidDocument {
    resolve_offline(did).unwrap_or_else(|error| panic!("{did}: {error}"))
}

#[test]
fn the_key_in_their_identifier_is_the_same_to_ours() {
    for (curve, pair) in theirs() {
        let did = did(&pair);
        let document = ours(&did);
        let [method] = document.verification_methods.as_slice() else { panic!("{did}: one key") };
        assert_eq!(method.key.curve(), curve, "{did}");
        assert_eq!(method.key.as_bytes(), compressed(pair.public_key_bytes()), "{did}");
    }
}

/// It hands out points as they are in memory: with both coordinates, or compressed.
fn compressed(bytes: Vec<u8>) -> Vec<u8> {
    match (bytes.len(), bytes.first()) {
        (65, Some(4)) => {
            let parity = 2 + (bytes[64] & 1);
            [&[parity], &bytes[1..33]].concat()
        }
        _ => bytes,
    }
}

#[test]
fn they_resolve_what_ours_encodes() {
    for seed in 1..9 {
        let secret = didagent_didcomm::keys::Ed25519Secret::from_bytes(&[seed; 32]);
        let did = key::encode_ed25519(&secret.public());
        assert_eq!(resolve(&did).unwrap().public_key_bytes(), secret.public());
        assert_eq!(key::decode_ed25519(&did), Ok(secret.public()));
        assert_eq!(self::did(&generate::<Ed25519KeyPair>(Some(&[seed; 32]))), did);
    }
}

#[test]
fn documents_name_the_same_key_for_the_same_purpose() {
    for (curve, pair) in theirs() {
        let did = did(&pair);
        let (document, theirs) = (ours(&did), pair.get_did_document(CONFIG_LD_PUBLIC));
        assert_eq!(document.id, theirs.id);
        let kid = document.verification_methods[0].id.clone();
        let named = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| list.contains(&kid));
        if curve == "X25519" {
            assert!(named(&theirs.key_agreement) && document.key_agreement == [kid.clone()]);
        } else {
            assert!(named(&theirs.authentication) && document.authentication == [kid.clone()], "{did}");
        }
    }
}

/// They derive a key for encryption from a key that signs; ours never does, as the draft allows.
#[test]
fn ours_derives_no_key_agreement_from_ed25519() {
    let pair = generate::<Ed25519KeyPair>(Some(&[1; 32]));
    assert_eq!(pair.get_did_document(CONFIG_LD_PUBLIC).key_agreement.map(|list| list.len()), Some(1));
    assert_eq!(ours(&did(&pair)).key_agreement, Vec::<String>::new());
}

#[test]
fn neither_reads_what_is_damaged() {
    for (_, pair) in theirs() {
        let did = did(&pair);
        for end in "did:key:z".len()..did.len() {
            let cut = &did[..end];
            assert!(matches!(resolve_offline(cut), Err(DidError::Malformed { .. })), "{cut}");
        }
        // They panic at most of these, so only the unknown kind of key is asked for.
    }
    assert!(resolve("did:key:zzzz").is_err() && resolve_offline("did:key:zzzz").is_err());
}
