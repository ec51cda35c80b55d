//! The same two messages inside a session, with empty payloads. Specification: `spec/session.md`, section 10.
//!
//! Not its concern: when they may travel, the prologue's fields, what the result is used for.

use rand_core::CryptoRng;

use super::{Binding, HandshakeError, initialize, pattern};
use crate::{
    StaticSecret,
    noise::{SplitKey, SymmetricState},
    wire::count,
};

/// `h`, `k1` and `k2` after message 2.
pub(crate) type Finished = ([u8; 32], SplitKey, SplitKey);

/// The initiator between the two messages. What it holds is erased when it goes.
pub(crate) struct Offer {
    state: SymmetricState,
    ephemeral: pattern::Ephemeral,
    local: Box<StaticSecret>,
}

impl Offer {
    /// Makes message 1.
    pub(crate) fn start(
        binding: &Binding,
        prologue: &[u8],
        local: Box<StaticSecret>,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let ephemeral = pattern::Ephemeral::generate(binding.suite, rng);
        let mut state = initialize(binding.suite, prologue, &binding.local, &binding.remote);
        let message1 = pattern::write_message1(&mut state, &local, &binding.remote, &ephemeral, &[])?;
        Ok((Self { state, ephemeral, local }, message1))
    }

    /// Verifies message 2.
    pub(crate) fn finish(&self, message2: &[u8]) -> Result<Finished, HandshakeError> {
        let mut state = self.state.fork();
        let payload = pattern::read_message2(&mut state, &self.local, &self.ephemeral, message2)?;
        must_be_empty(&payload, message2)?;
        Ok(state.split())
    }
}

/// Verifies message 1 and makes message 2. Our ephemeral key ends here.
pub(crate) fn answer(
    binding: &Binding,
    prologue: &[u8],
    local: &StaticSecret,
    message1: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, Finished), HandshakeError> {
    let mut state = initialize(binding.suite, prologue, &binding.remote, &binding.local);
    let (remote_ephemeral, payload) =
        pattern::read_message1(&mut state, binding.suite, local, &binding.remote, message1)?;
    must_be_empty(&payload, message1)?;
    let ephemeral = StaticSecret::generate(rng);
    let remote = &binding.remote;
    let message2 = pattern::write_message2(&mut state, remote, &remote_ephemeral, &ephemeral, &[], rng)?;
    Ok((message2, state.split()))
}

fn must_be_empty(payload: &[u8], message: &[u8]) -> Result<(), HandshakeError> {
    if payload.is_empty() { Ok(()) } else { Err(HandshakeError::Length { length: message.len() }) }
}

/// `prologue' = prologue || LP(sid) || LP(epoch) || LP(split)`. It has a secret, so the caller erases it.
pub(crate) fn prologue(
    binding: &Binding,
    sid: &[u8; 32],
    epoch: u32,
    split: &[u8; 32],
) -> zeroize::Zeroizing<Vec<u8>> {
    let fields: [&[u8]; 3] = [sid, &epoch.to_be_bytes(), split];
    let length = |field: &[u8]| u32::try_from(count(field.len())).unwrap_or(u32::MAX).to_be_bytes();
    // With its final capacity from the start: growing would leave a copy behind.
    let mut out = Vec::with_capacity(binding.prologue.len().saturating_add(3 * 4 + 32 + 4 + 32));
    out.extend_from_slice(&binding.prologue);
    for field in fields {
        out.extend_from_slice(&length(field));
        out.extend_from_slice(field);
    }
    zeroize::Zeroizing::new(out)
}
