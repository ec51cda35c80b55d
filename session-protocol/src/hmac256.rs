//! HMAC-SHA256 (RFC 2104) under one key of 32 bytes for several short messages. Specification: `spec/session.md`, section 6.
//!
//! Two blocks are hashed for the key and two for each message of up to 55 bytes. The `hmac` crate hashes the same blocks, and
//! around them fills and erases a buffer for each; here that took as long as the hashing again. Only the compression
//! function is called, from `sha2`: its choice of instructions holds here too.
//!
//! Every block and state that depends on the key is erased.

use sha2::block_api::compress256;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// FIPS 180-4, section 5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The key, as the two states that its padded block leads to.
#[derive(zeroize::ZeroizeOnDrop)]
pub(crate) struct HmacKey {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl HmacKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let (mut inner, mut outer) = (INITIAL, INITIAL);
        let mut block = Zeroizing::new([0x36; BLOCK]);
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        compress256(&mut inner, std::slice::from_ref(&block));
        block.iter_mut().for_each(|byte| *byte ^= 0x36 ^ 0x5c);
        compress256(&mut outer, std::slice::from_ref(&block));
        Self { inner, outer }
    }

    /// The MAC of `label || message`. A label is shorter than a block.
    pub(crate) fn mac(&self, label: &[u8], message: &[u8]) -> Zeroizing<[u8; 32]> {
        debug_assert!(label.len() < BLOCK);
        let mut state = Zeroizing::new(self.inner);
        absorb(&mut state, label, message);
        let inner = digest(&state);
        *state = self.outer;
        absorb(&mut state, &[], inner.as_slice());
        digest(&state)
    }
}

/// Hashes `label || message` to its end, where one block was hashed before.
fn absorb(state: &mut [u32; 8], label: &[u8], message: &[u8]) {
    let mut block = Zeroizing::new([0; BLOCK]);
    let (start, room) = block.split_at_mut(label.len().min(BLOCK));
    start.copy_from_slice(label.get(..start.len()).unwrap_or_default());
    let (head, rest) = message.split_at(message.len().min(room.len()));
    room.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
    let mut used = start.len().saturating_add(head.len());
    if used == BLOCK {
        compress256(state, std::slice::from_ref(&block));
        let (whole, tail) = rest.as_chunks();
        compress256(state, whole);
        block.zeroize();
        block.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
        used = tail.len();
    }
    // FIPS 180-4, section 5.1.1: one bit, zeros, and the length in bits at the end of a block.
    block.iter_mut().skip(used).take(1).for_each(|byte| *byte = 0x80);
    const LENGTH: usize = 8;
    if used >= BLOCK - LENGTH {
        compress256(state, std::slice::from_ref(&block));
        block.zeroize();
    }
    let bytes = BLOCK.saturating_add(label.len()).saturating_add(message.len());
    let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
    if let Some(end) = block.last_chunk_mut() {
        *end = bits.to_be_bytes();
    }
    compress256(state, std::slice::from_ref(&block));
}

fn digest(state: &[u32; 8]) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    let (words, _) = bytes.as_chunks_mut();
    words.iter_mut().zip(state).for_each(|(to, word)| *to = word.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;

    use super::*;

    fn reference(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
        let mut hmac: Hmac<Sha256> = Hmac::new_from_slice(key).unwrap();
        hmac.update(message);
        hmac.finalize().into_bytes().into()
    }

    /// RFC 4231, test case 1; a key that is shorter than a block is the same as with zeros after it.
    #[test]
    fn agrees_with_rfc_4231() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let mac = HmacKey::new(&key).mac(b"Hi", b" There");
        assert_eq!(mac[..8], [0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53]);
        assert_eq!(mac[24..], [0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7]);
    }

    #[test]
    fn agrees_with_the_crate_for_every_length_of_label_and_message() {
        let bytes: Vec<u8> = (0..=255).chain(0..=255).collect();
        for key in [[0; 32], [0xff; 32], [7; 32]] {
            let keyed = HmacKey::new(&key);
            for length in 0..=200 {
                for label in [0, 1, 9, 55, 56, 63] {
                    let label = label.min(length);
                    let (start, rest) = bytes[..length].split_at(label);
                    assert_eq!(
                        *keyed.mac(start, rest),
                        reference(&key, &bytes[..length]),
                        "{label} {length}"
                    );
                }
            }
        }
    }
}
