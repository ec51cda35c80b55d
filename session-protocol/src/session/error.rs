//! What can go wrong in a session.

use thiserror::Error;

/// Why a record was not processed.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError {
    /// The record does not verify. Nothing changed; drop the record.
    #[error("record rejected")]
    Rejected,
    /// There are events with stream data of the last record. Nothing changed; drain them and hand the record in again.
    #[error("stream data of the last record was not taken")]
    Undrained,
    /// The session never gave out this connection. Nothing changed.
    #[error("no such connection")]
    UnknownConnection,
    /// Too many connections wait for the peer's answer. Nothing changed; drop the connection.
    #[error("too many connections wait for the peer's answer")]
    TooManyConnections,
    /// The peer broke the protocol in a record that verified. The session closes with this code.
    #[error("the peer broke the protocol, code {code:#x}")]
    Violation {
        /// A code from [`close`](super::close).
        code: u32,
    },
    /// The session is over.
    #[error("the session is closed")]
    Closed,
}

/// Why a call on a stream was refused.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// No such stream, or it is over.
    #[error("no such stream")]
    Unknown,
    /// The sending direction was finished.
    #[error("the stream was finished")]
    Finished,
    /// Too many streams are open or wait to be opened. Try again when one is over.
    #[error("too many streams")]
    TooMany,
    /// More was consumed than delivered. A bug of the caller.
    #[error("more bytes consumed than delivered")]
    ConsumeBeyond,
    /// The session is over.
    #[error("the session is closed")]
    Closed,
}

/// Why a handshake inside the session was not begun or not answered.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RehandshakeError {
    /// Only the initiator begins.
    #[error("only the initiator of a session begins a handshake inside it")]
    Role,
    /// The peer did not begin a handshake.
    #[error("the peer did not begin a handshake")]
    NotAsked,
    /// One was begun and is not finished.
    #[error("a handshake is under way")]
    UnderWay,
    /// Not the static keys that the session began with. For others, begin a new session.
    #[error("these are not the keys that the session began with")]
    OtherKeys,
    /// The peer did not prove that it holds its static key, or does not share this epoch. The session closes.
    #[error("handshake authentication failed")]
    Authentication,
    /// The session is over.
    #[error("the session is closed")]
    Closed,
}
