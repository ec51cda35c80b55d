//! What goes into and comes out of a session.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::Role;

/// A stream's id: odd if the initiator opened it, even if the responder did. Never reused in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(u32);

impl StreamId {
    pub(crate) const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The number on the wire.
    pub const fn value(self) -> u32 {
        self.0
    }

    /// The side that opened the stream.
    pub const fn opener(self) -> Role {
        if self.0 % 2 == 1 { Role::Initiator } else { Role::Responder }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a caller hands in.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// One complete record, without the length prefix that TCP needs.
    Record(&'a [u8]),
    /// The instant that [`Output::Timeout`] named has come.
    Timeout,
}

/// What a caller takes out.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// One complete record to send, in this order and once.
    Transmit(Vec<u8>),
    /// Something happened.
    Event(Event),
    /// Nothing more until there is input, or until this instant.
    Timeout(Option<Instant>),
}

/// Something that happened in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The peer proved that it holds the session's keys. The initiator knows from message 2, so this is its first event; the
    /// responder knows from the initiator's first record.
    Confirmed,
    /// The peer opened a stream. Compare `context` with the own hash of the round; reset the stream if it differs.
    StreamOpened {
        /// The stream.
        stream: StreamId,
        /// The hash of what the peer thinks the stream is for.
        context: [u8; 32],
    },
    /// The next bytes of a stream. Call [`Session::consume`](super::Session::consume) when the reader took them.
    StreamData {
        /// The stream.
        stream: StreamId,
        /// At least one byte.
        bytes: Vec<u8>,
    },
    /// The peer sends no more bytes on this stream; all it sent were delivered.
    StreamFinished {
        /// The stream.
        stream: StreamId,
    },
    /// The peer gave up the stream, both directions. What was delivered is not all it wanted to send.
    StreamReset {
        /// The stream.
        stream: StreamId,
        /// The application's reason.
        code: u32,
    },
    /// A stream that did not accept all bytes of a `write` has room again.
    StreamWritable {
        /// The stream.
        stream: StreamId,
    },
    /// A new epoch stands: this side seals and opens in it and in no older one.
    Epoch(u32),
    /// The answer to a ping.
    Pong {
        /// From sealing the PING to opening the PONG.
        rtt: Duration,
    },
    /// The session is over. Streams that did not finish before are truncated.
    Closed {
        /// A code from [`close`](super::close), or the application's.
        code: u32,
        /// Whether the peer's CLOSE said so.
        by_peer: bool,
    },
}

/// Counts of a session since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Records sealed.
    pub records_sent: u64,
    /// Bytes of those records.
    pub bytes_sent: u64,
    /// Stream bytes in those records.
    pub stream_bytes_sent: u64,
    /// Records opened.
    pub records_received: u64,
    /// Bytes of those records.
    pub bytes_received: u64,
    /// Stream bytes delivered.
    pub stream_bytes_received: u64,
    /// Duplicates and records of unknown type.
    pub records_dropped: u64,
    /// Records that did not verify, or came with a gap.
    pub records_rejected: u64,
}
