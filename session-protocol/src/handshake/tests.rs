//! The handshake's own rules, in every suite. Interoperation with another Noise implementation is in
//! `tests/noise_oracle.rs`, published vectors are in `vectors.rs`.

use super::*;
use crate::testing::{PROLOGUE, alice, bob, established_of, params_of, rng};

fn message1(suite: Suite) -> (Initiator, Vec<u8>) {
    let (alice, remote) = (alice(), bob().public());
    Initiator::start(params_of(suite, &alice, &remote, Limits::default()), &mut rng(1)).unwrap()
}

fn answer(suite: Suite, message1: &[u8]) -> Result<(Established, Vec<u8>), HandshakeError> {
    let (bob, remote) = (bob(), alice().public());
    Responder::answer(params_of(suite, &bob, &remote, Limits::default()), message1, &mut rng(2))
}

fn is_dropped(error: &HandshakeError) -> bool {
    matches!(error, HandshakeError::Authentication | HandshakeError::Length { .. })
}

#[test]
fn both_ends_agree_on_everything() {
    for suite in Suite::ALL {
        let (a, b) = established_of(suite, &Limits::default());
        assert_eq!((a.role(), b.role()), (Role::Initiator, Role::Responder));
        assert_eq!((a.suite(), b.suite()), (suite, suite));
        assert_eq!(a.sid(), b.sid());
        assert_eq!(a.transcript_hash(), b.transcript_hash());
        assert_eq!(a.cids(), b.peer().cids);
        assert_eq!(b.cids(), a.peer().cids);
        let mut keys = [[0; 64]; 2];
        a.export(b"label", b"context", &mut keys[0]).unwrap();
        b.export(b"label", b"context", &mut keys[1]).unwrap();
        assert_eq!(keys[0], keys[1]);
        assert_eq!(a.export(b"", b"", &mut [0; 8161]), Err(crate::ExportError));
    }
}

/// The same static and ephemeral X25519 keys give four different sessions.
#[test]
fn suites_share_nothing() {
    let sids = Suite::ALL.map(|suite| established_of(suite, &Limits::default()).0.sid());
    for (i, sid) in sids.iter().enumerate() {
        assert!(sids.iter().skip(i + 1).all(|other| other != sid));
    }
}

#[test]
fn hs_02_messages_have_the_lengths_of_the_specification() {
    for (suite, lengths) in Suite::ALL.into_iter().zip([[48_usize, 48], [48, 48], [1248, 1152], [1248, 1152]])
    {
        let (initiator, message1) = message1(suite);
        let hello = initiator.hello.encode().unwrap().len();
        let (_, message2) = answer(suite, &message1).unwrap();
        assert_eq!([message1.len(), message2.len()], lengths.map(|length| length + hello), "{suite:?}");
    }
}

/// Decides HS-06.
#[test]
fn two_handshakes_share_nothing() {
    let (alice, bob) = (alice(), bob());
    let (alice_public, bob_public) = (alice.public(), bob.public());
    for suite in Suite::ALL {
        let mut sids = Vec::new();
        for (a, b) in [(1, 2), (1, 3), (4, 2)] {
            let to_bob = params_of(suite, &alice, &bob_public, Limits::default());
            let (_, message1) = Initiator::start(to_bob, &mut rng(a)).unwrap();
            let to_alice = params_of(suite, &bob, &alice_public, Limits::default());
            sids.push(Responder::answer(to_alice, &message1, &mut rng(b)).unwrap().0.sid());
        }
        assert!(sids[0] != sids[1] && sids[0] != sids[2] && sids[1] != sids[2]);
    }
}

#[test]
fn hs_05_message_2_that_fails_leaves_the_initiator_as_it_was() {
    for suite in Suite::ALL {
        let (mut initiator, message1) = message1(suite);
        let (responder, message2) = answer(suite, &message1).unwrap();
        for length in 0..message2.len() {
            let rejected = initiator.finish(&message2[..length]).unwrap_err();
            assert!(is_dropped(&rejected.error));
            initiator = rejected.initiator;
        }
        for index in 0..message2.len() {
            let mut tampered = message2.clone();
            tampered[index] ^= 0x40;
            let rejected = initiator.finish(&tampered).unwrap_err();
            assert_eq!(rejected.error, HandshakeError::Authentication, "byte {index}");
            initiator = rejected.initiator;
        }
        let too_long = [0; MAX_HANDSHAKE_MESSAGE + 1];
        for garbage in [&message1[..], &[message2.clone(), vec![0]].concat(), &too_long] {
            initiator = initiator.finish(garbage).unwrap_err().initiator;
        }
        assert_eq!(initiator.finish(&message2).unwrap().sid(), responder.sid());
    }
}

