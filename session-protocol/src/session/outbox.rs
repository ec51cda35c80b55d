//! Sealed records until they are acknowledged, in one ring of bytes. Specification: `spec/session.md`, SE-13, SE-52, SE-53.
//!
//! ```text
//! begin ─▶ Space: frames are appended, the record is sealed where it lies ─▶ keep
//! addressed ─▶ the bytes under the cid of the connection, as often as it takes         acknowledge ─▶ gone
//! ```
//!
//! A record never moves but when the ring grows, by doubling. After that nothing is allocated: neither for a record nor for
//! the bookkeeping beside it.
//!
//! Not its concern: which record goes out when, keys.

use std::collections::VecDeque;

use super::padding::Sizes;
use crate::{
    hello::Cid,
    limits::{CONTROL_RESERVE, MAX_STREAMS, QUIET_BYTES, QUIET_RECORDS},
    record::HEADER_LEN,
    wire::{Sink, count, length},
};

/// Bytes of a cache line: the AEADs are fastest where they begin with one.
const LINE: usize = 64;
/// What a kept record costs beyond its bytes, the way to the next line in it: without it a million tiny records would hold far
/// more than the limit says.
const ENTRY_COST: usize = 32 + LINE;
/// What each piece of stream data in it costs.
const PIECE_COST: usize = 16;
/// Of the room for control records, the last is for acknowledgements: only they make the peer free ours.
const ACK_RESERVE: usize = 4 * 1024;
/// And of that, the last is for the CLOSE.
const CLOSE_RESERVE: usize = 512;
/// Most streams that have data in one record.
const MAX_PIECES: usize = 2 * MAX_STREAMS;
/// The ring starts with this.
const FIRST_RING: usize = 8 * 1024;

/// How urgent a record is, and so how much of the buffer it may fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Frames that open, feed or end streams.
    Stream,
    /// Other frames.
    Control,
    /// An acknowledgement that is due.
    Ack,
    /// The CLOSE.
    Close,
}

/// A kept record.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    length: usize,
    pieces: u32,
    asks: bool,
}

/// Stream data in a kept record.
#[derive(Clone, Copy, Debug)]
struct Piece {
    stream: u32,
    length: u32,
}

/// The records below the next number that are not acknowledged.
pub(super) struct Outbox {
    ring: Vec<u8>,
    /// Where the next record starts, if there is room.
    tail: usize,
    entries: VecDeque<Entry>,
    pieces: VecDeque<Piece>,
    /// Number of the first kept record; of the next one if none is kept.
    first: u64,
    /// Bytes of the kept records.
    bytes: usize,
    /// Kept records that ask for an acknowledgement.
    asking: usize,
    limit: usize,
    /// Largest records; the ring can always be given a piece of that size.
    sizes: Sizes,
}

/// Room for one record, taken out of the ring while the record is built.
pub(super) struct Space {
    ring: Vec<u8>,
    pieces: VecDeque<Piece>,
    own_pieces: u32,
    start: usize,
    at: usize,
    end: usize,
}

impl Outbox {
    /// Keeps at most `limit` bytes, in records of at most these sizes.
    pub(super) fn new(limit: usize, sizes: Sizes) -> Self {
        Self {
            ring: Vec::new(),
            tail: 0,
            entries: VecDeque::new(),
            pieces: VecDeque::new(),
            first: 0,
            bytes: 0,
            asking: 0,
            limit,
            sizes,
        }
    }

    /// Number of the first record that is not acknowledged.
    pub(super) fn una(&self) -> u64 {
        self.first
    }

    /// Number of the record that is kept next.
    pub(super) fn next(&self) -> u64 {
        self.first.saturating_add(count(self.entries.len()))
    }

    /// Largest record.
    pub(super) fn largest(&self) -> usize {
        self.sizes.stream
    }

    /// What the kept records cost against the limit, bookkeeping included.
    pub(super) fn cost(&self) -> usize {
        let entries = self.entries.len().saturating_mul(ENTRY_COST);
        self.bytes.saturating_add(entries).saturating_add(self.pieces.len().saturating_mul(PIECE_COST))
    }

