//! Public keys as text: multibase `z` (base58btc) over multicodec.
//!
//! Controlled Identifiers 1.0, "Multikey"; the multicodec table for the prefixes, which are unsigned varints.

use super::public_key::CurveOfPoints;
use super::{DidError, KeyError, PublicKey};

/// Longest text that is decoded, in bytes. A P-521 key takes 97; base58 costs quadratic time.
const MAX_TEXT_BYTES: usize = 128;
/// `ed25519-pub`, 0xed as a varint.
const ED25519: [u8; 2] = [0xed, 0x01];
/// `x25519-pub`, 0xec as a varint.
const X25519: [u8; 2] = [0xec, 0x01];
/// `secp256k1-pub`, 0xe7.
const SECP256K1: [u8; 2] = [0xe7, 0x01];
/// `p256-pub`, 0x1200.
const P256: [u8; 2] = [0x80, 0x24];
/// `p384-pub`, 0x1201.
const P384: [u8; 2] = [0x81, 0x24];
/// `p521-pub`, 0x1202.
const P521: [u8; 2] = [0x82, 0x24];

pub(super) fn encode(key: &PublicKey) -> String {
    let codec = match key {
        PublicKey::Ed25519(_) => ED25519,
        PublicKey::X25519(_) => X25519,
        PublicKey::Secp256k1(_) => SECP256K1,
        PublicKey::P256(_) => P256,
        PublicKey::P384(_) => P384,
        PublicKey::P521(_) => P521,
    };
    format!("z{}", bs58::encode([codec.as_slice(), key.as_bytes()].concat()).into_string())
}

/// Decodes a key. A kind that DIDComm does not use is taken for damage rather than for a kind of the future.
pub(super) fn decode(text: &str) -> Result<PublicKey, DidError> {
    read(text).map_err(|_| DidError::malformed("multibase key"))
}

/// Decodes a key of a document, where other kinds and bases are legal.
pub(super) fn read(text: &str) -> Result<PublicKey, KeyError> {
    let base58 = text.strip_prefix('z').ok_or(KeyError::Unsupported)?;
    if text.len() > MAX_TEXT_BYTES {
        return Err(KeyError::Unsupported);
    }
    let bytes = decode_base58(base58).ok_or(KeyError::Malformed)?;
    let (codec, key) = bytes.split_first_chunk::<2>().ok_or(KeyError::Malformed)?;
    let array = || key.try_into().map_err(|_| KeyError::Malformed);
    let point = |curve, length| {
        // Nobody writes the uncompressed form, and one key has one spelling.
        if key.len() == length { PublicKey::from_point(curve, key) } else { Err(KeyError::Malformed) }
    };
    match *codec {
        ED25519 => array().map(PublicKey::Ed25519),
        X25519 => array().map(PublicKey::X25519),
        SECP256K1 => point(CurveOfPoints::Secp256k1, 33),
        P256 => point(CurveOfPoints::P256, 33),
        P384 => point(CurveOfPoints::P384, 49),
        P521 => point(CurveOfPoints::P521, 67),
        _ => Err(KeyError::Unsupported),
    }
}

/// Decodes base58btc of a key, without multibase's `z`.
pub(super) fn decode_base58(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    bs58::decode(text).into_vec().ok()
}
