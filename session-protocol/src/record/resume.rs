//! RESUME, RESUME_RSP and UNKNOWN_CID. Specification: `spec/session.md`, sections 12.2 and 12.3.
//!
//! ```text
//! 0      0x11 RESUME, 0x12 RESUME_RSP
//! 1      cid
//! 9      salt, 16 random bytes
//! 25     generation u64 | rx_next u64 | nonce 16 | echo 16 (RESUME_RSP alone), encrypted; then the tag
//! ```
//!
//! Not its concern: what a message does; that is `session/resumption.rs`.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::TAG_LEN;
use crate::{
    aead::{Aead, Cipher, RecordAead},
    hello::Cid,
    labels,
    schedule::ResumeKey,
    wire::{Reader, Sink},
};

const TYPE_RESUME: u8 = 0x11;
const TYPE_RESUME_RSP: u8 = 0x12;
const TYPE_UNKNOWN_CID: u8 = 0x13;

const SALT_LEN: usize = 16;
const PREFIX_LEN: usize = 1 + 8 + SALT_LEN;
const PLAIN_LEN: usize = 8 + 8 + 16;
const RESUME_LEN: usize = PREFIX_LEN + PLAIN_LEN + TAG_LEN;
const RESUME_RSP_LEN: usize = RESUME_LEN + 16;

const _: () = assert!(RESUME_LEN == 73 && RESUME_RSP_LEN == 89);

/// Names one end on one connection; random.
pub(crate) type Nonce = [u8; 16];

/// What a message says. With `echo` it is a RESUME_RSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resume {
    /// What its sender proposes for the connection.
    pub(crate) generation: u64,
    /// The number of the record that the sender expects next.
    pub(crate) rx_next: u64,
    /// The sender's on this connection.
    pub(crate) nonce: Nonce,
    /// The receiver's on this connection, which proves that the sender is on it now.
    pub(crate) echo: Option<Nonce>,
}

/// A sealed message.
pub(crate) type Message = Vec<u8>;

impl Resume {
    /// Seals the message into `out`. `key` is the sender's in its receive epoch.
    pub(crate) fn seal(
        &self,
        cipher: Cipher,
        key: &ResumeKey,
        cid: &Cid,
        salt: &[u8; SALT_LEN],
        out: &mut Message,
    ) {
        let kind = if self.echo.is_some() { TYPE_RESUME_RSP } else { TYPE_RESUME };
        let mut plaintext = Zeroizing::new(Vec::with_capacity(PLAIN_LEN + 16));
        plaintext.put(&self.generation.to_be_bytes());
        plaintext.put(&self.rx_next.to_be_bytes());
        plaintext.put(&self.nonce);
        plaintext.put(self.echo.as_ref().map_or(&[], |echo| echo));
        out.clear();
        out.put(&[kind]);
        out.put(cid);
        out.put(salt);
        let key = message_key(key, kind, salt);
        // A backend that cannot seal gives a tag that does not verify: the message is as good as lost.
        let tag = RecordAead::seal(cipher, &key, &[0; 12], out, &mut plaintext).unwrap_or_default();
        out.put(&plaintext);
        out.put(&tag);
    }

    /// Opens a message under any of the keys; the cid is authentic then. `None` if it does not verify or has another length.
    pub(crate) fn open<'a>(
        cipher: Cipher,
        mut keys: impl Iterator<Item = &'a ResumeKey>,
        record: &[u8],
    ) -> Option<(Self, Cid)> {
        let kind = *record.first()?;
        if !matches!((kind, record.len()), (TYPE_RESUME, RESUME_LEN) | (TYPE_RESUME_RSP, RESUME_RSP_LEN)) {
            return None;
        }
        let (prefix, ciphertext) = record.split_first_chunk::<PREFIX_LEN>()?;
        let mut reader = Reader::new(prefix);
        reader.u8()?;
        let (cid, salt) = (reader.array()?, reader.array()?);
        keys.find_map(|key| {
            let mut buffer = ciphertext.to_vec();
            let length =
                RecordAead::open(cipher, &message_key(key, kind, salt), &[0; 12], prefix, &mut buffer)
                    .ok()?;
            let mut plain = Reader::new(buffer.get(..length)?);
            let (generation, rx_next, nonce) = (plain.u64()?, plain.u64()?, *plain.array()?);
            let echo = if kind == TYPE_RESUME_RSP { Some(*plain.array()?) } else { None };
            Some((Self { generation, rx_next, nonce, echo }, *cid))
        })
    }
}

/// `HKDF-Expand(k_resume, label || byte 0 || salt, 32)`: a key for one message.
fn message_key(key: &ResumeKey, kind: u8, salt: &[u8; SALT_LEN]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    #[expect(clippy::expect_used, reason = "32 bytes are a valid key, and below what HKDF-SHA256 can give")]
    {
        let hkdf = Hkdf::<Sha256>::from_prk(key.expose()).expect("a key of 32 bytes");
        hkdf.expand_multi_info(&[labels::RESUME_KEY, &[kind], salt], &mut *out)
            .expect("32 is a valid length");
    }
    out
}

/// Whether the record is a RESUME or RESUME_RSP by its first byte.
pub(crate) fn is_resume(record: &[u8]) -> bool {
    matches!(record.first(), Some(&(TYPE_RESUME | TYPE_RESUME_RSP)))
}

/// The cid of an UNKNOWN_CID.
pub(crate) fn unknown(record: &[u8]) -> Option<&Cid> {
    match record {
        [TYPE_UNKNOWN_CID, cid @ ..] => cid.try_into().ok(),
        _ => None,
    }
}

/// The answer to a RESUME whose cid nobody here ever issued: a hint that the session is gone. `None` if `record` is no RESUME.
///
/// It is the caller's to know all its cids, of all its sessions, and to answer seldom: anybody can make such a record.
pub fn unknown_cid(record: &[u8]) -> Option<[u8; 9]> {
    let (start, _) = record.split_first_chunk::<9>()?;
    let [TYPE_RESUME, cid @ ..] = start else { return None };
    if record.len() != RESUME_LEN {
        return None;
    }
    let mut answer = [TYPE_UNKNOWN_CID; 9];
    answer.iter_mut().skip(1).zip(cid).for_each(|(to, from)| *to = *from);
    Some(answer)
}

#[cfg(test)]
mod tests;
