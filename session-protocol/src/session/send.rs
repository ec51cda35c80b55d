//! The way out: everything queued becomes one record.

use std::time::Instant;

use super::{Control, Event, Phase, Session, close};
use crate::{
    frame::Frame,
    record::{HEADER_LEN, TAG_LEN},
    wire::count,
};

/// Room for the frames that are not stream data, beyond what the control queue needs.
const SMALL_FRAMES: usize = 128;

impl Session {
    /// Seals the next record, if there is anything to send and a peer to send it to.
    pub(super) fn seal_next(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.acks.tick(now);
        self.tick_epoch(now);
        if self.phase == Phase::Open && self.has_frames() && self.sealer.remaining() <= 1 {
            // The last record of the epoch says why it is the last.
            self.end(close::RECORD_LIMIT);
        }
        let mut record = match self.phase {
            Phase::Unconfirmed | Phase::Closed => return None,
            Phase::Closing { code } => self.closing_record(code),
            Phase::Open if self.has_frames() => self.open_record(now),
            Phase::Open => return None,
        };
        let mut guard = [0; 4];
        self.guards.fill_bytes(&mut guard);
        if self.sealer.seal(&mut record, guard).is_err() {
            // Not even the CLOSE: the record limit leaves one record for it, so only a failing backend comes here.
            self.path_lost();
            return None;
        }
        self.epoch_sealed(now);
        self.stats.records_sent = self.stats.records_sent.saturating_add(1);
        self.stats.bytes_sent = self.stats.bytes_sent.saturating_add(count(record.len()));
        Some(record)
    }

    fn has_frames(&self) -> bool {
        self.confirm_due
            || self.acks.is_due()
            || self.ping.due
            || self.ping.pong_due.is_some()
            || self.has_epoch_frames()
            || !self.epochs.is_spent() && (!self.control.is_empty() || self.streams.has_frames())
    }

    fn closing_record(&mut self, code: u32) -> Vec<u8> {
        let mut out = vec![0; HEADER_LEN];
        if self.confirm_due {
            self.confirm_due = false;
            Frame::Confirm.encode(&mut out);
        }
        self.put_ack(&mut out);
        Frame::Close { code, final_seq: self.sealer.next() }.encode(&mut out);
        self.phase = Phase::Closed;
        out
    }

    fn open_record(&mut self, now: Instant) -> Vec<u8> {
        let end = self.record_size.saturating_sub(TAG_LEN);
        let mut out = Vec::with_capacity(self.record_hint());
        out.resize(HEADER_LEN, 0);
        let mut asks_for_ack = false;

        if self.confirm_due {
            self.confirm_due = false;
            asks_for_ack = true;
            Frame::Confirm.encode(&mut out);
        }
        self.put_ack(&mut out);
        if let Some(id) = self.ping.pong_due.take() {
            Frame::Pong { id }.encode(&mut out);
        }
        if self.ping.due {
            self.ping.due = false;
            asks_for_ack = true;
            let id = self.ping.next_id;
            self.ping.next_id = id.wrapping_add(1);
            self.ping.outstanding = Some((id, now));
            Frame::Ping { id }.encode(&mut out);
        }

        let before = out.len();
        self.put_epoch_frames(&mut out, end);
        if !self.epochs.is_spent() {
            self.put_streams(&mut out, end);
        }
        if asks_for_ack || out.len() > before {
            self.acks.asked(self.sealer.next());
        }
        out
    }

    fn put_streams(&mut self, out: &mut Vec<u8>, end: usize) {
        let control_done = self.put_control(out, end);
        self.streams.put_windows(out, end);
        if control_done {
            // Data of a stream must not overtake its STREAM_OPEN.
            let mut writable = Vec::new();
            let data = self.streams.put_data(out, end, &mut writable);
            self.stats.stream_bytes_sent = self.stats.stream_bytes_sent.saturating_add(count(data));
            self.events.extend(writable.into_iter().map(|stream| Event::StreamWritable { stream }));
        }
    }

    fn put_ack(&mut self, out: &mut Vec<u8>) {
        if self.acks.is_owed() {
            Frame::Ack { rx_next: self.opener.next() }.encode(out);
            self.acks.sent();
        }
    }

    /// Returns whether the queue is empty now.
    fn put_control(&mut self, out: &mut Vec<u8>, end: usize) -> bool {
        while let Some(control) = self.control.front() {
            let frame = match control {
                Control::Open { stream, context } => Frame::StreamOpen { stream: *stream, context },
                Control::Reset { stream, code } => Frame::StreamReset { stream: *stream, code: *code },
            };
            if out.len().saturating_add(frame.encoded_len()) > end {
                return false;
            }
            frame.encode(out);
            self.control.pop_front();
        }
        true
    }

    /// Bytes to reserve so that a usual record is allocated once.
    fn record_hint(&self) -> usize {
        let control = self.control.len().saturating_mul(37);
        let frames = self.streams.next_len().saturating_add(control).saturating_add(SMALL_FRAMES);
        frames.saturating_add(HEADER_LEN + TAG_LEN).min(self.record_size)
    }
}
