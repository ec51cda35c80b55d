//! Vectors with fixed ephemeral keys: the published ones of Noise KK, `spec/vectors/noise/noise-kk.json`, and those of the
//! reference, `spec/vectors/session/handshake-N.json` for each suite.
//!
//! Their prologues are those of real builds, so a build with `null-cipher` does not run them.
#![cfg(not(feature = "null-cipher"))]

use serde_json::Value;

use super::pattern::{Ephemeral, read_message1, read_message2, write_message1, write_message2};
use super::{Binding, Initiator, Responder};
use crate::{
    HandshakeError, Hello, Limits, Params, StaticPublic, StaticSecret, Suite,
    aead::{Aead as _, Portable},
    kem::DecapsulationKey,
    noise::{SplitKey, SymmetricState},
    testing::{Given, hex, rng},
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
        serde_json::from_str(include_str!("../../../spec/vectors/noise/noise-kk.json")).unwrap();
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

const REFERENCE: [&str; 4] = [
    include_str!("../../../spec/vectors/session/handshake-1.json"),
    include_str!("../../../spec/vectors/session/handshake-2.json"),
    include_str!("../../../spec/vectors/session/handshake-3.json"),
    include_str!("../../../spec/vectors/session/handshake-4.json"),
];

/// One case of the reference: both parties' keys, and what is random.
struct Case<'a> {
    suite: Suite,
    vector: &'a Value,
    alice: StaticSecret,
    bob: StaticSecret,
}

impl<'a> Case<'a> {
    fn new(suite: Suite, vector: &'a Value) -> Self {
        let (alice, bob) = (
            secret(&vector["initiator"]["static"], "private"),
            secret(&vector["responder"]["static"], "private"),
        );
        Self { suite, vector, alice, bob }
    }

    fn state(&self) -> SymmetricState {
        let mut state = SymmetricState::new(self.suite, &field(self.vector, "prologue"));
        state.mix_hash(self.alice.public().as_bytes());
        state.mix_hash(self.bob.public().as_bytes());
        state
    }

    fn ephemeral(&self) -> Ephemeral {
        let dh = secret(&self.vector["initiator"]["ephemeral"], "private");
        let is_hybrid = self.suite.is_post_quantum();
        let kem = is_hybrid
            .then(|| DecapsulationKey::generate(&mut Given::new(&field(&self.vector["kem"], "seed"))));
        Ephemeral::of(dh, kem)
    }

    fn hello(&self, of: &str) -> Vec<u8> {
        field(&self.vector[of]["hello"], "encoded")
    }

    /// The initiator that waits for message 2.
    fn waiting(&self) -> Initiator {
        let (mut state, ephemeral) = (self.state(), self.ephemeral());
        let hello = self.hello("initiator");
        write_message1(&mut state, &self.alice, &self.bob.public(), &ephemeral, &hello).unwrap();
        let hello = Hello::decode(&hello).unwrap();
        let local = self.alice.duplicate();
        let binding = Binding {
            suite: self.suite,
            prologue: field(self.vector, "prologue"),
            local: local.public(),
            remote: self.bob.public(),
        };
        Initiator { state, ephemeral, local, hello, limits: Limits::default(), binding }
    }

    fn answer(&self, prologue: &[u8], message1: &[u8]) -> Result<(), HandshakeError> {
        let (suite, remote, limits) = (self.suite, self.alice.public(), Limits::default());
        let params = Params { suite, local: &self.bob, remote: &remote, prologue, limits };
        Responder::answer(params, message1, &mut rng(1)).map(|_| ())
    }
}

#[test]
fn hs_02_agrees_with_the_reference() {
    for (suite, text) in Suite::ALL.into_iter().zip(REFERENCE) {
        let file: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            (file["suite"].as_u64(), &file["protocol"]),
            (Some(suite.id().into()), &suite.noise_name().into())
        );
        for vector in file["cases"].as_array().unwrap() {
            let case = Case::new(suite, vector);
            let mut initiator = case.state();
            let (ephemeral, hello) = (case.ephemeral(), case.hello("initiator"));
            let sent =
                write_message1(&mut initiator, &case.alice, &case.bob.public(), &ephemeral, &hello).unwrap();
            assert!(sent == field(vector, "message_1"), "{suite:?} {}", vector["name"]);

            let mut responder = case.state();
            let (remote, read) =
                read_message1(&mut responder, suite, &case.bob, &case.alice.public(), &sent).unwrap();
            assert_eq!(read, hello);
            let (dh, hello) = (secret(&vector["responder"]["ephemeral"], "private"), case.hello("responder"));
            let m = vector["kem"]["randomness"].as_str().map(hex).unwrap_or_default();
            let alice = case.alice.public();
            let sent =
                write_message2(&mut responder, &alice, &remote, &dh, &hello, &mut Given::new(&m)).unwrap();
            assert!(sent == field(vector, "message_2"), "{suite:?} {}", vector["name"]);
            assert_eq!(read_message2(&mut initiator, &case.alice, &ephemeral, &sent).unwrap(), hello);
            assert_eq!(case.waiting().finish(&sent).unwrap().transcript_hash()[..], field(vector, "h"));

            for state in [initiator, responder] {
                let (hash, k1, k2) = state.split();
                assert_eq!(hash[..], field(vector, "h"));
                assert_eq!(k1.expose()[..], field(vector, "k1"));
                assert_eq!(k2.expose()[..], field(vector, "k2"));
            }
        }
    }
}

/// What the reference refuses, as a reader in the first case of its suite: changed and cut messages, low-order points, keys of
/// ML-KEM that are none, malformed hellos, other prologues, our own key.
#[test]
fn hs_01_hs_02_hs_07_hs_08_hs_09_hs_12_hs_14_what_the_reference_refuses_is_refused() {
    for (suite, text) in Suite::ALL.into_iter().zip(REFERENCE) {
        let file: Value = serde_json::from_str(text).unwrap();
        let case = Case::new(suite, &file["cases"][0]);
        let prologue = field(case.vector, "prologue");
        assert_eq!(case.answer(&prologue, &field(case.vector, "message_1")), Ok(()));
        let mut waiting = case.waiting();
        for refused in file["must_fail"]["messages"].as_array().unwrap() {
            let bytes = field(refused, "bytes");
            if refused["message"] == 1 {
                assert!(case.answer(&prologue, &bytes).is_err(), "{suite:?} {}", refused["name"]);
            } else {
                waiting = waiting.finish(&bytes).expect_err("must fail").initiator;
            }
        }
        waiting.finish(&field(case.vector, "message_2")).unwrap();
        for other in file["must_fail"]["prologues"].as_array().unwrap() {
            assert!(
                case.answer(&field(other, "prologue"), &field(other, "bytes")).is_err(),
                "{}",
                other["name"]
            );
        }
        for own in file["must_fail"]["static_keys"].as_array().unwrap() {
            let remote = StaticPublic::from_bytes(field(own, "bytes").try_into().unwrap());
            let limits = Limits::default();
            let params = Params { suite, local: &case.alice, remote: &remote, prologue: &prologue, limits };
            assert_eq!(Initiator::start(params, &mut rng(1)).unwrap_err(), HandshakeError::SameStatic);
        }
    }
}
