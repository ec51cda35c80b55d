//! What sizes and instants of records give away. Specification: `spec/session.md`, section 11.
//!
//! [`Padding::Buckets`] rounds each record's plaintext up; [`Padding::Constant`] makes all the same and sends them by the
//! clock, also when there is nothing to say. Not its concern: what the records hold.

use std::time::Instant;

use crate::{
    limits::{Padding, RECORD_OVERHEAD},
    record::HEADER_LEN,
    wire::Sink,
};

/// Sizes below those of Padmé, in bytes of plaintext.
const SMALL: [usize; 5] = [64, 128, 256, 512, 1024];

/// A record of control frames: a post-quantum RATCHET fits, and the smallest record that any peer takes is not smaller.
const CONTROL_RECORD: usize = 2048;
/// More than a record with CONFIRM, ACK, PING and CLOSE, also where it is padded to the smallest bucket.
const SMALL_RECORD: usize = 128;

/// The largest records, header, padding and tag included, by what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Anything.
    pub(super) stream: usize,
    /// Frames that are not for streams.
    pub(super) control: usize,
    /// An acknowledgement, or the CLOSE.
    pub(super) small: usize,
}

/// The policy of one session and, in constant mode, its clock.
#[derive(Debug)]
pub(super) struct Pacer {
    mode: Padding,
    /// Bytes of plaintext that the peer accepts in one record.
    most: usize,
    /// Constant mode: when the next record goes out; before the first, nothing is known.
    next: Option<Instant>,
}

impl Pacer {
    pub(super) fn new(mode: Padding, most: usize) -> Self {
        let mode = match mode {
            Padding::Constant { size, every } => Padding::Constant { size: size.min(most), every },
            other => other,
        };
        Self { mode, most, next: None }
    }

    /// Whether records go out by the clock, also when there is nothing to say.
    pub(super) fn is_constant(&self) -> bool {
        matches!(self.mode, Padding::Constant { .. })
    }

    /// Whether a record may go out now; a record that is sent again is one too.
    pub(super) fn may_send(&self, now: Instant) -> bool {
        !self.is_constant() || self.next.is_none_or(|next| now >= next)
    }

    /// A record goes out, or none can at its time. Whoever comes late to a time does not catch up: two records at once would show it.
    pub(super) fn passed(&mut self, now: Instant) {
        if let Padding::Constant { every, .. } = self.mode {
            let planned = self.next.and_then(|next| next.checked_add(every)).filter(|next| *next > now);
            self.next = planned.or_else(|| now.checked_add(every));
        }
    }

    /// Constant mode: when the next record goes out.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next.filter(|_| self.is_constant())
    }

    /// The sizes of records where an unpadded one has at most `largest` bytes. Whatever fits into them is padded within them.
    pub(super) fn sizes(&self, largest: usize) -> Sizes {
        let fit = |record: usize| match self.mode {
            Padding::Off => record,
            Padding::Buckets => {
                largest_bucket(record.saturating_sub(RECORD_OVERHEAD)).saturating_add(RECORD_OVERHEAD)
            }
            Padding::Constant { size, .. } => size.saturating_add(RECORD_OVERHEAD),
        };
        Sizes { stream: fit(largest), control: fit(largest.min(CONTROL_RECORD)), small: fit(SMALL_RECORD) }
    }

    /// Pads a record that has room for its header and then its frames.
    pub(super) fn pad(&self, record: &mut impl Sink) {
        let length = record.len().saturating_sub(HEADER_LEN);
        let size = match self.mode {
            Padding::Off => length,
            Padding::Buckets => bucket(length).min(self.most),
            Padding::Constant { size, .. } => size,
        };
        // A PAD frame is one zero byte.
        record.zeros(size.saturating_sub(length));
    }
}

/// The largest allowed size that is not above `most`, for `most` above the smallest.
fn largest_bucket(most: usize) -> usize {
    if let Some(size) = SMALL.into_iter().rev().find(|size| *size <= most && most <= 1024) {
        return size;
    }
    let step = step(most);
    most.saturating_sub(most % step)
}

/// The next allowed size.
fn bucket(length: usize) -> usize {
    if let Some(size) = SMALL.into_iter().find(|size| length <= *size) {
        return size;
    }
    length.next_multiple_of(step(length))
}

/// The distance of Padmé's sizes around `length`, which is above 1.
fn step(length: usize) -> usize {
    let e = length.max(2).ilog2();
    let s = e.ilog2().saturating_add(1);
    1 << e.saturating_sub(s)
}

#[cfg(test)]
mod tests;
