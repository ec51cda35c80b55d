//! Bytes of a stream straight into the record that carries them: no copy on the way out.
//!
//! ```text
//! reserve ─▶ Reserved::bytes_mut: room in the ring of sealed records ─▶ commit: other frames after it, sealed where it lies
//!                                                                       drop: as if nothing had been
//! ```
//!
//! Specification: `spec/streams.md`, section 3; what the peer sees is what `write` would have led to.

use std::time::Instant;

use super::{
    Phase, Session, StreamError, StreamId,
    outbox::{Space, Urgency},
};
use crate::{
    frame::{DATA_OVERHEAD, put_data_start},
    record::{HEADER_LEN, TAG_LEN},
    wire::{Sink, count},
};

/// Left free after the bytes for an ACK and a WINDOW or two: they go with the record instead of into one of their own.
const AFTER: usize = 48;

/// Room for bytes of one stream in a record that is not sealed yet. Dropping it takes everything back.
pub struct Reserved<'a> {
    session: &'a mut Session,
    /// Gone when it was committed.
    space: Option<Space>,
    stream: u32,
    room: usize,
    now: Instant,
}

impl Session {
    /// Reserves room for up to `most` bytes of a stream in the next record; fewer if the record or the peer's credit has less.
    ///
    /// `None` if bytes cannot go straight into a record now: there is no connection or no credit, something that goes first
    /// waits to be polled, or too much is not acknowledged. Then drain [`poll`](Self::poll) and try again after the next
    /// input, or [`write`](Self::write). If it was for credit, [`Event::StreamWritable`](super::Event::StreamWritable) follows.
    ///
    /// # Errors
    /// [`StreamError::Unknown`], [`StreamError::Finished`] after `finish`, [`StreamError::Closed`].
    pub fn reserve(
        &mut self,
        stream: StreamId,
        most: usize,
        now: Instant,
    ) -> Result<Option<Reserved<'_>>, StreamError> {
        // Time alone may have ended what may be sealed in this epoch.
        self.tick(now);
        self.check_not_over()?;
        let stream = stream.value();
        let credit = self.streams.room_to_reserve(stream)?;
        let size = self.outbox.room(Urgency::Stream);
        let overhead = HEADER_LEN + DATA_OVERHEAD + AFTER + TAG_LEN;
        let room = most.min(credit).min(size.saturating_sub(overhead));
        if room == 0 || !self.may_reserve() {
            return Ok(None);
        }
        let mut space = self.outbox.begin(size);
        space.zeros(HEADER_LEN);
        put_data_start(&mut space, stream, 0);
        Ok(Some(Reserved { session: self, space: Some(space), stream, room, now }))
    }

    /// Whether the next record may begin with stream data, and there is a connection to send it on.
    fn may_reserve(&self) -> bool {
        self.phase == Phase::Open
            && self.paths.current().is_some()
            && self.transmitted == self.outbox.next()
            // A record that goes out by the clock is made when its time has come.
            && !self.pacer.is_constant()
            && !self.confirm_due
            && self.control.is_empty()
            && !self.epochs.is_spent()
            && self.sealer.remaining() > 1
    }
}

impl Reserved<'_> {
    /// The room. What is in it before means nothing.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let room = self.room;
        self.space.as_mut().map(|space| space.ahead_mut(room)).unwrap_or_default()
    }

    /// Seals a record with the first `length` bytes, or with all if there are fewer. [`Session::poll`] gives it.
    pub fn commit(mut self, length: usize) {
        let length = length.min(self.room);
        let Some(mut space) = self.space.take_if(|_| length > 0) else { return };
        space.advance_data(length);
        space.note(self.stream, length);
        let session = &mut *self.session;
        session.streams.sealed_directly(self.stream, length);
        session.stats.stream_bytes_sent = session.stats.stream_bytes_sent.saturating_add(count(length));
        let end = session.outbox.largest().saturating_sub(TAG_LEN);
        session.put_frames(&mut space, end, Urgency::Stream, self.now);
        session.pacer.pad(&mut space);
        session.seal(space, true, self.now);
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if let Some(mut space) = self.space.take() {
            // Whatever was written there must not stay.
            space.advance_data(self.room);
            self.session.outbox.cancel(space);
        }
    }
}

impl std::fmt::Debug for Reserved<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reserved")
            .field("stream", &self.stream)
            .field("room", &self.room)
            .finish_non_exhaustive()
    }
}
