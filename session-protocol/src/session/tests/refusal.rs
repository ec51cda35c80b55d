//! S12: an input that is refused leaves the state as it was, to the last byte and key, whatever the state and the input.

use std::time::Duration;

use super::*;
use crate::record::resume::Resume;

/// A session in some state, records of its peer that it has not seen, and what was on the wire before.
struct Case {
    victim: Session,
    peer: Session,
    fresh: Vec<Vec<u8>>,
    old: Vec<Vec<u8>>,
    own: Vec<Vec<u8>>,
    on: ConnectionId,
    now: Instant,
}

/// Victims of both roles: waiting for the first record, in the middle of data, while an epoch begins, without a connection
/// and with one that waits.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in 0..8 {
        let now = origin();
        let (mut a, mut b) = sessions(&Limits::default(), now);
        let (mut old, mut own) = (Vec::new(), Vec::new());
        let mut on = FIRST;
        let stream = a.open([1; 32]).unwrap();
        a.write(stream, b"first").unwrap();
        if kind > 0 {
            for _ in 0..2 {
                while let Some(record) = transmit(&mut a, now) {
                    give(&mut b, &record, now).unwrap();
                    drain(&mut b);
                    old.push(record);
                }
                while let Some(record) = transmit(&mut b, now) {
                    give(&mut a, &record, now).unwrap();
                    drain(&mut a);
                    own.push(record);
                }
                b.ping();
            }
        }
        if kind == 3 || kind == 7 {
            a.ratchet();
            let offer = transmit(&mut a, now).unwrap();
            give(&mut b, &offer, now).unwrap();
            drain(&mut b);
        }
        if kind >= 4 {
            for end in [&mut a, &mut b] {
                if kind % 2 == 0 {
                    end.disconnected(FIRST, now);
                }
                on = end.connected(now).unwrap();
                drain(end);
            }
        }
        a.write(stream, b"second").unwrap();
        if kind > 0 {
            b.write(stream, b"queued").unwrap();
            b.ping();
        }
        let mut fresh = Vec::new();
        fresh.extend(transmit(&mut a, now));
        a.write(stream, b"third").unwrap();
        fresh.extend(transmit(&mut a, now));
        while let Some(record) = transmit(&mut b, now) {
            own.push(record);
        }
        cases.push(Case { victim: b, peer: a, fresh, old, own, on, now });
    }
    cases
}

impl Case {
    /// The state without what S12 lets change: which connection is used, and what is answered on it.
    fn state(&mut self) -> String {
        let paths = std::mem::replace(&mut self.victim.paths, crate::session::path::Paths::new());
        let events = std::mem::take(&mut self.victim.events);
        assert!(events.iter().all(|event| matches!(event, Event::Suspended | Event::UnknownCid(_))));
        let state = self.victim.snapshot();
        self.victim.paths = paths;
        state
    }

    fn refuses(&mut self, record: &[u8], what: &str) {
        let (before, generation) = (self.state(), self.victim.paths.generations());
        let later = self.now + Duration::from_millis(3);
        for on in [FIRST, self.on] {
            let input = Input::Record { connection: on, record: &mut record.to_vec() };
            let result = self.victim.handle(input, later);
            assert!(matches!(result, Ok(()) | Err(SessionError::Rejected)), "{what}: {result:?}");
        }
        assert_eq!(self.state(), before, "{what}");
        assert_eq!(self.victim.paths.generations(), generation, "{what}");
    }
}

#[cfg(not(feature = "null-cipher"))]
#[test]
fn s12_s13_se_06_whatever_is_refused_changes_nothing_in_any_state() {
    for mut case in cases() {
        let fresh = case.fresh.clone();
        for record in &fresh {
            for index in 0..record.len() {
                for bit in [0, 3, 7] {
                    let mut changed = record.clone();
                    changed[index] ^= 1 << bit;
                    // Another cid that we issued would be another way for the same record.
                    case.refuses(&changed, &format!("byte {index} bit {bit} of {:#x}", record[0]));
                }
                case.refuses(&record[..index], &format!("cut to {index}"));
            }
            case.refuses(&[&record[..], &[0]].concat(), "a byte more");
        }
        // Every type there is and is not, with a cid of ours and of lengths around those of the messages.
        let cid = case.victim.cids()[0];
        for kind in 0..=255_u8 {
            for length in [0, 8, 9, 16, 36, 37, 72, 73, 74, 88, 89, 90, 300] {
                let mut record = [&[kind][..], &cid, &vec![kind ^ 0x5a; length]].concat();
                record.truncate(length.max(1));
                case.refuses(&record, &format!("type {kind:#x} of {length} bytes"));
            }
        }
        // Replayed, reflected, ahead of its turn.
        let ahead = fresh.get(1).filter(|_| fresh[0][0] == 0x10);
        let late: Vec<_> = case.old.iter().chain(&case.own).chain(ahead).cloned().collect();
        for record in &late {
            case.refuses(record, "not its turn");
        }
        // What the peer sealed is still taken.
        let received = case.victim.stats().records_received;
        for record in fresh.iter().filter(|record| record[0] == 0x10) {
            case.victim
                .handle(Input::Record { connection: FIRST, record: &mut record.clone() }, case.now)
                .unwrap();
            drain(&mut case.victim);
            assert!(case.victim.stats().records_received > received);
        }
    }
}

