//! The circuits of one session: which to ask the relay for next, and when.
//!
//! Specification: `spec/relay.md`, RL-10 and RL-11. Both ends number the circuits of a session, and the number gives the token,
//! so they meet without a word when they count alike. They may not: a socket can break at the moment of pairing, so that only one
//! end saw the circuit, and a mediator that was restarted tells nobody which tokens were used.
//!
//! ```text
//! initiator  next ----------------------------------------> refused? next + 1, next + 2, next + 3
//! responder  next, after a while also next + 1, next - 1 ... -> refused? the same
//! ```
//!
//! Not its concern: tokens and messages (`io::engine`), what travels (`io::peer`), when to give a peer up.

use std::time::{Duration, Instant};

use didagent_session::Role;

/// How long a responder waits at one circuit before it waits at one more. A partner that counts alike is there in less time.
const NEXT_BESIDE: Duration = Duration::from_secs(3);

/// Circuits of one session at which we wait at a time: all that a responder tries.
const MAX_HALVES: usize = RESPONDER.len();

/// A mediator answers at once.
const ANSWER: Duration = Duration::from_secs(10);

/// Pause before the second attempt; it doubles with each that comes to nothing.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Numbers that an initiator tries, from the next one on; the order in which it does.
const INITIATOR: [i64; 4] = [0, 1, 2, 3];

/// The same for a responder. The initiator may have seen fewer circuits.
const RESPONDER: [i64; 7] = [0, 1, -1, 2, -2, 3, -3];

/// Decides for one session which circuits to ask for.
#[derive(Debug)]
pub struct Circuits {
    role: Role,
    /// One more than the number of the circuit on which credit was seen last.
    next: u32,
    wanted: bool,
    /// Circuits that were asked for and have no partner yet.
    halves: Vec<Half>,
    /// Numbers that the relay refused since the last circuit.
    used: Vec<u32>,
    /// No attempt before this time.
    not_before: Option<Instant>,
    /// Attempts that came to nothing since a circuit was good.
    failures: u32,
}

#[derive(Debug)]
struct Half {
    number: u32,
    since: Instant,
    /// The relay has answered.
    opened: bool,
}

impl Circuits {
    /// Nothing is wanted yet.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            next: 0,
            wanted: false,
            halves: Vec::new(),
            used: Vec::new(),
            not_before: None,
            failures: 0,
        }
    }

    /// The session needs a circuit.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// The session needs none any more: it has one that works. The halves that wait are closed by whoever holds them.
    pub fn enough(&mut self) {
        self.wanted = false;
        self.halves.clear();
    }

    /// Returns the number of the circuit to ask for now, if one is due. Call until it returns `None`.
    pub fn due(&mut self, now: Instant) -> Option<u32> {
        self.halves.retain(|half| half.opened || now < half.since + ANSWER);
        if !self.wanted || self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        if self.candidates().next().is_none() {
            // All were used, so the other end has seen more circuits than that, or somebody plays with us.
            self.used.clear();
            self.next = self.next.saturating_add(1);
        }
        let number = self.candidates().take(self.allowed(now)).find(|number| !self.is_asked(*number))?;
        self.halves.push(Half { number, since: now, opened: false });
        Some(number)
    }

    /// Returns when [`Circuits::due`] may have more, if that is a matter of time.
    pub fn deadline(&self) -> Option<Instant> {
        if !self.wanted {
            return None;
        }
        let answers = self.halves.iter().filter(|half| !half.opened).map(|half| half.since + ANSWER);
        let more = match self.first_half() {
            None => self.not_before,
            Some(first) => (self.role == Role::Responder && self.halves.len() < MAX_HALVES)
                .then(|| first + NEXT_BESIDE * self.asked())
                .map(|at| self.not_before.map_or(at, |not_before| at.max(not_before)))
                .filter(|_| self.candidates().any(|number| !self.is_asked(number))),
        };
        answers.chain(more).min()
    }

    /// The relay answered: we wait for the partner there.
    pub fn opened(&mut self, number: u32) {
        if let Some(half) = self.halves.iter_mut().find(|half| half.number == number) {
            half.opened = true;
        }
    }

    /// The relay refused; `used` says that it was because somebody, perhaps we, used the token before.
    pub fn refused(&mut self, number: u32, used: bool, now: Instant, random: u64) {
        if used {
            self.used.push(number);
        }
        self.halves.retain(|half| half.number != number);
        // The next number may be tried at once; after the last one, and after any other refusal, somebody needs time.
        if !used || self.candidates().next().is_none() {
            self.pause(now, random);
        }
    }

    /// No partner came, or the circuit ended before it was good for anything.
    pub fn failed(&mut self, number: u32, now: Instant, random: u64) {
        self.halves.retain(|half| half.number != number);
        self.pause(now, random);
    }

    /// The socket is gone on which we asked, and the relay may not be what it was.
    pub fn socket_lost(&mut self) {
        self.halves.clear();
        self.used.clear();
    }

    /// Credit was seen on this circuit: both ends are there.
    pub fn paired(&mut self, number: u32) {
        self.next = number.saturating_add(1);
        self.used.clear();
        self.enough();
    }

    /// Data flows on a circuit, so the attempts were worth it.
    pub fn good(&mut self) {
        self.failures = 0;
        self.not_before = None;
    }

    fn candidates(&self) -> impl Iterator<Item = u32> {
        let offsets: &[i64] = match self.role {
            Role::Initiator => &INITIATOR,
            Role::Responder => &RESPONDER,
        };
        let next = i64::from(self.next);
        let numbers = offsets.iter().filter_map(move |offset| u32::try_from(next + offset).ok());
        numbers.filter(|number| !self.used.contains(number))
    }

    /// Returns at how many circuits we may wait now.
    fn allowed(&self, now: Instant) -> usize {
        let Some(first) = self.first_half().filter(|_| self.role == Role::Responder) else { return 1 };
        let waited = now.saturating_duration_since(first).as_secs() / NEXT_BESIDE.as_secs();
        usize::try_from(waited).unwrap_or(MAX_HALVES).saturating_add(1).min(MAX_HALVES)
    }

    fn first_half(&self) -> Option<Instant> {
        self.halves.iter().map(|half| half.since).min()
    }

    fn asked(&self) -> u32 {
        u32::try_from(self.halves.len()).unwrap_or(u32::MAX)
    }

    fn is_asked(&self, number: u32) -> bool {
        self.halves.iter().any(|half| half.number == number)
    }

    /// Puts the next attempt off. `random` keeps many agents from coming at once.
    fn pause(&mut self, now: Instant, random: u64) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(8)).min(LONGEST_PAUSE);
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.failures += 1;
        self.not_before = Some(now + Duration::from_millis(millis / 2 + random % (millis / 2).max(1)));
    }
}

#[cfg(test)]
mod tests;
