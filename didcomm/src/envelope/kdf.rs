//! From Diffie-Hellman results to the key that wraps the content key.
//!
//! RFC 7518 section 4.6.2 (Concat KDF of NIST SP 800-56A with SHA-256), draft-madden-jose-ecdh-1pu-04 section 2.3.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::did::PublicKey;
use crate::keys::Agree;

/// Bytes of a coordinate on the largest curve, P-521.
const MAX_FIELD_BYTES: usize = 66;

/// What enters the derivation besides the shared secrets.
pub(super) struct Context<'a> {
    /// The `alg` header.
    pub(super) alg: &'a str,
    /// PartyUInfo: the decoded `apu`, empty when absent.
    pub(super) apu: &'a [u8],
    /// PartyVInfo: the decoded `apv`.
    pub(super) apv: &'a [u8],
    /// The tag of the content under ECDH-1PU, which binds the wrapped key to the content.
    pub(super) cc_tag: Option<&'a [u8]>,
}

/// `Z` of ECDH-ES or ECDH-1PU: the ephemeral agreement, then the static one if there is one.
///
/// `None` when a public key is of low order, or of another curve than the private one.
pub(super) fn shared_secret(
    ephemeral: (&dyn Agree, &PublicKey),
    statics: Option<(&dyn Agree, &PublicKey)>,
) -> Option<Zeroizing<Vec<u8>>> {
    // Never grown, which would leave a copy behind.
    let mut z = Zeroizing::new(Vec::with_capacity(2 * MAX_FIELD_BYTES));
    z.extend_from_slice(&ephemeral.0.shared_secret(ephemeral.1)?);
    if let Some((secret, public)) = statics {
        z.extend_from_slice(&secret.shared_secret(public)?);
    }
    Some(z)
}

/// Derives `N` bytes, at most the 32 of one round of SHA-256.
pub(super) fn concat<const N: usize>(z: &[u8], context: &Context<'_>) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 32 && N > 0) };
    let mut hash = Sha256::new();
    hash.update(1_u32.to_be_bytes());
    hash.update(z);
    for field in [context.alg.as_bytes(), context.apu, context.apv] {
        hash.update(length(field.len()));
        hash.update(field);
    }
    hash.update(length(N * 8));
    if let Some(tag) = context.cc_tag {
        // With its length, as the draft's section 2.3 says and its appendix B shows; without it nobody understands us.
        hash.update(length(tag.len()));
        hash.update(tag);
    }
    let digest = Zeroizing::new(<[u8; 32]>::from(hash.finalize()));
    let mut key = Zeroizing::new([0; N]);
    key.copy_from_slice(digest.split_at(N).0);
    key
}

/// A length as 32 bits. Envelopes are far smaller than 4 GiB, so this never saturates.
fn length(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::{Context, concat};
    use crate::base64url;

    #[test]
    fn derives_the_key_of_rfc_7518_appendix_c() {
        let z = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163,
            218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
        ];
        let context = Context { alg: "A128GCM", apu: b"Alice", apv: b"Bob", cc_tag: None };
        assert_eq!(base64url::encode(concat::<16>(&z, &context)), "VqqN6vgjbSBcIijNcacQGg");
    }
}
