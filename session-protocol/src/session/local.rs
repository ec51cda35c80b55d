//! What the local application does with streams.

use super::{Control, Session, StreamError, StreamId};
use crate::limits::MAX_QUEUED_CONTROL;

impl Session {
    /// Opens a stream. `context` is the 32-byte hash of what both sides must agree on for it; the peer compares.
    ///
    /// # Errors
    /// [`StreamError::TooMany`] if 256 streams of this side are open, or too many openings wait to be sent;
    /// [`StreamError::Closed`].
    pub fn open(&mut self, context: [u8; 32]) -> Result<StreamId, StreamError> {
        self.check_not_over()?;
        if self.control.len() >= MAX_QUEUED_CONTROL {
            return Err(StreamError::TooMany);
        }
        let stream = self.streams.open()?;
        self.control.push_back(Control::Open { stream, context });
        Ok(StreamId::new(stream))
    }

    /// Queues bytes on a stream and returns how many were accepted: as many as the peer's credit and the local send buffer
    /// allow, perhaps none. If not all were, [`Event::StreamWritable`](crate::Event::StreamWritable)(super::Event::StreamWritable) tells when there is room again.
    ///
    /// # Errors
    /// [`StreamError::Unknown`], [`StreamError::Finished`] after `finish`, [`StreamError::Closed`].
    pub fn write(&mut self, stream: StreamId, bytes: &[u8]) -> Result<usize, StreamError> {
        self.check_not_over()?;
        self.streams.write(stream.value(), bytes)
    }

    /// Ends the sending direction of a stream after the bytes already accepted.
    ///
    /// # Errors
    /// [`StreamError::Unknown`], [`StreamError::Finished`] the second time, [`StreamError::Closed`].
    pub fn finish(&mut self, stream: StreamId) -> Result<(), StreamError> {
        self.check_not_over()?;
        self.streams.finish(stream.value())
    }

    /// Gives up a stream, both directions. Bytes not yet sealed are dropped; `code` is the application's.
    ///
    /// # Errors
    /// [`StreamError::Unknown`] if the stream does not exist any more, [`StreamError::Closed`].
    pub fn reset(&mut self, stream: StreamId, code: u32) -> Result<(), StreamError> {
        self.check_not_over()?;
        self.streams.reset(stream.value())?;
        self.control.push_back(Control::Reset { stream: stream.value(), code });
        Ok(())
    }

    /// Tells that the local reader took `n` bytes from a stream; credit goes back to the peer in batches.
    ///
    /// # Errors
    /// [`StreamError::Unknown`] for a stream that never was, [`StreamError::ConsumeBeyond`] if more is consumed than was
    /// delivered. For a stream that is over it is `Ok` and does nothing.
    pub fn consume(&mut self, stream: StreamId, n: usize) -> Result<(), StreamError> {
        self.streams.consume(stream.value(), n)
    }

    pub(super) fn check_not_over(&self) -> Result<(), StreamError> {
        if self.is_over() { Err(StreamError::Closed) } else { Ok(()) }
    }
}
