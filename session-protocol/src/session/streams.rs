//! All streams of a session: ids, limits and turns. Specification: `spec/streams.md`, section 2.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Event, StreamError, StreamId, close, outbox::Space, report::Past, stream::Stream};
use crate::{
    Limits, MAX_STREAMS, Role,
    frame::{DATA_OVERHEAD, Frame},
    limits::MAX_UNSAID_RESETS,
    wire::{Sink, count},
};

/// Bytes of a WINDOW frame.
const WINDOW_LEN: usize = 13;

/// The streams, and what each side may still open.
#[derive(Debug)]
pub(super) struct Streams {
    role: Role,
    /// What the peer grants each new stream at first.
    credit: u64,
    /// What we grant.
    window: u64,
    send_buffer: usize,
    pub(super) streams: BTreeMap<u32, Stream>,
    /// Streams that are over, but with sealed bytes that are not acknowledged.
    pub(super) past: BTreeMap<u32, Past>,
    local: Opened,
    remote: Opened,
    /// The peer's streams that were reset here, as long as the peer cannot know.
    refused: BTreeSet<u32>,
    /// Streams with something to send, in turn.
    ready: VecDeque<u32>,
    /// Streams that owe the peer a WINDOW.
    windows: VecDeque<u32>,
}

/// The streams that one side opened.
#[derive(Debug)]
struct Opened {
    /// The id of its next stream; `None` when it has used all.
    next: Option<u32>,
    /// How many of its streams are not over.
    open: usize,
}

/// Whether a frame is for a live stream, or late for one that is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Live,
    Late,
}

impl Streams {
    pub(super) fn new(role: Role, credit: u64, limits: &Limits) -> Self {
        let first = |role: Role| match role {
            Role::Initiator => Some(1),
            Role::Responder => Some(2),
        };
        let peer = match role {
            Role::Initiator => Role::Responder,
            Role::Responder => Role::Initiator,
        };
        Self {
            role,
            credit,
            window: count(limits.stream_window),
            send_buffer: limits.send_buffer,
            streams: BTreeMap::new(),
            past: BTreeMap::new(),
            local: Opened { next: first(role), open: 0 },
            remote: Opened { next: first(peer), open: 0 },
            refused: BTreeSet::new(),
            ready: VecDeque::new(),
            windows: VecDeque::new(),
        }
    }

    pub(super) fn open(&mut self) -> Result<u32, StreamError> {
        let id = self.local.next.filter(|_| self.local.open < MAX_STREAMS).ok_or(StreamError::TooMany)?;
        self.local.next = id.checked_add(2);
        self.local.open = self.local.open.saturating_add(1);
        self.streams.insert(id, Stream::new(self.credit, self.window));
        Ok(id)
    }

    pub(super) fn write(&mut self, id: u32, bytes: &[u8]) -> Result<usize, StreamError> {
        let stream = self.streams.get_mut(&id).ok_or(StreamError::Unknown)?;
        let accepted = stream.write(bytes, self.send_buffer)?;
        self.schedule(id);
        Ok(accepted)
    }

    /// Bytes that may go straight into a record; none while others of the stream wait. If only credit lacks, the caller is
    /// told when there is some.
    pub(super) fn room_to_reserve(&mut self, id: u32) -> Result<usize, StreamError> {
        self.streams.get_mut(&id).ok_or(StreamError::Unknown)?.room_to_reserve()
    }

