//! The end of a handshake: keys exist, no record was sent yet. Specification: `spec/handshake.md`, section 5.

use std::{fmt, time::Instant};

use rand_core::CryptoRng;
use thiserror::Error;

use crate::{
    Hello, Limits, Session, Suite,
    handshake::Binding,
    hello::Cid,
    noise::SymmetricState,
    schedule::{self, Direction, EpochZero, ExporterSecret, Rest},
};

/// Which side of the handshake this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sent message 1. Opens the streams with odd ids.
    Initiator,
    /// Answered with message 2. Opens the streams with even ids.
    Responder,
}

impl Role {
    /// The peer's.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }
}

/// A finished handshake. The responder's is not confirmed yet: see [`Event::Confirmed`](crate::Event::Confirmed).
pub struct Established {
    role: Role,
    binding: Binding,
    transcript_hash: [u8; 32],
    keys: EpochZero,
    local: Hello,
    peer: Hello,
    limits: Limits,
}

/// What a [`Session`] starts from.
pub(crate) struct Start {
    pub(crate) role: Role,
    pub(crate) sid: [u8; 32],
    pub(crate) exporter: ExporterSecret,
    pub(crate) epoch: Rest,
    pub(crate) binding: Binding,
    pub(crate) send: Direction,
    pub(crate) receive: Direction,
    pub(crate) local: Hello,
    pub(crate) peer: Hello,
    pub(crate) limits: Limits,
}

impl Established {
    pub(crate) fn new(
        role: Role,
        binding: Binding,
        state: SymmetricState,
        local: Hello,
        peer: Hello,
        limits: Limits,
    ) -> Self {
        let cipher = state.suite().cipher();
        let (transcript_hash, k1, k2) = state.split();
        let keys = schedule::derive(cipher, &transcript_hash, k1, k2);
        Self { role, binding, transcript_hash, keys, local, peer, limits }
    }

    /// Which side of the handshake this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The suite that both sides completed.
    pub fn suite(&self) -> Suite {
        self.binding.suite
    }

    /// The session identifier, equal on both sides. Not secret, but unpredictable to others.
    pub fn sid(&self) -> [u8; 32] {
        self.keys.sid
    }

    /// Noise's handshake hash `h` after message 2, equal on both sides: names this handshake and everything it agreed on.
    pub fn transcript_hash(&self) -> [u8; 32] {
        self.transcript_hash
    }

    /// Routing tokens under which this side receives records; the peer uses the first one first.
    pub fn cids(&self) -> &[Cid] {
        &self.local.cids
    }

    /// What the peer said in its message: routing tokens, limits, the session it still knows.
    pub fn peer(&self) -> &Hello {
        &self.peer
    }

    /// Derives a key for another protocol: `HKDF-Expand(exporter, LP(label) || LP(context), out.len())`.
    ///
    /// # Errors
    /// [`ExportError`] if `out` is longer than 8160 bytes.
    pub fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), ExportError> {
        if self.keys.exporter.export(label, context, out) { Ok(()) } else { Err(ExportError) }
    }

    /// Starts the session.
    ///
    /// `rng` gives each long record the 4 random bytes of its guard. Lend the operating system's generator: the guard keeps two
    /// records apart that a cloned process seals in the same state, and a generator with a state of its own is cloned too.
    pub fn into_session(self, now: Instant, rng: impl CryptoRng + Send + 'static) -> Session {
        let EpochZero { sid, initiator_to_responder, responder_to_initiator, exporter, rest } = self.keys;
        let (send, receive) = match self.role {
            Role::Initiator => (initiator_to_responder, responder_to_initiator),
            Role::Responder => (responder_to_initiator, initiator_to_responder),
        };
        let (role, local, peer, limits) = (self.role, self.local, self.peer, self.limits);
        let binding = self.binding;
        let start = Start { role, sid, exporter, epoch: rest, binding, send, receive, local, peer, limits };
        Session::new(start, now, Box::new(rng))
    }
}

impl fmt::Debug for Established {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Established").field("role", &self.role).finish_non_exhaustive()
    }
}

/// An export that was too long.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("an export has at most 8160 bytes")]
pub struct ExportError;
