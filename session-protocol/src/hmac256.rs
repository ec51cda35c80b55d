//! HMAC-SHA256 (RFC 2104) under one key of 32 bytes for several short messages. Specification: `spec/session.md`, section 6.
//!
//! Two blocks are hashed for the key and two for each message of up to 55 bytes. The `hmac` crate hashes the same blocks, and
//! around them fills and erases a buffer for each; here that took as long as the hashing again. Only the compression
//! function is called, from `sha2`: its choice of instructions holds here too.
//!
//! The blocks and states that depend on the key are erased: the two blocks in which they are laid out once, when the key goes.

use sha2::block_api::compress256;
use zeroize::Zeroize;

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// Bytes of the length at the end of what is hashed.
const LENGTH: usize = 8;

/// FIPS 180-4, section 5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The key, as the two states that its padded block leads to, and two blocks in which everything is laid out: they are
/// erased once, at the end.
pub(crate) struct HmacKey {
    inner: [u32; 8],
    outer: [u32; 8],
    block: [u8; BLOCK],
    other: [u8; BLOCK],
}

impl HmacKey {
    #[inline]
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let (block, other) = (padded(key, 0x36), padded(key, 0x5c));
        let mut new = Self { inner: INITIAL, outer: INITIAL, block, other };
        compress256(&mut new.inner, std::slice::from_ref(&new.block));
        compress256(&mut new.outer, std::slice::from_ref(&new.other));
        new
    }

    /// Writes the MAC of `label || message` to `mac`. A label is shorter than a block.
    pub(crate) fn mac(&mut self, label: &[u8], message: &[u8], mac: &mut [u8; 32]) {
        debug_assert!(label.len() < BLOCK);
        let mut state = self.inner;
        self.absorb(&mut state, label, message);
        self.finish(state, mac);
    }

    /// Writes the MACs of two messages of one byte. The same as [`mac`](Self::mac), with everything known beforehand, and side by
    /// side: the processor hashes two blocks that do not depend on each other in two thirds of the time.
    pub(crate) fn macs_of_bytes(&mut self, labels: [u8; 2], macs: [&mut [u8; 32]; 2]) {
        let mut states = [self.inner; 2];
        self.absorb_both(&mut states, &labels.map(|label| [label]));
        let mut inner = states.each_ref().map(to_bytes);
        states = [self.outer; 2];
        self.absorb_both(&mut states, &inner);
        for (mac, state) in macs.into_iter().zip(&states) {
            *mac = to_bytes(state);
        }
        // As in `drop`, in a few wide stores.
        (states, inner) = ([[0; 8]; 2], [[0; 32]; 2]);
        zeroize::optimization_barrier(&(&states, &inner));
    }

    fn finish(&mut self, inner: [u32; 8], mac: &mut [u8; 32]) {
        let mut state = self.outer;
        self.block = last_block(&to_bytes(&inner));
        compress256(&mut state, std::slice::from_ref(&self.block));
        *mac = to_bytes(&state);
        // The inner hash in bytes is erased with the block, which it stands in; this is the last that depends on the key.
        state.zeroize();
    }

    /// Hashes two messages to their end, where one block was hashed before each.
    fn absorb_both<const N: usize>(&mut self, states: &mut [[u32; 8]; 2], messages: &[[u8; N]; 2]) {
        let [one, other] = states;
        let [message, next] = messages;
        self.block = last_block(message);
        self.other = last_block(next);
        compress256(one, std::slice::from_ref(&self.block));
        compress256(other, std::slice::from_ref(&self.other));
    }

    /// Hashes `label || message` to its end, where one block was hashed before.
    fn absorb(&mut self, state: &mut [u32; 8], label: &[u8], message: &[u8]) {
        let block = &mut self.block;
        *block = [0; BLOCK];
        let (start, room) = block.split_at_mut(label.len().min(BLOCK));
        start.copy_from_slice(label.get(..start.len()).unwrap_or_default());
        let (head, rest) = message.split_at(message.len().min(room.len()));
        if let Some(room) = room.get_mut(..head.len()) {
            room.copy_from_slice(head);
        }
        let mut used = start.len().saturating_add(head.len());
        if used == BLOCK {
            compress256(state, std::slice::from_ref(block));
            let (whole, tail) = rest.as_chunks();
            compress256(state, whole);
            *block = [0; BLOCK];
            if let Some(start) = block.get_mut(..tail.len()) {
                start.copy_from_slice(tail);
            }
            used = tail.len();
        }
        // FIPS 180-4, section 5.1.1: one bit, zeros, and the length in bits at the end of a block.
        if let Some(end) = block.get_mut(used) {
            *end = 0x80;
        }
        if used >= BLOCK - LENGTH {
            compress256(state, std::slice::from_ref(block));
            *block = [0; BLOCK];
        }
        let bytes = BLOCK.saturating_add(label.len()).saturating_add(message.len());
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        if let Some(end) = block.last_chunk_mut::<LENGTH>() {
            *end = bits.to_be_bytes();
        }
        compress256(state, std::slice::from_ref(block));
    }
}

