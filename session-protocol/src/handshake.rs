//! The handshake: Noise KK in two messages, in suites 3 and 4 with ML-KEM-768 beside X25519. Specification:
//! `spec/handshake.md`.
//!
//! ```text
//! -> s   <- s   …   message 1: e, es, ss, hello           message 2: e, ee, se, hello
//!                   message 1: e, es, e1, ss, hello       message 2: e, ee, ekem1, se, hello
//! ```
//!
//! After message 2 the initiator knows that the responder holds its static key, this prologue and this message 1. The
//! responder knows the like only when the first record verified, so its [`Session`](crate::Session) is silent until then.
//!
//! Who lends a generator can replay a handshake: a side reads 32 bytes for its routing tokens, 32 for `e`, then in the hybrids
//! the initiator 64 for `e1` (`d || z` of FIPS 203) and the responder 32 for `ekem1` (`m`).
//!
//! Not its concern: who the static keys belong to, how the messages travel, retries, duplicates, time limits.

mod error;
pub(crate) mod inside;
mod pattern;

use rand_core::CryptoRng;

pub use error::{HandshakeError, Rejected};

use crate::{
    Established, Hello, Limits, MAX_HANDSHAKE_MESSAGE, Role, StaticPublic, StaticSecret, Suite, hello::Cid,
    noise::SymmetricState, wire::count,
};
use pattern::Ephemeral;

/// Routing tokens issued in each hello: the first connection takes one, three are left for reconnecting.
const ISSUED_CIDS: usize = 4;

/// What one side brings to a handshake.
#[derive(Clone, Debug)]
pub struct Params<'a> {
    /// The suite both agreed on.
    pub suite: Suite,
    /// Our static secret.
    pub local: &'a StaticSecret,
    /// The peer's static key, from its DID document.
    pub remote: &'a StaticPublic,
    /// The prologue, from [`prologue::encode`](crate::prologue::encode); any length.
    pub prologue: &'a [u8],
    /// What this side accepts.
    pub limits: Limits,
}

/// What every handshake of one session has in common: the first one, and those inside the session.
#[derive(Clone)]
pub(crate) struct Binding {
    pub(crate) suite: Suite,
    pub(crate) prologue: Vec<u8>,
    pub(crate) local: StaticPublic,
    pub(crate) remote: StaticPublic,
}

impl Binding {
    fn new(params: &Params<'_>) -> Self {
        let (local, remote) = (params.local.public(), *params.remote);
        Self { suite: params.suite, prologue: params.prologue.to_vec(), local, remote }
    }
}

/// The initiator after message 1: waits for message 2 for as long as the caller likes.
pub struct Initiator {
    state: SymmetricState,
    ephemeral: Ephemeral,
    local: StaticSecret,
    hello: Hello,
    limits: Limits,
    binding: Binding,
}

impl Initiator {
    /// Makes message 1. The caller carries it to the responder and keeps the returned state.
    ///
    /// # Errors
    /// [`HandshakeError::SameStatic`] if the peer's key is ours, [`HandshakeError::Limits`] if a limit is out of range,
    /// [`HandshakeError::Authentication`] if the peer's key is of low order.
    pub fn start(params: Params<'_>, rng: &mut impl CryptoRng) -> Result<(Self, Vec<u8>), HandshakeError> {
        Self::start_with(params, None, rng)
    }

    /// Like [`Initiator::start`], and tells the peer that this side still knows the session `prev_sid` with it.
    ///
    /// # Errors
    /// As [`Initiator::start`].
    pub fn start_beside(
        params: Params<'_>,
        prev_sid: [u8; 32],
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        Self::start_with(params, Some(prev_sid), rng)
    }

    /// Routing tokens under which this side will receive records.
    pub fn cids(&self) -> &[Cid] {
        &self.hello.cids
    }

    /// Verifies message 2. A message that fails gives the unchanged state back inside [`Rejected`], so that garbage cannot end
    /// a handshake; success consumes the state and erases the ephemeral key.
    ///
    /// # Errors
    /// [`Rejected`] with [`HandshakeError::Length`] or [`HandshakeError::Authentication`] if the message is not the
    /// answer of this peer to this message 1, [`HandshakeError::Hello`] if it is but its payload is malformed.
    pub fn finish(self, message2: &[u8]) -> Result<Established, Box<Rejected>> {
        let mut state = self.state.fork();
        match self.read_answer(&mut state, message2) {
            Ok(peer) => {
                let Self { hello, limits, binding, .. } = self;
                Ok(Established::new(Role::Initiator, binding, state, hello, peer, limits))
            }
            Err(error) => Err(Box::new(Rejected { initiator: self, error })),
        }
    }

