//! Epochs from inside: who may begin when, what is refused, what heals, what the limits stop.

use super::*;
use crate::{
    Input, Limits, Output, SessionError, StaticSecret, Suite,
    frame::Frames,
    record::Opener,
    session::tests::{give, hostile, transmit},
    testing::{origin, rng, sessions, sessions_of},
};

#[cfg(all(target_os = "linux", not(feature = "null-cipher")))]
mod erasure;

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
    #[cfg(all(target_os = "linux", not(feature = "null-cipher")))]
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

/// SE-24 and S13: old records are what they were, and say nothing new.
#[cfg(not(feature = "null-cipher"))]
#[test]
fn se_24_records_of_older_epochs_come_again_and_change_nothing() {
    let mut two = Two::new(&Limits::default());
    let stream = two.a.open([1; 32]).unwrap();
    for byte in 0..6 {
        two.a.write(stream, &[byte]).unwrap();
        two.settle();
        two.ratchet();
    }
    two.b.ratchet();
    two.settle();
    let before = (two.b.snapshot(), two.a.snapshot(), two.epochs());
    let [from_a, from_b] = two.sent.clone();
    for record in &from_a {
        assert_eq!(give(&mut two.b, record, two.now), Ok(()));
        assert!(give(&mut two.a, record, two.now).is_err());
    }
    for record in &from_b {
        assert_eq!(give(&mut two.a, record, two.now), Ok(()));
    }
    assert_eq!((two.b.snapshot(), two.a.snapshot(), two.epochs()), before);
    assert_eq!(two.b.stats().records_dropped, crate::wire::count(from_a.len()));
    // Numbers go on over all epochs.
    assert_eq!(two.a.sealer.next(), crate::wire::count(from_a.len()));
}

/// A gap that swallowed the change of epochs is a gap, or the connection would stay and say nothing any more.
#[cfg(not(feature = "null-cipher"))]
#[test]
fn se_07_a_record_after_a_lost_change_of_epochs_is_a_gap() {
    let mut two = Two::new(&Limits::default());
    two.a.ratchet();
    two.forth();
    let _lost = transmit(&mut two.b, two.now).unwrap();
    two.b.ping();
    let next = transmit(&mut two.b, two.now).unwrap();
    assert_eq!(give(&mut two.a, &next, two.now), Ok(()));
    assert!(!two.a.is_connected());
    assert_eq!(two.a.stats().records_rejected, 1);
}

#[cfg(not(feature = "null-cipher"))]
#[test]
fn s12_forgeries_while_an_epoch_begins_change_nothing() {
    let mut two = Two::new(&Limits::default());
    two.a.ratchet();
    two.forth();
    let answer = transmit(&mut two.b, two.now).unwrap();
    let before = two.a.snapshot();
    // The number is at its place 15 to 20: a gap costs the connection, as `se_07` shows.
    for index in (1..15).chain(21..answer.len()) {
        let mut forged = answer.clone();
        forged[index] ^= 1;
        let _ = give(&mut two.a, &forged, two.now);
    }
    assert_eq!(two.a.snapshot(), before);
    give(&mut two.a, &answer, two.now).unwrap();
    two.a.ping();
    let first = transmit(&mut two.a, two.now).unwrap();
    let (before, pending) = (two.b.snapshot(), two.b.opener.pending_key());
    for index in (1..15).chain(21..first.len()) {
        let mut forged = first.clone();
        forged[index] ^= 0x80;
        let _ = give(&mut two.b, &forged, two.now);
    }
    assert_eq!((two.b.snapshot(), two.b.opener.pending_key()), (before, pending));
    give(&mut two.b, &first, two.now).unwrap();
    assert_eq!(two.epochs(), [1; 4]);
}

