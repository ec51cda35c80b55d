//! The way in: record, frames, effects.

use std::{ops::Range, time::Instant};

use super::{ConnectionId, Event, Phase, Session, SessionError, StreamId, close, streams::Target};
use crate::{
    Role,
    frame::{Frame, FrameError, Frames},
    record::{Committed, OpenError, TYPE_DATA},
    wire::count,
};

impl Session {
    pub(super) fn receive(
        &mut self,
        connection: ConnectionId,
        record: &mut [u8],
        now: Instant,
    ) -> Result<(), SessionError> {
        if !self.paths.is_known(connection) {
            return Err(SessionError::UnknownConnection);
        }
        if self.phase == Phase::Closed {
            return Err(SessionError::Closed);
        }
        if self.undrained > 0 {
            return Err(SessionError::Undrained);
        }
        if record.first().is_some_and(|kind| *kind != TYPE_DATA) {
            self.receive_message(connection, record, now);
            return Ok(());
        }
        if self.is_over() {
            // The CLOSE is on its way, and may have to be sent again; nothing more is opened.
            return Err(SessionError::Closed);
        }
        let opened = if record.len() > self.max_record {
            Err(OpenError::Unverified)
        } else {
            self.opener.open(record, self.issued.as_slice())
        };
        match opened {
            Ok(opened) => {
                let Committed { plaintext, flags, switched } = self.opener.commit(opened);
                self.heard = now;
                self.stats.records_received = self.stats.records_received.saturating_add(1);
                self.stats.bytes_received = self.stats.bytes_received.saturating_add(count(record.len()));
                if switched {
                    self.epoch_opened();
                }
                let record_len = count(record.len());
                let record = record.get_mut(..plaintext.end).unwrap_or_default();
                self.accept(record, plaintext.start, flags, record_len, now)
            }
            Err(OpenError::Unverified) => {
                self.stats.records_rejected = self.stats.records_rejected.saturating_add(1);
                self.epochs.rejected();
                Err(SessionError::Rejected)
            }
            Err(OpenError::Gap { .. }) if self.paths.is_current(connection) => {
                // Unverified, so it costs the connection and no more.
                self.stats.records_rejected = self.stats.records_rejected.saturating_add(1);
                self.give_up(connection, now);
                Ok(())
            }
            Err(OpenError::UnknownType | OpenError::Duplicate | OpenError::Gap { .. }) => {
                self.stats.records_dropped = self.stats.records_dropped.saturating_add(1);
                Ok(())
            }
        }
    }

    /// Takes in the frames of a record that verified: the bytes of `record` from `start` on. From here on, what is wrong is the
    /// peer's doing and ends the session.
    pub(crate) fn accept(
        &mut self,
        record: &mut [u8],
        start: usize,
        flags: u8,
        record_len: u64,
        now: Instant,
    ) -> Result<(), SessionError> {
        let frames = record.get(start..).unwrap_or_default();
        let outcome = self.check(frames, flags).and_then(|asks_for_ack| {
            if asks_for_ack {
                self.acks.received(record_len, now);
            }
            self.apply_all(record, start, now)
        });
        outcome.map_err(|code| {
            // A record verified, so there is a peer to tell even if it did not confirm.
            self.phase = Phase::Open;
            self.end(code);
            SessionError::Violation { code }
        })
    }

    fn apply_all(&mut self, record: &mut [u8], start: usize, now: Instant) -> Result<(), u32> {
        let mut at = start;
        loop {
            let mut frames = Frames::new(record.get(at..).unwrap_or_default());
            let Some(Ok(frame)) = frames.next() else { return Ok(()) };
            at = record.len().saturating_sub(frames.remaining());
            if let Frame::StreamData { stream, bytes } = frame {
                let length = bytes.len();
                if self.streams.peer_data(stream, length)? == Target::Live {
                    self.deliver(StreamId::new(stream), record, at.saturating_sub(length)..at);
                }
            } else {
                self.apply(frame, now)?;
            }
        }
    }

