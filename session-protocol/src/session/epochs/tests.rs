//! Epochs from inside: who may begin when, what is refused, what heals, what the limits stop.

use super::*;
use crate::{
    Input, Limits, Output, SessionError, StaticSecret, Suite,
    frame::Frames,
    record::Opener,
    session::tests::{give, hostile, transmit},
    testing::{origin, rng, sessions, sessions_of},
};

#[cfg(target_os = "linux")]
mod erasure;
#[cfg(not(feature = "null-cipher"))]
mod late;
mod limits;
mod theft;

/// Two ends and a clock. Records are handed over one by one, in order.
pub(in crate::session) struct Two {
    pub(in crate::session) a: Session,
    pub(in crate::session) b: Session,
    pub(in crate::session) now: Instant,
    /// Everything that was sent, by `a` and by `b`.
    pub(in crate::session) sent: [Vec<Vec<u8>>; 2],
    /// Stream data that arrived at either, in the order of arrival.
    pub(in crate::session) data: Vec<u8>,
}

impl Two {
    /// A confirmed pair, each of which heard the other.
    pub(in crate::session) fn new(limits: &Limits) -> Self {
        Self::of(Suite::KkChaChaPoly, limits)
    }

    pub(in crate::session) fn of(suite: Suite, limits: &Limits) -> Self {
        let now = origin();
        let (a, b) = sessions_of(suite, limits, now);
        Self::settled(a, b, now)
    }

    /// With keys that no other test has.
    #[cfg(target_os = "linux")]
    fn seeded(suite: Suite, limits: &Limits, seed: u64) -> Self {
        let now = origin();
        let (a, b) = crate::testing::forgetful_sessions(suite, limits, seed, now);
        Self::settled(a, b, now)
    }

    fn settled(a: Session, b: Session, now: Instant) -> Self {
        let mut two = Self { a, b, now, sent: Default::default(), data: Vec::new() };
        two.settle();
        two
    }

    /// Moves everything that is due from `a` to `b`; returns what the application at `b` sees.
    pub(in crate::session) fn forth(&mut self) -> Vec<Event> {
        let seen = pump(&mut self.a, &mut self.b, self.now, &mut self.sent[0]);
        self.note(seen)
    }

    /// The other way.
    pub(in crate::session) fn back(&mut self) -> Vec<Event> {
        let seen = pump(&mut self.b, &mut self.a, self.now, &mut self.sent[1]);
        self.note(seen)
    }

    fn note(&mut self, seen: Vec<(Event, Vec<u8>)>) -> Vec<Event> {
        let (events, data): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        self.data.extend(data.concat());
        events
    }

    /// Until both are silent and all acknowledgements are out; returns what either saw.
    pub(in crate::session) fn settle(&mut self) -> Vec<Event> {
        let mut seen = Vec::new();
        for _ in 0..50 {
            seen.extend(self.forth());
            seen.extend(self.back());
            self.now += crate::limits::ACK_DELAY / 10;
        }
        seen
    }

    pub(in crate::session) fn ratchet(&mut self) {
        self.a.ratchet();
        self.settle();
    }

    pub(in crate::session) fn epochs(&self) -> [u32; 4] {
        [self.a.sealer.epoch(), self.b.opener.epoch(), self.b.sealer.epoch(), self.a.opener.epoch()]
    }

