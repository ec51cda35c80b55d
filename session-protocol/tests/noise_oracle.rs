//! The handshake against `snow`, another implementation of the Noise Protocol Framework, in both roles and every suite. In
//! the hybrid suites `snow` computes with an ML-KEM of other people too.
//!
//! A build with `null-cipher` has another prologue on purpose; `tests/null_cipher.rs` looks at it.
#![cfg(not(feature = "null-cipher"))]
#![allow(clippy::as_conversions, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(unreachable_pub)]

mod oracle;

use didagent_session::{Hello, Initiator, Limits, Params, Responder, StaticSecret, Suite};
use oracle::snow;
use proptest::prelude::*;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

fn hello(seed: u8) -> Hello {
    Hello {
        cids: vec![[seed; 8]],
        max_record: 4096,
        stream_window: 77,
        prev_sid: Some([seed; 32]),
        extensions: Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn hs_02_as_initiator(
        our_bytes: [u8; 32], their_bytes: [u8; 32], seed: u64,
        prologue in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        prop_assume!(our_bytes != their_bytes);
        let (ours, public) = (StaticSecret::from_bytes(our_bytes), StaticSecret::from_bytes(their_bytes).public());
        for suite in Suite::ALL {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let params = Params {
                suite, local: &ours, remote: &public, prologue: &prologue, limits: Limits::default(),
            };
            let (initiator, message1) = Initiator::start(params, &mut rng).unwrap();

            let mut snow = snow(suite, &their_bytes, ours.public().as_bytes(), &prologue, false);
            let (mut payload, mut message2) = ([0; 4096], [0; 4096]);
            let length = snow.read_message(&message1, &mut payload).unwrap();
            prop_assert_eq!(&Hello::decode(&payload[..length]).unwrap().cids[..], initiator.cids());
            let length = snow.write_message(&hello(5).encode().unwrap(), &mut message2).unwrap();

            let established = initiator.finish(&message2[..length]).unwrap();
            prop_assert_eq!(established.peer(), &hello(5));
            prop_assert_eq!(&established.transcript_hash()[..], snow.get_handshake_hash());
        }
    }

    #[test]
    fn hs_02_as_responder(
        our_bytes: [u8; 32], their_bytes: [u8; 32], seed: u64,
        prologue in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        prop_assume!(our_bytes != their_bytes);
        let (ours, public) = (StaticSecret::from_bytes(our_bytes), StaticSecret::from_bytes(their_bytes).public());
        for suite in Suite::ALL {
            let mut snow = snow(suite, &their_bytes, ours.public().as_bytes(), &prologue, true);
            let (mut payload, mut message1) = ([0; 4096], [0; 4096]);
            let length = snow.write_message(&hello(6).encode().unwrap(), &mut message1).unwrap();

            let params = Params {
                suite, local: &ours, remote: &public, prologue: &prologue, limits: Limits::default(),
            };
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let (established, message2) = Responder::answer(params, &message1[..length], &mut rng).unwrap();
            prop_assert_eq!(established.peer(), &hello(6));

            let length = snow.read_message(&message2, &mut payload).unwrap();
            prop_assert_eq!(&Hello::decode(&payload[..length]).unwrap().cids[..], established.cids());
            prop_assert_eq!(&established.transcript_hash()[..], snow.get_handshake_hash());
        }
    }
}

/// The key schedule from `snow`'s Split, so that `k1 || k2` and its order are checked too.
/// Decides HS-11.
#[test]
fn se_01_the_schedule_starts_from_the_split_of_noise() {
    let (ours, secret) = (StaticSecret::from_bytes([1; 32]), [2; 32]);
    let remote = StaticSecret::from_bytes(secret).public();
    for suite in Suite::ALL {
        let params =
            Params { suite, local: &ours, remote: &remote, prologue: b"", limits: Limits::default() };
        let (initiator, message1) = Initiator::start(params, &mut ChaCha20Rng::seed_from_u64(3)).unwrap();
        let mut snow = snow(suite, &secret, ours.public().as_bytes(), b"", false);
        let mut buffer = [0; 4096];
        snow.read_message(&message1, &mut buffer).unwrap();
        let length = snow.write_message(&hello(1).encode().unwrap(), &mut buffer).unwrap();
        let established = initiator.finish(&buffer[..length]).unwrap();

        let (k1, k2) = snow.dangerously_get_raw_split();
        let hash = snow.get_handshake_hash();
        let hkdf = hkdf::Hkdf::<sha2::Sha256>::new(Some(hash), &[k1, k2].concat());
        let mut sid = [0; 32];
        hkdf.expand(&[&b"didagent-session/1 sid"[..], hash].concat(), &mut sid).unwrap();
        assert_eq!(established.sid(), sid);
    }
}
