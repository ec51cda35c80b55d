//! What can go wrong in a handshake.

use thiserror::Error;

use super::Initiator;
use crate::{HelloError, keys::NonContributory, noise::NoiseError};

/// Why a handshake message was refused or could not be made.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The message is not from this peer, not for these parameters, or was changed. Drop it.
    #[error("handshake authentication failed")]
    Authentication,
    /// The message is shorter than its keys or longer than the limit. Drop it.
    #[error("a handshake message cannot have {length} bytes")]
    Length {
        /// Bytes received.
        length: usize,
    },
    /// The authenticated payload is malformed: the peer is broken or of another version. Give up.
    #[error("the peer's hello is malformed")]
    Hello(#[from] HelloError),
    /// The peer's static key is our own. Refuse the peer.
    #[error("the peer's static key is our own")]
    SameStatic,
    /// A field of `Limits` is out of range. A bug of the caller.
    #[error("a limit is out of range")]
    Limits,
}

impl From<NonContributory> for HandshakeError {
    fn from(_: NonContributory) -> Self {
        Self::Authentication
    }
}

impl From<NoiseError> for HandshakeError {
    fn from(_: NoiseError) -> Self {
        Self::Authentication
    }
}

/// A message 2 that was refused, with the unchanged initiator.
#[derive(Debug, Error)]
#[error("message 2 refused")]
pub struct Rejected {
    /// The state as it was before the message: keep waiting with it.
    pub initiator: Initiator,
    /// Why the message was refused.
    #[source]
    pub error: HandshakeError,
}
