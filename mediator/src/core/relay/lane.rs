//! One direction of a circuit: the records in transit and the credit for them.
//!
//! `credit + owed + queued = window` holds from pairing to the end: a byte that may be sent is credit, a byte in the queue is
//! queued, a byte that was handed on is owed until a CREDIT frame returns it.

use std::collections::VecDeque;

use didagent_didcomm::protocols::relay::{CloseCode, MAX_RECORD};

/// Most bytes of the length before each record in the queue, which has seven bits in each: two full-size records of memory
/// become three at worst, when a client sends single bytes.
const PREFIX: usize = 3;

/// What a record costs in a turn beside its bytes: headers, encryption and calls. Without it, single bytes would get as many
/// bytes through as full-size records, and ten times the time.
const RECORD: usize = 64;

const _: () = assert!(MAX_RECORD < 1 << (7 * PREFIX));

/// An idle queue larger than this gives its memory back.
const KEEP: usize = 4 * 1024;

/// Records from one end of a circuit to the other.
#[derive(Debug, Default)]
pub(super) struct Lane {
    window: u32,
    /// What the sender may still send.
    credit: u32,
    /// What was handed on and not yet returned to the sender.
    owed: u32,
    /// Length-prefixed records in one buffer: a queue of vectors would take many times its bytes when records are small.
    queue: VecDeque<u8>,
    /// Record bytes in the queue, without prefixes.
    queued: u32,
    /// Set when nothing more comes; sent after the queue.
    pub(super) close: Option<CloseCode>,
    /// What the circuit has saved up for its next turn (deficit round robin).
    pub(super) deficit: usize,
}

/// The sender sent more than it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CreditExceeded;

impl Lane {
    /// Starts the lane; the whole window is owed to the sender.
    pub(super) fn start(&mut self, window: u32) {
        self.window = window;
        self.owed = window;
    }

    /// Takes a record from the sender.
    pub(super) fn push(&mut self, record: &[u8]) -> Result<(), CreditExceeded> {
        let length = u32::try_from(record.len()).map_err(|_| CreditExceeded)?;
        self.credit = self.credit.checked_sub(length).ok_or(CreditExceeded)?;
        self.queued += length;
        self.reserve(PREFIX + record.len());
        let mut left = length;
        loop {
            let low = u8::try_from(left & 0x7F).unwrap_or_default();
            left >>= 7;
            self.queue.push_back(if left == 0 { low } else { low | 0x80 });
            if left == 0 {
                break;
            }
        }
        self.queue.extend(record);
        Ok(())
    }

    /// Makes room: twice as much as before, as a queue does by itself, but never far beyond the window, which it would pass by
    /// up to a window.
    fn reserve(&mut self, more: usize) {
        let needed = self.queue.len() + more;
        if needed > self.queue.capacity() {
            let window = usize::try_from(self.window).unwrap_or(usize::MAX);
            let roomy = (2 * self.queue.capacity()).min(window.saturating_add(KEEP));
            self.queue.reserve_exact(needed.max(roomy) - self.queue.len());
        }
    }

    /// Returns the length of the next record, and of the prefix before it.
    fn head(&self) -> Option<(usize, usize)> {
        let mut length = 0;
        for (at, byte) in self.queue.iter().take(PREFIX).enumerate() {
            length |= usize::from(byte & 0x7F) << (7 * at);
            if byte & 0x80 == 0 {
                return Some((length, at + 1));
            }
        }
        None
    }

    /// Returns what the next record costs of its circuit's turn.
    pub(super) fn next_cost(&self) -> Option<usize> {
        self.head().map(|(length, _)| length + RECORD)
    }

    /// Appends the next record to `frame`; what it held is owed to the sender from now on.
    pub(super) fn pop_into(&mut self, frame: &mut Vec<u8>) -> Option<usize> {
        let (length, prefix) = self.head()?;
        self.queue.drain(..prefix);
        let (front, back) = self.queue.as_slices();
        let from_front = length.min(front.len());
        frame.extend_from_slice(&front[..from_front]);
        frame.extend_from_slice(&back[..length - from_front]);
        self.queue.drain(..length);
        let counted = u32::try_from(length).unwrap_or(u32::MAX);
        self.queued -= counted;
        self.owed += counted;
        if self.queue.is_empty() {
            self.deficit = 0;
            if self.queue.capacity() > KEEP {
                self.queue = VecDeque::new();
            }
        }
        Some(length)
    }

    /// Tells whether a CREDIT frame is due: a quarter of the window is owed (fewer frames than one per record), or the sender may
    /// be waiting, since nothing is queued and its credit is too small for a record of full size.
    pub(super) fn credit_due(&self) -> bool {
        let starved =
            self.queue.is_empty() && usize::try_from(self.credit).is_ok_and(|credit| credit < MAX_RECORD);
        self.owed > 0 && (self.owed >= self.window / 4 || starved)
    }

    /// Takes what is owed; it becomes credit.
    pub(super) fn take_credit(&mut self) -> u32 {
        let owed = std::mem::take(&mut self.owed);
        self.credit += owed;
        owed
    }

    /// Drops everything in the queue: its receiver is gone.
    pub(super) fn clear(&mut self) {
        self.queue = VecDeque::new();
        self.queued = 0;
        self.deficit = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.queue.capacity()
    }

    #[cfg(test)]
    pub(super) fn balance(&self) -> (u32, u32, u32, u32) {
        (self.credit, self.owed, self.queued, self.window)
    }
}