#[test]
fn message_1_that_was_changed_is_refused() {
    for suite in Suite::ALL {
        let (_, message1) = message1(suite);
        for index in 0..message1.len() {
            let mut tampered = message1.clone();
            tampered[index] ^= 1;
            assert_eq!(answer(suite, &tampered).unwrap_err(), HandshakeError::Authentication, "byte {index}");
            assert!(is_dropped(&answer(suite, &message1[..index]).unwrap_err()));
        }
        assert!(answer(suite, &[&message1[..], &[0]].concat()).is_err());
        assert_eq!(answer(suite, &[0; 4097]).unwrap_err(), HandshakeError::Length { length: 4097 });
    }
}

/// No message of one suite means anything in another.
#[test]
fn hs_01_the_suite_is_bound() {
    for ours in Suite::ALL {
        let (_, message) = message1(ours);
        for theirs in Suite::ALL.into_iter().filter(|theirs| *theirs != ours) {
            assert!(is_dropped(&answer(theirs, &message).unwrap_err()), "{ours:?} {theirs:?}");
            let (_, message2) = answer(theirs, &message1(theirs).1).unwrap();
            assert!(is_dropped(&message1(ours).0.finish(&message2).unwrap_err().error));
        }
    }
}

#[test]
fn hs_01_every_prologue_byte_and_both_statics_are_bound() {
    let (bob, alice_public) = (bob(), alice().public());
    let eve = StaticSecret::from_bytes([0xee; 32]);
    let eve_public = eve.public();
    for suite in Suite::ALL {
        let (_, message1) = message1(suite);
        for prologue in [&b"prologuf"[..], b"prologu", b"prologue\0", b""] {
            let changed = Params { prologue, ..params_of(suite, &bob, &alice_public, Limits::default()) };
            let error = Responder::answer(changed, &message1, &mut rng(2)).unwrap_err();
            assert_eq!(error, HandshakeError::Authentication);
        }
        let expects_eve = params_of(suite, &bob, &eve_public, Limits::default());
        assert!(Responder::answer(expects_eve, &message1, &mut rng(2)).is_err());
        let is_eve = params_of(suite, &eve, &alice_public, Limits::default());
        assert!(Responder::answer(is_eve, &message1, &mut rng(2)).is_err());
    }
    assert_eq!(PROLOGUE, b"prologue");
}

#[test]
fn hs_08_refuses_a_peer_with_our_own_key_in_any_encoding() {
    let alice = alice();
    let mut bytes = *alice.public().as_bytes();
    for (bit, suite) in [0, 0x80].into_iter().flat_map(|bit| Suite::ALL.map(|suite| (bit, suite))) {
        bytes[31] |= bit;
        let remote = StaticPublic::from_bytes(bytes);
        let own = || params_of(suite, &alice, &remote, Limits::default());
        assert_eq!(Initiator::start(own(), &mut rng(1)).unwrap_err(), HandshakeError::SameStatic);
        assert_eq!(
            Responder::answer(own(), &[0; 2000], &mut rng(1)).unwrap_err(),
            HandshakeError::SameStatic
        );
    }
}

/// Points whose product with any clamped secret is zero: 0, 1, the two of order 8, and p - 1, p, p + 1.
fn low_order() -> Vec<[u8; 32]> {
    let order_8 = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    let mut one = [0; 32];
    one[0] = 1;
    let rest = order_8.map(|text| crate::testing::hex(text).try_into().unwrap());
    [[0; 32], one].into_iter().chain(rest).collect()
}

#[test]
fn hs_09_refuses_low_order_statics_and_ephemerals() {
    let (alice, bob) = (alice(), bob());
    for suite in Suite::ALL {
        let (mut initiator, message1) = message1(suite);
        let (_, message2) = answer(suite, &message1).unwrap();
        for point in low_order() {
            let low = StaticPublic::from_bytes(point);
            let to_low = params_of(suite, &alice, &low, Limits::default());
            assert_eq!(Initiator::start(to_low, &mut rng(1)).unwrap_err(), HandshakeError::Authentication);
            let from_low = params_of(suite, &bob, &low, Limits::default());
            let error = Responder::answer(from_low, &message1, &mut rng(1)).unwrap_err();
            assert_eq!(error, HandshakeError::Authentication);
            let mut changed = message1.clone();
            changed[..32].copy_from_slice(&point);
            assert_eq!(answer(suite, &changed).unwrap_err(), HandshakeError::Authentication);
            let mut changed = message2.clone();
            changed[..32].copy_from_slice(&point);
            let rejected = initiator.finish(&changed).unwrap_err();
            assert_eq!(rejected.error, HandshakeError::Authentication);
            initiator = rejected.initiator;
        }
    }
}

