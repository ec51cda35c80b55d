//! The payload of handshake messages 1 and 2. Specification: `spec/handshake.md`, section 4.
//!
//! ```text
//! 0      version, 1
//! 1      n, number of cids, 1..=8
//! 2      n cids of 8 bytes, all different
//! +0     max_record u32
//! +4     stream_window u32
//! +8     length of prev_sid u8, 0 or 32
//! +9     prev_sid
//!        extensions until the end: type u16, length u16, value; types strictly ascending
//! ```

use thiserror::Error;

use crate::{
    limits::{MAX_RECORD, MIN_RECORD},
    wire::Reader,
};

const VERSION: u8 = 1;

/// Most routing tokens in one hello: enough for every connection that a session uses before it can send more.
pub(crate) const MAX_CIDS: usize = 8;

/// A routing token, chosen at random by the side that receives records under it.
pub type Cid = [u8; 8];

/// What one side tells the other inside the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Routing tokens under which the sender of this hello receives records, one for each connection; 1 to 8.
    pub cids: Vec<Cid>,
    /// Largest record in bytes that the sender accepts, header and tag included; 2048 to 65536.
    pub max_record: u32,
    /// Bytes that the sender accepts on each new stream before its reader consumed any; at least 1.
    pub stream_window: u32,
    /// The session with this peer that the sender still knows, if any.
    pub prev_sid: Option<[u8; 32]>,
    /// Fields that later minor versions add; unknown ones are kept and ignored.
    pub extensions: Vec<Extension>,
}

/// One optional field of a [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Type, unique in a hello.
    pub kind: u16,
    /// Value, as long as the type says.
    pub value: Vec<u8>,
}

impl Hello {
    /// Encodes the hello.
    ///
    /// # Errors
    /// [`HelloError`] if a field is outside what [`Hello::decode`] accepts.
    pub fn encode(&self) -> Result<Vec<u8>, HelloError> {
        let count = u8::try_from(self.cids.len()).map_err(|_| HelloError::Cids)?;
        let mut out = vec![VERSION, count];
        self.cids.iter().for_each(|cid| out.extend_from_slice(cid));
        out.extend_from_slice(&self.max_record.to_be_bytes());
        out.extend_from_slice(&self.stream_window.to_be_bytes());
        match &self.prev_sid {
            Some(sid) => {
                out.push(32);
                out.extend_from_slice(sid);
            }
            None => out.push(0),
        }
        for extension in &self.extensions {
            let length = u16::try_from(extension.value.len()).map_err(|_| HelloError::Extensions)?;
            out.extend_from_slice(&extension.kind.to_be_bytes());
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&extension.value);
        }
        self.check()?;
        Ok(out)
    }

    /// Decodes a hello; every byte must be used.
    ///
    /// # Errors
    /// [`HelloError`], which names the field that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, HelloError> {
        let mut reader = Reader::new(bytes);
        match reader.u8() {
            Some(VERSION) => {}
            Some(version) => return Err(HelloError::Version { version }),
            None => return Err(HelloError::Truncated),
        }
        let count = usize::from(reader.u8().ok_or(HelloError::Truncated)?);
        if count > MAX_CIDS {
            return Err(HelloError::Cids);
        }
        let mut cids = Vec::with_capacity(count);
        for _ in 0..count {
            cids.push(*reader.array().ok_or(HelloError::Truncated)?);
        }
        let max_record = reader.u32().ok_or(HelloError::Truncated)?;
        let stream_window = reader.u32().ok_or(HelloError::Truncated)?;
        let prev_sid = match reader.u8() {
            Some(0) => None,
            Some(32) => Some(*reader.array().ok_or(HelloError::Truncated)?),
            Some(_) => return Err(HelloError::PrevSid),
            None => return Err(HelloError::Truncated),
        };
        let mut extensions = Vec::new();
        while !reader.is_empty() {
            let kind = reader.u16().ok_or(HelloError::Truncated)?;
            let length = reader.u16().ok_or(HelloError::Truncated)?;
            let value = reader.bytes(usize::from(length)).ok_or(HelloError::Truncated)?.to_vec();
            extensions.push(Extension { kind, value });
        }
        let hello = Self { cids, max_record, stream_window, prev_sid, extensions };
        hello.check()?;
        Ok(hello)
    }

    fn check(&self) -> Result<(), HelloError> {
        let distinct =
            self.cids.iter().enumerate().all(|(i, cid)| self.cids.iter().skip(i + 1).all(|c| c != cid));
        if self.cids.is_empty() || self.cids.len() > MAX_CIDS || !distinct {
            return Err(HelloError::Cids);
        }
        if !(MIN_RECORD..=MAX_RECORD).contains(&crate::wire::length(self.max_record.into())) {
            return Err(HelloError::MaxRecord { max_record: self.max_record });
        }
        if self.stream_window == 0 {
            return Err(HelloError::StreamWindow);
        }
        if !self.extensions.iter().zip(self.extensions.iter().skip(1)).all(|(a, b)| a.kind < b.kind) {
            return Err(HelloError::Extensions);
        }
        Ok(())
    }
}

/// Why a hello is not one.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HelloError {
    /// It ends in the middle of a field.
    #[error("hello is truncated")]
    Truncated,
    /// Its layout is of another version.
    #[error("hello has version {version}")]
    Version {
        /// The version it states.
        version: u8,
    },
    /// No cid, too many, or the same one twice.
    #[error("hello has no valid list of cids")]
    Cids,
    /// `max_record` is out of range.
    #[error("hello states a largest record of {max_record} bytes")]
    MaxRecord {
        /// What it states, in bytes.
        max_record: u32,
    },
    /// `stream_window` is 0: no stream could ever send.
    #[error("hello states an empty stream window")]
    StreamWindow,
    /// `prev_sid` is neither empty nor 32 bytes.
    #[error("hello has a previous session id of a wrong length")]
    PrevSid,
    /// Extension types do not ascend strictly, or a value is too long.
    #[error("hello has no valid list of extensions")]
    Extensions,
}

#[cfg(test)]
mod tests;
