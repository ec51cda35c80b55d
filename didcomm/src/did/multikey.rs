//! Public keys as text: multibase `z` (base58btc) over multicodec.
//!
//! Controlled Identifiers 1.0, "Multikey"; the multicodec table for the prefixes, which are unsigned varints.

use super::{DidError, PublicKey};

/// Longest text that is decoded, in bytes. A P-521 key takes 97; base58 costs quadratic time.
const MAX_TEXT_BYTES: usize = 128;
/// `ed25519-pub`, 0xed as a varint.
const ED25519: [u8; 2] = [0xed, 0x01];
/// `x25519-pub`, 0xec as a varint.
const X25519: [u8; 2] = [0xec, 0x01];
/// Kinds that DIDs for DIDComm contain and that are not used here, with the bytes of a compressed point: secp256k1,
/// P-256, P-384, P-521. Anything else is taken for damage rather than for a kind of the future.
const UNUSED: [([u8; 2], usize); 4] =
    [([0xe7, 0x01], 33), ([0x80, 0x24], 33), ([0x81, 0x24], 49), ([0x82, 0x24], 67)];

pub(super) fn encode(key: &PublicKey) -> String {
    let (codec, key) = match key {
        PublicKey::Ed25519(key) => (ED25519, key),
        PublicKey::X25519(key) => (X25519, key),
    };
    format!("z{}", bs58::encode([codec.as_slice(), key].concat()).into_string())
}

/// Decodes a key; `Ok(None)` when it is well-formed but of a kind that is not used here.
pub(super) fn decode(text: &str) -> Result<Option<PublicKey>, DidError> {
    let malformed = || DidError::malformed("multibase key");
    if text.len() > MAX_TEXT_BYTES {
        return Err(malformed());
    }
    let base58 = text.strip_prefix('z').ok_or_else(malformed)?;
    let bytes = bs58::decode(base58).into_vec().map_err(|_| malformed())?;
    let (codec, key) = bytes.split_first_chunk::<2>().ok_or_else(malformed)?;
    let kind = match *codec {
        ED25519 => PublicKey::Ed25519,
        X25519 => PublicKey::X25519,
        other if UNUSED.contains(&(other, key.len())) => return Ok(None),
        _ => return Err(malformed()),
    };
    key.try_into().map(|key| Some(kind(key))).map_err(|_| malformed())
}