/// A key that is none, made by an initiator that authenticates: only the check of FIPS 203 is left to refuse it.
#[test]
fn hs_14_an_encapsulation_key_beyond_the_modulus_is_refused() {
    let (alice, bob) = (alice(), bob());
    let (alice_public, bob_public) = (alice.public(), bob.public());
    for suite in [Suite::KkHfsChaChaPoly, Suite::KkHfsAesGcm] {
        for (first_bytes, is_fine) in [([0x00, 0x0d], true), ([0x01, 0x0d], false), ([0xff, 0xff], false)] {
            let to_bob = params_of(suite, &alice, &bob_public, Limits::default());
            let mut state = initialize(to_bob.suite, to_bob.prologue, &alice_public, &bob_public);
            let ephemeral = StaticSecret::generate(&mut rng(5));
            let hello = own_hello(&Limits::default(), None, &mut rng(6)).encode().unwrap();
            let mut key = crate::kem::DecapsulationKey::generate(&mut rng(7)).public();
            // 3328, 3329 and 4095 as the first of the numbers.
            key[0] = first_bytes[0];
            key[1] = key[1] & 0xf0 | first_bytes[1] & 0x0f;
            let mut message1 = ephemeral.public().as_bytes().to_vec();
            state.mix_hash(ephemeral.public().as_bytes());
            state.mix_key(&ephemeral.diffie_hellman(&bob_public).unwrap());
            message1.append(&mut state.encrypt_and_hash(&key).unwrap());
            state.mix_key(&alice.diffie_hellman(&bob_public).unwrap());
            message1.append(&mut state.encrypt_and_hash(&hello).unwrap());
            assert_eq!(answer(suite, &message1).is_ok(), is_fine, "{suite:?} {first_bytes:?}");
        }
    }
}

/// A ciphertext that authenticates but was made for nobody: the secret differs, so the payload does not open.
#[test]
fn hs_14_a_foreign_ciphertext_is_found_out_by_the_payload() {
    let (alice, bob) = (alice(), bob());
    for suite in [Suite::KkHfsChaChaPoly, Suite::KkHfsAesGcm] {
        let (initiator, message1) = message1(suite);
        let (alice_public, bob_public) = (alice.public(), bob.public());
        let to_alice = params_of(suite, &bob, &alice_public, Limits::default());
        let mut state = initialize(to_alice.suite, to_alice.prologue, &alice_public, &bob_public);
        pattern::read_message1(&mut state, suite, &bob, &alice_public, &message1).unwrap();
        let ephemeral = StaticSecret::generate(&mut rng(9));
        let alice_e = StaticPublic::from_bytes(*message1.first_chunk().unwrap());
        let mut message2 = ephemeral.public().as_bytes().to_vec();
        state.mix_hash(ephemeral.public().as_bytes());
        state.mix_key(&ephemeral.diffie_hellman(&alice_e).unwrap());
        message2.append(&mut state.encrypt_and_hash(&[7; crate::kem::CIPHERTEXT_LEN]).unwrap());
        state.mix_key(&[7; 32]);
        state.mix_key(&ephemeral.diffie_hellman(&alice_public).unwrap());
        let hello = own_hello(&Limits::default(), None, &mut rng(6)).encode().unwrap();
        message2.append(&mut state.encrypt_and_hash(&hello).unwrap());
        assert_eq!(initiator.finish(&message2).unwrap_err().error, HandshakeError::Authentication);
    }
}

#[test]
fn hs_15_each_attempt_takes_fresh_keys() {
    for suite in [Suite::KkHfsChaChaPoly, Suite::KkHfsAesGcm] {
        let (alice, remote) = (alice(), bob().public());
        let mut rng = rng(1);
        let mut publics = Vec::new();
        for _ in 0..2 {
            let to_bob = params_of(suite, &alice, &remote, Limits::default());
            let (_, message1) = Initiator::start(to_bob, &mut rng).unwrap();
            publics.push(message1[..32 + crate::kem::KEY_LEN].to_vec());
        }
        assert!(publics[0][..32] != publics[1][..32] && publics[0][32..] != publics[1][32..]);
    }
}

