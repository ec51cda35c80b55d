//! Handshakes inside a session: who may begin, what they are bound to, what is refused.

use crate::{
    Event, Limits, RehandshakeError, SessionError, StaticSecret, Suite,
    frame::Frame,
    session::{
        Session, close,
        epochs::tests::{Two, limits, peek},
        tests::{give, transmit},
    },
    testing::{alice, bob},
};
use std::time::Duration;

const REFUSED: Result<(), SessionError> = Err(SessionError::Violation { code: close::REHS });

fn begin(two: &mut Two) {
    two.a.rehandshake(&alice(), &bob().public()).unwrap();
}

fn answer(two: &mut Two) -> Result<(), RehandshakeError> {
    two.b.answer_rehandshake(&bob(), &alice().public())
}

#[test]
fn se_30_a_handshake_inside_begins_an_epoch_in_every_suite() {
    for suite in Suite::ALL {
        let mut two = Two::of(suite, &Limits::default());
        for epoch in 1..4 {
            begin(&mut two);
            assert!(two.settle().contains(&Event::Rehandshake));
            // SE-31: until the application brings the key, the epoch stays and data flows.
            assert_eq!(two.epochs(), [epoch - 1; 4]);
            let stream = two.a.open([1; 32]).unwrap();
            two.a.write(stream, b"meanwhile").unwrap();
            two.data.clear();
            two.settle();
            assert_eq!(two.data, b"meanwhile");
            answer(&mut two).unwrap();
            let said = two.settle().iter().filter(|event| **event == Event::Epoch(epoch)).count();
            assert_eq!((two.epochs(), said), ([epoch; 4], 2), "{suite:?}");
        }
        two.a.ratchet();
        two.settle();
        assert_eq!(two.epochs(), [4; 4]);
    }
}

/// IKM, context and prologue of section 10, from the two Noise messages with the handshake that the first one used.
#[test]
fn se_30_se_33_the_epoch_is_bound_to_session_epoch_and_root() {
    use crate::{handshake::inside, schedule};
    let mut two = Two::new(&Limits::default());
    let (root, split) = (*two.a.epochs.root_key(), *two.a.epochs.split.expose());
    begin(&mut two);
    let frames = peek(&two.b.opener, &transmit(&mut two.a, two.now).unwrap());
    assert!(frames[0].starts_with("Rehs { step: 1, epoch: 1, message: ["));
    let binding = &two.a.epochs.binding;
    let expected = [
        crate::testing::PROLOGUE,
        &[0, 0, 0, 32],
        &two.a.sid(),
        &[0, 0, 0, 4, 0, 0, 0, 1],
        &[0, 0, 0, 32],
        &split,
    ]
    .concat();
    assert_eq!(*inside::prologue(binding, &two.a.sid(), 1, &split), expected);

    let (offer, message1) =
        inside::Offer::start(binding, &expected, Box::new(alice()), &mut crate::testing::rng(9)).unwrap();
    let (message2, (hash, k1, k2)) =
        inside::answer(&two.b.epochs.binding, &expected, &bob(), &message1, &mut crate::testing::rng(8))
            .unwrap();
    let finished = offer.finish(&message2).unwrap();
    assert_eq!((finished.0, finished.1.expose(), finished.2.expose()), (hash, k1.expose(), k2.expose()));
    let agreed = super::agreed(&finished);
    assert_eq!(agreed.context, hash);
    assert_eq!(agreed.ikm.as_slice(), [*k1.expose(), *k2.expose()].concat());
    let _ = schedule::derive_next(&schedule::RootKey::take(&mut root.clone()), &agreed.ikm, &agreed.context);
}

