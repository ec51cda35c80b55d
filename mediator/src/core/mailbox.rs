//! Queues of encrypted mail: quotas, lifetimes and batches over a [`MailStore`].

use std::sync::Arc;

use super::limits::Limits;
use crate::store::{Mail, MailStore, Totals};

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
            || self.store.bytes() + message.len() > limits.store_bytes
        {
            return Err(Refused::QueueFull);
        }
        let longest = now.saturating_add(limits.mail_seconds);
        let expires = expires.map_or(longest, |wish| wish.min(longest));
        let mail = Mail { id: id.into(), received: now, expires, message: message.into() };
        self.store.put(recipient, mail);
        Ok(())
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

    pub(super) fn bytes(&self) -> usize {
        self.store.bytes()
    }
}
