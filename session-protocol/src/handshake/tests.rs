//! The handshake's own rules. Interoperation with another Noise implementation is in `tests/noise_oracle.rs`.

use super::*;
use crate::testing::{PROLOGUE, alice, bob, established, params, rng};

fn message1() -> (Initiator, Vec<u8>) {
    let (alice, remote) = (alice(), bob().public());
    Initiator::start(params(&alice, &remote, Limits::default()), &mut rng(1)).unwrap()
}

fn answer(message1: &[u8]) -> Result<(Established, Vec<u8>), HandshakeError> {
    let (bob, remote) = (bob(), alice().public());
    Responder::answer(params(&bob, &remote, Limits::default()), message1, &mut rng(2))
}

#[test]
fn both_ends_agree_on_everything() {
    let (a, b) = established(&Limits::default());
    assert_eq!((a.role(), b.role()), (Role::Initiator, Role::Responder));
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

#[test]
fn two_handshakes_share_nothing() {
    let (alice, bob) = (alice(), bob());
    let (alice_public, bob_public) = (alice.public(), bob.public());
    let sids: Vec<_> = [(1, 2), (1, 3), (4, 2)]
        .into_iter()
        .map(|(a, b)| {
            let (_, message1) =
                Initiator::start(params(&alice, &bob_public, Limits::default()), &mut rng(a)).unwrap();
            let to_alice = params(&bob, &alice_public, Limits::default());
            Responder::answer(to_alice, &message1, &mut rng(b)).unwrap().0.sid()
        })
        .collect();
    assert!(sids[0] != sids[1] && sids[0] != sids[2] && sids[1] != sids[2]);
}

#[test]
fn hs_05_message_2_that_fails_leaves_the_initiator_as_it_was() {
    let (mut initiator, message1) = message1();
    let (responder, message2) = answer(&message1).unwrap();
    for length in 0..message2.len() {
        let rejected = initiator.finish(&message2[..length]).unwrap_err();
        initiator = rejected.initiator;
    }
    for index in 0..message2.len() {
        let mut tampered = message2.clone();
        tampered[index] ^= 0x40;
        let rejected = initiator.finish(&tampered).unwrap_err();
        assert_eq!(rejected.error, HandshakeError::Authentication, "byte {index}");
        initiator = rejected.initiator;
    }
    for garbage in [&message1[..], &[message2.clone(), vec![0]].concat(), &[0; MAX_HANDSHAKE_MESSAGE + 1]] {
        initiator = initiator.finish(garbage).unwrap_err().initiator;
    }
    assert_eq!(initiator.finish(&message2).unwrap().sid(), responder.sid());
}

#[test]
fn message_1_that_was_changed_is_refused() {
    let (_, message1) = message1();
    for index in 0..message1.len() {
        let mut tampered = message1.clone();
        tampered[index] ^= 1;
        assert_eq!(answer(&tampered).unwrap_err(), HandshakeError::Authentication, "byte {index}");
        let error = answer(&message1[..index]).unwrap_err();
        assert!(matches!(error, HandshakeError::Authentication | HandshakeError::Length { .. }));
    }
    assert!(answer(&[&message1[..], &[0]].concat()).is_err());
    assert_eq!(answer(&[0; 4097]).unwrap_err(), HandshakeError::Length { length: 4097 });
}

#[test]
fn hs_01_every_prologue_byte_and_both_statics_are_bound() {
    let (_, message1) = message1();
    let (bob, alice_public) = (bob(), alice().public());
    for prologue in [&b"prologuf"[..], b"prologu", b"prologue\0", b""] {
        let changed = Params { prologue, ..params(&bob, &alice_public, Limits::default()) };
        let error = Responder::answer(changed, &message1, &mut rng(2)).unwrap_err();
        assert_eq!(error, HandshakeError::Authentication);
    }
    let eve = StaticSecret::from_bytes([0xee; 32]);
    let eve_public = eve.public();
    let expects_eve = params(&bob, &eve_public, Limits::default());
    assert!(Responder::answer(expects_eve, &message1, &mut rng(2)).is_err());
    let is_eve = params(&eve, &alice_public, Limits::default());
    assert!(Responder::answer(is_eve, &message1, &mut rng(2)).is_err());
    assert_eq!(PROLOGUE, b"prologue");
}

#[test]
fn hs_08_refuses_a_peer_with_our_own_key_in_any_encoding() {
    let alice = alice();
    let mut bytes = *alice.public().as_bytes();
    for bit in [0, 0x80] {
        bytes[31] |= bit;
        let remote = StaticPublic::from_bytes(bytes);
        let own = || params(&alice, &remote, Limits::default());
        assert_eq!(Initiator::start(own(), &mut rng(1)).unwrap_err(), HandshakeError::SameStatic);
        assert_eq!(Responder::answer(own(), &[0; 80], &mut rng(1)).unwrap_err(), HandshakeError::SameStatic);
    }
}

#[test]
fn hs_09_refuses_low_order_statics_and_ephemerals() {
    let (alice, bob) = (alice(), bob());
    let low = StaticPublic::from_bytes([0; 32]);
    let error = Initiator::start(params(&alice, &low, Limits::default()), &mut rng(1)).unwrap_err();
    assert_eq!(error, HandshakeError::Authentication);
    let error =
        Responder::answer(params(&bob, &low, Limits::default()), &message1().1, &mut rng(1)).unwrap_err();
    assert_eq!(error, HandshakeError::Authentication);
    let (initiator, mut message1) = message1();
    message1[..32].fill(0);
    assert_eq!(answer(&message1).unwrap_err(), HandshakeError::Authentication);
    assert_eq!(initiator.finish(&[0; 100]).unwrap_err().error, HandshakeError::Authentication);
}

/// A message 2 that authenticates but holds a hello nobody can use.
#[test]
fn a_malformed_hello_of_an_authenticated_peer_is_told_apart() {
    let (initiator, message1) = message1();
    let (bob, alice_public) = (bob(), alice().public());
    let to_alice = params(&bob, &alice_public, Limits::default());
    let mut state = initialize(&to_alice, &alice_public, &bob.public());
    let (e, payload) = split_ephemeral(&message1).unwrap();
    pattern::read_message1(&mut state, &bob, &alice_public, &e, payload).unwrap();
    let ephemeral = StaticSecret::generate(&mut rng(9));
    let message2 = pattern::write_message2(&mut state, &alice_public, &e, &ephemeral, &[2]).unwrap();
    let rejected = initiator.finish(&message2).unwrap_err();
    assert_eq!(rejected.error, HandshakeError::Hello(crate::HelloError::Version { version: 2 }));
}

#[test]
fn prev_sid_travels_both_ways() {
    let (alice, bob) = (alice(), bob());
    let (alice_public, bob_public) = (alice.public(), bob.public());
    let to_bob = params(&alice, &bob_public, Limits::default());
    let (initiator, message1) = Initiator::start_beside(to_bob, [7; 32], &mut rng(1)).unwrap();
    let to_alice = params(&bob, &alice_public, Limits::default());
    let (responder, message2) = Responder::answer_beside(to_alice, [8; 32], &message1, &mut rng(2)).unwrap();
    assert_eq!(responder.peer().prev_sid, Some([7; 32]));
    assert_eq!(initiator.finish(&message2).unwrap().peer().prev_sid, Some([8; 32]));
}

#[test]
fn limits_out_of_range_are_refused() {
    let (alice, remote) = (alice(), bob().public());
    let limits = Limits { record_size: 10, ..Limits::default() };
    let error = Initiator::start(params(&alice, &remote, limits), &mut rng(1)).unwrap_err();
    assert_eq!(error, HandshakeError::Limits);
}

#[test]
fn debug_shows_no_secret() {
    let (initiator, _) = message1();
    let shown = format!("{initiator:?}");
    assert!(shown.starts_with("Initiator { hello: ") && shown.ends_with(", .. }"), "{shown}");
    let (a, _) = established(&Limits::default());
    assert_eq!(format!("{a:?}"), "Established { role: Initiator, .. }");
}
