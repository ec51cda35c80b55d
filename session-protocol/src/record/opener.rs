//! The receiving half of the record layer: derive beside, verify, then commit.
//!
//! It opens one epoch, and for a while the next one too: see [`Opener::expect`].

use std::ops::Range;

use thiserror::Error;

use super::{HEADER_LEN, Header, RecordIn, TYPE_DATA, Volume, aad, nonce};
use crate::{
    aead::{Aead, Cipher, RecordAead},
    hello::Cid,
    mask::HeaderKey,
    ratchet::ChainKey,
    schedule::Direction,
};

/// Opens the records of one direction, in one epoch after the other.
pub(crate) struct Opener {
    chain: ChainKey,
    header: HeaderKey,
    cipher: Cipher,
    next: u64,
    epoch: u32,
    volume: Volume,
    limit: u64,
    /// The chain of the next epoch, while its first record may come.
    pending: Option<ChainKey>,
}

/// A record that verified. Its plaintext is out of reach until [`Opener::commit`] took the state forward.
pub(crate) struct Opened {
    plaintext: Range<usize>,
    next_chain: ChainKey,
    flags: u8,
    volume: Volume,
    /// The record is the first of the pending epoch.
    switches: bool,
}

/// What a record that was committed holds.
pub(crate) struct Committed {
    /// Where its frames are in it.
    pub(crate) plaintext: Range<usize>,
    pub(crate) flags: u8,
    /// The record began the pending epoch, and the one before is closed.
    pub(crate) switched: bool,
}

impl Opener {
    /// `limit` is the number of records that are opened in one epoch.
    pub(crate) fn new(keys: Direction, limit: u64) -> Self {
        let Direction { chain, header, cipher } = keys;
        let volume = Volume::default();
        Self { chain, header, cipher, next: 0, epoch: 0, volume, limit, pending: None }
    }

    /// Sequence number of the next record.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The receive epoch.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What was opened in that epoch.
    pub(crate) fn volume(&self) -> Volume {
        self.volume
    }

    /// Whether the next epoch may begin with any record.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Opens the next epoch too, until its first record verified.
    pub(crate) fn expect(&mut self, chain: ChainKey) {
        self.pending = Some(chain);
    }

    /// Opens the next epoch and nothing else from here on. The old chain key is erased.
    pub(crate) fn switch(&mut self, chain: ChainKey) {
        self.chain = chain;
        self.pending = None;
        self.epoch = self.epoch.saturating_add(1);
        self.volume = Volume::default();
    }

    /// Verifies a record that came under one of `cids`, and decrypts it where it lies; the state stays as it is. After an error
    /// that says anything about the key the buffer is garbage.
    ///
    /// # Errors
    /// Every [`OpenError`]; only [`OpenError::Unverified`] says anything about the key.
    pub(crate) fn open(&self, record: &mut [u8], cids: &[Cid]) -> Result<Opened, OpenError> {
        let parts = RecordIn::split(record).ok_or(OpenError::Unverified)?;
        if parts.kind != TYPE_DATA {
            return Err(OpenError::UnknownType);
        }
        if !cids.contains(parts.cid) {
            return Err(OpenError::Unverified);
        }
        let (kind, header_bytes) = (parts.kind, parts.unmask(&self.header));
        let header = Header::decode(header_bytes);
        let seq = nearest(self.next, header.seq_low);
        // Before the epoch is judged: a late copy of an old epoch's record is a duplicate like any other.
        if seq < self.next {
            return Err(OpenError::Duplicate);
        }
        let next_epoch = low_byte(self.epoch.wrapping_add(1));
        if header.epoch != low_byte(self.epoch) && header.epoch != next_epoch {
            return Err(OpenError::Unverified);
        }
        // Also for the next epoch when none is pending: a gap that swallowed the change of epochs must be seen.
        if seq > self.next {
            return Err(OpenError::Gap { expected: self.next, got: seq });
        }
        let switches = header.epoch == next_epoch;
        let (chain, volume) = if switches {
            (self.pending.as_ref().ok_or(OpenError::Unverified)?, Volume::default())
        } else {
            (&self.chain, self.volume)
        };
        if volume.records >= self.limit || seq == u64::MAX {
            return Err(OpenError::Unverified);
        }
        let (message_key, next_chain) = chain.step();
        let record_len = record.len();
        let length = RecordAead::open(
            self.cipher,
            message_key.expose(),
            &nonce(header.guard, seq),
            &aad(kind, &header_bytes),
            record.get_mut(HEADER_LEN..).unwrap_or_default(),
        )
        .map_err(|_| OpenError::Unverified)?;
        let plaintext = HEADER_LEN..HEADER_LEN.saturating_add(length);
        let volume = volume.and(record_len);
        Ok(Opened { plaintext, next_chain, flags: header.flags, volume, switches })
    }

    /// Takes the state past a record that verified. The old chain key is erased.
    pub(crate) fn commit(&mut self, opened: Opened) -> Committed {
        let Opened { plaintext, next_chain, flags, volume, switches } = opened;
        if switches {
            self.switch(next_chain);
        } else {
            self.chain = next_chain;
        }
        self.volume = volume;
        self.next = self.next.saturating_add(1);
        Committed { plaintext, flags, switched: switches }
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn chain(&self) -> &[u8; 32] {
        self.chain.expose()
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn pending_chain(&self) -> Option<&[u8; 32]> {
        self.pending.as_ref().map(ChainKey::expose)
    }

    #[cfg(test)]
    pub(crate) fn chain_key(&self) -> [u8; 32] {
        *self.chain.expose()
    }

    /// What a thief of the state gets.
    #[cfg(test)]
    pub(crate) fn duplicate(&self) -> Self {
        let chain = |key: &ChainKey| ChainKey::take(&mut key.expose().clone());
        Self {
            chain: chain(&self.chain),
            header: HeaderKey::take(self.cipher, &mut self.header.expose().clone()),
            pending: self.pending.as_ref().map(chain),
            ..*self
        }
    }

    /// Opens a copy of a record, whatever its cid.
    #[cfg(test)]
    pub(crate) fn peek(&self, record: &[u8]) -> Result<(Opened, Vec<u8>), OpenError> {
        let cid = RecordIn::split(record).map_or([0; 8], |parts| *parts.cid);
        let mut copy = record.to_vec();
        self.open(&mut copy, &[cid]).map(|opened| (opened, copy))
    }

    #[cfg(test)]
    pub(crate) fn pending_key(&self) -> Option<[u8; 32]> {
        self.pending.as_ref().map(|chain| *chain.expose())
    }

    /// Pretends that as many epochs and records went by.
    #[cfg(test)]
    pub(crate) fn jump(&mut self, epoch: u32, next: u64, records: u64) {
        (self.epoch, self.next, self.volume.records) = (epoch, next, records);
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

fn low_byte(epoch: u32) -> u8 {
    let [.., low] = epoch.to_be_bytes();
    low
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
