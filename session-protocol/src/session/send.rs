//! The way out: everything queued becomes one record. Specification: `spec/session.md`, sections 8 and 12.

use std::time::Instant;

use super::{
    Control, Phase, Session, close,
    outbox::{Space, Urgency},
};
use crate::{
    frame::Frame,
    record::{DERIVED_GUARD_LEN, Guard, TAG_LEN},
    wire::{Sink, count},
};

/// Bytes of a NEW_CID frame.
const NEW_CID_LEN: usize = 9;

impl Session {
    /// Seals the next record, if there is anything to send, a connection to send it on and room to keep it.
    pub(super) fn seal_next(&mut self, now: Instant) {
        let has_frames = self.has_frames() || self.pacer.is_constant();
        if self.phase == Phase::Open && has_frames && self.sealer.remaining() <= 1 {
            // The last record of the epoch says why it is the last.
            self.end(close::RECORD_LIMIT);
        }
        let Some((urgency, size)) = self.next_urgency() else { return };
        let mut out = self.outbox.begin(size);
        out.zeros(crate::record::HEADER_LEN);
        let end = size.saturating_sub(TAG_LEN);
        let asks = if urgency == Urgency::Close {
            self.put_close(&mut out)
        } else {
            self.put_frames(&mut out, end, urgency, now)
        };
        self.pacer.pad(&mut out);
        self.seal(out, asks, now);
    }

    /// Seals what was put into `out`, and keeps it.
    pub(super) fn seal(&mut self, mut out: Space, asks: bool, now: Instant) {
        out.zeros(TAG_LEN);
        let guard = if out.len() <= DERIVED_GUARD_LEN { Guard::Derived } else { self.random().into() };
        if self.sealer.seal(out.record_mut(), guard).is_err() {
            // The record limit leaves one record for the CLOSE, so only a failing backend comes here.
            self.outbox.cancel(out);
            self.abandon();
            return;
        }
        self.stats.records_sent = self.stats.records_sent.saturating_add(1);
        self.stats.bytes_sent = self.stats.bytes_sent.saturating_add(count(out.len()));
        self.outbox.keep(out, asks);
        self.epoch_sealed(now);
    }

    /// How urgent what is due is, and the largest record that may be sealed for it.
    fn next_urgency(&self) -> Option<(Urgency, usize)> {
        let room = |urgency| Some((urgency, self.outbox.room(urgency))).filter(|(_, room)| *room > 0);
        match self.phase {
            Phase::Unconfirmed | Phase::Said | Phase::Closed => None,
            Phase::Closing { .. } => room(Urgency::Close),
            // A record of padding alone must not take the room that others are to have.
            Phase::Open if !self.has_frames() => room(Urgency::Stream).filter(|_| self.pacer.is_constant()),
            Phase::Open => room(Urgency::Stream)
                .or_else(|| room(Urgency::Control).filter(|_| self.has_control_frames()))
                .or_else(|| room(Urgency::Ack).filter(|_| self.acks.is_due())),
        }
    }

    pub(super) fn has_frames(&self) -> bool {
        self.has_control_frames()
            || !self.epochs.is_spent() && (!self.control.is_empty() || self.streams.has_unsent())
    }

    /// Whether frames are due that are not for streams, credit excepted.
    fn has_control_frames(&self) -> bool {
        self.confirm_due
            || self.acks.is_due()
            || self.ping.due
            || self.ping.pong_due.is_some()
            || self.issued.is_due()
            || self.has_epoch_frames()
            || !self.epochs.is_spent() && self.streams.has_windows()
    }

    fn put_close(&mut self, out: &mut Space) -> bool {
        if let Phase::Closing { code } = self.phase {
            self.put_confirm(out);
            self.put_ack(out);
            Frame::Close { code, final_seq: self.sealer.next() }.encode(out);
            self.phase = Phase::Said;
        }
        true
    }

    /// Puts what is due into `out` as far as it stays within `end` bytes. Returns whether it asks for an acknowledgement.
    pub(super) fn put_frames(&mut self, out: &mut Space, end: usize, urgency: Urgency, now: Instant) -> bool {
        let mut asks = self.put_confirm(out);
        self.put_ack(out);
        if self.outbox.is_too_quiet() {
            // Nobody waits for the answer: what counts is that the record is acknowledged.
            asks = true;
            let id = self.ping.take_id();
            // A peer may answer the latest only: whoever waits for the one before now waits for this one.
            if let Some((outstanding, _)) = &mut self.ping.outstanding {
                *outstanding = id;
            }
            Frame::Ping { id }.encode(out);
        }
        if urgency == Urgency::Ack {
            return asks;
        }
        if let Some(id) = self.ping.pong_due.take() {
            Frame::Pong { id }.encode(out);
        }
        if self.ping.due {
            self.ping.due = false;
            asks = true;
            let id = self.ping.take_id();
            self.ping.outstanding = Some((id, now));
            Frame::Ping { id }.encode(out);
        }
        let before = out.len();
        self.put_epoch_frames(out, end);
        while end.saturating_sub(out.len()) >= NEW_CID_LEN
            && let Some(cid) = self.issued.next_due()
        {
            Frame::NewCid { cid: &cid }.encode(out);
        }
        if !self.epochs.is_spent() {
            self.put_streams(out, end, urgency);
        }
        asks || out.len() > before
    }

    fn put_streams(&mut self, out: &mut Space, end: usize, urgency: Urgency) {
        // Data of a stream must not overtake its STREAM_OPEN.
        let may_have_data = urgency == Urgency::Stream && self.put_control(out, end);
        self.streams.put_windows(out, end);
        if may_have_data {
            let data = self.streams.put_data(out, end, &mut self.events);
            self.stats.stream_bytes_sent = self.stats.stream_bytes_sent.saturating_add(count(data));
        }
    }

    /// Returns whether it was due.
    fn put_confirm(&mut self, out: &mut Space) -> bool {
        let due = std::mem::take(&mut self.confirm_due);
        if due {
            Frame::Confirm.encode(out);
        }
        due
    }

    fn put_ack(&mut self, out: &mut Space) {
        if self.acks.is_owed() {
            Frame::Ack { rx_next: self.opener.next() }.encode(out);
            self.acks.sent();
        }
    }

    /// Returns whether the queue is empty now.
    fn put_control(&mut self, out: &mut Space, end: usize) -> bool {
        while let Some(control) = self.control.front() {
            let frame = match control {
                Control::Open { stream, context } => Frame::StreamOpen { stream: *stream, context },
                Control::Reset { stream, code } => Frame::StreamReset { stream: *stream, code: *code },
            };
            if out.len().saturating_add(frame.encoded_len()) > end {
                return false;
            }
            frame.encode(out);
            if let Some(Control::Reset { stream, .. }) = self.control.pop_front() {
                self.streams.reset_settled(stream);
            }
        }
        true
    }
}
