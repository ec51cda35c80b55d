//! What became of the bytes of each stream. Specification: `spec/session.md`, SE-60.

use super::{StreamId, stream::Stream, streams::Streams};
use crate::wire::count;

/// What became of the bytes that were written on one stream; the three numbers add up to what
/// [`Session::write`](super::Session::write) accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamReport {
    /// The stream.
    pub stream: StreamId,
    /// Bytes that the peer's session opened and queued, perhaps unread.
    pub acknowledged: u64,
    /// Bytes that were sealed; whether they arrived is not known.
    pub unacknowledged: u64,
    /// Bytes that were never sealed: the peer cannot have them.
    pub unsent: u64,
}

/// A stream that is over, as long as some of its bytes may be under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    acknowledged: u64,
    sealed: u64,
    unsent: u64,
}

impl Past {
    fn of(stream: &Stream) -> Self {
        Self {
            acknowledged: stream.acknowledged,
            sealed: stream.sealed(),
            unsent: count(stream.unsent_len()),
        }
    }

    fn report(self, stream: u32) -> StreamReport {
        let Self { acknowledged, sealed, unsent } = self;
        let unacknowledged = sealed.saturating_sub(acknowledged);
        StreamReport { stream: StreamId::new(stream), acknowledged, unacknowledged, unsent }
    }
}

impl Streams {
    /// `bytes` of a stream were acknowledged.
    pub(super) fn acknowledged(&mut self, id: u32, bytes: u64) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.acknowledged = stream.acknowledged.saturating_add(bytes);
        } else if let Some(past) = self.past.get_mut(&id) {
            past.acknowledged = past.acknowledged.saturating_add(bytes);
            if past.acknowledged >= past.sealed {
                self.past.remove(&id);
            }
        }
    }

    /// Keeps the numbers of a stream that is over until all it sealed is acknowledged: no more streams than kept records.
    pub(super) fn remember(&mut self, id: u32, stream: &Stream) {
        let past = Past::of(stream);
        if past.acknowledged < past.sealed {
            self.past.insert(id, past);
        }
    }

    /// The numbers of every stream that is not over, or has bytes that are not acknowledged; by id.
    pub(super) fn report(&self) -> Vec<StreamReport> {
        let live = self.streams.iter().map(|(id, stream)| Past::of(stream).report(*id));
        let mut all: Vec<_> = live.chain(self.past.iter().map(|(id, past)| past.report(*id))).collect();
        all.sort_unstable_by_key(|report| report.stream);
        all
    }
}
