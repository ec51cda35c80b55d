//! Acknowledgements, both ways. Specification: `spec/session.md`, section 8.

use std::time::Instant;

use crate::limits::{ACK_BYTES, ACK_DELAY, ACK_RECORDS};

/// What the peer is owed, and what it owes.
#[derive(Debug, Default)]
pub(super) struct Acks {
    /// Records received that asked for an acknowledgement and have none.
    owed_records: u32,
    owed_bytes: u64,
    deadline: Option<Instant>,
    due: bool,
    /// Every record below this number was acknowledged by the peer.
    acknowledged: u64,
    /// One past the last sealed record that asked for an acknowledgement.
    asked: u64,
}

impl Acks {
    /// A record of `bytes` that asks for an acknowledgement was opened.
    pub(super) fn received(&mut self, bytes: u64, now: Instant) {
        self.owed_records = self.owed_records.saturating_add(1);
        self.owed_bytes = self.owed_bytes.saturating_add(bytes);
        self.due |= self.owed_records >= ACK_RECORDS || self.owed_bytes >= ACK_BYTES;
        self.deadline = self.deadline.or_else(|| now.checked_add(ACK_DELAY));
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

    /// The record `seq`, which asks for an acknowledgement, was sealed.
    pub(super) fn asked(&mut self, seq: u64) {
        self.asked = seq.saturating_add(1);
    }

    /// The peer's ACK; the caller checked it against what was sent. An older one than before changes nothing.
    pub(super) fn acknowledge(&mut self, rx_next: u64) {
        self.acknowledged = self.acknowledged.max(rx_next);
    }

    /// Whether the peer acknowledged every record that asked for it.
    pub(super) fn all_acknowledged(&self) -> bool {
        self.acknowledged >= self.asked
    }
}
