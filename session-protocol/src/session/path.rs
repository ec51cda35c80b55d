//! The connections of a session: which is current, which wait for the peer. Specification: `spec/session.md`, section 12.
//!
//! Not its concern: what the messages of a resumption say (`resumption.rs`), what goes over a connection.

use std::{collections::VecDeque, time::Instant};

use super::{ConnectionId, SessionError};
use crate::{
    Role,
    hello::Cid,
    limits::{ADOPTION_TIME, MAX_ANSWERS, MAX_WAITING},
    record::resume::Nonce,
};

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: ConnectionId,
    /// The peer's token, in all that we send on it.
    pub(super) cid: Cid,
    pub(super) nonce: Nonce,
    /// The generation that this end proposed for it, in all its messages; 0 on the first.
    pub(super) proposal: u64,
    /// The highest generation that was sent or verified on it.
    pub(super) generation: u64,
    pub(super) resume_due: bool,
    /// Nonces to answer.
    pub(super) answers: VecDeque<Nonce>,
    /// Nonces that were answered, or are to be.
    answered: Vec<Nonce>,
    /// When it is given up, if it is not adopted.
    deadline: Option<Instant>,
    told_unknown: bool,
}

/// All connections.
#[derive(Debug)]
pub(super) struct Paths {
    next_id: u32,
    current: Option<Link>,
    waiting: Vec<Link>,
    /// Generation of the connection that was adopted last.
    generation: u64,
    /// Highest generation adopted or proposed here.
    highest: u64,
    /// What the caller is to drop.
    drops: VecDeque<ConnectionId>,
}

impl Link {
    fn new(id: ConnectionId, cid: Cid, nonce: Nonce) -> Self {
        Self {
            id,
            cid,
            nonce,
            proposal: 0,
            generation: 0,
            resume_due: false,
            answers: VecDeque::new(),
            answered: Vec::new(),
            deadline: None,
            told_unknown: false,
        }
    }

    /// A message with this nonce verified. Returns false if too many were answered already.
    pub(super) fn heard(&mut self, nonce: Nonce) -> bool {
        if self.answered.contains(&nonce) {
            return true;
        }
        if self.answered.len() >= MAX_ANSWERS {
            return false;
        }
        self.answered.push(nonce);
        self.answers.push_back(nonce);
        // The answer says all that a RESUME would.
        self.resume_due = false;
        true
    }

    /// Somebody says that the peer does not know our token. Returns whether that is news.
    pub(super) fn unknown(&mut self, cid: &Cid) -> bool {
        let news = self.cid == *cid && !self.told_unknown;
        self.told_unknown |= news;
        news
    }
}

impl Paths {
    pub(super) fn new() -> Self {
        Self {
            next_id: 0,
            current: None,
            waiting: Vec::new(),
            generation: 0,
            highest: 0,
            drops: VecDeque::new(),
        }
    }

    pub(super) fn current(&self) -> Option<&Link> {
        self.current.as_ref()
    }

    pub(super) fn is_current(&self, id: ConnectionId) -> bool {
        self.current.as_ref().is_some_and(|link| link.id == id)
    }

    /// Whether the session ever gave out this connection.
    pub(super) fn is_known(&self, id: ConnectionId) -> bool {
        id.value() < self.next_id
    }

    /// The connection, if it is current or waits.
    pub(super) fn link_mut(&mut self, id: ConnectionId) -> Option<&mut Link> {
        self.current.iter_mut().chain(&mut self.waiting).find(|link| link.id == id)
    }

    /// Whether one more may wait.
    pub(super) fn check_room(&self) -> Result<(), SessionError> {
        if self.waiting.len() >= MAX_WAITING || self.next_id == u32::MAX {
            Err(SessionError::TooManyConnections)
        } else {
            Ok(())
        }
    }

    /// A new connection. Returns its id, and whether it is the first, which is current at once.
    pub(super) fn add(&mut self, cid: Cid, nonce: Nonce, role: Role, now: Instant) -> (ConnectionId, bool) {
        let id = ConnectionId::new(self.next_id);
        let first = self.next_id == 0;
        self.next_id = self.next_id.saturating_add(1);
        let mut link = Link::new(id, cid, nonce);
        if first {
            self.current = Some(link);
        } else {
            self.highest = proposal(self.highest, role);
            link.proposal = self.highest;
            link.generation = self.highest;
            link.resume_due = true;
            link.deadline = now.checked_add(ADOPTION_TIME);
            self.waiting.push(link);
        }
        (id, first)
    }

