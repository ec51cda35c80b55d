//! The handshakes of two parties, message by message.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::session::{Abort, Accept, Propose};
use didagent_didcomm::protocols::{Body as _, Digest32};
use didagent_session::{Established, Suite};
use sha2::{Digest as _, Sha256};

use super::prologue::{Pair, Prologue};
use super::*;
use crate::core::identity::Identity;
use crate::core::room::roster::Party;
use crate::core::room::roster::tests::party;
use crate::core::test_rng;

const INVITATION: [u8; 32] = [7; 32];

/// One party, with its clock and its generator.
struct End {
    identity: Identity,
    ours: Party,
    peer: Party,
    invitation: [u8; 32],
    handshakes: Handshakes,
    now: Instant,
    rng: Box<dyn rand_core::CryptoRng>,
}

impl End {
    fn between(&self) -> Between<'_> {
        Between { room: "room", invitation: &self.invitation, ours: &self.ours, peer: &self.peer }
    }

    fn begin(&mut self) -> Message {
        let between =
            Between { room: "room", invitation: &self.invitation, ours: &self.ours, peer: &self.peer };
        self.handshakes.begin(&self.identity, &between, &mut self.rng).unwrap()
    }

    fn handle(&mut self, message: &Message) -> Outcome {
        let between =
            Between { room: "room", invitation: &self.invitation, ours: &self.ours, peer: &self.peer };
        self.handshakes.handle(&self.identity, &between, message, self.now, &mut self.rng)
    }
}

/// Two parties with these suites; the first has the bytewise lower DID.
fn two(ours: &[Suite], theirs: &[Suite]) -> (End, End) {
    #[expect(
        clippy::disallowed_methods,
        reason = "any instant will do as the beginning of the test's own time"
    )]
    let now = Instant::now();
    let end = |seed: u8, suites: &[Suite]| {
        let identity = Identity::generate(&mut test_rng(seed));
        let ours = party(0, &identity, "somebody");
        let handshakes = Handshakes::new(Policy::of(suites), Capabilities::default());
        let rng = Box::new(test_rng(seed + 100));
        End { identity, peer: ours.clone(), ours, invitation: INVITATION, handshakes, now, rng }
    };
    let (mut a, mut b) = (end(1, ours), end(2, theirs));
    if a.ours.did > b.ours.did {
        (a, b) = (end(2, ours), end(1, theirs));
    }
    (a.peer, b.peer) = (b.ours.clone(), a.ours.clone());
    (a, b)
}

fn alike() -> (End, End) {
    let suites = [Suite::KkHfsAesGcm, Suite::KkHfsChaChaPoly, Suite::KkAesGcm, Suite::KkChaChaPoly];
    two(&suites, &suites)
}

/// Our own answer to a proposal: the session and the `accept`.
fn accepted(outcome: Outcome) -> (Established, Message) {
    match outcome {
        Outcome::Established(established, Some(accept)) => (*established, *accept),
        other => panic!("{other:?}"),
    }
}

fn finished(outcome: Outcome) -> Established {
    match outcome {
        Outcome::Established(established, None) => *established,
        other => panic!("{other:?}"),
    }
}

fn sent(outcome: Outcome) -> Message {
    match outcome {
        Outcome::Send(message) => *message,
        other => panic!("{other:?}"),
    }
}

fn trouble(outcome: Outcome) -> (PairingError, Option<Message>) {
    match outcome {
        Outcome::Trouble(error, abort) => (error, abort.map(|abort| *abort)),
        other => panic!("{other:?}"),
    }
}

fn is_nothing(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Nothing)
}

/// An abort that somebody made up, in the thread of `propose`.
fn abort_of(propose: &Message, code: &str, use_suite: Option<u8>) -> Message {
    Abort { code: code.to_owned(), comment: None, use_suite }
        .message("forged")
        .thid(&propose.id)
        .pthid("room")
}