    /// Largest record of that urgency that may be sealed now; 0 if none may.
    pub(super) fn room(&self, urgency: Urgency) -> usize {
        let Sizes { stream, control, small } = self.sizes;
        // Where padding makes the small ones large, so are the reserves for them.
        let reserve = |usual: usize, records: usize| {
            usual.max(small.saturating_add(ENTRY_COST).saturating_mul(records).min(self.limit / 4))
        };
        let (kept_free, largest, pieces) = match urgency {
            Urgency::Stream => (reserve(CONTROL_RESERVE, 4), stream, MAX_PIECES.saturating_mul(PIECE_COST)),
            Urgency::Control => (reserve(ACK_RESERVE, 2), control, 0),
            Urgency::Ack => (reserve(CLOSE_RESERVE, 1), small, 0),
            Urgency::Close => (0, small, 0),
        };
        let free = self.limit.saturating_sub(kept_free).saturating_sub(self.cost());
        if largest.saturating_add(pieces).saturating_add(ENTRY_COST) <= free { largest } else { 0 }
    }

    /// Whether so much is kept without any of it asking for an acknowledgement that one must be asked for.
    pub(super) fn is_too_quiet(&self) -> bool {
        self.asking == 0 && (self.entries.len() >= QUIET_RECORDS || self.bytes >= QUIET_BYTES)
    }

    /// Whether the peer acknowledged every record that asked for it.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.asking == 0
    }

    /// Takes out room for one record of at most `size` bytes. [`keep`](Self::keep) or [`cancel`](Self::cancel) must follow.
    pub(super) fn begin(&mut self, size: usize) -> Space {
        let start = self.place(size).unwrap_or_else(|| {
            self.grow(size.saturating_add(LINE));
            self.aligned(self.tail)
        });
        Space {
            end: start.saturating_add(size).min(self.ring.len()),
            ring: std::mem::take(&mut self.ring),
            pieces: std::mem::take(&mut self.pieces),
            own_pieces: 0,
            start,
            at: start,
        }
    }

    /// Keeps the record that was built. `asks` tells whether it asks for an acknowledgement.
    pub(super) fn keep(&mut self, space: Space, asks: bool) {
        let built = space.at.saturating_sub(space.start);
        self.ring = space.ring;
        self.pieces = space.pieces;
        self.tail = space.at;
        self.bytes = self.bytes.saturating_add(built);
        self.asking = self.asking.saturating_add(usize::from(asks));
        self.entries.push_back(Entry { start: space.start, length: built, pieces: space.own_pieces, asks });
    }

    /// Gives the room back and erases what was put there.
    pub(super) fn cancel(&mut self, mut space: Space) {
        space.record_mut().fill(0);
        let kept = space.pieces.len().saturating_sub(length(space.own_pieces.into()));
        space.pieces.truncate(kept);
        self.ring = space.ring;
        self.pieces = space.pieces;
    }

    /// A kept record, to send under that cid; empty if it is not kept.
    pub(super) fn addressed(&mut self, seq: u64, cid: &Cid) -> &[u8] {
        let entry = seq.checked_sub(self.first).and_then(|index| self.entries.get(length(index)));
        let range = entry.map_or(0..0, |entry| entry.start..entry.start.saturating_add(entry.length));
        let record = self.ring.get_mut(range).unwrap_or_default();
        record.iter_mut().skip(1).zip(cid).for_each(|(to, from)| *to = *from);
        record
    }

    /// Every record below `rx_next` arrived. Tells `acknowledged` of the stream bytes in those that go, by stream.
    pub(super) fn acknowledge(&mut self, rx_next: u64, mut acknowledged: impl FnMut(u32, u64)) {
        while self.first < rx_next {
            let Some(entry) = self.entries.pop_front() else { return };
            self.first = self.first.saturating_add(1);
            self.bytes = self.bytes.saturating_sub(entry.length);
            self.asking = self.asking.saturating_sub(usize::from(entry.asks));
            for _ in 0..entry.pieces {
                let Some(piece) = self.pieces.pop_front() else { break };
                acknowledged(piece.stream, piece.length.into());
            }
        }
    }

    /// Pretends that so many records went by; none may be kept.
    #[cfg(test)]
    pub(super) fn jump(&mut self, next: u64) {
        assert!(self.entries.is_empty());
        self.first = next;
    }

    /// The first place from there on where the ciphertext of a record begins with a line of the cache.
    fn aligned(&self, from: usize) -> usize {
        let ciphertext = self.ring.as_ptr().wrapping_add(from).wrapping_add(HEADER_LEN);
        from.saturating_add(ciphertext.align_offset(LINE))
    }

    /// Where `size` bytes in one piece are free.
    fn place(&self, size: usize) -> Option<usize> {
        let fits = |from: usize, until: usize| {
            let start = self.aligned(from);
            (size <= until.saturating_sub(start)).then_some(start)
        };
        let Some(head) = self.entries.front().map(|entry| entry.start) else {
            return fits(0, self.ring.len());
        };
        if self.tail <= head {
            // What is kept goes over the end of the ring.
            return fits(self.tail, head);
        }
        fits(self.tail, self.ring.len()).or_else(|| fits(0, head))
    }

    /// Moves the records to the start of a ring that has `size` bytes more. Twice the limit of kept bytes is never needed: with
    /// two of the largest records more than that, one piece for a third is always free.
    fn grow(&mut self, size: usize) {
        let least = self.bytes.saturating_add(size);
        let most = self.limit.saturating_add(self.sizes.stream.saturating_mul(2)).max(least);
        let wanted = self.ring.len().saturating_mul(2).max(FIRST_RING).max(least).min(most);
        let mut ring = Vec::with_capacity(wanted);
        for entry in &mut self.entries {
            let record = self.ring.get(entry.start..entry.start.saturating_add(entry.length));
            entry.start = ring.len();
            ring.extend_from_slice(record.unwrap_or_default());
        }
        self.tail = ring.len();
        ring.resize(wanted, 0);
        self.ring = ring;
    }
}

