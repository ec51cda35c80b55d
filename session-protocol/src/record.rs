//! Records: header, mask, seal and open. Specification: `spec/session.md`, section 3.
//!
//! ```text
//! 0       version and type
//! 1..8    cid: the receiver's routing token, outside the AAD
//! 9..20   guard 4 bytes | epoch u8 | flags u8 | seq, low 48 bits      masked
//! 21..    ciphertext, then the tag of 16 bytes
//! ```
//!
//! AAD = byte 0 || the 12 unmasked header bytes. Nonce = guard || seq as u64. A record is sealed exactly once, in the
//! place where it stays until it is acknowledged; its cid is written by whoever sends it.

mod opener;
pub(crate) mod resume;
pub(crate) mod sealer;

use crate::{
    hello::Cid,
    mask::{HeaderKey, MASKED_LEN},
};

pub(crate) use crate::aead::TAG_LEN;
pub(crate) use opener::{Committed, OpenError, Opener};
pub(crate) use sealer::Sealer;

/// Bytes before the ciphertext.
pub(crate) const HEADER_LEN: usize = 1 + 8 + MASKED_LEN;

const _: () = assert!(HEADER_LEN == 21);

/// Version 1, type DATA. The high half of byte 0 is the version of the record format, the low half the type.
pub(crate) const TYPE_DATA: u8 = 0x10;

/// Longest record whose guard is derived, in bytes. Hashing as much costs what the operating system takes for four random
/// bytes where SHA-256 has instructions of its own, and three times that elsewhere.
pub(crate) const DERIVED_GUARD_LEN: usize = 1024;

/// Where the guard of a record comes from: SE-17.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Guard {
    /// From a generator that a clone of the process does not share.
    Fresh([u8; 4]),
    /// From the chain key and what is sealed.
    Derived,
}

impl From<[u8; 4]> for Guard {
    fn from(fresh: [u8; 4]) -> Self {
        Self::Fresh(fresh)
    }
}

/// The 12 header bytes that the relay does not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) guard: [u8; 4],
    pub(crate) epoch: u8,
    pub(crate) flags: u8,
    /// The low 48 bits of the sequence number.
    pub(crate) seq_low: u64,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; MASKED_LEN] {
        let [g0, g1, g2, g3] = self.guard;
        let [_, _, s0, s1, s2, s3, s4, s5] = self.seq_low.to_be_bytes();
        [g0, g1, g2, g3, self.epoch, self.flags, s0, s1, s2, s3, s4, s5]
    }

    /// The fields after the guard.
    pub(crate) fn without_guard(&self) -> [u8; 8] {
        let [_, _, _, _, rest @ ..] = self.encode();
        rest
    }

    pub(crate) fn decode(bytes: [u8; MASKED_LEN]) -> Self {
        let [g0, g1, g2, g3, epoch, flags, s0, s1, s2, s3, s4, s5] = bytes;
        Self {
            guard: [g0, g1, g2, g3],
            epoch,
            flags,
            seq_low: u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]),
        }
    }
}

/// What one direction carried in the current epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) records: u64,
    /// Whole records, header and tag included.
    pub(crate) bytes: u64,
}

impl Volume {
    /// With one more record of this length.
    fn and(self, record_len: usize) -> Self {
        Self {
            records: self.records.saturating_add(1),
            bytes: self.bytes.saturating_add(crate::wire::count(record_len)),
        }
    }
}

/// The parts of a record as it travels, but for the ciphertext.
pub(crate) struct RecordIn<'a> {
    pub(crate) kind: u8,
    pub(crate) cid: &'a Cid,
    masked: &'a [u8; MASKED_LEN],
    tag: &'a [u8; TAG_LEN],
}

impl<'a> RecordIn<'a> {
    /// Splits a record; `None` if it is too short to be one.
    pub(crate) fn split(record: &'a [u8]) -> Option<Self> {
        let mut reader = crate::wire::Reader::new(record);
        let kind = reader.u8()?;
        let cid = reader.array()?;
        let masked = reader.array()?;
        let tag = reader.rest().last_chunk()?;
        Some(Self { kind, cid, masked, tag })
    }

    pub(crate) fn unmask(&self, key: &HeaderKey) -> [u8; MASKED_LEN] {
        let mut header = *self.masked;
        header.iter_mut().zip(key.mask(self.tag)).for_each(|(byte, mask)| *byte ^= mask);
        header
    }
}

pub(crate) fn aad(kind: u8, header: &[u8; MASKED_LEN]) -> [u8; 1 + MASKED_LEN] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *header;
    [kind, a, b, c, d, e, f, g, h, i, j, k, l]
}

pub(crate) fn nonce(guard: [u8; 4], seq: u64) -> [u8; 12] {
    let ([a, b, c, d], [e, f, g, h, i, j, k, l]) = (guard, seq.to_be_bytes());
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

#[cfg(test)]
mod tests;
