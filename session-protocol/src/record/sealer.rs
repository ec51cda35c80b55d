//! The sending half of the record layer.

use thiserror::Error;

use super::{HEADER_LEN, Header, TYPE_DATA, aad, nonce};
use crate::{
    aead::{Aead, Cipher, RecordAead},
    hello::Cid,
    mask::HeaderKey,
    ratchet::ChainKey,
    schedule::Direction,
};

/// Seals the records of one direction in one epoch.
pub(crate) struct Sealer {
    chain: ChainKey,
    header: HeaderKey,
    cipher: Cipher,
    cid: Cid,
    next: u64,
    limit: u64,
}

impl Sealer {
    /// `limit` is the number of records that may be sealed.
    pub(crate) fn new(keys: Direction, cid: Cid, limit: u64) -> Self {
        Self { chain: keys.chain, header: keys.header, cipher: keys.cipher, cid, next: 0, limit }
    }

    /// Sequence number of the next record.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Records that may still be sealed.
    pub(crate) fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.next)
    }

    /// Seals in place. `record` holds `HEADER_LEN` bytes of any content and then the frames; it comes out complete.
    ///
    /// # Errors
    /// [`SealError`] at the record limit; nothing was changed.
    pub(crate) fn seal(&mut self, record: &mut Vec<u8>, guard: [u8; 4]) -> Result<(), SealError> {
        if self.remaining() == 0 {
            return Err(SealError);
        }
        let (message_key, next_chain) = self.chain.step();
        let mut header = Header { guard, epoch: 0, flags: 0, seq_low: self.next }.encode();
        let (start, plaintext) = record.split_first_chunk_mut::<HEADER_LEN>().ok_or(SealError)?;
        let tag = RecordAead::seal(
            self.cipher,
            message_key.expose(),
            &nonce(guard, self.next),
            &aad(TYPE_DATA, &header),
            plaintext,
        )
        .map_err(|_| SealError)?;
        header.iter_mut().zip(self.header.mask(&tag)).for_each(|(byte, mask)| *byte ^= mask);
        let parts = [TYPE_DATA].into_iter().chain(self.cid).chain(header);
        start.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        record.extend_from_slice(&tag);
        self.chain = next_chain;
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn chain_key(&self) -> [u8; 32] {
        *self.chain.expose()
    }
}

/// The record limit is reached, or the buffer has no room for a header.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("no record can be sealed")]
pub(crate) struct SealError;
