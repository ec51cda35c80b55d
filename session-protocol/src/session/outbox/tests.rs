//! The ring of sealed records against a plain list, and its bounds.

use proptest::prelude::*;

use super::*;
use crate::limits::Limits;

const LARGEST: usize = 1024;

fn sizes(largest: usize) -> Sizes {
    crate::session::padding::Pacer::new(crate::Padding::Off, crate::MAX_RECORD).sizes(largest)
}

fn outbox() -> Outbox {
    Outbox::new(256 * 1024, sizes(LARGEST))
}

fn put(outbox: &mut Outbox, size: usize, record: &[u8], asks: bool) {
    let mut space = outbox.begin(size);
    space.put(record);
    assert_eq!(space.record_mut(), record);
    if record.len() > 100 {
        space.note(1, record.len() - 100);
    }
    outbox.keep(space, asks);
}

proptest! {
    /// Whatever is kept and acknowledged in which order: each kept record is there, whole, and the costs are bounded.
    #[test]
    fn se_52_the_ring_keeps_what_a_list_would(
        steps in prop::collection::vec((1_usize..LARGEST, any::<bool>(), 0_u64..40, any::<u8>()), 1..400),
    ) {
        let mut outbox = outbox();
        let mut list: VecDeque<(Vec<u8>, bool)> = VecDeque::new();
        let mut una = 0;
        for (size, asks, acknowledge, fill) in steps {
            if outbox.room(Urgency::Stream) > 0 {
                let record = vec![fill; size.max(10)];
                put(&mut outbox, LARGEST, &record, asks);
                list.push_back((record, asks));
            }
            if fill % 8 == 0 {
                let mut space = outbox.begin(LARGEST);
                space.put(&[0xee; 50]);
                space.note(9, 50);
                outbox.cancel(space);
            }
            if asks {
                let rx_next = (una + acknowledge).min(outbox.next());
                let mut bytes = 0;
                outbox.acknowledge(rx_next, |stream, length| {
                    assert_eq!(stream, 1);
                    bytes += length;
                });
                let gone = list.drain(..usize::try_from(rx_next - una).unwrap());
                prop_assert_eq!(bytes, gone.map(|(record, _)| count(record.len().saturating_sub(100))).sum::<u64>());
                una = rx_next;
            }
            prop_assert_eq!(outbox.una(), una);
            prop_assert_eq!(outbox.next(), una + count(list.len()));
            prop_assert_eq!(outbox.is_acknowledged(), list.iter().all(|(_, asks)| !asks));
            for (seq, (record, _)) in (una..).zip(&list) {
                let sent = outbox.addressed(seq, &[seq.to_be_bytes()[7]; 8]);
                prop_assert_eq!(&sent[..1], &record[..1]);
                prop_assert_eq!(&sent[1..9], &[seq.to_be_bytes()[7]; 8]);
                prop_assert_eq!(&sent[9..], &record[9..]);
            }
            prop_assert!(outbox.addressed(outbox.next(), &[0; 8]).is_empty());
            prop_assert!(outbox.cost() <= 256 * 1024);
            prop_assert!(outbox.ring.len() <= 256 * 1024 + 2 * LARGEST);
        }
    }
}

/// Records of each urgency go on until their part of the buffer is full, and the CLOSE always has room.
#[test]
fn se_52_the_reserve_is_for_control_then_for_acks_then_for_the_close() {
    let mut outbox = Outbox::new(Limits::default().retransmission, sizes(16 * 1024));
    let mut costs = Vec::new();
    for (urgency, size) in
        [(Urgency::Stream, 16 * 1024), (Urgency::Control, 40), (Urgency::Ack, 46), (Urgency::Close, 60)]
    {
        while outbox.room(urgency) > 0 {
            let room = outbox.room(urgency);
            put(&mut outbox, room, &vec![1; size], true);
        }
        costs.push(outbox.cost());
        assert!(outbox.ring.len() <= 8 * 1024 * 1024 + 32 * 1024);
    }
    let limit = 8 * 1024 * 1024;
    assert!(costs[0] <= limit - 64 * 1024 && costs[0] > limit - 64 * 1024 - 48 * 1024, "{costs:?}");
    assert!(costs[1] <= limit - 4096 && costs[1] > limit - 4096 - 2048 - 96, "{costs:?}");
    assert!(costs[2] <= limit - 512 && costs[3] <= limit && costs[3] > costs[2], "{costs:?}");
}

#[test]
fn se_53_quiet_records_are_counted_by_number_and_by_bytes() {
    for (size, number) in [(40, 256), (1024, 32)] {
        let mut outbox = outbox();
        for _ in 0..number {
            assert!(!outbox.is_too_quiet());
            put(&mut outbox, LARGEST, &vec![0; size], false);
        }
        assert!(outbox.is_too_quiet());
        put(&mut outbox, LARGEST, &[0; 40], true);
        assert!(!outbox.is_too_quiet());
        outbox.acknowledge(outbox.next(), |_, _| {});
        assert!(!outbox.is_too_quiet());
    }
}

/// After the first round nothing is allocated any more.
#[test]
fn a_warm_ring_does_not_grow() {
    let mut outbox = outbox();
    let mut sizes = (0..1000).cycle().step_by(7);
    let mut warm = (0, 0);
    for round in 0..50 {
        for _ in 0..60 {
            let record = vec![3; 10 + sizes.next().unwrap()];
            put(&mut outbox, LARGEST, &record, true);
        }
        outbox.acknowledge(outbox.next(), |_, _| {});
        let capacity = (outbox.ring.capacity(), outbox.entries.capacity());
        if round > 2 {
            assert_eq!(capacity, warm);
        }
        warm = capacity;
    }
}

#[cfg(not(feature = "null-cipher"))]
impl Outbox {
    /// All of it, with the kept bytes but for their cids.
    pub(in crate::session) fn state(&self) -> String {
        let Self { ring, tail, entries, pieces, first, bytes, asking, .. } = self;
        let kept: Vec<_> =
            entries.iter().map(|entry| &ring[entry.start + 9..entry.start + entry.length]).collect();
        format!("{tail} {entries:?} {pieces:?} {first} {bytes} {asking} {kept:?}")
    }
}
