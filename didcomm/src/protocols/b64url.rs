//! base64url members of bodies: written without padding, read with or without it (`spec/0-names.md`, section 0.3).

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base64url;

/// Encodes bytes as base64url without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    base64url::encode(bytes)
}

/// Decodes base64url with or without padding; `None` for other characters, a wrong length, or stray bits at the end.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    base64url::decode(text)
}

/// `serde(with)` for a byte string of any length.
pub(super) mod bytes {
    use super::*;

    pub(in crate::protocols) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&encode(bytes))
    }

    pub(in crate::protocols) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        decode(&text).ok_or_else(|| D::Error::custom("not base64url"))
    }
}

/// 32 bytes that are no secret, such as a SHA-256 value; base64url in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest32(pub [u8; 32]);

impl std::fmt::Debug for Digest32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest32({})", encode(self.0))
    }
}

impl Serialize for Digest32 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        bytes::serialize(&self.0, to)
    }
}

impl<'de> Deserialize<'de> for Digest32 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = bytes::deserialize(from)?;
        <[u8; 32]>::try_from(bytes).map(Self).map_err(|_| D::Error::custom("not 32 bytes"))
    }
}