/// Messages that the peer could seal, but that claim what cannot be.
#[test]
fn se_54_se_55_messages_of_the_peer_that_do_not_fit_change_nothing() {
    for mut case in cases() {
        let cid = case.victim.cids()[1];
        let own = case.victim.paths.nonces();
        let seal = |message: Resume, cid| {
            let mut out = Vec::new();
            let key = case.peer.epochs.own_resume_key(false);
            message.seal(case.peer.epochs.cipher(), key, cid, &[4; 16], &mut out);
            out
        };
        let mut hostile = Vec::new();
        for nonce in &own {
            let fits = Resume { generation: 99, rx_next: 0, nonce: [7; 16], echo: Some(*nonce) };
            let sealed = case.victim.outbox.next();
            hostile.push(seal(Resume { rx_next: sealed + 1, ..fits }, &cid));
            hostile.push(seal(Resume { rx_next: u64::MAX, ..fits }, &cid));
            hostile.push(seal(fits, &[0xee; 8]));
            hostile.push(seal(Resume { generation: 0, ..fits }, &cid));
        }
        hostile.push(seal(Resume { generation: 99, rx_next: 0, nonce: [7; 16], echo: Some([0; 16]) }, &cid));
        hostile.push(seal(Resume { generation: 99, rx_next: 0, nonce: [8; 16], echo: None }, &cid));
        let current = case.victim.paths.generations();
        if case.on == FIRST {
            hostile.iter().for_each(|record| case.refuses(record, "does not fit"));
        } else {
            // On a connection that waits, generation 0 of the peer leaves our own proposal: that one would be adopted.
            hostile
                .iter()
                .filter(|record| !hostile.iter().skip(3).step_by(4).any(|zero| zero == *record))
                .for_each(|record| case.refuses(record, "does not fit"));
        }
        assert_eq!(case.victim.paths.generations(), current);
    }
}

/// ST-03: a record in which a frame cannot be read has no effect but the end, whatever stands before that frame.
#[test]
fn s12_st_03_an_unreadable_frame_undoes_its_record() {
    let (e, context) = ([9; 32], [7; 32]);
    let frames = [
        Frame::Ack { rx_next: 1 },
        Frame::Ping { id: 7 },
        Frame::Pong { id: 0 },
        Frame::Close { code: 0x100, final_seq: 9 },
        Frame::Ratchet { epoch: 1, e: &e, kem: b"" },
        Frame::RatchetAck { epoch: 1, e: &e, kem: b"" },
        Frame::Rehs { step: 1, epoch: 1, message: &[3; 48] },
        Frame::NewCid { cid: b"fresh id" },
        Frame::StreamOpen { stream: 3, context: &context },
        Frame::StreamData { stream: 1, bytes: b"x" },
        Frame::StreamFin { stream: 1 },
        Frame::StreamReset { stream: 1, code: 3 },
        Frame::Window { stream: 1, limit: 1 << 40 },
    ];
    let mut valid = Vec::new();
    for frame in [&frames[0], &frames[1], &frames[7], &frames[8], &frames[9], &frames[12]] {
        frame.encode(&mut valid);
    }
    for frame in &frames {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        for length in 1..bytes.len() {
            for case in cases().into_iter().skip(1).take(1) {
                let mut victim = case.victim;
                let before = victim.snapshot();
                let mut record = [&valid[..], &bytes[..length]].concat();
                let code = close::FRAME_MALFORMED;
                assert_eq!(
                    victim.accept(&mut record, 0, 0, 99, case.now),
                    Err(SessionError::Violation { code })
                );
                assert_eq!(victim.poll_event(), Some(Event::Closed { code, by_peer: false }));
                assert_eq!(victim.poll_event(), None);
                victim.phase = Phase::Open;
                assert_eq!(victim.snapshot(), before, "{frame:?} cut to {length}");
            }
        }
    }
}
