//! One stream: a sending and a receiving half, each with its credit. Specification: `spec/streams.md`, sections 2 and 3.

use std::collections::VecDeque;

use super::{StreamError, close};
use crate::{
    frame::{DATA_OVERHEAD, Frame, put_data_start},
    wire::{Sink, count, length},
};

/// The state of one stream. Offsets count bytes from the start of the stream.
#[derive(Debug)]
pub(super) struct Stream {
    unsent: VecDeque<u8>,
    /// Bytes sealed.
    sealed: u64,
    /// Bytes in records that the peer acknowledged.
    pub(super) acknowledged: u64,
    /// The peer accepts bytes below this offset.
    credit: u64,
    fin: Fin,
    /// A write was cut short; the caller wants to know when there is room.
    wants_room: bool,
    /// The stream stands in the queue of those that have something to send.
    pub(super) scheduled: bool,
    /// Bytes that the peer sent.
    received: u64,
    /// Bytes that the local reader took.
    consumed: u64,
    /// The offset last told to the peer.
    granted: u64,
    /// The stream stands in the queue of those that owe the peer a WINDOW.
    pub(super) window_due: bool,
    peer_finished: bool,
}

/// The end of the sending direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fin {
    Open,
    Due,
    Sent,
}

impl Stream {
    /// `credit` is what the peer grants at first, `window` what we do.
    pub(super) fn new(credit: u64, window: u64) -> Self {
        Self {
            unsent: VecDeque::new(),
            sealed: 0,
            acknowledged: 0,
            credit,
            fin: Fin::Open,
            wants_room: false,
            scheduled: false,
            received: 0,
            consumed: 0,
            granted: window,
            window_due: false,
            peer_finished: false,
        }
    }

    /// Whether both directions ended, so that the state can go.
    pub(super) fn is_over(&self) -> bool {
        self.fin == Fin::Sent && self.peer_finished
    }