    /// Whether the connection may become current: its generation is above that of the one adopted last.
    pub(super) fn is_newer(&self, id: ConnectionId) -> bool {
        self.current
            .iter()
            .chain(&self.waiting)
            .any(|link| link.id == id && link.generation > self.generation)
    }

    /// Makes the connection current; the one before is to be dropped. Returns whether that is another one.
    pub(super) fn adopt(&mut self, id: ConnectionId) -> bool {
        let at = self.waiting.iter().position(|link| link.id == id);
        if let Some(at) = at {
            let mut link = self.waiting.remove(at);
            link.deadline = None;
            if let Some(old) = self.current.replace(link) {
                self.drops.push_back(old.id);
            }
        }
        if let Some(link) = &self.current {
            self.generation = link.generation;
            self.highest = self.highest.max(link.generation);
        }
        at.is_some()
    }

    /// The connection is gone. Returns whether it was the current one.
    pub(super) fn forget(&mut self, id: ConnectionId) -> bool {
        self.drops.retain(|drop| *drop != id);
        self.waiting.retain(|link| link.id != id);
        self.current.take_if(|link| link.id == id).is_some()
    }

    /// The caller is to drop the connection. Returns whether it was the current one.
    pub(super) fn give_up(&mut self, id: ConnectionId) -> bool {
        let was_current = self.forget(id);
        self.drops.push_back(id);
        was_current
    }

    /// Gives up what waited too long.
    pub(super) fn tick(&mut self, now: Instant) {
        let late = |link: &Link| link.deadline.is_some_and(|deadline| now >= deadline);
        while let Some(id) = self.waiting.iter().find(|link| late(link)).map(|link| link.id) {
            self.give_up(id);
        }
    }

    /// When the next one waited too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(|link| link.deadline).min()
    }

    /// What outlives a connection: the generation adopted last, and the highest known.
    #[cfg(all(test, not(feature = "null-cipher")))]
    pub(super) fn generations(&self) -> (u64, u64) {
        (self.generation, self.highest)
    }

    /// Our nonces on the connections there are.
    #[cfg(all(test, not(feature = "null-cipher")))]
    pub(super) fn nonces(&self) -> Vec<Nonce> {
        self.current.iter().chain(&self.waiting).map(|link| link.nonce).collect()
    }

    /// Pretends that so many generations went by.
    #[cfg(test)]
    pub(super) fn propose_from(&mut self, highest: u64) {
        self.highest = highest;
    }

    pub(super) fn next_drop(&mut self) -> Option<ConnectionId> {
        self.drops.pop_front()
    }

    /// The next connection on which a message of a resumption is due, and the nonce that it answers.
    pub(super) fn next_message(&mut self) -> Option<(&Link, Option<Nonce>)> {
        let mut links = self.current.iter_mut().chain(&mut self.waiting);
        let link = links.find(|link| link.resume_due || !link.answers.is_empty())?;
        let echo = link.answers.pop_front();
        if echo.is_none() {
            link.resume_due = false;
        }
        Some((link, echo))
    }
}

/// The lowest number above `highest` that is odd for the initiator and even for the responder.
fn proposal(highest: u64, role: Role) -> u64 {
    let next = highest.saturating_add(1);
    let odd = next % 2 == 1;
    if odd == (role == Role::Initiator) { next } else { next.saturating_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_above_all_before_and_never_those_of_the_other_end() {
        assert_eq!([0, 1, 2, 3].map(|highest| proposal(highest, Role::Initiator)), [1, 3, 3, 5]);
        assert_eq!([0, 1, 2, 3].map(|highest| proposal(highest, Role::Responder)), [2, 2, 4, 4]);
        // At the end of the numbers nothing is above any more, and nothing wraps.
        assert_eq!(proposal(u64::MAX - 1, Role::Responder), u64::MAX);
        assert_eq!(proposal(u64::MAX, Role::Initiator), u64::MAX);
    }
}
