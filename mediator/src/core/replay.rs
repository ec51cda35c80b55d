//! Remembers what was seen for a while: message ids and used circuit tokens.
//!
//! The memory is bounded; when it is full the oldest entry makes room. Entries are hashes, so their size does not depend
//! on what a sender chose.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

type Key = [u8; 16];

/// A bounded memory with one lifetime for all entries.
#[derive(Debug)]
pub(super) struct Replay {
    lifetime: Duration,
    capacity: usize,
    seen: HashSet<Key>,
    /// In order of expiry, which is the order of insertion.
    order: VecDeque<(Duration, Key)>,
}

impl Replay {
    pub(super) fn new(lifetime: Duration, capacity: usize) -> Self {
        Self { lifetime, capacity, seen: HashSet::new(), order: VecDeque::new() }
    }

    /// Remembers the entry named by `parts`; `false` when it was remembered already.
    pub(super) fn first_time(&mut self, parts: &[&[u8]], now: Duration) -> bool {
        self.sweep(now);
        let key = key_of(parts);
        if !self.seen.insert(key) {
            return false;
        }
        while self.order.len() >= self.capacity {
            let Some((_, oldest)) = self.order.pop_front() else { break };
            self.seen.remove(&oldest);
        }
        self.order.push_back((now + self.lifetime, key));
        true
    }

    /// Tells whether the entry is remembered.
    pub(super) fn contains(&mut self, parts: &[&[u8]], now: Duration) -> bool {
        self.sweep(now);
        self.seen.contains(&key_of(parts))
    }

    fn sweep(&mut self, now: Duration) {
        while let Some((expires, key)) = self.order.front().copied() {
            if expires > now {
                break;
            }
            self.order.pop_front();
            self.seen.remove(&key);
        }
    }
}

fn key_of(parts: &[&[u8]]) -> Key {
    let mut hash = Sha256::new();
    for part in parts {
        // Lengths keep ("ab", "c") and ("a", "bc") apart.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let mut key = Key::default();
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Decides RL-46.
    #[test]
    fn second_time_is_noticed_until_the_lifetime_is_over() {
        let mut replay = Replay::new(10 * SECOND, 100);
        assert!(replay.first_time(&[b"did:a", b"1"], SECOND));
        assert!(!replay.first_time(&[b"did:a", b"1"], 10 * SECOND));
        assert!(replay.contains(&[b"did:a", b"1"], 10 * SECOND));
        assert!(replay.first_time(&[b"did:a", b"1"], 11 * SECOND));
    }

    /// Decides RL-46.
    #[test]
    fn sender_and_id_are_kept_apart() {
        let mut replay = Replay::new(SECOND, 100);
        assert!(replay.first_time(&[b"ab", b"c"], SECOND));
        assert!(replay.first_time(&[b"a", b"bc"], SECOND));
    }

    /// Decides RL-46.
    #[test]
    fn memory_is_bounded_and_forgets_the_oldest() {
        let mut replay = Replay::new(SECOND, 3);
        for id in 0..100_u8 {
            assert!(replay.first_time(&[&[id]], Duration::ZERO));
            assert!(replay.order.len() <= 3 && replay.seen.len() <= 3);
        }
        assert!(!replay.contains(&[&[96]], Duration::ZERO));
        assert!(replay.contains(&[&[97]], Duration::ZERO));
    }
}