/// What a side reads of its generator, in which order: whoever makes vectors relies on it.
#[test]
fn randomness_is_taken_in_the_documented_order() {
    let (alice, bob) = (alice(), bob());
    let (alice_public, bob_public) = (alice.public(), bob.public());
    for suite in Suite::ALL {
        let (initiators, responders) = if suite.is_post_quantum() { (128, 96) } else { (64, 64) };
        let to_bob = params_of(suite, &alice, &bob_public, Limits::default());
        // Equal tokens are not a hello, so the first 32 bytes differ.
        let tokens: Vec<u8> = (0..32).collect();
        let rest = vec![0x11; initiators - 32];
        let mut given = crate::testing::Given::new(&[&tokens[..], &rest].concat());
        let (initiator, message1) = Initiator::start(to_bob, &mut given).unwrap();
        assert!(given.is_used_up());
        assert_eq!(initiator.cids().concat(), tokens);
        assert_eq!(message1[..32], *StaticSecret::from_bytes([0x11; 32]).public().as_bytes());
        let to_alice = params_of(suite, &bob, &alice_public, Limits::default());
        let rest = vec![0x22; responders - 32];
        let mut given = crate::testing::Given::new(&[&tokens[..], &rest].concat());
        let (responder, message2) = Responder::answer(to_alice, &message1, &mut given).unwrap();
        assert!(given.is_used_up());
        assert_eq!(message2[..32], *StaticSecret::from_bytes([0x22; 32]).public().as_bytes());
        assert_eq!(initiator.finish(&message2).unwrap().sid(), responder.sid());
    }
}

/// A message 2 that authenticates but holds a hello nobody can use.
#[test]
fn a_malformed_hello_of_an_authenticated_peer_is_told_apart() {
    let (bob, alice_public) = (bob(), alice().public());
    for suite in Suite::ALL {
        let (initiator, message1) = message1(suite);
        let to_alice = params_of(suite, &bob, &alice_public, Limits::default());
        let mut state = initialize(to_alice.suite, to_alice.prologue, &alice_public, &bob.public());
        let (remote, _) = pattern::read_message1(&mut state, suite, &bob, &alice_public, &message1).unwrap();
        let ephemeral = StaticSecret::generate(&mut rng(9));
        let message2 =
            pattern::write_message2(&mut state, &alice_public, &remote, &ephemeral, &[2], &mut rng(8))
                .unwrap();
        let rejected = initiator.finish(&message2).unwrap_err();
        assert_eq!(rejected.error, HandshakeError::Hello(crate::HelloError::Version { version: 2 }));
    }
}

#[test]
fn prev_sid_travels_both_ways() {
    let (alice, bob) = (alice(), bob());
    let (alice_public, bob_public) = (alice.public(), bob.public());
    for suite in Suite::ALL {
        let to_bob = params_of(suite, &alice, &bob_public, Limits::default());
        let (initiator, message1) = Initiator::start_beside(to_bob, [7; 32], &mut rng(1)).unwrap();
        let to_alice = params_of(suite, &bob, &alice_public, Limits::default());
        let (responder, message2) =
            Responder::answer_beside(to_alice, [8; 32], &message1, &mut rng(2)).unwrap();
        assert_eq!(responder.peer().prev_sid, Some([7; 32]));
        assert_eq!(initiator.finish(&message2).unwrap().peer().prev_sid, Some([8; 32]));
    }
}

#[test]
fn limits_out_of_range_are_refused() {
    let (alice, remote) = (alice(), bob().public());
    let limits = Limits { record_size: 10, ..Limits::default() };
    let params = params_of(Suite::KkChaChaPoly, &alice, &remote, limits);
    assert_eq!(Initiator::start(params, &mut rng(1)).unwrap_err(), HandshakeError::Limits);
}

#[test]
fn debug_shows_no_secret() {
    for suite in Suite::ALL {
        let (initiator, _) = message1(suite);
        let shown = format!("{initiator:?}");
        assert!(shown.starts_with("Initiator { hello: ") && shown.ends_with(", .. }"), "{shown}");
        let (a, _) = established_of(suite, &Limits::default());
        assert_eq!(format!("{a:?}"), "Established { role: Initiator, .. }");
    }
}
