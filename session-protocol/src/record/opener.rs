//! The receiving half of the record layer: derive beside, verify, then commit.

use thiserror::Error;

use super::{Header, RecordIn, TYPE_DATA, aad, nonce};
use crate::{
    aead::{Aead, Cipher, RecordAead},
    hello::Cid,
    limits::RECORDS_PER_EPOCH,
    mask::HeaderKey,
    ratchet::ChainKey,
    schedule::Direction,
};

/// Opens the records of one direction in one epoch.
pub(crate) struct Opener {
    chain: ChainKey,
    header: HeaderKey,
    cipher: Cipher,
    cids: Vec<Cid>,
    next: u64,
}

/// A record that verified. Its plaintext is out of reach until [`Opener::commit`] took the state forward.
pub(crate) struct Opened {
    plaintext: Vec<u8>,
    next_chain: ChainKey,
    flags: u8,
}

impl Opener {
    pub(crate) fn new(keys: Direction, cids: Vec<Cid>) -> Self {
        Self { chain: keys.chain, header: keys.header, cipher: keys.cipher, cids, next: 0 }
    }

    /// Sequence number of the next record.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Routing tokens under which records arrive.
    pub(crate) fn cids(&self) -> &[Cid] {
        &self.cids
    }

    /// Verifies a record without changing anything.
    ///
    /// # Errors
    /// Every [`OpenError`]; only [`OpenError::Unverified`] says anything about the key.
    pub(crate) fn open(&self, record: &[u8]) -> Result<Opened, OpenError> {
        let parts = RecordIn::split(record).ok_or(OpenError::Unverified)?;
        if parts.kind != TYPE_DATA {
            return Err(OpenError::UnknownType);
        }
        if !self.cids.contains(parts.cid) {
            return Err(OpenError::Unverified);
        }
        let header_bytes = parts.unmask(&self.header);
        let header = Header::decode(header_bytes);
        if header.epoch != 0 {
            return Err(OpenError::Unverified);
        }
        let seq = nearest(self.next, header.seq_low);
        if seq < self.next {
            return Err(OpenError::Duplicate);
        }
        if seq > self.next {
            return Err(OpenError::Gap { expected: self.next, got: seq });
        }
        if seq >= RECORDS_PER_EPOCH {
            return Err(OpenError::Unverified);
        }
        let (message_key, next_chain) = self.chain.step();
        let mut plaintext = parts.ciphertext_and_tag.to_vec();
        let length = RecordAead::open(
            self.cipher,
            message_key.expose(),
            &nonce(header.guard, seq),
            &aad(parts.kind, &header_bytes),
            &mut plaintext,
        )
        .map_err(|_| OpenError::Unverified)?;
        plaintext.truncate(length);
        Ok(Opened { plaintext, next_chain, flags: header.flags })
    }

    /// Takes the state past a record that verified; returns its frames and its flags. The old chain key is erased.
    pub(crate) fn commit(&mut self, opened: Opened) -> (Vec<u8>, u8) {
        self.chain = opened.next_chain;
        self.next = self.next.saturating_add(1);
        (opened.plaintext, opened.flags)
    }

    #[cfg(test)]
    pub(crate) fn chain_key(&self) -> [u8; 32] {
        *self.chain.expose()
    }
}

/// Why a record was not opened.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// Byte 0 names a type or version that this implementation does not have.
    #[error("unknown record type")]
    UnknownType,
    /// Too short, not for us, or not sealed by the peer.
    #[error("record does not verify")]
    Unverified,
    /// Its number was processed before.
    #[error("duplicate record")]
    Duplicate,
    /// Its number is not the next one.
    #[error("expected record {expected}, got {got}")]
    Gap {
        /// The next number.
        expected: u64,
        /// The number that the header states; not verified.
        got: u64,
    },
}

/// The number nearest to `expected` whose low 48 bits are `low`.
fn nearest(expected: u64, low: u64) -> u64 {
    const SPAN: u64 = 1 << 48;
    const HALF: u64 = SPAN / 2;
    let candidate = (expected & !(SPAN - 1)) | low;
    if candidate > expected && candidate - expected > HALF && candidate >= SPAN {
        candidate - SPAN
    } else if expected > candidate && expected - candidate > HALF {
        candidate.saturating_add(SPAN)
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_full_number_is_the_nearest_one() {
        const SPAN: u64 = 1 << 48;
        for (expected, low, full) in [
            (0, 0, 0),
            (0, SPAN - 1, SPAN - 1),
            (5, 4, 4),
            (SPAN - 1, 0, SPAN),
            (SPAN, SPAN - 1, SPAN - 1),
            (3 * SPAN + 7, 9, 3 * SPAN + 9),
        ] {
            assert_eq!(nearest(expected, low), full, "{expected} {low}");
        }
    }
}
