//! What goes into and comes out of a session.

use std::{
    fmt,
    ops::Range,
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

/// One connection of a session; given out by [`Session::connected`](super::Session::connected), counted up, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u32);

impl ConnectionId {
    pub(crate) const fn new(value: u32) -> Self {
        Self(value)
    }

    pub(crate) const fn value(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a caller hands in.
#[derive(Debug)]
pub enum Input<'a> {
    /// One complete record, without the length prefix that TCP needs, and the connection that it came on.
    Record {
        /// The connection.
        connection: ConnectionId,
        /// The record. It is decrypted where it lies: [`Event::StreamData`] says where the bytes of streams are in it. What else
        /// is in it afterwards means nothing.
        record: &'a mut [u8],
    },
    /// The instant that [`Output::Timeout`] named has come.
    Timeout,
}

/// What a caller takes out.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// One complete record to send on this connection, in this order and once. Its bytes stay in the session until the peer
    /// acknowledged them; what the caller does not get rid of goes out again on the next connection.
    Transmit {
        /// The connection.
        connection: ConnectionId,
        /// The record.
        record: &'a [u8],
    },
    /// Drop this connection: records are missing on it, a newer one replaced it, or the peer did not answer in time. If none
    /// is current, make another.
    Disconnect(ConnectionId),
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
    /// Where the next bytes of a stream are in the record that was just handed to [`Session::handle`](super::Session::handle).
    /// Take them before the next record. Call [`Session::consume`](super::Session::consume) when the reader took them.
    StreamData {
        /// The stream.
        stream: StreamId,
        /// At least one byte of the record.
        range: Range<usize>,
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
    /// The initiator wants a handshake inside the session: call
    /// [`answer_rehandshake`](super::Session::answer_rehandshake) with the static keys. Until then the epoch stays.
    Rehandshake,
    /// The initiator's static keys are due again, a day after they were last used or because too much was forged: call
    /// [`rehandshake`](super::Session::rehandshake).
    RehandshakeDue,
    /// The answer to a ping.
    Pong {
        /// From sealing the PING to opening the PONG.
        rtt: Duration,
    },
    /// Both ends are on this connection: data flows on it from now on.
    Adopted(ConnectionId),
    /// There is no current connection any more. Nothing is lost; make another.
    Suspended,
    /// On this connection somebody says that the peer does not know the session any more. It proves nothing and ends nothing;
    /// it may be a reason for a new handshake beside this session. At most once for each connection.
    UnknownCid(ConnectionId),
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
    /// Records sealed. Those that were sent again are not counted again.
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
    /// Duplicates, late records and those of unknown type.
    pub records_dropped: u64,
    /// Records that did not verify, or came with a gap.
    pub records_rejected: u64,
    /// Records that were sent again on another connection.
    pub records_resent: u64,
}