impl Space {
    /// The record as far as it was built.
    pub(super) fn record_mut(&mut self) -> &mut [u8] {
        self.ring.get_mut(self.start..self.at).unwrap_or_default()
    }

    /// Notes that the record has `length` bytes of that stream.
    pub(super) fn note(&mut self, stream: u32, length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.pieces.push_back(Piece { stream, length });
        self.own_pieces = self.own_pieces.saturating_add(1);
    }

    /// The bytes that would be appended next.
    pub(super) fn ahead_mut(&mut self, length: usize) -> &mut [u8] {
        self.ring.get_mut(self.at..self.at.saturating_add(length).min(self.end)).unwrap_or_default()
    }

    /// Appends `length` bytes that lie there already; the frame that was begun just before is of that length.
    pub(super) fn advance_data(&mut self, length: usize) {
        let written = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(field) = self.record_mut().last_chunk_mut() {
            *field = written;
        }
        self.next(length);
    }

    fn next(&mut self, length: usize) -> &mut [u8] {
        let end = self.at.saturating_add(length);
        debug_assert!(end <= self.end, "whoever appends looks at the room first");
        let part = self.ring.get_mut(self.at..end.min(self.end)).unwrap_or_default();
        self.at = end.min(self.end);
        part
    }
}

/// What does not fit is cut off; a record that was cut closes the session at the peer instead of harming it.
impl Sink for Space {
    fn put(&mut self, bytes: &[u8]) {
        let part = self.next(bytes.len());
        if let Some(bytes) = bytes.get(..part.len()) {
            part.copy_from_slice(bytes);
        }
    }

    fn zeros(&mut self, length: usize) {
        self.next(length).fill(0);
    }

    fn len(&self) -> usize {
        self.at.saturating_sub(self.start)
    }
}

#[cfg(test)]
mod tests;
