//! The room that posted messages may take: of one network, of memory, and while they are answered.
//!
//! Specification: `spec/relay.md`, RL-53.
//!
//! ```text
//! head -> place of its network -> pieces, as the body comes -> slot, when it is complete -> answer sent: all given back
//! ```
//!
//! What comes slowly holds nothing that others need: a place counts against its own network alone, and pieces are counted by
//! what came. Not its concern: how often a network may post (`core::rates`), and how long it may take.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::core::limits::{MAX_POSTS, NETWORK_POSTS, POST_BYTES};
use crate::core::rates::network_of;

/// How much of a body is read at once, and counted against [`POST_BYTES`], in bytes.
pub(super) const PIECE: usize = 16 * 1024;

/// The room for messages that are being posted, all together.
#[derive(Debug)]
pub(in crate::io) struct Posts {
    /// For complete messages, until their answers were sent.
    pub(super) slots: Semaphore,
    /// Pieces of [`PIECE`] bytes that bodies may take. They are counted as they come: to announce a long body costs nothing.
    pub(super) pieces: Semaphore,
    /// How many posts each network has under way. An entry goes with its last post, so there are never more than connections.
    networks: Mutex<HashMap<IpAddr, usize>>,
}

impl Default for Posts {
    fn default() -> Self {
        Self::new(MAX_POSTS, POST_BYTES / PIECE)
    }
}

impl Posts {
    pub(super) fn new(slots: usize, pieces: usize) -> Self {
        Self { slots: Semaphore::new(slots), pieces: Semaphore::new(pieces), networks: Mutex::default() }
    }

    /// Takes one of the places that the network of `client` has; `None` when all are taken.
    pub(super) fn place(&self, client: IpAddr) -> Option<Place<'_>> {
        let network = network_of(client);
        let mut networks = self.networks();
        let posts = networks.entry(network).or_default();
        if *posts >= NETWORK_POSTS {
            return None;
        }
        *posts += 1;
        Some(Place { posts: self, network })
    }

    /// Starts to count the memory of one body.
    pub(super) fn room(&self) -> Room<'_> {
        Room { pieces: &self.pieces, held: None }
    }

    /// Returns how many posts are under way.
    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.networks().values().sum()
    }

    fn networks(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A post that is under way; it is over when this is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    posts: &'a Posts,
    network: IpAddr,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut networks = self.posts.networks();
        if let Some(posts) = networks.get_mut(&self.network) {
            *posts -= 1;
            if *posts == 0 {
                networks.remove(&self.network);
            }
        }
    }
}

/// The memory that one body holds; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Room<'a> {
    pieces: &'a Semaphore,
    held: Option<SemaphorePermit<'a>>,
}

impl Room<'_> {
    /// Makes sure that `bytes` are counted; `false` when there is no room for them.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let held = self.held.as_ref().map_or(0, SemaphorePermit::num_permits);
        let more = bytes.div_ceil(PIECE).saturating_sub(held);
        let Ok(more) = u32::try_from(more) else { return false };
        let Ok(more) = self.pieces.try_acquire_many(more) else { return false };
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_places_and_gives_them_back() {
        let posts = Posts::default();
        let place = |address: &str| posts.place(address.parse().unwrap());
        for (first, same, other) in [
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
            ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"),
        ] {
            let mut places: Vec<_> = (0..NETWORK_POSTS).map(|_| place(first).unwrap()).collect();
            assert!(place(first).is_none() && place(same).is_none());
            assert!(place(other).is_some(), "another network is not concerned");
            places.pop();
            assert!(place(same).is_some());
        }
        assert!(posts.networks().is_empty(), "nothing is left of what is over");
    }

    #[test]
    fn room_is_counted_in_pieces_and_once() {
        let posts = Posts::new(1, 3);
        let mut room = posts.room();
        for (bytes, left) in [(0, 3), (1, 2), (PIECE, 2), (PIECE + 1, 1), (1, 1), (3 * PIECE, 0)] {
            assert!(room.hold(bytes));
            assert_eq!(posts.pieces.available_permits(), left, "{bytes}");
        }
        assert!(!room.hold(3 * PIECE + 1) && !room.hold(usize::MAX));
        drop(room);
        assert_eq!(posts.pieces.available_permits(), 3);
    }
}
