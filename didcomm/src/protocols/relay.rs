//! Relay 1.0: circuits through a mediator, their DIDComm messages and binary frames.
//!
//! Specification: `spec/relay.md`. DIDComm messages travel as text on the same WebSocket; one binary WebSocket message is one
//! frame:
//!
//! ```text
//! 0        type: 1 DATA, 2 CREDIT, 3 CLOSE
//! 1..4     circuit, u32 big-endian, local to this socket
//! 5..      DATA: one session record | CREDIT: bytes, u32 big-endian | CLOSE: code, u16 big-endian
//! ```
//!
//! Not its concern: what a record contains; pairing, credit and fairness (the mediator).

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use super::{Digest32, body, types};

/// Bytes before the content of a frame: type and circuit.
pub const FRAME_HEADER: usize = 5;

/// Longest record in a DATA frame, in bytes (RL-21): a session record of 64 KiB of plaintext with header, frames and tag,
/// and some room. A shorter limit would split records, a much longer one would let one circuit hold a socket for long.
pub const MAX_RECORD: usize = 64 * 1024 + 256;

/// Largest window of a circuit, in bytes for each direction (RL-13): four records of full size. It bounds what the mediator
/// stores for a circuit; at 50 ms of round-trip time it still carries 5 MB/s.
pub const MAX_WINDOW: u32 = 256 * 1024;

/// Smallest window that is accepted, in bytes: one record of full size, or it could never be sent (RL-13).
pub const MIN_WINDOW: u32 = 64 * 1024 + 256;

/// Name of a circuit on one socket, chosen by the mediator, never used twice on that socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CircuitId(pub u32);

/// The 32 bytes that both ends of a circuit name. Who knows it first can take a seat of the circuit, so it is not shown.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Token(Digest32);

impl Token {
    /// Wraps a token, 32 bytes from the session's exporter.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Digest32(bytes))
    }

    /// Returns the 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for Token {}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

/// The initiator's half of a circuit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// What both halves name.
    pub token: Token,
    /// Largest window wanted, in bytes; at least [`MIN_WINDOW`].
    pub window: u32,
}
body!(Open, types::RELAY_OPEN);

/// The responder's half of a circuit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// What both halves name.
    pub token: Token,
    /// Largest window wanted, in bytes; at least [`MIN_WINDOW`].
    pub window: u32,
}
body!(Join, types::RELAY_JOIN);

/// The half is registered; data may flow after the first CREDIT frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Name of the circuit on this socket.
    pub circuit: CircuitId,
}
body!(Opened, types::RELAY_OPENED);

/// The half is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why, for machines: one of [`refusal`].
    pub code: String,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}
body!(Refused, types::RELAY_REFUSED);

/// Codes of [`Refused`] (RL-08).
pub mod refusal {
    /// The token is not 32 bytes, or the body is malformed.
    pub const MALFORMED: &str = "malformed";
    /// This half of the token is taken, or the token was used before.
    pub const TOKEN_USED: &str = "token-used";
    /// Both halves come from one DID.
    pub const SAME_DID: &str = "same-did";
    /// The DID has too many circuits, or the mediator has.
    pub const TOO_MANY: &str = "too-many-circuits";
    /// The window is too small to carry a record.
    pub const WINDOW: &str = "window";
    /// The request came by HTTP; records need a WebSocket.
    pub const NO_SOCKET: &str = "no-socket";
    /// `expires_time` is missing, over, or too far ahead; the answer's `created_time` is the mediator's clock.
    pub const TIME: &str = "time";
}

