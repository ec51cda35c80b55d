//! did:key: an identifier that is one public key.
//!
//! The did:key method, draft 0.9. An Ed25519 key authenticates; an X25519 key agrees on keys. The option of that draft
//! to derive an X25519 key from an Ed25519 one is refused: a key that signs for an identity is never used to decrypt,
//! and two implementations that disagree on the option would disagree on who can read a message.

use super::multikey;
use super::{DidDocument, DidError, PublicKey, VerificationMethod};

pub(super) const PREFIX: &str = "did:key:";

/// Returns the did:key of an Ed25519 public key.
pub fn encode_ed25519(public: &[u8; 32]) -> String {
    format!("{PREFIX}{}", multikey::encode(&PublicKey::Ed25519(*public)))
}

/// Returns the Ed25519 public key of a did:key.
///
/// # Errors
/// [`DidError::Malformed`] when `did` is not a did:key, or is one of another kind of key.
pub fn decode_ed25519(did: &str) -> Result<[u8; 32], DidError> {
    match decode(did)? {
        Some((_, PublicKey::Ed25519(key))) => Ok(key),
        _ => Err(DidError::malformed("not an Ed25519 did:key")),
    }
}

/// Returns the DID URL of the only verification method of a did:key.
pub(crate) fn kid(did: &str) -> String {
    format!("{did}#{}", did.strip_prefix(PREFIX).unwrap_or_default())
}

pub(super) fn resolve(did: &str) -> Result<DidDocument, DidError> {
    let (multibase, key) = decode(did)?.ok_or(DidError::malformed("unknown kind of key"))?;
    let id = format!("{did}#{multibase}");
    let mut document = DidDocument::new(did);
    match key {
        PublicKey::Ed25519(_) => document.authentication.push(id.clone()),
        PublicKey::X25519(_) => document.key_agreement.push(id.clone()),
    }
    document.verification_methods.push(VerificationMethod { id, alias: None, key });
    Ok(document)
}

fn decode(did: &str) -> Result<Option<(&str, PublicKey)>, DidError> {
    let multibase = did.strip_prefix(PREFIX).ok_or(DidError::malformed("not a did:key"))?;
    Ok(multikey::decode(multibase)?.map(|key| (multibase, key)))
}

#[cfg(test)]
mod tests {
    use super::{decode_ed25519, encode_ed25519, kid};
    use crate::did::{DidError, resolve_offline};

    // The multibase of the did:key draft's first Ed25519 example and of the did:peer example keys.
    const ED25519: &str = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    const X25519: &str = "did:key:z6LSg8zQom395jKLrGiBNruB9MM6V8PWuf2FpEy4uRFiqQBR";

    /// Decides CN-01.
    #[test]
    fn resolves_an_ed25519_key_for_authentication_only() {
        let document = resolve_offline(ED25519).unwrap();
        let public = decode_ed25519(ED25519).unwrap();
        assert_eq!(encode_ed25519(&public), ED25519);
        assert_eq!(document.authentication, [kid(ED25519)]);
        assert_eq!(document.ed25519(&kid(ED25519)), Some(public));
        assert_eq!(document.key_agreement_kids().count(), 0);
    }

    #[test]
    fn resolves_an_x25519_key_for_key_agreement_only() {
        let document = resolve_offline(X25519).unwrap();
        assert_eq!(document.key_agreement_kids().collect::<Vec<_>>(), [kid(X25519)]);
        assert!(document.x25519(&kid(X25519)).is_some());
        assert!(document.authentication.is_empty());
        assert!(decode_ed25519(X25519).is_err());
    }

    #[test]
    fn rejects_each_truncation_and_extension() {
        for end in 0..ED25519.len() {
            assert!(resolve_offline(&ED25519[..end]).is_err(), "{end}");
        }
        for tail in ["1", "#", " ", "0", "?x"] {
            assert!(resolve_offline(&format!("{ED25519}{tail}")).is_err(), "{tail}");
        }
    }

    #[test]
    fn rejects_other_kinds_and_bases() {
        for did in [
            "did:key:",
            "did:key:z",
            "did:key:f6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
            // P-256, from the did:key draft.
            "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
        ] {
            assert!(matches!(resolve_offline(did), Err(DidError::Malformed { .. })), "{did}");
        }
    }
}
