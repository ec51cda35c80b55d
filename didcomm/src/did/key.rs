//! did:key: an identifier that is one public key.
//!
//! The did:key method, draft 0.9. An Ed25519 key authenticates; an X25519 key agrees on keys. The option of that draft
//! to derive an X25519 key from an Ed25519 one is refused: a key that signs for an identity is never used to decrypt,
//! and two implementations that disagree on the option would disagree on who can read a message.

use super::multikey;
use super::{DidDocument, DidError, PublicKey, VerificationMethod};

/// What every did:key begins with.
pub const PREFIX: &str = "did:key:";

/// Returns the did:key of an Ed25519 public key.
pub fn encode_ed25519(public: &[u8; 32]) -> String {
    encode(&PublicKey::Ed25519(*public))
}

/// Returns the did:key of a public key of any kind.
///
/// ```
/// use didagent_didcomm::did::{PublicKey, key, resolve_offline};
/// let did = key::encode(&PublicKey::X25519([9; 32]));
/// assert_eq!(resolve_offline(&did).unwrap().key_agreement_kids().count(), 1);
/// ```
pub fn encode(public: &PublicKey) -> String {
    format!("{PREFIX}{}", multikey::encode(public))
}

/// Returns the Ed25519 public key of a did:key.
///
/// # Errors
/// [`DidError::Malformed`] when `did` is not a did:key, or is one of another kind of key.
pub fn decode_ed25519(did: &str) -> Result<[u8; 32], DidError> {
    match decode(did)? {
        (_, PublicKey::Ed25519(key)) => Ok(key),
        _ => Err(DidError::malformed("not an Ed25519 did:key")),
    }
}

/// Returns the DID URL of the only verification method of a did:key.
pub fn kid(did: &str) -> String {
    format!("{did}#{}", did.strip_prefix(PREFIX).unwrap_or_default())
}

pub(super) fn resolve(did: &str) -> Result<DidDocument, DidError> {
    let (multibase, key) = decode(did)?;
    let id = format!("{did}#{multibase}");
    let mut document = DidDocument::new(did);
    document.list_for_all_uses(&id, &key);
    document.verification_methods.push(VerificationMethod { id, alias: None, key });
    Ok(document)
}

fn decode(did: &str) -> Result<(&str, PublicKey), DidError> {
    let multibase = did.strip_prefix(PREFIX).ok_or(DidError::malformed("not a did:key"))?;
    Ok((multibase, multikey::decode(multibase)?))
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

    /// Decides CN-60.
    #[test]
    fn resolves_points_for_what_they_are_used_for() {
        // From the did:key draft: P-256, P-384, P-521, secp256k1.
        for (did, agrees, authenticates) in [
            ("did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169", 1, 1),
            ("did:key:z82Lm1MpAkeJcix9K8TMiLd5NMAhnwkjjCBeWHXyu3U4oT2MVJJKXkcVBgjGhnLBn2Kaau9", 1, 0),
            (
                "did:key:z2J9gaYxrKVpdoG9A4gRnmpnRCcxU6agDtFVVBVdn1JedouoZN7SzcyREXXzWgt3gGiwpoHq7K68X4m32D8HgzG8wv3sY5j7",
                1,
                0,
            ),
            ("did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme", 0, 1),
        ] {
            let document = resolve_offline(did).unwrap();
            assert_eq!(document.key_agreement.len(), agrees, "{did}");
            assert_eq!(document.authentication.len(), authenticates, "{did}");
        }
        // No point of the curve has this x: its square root does not exist.
        let off = (0..=u8::MAX).map(|x| [[2; 32].as_slice(), &[x]].concat().try_into().unwrap());
        let off = off.map(|point| crate::did::multikey::encode(&crate::did::PublicKey::P256(point)));
        let resolved = off.filter(|key| resolve_offline(&format!("did:key:{key}")).is_ok()).count();
        assert!((64..192).contains(&resolved), "half of all x, not {resolved}");
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
        for did in ["did:key:", "did:key:z", "did:key:f6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"] {
            assert!(matches!(resolve_offline(did), Err(DidError::Malformed { .. })), "{did}");
        }
    }
}