    /// Reads all frames before the first takes effect. Returns whether the record asks for an acknowledgement.
    fn check(&self, plaintext: &[u8], flags: u8) -> Result<bool, u32> {
        if flags != 0 {
            return Err(close::FLAGS);
        }
        let must_confirm = self.phase == Phase::Unconfirmed;
        let mut asks_for_ack = false;
        let mut closed = false;
        let mut first = true;
        let mut exchanges = false;
        for frame in Frames::new(plaintext) {
            let frame = frame.map_err(|error| match error {
                FrameError::Unknown { .. } => close::FRAME_UNKNOWN,
                FrameError::Malformed => close::FRAME_MALFORMED,
            })?;
            if closed && !matches!(frame, Frame::Pad { .. }) {
                return Err(close::FRAME_MALFORMED);
            }
            // CONFIRM is the first frame of the initiator's first record, and nowhere else.
            if matches!(frame, Frame::Confirm) != (must_confirm && first) {
                return Err(close::CONFIRM);
            }
            let exchange =
                matches!(frame, Frame::Ratchet { .. } | Frame::RatchetAck { .. } | Frame::Rehs { .. });
            if exchange && std::mem::replace(&mut exchanges, true) {
                return Err(close::FRAME_MALFORMED);
            }
            asks_for_ack |= frame.asks_for_ack();
            closed |= matches!(frame, Frame::Close { .. });
            first = false;
        }
        if first { Err(close::FRAME_MALFORMED) } else { Ok(asks_for_ack) }
    }

    fn apply(&mut self, frame: Frame<'_>, now: Instant) -> Result<(), u32> {
        match frame {
            Frame::Pad { .. } => {}
            Frame::Ack { rx_next } => {
                if rx_next > self.outbox.next() {
                    return Err(close::ACK_BEYOND);
                }
                self.acknowledged(rx_next);
            }
            Frame::Ping { id } => self.ping.pong_due = Some(id),
            Frame::Pong { id } => {
                if let Some((_, sent)) = self.ping.outstanding.take_if(|(outstanding, _)| *outstanding == id)
                {
                    self.events.push_back(Event::Pong { rtt: now.saturating_duration_since(sent) });
                }
            }
            Frame::Confirm => {
                debug_assert_eq!(self.role, Role::Responder);
                self.phase = Phase::Open;
                self.events.push_back(Event::Confirmed);
            }
            Frame::Close { code, final_seq } => {
                if final_seq.checked_add(1) != Some(self.opener.next()) {
                    return Err(close::FINAL_SEQ);
                }
                self.phase = Phase::Closed;
                self.events.push_back(Event::Closed { code, by_peer: true });
            }
            Frame::Ratchet { epoch, e, kem } => self.apply_ratchet(epoch, e, kem)?,
            Frame::RatchetAck { epoch, e, kem } => self.apply_ratchet_ack(epoch, e, kem, now)?,
            Frame::RatchetReq => self.apply_ratchet_req()?,
            Frame::Rehs { step, epoch, message } => self.apply_rehs(step, epoch, message, now)?,
            Frame::NewCid { cid } => self.held.add(*cid)?,
            Frame::StreamOpen { stream, context } => {
                self.streams.peer_open(stream)?;
                self.events
                    .push_back(Event::StreamOpened { stream: StreamId::new(stream), context: *context });
            }
            // Taken before, where the record can be written to.
            Frame::StreamData { .. } => {}
            Frame::StreamFin { stream } => {
                if self.streams.peer_fin(stream)? == Target::Live {
                    self.events.push_back(Event::StreamFinished { stream: StreamId::new(stream) });
                }
            }
            Frame::StreamReset { stream, code } => {
                if self.streams.peer_reset(stream)? == Target::Live {
                    self.events.push_back(Event::StreamReset { stream: StreamId::new(stream), code });
                } else if self.streams.reset_settled(stream) {
                    // Ours would say nothing new.
                    self.control.retain(|control| !control.is_reset_of(stream));
                }
            }
            Frame::Window { stream, limit } => {
                if self.streams.peer_window(stream, limit)? {
                    self.events.push_back(Event::StreamWritable { stream: StreamId::new(stream) });
                }
            }
        }
        Ok(())
    }

    /// Queues stream data, joined to the last event if that is of the same stream: a record full of tiny frames must not
    /// become thousands of events. The bytes move to those before them, over frames that were read.
    fn deliver(&mut self, stream: StreamId, record: &mut [u8], range: Range<usize>) {
        self.stats.stream_bytes_received =
            self.stats.stream_bytes_received.saturating_add(count(range.len()));
        if let Some(Event::StreamData { stream: last, range: queued }) = self.events.back_mut()
            && *last == stream
        {
            let length = range.len();
            record.copy_within(range, queued.end);
            queued.end = queued.end.saturating_add(length);
            return;
        }
        self.undrained = self.undrained.saturating_add(1);
        self.events.push_back(Event::StreamData { stream, range });
    }
}
