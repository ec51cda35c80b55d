//! Private keys that sign, and the verification of signatures by kind of key.
//!
//! EdDSA with Ed25519 from RFC 8037 (the strict rules, as everywhere here), ES256 from RFC 7518 section 3.4, ES256K from RFC
//! 8812 section 3.2. ECDSA is deterministic (RFC 6979), so that no bad random number gives a key away.

use std::fmt;

use ed25519_dalek::Signer as _;
use k256::ecdsa::signature::Verifier as _;
use p256::elliptic_curve::Generate as _;
use rand_core::CryptoRng;
use serde_json::{Map, Value};
use zeroize::ZeroizeOnDrop;

use super::jwk::private_scalar;
use super::{BadSignature, Ed25519Secret, verify_ed25519};
use crate::did::{KeyError, PublicKey};

/// A private key that signs, wherever the key is kept.
pub trait Sign {
    /// Returns its public key.
    fn public_key(&self) -> PublicKey;

    /// Signs `message`; the signature is 64 bytes, `R || S`.
    ///
    /// # Errors
    /// [`BadSignature`] when the key cannot sign.
    fn signature(&self, message: &[u8]) -> Result<[u8; 64], BadSignature>;
}

impl Sign for Ed25519Secret {
    fn public_key(&self) -> PublicKey {
        PublicKey::Ed25519(self.public())
    }

    fn signature(&self, message: &[u8]) -> Result<[u8; 64], BadSignature> {
        Ok(self.sign(message))
    }
}

/// A private key of any kind that signs messages.
#[derive(ZeroizeOnDrop)]
pub struct SigningSecret(Kind);

#[derive(ZeroizeOnDrop)]
enum Kind {
    Ed25519(Ed25519Secret),
    P256(p256::ecdsa::SigningKey),
    Secp256k1(k256::ecdsa::SigningKey),
}

impl SigningSecret {
    /// Makes a new key of the kind of `public`, which is a key that verifies.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] when keys of that kind do not sign.
    pub fn generate_like<R: CryptoRng + ?Sized>(public: &PublicKey, rng: &mut R) -> Result<Self, KeyError> {
        Ok(Self(match public {
            PublicKey::Ed25519(_) => Kind::Ed25519(Ed25519Secret::generate(rng)),
            PublicKey::P256(_) => Kind::P256(p256::ecdsa::SigningKey::generate_from_rng(rng)),
            PublicKey::Secp256k1(_) => Kind::Secp256k1(k256::ecdsa::SigningKey::generate_from_rng(rng)),
            PublicKey::X25519(_) | PublicKey::P384(_) | PublicKey::P521(_) => {
                return Err(KeyError::Unsupported);
            }
        }))
    }

    /// Reads a private JWK.
    ///
    /// # Errors
    /// A [`KeyError`]; [`KeyError::Malformed`] also when the public part is that of another key.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, KeyError> {
        let public = PublicKey::from_jwk(jwk)?;
        let secret = Self(match public {
            PublicKey::Ed25519(_) => Kind::Ed25519(Ed25519Secret::from_bytes(&*private_scalar::<32>(jwk)?)),
            PublicKey::P256(_) => {
                let scalar = private_scalar::<32>(jwk)?;
                let key = p256::ecdsa::SigningKey::from_slice(scalar.as_slice());
                Kind::P256(key.map_err(|_| KeyError::Malformed)?)
            }
            PublicKey::Secp256k1(_) => {
                let scalar = private_scalar::<32>(jwk)?;
                let key = k256::ecdsa::SigningKey::from_slice(scalar.as_slice());
                Kind::Secp256k1(key.map_err(|_| KeyError::Malformed)?)
            }
            PublicKey::X25519(_) | PublicKey::P384(_) | PublicKey::P521(_) => {
                return Err(KeyError::Unsupported);
            }
        });
        if secret.public_key() == public { Ok(secret) } else { Err(KeyError::Malformed) }
    }
}

impl From<Ed25519Secret> for SigningSecret {
    fn from(secret: Ed25519Secret) -> Self {
        Self(Kind::Ed25519(secret))
    }
}

impl Sign for SigningSecret {
    #[expect(clippy::expect_used, reason = "a compressed point of these curves has 33 bytes")]
    fn public_key(&self) -> PublicKey {
        match &self.0 {
            Kind::Ed25519(secret) => secret.public_key(),
            Kind::P256(secret) => {
                let point = secret.verifying_key().to_sec1_point(true);
                PublicKey::P256(point.as_bytes().try_into().expect("33 bytes"))
            }
            Kind::Secp256k1(secret) => {
                let point = secret.verifying_key().to_sec1_point(true);
                PublicKey::Secp256k1(point.as_bytes().try_into().expect("33 bytes"))
            }
        }
    }