    /// So many bytes of the stream were put into a record by the caller.
    pub(super) fn sealed_directly(&mut self, id: u32, length: usize) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.sealed_directly(length);
        }
    }

    pub(super) fn finish(&mut self, id: u32) -> Result<(), StreamError> {
        self.streams.get_mut(&id).ok_or(StreamError::Unknown)?.finish()?;
        self.schedule(id);
        Ok(())
    }

    pub(super) fn reset(&mut self, id: u32) -> Result<(), StreamError> {
        if self.streams.contains_key(&id) {
            self.remove(id);
            if !self.is_local(id) {
                self.refused.insert(id);
            }
            Ok(())
        } else {
            Err(StreamError::Unknown)
        }
    }

    /// Our RESET of a stream was sealed, or the peer's came first. Returns whether it was waited for.
    pub(super) fn reset_settled(&mut self, id: u32) -> bool {
        self.refused.remove(&id)
    }

    pub(super) fn consume(&mut self, id: u32, n: usize) -> Result<(), StreamError> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return if self.was_opened(id) { Ok(()) } else { Err(StreamError::Unknown) };
        };
        if stream.consume(n, self.window)? && !stream.window_due {
            stream.window_due = true;
            self.windows.push_back(id);
        }
        Ok(())
    }

    /// The peer opens a stream. Its ids are consecutive, so a wrong one is an error and not a gap.
    pub(super) fn peer_open(&mut self, id: u32) -> Result<(), u32> {
        if self.remote.next != Some(id) {
            return Err(close::STREAM_ID);
        }
        if self.remote.open >= MAX_STREAMS || self.refused.len() >= MAX_UNSAID_RESETS {
            return Err(close::STREAM_LIMIT);
        }
        self.remote.next = id.checked_add(2);
        self.remote.open = self.remote.open.saturating_add(1);
        self.streams.insert(id, Stream::new(self.credit, self.window));
        Ok(())
    }

    pub(super) fn peer_data(&mut self, id: u32, length: usize) -> Result<Target, u32> {
        self.with_peer(id, |stream| stream.receive(length))
    }

    pub(super) fn peer_fin(&mut self, id: u32) -> Result<Target, u32> {
        let target = self.with_peer(id, Stream::receive_fin)?;
        // A peer that sends no more needs no credit.
        self.windows.retain(|due| *due != id);
        self.remove_if_over(id);
        Ok(target)
    }

    pub(super) fn peer_reset(&mut self, id: u32) -> Result<Target, u32> {
        let target = self.with_peer(id, |_| Ok(()))?;
        self.remove(id);
        Ok(target)
    }

    /// Returns whether a writer that was cut short can go on.
    pub(super) fn peer_window(&mut self, id: u32, limit: u64) -> Result<bool, u32> {
        self.with_peer(id, |stream| {
            stream.receive_window(limit);
            Ok(())
        })?;
        let send_buffer = self.send_buffer;
        Ok(self.streams.get_mut(&id).is_some_and(|stream| stream.take_writable(send_buffer)))
    }

    /// Whether any stream has bytes or a FIN to send.
    pub(super) fn has_unsent(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether any stream owes the peer a WINDOW.
    pub(super) fn has_windows(&self) -> bool {
        !self.windows.is_empty()
    }

    /// Puts WINDOW frames into `out` as far as it stays within `end` bytes.
    pub(super) fn put_windows(&mut self, out: &mut Space, end: usize) {
        while end.saturating_sub(out.len()) >= WINDOW_LEN {
            let Some(id) = self.windows.pop_front() else { return };
            if let Some(stream) = self.streams.get_mut(&id) {
                Frame::Window { stream: id, limit: stream.grant(self.window) }.encode(out);
            }
        }
    }

    /// Puts stream data and FINs into `out` as far as it stays within `end` bytes, each stream in its turn. Returns the
    /// stream bytes put, and tells of the streams whose cut-short writers can go on.
    pub(super) fn put_data(&mut self, out: &mut Space, end: usize, events: &mut VecDeque<Event>) -> usize {
        let mut total = 0_usize;
        for _ in 0..self.ready.len() {
            let room = end.saturating_sub(out.len());
            // Less than this would cut a stream's bytes into crumbs.
            if room < 2 * DATA_OVERHEAD {
                break;
            }
            let Some(id) = self.ready.pop_front() else { break };
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            let data = stream.fill(id, out, room);
            if data > 0 {
                out.note(id, data);
                total = total.saturating_add(data);
            }
            if stream.take_writable(self.send_buffer) {
                events.push_back(Event::StreamWritable { stream: StreamId::new(id) });
            }
            if stream.has_unsent() {
                self.ready.push_back(id);
            } else {
                stream.scheduled = false;
            }
            self.remove_if_over(id);
        }
        total
    }

    fn schedule(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id)
            && stream.has_unsent()
            && !stream.scheduled
        {
            stream.scheduled = true;
            self.ready.push_back(id);
        }
    }

    /// Applies a frame of the peer to a live stream. For one that is over it is late and ignored: the peer sent it before it
    /// learned of the end. For one that never was it is an error.
    fn with_peer(
        &mut self,
        id: u32,
        apply: impl FnOnce(&mut Stream) -> Result<(), u32>,
    ) -> Result<Target, u32> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return if self.was_opened(id) { Ok(Target::Late) } else { Err(close::STREAM_UNKNOWN) };
        };
        apply(stream).map(|()| Target::Live)
    }

    fn was_opened(&self, id: u32) -> bool {
        let opened = if self.is_local(id) { &self.local } else { &self.remote };
        id != 0 && opened.next.is_none_or(|next| id < next)
    }

    fn is_local(&self, id: u32) -> bool {
        StreamId::new(id).opener() == self.role
    }

    fn remove_if_over(&mut self, id: u32) {
        if self.streams.get(&id).is_some_and(Stream::is_over) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: u32) {
        if let Some(stream) = self.streams.remove(&id) {
            self.remember(id, &stream);
            let opened = if self.is_local(id) { &mut self.local } else { &mut self.remote };
            opened.open = opened.open.saturating_sub(1);
            // Otherwise a caller that opens, writes and resets in a loop would grow the queues.
            self.ready.retain(|ready| *ready != id);
            self.windows.retain(|due| *due != id);
        }
    }
}
