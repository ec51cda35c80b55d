//! The way in: record, frames, effects.

use std::time::Instant;

use super::{Event, Phase, Session, SessionError, StreamId, close, streams::Target};
use crate::{
    Role,
    frame::{Frame, FrameError, Frames},
    record::{Committed, OpenError},
    wire::count,
};

impl Session {
    pub(super) fn receive(&mut self, record: &[u8], now: Instant) -> Result<(), SessionError> {
        if self.is_over() {
            return Err(SessionError::Closed);
        }
        let opened = if record.len() > self.max_record {
            Err(OpenError::Unverified)
        } else {
            self.opener.open(record)
        };
        match opened {
            Ok(opened) => {
                let Committed { plaintext, flags, switched } = self.opener.commit(opened);
                if switched {
                    self.epoch_opened();
                }
                self.heard = now;
                self.stats.records_received = self.stats.records_received.saturating_add(1);
                self.stats.bytes_received = self.stats.bytes_received.saturating_add(count(record.len()));
                self.accept(&plaintext, flags, count(record.len()), now)
            }
            Err(OpenError::UnknownType | OpenError::Duplicate) => {
                self.stats.records_dropped = self.stats.records_dropped.saturating_add(1);
                Ok(())
            }
            Err(OpenError::Unverified) => {
                self.stats.records_rejected = self.stats.records_rejected.saturating_add(1);
                self.epochs.rejected();
                Err(SessionError::Rejected)
            }
            Err(OpenError::Gap { expected, got }) => {
                self.stats.records_rejected = self.stats.records_rejected.saturating_add(1);
                Err(SessionError::Gap { expected, got })
            }
        }
    }

    /// Takes in the frames of a record that verified. From here on, what is wrong is the peer's doing and ends the session.
    pub(crate) fn accept(
        &mut self,
        plaintext: &[u8],
        flags: u8,
        record_len: u64,
        now: Instant,
    ) -> Result<(), SessionError> {
        let outcome = self.check(plaintext, flags).and_then(|asks_for_ack| {
            if asks_for_ack {
                self.acks.received(record_len, now);
            }
            Frames::new(plaintext).flatten().try_for_each(|frame| self.apply(frame, now))
        });
        outcome.map_err(|code| {
            // A record verified, so there is a peer to tell even if it did not confirm.
            self.phase = Phase::Open;
            self.end(code);
            SessionError::Violation { code }
        })
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
                if rx_next > self.sealer.next() {
                    return Err(close::ACK_BEYOND);
                }
                self.acks.acknowledge(rx_next);
                self.epochs.acknowledged(rx_next);
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
            Frame::Rehs { .. } => return Err(close::REHS),
            Frame::StreamOpen { stream, context } => {
                self.streams.peer_open(stream)?;
                self.events
                    .push_back(Event::StreamOpened { stream: StreamId::new(stream), context: *context });
            }
            Frame::StreamData { stream, bytes } => {
                if self.streams.peer_data(stream, bytes.len())? == Target::Live {
                    self.deliver(StreamId::new(stream), bytes);
                }
            }
            Frame::StreamFin { stream } => {
                if self.streams.peer_fin(stream)? == Target::Live {
                    self.events.push_back(Event::StreamFinished { stream: StreamId::new(stream) });
                }
            }
            Frame::StreamReset { stream, code } => {
                if self.streams.peer_reset(stream)? == Target::Live {
                    self.events.push_back(Event::StreamReset { stream: StreamId::new(stream), code });
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
    /// become thousands of events.
    fn deliver(&mut self, stream: StreamId, bytes: &[u8]) {
        self.stats.stream_bytes_received =
            self.stats.stream_bytes_received.saturating_add(count(bytes.len()));
        if let Some(Event::StreamData { stream: last, bytes: queued }) = self.events.back_mut()
            && *last == stream
        {
            queued.extend_from_slice(bytes);
            return;
        }
        self.events.push_back(Event::StreamData { stream, bytes: bytes.to_vec() });
    }
}