#[test]
fn se_25_offers_end_with_the_epoch_and_old_resume_keys_when_the_peer_left_it() {
    let mut two = Two::new(&Limits::default());
    let keys = |session: &Session, sender| -> Vec<[u8; 32]> {
        session.epochs.resume_keys(sender).map(|key| *key.expose()).collect()
    };
    let own = |session: &Session| keys(session, Role::Initiator);
    let mut all = own(&two.a);
    for _ in 0..4 {
        let old = *all.last().unwrap();
        two.a.ping();
        two.settle();
        two.a.ratchet();
        two.forth();
        assert_eq!(own(&two.a), [old]);
        let new = own(&two.b)[0];
        assert!(!all.contains(&new));
        assert_eq!(own(&two.b), [new, old], "its receive epoch is the old one");
        let answer = transmit(&mut two.b, two.now).unwrap();
        give(&mut two.a, &answer, two.now).unwrap();
        assert!(matches!(two.a.epochs.exchange, Exchange::Idle));
        assert_eq!(own(&two.a), [new, old], "the peer may not have heard of the new one");
        two.a.ping();
        let first = transmit(&mut two.a, two.now).unwrap();
        assert_eq!(own(&two.a), [new, old]);
        give(&mut two.b, &first, two.now).unwrap();
        assert_eq!(own(&two.b), [new]);
        two.settle();
        assert_eq!(own(&two.a), [new]);
        let peers = keys(&two.a, Role::Responder);
        assert_eq!(keys(&two.b, Role::Responder), peers);
        assert_ne!(peers, own(&two.a));
        all.push(new);
    }
}

/// A passive thief of everything that one end holds reads on until the first epoch begun after the theft, and no further.
#[cfg(not(feature = "null-cipher"))]
#[test]
fn se_25_s9_a_stolen_state_reads_until_the_next_epoch_and_not_after() {
    let mut two = Two::new(&Limits::default());
    two.ratchet();
    let stream = two.a.open([1; 32]).unwrap();
    let mut thief = two.b.opener.duplicate();
    let mut own = two.a.opener.duplicate();
    let stolen_root = *two.b.epochs.root.expose();
    let start = [two.sent[0].len(), two.sent[1].len()];

    two.a.write(stream, b"before").unwrap();
    two.settle();
    two.a.ratchet();
    two.forth();
    two.back();
    let before = [two.sent[0].len(), two.sent[1].len()];
    let mut frames = Vec::new();
    for (opener, sent, start, end) in
        [(&mut thief, &two.sent[0], start[0], before[0]), (&mut own, &two.sent[1], start[1], before[1])]
    {
        for record in &sent[start..end] {
            let (opened, copy) = opener.peek(record).unwrap();
            frames.push(copy[opener.commit(opened).plaintext].to_vec());
        }
    }
    assert!(frames.iter().any(|plaintext| plaintext.windows(6).any(|window| window == b"before")));

    two.a.write(stream, b"after").unwrap();
    two.settle();
    for (opener, sent) in [(&thief, &two.sent[0][before[0]..]), (&own, &two.sent[1][before[1]..])] {
        assert!(!sent.is_empty());
        for record in sent {
            assert!(opener.peek(record).is_err());
        }
    }
    // It saw both frames and has the salt; public keys in place of the shared secret do not help.
    let find = |kind: u8| {
        frames.iter().flat_map(|plaintext| plaintext.windows(39)).find(|w| w[0] == kind && w[4] == 2)
    };
    let (ratchet, ack) = (find(6).unwrap(), find(7).unwrap());
    let context = <sha2::Sha256 as sha2::Digest>::digest([ratchet, ack].concat()).into();
    for guess in [&[0; 32][..], &ratchet[5..37], &ack[5..37]] {
        let next = schedule::derive_next(&RootKey::take(&mut stolen_root.clone()), guess, &context);
        let (_, receive, _) = next.split(Role::Responder);
        thief.expect(receive);
        assert!(thief.peek(&two.sent[0][before[0]]).is_err());
    }
}

/// The other side of the claim: who steals while an exchange is outstanding has its ephemeral key, and reads on.
#[cfg(not(feature = "null-cipher"))]
#[test]
fn se_25_s9_an_epoch_begun_before_the_theft_does_not_heal() {
    let mut two = Two::new(&Limits::default());
    two.a.ratchet();
    let offer = transmit(&mut two.a, two.now).unwrap();
    let (mut opener, root) = (two.a.opener.duplicate(), *two.a.epochs.root.expose());
    let Exchange::Ratcheting(stolen) = &two.a.epochs.exchange else { panic!("an offer is outstanding") };

    give(&mut two.b, &offer, two.now).unwrap();
    let answer = transmit(&mut two.b, two.now).unwrap();
    let plaintext = {
        let (opened, copy) = opener.peek(&answer).unwrap();
        copy[opener.commit(opened).plaintext].to_vec()
    };
    let ack = Frames::new(&plaintext).flatten().find_map(|frame| match frame {
        Frame::RatchetAck { e, kem, .. } => Some((*e, kem)),
        _ => None,
    });
    let (e, kem) = ack.unwrap();
    let agreed = stolen.finish(&e, kem).unwrap();
    let next = schedule::derive_next(&RootKey::take(&mut root.clone()), &agreed.ikm, &agreed.context);
    let (_, receive, _) = next.split(Role::Initiator);
    opener.switch(receive);
    give(&mut two.a, &answer, two.now).unwrap();
    two.b.ping();
    let record = transmit(&mut two.b, two.now).unwrap();
    assert!(opener.peek(&record).is_ok(), "the thief has all that the initiator had");
}

