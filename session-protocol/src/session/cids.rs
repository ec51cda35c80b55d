//! Routing tokens, those issued and those held. Specification: `spec/session.md`, SE-05, SE-50.
//!
//! Both lists are in the order of issue, in which the holder takes them. So the token of a connection tells which were taken
//! before it, also by connections that never came about.

use std::collections::VecDeque;

use super::close;
use crate::{
    hello::Cid,
    limits::{MAX_HELD_CIDS, UNUSED_CIDS},
};

/// The tokens under which records arrive here.
#[derive(Debug)]
pub(super) struct Issued {
    /// From that of the connection before the current one on.
    cids: Vec<Cid>,
    current: Cid,
    /// Issued, but in no record yet.
    due: VecDeque<Cid>,
}

impl Issued {
    /// The tokens of the hello; the peer takes the first one first.
    pub(super) fn new(cids: Vec<Cid>) -> Self {
        let current = cids.first().copied().unwrap_or_default();
        Self { cids, current, due: VecDeque::new() }
    }

    pub(super) fn as_slice(&self) -> &[Cid] {
        &self.cids
    }

    /// A connection became current on which the peer uses `cid`. Retires what was issued before the token of the connection
    /// before, and issues as many as the peer lacks.
    pub(super) fn adopted(&mut self, cid: Cid, mut fresh: impl FnMut() -> Cid) {
        let previous = std::mem::replace(&mut self.current, cid);
        let at = |wanted: Cid, cids: &[Cid]| cids.iter().position(|cid| *cid == wanted).unwrap_or(0);
        // The peer may have gone back to an older token, when it had no other.
        let keep = at(previous, &self.cids).min(at(cid, &self.cids));
        self.cids.drain(..keep);
        let unused = self.cids.len().saturating_sub(at(cid, &self.cids)).saturating_sub(1);
        for _ in unused..UNUSED_CIDS {
            let cid = fresh();
            self.cids.push(cid);
            self.due.push_back(cid);
        }
        // A peer that goes on and back between its tokens takes ever new ones and lets none be retired. The newest are enough
        // for an honest one; those that it was never told go unsaid.
        while self.cids.len() > MAX_HELD_CIDS {
            let oldest = usize::from(self.cids.first() == Some(&cid));
            let retired = self.cids.remove(oldest);
            self.due.retain(|due| *due != retired);
        }
    }

    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    #[cfg(all(test, not(feature = "null-cipher")))]
    pub(super) fn due_len(&self) -> usize {
        self.due.len()
    }

    /// The next token for a NEW_CID.
    pub(super) fn next_due(&mut self) -> Option<Cid> {
        self.due.pop_front()
    }
}

/// The peer's tokens, under which we send.
#[derive(Debug)]
pub(super) struct Held {
    unused: VecDeque<Cid>,
    last: Cid,
}

impl Held {
    /// The tokens of the peer's hello.
    pub(super) fn new(cids: Vec<Cid>) -> Self {
        Self { unused: cids.into(), last: Cid::default() }
    }

    /// A token for a new connection: one that was not used, or the last one if there is none.
    pub(super) fn take(&mut self) -> Cid {
        self.last = self.unused.pop_front().unwrap_or(self.last);
        self.last
    }

    /// The peer's NEW_CID.
    pub(super) fn add(&mut self, cid: Cid) -> Result<(), u32> {
        if self.unused.len() >= MAX_HELD_CIDS || self.last == cid || self.unused.contains(&cid) {
            return Err(close::CID);
        }
        self.unused.push_back(cid);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued() -> Issued {
        Issued::new((0..4).map(|n| [n; 8]).collect())
    }

    #[test]
    fn se_50_the_peer_holds_four_unused_tokens_after_every_connection() {
        let mut issued = issued();
        let mut held = Held::new(issued.as_slice().to_vec());
        assert_eq!(held.take(), [0; 8]);
        let mut next = 4..=255_u8;
        let mut failed = 0;
        for round in 0..20 {
            // Some connections come to nothing and cost a token each.
            for _ in 0..round % 3 {
                held.take();
                failed += 1;
            }
            let cid = held.take();
            issued.adopted(cid, || [next.next().unwrap(); 8]);
            assert!(issued.as_slice().contains(&cid) && issued.as_slice().len() <= MAX_HELD_CIDS);
            while let Some(new) = issued.next_due() {
                held.add(new).unwrap();
            }
            assert_eq!(held.unused.len(), UNUSED_CIDS);
            assert!(held.unused.iter().all(|cid| issued.as_slice().contains(cid)));
        }
        assert!(failed > 15);
    }

    /// However many connections fail in a row, the last token stays one that the peer takes.
    #[test]
    fn se_50_a_peer_without_unused_tokens_uses_the_last_one_again() {
        let mut issued = issued();
        let mut held = Held::new(issued.as_slice().to_vec());
        for _ in 0..30 {
            held.take();
        }
        let last = held.take();
        assert_eq!(last, [3; 8]);
        issued.adopted(last, || [9; 8]);
        issued.adopted(last, || [10; 8]);
        assert!(issued.as_slice().contains(&last));
    }

    #[test]
    fn se_50_a_repeated_token_and_a_seventeenth_are_refused() {
        let mut held = Held::new(vec![[0; 8]]);
        held.take();
        assert_eq!(held.add([0; 8]), Err(close::CID));
        for n in 1..=16 {
            assert_eq!(held.add([n; 8]), Ok(()));
            assert_eq!(held.add([n; 8]), Err(close::CID));
        }
        assert_eq!(held.add([17; 8]), Err(close::CID));
    }
}
