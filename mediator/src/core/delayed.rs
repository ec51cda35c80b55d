//! Mail that its sender wants to be delivered later (RL-60): until then it is in no queue, so nobody is told of it.
//!
//! Not its concern: quotas of queues, which the mail meets when its time has come (`mailbox`).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::limits::Limits;
use crate::store::MAIL_OVERHEAD;

/// One message that waits.
#[derive(Debug)]
pub(super) struct Held {
    /// The `next` of its forward.
    pub(super) next: String,
    /// The encrypted message.
    pub(super) payload: String,
    /// When it is not worth delivering any more, UTC seconds.
    pub(super) expires: Option<u64>,
}

impl Held {
    fn cost(&self) -> usize {
        MAIL_OVERHEAD + self.next.len() + self.payload.len()
    }
}

/// All messages that wait, by their time.
#[derive(Debug, Default)]
pub(super) struct Delayed {
    held: BTreeMap<(Duration, u64), Held>,
    last: u64,
    cost: usize,
    /// The part of the cost that is for each recipient.
    by_recipient: HashMap<String, usize>,
}

impl Delayed {
    /// Keeps a message until `due`, a time since the start; `false` when too much waits already, for all or for its recipient.
    pub(super) fn hold(&mut self, due: Duration, held: Held, limits: &Limits) -> bool {
        let cost = held.cost();
        let for_it = self.by_recipient.get(&held.next).copied().unwrap_or(0);
        if self.cost + cost > limits.delayed_bytes || for_it + cost > limits.delayed_bytes_per_recipient {
            return false;
        }
        self.cost += cost;
        self.by_recipient.insert(held.next.clone(), for_it + cost);
        self.last += 1;
        self.held.insert((due, self.last), held);
        true
    }

    /// Returns a message whose time has come; of several the one that was due first.
    pub(super) fn take(&mut self, now: Duration) -> Option<Held> {
        let first = self.held.first_entry().filter(|first| first.key().0 <= now)?;
        let held = first.remove();
        let cost = held.cost();
        self.cost -= cost;
        if let Some(for_it) = self.by_recipient.get_mut(&held.next) {
            *for_it -= cost;
            if *for_it == 0 {
                self.by_recipient.remove(&held.next);
            }
        }
        Some(held)
    }

    /// Returns for how many recipients something waits.
    #[cfg(test)]
    pub(super) fn recipients(&self) -> usize {
        self.by_recipient.len()
    }

    /// Returns when the next message is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.held.first_key_value().map(|((due, _), _)| *due)
    }
}
