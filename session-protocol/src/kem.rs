//! ML-KEM-768 (FIPS 203) of the hybrid suites. Specification: `spec/handshake.md`, section 3, tokens `e1` and `ekem1`.
//!
//! The pure Rust crate `ml-kem` computes in every build; decision record 0007 says why. Randomness is an argument, as
//! everywhere here: 64 bytes `d || z` make a pair, 32 bytes `m` an encapsulation.
//!
//! What the backend leaves in memory: it erases its decapsulation key, which lives on the heap; copies of `m` and of the shared
//! secret that its functions made on the stack are not erased.

use ml_kem::ml_kem_768;
use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::{noise::NoiseError, secret::secret};

/// Bytes of an encapsulation key.
pub(crate) const KEY_LEN: usize = 1184;
/// Bytes of a ciphertext.
pub(crate) const CIPHERTEXT_LEN: usize = 1088;

secret! {
    /// What an encapsulation shares.
    SharedSecret
}

/// The ephemeral pair of token `e1`, at the initiator. Erased on drop.
pub(crate) struct DecapsulationKey(ml_kem_768::DecapsulationKey);

impl DecapsulationKey {
    /// A fresh pair from 64 bytes of `rng`, which are `d || z`.
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = ml_kem::Seed::default();
        rng.fill_bytes(&mut seed);
        let key = Self(ml_kem_768::DecapsulationKey::from_seed(seed));
        seed.zeroize();
        key
    }

    /// The encapsulation key, encoded.
    pub(crate) fn public(&self) -> [u8; KEY_LEN] {
        use ml_kem::KeyExport as _;
        self.0.encapsulation_key().to_bytes().into()
    }

    /// The secret in `ciphertext`. A ciphertext that nobody made for this key yields a secret that nobody else has.
    pub(crate) fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT_LEN]) -> SharedSecret {
        use ml_kem::Decapsulate as _;
        let mut shared = self.0.decapsulate(&(*ciphertext).into());
        take(&mut shared)
    }
}

impl zeroize::ZeroizeOnDrop for DecapsulationKey {}

/// The key of token `e1`, at the responder, after the check of FIPS 203 section 7.2.
pub(crate) struct EncapsulationKey(ml_kem_768::EncapsulationKey);

impl EncapsulationKey {
    /// Decodes and checks a key (HS-14).
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, NoiseError> {
        let bytes = bytes.try_into().map_err(|_| NoiseError)?;
        ml_kem_768::EncapsulationKey::new(bytes).map(Self).map_err(|_| NoiseError)
    }

    /// A ciphertext for the holder of the pair, and the secret in it, from 32 bytes of `rng`, which are `m`.
    pub(crate) fn encapsulate(&self, rng: &mut impl CryptoRng) -> ([u8; CIPHERTEXT_LEN], SharedSecret) {
        let mut m = Zeroizing::new(ml_kem::B32::default());
        rng.fill_bytes(&mut m);
        let (ciphertext, mut shared) = self.0.encapsulate_deterministic(&m);
        (ciphertext.into(), take(&mut shared))
    }
}

fn take(shared: &mut ml_kem::kem::SharedKey<ml_kem::MlKem768>) -> SharedSecret {
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(shared);
    shared.zeroize();
    SharedSecret::take(&mut bytes)
}

#[cfg(test)]
mod tests;
