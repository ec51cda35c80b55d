//! Which messages were read already, so that nobody on the way can make one count twice.
//!
//! A mediator keeps our mail and may deliver an envelope again and again: a `join` after its `leave` would seat a ghost. So
//! each message of another party must say when it ends, and its id is remembered until then.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use didagent_didcomm::message::Message;
use sha2::{Digest as _, Sha256};

/// How far ahead a message may say that it ends, in seconds. Ours say two minutes; the rest is for clocks that differ.
const MAX_LIFETIME: u64 = 10 * 60;

/// Messages of parties that are remembered. A room of sixteen takes about a hundred; at the limit the next is refused, since to
/// forget one is to let it count twice.
const MAX_REMEMBERED: usize = 8192;

/// Messages of strangers that are remembered. Anybody can fill this memory, and then the oldest makes room: refusing would close
/// the room to newcomers, and what a stranger's `join` can do a second time is to seat somebody who has left.
const MAX_OF_STRANGERS: usize = 8192;

/// The messages that were read and have not ended yet.
#[derive(Debug, Default)]
pub struct Seen {
    /// End of each message of a party, by a digest of sender and id.
    ends: BTreeMap<[u8; 32], u64>,
    /// The same of strangers, who cannot use up the parties' places.
    strangers: BTreeSet<[u8; 32]>,
    /// Theirs in the order of their arrival.
    arrived: VecDeque<[u8; 32]>,
}

impl Seen {
    /// Says whether `message` of `sender`, a party of the room or a stranger, is read for the first time, and remembers it.
    /// `now` is in UTC seconds; the envelope was opened, so the message has not ended.
    pub fn is_new(&mut self, sender: &str, is_party: bool, message: &Message, now: u64) -> bool {
        let Some(end) = message.expires_time.filter(|end| *end <= now.saturating_add(MAX_LIFETIME)) else {
            return false;
        };
        let mut digest = Sha256::new();
        digest.update(sender);
        // A DID has no such byte, so no two pairs give the same bytes.
        digest.update([0]);
        digest.update(&message.id);
        let digest = digest.finalize().into();
        // Whoever has a seat by now may have asked for it as a stranger.
        if self.ends.contains_key(&digest) || self.strangers.contains(&digest) {
            return false;
        }
        if is_party {
            self.remember(digest, end, now)
        } else {
            self.remember_of_stranger(digest);
            true
        }
    }

    fn remember(&mut self, digest: [u8; 32], end: u64, now: u64) -> bool {
        if self.ends.len() >= MAX_REMEMBERED {
            self.ends.retain(|_, end| *end >= now);
            if self.ends.len() >= MAX_REMEMBERED {
                return false;
            }
        }
        self.ends.insert(digest, end).is_none()
    }

    fn remember_of_stranger(&mut self, digest: [u8; 32]) {
        if self.arrived.len() >= MAX_OF_STRANGERS
            && let Some(oldest) = self.arrived.pop_front()
        {
            self.strangers.remove(&oldest);
        }
        self.strangers.insert(digest);
        self.arrived.push_back(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn message(id: &str, end: Option<u64>) -> Message {
        let mut message = Message::new(id, "type", serde_json::json!({}));
        message.expires_time = end;
        message
    }

    /// Decides RM-17.
    #[test]
    fn a_message_counts_once_for_each_sender() {
        let mut seen = Seen::default();
        let first = message("1", Some(NOW + 60));
        assert!(seen.is_new("did:a", true, &first, NOW));
        assert!(!seen.is_new("did:a", true, &first, NOW + 60));
        assert!(seen.is_new("did:b", true, &first, NOW));
        assert!(seen.is_new("did:a", true, &message("2", Some(NOW + 60)), NOW));
    }

    /// Decides RM-17.
    #[test]
    fn a_message_without_an_end_or_with_a_far_one_is_refused() {
        let mut seen = Seen::default();
        assert!(!seen.is_new("did:a", true, &message("1", None), NOW));
        assert!(!seen.is_new("did:a", true, &message("1", Some(NOW + MAX_LIFETIME + 1)), NOW));
    }

    /// Decides RM-17.
    #[test]
    fn a_full_memory_refuses_rather_than_forgets() {
        let mut seen = Seen::default();
        for id in 0..MAX_REMEMBERED {
            assert!(seen.is_new("did:a", true, &message(&id.to_string(), Some(NOW + 60)), NOW));
        }
        assert!(!seen.is_new("did:a", true, &message("new", Some(NOW + 60)), NOW));
        assert!(seen.is_new("did:a", true, &message("new", Some(NOW + 120)), NOW + 61));
    }

    /// Decides RM-17.
    #[test]
    fn strangers_cannot_use_up_the_places_of_parties_nor_close_the_room() {
        let mut seen = Seen::default();
        for id in 0..2 * MAX_OF_STRANGERS {
            assert!(seen.is_new("did:x", false, &message(&id.to_string(), Some(NOW + 600)), NOW));
        }
        let last = (2 * MAX_OF_STRANGERS - 1).to_string();
        assert!(!seen.is_new("did:x", false, &message(&last, Some(NOW + 600)), NOW));
        assert!(seen.is_new("did:a", true, &message("1", Some(NOW + 60)), NOW));
        assert_eq!((seen.strangers.len(), seen.arrived.len()), (MAX_OF_STRANGERS, MAX_OF_STRANGERS));
    }

    /// Decides RM-17.
    #[test]
    fn a_join_does_not_count_again_once_its_sender_has_a_seat() {
        let mut seen = Seen::default();
        let join = message("join", Some(NOW + 60));
        assert!(seen.is_new("did:a", false, &join, NOW));
        assert!(!seen.is_new("did:a", true, &join, NOW));
    }
}