#[test]
fn se_30_only_the_initiator_begins_and_only_with_the_keys_of_the_session() {
    let mut two = Two::new(&Limits::default());
    let (alice, bob, other) = (alice(), bob(), StaticSecret::from_bytes([9; 32]));
    let (alice_public, bob_public) = (alice.public(), bob.public());
    assert_eq!(two.b.rehandshake(&bob, &alice_public), Err(RehandshakeError::Role));
    assert_eq!(two.a.rehandshake(&other, &bob_public), Err(RehandshakeError::OtherKeys));
    assert_eq!(two.a.rehandshake(&alice, &other.public()), Err(RehandshakeError::OtherKeys));
    assert_eq!(two.b.answer_rehandshake(&bob, &alice_public), Err(RehandshakeError::NotAsked));
    two.a.rehandshake(&alice, &bob_public).unwrap();
    assert_eq!(two.a.rehandshake(&alice, &bob_public), Err(RehandshakeError::UnderWay));
    two.settle();
    assert_eq!(two.a.rehandshake(&alice, &bob_public), Err(RehandshakeError::UnderWay));
    assert_eq!(two.b.answer_rehandshake(&other, &alice_public), Err(RehandshakeError::OtherKeys));
    two.b.answer_rehandshake(&bob, &alice_public).unwrap();
    assert_eq!(two.b.answer_rehandshake(&bob, &alice_public), Err(RehandshakeError::NotAsked));
    two.settle();
    assert_eq!(two.epochs(), [1; 4]);
    two.a.close(0);
    assert_eq!(two.a.rehandshake(&alice, &bob_public), Err(RehandshakeError::Closed));
}

#[test]
fn se_30_what_comes_when_it_cannot_be_closes() {
    let step = |step, epoch, message| Frame::Rehs { step, epoch, message };
    for (frame, name) in [
        (step(0, 1, &[0; 48][..]), "no such step"),
        (step(3, 1, &[0; 48]), "no such step"),
        (step(2, 1, &[0; 48]), "an answer to nothing"),
        (step(1, 0, &[0; 48]), "this epoch"),
        (step(1, 2, &[0; 48]), "the epoch after the next"),
        (step(1, 1, &[0; 47]), "too short"),
        (step(1, 1, &[0; 49]), "a payload"),
        (step(1, 1, &[]), "empty"),
    ] {
        let mut two = Two::new(&Limits::default());
        assert_eq!(two.feed_b(&[frame]), REFUSED, "{name}");
        let mut two = Two::new(&Limits::default());
        assert_eq!(two.feed_a(&[frame]), REFUSED, "{name}");
        let mut two = Two::new(&Limits::default());
        two.a.ratchet();
        two.forth();
        assert_eq!(two.feed_a(&[frame]), REFUSED, "{name}, while a RATCHET is outstanding");
    }
    // From the responder.
    let mut two = Two::new(&Limits::default());
    assert_eq!(two.feed_a(&[step(1, 1, &[0; 48])]), REFUSED);
    // An answer for another epoch, or that is none.
    for frame in [step(2, 2, &[0; 48][..]), step(2, 1, &[0; 48]), step(2, 1, &[]), step(1, 1, &[0; 48])] {
        let mut two = Two::new(&Limits::default());
        begin(&mut two);
        two.forth();
        assert_eq!(two.feed_a(&[frame]), REFUSED);
    }
}

#[test]
fn se_30_a_message_that_does_not_authenticate_closes() {
    let mut two = Two::new(&Limits::default());
    two.feed_b(&[Frame::Rehs { step: 1, epoch: 1, message: &[7; 48] }]).unwrap();
    assert_eq!(two.b.poll_event(), Some(Event::Rehandshake));
    assert_eq!(answer(&mut two), Err(RehandshakeError::Authentication));
    let closed = |by_peer| Event::Closed { code: close::REHS, by_peer };
    assert!(two.settle().contains(&closed(false)));
    assert!(two.a.is_over() && two.b.is_over());
    assert_eq!(answer(&mut two), Err(RehandshakeError::Closed));
}