/// S10: no chain key begins twice, and no number comes twice, so no key and nonce do.
#[test]
fn s10_se_24_no_key_and_no_number_comes_twice_over_many_epochs() {
    let mut two = Two::new(&Limits::default());
    let stream = two.a.open([1; 32]).unwrap();
    let back = {
        two.settle();
        two.b.open([1; 32]).unwrap()
    };
    let mut used = std::collections::HashSet::new();
    for round in 0..200_u32 {
        if round % 3 == 0 {
            two.a.ratchet();
        }
        two.a.write(stream, &round.to_be_bytes()).unwrap();
        two.b.write(back, &round.to_be_bytes()).unwrap();
        for _ in 0..3 {
            for (from, to) in [(0, 1), (1, 0)] {
                let ends = [&mut two.a, &mut two.b];
                let [a, b] = ends;
                let (from, to) = if from < to { (a, b) } else { (b, a) };
                loop {
                    let (key, seq) = (from.sealer.chain_key(), from.sealer.next());
                    let Some(record) = transmit(from, two.now) else { break };
                    assert!(used.insert(key), "a chain key sealed twice");
                    assert!(
                        used.insert(
                            [&[0; 23][..], &[u8::from(from.role == Role::Initiator)], &seq.to_be_bytes()]
                                .concat()
                                .try_into()
                                .unwrap()
                        )
                    );
                    give(to, &record, two.now).unwrap();
                    std::iter::from_fn(|| to.poll_event()).for_each(drop);
                }
            }
        }
        two.a.consume(back, 4).unwrap();
        two.b.consume(stream, 4).unwrap();
    }
    assert!(two.epochs()[0] > 60);
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
fn se_10_the_last_epoch_of_all_ends_with_its_limits() {
    let mut two = Two::new(&Limits::default());
    for session in [&mut two.a, &mut two.b] {
        let (sealed, opened) = (session.sealer.next(), session.opener.next());
        session.sealer.jump(u32::MAX - 1, sealed, 3);
        session.opener.jump(u32::MAX - 1, opened, 3);
    }
    two.ratchet();
    assert_eq!(two.epochs(), [u32::MAX; 4]);
    two.a.ratchet();
    two.b.ratchet();
    two.settle();
    assert_eq!(two.epochs(), [u32::MAX; 4], "there is no next one");
    assert!(!two.a.is_over() && !two.b.is_over());
    two.now += Duration::from_secs(180);
    let seen = two.settle();
    assert!(seen.contains(&Event::Closed { code: close::RECORD_LIMIT, by_peer: true }), "{seen:?}");
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

pub(in crate::session) fn limits(change: impl FnOnce(&mut EpochLimits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits.epoch);
    limits
}

#[test]
fn se_10_each_soft_limit_begins_an_epoch() {
    // Time, idle: nothing but the clock moves.
    let mut two = Two::new(&Limits::default());
    let Output::Timeout(Some(deadline)) = two.a.poll(two.now) else { panic!("the epoch has an end") };
    two.now = deadline - Duration::from_millis(1);
    assert!(two.settle_at().is_empty());
    two.now = deadline;
    two.a.handle(Input::Timeout, two.now).unwrap();
    two.settle();
    assert_eq!(two.epochs(), [1; 4]);
    // And again, with no word between.
    for epoch in 2..20 {
        two.now += Duration::from_secs(60);
        two.settle();
        assert_eq!(two.epochs(), [epoch; 4]);
    }

    // Records and bytes, of either direction.
    for (limits, size) in [
        (limits(|l| l.soft.records = 100), 1),
        (limits(|l| (l.soft.records, l.soft.bytes) = (1 << 20, 100_000)), 1000),
    ] {
        for by_a in [true, false] {
            let mut two = Two::new(&limits);
            let stream = if by_a { two.a.open([1; 32]) } else { two.b.open([1; 32]) }.unwrap();
            for round in 0..300 {
                let (writer, reader) = if by_a { (&mut two.a, &mut two.b) } else { (&mut two.b, &mut two.a) };
                writer.write(stream, &vec![7; size]).unwrap();
                pump(writer, reader, two.now, &mut Vec::new());
                reader.consume(stream, size).unwrap();
                pump(reader, writer, two.now, &mut Vec::new());
                two.now += Duration::from_millis(1);
                assert!(two.epochs()[0] <= 4 && (round < 150 || two.epochs()[0] >= 1), "{:?}", two.epochs());
            }
        }
    }
}

impl Two {
    /// What is due now, without time.
    pub(in crate::session) fn settle_at(&mut self) -> Vec<Event> {
        [self.forth(), self.back(), self.forth()].concat()
    }
}

/// Busy: data flows all the time, and no epoch gets older than the soft limit and a round trip.
#[test]
fn se_10_a_busy_session_changes_epochs_by_the_clock_and_loses_nothing() {
    let mut two = Two::new(&Limits::default());
    let stream = two.a.open([1; 32]).unwrap();
    let mut written = 0_usize;
    for _ in 0..700 {
        two.a.write(stream, &written.to_be_bytes()).unwrap();
        written += 1;
        two.now += Duration::from_secs(1);
        for event in two.settle_at() {
            if let Event::StreamData { range, .. } = event {
                two.b.consume(stream, range.len()).unwrap();
            }
        }
    }
    let expected: Vec<u8> = (0..written).flat_map(usize::to_be_bytes).collect();
    assert_eq!(two.data, expected);
    assert!((10..=12).contains(&two.epochs()[0]), "{:?}", two.epochs());
}

/// S14, S20: a peer that does not answer stops the data at the hard limit, and nothing is lost when it does.
#[test]
fn se_10_beyond_the_hard_limit_only_control_is_sealed_and_nothing_is_lost() {
    for limits in [
        limits(|_| {}),
        limits(|l| (l.soft.records, l.hard.records) = (20, 40)),
        limits(|l| (l.soft.bytes, l.hard.bytes) = (1000, 4000)),
    ] {
        let mut two = Two::new(&limits);
        let stream = two.a.open([1; 32]).unwrap();
        two.a.write(stream, b"start").unwrap();
        two.settle();
        // The records of `a` do not arrive any more.
        let mut held = Vec::new();
        let mut accepted = 0;
        for round in 0..300_u32 {
            two.now += Duration::from_secs(1);
            accepted += two.a.write(stream, &round.to_be_bytes()).unwrap();
            while let Some(record) = transmit(&mut two.a, two.now) {
                held.push(record);
            }
        }
        assert_eq!(accepted, 1200, "the send buffer has room");
        assert!(two.a.epochs.is_spent() && two.a.streams.has_unsent() && !two.a.is_over());
        // Control goes on.
        two.a.ping();
        let control = transmit(&mut two.a, two.now).unwrap();
        held.push(control);
        two.a.write(stream, b"more").unwrap();
        assert_eq!(transmit(&mut two.a, two.now), None);
        // Back-pressure: a writer is told to wait.
        let filled = two.a.write(stream, &vec![0; 2 << 20]).unwrap();
        assert!(filled < 1 << 20);

        let before = held.len();
        let mut data = 0;
        let mut seen = Vec::new();
        for record in held {
            seen.extend(take(&mut two.b, &record, two.now).into_iter().map(|(event, _)| event));
        }
        assert!(before < 200);
        for _ in 0..20 {
            seen.extend(two.settle());
        }
        for event in seen {
            if let Event::StreamData { range, .. } = event {
                data += range.len();
            }
        }
        assert!(two.epochs()[0] >= 1);
        assert_eq!(data, accepted + 4 + filled);
    }
}

/// The list of SE-10.
#[test]
fn se_10_a_spent_epoch_lets_through_what_the_list_says() {
    let mut two = Two::new(&Limits::default());
    two.ratchet();
    let theirs = two.a.open([1; 32]).unwrap();
    two.a.write(theirs, &[0; 1 << 19]).unwrap();
    two.a.ping();
    two.forth();
    two.b.epochs.limits.hard.records = 0;
    two.b.consume(theirs, 1 << 19).unwrap();
    let own = two.b.open([1; 32]).unwrap();
    two.b.write(own, b"x").unwrap();
    two.b.ping();
    two.b.ratchet();
    let first = transmit(&mut two.b, two.now).unwrap();
    let kinds: Vec<String> = peek(&two.a.opener, &first).iter().map(|frame| frame[..4].to_owned()).collect();
    assert_eq!(kinds, ["Ack ", "Pong", "Ping", "Ratc"]);
    assert!(two.b.streams.has_windows() && !two.b.control.is_empty());
    assert_eq!(transmit(&mut two.b, two.now), None);
    two.b.epochs.limits.hard.records = 1 << 24;
    let record = transmit(&mut two.b, two.now).unwrap();
    give(&mut two.a, &first, two.now).unwrap();
    let kinds: Vec<String> = peek(&two.a.opener, &record).iter().map(|frame| frame[..8].to_owned()).collect();
    assert_eq!(kinds, ["StreamOp", "Window {", "StreamDa"]);
    two.b.epochs.limits.hard.records = 0;
    two.b.close(close::DONE);
    assert!(transmit(&mut two.b, two.now).is_some(), "the end is always said");
}

/// A responder that sends much asks before it must stop.
#[test]
fn se_21_a_responder_asks_halfway_to_its_hard_limit() {
    // The initiator's limits would let the epoch last.
    let now = origin();
    let (a, _) = sessions(&limits(|l| (l.soft.records, l.hard.records) = (5000, 6000)), now);
    let (_, b) = sessions(&limits(|l| (l.soft.records, l.hard.records) = (100, 300)), now);
    let mut two = Two { a, b, now, sent: Default::default(), data: Vec::new() };
    two.settle();
    let stream = two.b.open([1; 32]).unwrap();
    for _ in 0..1000 {
        two.b.write(stream, b"x").unwrap();
        two.back();
        two.forth();
        assert!(two.b.sealer.volume().records <= 202 && !two.b.epochs.is_spent());
    }
    assert!(two.epochs()[0] >= 4, "{:?}", two.epochs());
}

#[test]
fn se_10_the_last_record_of_an_epoch_can_only_be_the_end() {
    let limits = limits(|l| (l.soft.records, l.hard.records, l.last) = (8, 10, 20));
    let mut two = Two::new(&limits);
    // The peer answers pings but never a RATCHET: its records do not arrive, ours are pings.
    let stream = two.a.open([1; 32]).unwrap();
    let mut records = Vec::new();
    for _ in 0..50 {
        two.a.ping.outstanding = None;
        two.a.ping();
        let _ = two.a.write(stream, b"x");
        while let Some(record) = transmit(&mut two.a, two.now) {
            records.push(record);
        }
    }
    assert!(two.a.is_over());
    assert_eq!(two.a.sealer.volume().records, 20);
    let mut seen = Vec::new();
    for record in &records {
        seen.extend(take(&mut two.b, record, two.now).into_iter().map(|(event, _)| event));
    }
    assert_eq!(seen.last(), Some(&Event::Closed { code: close::RECORD_LIMIT, by_peer: true }));
}

/// SE-32: forgeries wear an epoch out.
#[cfg(not(feature = "null-cipher"))]
#[test]
fn se_32_many_forgeries_bring_a_new_epoch_and_count_anew() {
    let limits = limits(|l| l.forgeries = 50);
    for victim_is_a in [true, false] {
        let mut two = Two::new(&limits);
        for epoch in 1..4 {
            let victim = if victim_is_a { &mut two.a } else { &mut two.b };
            for _ in 0..49 {
                assert_eq!(give(victim, &[0x10; 60], two.now), Err(SessionError::Rejected));
            }
            two.settle();
            assert_eq!(two.epochs(), [epoch - 1; 4]);
            let victim = if victim_is_a { &mut two.a } else { &mut two.b };
            assert_eq!(give(victim, &[0x10; 60], two.now), Err(SessionError::Rejected));
            two.settle();
            assert_eq!(two.epochs(), [epoch; 4]);
        }
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
            self.renewed,
            self.told,
            self.demanded,
            self.due,
            self.asked,
            self.spent,
        )
    }
}
