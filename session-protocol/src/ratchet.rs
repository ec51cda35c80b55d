//! The symmetric ratchet: one message key per record. Specification: `spec/session.md`, section 6.
//!
//! `mk_n = HMAC-SHA256(ck_n, 0x01)`, `ck_{n+1} = HMAC-SHA256(ck_n, 0x02)`. Whoever takes the state learns nothing about
//! records already processed, because `ck_n` is gone once `ck_{n+1}` replaced it.
//!
//! The HMAC implementation leaves the padded key block on the stack; our own buffers are erased.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroize;

use crate::{labels, secret::secret};

secret! {
    /// `ck_n`: the state of one direction's chain.
    ChainKey
}

secret! {
    /// `mk_n`: the AEAD key of one record.
    MessageKey
}

impl ChainKey {
    /// One step: the key of the next record and the chain after it. `self` stays valid until the caller replaces it, so a
    /// record that does not authenticate costs nothing.
    pub(crate) fn step(&self) -> (MessageKey, ChainKey) {
        let keyed = keyed(self.expose());
        let message = MessageKey::take(&mut output(keyed.clone(), labels::STEP_MESSAGE));
        let next = ChainKey::take(&mut output(keyed, labels::STEP_CHAIN));
        (message, next)
    }
}

/// HMAC with its key block processed once, for both outputs of a step.
fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC is defined for keys of every length")]
    Hmac::new_from_slice(key).expect("HMAC takes any key length")
}

fn output(mut hmac: Hmac<Sha256>, input: &[u8]) -> [u8; 32] {
    hmac.update(input);
    let mut tag = hmac.finalize().into_bytes();
    let bytes = tag.into();
    tag.as_mut_slice().zeroize();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2, through the same two functions.
    #[test]
    fn hmac_agrees_with_rfc_4231() {
        let mut hmac: Hmac<Sha256> = Hmac::new_from_slice(b"Jefe").unwrap();
        hmac.update(b"what do ya want ");
        let tag = output(hmac, b"for nothing?");
        assert_eq!(tag[..8], [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]);
        assert_eq!(tag[24..], [0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43]);
    }

    /// Decides SE-12.
    #[test]
    fn a_step_leaves_its_chain_key_and_gives_two_unrelated_keys() {
        let chain = ChainKey::take(&mut [3; 32]);
        let (message, next) = chain.step();
        let (again, next_again) = chain.step();
        assert_eq!(message.expose(), again.expose());
        assert_eq!(next.expose(), next_again.expose());
        assert_ne!(message.expose(), next.expose());
        assert_ne!(next.expose(), chain.expose());
    }
}
