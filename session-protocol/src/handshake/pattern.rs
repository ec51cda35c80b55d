//! The tokens of patterns KK (Noise revision 34, section 7.5) and KKhfs, one function per message and side.
//!
//! `e` is hashed in clear; each two-letter token is a Diffie-Hellman whose first letter is the initiator's key. In the hybrid
//! suites `e1` is a fresh ML-KEM key of the initiator and `ekem1` a ciphertext for it; both travel encrypted.

use rand_core::CryptoRng;

use super::HandshakeError;
use crate::{
    StaticPublic, StaticSecret, Suite,
    aead::TAG_LEN,
    kem::{CIPHERTEXT_LEN, DecapsulationKey, EncapsulationKey, KEY_LEN},
    noise::SymmetricState,
    wire::Reader,
};

/// Bytes of message 1 with an empty payload, without and with `e1`.
const MESSAGE1_LEN: (usize, usize) = (32 + TAG_LEN, 32 + KEY_LEN + TAG_LEN + TAG_LEN);
/// Bytes of message 2 with an empty payload, without and with `ekem1`.
const MESSAGE2_LEN: (usize, usize) = (32 + TAG_LEN, 32 + CIPHERTEXT_LEN + TAG_LEN + TAG_LEN);

const _: () = assert!(MESSAGE1_LEN.0 == 48 && MESSAGE1_LEN.1 == 1248);
const _: () = assert!(MESSAGE2_LEN.0 == 48 && MESSAGE2_LEN.1 == 1152);

/// What the initiator makes for one attempt and erases after it.
pub(super) struct Ephemeral {
    /// `e`.
    dh: StaticSecret,
    /// `e1`, in the hybrid suites.
    kem: Option<DecapsulationKey>,
}

impl Ephemeral {
    pub(super) fn generate(suite: Suite, rng: &mut impl CryptoRng) -> Self {
        let dh = StaticSecret::generate(rng);
        Self { dh, kem: suite.is_post_quantum().then(|| DecapsulationKey::generate(rng)) }
    }
}

/// The initiator's ephemeral keys, at the responder.
pub(super) struct RemoteEphemeral {
    dh: StaticPublic,
    kem: Option<EncapsulationKey>,
}

/// `-> e, es, ss` or `-> e, es, e1, ss`, as the initiator.
pub(super) fn write_message1(
    state: &mut SymmetricState,
    local: &StaticSecret,
    remote: &StaticPublic,
    ephemeral: &Ephemeral,
    payload: &[u8],
) -> Result<Vec<u8>, HandshakeError> {
    let mut message = write_e(state, &ephemeral.dh);
    state.mix_key(&*ephemeral.dh.diffie_hellman(remote)?);
    if let Some(kem) = &ephemeral.kem {
        message.append(&mut state.encrypt_and_hash(&kem.public())?);
    }
    state.mix_key(&*local.diffie_hellman(remote)?);
    message.append(&mut state.encrypt_and_hash(payload)?);
    Ok(message)
}

/// The same, as the responder; returns the initiator's ephemeral keys and the payload.
pub(super) fn read_message1(
    state: &mut SymmetricState,
    suite: Suite,
    local: &StaticSecret,
    remote: &StaticPublic,
    message: &[u8],
) -> Result<(RemoteEphemeral, Vec<u8>), HandshakeError> {
    check_length(message, suite.is_post_quantum(), MESSAGE1_LEN)?;
    let mut reader = Reader::new(message);
    let dh = read_e(state, &mut reader)?;
    state.mix_key(&*local.diffie_hellman(&dh)?);
    let kem = if suite.is_post_quantum() {
        let encrypted = reader.array::<{ KEY_LEN + TAG_LEN }>().ok_or(HandshakeError::Authentication)?;
        Some(EncapsulationKey::decode(&state.decrypt_and_hash(encrypted)?)?)
    } else {
        None
    };
    state.mix_key(&*local.diffie_hellman(remote)?);
    let payload = state.decrypt_and_hash(reader.rest())?;
    Ok((RemoteEphemeral { dh, kem }, payload))
}

/// `<- e, ee, se` or `<- e, ee, ekem1, se`, as the responder.
pub(super) fn write_message2(
    state: &mut SymmetricState,
    remote: &StaticPublic,
    remote_ephemeral: &RemoteEphemeral,
    ephemeral: &StaticSecret,
    payload: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, HandshakeError> {
    let mut message = write_e(state, ephemeral);
    state.mix_key(&*ephemeral.diffie_hellman(&remote_ephemeral.dh)?);
    if let Some(kem) = &remote_ephemeral.kem {
        let (ciphertext, shared) = kem.encapsulate(rng);
        message.append(&mut state.encrypt_and_hash(&ciphertext)?);
        state.mix_key(shared.expose());
    }
    state.mix_key(&*ephemeral.diffie_hellman(remote)?);
    message.append(&mut state.encrypt_and_hash(payload)?);
    Ok(message)
}

/// The same, as the initiator; returns the payload.
pub(super) fn read_message2(
    state: &mut SymmetricState,
    local: &StaticSecret,
    ephemeral: &Ephemeral,
    message: &[u8],
) -> Result<Vec<u8>, HandshakeError> {
    check_length(message, ephemeral.kem.is_some(), MESSAGE2_LEN)?;
    let mut reader = Reader::new(message);
    let remote_ephemeral = read_e(state, &mut reader)?;
    state.mix_key(&*ephemeral.dh.diffie_hellman(&remote_ephemeral)?);
    if let Some(kem) = &ephemeral.kem {
        let encrypted =
            reader.array::<{ CIPHERTEXT_LEN + TAG_LEN }>().ok_or(HandshakeError::Authentication)?;
        let ciphertext = state.decrypt_and_hash(encrypted)?;
        let ciphertext = ciphertext.first_chunk().ok_or(HandshakeError::Authentication)?;
        state.mix_key(kem.decapsulate(ciphertext).expose());
    }
    state.mix_key(&*local.diffie_hellman(&remote_ephemeral)?);
    Ok(state.decrypt_and_hash(reader.rest())?)
}

/// Refuses what is shorter than its keys and tags, before anything is computed.
fn check_length(message: &[u8], is_hybrid: bool, lengths: (usize, usize)) -> Result<(), HandshakeError> {
    let least = if is_hybrid { lengths.1 } else { lengths.0 };
    if message.len() < least {
        return Err(HandshakeError::Length { length: message.len() });
    }
    Ok(())
}

fn write_e(state: &mut SymmetricState, ephemeral: &StaticSecret) -> Vec<u8> {
    let public = ephemeral.public();
    state.mix_hash(public.as_bytes());
    public.as_bytes().to_vec()
}

fn read_e(state: &mut SymmetricState, reader: &mut Reader<'_>) -> Result<StaticPublic, HandshakeError> {
    let bytes = reader.array().ok_or(HandshakeError::Authentication)?;
    state.mix_hash(bytes);
    Ok(StaticPublic::from_bytes(*bytes))
}

#[cfg(all(test, not(feature = "null-cipher")))]
impl Ephemeral {
    /// An ephemeral of given keys, for vectors.
    pub(super) fn of(dh: StaticSecret, kem: Option<DecapsulationKey>) -> Self {
        Self { dh, kem }
    }
}
