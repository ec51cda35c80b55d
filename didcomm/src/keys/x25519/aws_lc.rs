//! The fast backend: s2n-bignum's assembly through AWS-LC, twice as fast where it has any (decision record 0009).
//!
//! Only the curve is used: keys come from the caller, so the library's own generator never runs.

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::Scalar;

/// A key that AWS-LC holds, with its public key, and the bytes that it was made of.
pub(super) struct AwsLc {
    scalar: Zeroizing<[u8; 32]>,
    imported: PrivateKey,
    public: [u8; 32],
}

/// `PrivateKey` frees an `EVP_PKEY` when it is dropped. `EVP_PKEY_free` (crypto/fipsmodule/evp/evp.c) calls `x25519_free`
/// (crypto/evp_extra/p_x25519_asn1.c), that `OPENSSL_free` (crypto/mem.c), and it cleanses an allocation before it goes
/// back; the copies of the scalar that a multiplication makes are cleansed too (crypto/fipsmodule/curve25519/
/// curve25519_s2n_bignum_asm.c). The key is never cloned, so its count of references is one.
impl ZeroizeOnDrop for AwsLc {}

impl Scalar for AwsLc {
    #[expect(clippy::expect_used, reason = "32 bytes are a key; else only memory can be missing")]
    fn new(scalar: Zeroizing<[u8; 32]>) -> Self {
        let imported = PrivateKey::from_private_key(&X25519, scalar.as_slice()).expect("memory for a key");
        // It was computed by the import. This one copies it, and holds the key for as long as it takes.
        let public = imported.compute_public_key().ok();
        let public = public.and_then(|public| public.as_ref().try_into().ok()).expect("a public key");
        Self { scalar, imported, public }
    }

    fn scalar(&self) -> &[u8; 32] {
        &self.scalar
    }

    fn public(&self) -> [u8; 32] {
        self.public
    }

    fn agree(&self, theirs: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
        // Refuses a result of zero, as RFC 7748 section 6.1 allows: X25519() in crypto/fipsmodule/curve25519/curve25519.c.
        agree(&self.imported, UnparsedPublicKey::new(&X25519, theirs), (), |shared| {
            shared.try_into().map(Zeroizing::new).map_err(|_| ())
        })
        .ok()
    }
}