#[test]
fn both_sides_get_the_same_session() {
    for suite in Suite::ALL {
        let (mut alice, mut bob) = two(&[suite], &[suite]);
        let propose = alice.begin();
        let (bobs, accept) = accepted(bob.handle(&propose));
        let alices = finished(alice.handle(&accept));
        assert_eq!((alices.sid(), alices.suite(), bobs.suite()), (bobs.sid(), suite, suite));
    }
}

#[test]
fn hs_04_rm_31_the_facts_are_those_of_the_roster_and_of_the_room() {
    let (mut alice, _) = alike();
    let message = alice.begin();
    assert_eq!(message.pthid.as_deref(), Some("room"));
    let suites = Propose::try_from(&message).unwrap().suites;
    let expected: [(&str, &[u8]); 9] = [
        ("initiator", alice.ours.did.as_bytes()),
        ("responder", alice.peer.did.as_bytes()),
        ("initiator_kid", alice.ours.kid.as_bytes()),
        ("responder_kid", alice.peer.kid.as_bytes()),
        ("thid", message.id.as_bytes()),
        ("pthid", b"room"),
        ("invitation", &INVITATION),
        ("suites", &suites),
        ("context", b"room"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), Digest32(Sha256::digest(value).into())));
    assert_eq!(Propose::try_from(&message).unwrap().fields, BTreeMap::from(expected));
}

/// Decides HS-04.
#[test]
fn a_differing_fact_is_named_on_both_sides() {
    let (mut alice, mut bob) = alike();
    bob.invitation = [8; 32];
    let (error, abort) = trouble(bob.handle(&alice.begin()));
    assert_eq!(error.to_string(), "the two sides differ in invitation");
    let (error, abort) = trouble(alice.handle(&abort.unwrap()));
    assert_eq!(error.to_string(), "the two sides differ in invitation");
    assert!(abort.is_none(), "an abort is not answered");
}

#[test]
fn hs_05_a_garbled_answer_does_not_cost_the_handshake() {
    let (mut alice, mut bob) = alike();
    let (bobs, accept) = accepted(bob.handle(&alice.begin()));
    let mut body = Accept::try_from(&accept).unwrap();
    body.noise[40] ^= 1;
    let mut garbled = accept.clone();
    garbled.body = serde_json::to_value(&body).unwrap();
    let mut empty = accept.clone();
    empty.body = serde_json::json!({});
    let mut other_suite = accept.clone();
    other_suite.body["suite"] = 1.into();
    for wrong in [garbled, empty, other_suite] {
        trouble(alice.handle(&wrong));
    }
    assert_eq!(finished(alice.handle(&accept)).sid(), bobs.sid());
    assert!(is_nothing(&alice.handle(&accept)), "an answer that comes again is late");
}

#[test]
fn hs_04_agreeing_hashes_do_not_help_who_hashes_other_facts() {
    // The field hashes are only a courtesy: with all of them forged to fit, the handshake itself must fail.
    let (mut alice, mut bob) = alike();
    let mut propose = alice.begin();
    bob.invitation = [8; 32];
    let between = bob.between();
    let pair = Pair {
        room: between.room,
        invitation: between.invitation,
        initiator: between.peer,
        responder: between.ours,
    };
    let forged = Prologue::new(&pair, &propose.id, &[4, 3, 2, 1]).fields();
    propose.body["fields"] = serde_json::to_value(forged).unwrap();
    let (error, _) = trouble(bob.handle(&propose));
    assert!(matches!(error, PairingError::Failed), "{error}");
}

