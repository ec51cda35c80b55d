//! X25519 keys of the two parties (RFC 7748).

use std::fmt;

use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// A party's static X25519 secret. Erased on drop; it cannot be cloned, compared or printed.
pub struct StaticSecret {
    secret: x25519_dalek::StaticSecret,
    public: StaticPublic,
}

impl StaticSecret {
    /// Takes the 32 bytes of an X25519 secret (RFC 7748, clamped when used). The caller erases its own copy.
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let secret = x25519_dalek::StaticSecret::from(bytes);
        bytes.zeroize();
        let public = StaticPublic(x25519_dalek::PublicKey::from(&secret).to_bytes());
        Self { secret, public }
    }

    /// The public key that belongs to this secret.
    pub fn public(&self) -> StaticPublic {
        self.public
    }

    /// A second copy, for a handshake that outlives the caller's borrow.
    pub(crate) fn duplicate(&self) -> Self {
        Self { secret: self.secret.clone(), public: self.public }
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn bytes(&self) -> [u8; 32] {
        self.secret.to_bytes()
    }

    /// A fresh ephemeral secret.
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *bytes);
        Self::from_bytes(*bytes)
    }

    /// The shared secret with `remote`.
    ///
    /// # Errors
    /// [`NonContributory`] for a low-order point: the result would be the same for every secret.
    pub(crate) fn diffie_hellman(
        &self,
        remote: &StaticPublic,
    ) -> Result<Zeroizing<[u8; 32]>, NonContributory> {
        let shared = self.secret.diffie_hellman(&x25519_dalek::PublicKey::from(remote.0));
        if shared.was_contributory() { Ok(Zeroizing::new(shared.to_bytes())) } else { Err(NonContributory) }
    }
}

impl zeroize::ZeroizeOnDrop for StaticSecret {}

impl fmt::Debug for StaticSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticSecret").finish_non_exhaustive()
    }
}

/// A party's X25519 public key, as it stands in its DID document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StaticPublic([u8; 32]);

impl StaticPublic {
    /// Takes the 32 bytes of an X25519 public key (RFC 7748, little-endian u-coordinate).
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both encode the same point; RFC 7748 gives some points several encodings.
    pub(crate) fn is_same_point(&self, other: &Self) -> bool {
        x25519_dalek::PublicKey::from(self.0) == x25519_dalek::PublicKey::from(other.0)
    }
}

/// A Diffie-Hellman result that does not depend on our secret.
#[derive(Debug, Error)]
#[error("non-contributory key exchange")]
pub(crate) struct NonContributory;

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> [u8; 32] {
        let bytes: Vec<u8> =
            (0..64).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect();
        bytes.try_into().unwrap()
    }

    #[test]
    fn agrees_with_rfc_7748_section_6_1() {
        let alice =
            StaticSecret::from_bytes(hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
        let bob =
            StaticSecret::from_bytes(hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
        let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!(
            alice.public().as_bytes(),
            &hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
        );
        assert_eq!(
            bob.public().as_bytes(),
            &hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        );
        assert_eq!(*alice.diffie_hellman(&bob.public()).unwrap(), shared);
        assert_eq!(*bob.diffie_hellman(&alice.public()).unwrap(), shared);
    }

    #[test]
    fn refuses_low_order_points() {
        let secret = StaticSecret::from_bytes([9; 32]);
        let mut one = [0; 32];
        one[0] = 1;
        for point in [[0; 32], one] {
            assert!(secret.diffie_hellman(&StaticPublic::from_bytes(point)).is_err());
        }
    }

    #[test]
    fn another_encoding_of_a_point_is_the_same_point() {
        let public = StaticSecret::from_bytes([9; 32]).public();
        let mut high_bit = *public.as_bytes();
        high_bit[31] |= 0x80;
        let alias = StaticPublic::from_bytes(high_bit);
        assert_ne!(alias, public);
        assert!(alias.is_same_point(&public));
    }

    #[test]
    fn debug_shows_no_byte_and_the_secret_is_erased() {
        fn erases<T: zeroize::ZeroizeOnDrop>() {}
        erases::<StaticSecret>();
        assert_eq!(format!("{:?}", StaticSecret::from_bytes([7; 32])), "StaticSecret { .. }");
    }
}