/// Erases in a few wide stores; the barrier keeps the compiler from leaving them out. `Zeroize` writes byte by byte, which for
/// one record took as long as hashing a block.
impl Drop for HmacKey {
    fn drop(&mut self) {
        (self.inner, self.outer) = ([0; 8], [0; 8]);
        (self.block, self.other) = ([0; BLOCK], [0; BLOCK]);
        zeroize::optimization_barrier(self);
    }
}

impl zeroize::ZeroizeOnDrop for HmacKey {}

/// `N` bytes in a block with what ends a hash, where one block was hashed before.
fn last_block<const N: usize>(message: &[u8; N]) -> [u8; BLOCK] {
    const { assert!(N < BLOCK - LENGTH) };
    let mut block = [0; BLOCK];
    if let Some(start) = block.first_chunk_mut() {
        *start = *message;
    }
    if let Some(end) = block.get_mut(N) {
        *end = 0x80;
    }
    // At most 2^10 bits.
    let [.., high, low] = BLOCK.saturating_add(N).saturating_mul(8).to_be_bytes();
    if let Some(end) = block.last_chunk_mut() {
        *end = [high, low];
    }
    block
}

/// A key in a block of padding.
fn padded(key: &[u8; 32], pad: u8) -> [u8; BLOCK] {
    let mut block = [pad; BLOCK];
    if let Some(start) = block.first_chunk_mut() {
        *start = key.map(|byte| byte ^ pad);
    }
    block
}

fn to_bytes(state: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
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
        let mut mac = [0; 32];
        HmacKey::new(&key).mac(b"Hi", b" There", &mut mac);
        assert_eq!(mac[..8], [0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53]);
        assert_eq!(mac[24..], [0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7]);
    }

    #[test]
    fn one_byte_is_a_message_like_any_other() {
        for byte in 0..=u8::MAX {
            let (mut mac, mut other) = ([0; 32], [0; 32]);
            HmacKey::new(&[byte; 32]).macs_of_bytes([byte, 1], [&mut mac, &mut other]);
            assert_eq!(mac, reference(&[byte; 32], &[byte]));
            assert_eq!(other, reference(&[byte; 32], &[1]));
        }
    }

    #[test]
    fn agrees_with_the_crate_for_every_length_of_label_and_message() {
        let bytes: Vec<u8> = (0..=255).chain(0..=255).collect();
        for key in [[0; 32], [0xff; 32], [7; 32]] {
            let mut keyed = HmacKey::new(&key);
            for length in 0..=200 {
                for label in [0, 1, 9, 55, 56, 63] {
                    let label = label.min(length);
                    let (start, rest) = bytes[..length].split_at(label);
                    let mut mac = [0; 32];
                    keyed.mac(start, rest, &mut mac);
                    assert_eq!(mac, reference(&key, &bytes[..length]), "{label} {length}");
                }
            }
        }
    }
}
