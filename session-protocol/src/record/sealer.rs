//! The sending half of the record layer.

use thiserror::Error;

use super::{Guard, HEADER_LEN, Header, TAG_LEN, TYPE_DATA, Volume, aad, nonce};
use crate::{
    aead::{Aead, Cipher, RecordAead},
    mask::HeaderKey,
    ratchet::ChainKey,
    schedule::Direction,
};

/// Seals the records of one direction, in one epoch after the other.
pub(crate) struct Sealer {
    chain: ChainKey,
    header: HeaderKey,
    cipher: Cipher,
    next: u64,
    epoch: u32,
    volume: Volume,
    limit: u64,
}

impl Sealer {
    /// `limit` is the number of records that may be sealed in one epoch.
    pub(crate) fn new(keys: Direction, limit: u64) -> Self {
        let Direction { chain, header, cipher } = keys;
        Self { chain, header, cipher, next: 0, epoch: 0, volume: Volume::default(), limit }
    }

    /// Sequence number of the next record.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The epoch in which the next record is sealed.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What was sealed in that epoch.
    pub(crate) fn volume(&self) -> Volume {
        self.volume
    }

    /// Records that may still be sealed in this epoch. The sequence number never wraps, so the last one is not used.
    pub(crate) fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.volume.records).min(u64::MAX - self.next)
    }

    /// Goes on in the next epoch. The old chain key is erased; numbers go on.
    pub(crate) fn switch(&mut self, chain: &ChainKey) {
        self.chain = chain.duplicate();
        self.epoch = self.epoch.saturating_add(1);
        self.volume = Volume::default();
    }

    /// Seals in place. `record` holds `HEADER_LEN` bytes of any content, the frames, and room for the tag; it comes out
    /// complete but for its cid, which is zero.
    ///
    /// # Errors
    /// [`SealError`] at the record limit; nothing was changed.
    pub(crate) fn seal(&mut self, record: &mut [u8], guard: impl Into<Guard>) -> Result<(), SealError> {
        if self.remaining() == 0 {
            return Err(SealError);
        }
        let record_len = record.len();
        let (start, rest) = record.split_first_chunk_mut::<HEADER_LEN>().ok_or(SealError)?;
        let (plaintext, end) = rest.split_last_chunk_mut::<TAG_LEN>().ok_or(SealError)?;
        let mut step = self.chain.prepare();
        let [.., epoch] = self.epoch.to_be_bytes();
        let mut header = Header { guard: [0; 4], epoch, flags: 0, seq_low: self.next };
        let guard = match guard.into() {
            Guard::Fresh(guard) => guard,
            Guard::Derived => step.guard(TYPE_DATA, header.without_guard(), plaintext),
        };
        let (message_key, next_chain) = step.keys();
        #[cfg(test)]
        log::note(message_key.expose());
        header.guard = guard;
        let mut header = header.encode();
        let tag = RecordAead::seal(
            self.cipher,
            message_key.expose(),
            &nonce(guard, self.next),
            &aad(TYPE_DATA, &header),
            plaintext,
        )
        .map_err(|_| SealError)?;
        header.iter_mut().zip(self.header.mask(&tag)).for_each(|(byte, mask)| *byte ^= mask);
        let (kind_and_cid, masked) = start.split_at_mut(HEADER_LEN - header.len());
        kind_and_cid.fill(0);
        kind_and_cid.iter_mut().take(1).for_each(|kind| *kind = TYPE_DATA);
        masked.copy_from_slice(&header);
        *end = tag;
        self.chain = next_chain;
        self.next = self.next.saturating_add(1);
        self.volume = self.volume.and(record_len);
        Ok(())
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn chain(&self) -> &[u8; 32] {
        self.chain.expose()
    }

    #[cfg(test)]
    pub(crate) fn chain_key(&self) -> [u8; 32] {
        *self.chain.expose()
    }

    /// Pretends that as many epochs and records went by.
    #[cfg(test)]
    pub(crate) fn jump(&mut self, epoch: u32, next: u64, records: u64) {
        (self.epoch, self.next, self.volume.records) = (epoch, next, records);
    }
}

/// The record limit is reached, or the buffer has no room for a header.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("no record can be sealed")]
pub(crate) struct SealError;

/// Which keys sealed, for tests of S10.
#[cfg(test)]
pub(crate) mod log {
    use std::{cell::RefCell, collections::HashSet};

    thread_local! {
        static USED: RefCell<Option<HashSet<[u8; 32]>>> = const { RefCell::new(None) };
    }

    /// From here on each seal of this thread must have a key of its own.
    pub(crate) fn start() {
        USED.set(Some(HashSet::new()));
    }

    /// How many records were sealed since [`start`].
    pub(crate) fn count() -> usize {
        USED.with_borrow(|used| used.as_ref().map_or(0, HashSet::len))
    }

    pub(super) fn note(key: &[u8; 32]) {
        USED.with_borrow_mut(|used| {
            assert!(used.as_mut().is_none_or(|used| used.insert(*key)), "a key sealed twice")
        });
    }
}