#[test]
fn hs_13_only_the_first_common_suite_of_the_offer_is_completed() {
    for (offer, proposed, ours, expected) in [
        (&[4, 3, 2, 1][..], 3, &[Suite::KkHfsChaChaPoly, Suite::KkChaChaPoly][..], None),
        (&[4, 3, 2, 1], 4, &[Suite::KkHfsChaChaPoly, Suite::KkChaChaPoly], Some(3)),
        (&[4, 3, 2, 1], 1, &[Suite::KkHfsChaChaPoly, Suite::KkChaChaPoly], Some(3)),
        (&[9, 1], 9, &[Suite::KkChaChaPoly], Some(1)),
        (&[1, 3], 3, &[Suite::KkHfsChaChaPoly, Suite::KkChaChaPoly], Some(1)),
    ] {
        let (mut alice, mut bob) = two(&[Suite::KkHfsChaChaPoly], ours);
        let offered: Vec<_> = offer.iter().filter_map(|id| Suite::from_id(*id)).collect();
        alice.handshakes = Handshakes::new(Policy::of(&offered), Capabilities::default());
        let between = alice.between();
        let pair = Pair {
            room: between.room,
            invitation: between.invitation,
            initiator: between.ours,
            responder: between.peer,
        };
        let suite = Suite::from_id(proposed).unwrap_or(Suite::KkChaChaPoly);
        let (_, mut propose) =
            proposal::Proposal::new(&alice.identity, &pair, offer, suite, &mut test_rng(9)).unwrap();
        propose.body["suite"] = proposed.into();
        match expected {
            None => assert_eq!(accepted(bob.handle(&propose)).0.suite().id(), proposed),
            Some(expected) => {
                let abort = Abort::try_from(&sent(bob.handle(&propose))).unwrap();
                assert_eq!((abort.code.as_str(), abort.use_suite), (abort::USE, Some(expected)));
            }
        }
    }
}

#[test]
fn hs_13_no_common_suite_is_said() {
    let (mut alice, mut bob) = two(&[Suite::KkAesGcm], &[Suite::KkChaChaPoly]);
    let (error, abort) = trouble(bob.handle(&alice.begin()));
    assert!(matches!(error, PairingError::NoSuite), "{error}");
    let (error, _) = trouble(alice.handle(&abort.unwrap()));
    assert!(matches!(error, PairingError::NoSuite), "{error}");
}

#[test]
fn hs_17_a_suite_that_was_not_offered_is_no_proposal() {
    let (mut alice, mut bob) = alike();
    let propose = alice.begin();
    let body = Propose::try_from(&propose).unwrap();
    assert_eq!((body.suites.as_slice(), body.suite), (&[4, 3, 2, 1][..], 4));
    for suites in [vec![], vec![3, 2, 1]] {
        let mut wrong = propose.clone();
        wrong.body["suites"] = suites.into();
        let (error, _) = trouble(bob.handle(&wrong));
        assert!(matches!(error, PairingError::Malformed | PairingError::NoSuite), "{error}");
    }
}

/// The list is in the prologue: taking the better suites out of it on the way is found out, though the hashes are made to fit.
#[test]
fn hs_01_an_offer_that_was_shortened_does_not_authenticate() {
    let (mut alice, mut bob) = two(&[Suite::KkChaChaPoly, Suite::KkHfsAesGcm], &[Suite::KkChaChaPoly]);
    let mut propose = alice.begin();
    let between = bob.between();
    let pair = Pair {
        room: between.room,
        invitation: between.invitation,
        initiator: between.peer,
        responder: between.ours,
    };
    propose.body["suites"] = vec![1].into();
    propose.body["fields"] = serde_json::to_value(Prologue::new(&pair, &propose.id, &[1]).fields()).unwrap();
    let (error, _) = trouble(bob.handle(&propose));
    assert!(matches!(error, PairingError::Failed), "{error}");
}

#[test]
fn hs_19_hs_20_use_is_followed_with_a_fresh_message_and_the_same_list() {
    let (mut alice, mut bob) =
        two(&[Suite::KkHfsAesGcm, Suite::KkHfsChaChaPoly], &[Suite::KkHfsChaChaPoly, Suite::KkChaChaPoly]);
    let first = alice.begin();
    let abort = sent(bob.handle(&first));
    let second = sent(alice.handle(&abort));
    assert!(second.id != first.id && second.pthid == first.pthid);
    let (one, two) = (Propose::try_from(&first).unwrap(), Propose::try_from(&second).unwrap());
    assert_eq!((&one.suites, one.suite, two.suite), (&two.suites, 4, 3));
    assert_ne!(one.noise[..32], two.noise[..32], "a fresh ephemeral");
    let (bobs, accept) = accepted(bob.handle(&second));
    let alices = finished(alice.handle(&accept));
    assert_eq!((alices.sid(), alices.suite()), (bobs.sid(), Suite::KkHfsChaChaPoly));
}

