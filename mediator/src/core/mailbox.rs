//! Queues of encrypted mail: quotas, lifetimes and batches over a [`MailStore`].

use std::sync::Arc;

use super::limits::Limits;
use crate::store::{MAIL_OVERHEAD, Mail, MailStore, Totals};

/// All queues.
#[derive(Debug)]
pub(super) struct Mailbox<S> {
    store: S,
}

/// Why a message is not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    TooBig,
    QueueFull,
}

/// A batch of mail, oldest first.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) mail: Vec<Mail>,
    /// Number of the last message in it; 0 for an empty batch.
    pub(super) last: u64,
}

impl<S: MailStore> Mailbox<S> {
    pub(super) fn new(store: S) -> Self {
        Self { store }
    }

    /// Queues a message for `recipient`; `expires` is the sender's wish in UTC seconds.
    pub(super) fn put(
        &mut self,
        recipient: &str,
        id: String,
        message: String,
        expires: Option<u64>,
        now: u64,
        limits: &Limits,
    ) -> Result<(), Refused> {
        if message.len() > limits.message_bytes {
            return Err(Refused::TooBig);
        }
        let totals = self.store.totals(recipient);
        if totals.messages >= limits.queue_messages
            || totals.bytes + message.len() > limits.queue_bytes
            || !self.make_room(totals.cost(), message.len() + MAIL_OVERHEAD, limits)
        {
            return Err(Refused::QueueFull);
        }
        let longest = now.saturating_add(limits.mail_seconds);
        let expires = expires.map_or(longest, |wish| wish.min(longest));
        let mail = Mail { id: id.into(), received: now, expires, message: message.into() };
        self.store.put(recipient, mail);
        Ok(())
    }

    /// Makes room for mail of `cost` in a queue that costs `ours`; `false`, and nothing is lost, when that queue should not get it.
    ///
    /// When the store is full, the fullest queue loses its newest mail, which is what a smaller quota would have refused. It
    /// stays at least as full as the queue that gains, so whoever floods the store competes with itself and not with those
    /// who have little mail.
    fn make_room(&mut self, ours: usize, cost: usize, limits: &Limits) -> bool {
        let missing = (self.store.cost() + cost).saturating_sub(limits.store_bytes);
        if missing == 0 {
            return true;
        }
        let Some(fullest) = self.store.fullest() else { return false };
        if self.store.totals(&fullest).cost() < ours + cost + missing {
            return false;
        }
        let mut freed = 0;
        while freed < missing {
            let Some(more) = self.store.remove_newest(&fullest) else { return false };
            freed += more;
        }
        tracing::debug!(freed, "the store is full: the fullest queue lost mail");
        true
    }

    /// Returns the oldest mail of `recipients` with a number above `after` that has not expired, at most `messages` of it and
    /// about `bytes`; one message comes whatever its size.
    pub(super) fn batch<'a>(
        &self,
        recipients: impl Iterator<Item = &'a Arc<str>>,
        after: u64,
        messages: usize,
        bytes: usize,
        now: u64,
    ) -> Batch {
        let mut all: Vec<(u64, Mail)> =
            recipients.flat_map(|recipient| self.store.after(recipient, after, messages)).collect();
        all.retain(|(_, mail)| mail.expires > now);
        all.sort_by_key(|(number, _)| *number);
        let mut batch = Batch::default();
        let mut size = 0;
        for (number, mail) in all.into_iter().take(messages) {
            size += mail.message.len();
            if size > bytes && !batch.mail.is_empty() {
                break;
            }
            batch.last = number;
            batch.mail.push(mail);
        }
        batch
    }

    /// Removes a message that was acknowledged, if `owns` its recipient.
    pub(super) fn acknowledge(&mut self, id: &str, owns: impl Fn(&str) -> bool) -> bool {
        let owned = self.store.recipient_of(id).is_some_and(|recipient| owns(&recipient));
        owned && self.store.remove(id)
    }

    /// Returns the size of several queues together.
    pub(super) fn totals<'a>(&self, recipients: impl Iterator<Item = &'a Arc<str>>) -> Totals {
        recipients.map(|recipient| self.store.totals(recipient)).fold(Totals::default(), |sum, queue| {
            Totals {
                messages: sum.messages + queue.messages,
                bytes: sum.bytes + queue.bytes,
                oldest: sum.oldest.into_iter().chain(queue.oldest).min(),
                newest: sum.newest.into_iter().chain(queue.newest).max(),
            }
        })
    }

    /// Drops the mail of a recipient that is no longer registered.
    pub(super) fn forget(&mut self, recipient: &str) {
        self.store.remove_all(recipient);
    }

    /// Drops mail whose time is over.
    pub(super) fn expire(&mut self, now: u64) {
        let dropped = self.store.expire(now);
        if dropped > 0 {
            tracing::debug!(dropped, "expired mail");
        }
    }

    /// Tells whether anything waits for `recipient`.
    pub(super) fn is_empty(&self, recipient: &str) -> bool {
        self.store.totals(recipient).messages == 0
    }

    /// Returns what all queues take of the store.
    pub(super) fn cost(&self) -> usize {
        self.store.cost()
    }
}