    /// What a record of these frames does to `b`.
    pub(in crate::session) fn feed_b(&mut self, frames: &[Frame<'_>]) -> Result<(), SessionError> {
        hostile(&mut self.a, &mut self.b, frames, self.now)
    }

    pub(in crate::session) fn feed_a(&mut self, frames: &[Frame<'_>]) -> Result<(), SessionError> {
        hostile(&mut self.b, &mut self.a, frames, self.now)
    }

    /// What is due now, without time.
    pub(in crate::session) fn settle_at(&mut self) -> Vec<Event> {
        [self.forth(), self.back(), self.forth()].concat()
    }
}

pub(in crate::session) fn limits(change: impl FnOnce(&mut EpochLimits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits.epoch);
    limits
}

/// What both applications see, with the bytes if it is stream data.
pub(in crate::session) fn pump(
    from: &mut Session,
    to: &mut Session,
    now: Instant,
    sent: &mut Vec<Vec<u8>>,
) -> Vec<(Event, Vec<u8>)> {
    let mut seen = Vec::new();
    loop {
        match from.poll(now) {
            Output::Transmit { record, .. } => {
                seen.extend(take(to, record, now));
                sent.push(record.to_vec());
            }
            Output::Event(event) => seen.push((event, Vec::new())),
            Output::Disconnect(connection) => panic!("connection {connection} was dropped"),
            Output::Timeout(_) => return seen,
        }
    }
}

/// Hands in a record and takes what it brings.
fn take(to: &mut Session, record: &[u8], now: Instant) -> Vec<(Event, Vec<u8>)> {
    let mut copy = record.to_vec();
    to.handle(Input::Record { connection: crate::testing::FIRST, record: &mut copy }, now).unwrap();
    let mut seen = Vec::new();
    while let Some(event) = to.poll_event() {
        let bytes = match &event {
            Event::StreamData { range, .. } => copy[range.clone()].to_vec(),
            _ => Vec::new(),
        };
        seen.push((event, bytes));
    }
    seen
}

pub(in crate::session) fn ephemeral() -> [u8; 32] {
    *StaticSecret::from_bytes([0x77; 32]).public().as_bytes()
}

/// The frames of a record, opened with a copy of the opener's state.
pub(in crate::session) fn peek(opener: &Opener, record: &[u8]) -> Vec<String> {
    let (opened, copy) = opener.peek(record).unwrap();
    let plaintext = opener.duplicate().commit(opened).plaintext;
    Frames::new(&copy[plaintext]).map(|frame| format!("{:?}", frame.unwrap())).collect()
}

const REFUSED: Result<(), SessionError> = Err(SessionError::Violation { code: close::RATCHET });

#[test]
fn se_20_an_epoch_follows_another_and_both_ends_say_so() {
    let mut two = Two::new(&Limits::default());
    assert_eq!(two.epochs(), [0; 4]);
    for epoch in 1..=5 {
        two.a.ratchet();
        let seen = two.settle();
        let said = seen.iter().filter(|event| **event == Event::Epoch(epoch)).count();
        assert_eq!((two.epochs(), said), ([epoch; 4], 2));
    }
    let stream = two.a.open([1; 32]).unwrap();
    two.a.write(stream, b"data").unwrap();
    two.settle();
    assert_eq!(two.data, b"data");
}

/// The IKM and context of section 9, from the frames that travelled.
#[test]
fn se_20_both_ends_derive_what_the_specification_says() {
    let (secret_i, secret_r) = (StaticSecret::generate(&mut rng(70)), StaticSecret::generate(&mut rng(71)));
    let suite = Suite::KkChaChaPoly;
    let offer = Offer::new(suite, 9, &mut rng(70));
    let e_i = *secret_i.public().as_bytes();
    let (ack, answered) = exchange::answer(suite, 9, &e_i, &[], &mut rng(71)).unwrap();
    let e_r = *secret_r.public().as_bytes();
    let finished = offer.finish(&e_r, &[]).unwrap();

    let ratchet = [&[6, 0, 0, 0, 9][..], &e_i, &[0, 0]].concat();
    assert_eq!(offer.frame(), ratchet);
    assert_eq!(ack, [&[7, 0, 0, 0, 9][..], &e_r, &[0, 0]].concat());
    let shared = secret_i.diffie_hellman(&secret_r.public()).unwrap();
    for agreed in [answered, finished] {
        assert_eq!(agreed.ikm.as_slice(), shared.as_slice());
        let context = <sha2::Sha256 as sha2::Digest>::digest([&ratchet[..], &ack].concat());
        assert_eq!(agreed.context[..], context[..]);
    }
}

#[test]
fn se_20_a_ratchet_that_does_not_fit_closes() {
    let low_order = [0; 32];
    let one = {
        let mut one = [0; 32];
        one[0] = 1;
        one
    };
    let good = ephemeral();
    for (epoch, e, kem) in [
        (0, &good, &[][..]),
        (2, &good, &[]),
        (u32::MAX, &good, &[]),
        (1, &low_order, &[]),
        (1, &one, &[]),
        (1, &good, &[0]),
        (1, &good, &[7; 1184]),
    ] {
        let mut two = Two::new(&Limits::default());
        assert_eq!(two.feed_b(&[Frame::Ratchet { epoch, e, kem }]), REFUSED, "{epoch} {e:?} {kem:?}");
        assert!(two.b.is_over());

        let mut two = Two::new(&Limits::default());
        two.a.ratchet();
        two.forth();
        assert_eq!(two.feed_a(&[Frame::RatchetAck { epoch, e, kem }]), REFUSED, "{epoch} {e:?} {kem:?}");
    }
    let mut two = Two::new(&Limits::default());
    two.feed_b(&[Frame::Ratchet { epoch: 1, e: &good, kem: &[] }]).unwrap();
    assert!(!two.b.is_over());
}

/// In every suite, and with the KEM where the suite has one.
#[test]
fn se_20_the_kem_part_is_there_in_the_hybrids_and_nowhere_else() {
    for suite in Suite::ALL {
        let (ek, ct) = if suite.is_post_quantum() { (1184, 1088) } else { (0, 0) };
        let mut two = Two::of(suite, &Limits::default());
        for epoch in 1..4 {
            two.a.ping();
            two.settle();
            two.a.ratchet();
            let offer = transmit(&mut two.a, two.now).unwrap();
            assert_eq!(offer.len(), 37 + 39 + ek, "{suite:?}");
            give(&mut two.b, &offer, two.now).unwrap();
            let answer = transmit(&mut two.b, two.now).unwrap();
            assert_eq!(answer.len(), 37 + 9 + 39 + ct, "{suite:?}");
            give(&mut two.a, &answer, two.now).unwrap();
            two.settle();
            assert_eq!(two.epochs(), [epoch; 4]);
        }
    }
    let e = &ephemeral();
    for suite in [Suite::KkHfsChaChaPoly, Suite::KkHfsAesGcm] {
        // Too short, too long, and keys that are not the encoding of themselves (FIPS 203, 7.2).
        for (ek, ct) in [(0, 0), (1183, 1087), (1185, 1089), (1184, 1184)] {
            let mut two = Two::of(suite, &Limits::default());
            let ek = vec![0xff; ek];
            assert_eq!(two.feed_b(&[Frame::Ratchet { epoch: 1, e, kem: &ek }]), REFUSED, "{}", ek.len());
            let mut two = Two::of(suite, &Limits::default());
            two.a.ratchet();
            two.forth();
            let ct = vec![0xff; ct];
            assert_eq!(two.feed_a(&[Frame::RatchetAck { epoch: 1, e, kem: &ct }]), REFUSED, "{}", ct.len());
        }
    }
}

/// The shared secret counts: with a changed ciphertext the two ends have different epochs.
#[cfg(not(feature = "null-cipher"))]
#[test]
fn se_20_the_kem_secret_goes_into_the_epoch() {
    let suite = Suite::KkHfsChaChaPoly;
    let offer = Offer::new(suite, 1, &mut rng(1));
    let mut frames = Frames::new(offer.frame());
    let Some(Ok(Frame::Ratchet { e, kem, .. })) = frames.next() else { panic!("a RATCHET") };
    let (ack, agreed) = exchange::answer(suite, 1, e, kem, &mut rng(2)).unwrap();
    let Some(Ok(Frame::RatchetAck { e, kem, .. })) = Frames::new(&ack).next() else {
        panic!("a RATCHET_ACK")
    };
    let finished = offer.finish(e, kem).unwrap();
    assert_eq!((&*agreed.ikm, agreed.context), (&*finished.ikm, finished.context));
    assert_eq!(agreed.ikm.len(), 64);
    let mut other = kem.to_vec();
    other[5] ^= 1;
    let differs = offer.finish(e, &other).unwrap();
    assert_eq!(differs.ikm[..32], agreed.ikm[..32]);
    assert_ne!(differs.ikm[32..], agreed.ikm[32..]);
    assert_ne!(differs.context, agreed.context);
}

#[test]
fn se_21_only_the_initiator_sends_ratchet_and_only_the_responder_answers_or_asks() {
    let e = &ephemeral();
    let mut two = Two::new(&Limits::default());
    assert_eq!(two.feed_a(&[Frame::Ratchet { epoch: 1, e, kem: &[] }]), REFUSED);
    let mut two = Two::new(&Limits::default());
    assert_eq!(two.feed_b(&[Frame::RatchetAck { epoch: 1, e, kem: &[] }]), REFUSED);
    let mut two = Two::new(&Limits::default());
    assert_eq!(two.feed_b(&[Frame::RatchetReq]), REFUSED);
    // An answer to nothing.
    let mut two = Two::new(&Limits::default());
    assert_eq!(two.feed_a(&[Frame::RatchetAck { epoch: 1, e, kem: &[] }]), REFUSED);
}

#[test]
fn se_21_one_exchange_at_a_time() {
    let e = &ephemeral();
    let ratchet = |epoch| Frame::Ratchet { epoch, e, kem: &[] };
    // Before the answer, and after it but in the epoch before.
    for answered in [false, true] {
        let mut two = Two::new(&Limits::default());
        two.feed_b(&[ratchet(1)]).unwrap();
        if answered {
            transmit(&mut two.b, two.now).unwrap();
        }
        assert_eq!(two.feed_b(&[ratchet(1)]), REFUSED);
        let mut two = Two::new(&Limits::default());
        two.feed_b(&[ratchet(1)]).unwrap();
        assert_eq!(two.feed_b(&[ratchet(2)]), REFUSED);
    }
    // An initiator that is asked again and again has one outstanding.
    let mut two = Two::new(&Limits::default());
    two.a.ratchet();
    let first = transmit(&mut two.a, two.now).unwrap();
    two.a.ratchet();
    assert_eq!(transmit(&mut two.a, two.now), None);
    give(&mut two.b, &first, two.now).unwrap();
    two.settle();
    assert_eq!(two.epochs(), [2; 4], "what was asked for while the first was outstanding begins after it");
}

#[test]
fn se_21_no_ratchet_before_the_peer_was_heard_in_this_epoch() {
    let now = origin();
    let (mut a, mut b) = sessions(&Limits::default(), now);
    a.ratchet();
    let first = transmit(&mut a, now).unwrap();
    assert_eq!(peek(&b.opener, &first), ["Confirm", "Ping { id: 0 }"], "it asks for a sign of life instead");
    give(&mut b, &first, now).unwrap();
    // One that did not wait is told so.
    let e = &ephemeral();
    assert_eq!(hostile(&mut a, &mut b, &[Frame::Ratchet { epoch: 1, e, kem: &[] }], now), REFUSED);

    let (mut a, mut b) = sessions(&Limits::default(), now);
    a.ratchet();
    pump(&mut a, &mut b, now, &mut Vec::new());
    pump(&mut b, &mut a, now, &mut Vec::new());
    let offer = transmit(&mut a, now).unwrap();
    assert!(peek(&b.opener, &offer)[0].starts_with("Ratchet { epoch: 1,"));
}

#[test]
fn se_21_the_responder_asks_and_gets_an_epoch() {
    let mut two = Two::new(&Limits::default());
    two.b.ratchet();
    two.b.ratchet();
    two.settle();
    assert_eq!(two.epochs(), [1; 4]);
    // It crosses an offer and is answered by that.
    two.a.ratchet();
    let offer = transmit(&mut two.a, two.now).unwrap();
    two.b.ratchet();
    two.back();
    give(&mut two.b, &offer, two.now).unwrap();
    two.settle();
    assert_eq!(two.epochs(), [2; 4]);
    // If it wants one after its fresh key was made, it gets one more.
    two.b.ping();
    two.settle();
    two.a.ratchet();
    let offer = transmit(&mut two.a, two.now).unwrap();
    give(&mut two.b, &offer, two.now).unwrap();
    assert!(two.b.opener.is_pending());
    two.b.ratchet();
    two.settle();
    assert_eq!(two.epochs(), [4; 4]);
}

#[test]
fn se_22_the_answer_is_the_last_record_of_its_epoch_and_both_epochs_open_until_the_first_of_the_new() {
    let mut two = Two::new(&Limits::default());
    let stream = two.a.open([1; 32]).unwrap();
    two.a.write(stream, b"before").unwrap();
    two.settle();

    two.a.ratchet();
    two.a.write(stream, b"with").unwrap();
    two.forth();
    // Before it hears the answer, the initiator goes on in the old epoch, and is read.
    two.a.write(stream, b"meanwhile").unwrap();
    let old = two.b.opener.chain_key();
    assert!(two.b.opener.is_pending());
    let answer = transmit(&mut two.b, two.now).unwrap();
    assert_eq!((two.b.sealer.epoch(), two.b.opener.epoch()), (1, 0));
    assert!(peek(&two.a.opener, &answer).iter().any(|frame| frame.starts_with("RatchetAck { epoch: 1,")));
    two.b.ping();
    let after = transmit(&mut two.b, two.now).unwrap();
    assert!(two.a.opener.peek(&after).is_err(), "it is of the next epoch");
    two.forth();
    assert!(two.data.ends_with(b"meanwhile"));
    assert!(two.b.opener.is_pending());

    give(&mut two.a, &answer, two.now).unwrap();
    give(&mut two.a, &after, two.now).unwrap();
    two.a.write(stream, b"new").unwrap();
    let seen = two.forth();
    assert!(matches!(seen[..], [Event::Epoch(1), .., Event::StreamData { .. }]), "{seen:?}");
    assert!(two.data.ends_with(b"new"));
    assert!(!two.b.opener.is_pending());
    assert_ne!(two.b.opener.chain_key(), old);
}

#[test]
fn se_23_the_initiator_switches_both_ways_at_the_answer() {
    let mut two = Two::new(&Limits::default());
    two.a.ratchet();
    two.forth();
    let answer = transmit(&mut two.b, two.now).unwrap();
    let (old_send, old_receive) = (two.a.sealer.chain_key(), two.a.opener.chain_key());
    give(&mut two.a, &answer, two.now).unwrap();
    assert_eq!((two.a.sealer.epoch(), two.a.opener.epoch()), (1, 1));
    assert!(!two.a.opener.is_pending());
    assert_ne!(two.a.sealer.chain_key(), old_send);
    assert_ne!(two.a.opener.chain_key(), old_receive);
    assert_eq!(two.a.sealer.chain_key(), two.b.opener.pending_key().unwrap());
    assert_eq!(two.a.opener.chain_key(), two.b.sealer.chain_key());
}

/// Only the low byte travels; both ends count on.
#[test]
fn se_04_epochs_go_on_beyond_one_byte() {
    let mut two = Two::new(&Limits::default());
    for _ in 0..600 {
        two.a.ratchet();
        for _ in 0..3 {
            two.forth();
            two.back();
            two.a.ping();
        }
    }
    two.settle();
    let [epoch, ..] = two.epochs();
    assert!(epoch >= 600 && two.epochs() == [epoch; 4], "{:?}", two.epochs());
}

#[test]
fn st_10_a_record_has_one_exchange_frame_at_most() {
    let e = &ephemeral();
    let (ratchet, ack) =
        (Frame::Ratchet { epoch: 1, e, kem: &[] }, Frame::RatchetAck { epoch: 1, e, kem: &[] });
    let rehs = Frame::Rehs { step: 1, epoch: 1, message: &[] };
    for pair in [[ratchet, ratchet], [ratchet, ack], [ack, ratchet], [rehs, ratchet], [rehs, rehs]] {
        let mut two = Two::new(&Limits::default());
        let error = two.feed_b(&pair);
        assert_eq!(error, Err(SessionError::Violation { code: close::FRAME_MALFORMED }), "{pair:?}");
    }
}

#[test]
fn a_closed_session_begins_nothing() {
    let mut two = Two::new(&Limits::default());
    two.a.ratchet();
    two.a.close(close::DONE);
    let seen = two.settle();
    assert!(!seen.iter().any(|event| matches!(event, Event::Epoch(_))));
    two.a.ratchet();
    assert_eq!(two.a.poll(two.now + Duration::from_secs(100)), Output::Timeout(None));
}

#[cfg(not(feature = "null-cipher"))]
impl Epochs {
    /// All of it but the count of forgeries, and the time with a connection.
    pub(in crate::session) fn state(&self) -> String {
        let keys = |keys: &ResumeKeys| [Role::Initiator, Role::Responder].map(|of| *keys.of(of).expose());
        let exchange = match &self.exchange {
            Exchange::Idle => String::new(),
            Exchange::Ratcheting(offer) => format!("{:?}", offer.frame()),
            Exchange::Rehandshaking { epoch, offer } => format!("{epoch} {:p}", &raw const **offer),
            Exchange::Asked { epoch, message } => format!("{epoch} {message:?}"),
            Exchange::Answering { frame, send, placed } => format!("{frame:?} {:?} {placed}", send.expose()),
        };
        format!(
            "{:?} {:?} {:?} {:?} {} {exchange} {} {:?} {:?} {} {} {} {}",
            self.root.expose(),
            self.split.expose(),
            keys(&self.resume),
            self.resume_before.as_ref().map(keys),
            self.begins,
            self.queued.is_some(),
            self.statics_at,
            self.told,
            self.demanded,
            self.due,
            self.asked,
            self.spent,
        )
    }
}
