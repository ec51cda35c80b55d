//! Envelopes as a caller sees them: what goes in comes out, and nothing that was altered does.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use didagent_didcomm::did::{OfflineResolver, peer2};
use didagent_didcomm::envelope::{anoncrypt, authcrypt, sealed, unpack};
use didagent_didcomm::keys::{Ed25519Secret, X25519Secret};
use didagent_didcomm::message::Message;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};

struct Party {
    did: String,
    kid: String,
    secrets: HashMap<String, X25519Secret>,
}

fn party(seed: u64) -> Party {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let secret = X25519Secret::generate(&mut rng);
    let did = peer2::encode(&Ed25519Secret::generate(&mut rng).public(), &secret.public(), None);
    let kid = format!("{did}#key-2");
    Party { did, kid: kid.clone(), secrets: HashMap::from([(kid, secret)]) }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Auth,
    Anon,
    Sealed,
}

const KINDS: [Kind; 3] = [Kind::Auth, Kind::Anon, Kind::Sealed];

fn pack(kind: Kind, message: &Message, from: &Party, to: &Party, seed: u64) -> Vec<u8> {
    let rng = &mut ChaCha20Rng::seed_from_u64(seed);
    match kind {
        Kind::Auth => authcrypt(message, &from.kid, &[&to.kid], &from.secrets, &OfflineResolver, rng),
        Kind::Anon => anoncrypt(message, &[&to.kid], &OfflineResolver, rng),
        Kind::Sealed => sealed(message, &from.kid, &to.kid, &from.secrets, &OfflineResolver, rng),
    }
    .unwrap()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked(body in any_json(), id in ".*", which in 0..3_usize, seed in any::<u64>()) {
        let (alice, bob) = (party(1), party(2));
        let sent = Message::new(id, "https://example.com/p/1.0/m", body).from(&alice.did).to(&bob.did);
        let jwe = pack(KINDS[which], &sent, &alice, &bob, seed);
        let got = unpack(&jwe, &bob.secrets, &OfflineResolver, 0).unwrap();
        prop_assert_eq!(got.message, sent);
        prop_assert_eq!(got.sender.is_some(), !matches!(KINDS[which], Kind::Anon));
        prop_assert!(unpack(&jwe, &alice.secrets, &OfflineResolver, 0).is_err());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = unpack(&bytes, &party(1).secrets, &OfflineResolver, 0);
    }

    #[test]
    fn any_json_is_read_or_refused(value in any_json()) {
        let _ = unpack(&serde_json::to_vec(&value).unwrap(), &party(1).secrets, &OfflineResolver, 0);
    }
}

#[test]
fn no_truncation_opens() {
    let (alice, bob) = (party(1), party(2));
    let sent = Message::new("1", "t", json!({"x": 1})).from(&alice.did).to(&bob.did);
    for kind in KINDS {
        let jwe = pack(kind, &sent, &alice, &bob, 3);
        assert!(unpack(&jwe, &bob.secrets, &OfflineResolver, 0).is_ok());
        for end in 0..jwe.len() {
            assert!(unpack(&jwe[..end], &bob.secrets, &OfflineResolver, 0).is_err(), "{kind:?} cut at {end}");
        }
        for tail in ["}", "x", "{}", "\0"] {
            let longer = [&jwe, tail.as_bytes()].concat();
            assert!(unpack(&longer, &bob.secrets, &OfflineResolver, 0).is_err(), "{kind:?} and {tail}");
        }
    }
}

#[test]
fn no_flipped_bit_opens() {
    let (alice, bob) = (party(1), party(2));
    let sent = Message::new("1", "t", json!({"x": 1})).from(&alice.did).to(&bob.did);
    for kind in KINDS {
        let jwe = pack(kind, &sent, &alice, &bob, 3);
        for bit in 0..jwe.len() * 8 {
            let mut altered = jwe.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let got = unpack(&altered, &bob.secrets, &OfflineResolver, 0);
            assert!(got.is_err(), "{kind:?} with bit {bit} flipped, near {:?}", near(&jwe, bit / 8));
        }
    }
}

#[test]
fn two_envelopes_of_one_message_share_nothing() {
    let (alice, bob) = (party(1), party(2));
    let sent = Message::new("1", "t", json!({})).from(&alice.did).to(&bob.did);
    for kind in KINDS {
        let [one, two] = [3, 4]
            .map(|seed| -> Value { serde_json::from_slice(&pack(kind, &sent, &alice, &bob, seed)).unwrap() });
        for member in ["iv", "ciphertext", "tag", "protected"] {
            assert_ne!(one[member], two[member], "{kind:?} {member}");
        }
    }
}

fn near(jwe: &[u8], at: usize) -> String {
    let range = at.saturating_sub(20)..(at + 20).min(jwe.len());
    String::from_utf8_lossy(&jwe[range]).into_owned()
}