/// Why a circuit ends (RL-30). 0 and 256 to 65535 belong to the clients and are handed through, the rest to the mediator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// A client is done.
    pub const DONE: Self = Self(0);
    /// The partner's socket is gone.
    pub const PEER_GONE: Self = Self(1);
    /// A client sent more than its credit.
    pub const CREDIT_EXCEEDED: Self = Self(2);
    /// The circuit does not exist on this socket.
    pub const UNKNOWN_CIRCUIT: Self = Self(3);
    /// No partner came in time.
    pub const NO_PARTNER: Self = Self(4);
    /// The mediator stops.
    pub const GOING_AWAY: Self = Self(5);
    /// A client sent a frame that only the mediator may send, or data before the first credit.
    pub const UNEXPECTED_FRAME: Self = Self(6);

    /// Tells whether clients may send this code.
    pub fn is_clients(self) -> bool {
        self.0 == 0 || self.0 >= 256
    }
}

/// One binary frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// One session record, 1 to [`MAX_RECORD`] bytes.
    Data {
        /// Circuit on this socket.
        circuit: CircuitId,
        /// The record, opaque here.
        record: &'a [u8],
    },
    /// The receiver of this frame may send that many more record bytes; never 0.
    Credit {
        /// Circuit on this socket.
        circuit: CircuitId,
        /// Further bytes.
        bytes: u32,
    },
    /// The circuit is over; nothing follows on it.
    Close {
        /// Circuit on this socket.
        circuit: CircuitId,
        /// Why.
        code: CloseCode,
    },
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Shorter or longer than its type wants.
    #[error("a relay frame of {got} bytes has the wrong length")]
    Length {
        /// Length of the whole frame in bytes.
        got: usize,
    },
    /// A type that this version does not know.
    #[error("relay frame type {got} is unknown")]
    Type {
        /// Byte 0.
        got: u8,
    },
    /// A credit of no bytes.
    #[error("a relay frame grants no credit")]
    NoCredit,
}

const DATA: u8 = 1;
const CREDIT: u8 = 2;
const CLOSE: u8 = 3;

impl<'a> Frame<'a> {
    /// Reads a frame from one binary WebSocket message.
    ///
    /// # Errors
    /// [`FrameError`]; the socket is then closed, since a peer that frames wrongly cannot be followed (RL-22).
    pub fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let length = FrameError::Length { got: bytes.len() };
        let (&type_, rest) = bytes.split_first().ok_or(length)?;
        let (circuit, rest) = rest.split_first_chunk::<4>().ok_or(length)?;
        let circuit = CircuitId(u32::from_be_bytes(*circuit));
        match type_ {
            DATA if rest.is_empty() || rest.len() > MAX_RECORD => Err(length),
            DATA => Ok(Self::Data { circuit, record: rest }),
            CREDIT => match u32::from_be_bytes(rest.try_into().map_err(|_| length)?) {
                0 => Err(FrameError::NoCredit),
                bytes => Ok(Self::Credit { circuit, bytes }),
            },
            CLOSE => {
                let code = u16::from_be_bytes(rest.try_into().map_err(|_| length)?);
                Ok(Self::Close { circuit, code: CloseCode(code) })
            }
            got => Err(FrameError::Type { got }),
        }
    }

    /// Writes the frame.
    pub fn encode(&self) -> Vec<u8> {
        let (type_, circuit, rest): (u8, CircuitId, &[u8]) = match self {
            Self::Data { circuit, record } => (DATA, *circuit, record),
            Self::Credit { circuit, bytes } => (CREDIT, *circuit, &bytes.to_be_bytes()),
            Self::Close { circuit, code } => (CLOSE, *circuit, &code.0.to_be_bytes()),
        };
        let mut frame = Vec::with_capacity(FRAME_HEADER + rest.len());
        frame.push(type_);
        frame.extend_from_slice(&circuit.0.to_be_bytes());
        frame.extend_from_slice(rest);
        frame
    }

    /// Returns the circuit that the frame belongs to.
    pub fn circuit(&self) -> CircuitId {
        match self {
            Self::Data { circuit, .. } | Self::Credit { circuit, .. } | Self::Close { circuit, .. } => {
                *circuit
            }
        }
    }
}
