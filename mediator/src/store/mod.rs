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

/// What a queued message takes beside its text, in bytes: its id, its times and its places in two indexes. It is charged,
/// or a store of very short messages would take many times the memory that its bytes promise.
pub const MAIL_OVERHEAD: usize = 256;

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

impl Totals {
    /// Returns what the queue takes of its store: the bytes and [`MAIL_OVERHEAD`] for each message.
    pub fn cost(&self) -> usize {
        self.bytes + self.messages * MAIL_OVERHEAD
    }
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

    /// Returns the cost of all queues together.
    fn cost(&self) -> usize;

    /// Returns the recipient whose queue costs most; of equal ones any, but always the same.
    fn fullest(&self) -> Option<Arc<str>>;

    /// Removes the newest message of `recipient` and returns what that frees; `None` when there is none.
    fn remove_newest(&mut self, recipient: &str) -> Option<usize>;
}