#[test]
fn hs_20_use_is_followed_once_and_only_within_the_list() {
    let (mut alice, mut bob) = alike();
    let first = alice.begin();
    for suite in [None, Some(9), Some(0)] {
        let (error, _) = trouble(alice.handle(&abort_of(&first, abort::USE, suite)));
        assert!(matches!(error, PairingError::NoSuite), "{error}");
    }
    assert!(is_nothing(&alice.handle(&abort_of(&first, abort::USE, Some(4)))), "it is what was proposed");
    let second = sent(alice.handle(&abort_of(&first, abort::USE, Some(3))));
    for propose in [&first, &second] {
        for suite in [1, 2, 3, 4] {
            assert!(is_nothing(&alice.handle(&abort_of(propose, abort::USE, Some(suite)))));
        }
    }
    // The aborts were forged: the responder takes neither the weaker one nor any but the best, which still completes.
    let abort = Abort::try_from(&sent(bob.handle(&second))).unwrap();
    assert_eq!(abort.use_suite, Some(4));
    let (bobs, accept) = accepted(bob.handle(&first));
    assert_eq!(finished(alice.handle(&accept)).sid(), bobs.sid());
    assert_eq!(bobs.suite(), Suite::KkHfsAesGcm);
}

#[test]
fn hs_22_who_had_post_quantum_before_is_not_talked_down() {
    let (mut alice, mut bob) = alike();
    let (_, accept) = accepted(bob.handle(&alice.begin()));
    finished(alice.handle(&accept));
    bob.handshakes.confirmed(&bob.ours.did);
    assert!(!bob.handshakes.known().is_post_quantum(&bob.peer.identity), "nobody confirmed");
    bob.handshakes.confirmed(&bob.peer.did);
    assert!(bob.handshakes.known().is_post_quantum(&bob.peer.identity));

    let propose = alice.begin();
    for weak in [1, 2] {
        let (error, _) = trouble(alice.handle(&abort_of(&propose, abort::USE, Some(weak))));
        assert!(matches!(error, PairingError::Downgrade), "{error}");
    }
    for code in [abort::NO_SUITE, abort::FAILED, "anything"] {
        trouble(alice.handle(&abort_of(&propose, code, None)));
    }
    assert!(alice.handshakes.known().is_post_quantum(&alice.peer.identity), "no abort takes it back");
    let other = sent(alice.handle(&abort_of(&propose, abort::USE, Some(3))));
    assert_eq!(Propose::try_from(&other).unwrap().suite, 3, "a post-quantum one is followed");

    // What a file remembers counts as much.
    let (mut carol, _) = alike();
    let known = alice.handshakes.known().clone();
    carol.handshakes = Handshakes::new(Policy::of_machine(true), known);
    let propose = carol.begin();
    let (error, _) = trouble(carol.handle(&abort_of(&propose, abort::USE, Some(1))));
    assert!(matches!(error, PairingError::Downgrade), "{error}");
}

#[test]
fn hs_06_hs_18_a_duplicate_gets_the_same_answer_for_five_minutes() {
    let (mut alice, mut bob) = alike();
    let propose = alice.begin();
    let (_, accept) = accepted(bob.handle(&propose));
    assert_eq!(sent(bob.handle(&propose)), accept);
    bob.now += Duration::from_secs(299);
    assert!(bob.handshakes.is_answered(&bob.peer.did, &propose));
    assert_eq!(sent(bob.handle(&propose)), accept);
    // Another message 1 in the same thread is no duplicate, and gets no second answer.
    let mut other = propose.clone();
    let mut body = Propose::try_from(&propose).unwrap();
    body.noise[0] ^= 1;
    other.body = serde_json::to_value(&body).unwrap();
    assert!(is_nothing(&bob.handle(&other)));
}

