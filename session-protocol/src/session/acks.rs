//! The acknowledgements that the peer is owed. Specification: `spec/session.md`, section 8.

use std::time::Instant;

use crate::limits::{ACK_BYTES, ACK_DELAY, ACK_RECORDS};

/// What the peer is owed. What it owes is in the outbox.
#[derive(Debug, Default)]
pub(super) struct Acks {
    /// Records received that asked for an acknowledgement and have none.
    owed_records: u32,
    owed_bytes: u64,
    deadline: Option<Instant>,
    due: bool,
}

impl Acks {
    /// A record of `bytes` that asks for an acknowledgement was opened.
    pub(super) fn received(&mut self, bytes: u64, now: Instant) {
        self.owed_records = self.owed_records.saturating_add(1);
        self.owed_bytes = self.owed_bytes.saturating_add(bytes);
        self.due |= self.owed_records >= ACK_RECORDS || self.owed_bytes >= ACK_BYTES;
        self.deadline = self.deadline.or_else(|| now.checked_add(ACK_DELAY));
    }

    /// Owes an acknowledgement at once, whether or not a record asked for it.
    pub(super) fn owe(&mut self) {
        self.owed_records = self.owed_records.max(1);
        self.due = true;
    }

    /// Time passed.
    pub(super) fn tick(&mut self, now: Instant) {
        self.due |= self.deadline.is_some_and(|deadline| now >= deadline);
    }

    /// Whether an ACK must be sent even if there is nothing else to send.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// Whether an ACK goes into a record that is sealed anyway.
    pub(super) fn is_owed(&self) -> bool {
        self.owed_records > 0
    }

    /// When an owed ACK becomes due; `None` if none is owed or one is due already.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.filter(|_| !self.due)
    }

    /// An ACK was put into a record.
    pub(super) fn sent(&mut self) {
        self.owed_records = 0;
        self.owed_bytes = 0;
        self.deadline = None;
        self.due = false;
    }
}
