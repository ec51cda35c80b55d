//! Private keys of a DID, one type for each role, and the verification of signatures.
//!
//! Ed25519 from RFC 8032 (verified with the strict rules, so that one message has one valid signature per key and
//! small-order public keys are refused) and X25519 from RFC 7748; [`AgreementSecret`] and [`SigningSecret`] for all kinds of
//! keys that DIDComm names.
//!
//! A secret is wiped when it is dropped, has no `Clone`, and its `Debug` prints only the type's name. Not its concern:
//! which DID a key belongs to (`did`), where secrets are stored (the agent).

mod agreement;
mod jwk;
mod signing;
mod x25519;

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

pub use agreement::{Agree, AgreementSecret};
pub(crate) use signing::algorithm;
pub use signing::{Sign, SigningSecret, verify};
pub use x25519::X25519Secret;

/// An Ed25519 private key: signs for an identity or for the authentication of a DID.
#[derive(ZeroizeOnDrop)]
pub struct Ed25519Secret(SigningKey);

impl Ed25519Secret {
    /// Takes the 32-byte seed of RFC 8032.
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Makes a new key from `rng`.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self::from_bytes(&seed)
    }

    /// Returns the public key, 32 bytes.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs `message`; the signature is `R || S`, 64 bytes.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// Returns the seed itself, for the code that stores it.
    pub fn expose_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Ed25519Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ed25519Secret").finish_non_exhaustive()
    }
}

/// Verifies an Ed25519 signature with the strict rules.
///
/// `public` is a compressed point of 32 bytes, `signature` is `R || S`, 64 bytes.
///
/// # Errors
/// [`BadSignature`] when the key is not a point of large order, or did not sign `message`.
pub fn verify_ed25519(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
    VerifyingKey::from_bytes(public)
        .and_then(|key| key.verify_strict(message, &Signature::from_bytes(signature)))
        .map_err(|_| BadSignature)
}

/// The signature is not one by this key over this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

#[cfg(test)]
mod tests {
    use super::{BadSignature, Ed25519Secret, X25519Secret, verify_ed25519};

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        let bytes: Vec<u8> =
            (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect();
        bytes.try_into().unwrap()
    }

    #[test]
    fn signs_as_rfc_8032_7_1_test_2() {
        let secret = Ed25519Secret::from_bytes(&hex(
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        ));
        assert_eq!(secret.public(), hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"));
        let signature = secret.sign(&[0x72]);
        assert_eq!(
            signature,
            hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
        );
        assert_eq!(verify_ed25519(&secret.public(), &[0x72], &signature), Ok(()));
        assert_eq!(verify_ed25519(&secret.public(), &[0x73], &signature), Err(BadSignature));
    }

    #[test]
    fn refuses_the_identity_point_that_signs_everything() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert_eq!(verify_ed25519(&identity, b"anything", &signature), Err(BadSignature));
    }

    /// Decides SC-03.
    #[test]
    fn debug_prints_no_secret() {
        assert_eq!(format!("{:?}", Ed25519Secret::from_bytes(&[7; 32])), "Ed25519Secret { .. }");
        assert_eq!(format!("{:?}", X25519Secret::from_bytes([7; 32])), "X25519Secret { .. }");
    }
}
