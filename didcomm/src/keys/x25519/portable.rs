//! The portable backend: curve25519-dalek, in Rust.

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::Scalar;

/// A key of `x25519-dalek`.
#[derive(ZeroizeOnDrop)]
pub(super) struct Portable(StaticSecret);

impl Scalar for Portable {
    fn new(scalar: Zeroizing<[u8; 32]>) -> Self {
        Self(StaticSecret::from(*scalar))
    }

    fn scalar(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    fn public(&self) -> [u8; 32] {
        PublicKey::from(&self.0).to_bytes()
    }

    fn agree(&self, theirs: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
        let shared = self.0.diffie_hellman(&PublicKey::from(*theirs));
        shared.was_contributory().then(|| Zeroizing::new(shared.to_bytes()))
    }
}
