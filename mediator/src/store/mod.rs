//! Where queued mail is kept.
//!
//! A store keeps what it is given in order; quotas, lifetimes and who may read belong to [`crate::core`].

mod memory;

use std::sync::Arc;

pub use memory::MemoryStore;

/// One queued message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Name under which the recipient acknowledges it; unique in the store.
    pub id: Arc<str>,
    /// When it came, UTC seconds.
    pub received: u64,
    /// When it is dropped, UTC seconds.
    pub expires: u64,
    /// The encrypted message, a JSON text.
    pub message: Arc<str>,
}

/// Size of one recipient's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Messages.
    pub messages: usize,
    /// Bytes of all messages.
    pub bytes: usize,
    /// When the oldest came, UTC seconds.
    pub oldest: Option<u64>,
    /// When the newest came, UTC seconds.
    pub newest: Option<u64>,
}

/// Keeps mail per recipient DID, in the order of arrival.
pub trait MailStore: Send {
    /// Appends `mail` to the queue of `recipient` and returns its number, greater than all before, whatever the recipient.
    fn put(&mut self, recipient: &str, mail: Mail) -> u64;

    /// Returns up to `limit` messages of `recipient` whose number is greater than `number`, in order, with their numbers.
    fn after(&self, recipient: &str, number: u64, limit: usize) -> Vec<(u64, Mail)>;

    /// Returns whose message `id` is.
    fn recipient_of(&self, id: &str) -> Option<Arc<str>>;

    /// Removes a message; `false` when there is none.
    fn remove(&mut self, id: &str) -> bool;

    /// Removes all messages of `recipient`.
    fn remove_all(&mut self, recipient: &str);

    /// Removes all messages that expire at `now` or earlier and returns how many.
    fn expire(&mut self, now: u64) -> usize;

    /// Returns the size of one queue.
    fn totals(&self, recipient: &str) -> Totals;

    /// Returns the bytes of all messages of all recipients.
    fn bytes(&self) -> usize;
}