/// SE-33: ends that somebody stood between in an earlier epoch do not share its root, and find out.
#[test]
fn se_33_a_split_session_is_found_out() {
    let mut two = Two::new(&Limits::default());
    two.b.epochs.split = crate::schedule::SplitProof::take(&mut [7; 32]);
    begin(&mut two);
    two.settle();
    assert_eq!(answer(&mut two), Err(RehandshakeError::Authentication));
    assert!(two.b.is_over());
    assert_eq!(two.epochs(), [0; 4]);
}

#[test]
fn se_31_ratchet_and_handshake_are_never_outstanding_together() {
    // Wanted together, the handshake goes first, and the other wish is fulfilled by it.
    let mut two = Two::new(&Limits::default());
    two.a.ratchet();
    begin(&mut two);
    assert!(two.settle().contains(&Event::Rehandshake));
    two.b.ratchet();
    two.settle();
    // A new wish waits.
    two.a.ratchet();
    two.settle();
    assert_eq!(two.epochs(), [0; 4]);
    answer(&mut two).unwrap();
    two.settle();
    assert_eq!(two.epochs(), [2; 4]);
    // The other way round.
    two.a.ping();
    two.settle();
    two.a.ratchet();
    let offer = transmit(&mut two.a, two.now).unwrap();
    begin(&mut two);
    assert_eq!(transmit(&mut two.a, two.now), None);
    give(&mut two.b, &offer, two.now).unwrap();
    two.settle();
    assert_eq!(two.epochs(), [3; 4]);
    answer(&mut two).unwrap();
    two.settle();
    assert_eq!(two.epochs(), [4; 4]);

    // A peer that sends both is told so.
    let message = &[7; 48];
    let rehs = |epoch| Frame::Rehs { step: 1, epoch, message };
    let e = &crate::session::epochs::tests::ephemeral();
    let ratchet = Frame::Ratchet { epoch: 1, e, kem: &[] };
    let mut two = Two::new(&Limits::default());
    two.feed_b(&[rehs(1)]).unwrap();
    two.b.poll_event();
    assert_eq!(two.feed_b(&[ratchet]), Err(SessionError::Violation { code: close::RATCHET }));
    let mut two = Two::new(&Limits::default());
    two.feed_b(&[ratchet]).unwrap();
    assert_eq!(two.feed_b(&[rehs(1)]), REFUSED);
    let mut two = Two::new(&Limits::default());
    two.feed_b(&[rehs(1)]).unwrap();
    two.b.poll_event();
    assert_eq!(two.feed_b(&[rehs(1)]), REFUSED);
}

/// The keys that it keeps for the answer end with it.
#[test]
fn se_25_the_static_key_is_not_kept() {
    let mut two = Two::new(&Limits::default());
    let kept = |session: &Session| {
        session.epochs.queued.is_some()
            || matches!(session.epochs.exchange, super::Exchange::Rehandshaking { .. })
    };
    begin(&mut two);
    assert!(kept(&two.a));
    two.settle();
    assert!(kept(&two.a) && two.a.epochs.queued.is_none());
    answer(&mut two).unwrap();
    two.settle();
    assert!(!kept(&two.a) && !kept(&two.b));
}

#[test]
fn se_31_a_day_after_the_keys_were_used_the_initiator_is_told_once() {
    let day = Duration::from_secs(24 * 60 * 60);
    let due = |events: &[Event]| events.iter().filter(|event| **event == Event::RehandshakeDue).count();
    let mut two = Two::new(&limits(|l| l.soft.time = Duration::from_secs(100)));
    let start = two.now;
    two.now = start + day - Duration::from_secs(1);
    assert_eq!(due(&two.settle()), 0);
    two.now = start + day;
    assert_eq!(due(&two.settle()), 1);
    two.now += day;
    assert_eq!(due(&two.settle()), 0);
    begin(&mut two);
    two.settle();
    answer(&mut two).unwrap();
    two.settle();
    two.now += day - Duration::from_secs(10);
    assert_eq!(due(&two.settle()), 0);
    two.now += Duration::from_secs(20);
    assert_eq!(due(&two.settle()), 1);
}
