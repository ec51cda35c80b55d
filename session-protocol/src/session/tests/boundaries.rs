//! Resumption at every border of a conversation, and near the ends of the numbers.

use std::time::Duration;

use super::{world::World, *};

/// A conversation of small records, both ways; `cut` breaks the connection after so many deliveries. `loses` says which of
/// the records on the way are gone for good.
fn conversation(cut: usize, also: usize) -> usize {
    let mut world = World::new(&Limits { record_size: 2048, ..Limits::default() }, 3);
    let mut delivered = 0;
    for round in 0..30 {
        for side in 0..2 {
            world.write(side, 300 + round);
            if round == 10 {
                world.ends[side].ratchet();
            }
            world.poll(side);
            for wire in 0..world.wires.len() {
                while world.deliver(wire, 1 - side) {
                    delivered += 1;
                    world.check();
                    if delivered == cut || delivered == cut + also {
                        (0..world.wires.len()).for_each(|wire| world.cut(wire));
                        world.connect();
                        break;
                    }
                    world.poll(1 - side);
                }
            }
            world.read(1 - side);
        }
        world.now += Duration::from_millis(7);
    }
    world.heal();
    delivered
}

/// S20: a cut after each single record, in mid-ratchet and in mid-resumption too, where NEW_CIDs are lost.
#[test]
fn s20_se_57_a_cut_after_any_record_loses_nothing() {
    let all = conversation(usize::MAX, 0);
    assert!(all > 60);
    for cut in 1..all {
        conversation(cut, 0);
        // Once more while the next connection is being adopted, or just after.
        conversation(cut, 1 + cut % 6);
    }
}

/// Sequence numbers around 2^48, and the last of all.
#[test]
fn se_16_se_55_resumption_at_the_ends_of_the_numbers() {
    for start in [(1 << 48) - 3, (1 << 48) + 1, (5 << 48) - 2, u64::MAX - 4] {
        let (mut a, mut b, now) = pair(&Limits::default());
        pump(&mut b, &mut a, now + ACK_DELAY);
        assert!(a.is_delivered() && b.is_delivered());
        a.jump(start);
        b.opener.jump(0, start, 5);
        let stream = a.open([1; 32]).unwrap();
        let mut arrived = 0;
        for round in 0..10 {
            if a.write(stream, b"x").is_err() {
                break;
            }
            let _lost = transmit(&mut a, now);
            let on = a.paths.current().unwrap().id;
            a.disconnected(on, now);
            b.disconnected(on, now);
            let name = a.connected(now).unwrap();
            assert_eq!(b.connected(now), Ok(name));
            for _ in 0..3 {
                while let Some(record) = transmit(&mut a, now) {
                    if b.is_over() {
                        break;
                    }
                    b.handle(Input::Record { connection: name, record: &mut record.clone() }, now).unwrap();
                    let seen = std::iter::from_fn(|| b.poll_event());
                    arrived += seen.filter(|event| matches!(event, Event::StreamData { .. })).count();
                }
                while let Some(record) = transmit(&mut b, now) {
                    if a.is_over() {
                        break;
                    }
                    a.handle(Input::Record { connection: name, record: &mut record.clone() }, now).unwrap();
                    drain(&mut a);
                }
            }
            assert!(arrived == round + 1 || start > u64::MAX - 10, "{start} {round} {arrived}");
        }
        assert!(arrived >= 2);
        assert_eq!(a.is_over(), start > u64::MAX - 10);
    }
}

/// A generation at the end of the numbers, from a peer that means harm: nothing wraps, the session stays.
#[test]
fn se_54_a_generation_at_the_end_of_the_numbers_does_not_wrap() {
    let (mut a, mut b, now) = pair(&Limits::default());
    b.paths.propose_from(u64::MAX - 1);
    for _ in 0..3 {
        let (name, other) = (a.connected(now).unwrap(), b.connected(now).unwrap());
        assert_eq!(name, other);
        for _ in 0..4 {
            for (from, to) in [(true, false), (false, true)] {
                let _ = to;
                let (from, to) = if from { (&mut a, &mut b) } else { (&mut b, &mut a) };
                while let Some(record) = transmit(from, now) {
                    to.handle(Input::Record { connection: name, record: &mut record.clone() }, now).unwrap();
                    drain(to);
                }
            }
        }
    }
    assert!(!a.is_over() && !b.is_over());
}

/// The events of the model of `resume.pml`, on the newest connection.
fn event(world: &mut World, event: usize) {
    let wire = world.wires.len().saturating_sub(1);
    match event {
        // seal, transmit
        0 | 1 => {
            world.write(event, 40);
            world.poll(event);
        }
        // deliver; what it causes goes out
        2 | 3 => {
            if world.deliver(wire, event - 2) {
                world.poll(event - 2);
            }
        }
        // drop
        4 => world.wires[wire].to[1].pop_front().into_iter().for_each(drop),
        // duplicate
        5 => {
            let front = world.wires[wire].to[1].front().cloned();
            front.into_iter().for_each(|record| world.wires[wire].to[1].push_back(record));
        }
        // cut, resume
        6 => {
            world.cut(wire);
            world.connect();
            (0..2).for_each(|side| world.poll(side));
        }
        // a second connection beside this one
        7 => {
            world.connect();
            (0..2).for_each(|side| world.poll(side));
        }
        // deliver_late
        8 => world.deliver_late(true),
        // ack
        _ => {
            world.now += ACK_DELAY;
            (0..2).for_each(|side| world.poll(side));
        }
    }
    if world.wires.is_empty() {
        world.connect();
    }
    world.check();
}

const EVENTS: usize = 10;

/// Every order of a few events, from the start, from the middle of a resumption and with two connections.
#[test]
fn s11_se_54_se_55_every_short_schedule_keeps_the_model() {
    let depth = if std::env::var_os("DIDAGENT_SOAK").is_some() { 5 } else { 3 };
    let limits = Limits { record_size: 2048, ..Limits::default() };
    for start in [&[][..], &[0, 1, 3, 0, 6], &[0, 0, 3, 6, 3, 7, 2]] {
        for schedule in 0..EVENTS.pow(depth) {
            let mut world = World::new(&limits, 1);
            start.iter().for_each(|which| event(&mut world, *which));
            (0..depth).for_each(|at| event(&mut world, schedule / EVENTS.pow(at) % EVENTS));
            world.heal();
        }
    }
}

proptest::proptest! {
    /// Longer ones, by chance.
    #[test]
    fn s11_se_54_se_55_long_schedules_keep_the_model(schedule in proptest::collection::vec(0..EVENTS, 10..120)) {
        let mut world = World::new(&Limits { record_size: 2048, ..Limits::default() }, 1);
        schedule.into_iter().for_each(|which| event(&mut world, which));
        world.heal();
    }
}