#[test]
fn hs_21_of_two_who_both_began_the_lower_did_stays_the_initiator() {
    for answers_first in [true, false] {
        let (mut low, mut high) = alike();
        assert!(low.ours.did < high.ours.did);
        let (from_low, from_high) = (low.begin(), high.begin());
        if !answers_first {
            assert!(is_nothing(&low.handle(&from_high)));
        }
        let (highs, accept) = accepted(high.handle(&from_low));
        assert!(is_nothing(&low.handle(&from_high)), "whatever comes how often");
        assert_eq!(finished(low.handle(&accept)).sid(), highs.sid());
        // The higher one gave its own up: a late answer to it finds nothing.
        let mut late = accept.clone();
        late.thid = Some(from_high.id.clone());
        assert!(is_nothing(&high.handle(&late)));
    }
}

/// A propose that does not authenticate takes nothing from the attempt of ours that it crosses.
#[test]
fn hs_21_a_crossing_propose_that_fails_costs_nothing() {
    let (mut low, mut high) = alike();
    let from_high = high.begin();
    let mut forged = low.begin();
    let mut body = Propose::try_from(&forged).unwrap();
    body.noise[50] ^= 1;
    forged.body = serde_json::to_value(&body).unwrap();
    trouble(high.handle(&forged));
    let mut fresh = alike().0;
    fresh.handshakes = Handshakes::new(Policy::of_machine(true), Capabilities::default());
    let (lows, accept) = accepted(fresh.handle(&from_high));
    assert_eq!(finished(high.handle(&accept)).sid(), lows.sid());
}

#[test]
fn hs_23_proposes_of_one_did_are_worked_on_at_a_rate() {
    let (mut alice, mut bob) = alike();
    let mut worked = 0;
    for _ in 0..20 {
        let propose = alice.begin();
        if !is_nothing(&bob.handle(&propose)) {
            worked += 1;
        }
    }
    assert_eq!(worked, 4);
    // A second earns one, but four are half open.
    bob.now += Duration::from_secs(1);
    let propose = alice.begin();
    assert!(is_nothing(&bob.handle(&propose)));
    bob.now += Duration::from_secs(30);
    let propose = alice.begin();
    accepted(bob.handle(&propose));
}

#[test]
fn hs_23_half_open_handshakes_are_bounded_and_confirmation_frees_them() {
    let (mut alice, mut bob) = alike();
    for _ in 0..4 {
        accepted(bob.handle(&alice.begin()));
        bob.now += Duration::from_secs(2);
    }
    assert!(is_nothing(&bob.handle(&alice.begin())));
    bob.handshakes.confirmed(&bob.peer.did.clone());
    accepted(bob.handle(&alice.begin()));
}

#[test]
fn hs_23_a_propose_that_fails_gets_one_abort_at_the_same_rate() {
    let (mut alice, mut bob) = alike();
    bob.invitation = [8; 32];
    let aborts = (0..20).filter(|_| !is_nothing(&bob.handle(&alice.begin()))).count();
    assert_eq!(aborts, 4);
}

/// An abort of a session that stands, or of nothing, does nothing at all.
#[test]
fn hs_24_an_abort_proves_nothing() {
    let (mut alice, mut bob) = alike();
    let propose = alice.begin();
    let (bobs, accept) = accepted(bob.handle(&propose));
    for code in [abort::FAILED, abort::NO_SUITE, abort::DIFFERS] {
        trouble(alice.handle(&abort_of(&propose, code, None)));
        assert!(is_nothing(&bob.handle(&abort_of(&propose, code, None))));
    }
    assert_eq!(finished(alice.handle(&accept)).sid(), bobs.sid());
    assert!(is_nothing(&alice.handle(&abort_of(&propose, abort::FAILED, None))));
}

#[test]
fn debug_shows_no_secret() {
    let (mut alice, _) = alike();
    alice.begin();
    let shown = format!("{:?}", alice.handshakes);
    assert!(shown.contains("Proposal { thid: ") && shown.contains(", .. }"), "{shown}");
    assert!(!shown.contains("ephemeral"), "{shown}");
}
