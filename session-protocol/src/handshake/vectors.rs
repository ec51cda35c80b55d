//! Published vectors of Noise KK, `spec/vectors/session/noise-kk.json`, with their fixed ephemeral keys.
//!
//! Their prologues are those of real builds, so a build with `null-cipher` does not run them.
#![cfg(not(feature = "null-cipher"))]

use serde_json::Value;

use super::pattern::{Ephemeral, read_message1, read_message2, write_message1, write_message2};
use crate::{
    StaticSecret, Suite,
    aead::{Aead as _, Portable},
    noise::{SplitKey, SymmetricState},
    testing::{hex, rng},
};

fn field(vector: &Value, name: &str) -> Vec<u8> {
    hex(vector[name].as_str().unwrap())
}

fn secret(vector: &Value, name: &str) -> StaticSecret {
    StaticSecret::from_bytes(field(vector, name).try_into().unwrap())
}

fn initialized(vector: &Value, suite: Suite) -> SymmetricState {
    let mut state = SymmetricState::new(suite, &field(vector, "prologue"));
    state.mix_hash(secret(vector, "initiator_static").public().as_bytes());
    state.mix_hash(secret(vector, "responder_static").public().as_bytes());
    state
}

/// What Noise would send first under this key; this protocol never does.
fn opens(suite: Suite, key: &SplitKey, message: &Value) {
    let mut bytes = field(message, "bytes");
    let length = Portable::open(suite.cipher(), key.expose(), &[0; 12], &[], &mut bytes).unwrap();
    assert_eq!(bytes[..length], field(message, "payload"));
}

#[test]
fn hs_02_agrees_with_published_vectors() {
    let file: Value =
        serde_json::from_str(include_str!("../../../spec/vectors/session/noise-kk.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    let mut seen = Vec::new();
    for vector in vectors {
        let suite = Suite::ALL.into_iter().find(|suite| suite.noise_name() == vector["protocol"]).unwrap();
        seen.push(suite);
        let (alice, bob) = (secret(vector, "initiator_static"), secret(vector, "responder_static"));
        let (message1, message2) = (&vector["message1"], &vector["message2"]);

        let mut initiator = initialized(vector, suite);
        let ephemeral = Ephemeral::of(secret(vector, "initiator_ephemeral"), None);
        let payload = field(message1, "payload");
        let sent = write_message1(&mut initiator, &alice, &bob.public(), &ephemeral, &payload).unwrap();
        assert_eq!(sent, field(message1, "bytes"));

        let mut responder = initialized(vector, suite);
        let (remote, read) = read_message1(&mut responder, suite, &bob, &alice.public(), &sent).unwrap();
        assert_eq!(read, payload);
        let payload = field(message2, "payload");
        let responders = secret(vector, "responder_ephemeral");
        let sent =
            write_message2(&mut responder, &alice.public(), &remote, &responders, &payload, &mut rng(0))
                .unwrap();
        assert_eq!(sent, field(message2, "bytes"));
        assert_eq!(read_message2(&mut initiator, &alice, &ephemeral, &sent).unwrap(), payload);

        for state in [initiator, responder] {
            let (hash, k1, k2) = state.split();
            if let Some(expected) = vector["handshake_hash"].as_str() {
                assert_eq!(hash[..], hex(expected));
            }
            opens(suite, &k1, &vector["transport_k1"]);
            opens(suite, &k2, &vector["transport_k2"]);
        }
    }
    for suite in [Suite::KkChaChaPoly, Suite::KkAesGcm] {
        assert_eq!(seen.iter().filter(|known| **known == suite).count(), 2);
    }
}
