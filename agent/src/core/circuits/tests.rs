use std::collections::{BTreeMap, BTreeSet};

use rand_core::Rng as _;

use super::*;
use crate::core::test_rng;

/// A relay that pairs tokens once (RL-06) and ends halves without a partner after a minute (RL-09).
#[derive(Default)]
struct Relay {
    waiting: BTreeMap<(u32, usize), Instant>,
    used: BTreeSet<u32>,
}

/// Both ends of a session, and whether each has a circuit.
struct Pair {
    now: Instant,
    relay: Relay,
    ends: [Circuits; 2],
    connected: [Option<u32>; 2],
    requests: usize,
}

impl Pair {
    #[expect(clippy::disallowed_methods, reason = "any instant will do as the beginning of the test's time")]
    fn new() -> Self {
        Self {
            now: Instant::now(),
            relay: Relay::default(),
            ends: [Circuits::new(Role::Initiator), Circuits::new(Role::Responder)],
            connected: [None, None],
            requests: 0,
        }
    }

    fn want(&mut self) {
        self.connected = [None, None];
        for end in &mut self.ends {
            end.want();
        }
    }

    /// Both ends do what they want to now; `sees` says who sees the credit of a circuit that is paired.
    fn step(&mut self, sees: [bool; 2]) {
        for end in 0..2 {
            while let Some(number) = self.ends[end].due(self.now) {
                self.requests += 1;
                if self.relay.used.contains(&number) || self.relay.waiting.contains_key(&(number, end)) {
                    self.ends[end].refused(number, true, self.now, 0);
                    continue;
                }
                self.ends[end].opened(number);
                if self.relay.waiting.remove(&(number, 1 - end)).is_none() {
                    self.relay.waiting.insert((number, end), self.now);
                    continue;
                }
                self.relay.used.insert(number);
                for end in (0..2).filter(|end| sees[*end]) {
                    self.ends[end].paired(number);
                    self.relay.waiting.retain(|(_, whose), _| *whose != end);
                    self.connected[end] = Some(number);
                }
            }
        }
        let over = self.now - Duration::from_secs(60);
        for (number, end) in
            self.relay.waiting.extract_if(.., |_, since| *since <= over).map(|(half, _)| half)
        {
            self.ends[end].failed(number, self.now, 0);
        }
    }

    /// Lets time pass until both have the same circuit; returns how long it took.
    fn meet(&mut self) -> Duration {
        let begin = self.now;
        loop {
            self.step([true, true]);
            if self.connected[0].is_some() && self.connected[0] == self.connected[1] {
                for end in &mut self.ends {
                    end.good();
                }
                return self.now - begin;
            }
            self.now += Duration::from_millis(50);
            assert!(self.now < begin + Duration::from_secs(120), "{:?}", self.ends);
        }
    }

    /// The sockets of both ends are gone, and with them what waited.
    fn cut(&mut self) {
        self.relay.waiting.clear();
        for end in &mut self.ends {
            end.socket_lost();
        }
        self.want();
    }
}

#[test]
fn ends_that_count_alike_meet_at_once_and_never_use_a_number_twice() {
    let mut pair = Pair::new();
    pair.want();
    for number in 0..50 {
        assert_eq!(pair.meet(), Duration::ZERO);
        assert_eq!(pair.connected, [Some(number); 2]);
        pair.cut();
    }
    assert_eq!(pair.requests, 100);
}

#[test]
fn nothing_is_asked_for_that_nobody_wants() {
    let mut pair = Pair::new();
    pair.step([true, true]);
    assert_eq!((pair.requests, pair.ends[0].deadline(), pair.ends[1].deadline()), (0, None, None));
}

/// Decides RL-10.
#[test]
fn ends_that_count_differently_meet_also_at_a_relay_that_remembers_nothing() {
    for lucky in [0, 1] {
        for differ in 1..=3 {
            for forgets in [false, true] {
                let mut pair = Pair::new();
                pair.want();
                pair.meet();
                // One end sees credit of circuits of which the other never hears.
                for _ in 0..differ {
                    let next = pair.ends[lucky].next;
                    pair.ends[lucky].paired(next);
                    pair.relay.used.insert(next);
                }
                if forgets {
                    pair.relay.used.clear();
                }
                pair.cut();
                let took = pair.meet();
                assert!(took < Duration::from_secs(20), "{took:?} when {lucky} counted {differ} more");
                assert_eq!(pair.ends[0].next, pair.ends[1].next, "they count alike again");
            }
        }
    }
}

#[test]
fn a_half_that_a_dead_socket_holds_does_not_keep_them_apart() {
    let mut pair = Pair::new();
    pair.want();
    pair.meet();
    // The initiator's half still waits at the relay on a socket that is dead.
    pair.cut();
    pair.relay.waiting.insert((1, 0), pair.now);
    for _ in 0..2 {
        pair.step([false, true]);
    }
    // The responder met the dead one, which it finds out some time.
    assert_eq!(pair.connected, [None, Some(1)]);
    pair.ends[1].want();
    pair.meet();
    assert_eq!(pair.connected, [Some(2); 2]);
}

#[test]
fn whatever_breaks_they_meet_again() {
    for seed in 0..200 {
        let mut rng = test_rng(seed);
        let mut pair = Pair::new();
        pair.want();
        for _ in 0..30 {
            for _ in 0..rng.next_u32() % 4 {
                let bits = rng.next_u32();
                pair.step([bits & 1 != 0, bits & 2 != 0]);
                if bits & 12 == 0 {
                    pair.relay = Relay::default();
                }
                if bits & 48 == 0 {
                    pair.cut();
                }
                pair.now += Duration::from_millis(u64::from(bits >> 20));
            }
            pair.cut();
            pair.meet();
        }
    }
}

/// Decides RL-17.
#[test]
fn a_relay_that_refuses_is_not_asked_all_the_time() {
    for (role, used) in [(Role::Initiator, true), (Role::Responder, true), (Role::Initiator, false)] {
        let mut circuits = Circuits::new(role);
        let mut now = Pair::new().now;
        let end = now + Duration::from_secs(60);
        circuits.want();
        let mut requests = 0;
        while now < end {
            while let Some(number) = circuits.due(now) {
                requests += 1;
                circuits.refused(number, used, now, 0);
            }
            now = circuits.deadline().unwrap();
        }
        assert!((20..400).contains(&requests), "{role:?}: {requests} in a minute");
    }
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    let mut circuits = Circuits::new(Role::Initiator);
    let now = Pair::new().now;
    circuits.want();
    assert_eq!(circuits.due(now), Some(0));
    assert_eq!(circuits.due(now + ANSWER - Duration::from_millis(1)), None);
    assert_eq!(circuits.deadline(), Some(now + ANSWER));
    assert_eq!(circuits.due(now + ANSWER), Some(0));
    circuits.opened(0);
    assert_eq!(circuits.due(now + 10 * ANSWER), None);
}
