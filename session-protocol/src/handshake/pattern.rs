//! The tokens of pattern KK (Noise revision 34, section 7.5), one function per message and side.
//!
//! `e` is hashed in clear; each two-letter token is a Diffie-Hellman whose first letter is the initiator's key.

use super::HandshakeError;
use crate::{StaticPublic, StaticSecret, noise::SymmetricState};

/// `-> e, es, ss`, as the initiator.
pub(super) fn write_message1(
    state: &mut SymmetricState,
    local: &StaticSecret,
    remote: &StaticPublic,
    ephemeral: &StaticSecret,
    payload: &[u8],
) -> Result<Vec<u8>, HandshakeError> {
    state.mix_hash(ephemeral.public().as_bytes());
    state.mix_key(&*ephemeral.diffie_hellman(remote)?);
    state.mix_key(&*local.diffie_hellman(remote)?);
    finish_message(state, ephemeral, payload)
}

/// `-> e, es, ss`, as the responder; returns the payload.
pub(super) fn read_message1(
    state: &mut SymmetricState,
    local: &StaticSecret,
    remote: &StaticPublic,
    remote_ephemeral: &StaticPublic,
    payload: &[u8],
) -> Result<Vec<u8>, HandshakeError> {
    state.mix_hash(remote_ephemeral.as_bytes());
    state.mix_key(&*local.diffie_hellman(remote_ephemeral)?);
    state.mix_key(&*local.diffie_hellman(remote)?);
    Ok(state.decrypt_and_hash(payload)?)
}

/// `<- e, ee, se`, as the responder.
pub(super) fn write_message2(
    state: &mut SymmetricState,
    remote: &StaticPublic,
    remote_ephemeral: &StaticPublic,
    ephemeral: &StaticSecret,
    payload: &[u8],
) -> Result<Vec<u8>, HandshakeError> {
    state.mix_hash(ephemeral.public().as_bytes());
    state.mix_key(&*ephemeral.diffie_hellman(remote_ephemeral)?);
    state.mix_key(&*ephemeral.diffie_hellman(remote)?);
    finish_message(state, ephemeral, payload)
}

/// `<- e, ee, se`, as the initiator; returns the payload.
pub(super) fn read_message2(
    state: &mut SymmetricState,
    local: &StaticSecret,
    ephemeral: &StaticSecret,
    remote_ephemeral: &StaticPublic,
    payload: &[u8],
) -> Result<Vec<u8>, HandshakeError> {
    state.mix_hash(remote_ephemeral.as_bytes());
    state.mix_key(&*ephemeral.diffie_hellman(remote_ephemeral)?);
    state.mix_key(&*local.diffie_hellman(remote_ephemeral)?);
    Ok(state.decrypt_and_hash(payload)?)
}

fn finish_message(
    state: &mut SymmetricState,
    ephemeral: &StaticSecret,
    payload: &[u8],
) -> Result<Vec<u8>, HandshakeError> {
    let mut message = ephemeral.public().as_bytes().to_vec();
    message.append(&mut state.encrypt_and_hash(payload)?);
    Ok(message)
}