    /// Whether bytes or a FIN wait to be sealed.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty() || self.fin == Fin::Due
    }

    /// Bytes that wait to be sealed.
    pub(super) fn unsent_len(&self) -> usize {
        self.unsent.len()
    }

    /// Bytes sealed, acknowledged or not.
    pub(super) fn sealed(&self) -> u64 {
        self.sealed
    }

    /// Bytes that a write may add: unsent bytes never exceed the credit, so whatever is queued can be sealed.
    fn room(&self, send_buffer: usize) -> usize {
        let ahead = self.sealed.saturating_add(count(self.unsent.len()));
        let credit = length(self.credit.saturating_sub(ahead));
        credit.min(send_buffer.saturating_sub(self.unsent.len()))
    }

    pub(super) fn write(&mut self, bytes: &[u8], send_buffer: usize) -> Result<usize, StreamError> {
        if self.fin != Fin::Open {
            return Err(StreamError::Finished);
        }
        let accepted = bytes.get(..self.room(send_buffer)).unwrap_or(bytes);
        self.unsent.extend(accepted);
        self.wants_room |= accepted.len() < bytes.len();
        Ok(accepted.len())
    }

    /// Bytes that may go straight into a record.
    pub(super) fn room_to_reserve(&mut self) -> Result<usize, StreamError> {
        if self.fin != Fin::Open {
            return Err(StreamError::Finished);
        }
        if !self.unsent.is_empty() {
            return Ok(0);
        }
        let room = length(self.credit.saturating_sub(self.sealed));
        self.wants_room |= room == 0;
        Ok(room)
    }

    pub(super) fn sealed_directly(&mut self, length: usize) {
        self.sealed = self.sealed.saturating_add(count(length));
    }

    pub(super) fn finish(&mut self) -> Result<(), StreamError> {
        if self.fin != Fin::Open {
            return Err(StreamError::Finished);
        }
        self.fin = Fin::Due;
        self.wants_room = false;
        Ok(())
    }

    /// Whether a writer that was cut short can go on; true once.
    pub(super) fn take_writable(&mut self, send_buffer: usize) -> bool {
        let writable = self.wants_room && self.room(send_buffer) > 0;
        self.wants_room &= !writable;
        writable
    }

    /// Appends what fits into `room` bytes; returns the stream bytes among them.
    pub(super) fn fill(&mut self, id: u32, out: &mut impl Sink, room: usize) -> usize {
        let data = self.unsent.len().min(room.saturating_sub(DATA_OVERHEAD));
        let mut used = 0;
        if data > 0 {
            put_data_start(out, id, data);
            let (front, back) = self.unsent.as_slices();
            let from_front = front.get(..data).unwrap_or(front);
            out.put(from_front);
            out.put(back.get(..data.saturating_sub(from_front.len())).unwrap_or(back));
            self.unsent.drain(..data);
            self.sealed = self.sealed.saturating_add(count(data));
            used = data.saturating_add(DATA_OVERHEAD);
        }
        let fin = Frame::StreamFin { stream: id };
        if self.fin == Fin::Due && self.unsent.is_empty() && used.saturating_add(fin.encoded_len()) <= room {
            fin.encode(out);
            self.fin = Fin::Sent;
        }
        data
    }

    /// The peer sent `length` bytes.
    pub(super) fn receive(&mut self, length: usize) -> Result<(), u32> {
        if self.peer_finished {
            return Err(close::STREAM_FINISHED);
        }
        let received = self.received.saturating_add(count(length));
        if received > self.granted {
            return Err(close::STREAM_CREDIT);
        }
        self.received = received;
        Ok(())
    }

    pub(super) fn receive_fin(&mut self) -> Result<(), u32> {
        if self.peer_finished {
            return Err(close::STREAM_FINISHED);
        }
        self.peer_finished = true;
        Ok(())
    }

    /// The peer grants more credit. An offset lower than before changes nothing.
    pub(super) fn receive_window(&mut self, limit: u64) {
        self.credit = self.credit.max(limit);
    }

    /// The local reader took `n` bytes. Returns whether a WINDOW is worth sending: when half the window is free, which it is
    /// at the latest when a blocked peer's last byte was read.
    pub(super) fn consume(&mut self, n: usize, window: u64) -> Result<bool, StreamError> {
        let consumed = self.consumed.saturating_add(count(n));
        if consumed > self.received {
            return Err(StreamError::ConsumeBeyond);
        }
        self.consumed = consumed;
        let step = (window / 2).max(1);
        Ok(!self.peer_finished && consumed.saturating_add(window) >= self.granted.saturating_add(step))
    }

    /// The offset to tell the peer now.
    pub(super) fn grant(&mut self, window: u64) -> u64 {
        self.window_due = false;
        self.granted = self.consumed.saturating_add(window);
        self.granted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Frames;

    proptest! {
        /// Writes and records of any sizes in any order: the bytes that come out are the bytes that went in, also where the
        /// buffer wraps around.
        #[test]
        fn st_04_bytes_keep_their_order_whatever_the_sizes(
            steps in prop::collection::vec((0_usize..300, 0_usize..300), 1..60),
        ) {
            let mut stream = Stream::new(u64::MAX, 0);
            let (mut written, mut sealed) = (Vec::new(), Vec::new());
            let mut finished = false;
            for (write, room) in steps.iter().copied().chain([(0, 1 << 16)]) {
                let bytes: Vec<u8> = (0..write).map(|i| (written.len() + i).to_le_bytes()[0]).collect();
                prop_assert_eq!(stream.write(&bytes, 1 << 16), Ok(write));
                written.extend_from_slice(&bytes);
                if room == 1 << 16 {
                    stream.finish().unwrap();
                }
                let mut out = Vec::new();
                stream.fill(7, &mut out, room);
                prop_assert!(out.len() <= room);
                for frame in Frames::new(&out) {
                    match frame.unwrap() {
                        Frame::StreamData { stream: 7, bytes } if !finished => sealed.extend_from_slice(bytes),
                        Frame::StreamFin { stream: 7 } => finished = true,
                        other => panic!("{other:?}"),
                    }
                }
            }
            prop_assert!(finished && !stream.has_unsent());
            prop_assert_eq!(sealed, written);
        }
    }
}
