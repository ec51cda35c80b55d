//! Which messages were read already, so that nobody on the way can make one count twice.
//!
//! A mediator keeps our mail and may deliver an envelope again and again: a `join` after its `leave` would seat a ghost. So
//! each message of another party must say when it ends, and its id is remembered until then.

use std::collections::BTreeMap;

use didagent_didcomm::message::Message;
use sha2::{Digest as _, Sha256};

/// How far ahead a message may say that it ends, in seconds. Ours say two minutes; the rest is for clocks that differ.
const MAX_LIFETIME: u64 = 10 * 60;

/// Messages that are remembered. A room of sixteen takes about a hundred; at the limit the next is refused, since to forget
/// one is to let it count twice.
const MAX_REMEMBERED: usize = 8192;

/// The messages that were read and have not ended yet.
#[derive(Debug, Default)]
pub struct Seen {
    /// End of each, by a digest of sender and id.
    ends: BTreeMap<[u8; 32], u64>,
}

impl Seen {
    /// Says whether `message` of `sender` is read for the first time, and remembers it. `now` is in UTC seconds; the envelope
    /// was opened, so the message has not ended.
    pub fn is_new(&mut self, sender: &str, message: &Message, now: u64) -> bool {
        let Some(end) = message.expires_time.filter(|end| *end <= now.saturating_add(MAX_LIFETIME)) else {
            return false;
        };
        if self.ends.len() >= MAX_REMEMBERED {
            self.ends.retain(|_, end| *end >= now);
            if self.ends.len() >= MAX_REMEMBERED {
                return false;
            }
        }
        let mut digest = Sha256::new();
        digest.update(sender);
        // A DID has no such byte, so no two pairs give the same bytes.
        digest.update([0]);
        digest.update(&message.id);
        self.ends.insert(digest.finalize().into(), end).is_none()
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

    #[test]
    fn a_message_counts_once_for_each_sender() {
        let mut seen = Seen::default();
        let first = message("1", Some(NOW + 60));
        assert!(seen.is_new("did:a", &first, NOW));
        assert!(!seen.is_new("did:a", &first, NOW + 60));
        assert!(seen.is_new("did:b", &first, NOW));
        assert!(seen.is_new("did:a", &message("2", Some(NOW + 60)), NOW));
    }

    #[test]
    fn a_message_without_an_end_or_with_a_far_one_is_refused() {
        let mut seen = Seen::default();
        assert!(!seen.is_new("did:a", &message("1", None), NOW));
        assert!(!seen.is_new("did:a", &message("1", Some(NOW + MAX_LIFETIME + 1)), NOW));
    }

    #[test]
    fn a_full_memory_refuses_rather_than_forgets() {
        let mut seen = Seen::default();
        for id in 0..MAX_REMEMBERED {
            assert!(seen.is_new("did:a", &message(&id.to_string(), Some(NOW + 60)), NOW));
        }
        assert!(!seen.is_new("did:a", &message("new", Some(NOW + 60)), NOW));
        assert!(seen.is_new("did:a", &message("new", Some(NOW + 120)), NOW + 61));
    }
}
