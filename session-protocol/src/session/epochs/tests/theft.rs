//! What a thief of the state reads, what ends with an epoch, and that no key serves twice.

use super::*;

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