    fn read_answer(&self, state: &mut SymmetricState, message2: &[u8]) -> Result<Hello, HandshakeError> {
        check_length(message2)?;
        let payload = pattern::read_message2(state, &self.local, &self.ephemeral, message2)?;
        Ok(Hello::decode(&payload)?)
    }

    fn start_with(
        params: Params<'_>,
        prev_sid: Option<[u8; 32]>,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        check(&params)?;
        let hello = own_hello(&params.limits, prev_sid, rng);
        let ephemeral = Ephemeral::generate(params.suite, rng);
        let mut state = initialize(params.suite, params.prologue, &params.local.public(), params.remote);
        let message1 =
            pattern::write_message1(&mut state, params.local, params.remote, &ephemeral, &hello.encode()?)?;
        let (local, binding) = (params.local.duplicate(), Binding::new(&params));
        Ok((Self { state, ephemeral, local, hello, limits: params.limits, binding }, message1))
    }
}

impl std::fmt::Debug for Initiator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Initiator").field("hello", &self.hello).finish_non_exhaustive()
    }
}

/// The responder: it has no state of its own between the two messages.
#[derive(Debug)]
pub struct Responder;

impl Responder {
    /// Verifies message 1 and makes message 2.
    ///
    /// Message 1 alone proves neither freshness nor, if our static key was stolen, its sender: the session stays silent until
    /// the initiator's first record. Each call takes a fresh ephemeral; to answer a duplicate, send the kept message 2 again.
    ///
    /// # Errors
    /// [`HandshakeError::SameStatic`], [`HandshakeError::Limits`], [`HandshakeError::Length`],
    /// [`HandshakeError::Authentication`] if the message is not from this peer for this prologue,
    /// [`HandshakeError::Hello`] if its payload is malformed.
    pub fn answer(
        params: Params<'_>,
        message1: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(Established, Vec<u8>), HandshakeError> {
        Self::answer_with(params, None, message1, rng)
    }

    /// Like [`Responder::answer`], and tells the peer that this side still knows the session `prev_sid` with it.
    ///
    /// # Errors
    /// As [`Responder::answer`].
    pub fn answer_beside(
        params: Params<'_>,
        prev_sid: [u8; 32],
        message1: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(Established, Vec<u8>), HandshakeError> {
        Self::answer_with(params, Some(prev_sid), message1, rng)
    }

    fn answer_with(
        params: Params<'_>,
        prev_sid: Option<[u8; 32]>,
        message1: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(Established, Vec<u8>), HandshakeError> {
        check(&params)?;
        check_length(message1)?;
        let mut state = initialize(params.suite, params.prologue, params.remote, &params.local.public());
        let (remote_ephemeral, payload) =
            pattern::read_message1(&mut state, params.suite, params.local, params.remote, message1)?;
        let peer = Hello::decode(&payload)?;
        let hello = own_hello(&params.limits, prev_sid, rng);
        let ephemeral = StaticSecret::generate(rng);
        let message2 = pattern::write_message2(
            &mut state,
            params.remote,
            &remote_ephemeral,
            &ephemeral,
            &hello.encode()?,
            rng,
        )?;
        let binding = Binding::new(&params);
        Ok((Established::new(Role::Responder, binding, state, hello, peer, params.limits), message2))
    }
}

fn check(params: &Params<'_>) -> Result<(), HandshakeError> {
    // A DID document may hold a copy of our key; the two roles of such a session could not be told apart.
    if params.remote.is_same_point(&params.local.public()) {
        return Err(HandshakeError::SameStatic);
    }
    if !params.limits.are_valid() {
        return Err(HandshakeError::Limits);
    }
    Ok(())
}

/// Name, prologue and the two static keys known beforehand, the initiator's first.
fn initialize(
    suite: Suite,
    prologue: &[u8],
    initiator: &StaticPublic,
    responder: &StaticPublic,
) -> SymmetricState {
    let mut state = SymmetricState::new(suite, prologue);
    state.mix_hash(initiator.as_bytes());
    state.mix_hash(responder.as_bytes());
    state
}

fn own_hello(limits: &Limits, prev_sid: Option<[u8; 32]>, rng: &mut impl CryptoRng) -> Hello {
    let cids = (0..ISSUED_CIDS)
        .map(|_| {
            let mut cid = Cid::default();
            rng.fill_bytes(&mut cid);
            cid
        })
        .collect();
    let on_wire = |bytes: usize| u32::try_from(count(bytes)).unwrap_or(u32::MAX);
    Hello {
        cids,
        max_record: on_wire(limits.max_record),
        stream_window: on_wire(limits.stream_window),
        prev_sid,
        extensions: Vec::new(),
    }
}

/// Before anything is computed. What is too short, the pattern finds.
fn check_length(message: &[u8]) -> Result<(), HandshakeError> {
    if message.len() > MAX_HANDSHAKE_MESSAGE {
        return Err(HandshakeError::Length { length: message.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