    fn signature(&self, message: &[u8]) -> Result<[u8; 64], BadSignature> {
        match &self.0 {
            Kind::Ed25519(secret) => secret.signature(message),
            Kind::P256(secret) => {
                let signature: p256::ecdsa::Signature = secret.try_sign(message).map_err(|_| BadSignature)?;
                Ok(signature.to_bytes().into())
            }
            Kind::Secp256k1(secret) => {
                let signature: k256::ecdsa::Signature = secret.try_sign(message).map_err(|_| BadSignature)?;
                Ok(signature.to_bytes().into())
            }
        }
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningSecret").finish_non_exhaustive()
    }
}

/// The `alg` header of signatures by a kind of key (RFC 8037, 7518, 8812); `None` for a kind that does not sign.
pub(crate) const fn algorithm(public: &PublicKey) -> Option<&'static str> {
    match public {
        PublicKey::Ed25519(_) => Some("EdDSA"),
        PublicKey::P256(_) => Some("ES256"),
        PublicKey::Secp256k1(_) => Some("ES256K"),
        PublicKey::X25519(_) | PublicKey::P384(_) | PublicKey::P521(_) => None,
    }
}

/// Verifies a signature of 64 bytes, `R || S`, with the algorithm of its kind of key.
///
/// # Errors
/// [`BadSignature`] when the key does not sign, or did not sign `message`.
pub fn verify(public: &PublicKey, message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
    match public {
        PublicKey::Ed25519(public) => verify_ed25519(public, message, signature),
        PublicKey::P256(point) => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_| BadSignature)?;
            let signature = p256::ecdsa::Signature::from_slice(signature).map_err(|_| BadSignature)?;
            key.verify(message, &signature).map_err(|_| BadSignature)
        }
        PublicKey::Secp256k1(point) => {
            let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_| BadSignature)?;
            let signature = k256::ecdsa::Signature::from_slice(signature).map_err(|_| BadSignature)?;
            // RFC 8812 takes both values of S, and other software writes the larger one; the library alone would not.
            key.verify(message, &signature.normalize_s()).map_err(|_| BadSignature)
        }
        PublicKey::X25519(_) | PublicKey::P384(_) | PublicKey::P521(_) => Err(BadSignature),
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    fn appendix() -> Vec<Map<String, Value>> {
        let text = include_str!("../../../spec/vectors/didcomm/appendix-keys.json");
        let keys: Value = serde_json::from_str(text).unwrap();
        keys["keys"].as_array().unwrap().iter().map(|key| key.as_object().unwrap().clone()).collect()
    }

    fn secrets() -> Vec<SigningSecret> {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        appendix()
            .iter()
            .filter(|jwk| {
                jwk["kid"].as_str().unwrap().contains("#key-") && jwk["kid"].as_str().unwrap().len() < 25
            })
            .map(|jwk| {
                assert!(SigningSecret::from_jwk(jwk).is_ok());
                SigningSecret::generate_like(&PublicKey::from_jwk(jwk).unwrap(), &mut rng).unwrap()
            })
            .collect()
    }

    #[test]
    fn each_kind_signs_and_no_other_key_or_message_verifies() {
        let secrets = secrets();
        let algorithms: Vec<_> =
            secrets.iter().map(|secret| algorithm(&secret.public_key()).unwrap()).collect();
        assert_eq!(algorithms, ["EdDSA", "ES256", "ES256K"]);
        for secret in &secrets {
            let public = secret.public_key();
            let signature = secret.signature(b"message").unwrap();
            assert_eq!(verify(&public, b"message", &signature), Ok(()));
            assert_eq!(verify(&public, b"massage", &signature), Err(BadSignature));
            for byte in [0, 31, 32, 63] {
                let mut altered = signature;
                altered[byte] ^= 1;
                assert_eq!(verify(&public, b"message", &altered), Err(BadSignature));
            }
            assert_eq!(verify(&public, b"message", &[0; 64]), Err(BadSignature));
            for other in secrets.iter().filter(|other| other.public_key() != public) {
                assert_eq!(verify(&other.public_key(), b"message", &signature), Err(BadSignature));
            }
            assert_eq!(format!("{secret:?}"), "SigningSecret { .. }");
        }
    }

    #[test]
    fn es256k_takes_both_values_of_s() {
        let secrets = secrets();
        let secret = secrets.last().unwrap();
        let signature = secret.signature(b"message").unwrap();
        let low = k256::ecdsa::Signature::from_slice(&signature).unwrap();
        let high = k256::ecdsa::Signature::from_scalars(low.r(), -low.s()).unwrap();
        assert_ne!(low, high);
        assert_eq!(verify(&secret.public_key(), b"message", &high.to_bytes().into()), Ok(()));
    }

    #[test]
    fn keys_that_agree_do_not_sign() {
        for jwk in appendix().iter().filter(|jwk| jwk["crv"] == "X25519" || jwk["crv"] == "P-521") {
            assert!(matches!(SigningSecret::from_jwk(jwk), Err(KeyError::Unsupported)));
            let public = PublicKey::from_jwk(jwk).unwrap();
            assert!(SigningSecret::generate_like(&public, &mut ChaCha20Rng::seed_from_u64(1)).is_err());
            assert_eq!(verify(&public, b"", &[1; 64]), Err(BadSignature));
            assert_eq!(algorithm(&public), None);
        }
    }
}
