//! X25519 from RFC 7748, in one of two implementations of the curve.
//!
//! [`Portable`] is in every build that does not have the cargo feature `aws-lc`, `AwsLc` in those that do; which one it is
//! says the alias `Key`, and nothing outside of this module can tell. Both refuse a public key of low order (RFC 7748 section
//! 6.1) and take any other 32 bytes for one: the highest bit does not count, and coordinates from the field's prime on
//! stand for what is left of them.
//!
//! What a backend leaves in memory: nothing of a key that was dropped. Of one multiplication both may leave limbs on the stack,
//! below the frames that still run, until the next call overwrites them.

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(any(test, not(feature = "aws-lc")))]
mod portable;
#[cfg(test)]
mod tests;

use std::fmt;

use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

#[cfg(feature = "aws-lc")]
use aws_lc::AwsLc as Key;
#[cfg(not(feature = "aws-lc"))]
use portable::Portable as Key;

/// An X25519 private key: opens envelopes, and is the static key of sessions.
#[derive(ZeroizeOnDrop)]
pub struct X25519Secret(Key);

impl X25519Secret {
    /// Takes the 32-byte scalar of RFC 7748, clamped or not.
    pub fn from_bytes(scalar: [u8; 32]) -> Self {
        Self(Key::new(Zeroizing::new(scalar)))
    }

    /// Makes a new key from 32 bytes of `rng`.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut scalar = Zeroizing::new([0; 32]);
        rng.fill_bytes(scalar.as_mut());
        Self(Key::new(scalar))
    }

    /// Returns the public key, 32 bytes.
    pub fn public(&self) -> [u8; 32] {
        self.0.public()
    }

    /// Returns the scalar itself, for the code that stores it and for the session's handshake.
    pub fn expose_bytes(&self) -> &[u8; 32] {
        self.0.scalar()
    }

    /// Agrees with `theirs`; `None` when `theirs` is of low order, so that the result would not depend on our key.
    pub(crate) fn agree(&self, theirs: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
        self.0.agree(theirs)
    }
}

impl fmt::Debug for X25519Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("X25519Secret").finish_non_exhaustive()
    }
}

/// A private key in one implementation of the curve. It has no `Debug` and erases itself.
trait Scalar: ZeroizeOnDrop {
    /// Takes 32 bytes as they are; they are clamped where they multiply.
    fn new(scalar: Zeroizing<[u8; 32]>) -> Self;

    /// The bytes that it was made of.
    fn scalar(&self) -> &[u8; 32];

    /// The u-coordinate of the key times the base point.
    fn public(&self) -> [u8; 32];

    /// The u-coordinate of the key times the point `theirs`; `None` if it is zero.
    fn agree(&self, theirs: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>>;
}
