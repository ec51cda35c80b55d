//! Frames, the content of records. Specification: `spec/streams.md`, section 1.

use thiserror::Error;

use crate::wire::{Reader, Sink};

mod kind {
    pub(super) const PAD: u8 = 0x00;
    pub(super) const ACK: u8 = 0x01;
    pub(super) const PING: u8 = 0x02;
    pub(super) const PONG: u8 = 0x03;
    pub(super) const CONFIRM: u8 = 0x04;
    pub(super) const CLOSE: u8 = 0x05;
    pub(super) const RATCHET: u8 = 0x06;
    pub(super) const RATCHET_ACK: u8 = 0x07;
    pub(super) const RATCHET_REQ: u8 = 0x08;
    pub(super) const REHS: u8 = 0x09;
    pub(super) const NEW_CID: u8 = 0x0a;
    pub(super) const STREAM_OPEN: u8 = 0x10;
    pub(super) const STREAM_DATA: u8 = 0x11;
    pub(super) const STREAM_FIN: u8 = 0x12;
    pub(super) const STREAM_RESET: u8 = 0x13;
    pub(super) const WINDOW: u8 = 0x14;
}

/// Bytes of a STREAM_DATA frame before its data.
pub(crate) const DATA_OVERHEAD: usize = 1 + 4 + 2;

/// One frame; borrowed parts lie in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A run of padding bytes.
    Pad { length: usize },
    /// Every record below `rx_next` was opened and its content queued.
    Ack { rx_next: u64 },
    /// Asks for a PONG with the same id.
    Ping { id: u64 },
    /// Answers a PING.
    Pong { id: u64 },
    /// The initiator confirms the handshake.
    Confirm,
    /// The sender's last record, whose number is `final_seq`.
    Close { code: u32, final_seq: u64 },
    /// The initiator proposes an epoch: its ephemeral key, and its encapsulation key or nothing.
    Ratchet { epoch: u32, e: &'a [u8; 32], kem: &'a [u8] },
    /// The responder begins it: its ephemeral key, and its ciphertext or nothing.
    RatchetAck { epoch: u32, e: &'a [u8; 32], kem: &'a [u8] },
    /// The responder wants a new epoch.
    RatchetReq,
    /// One of the two messages of a handshake inside the session.
    Rehs { step: u8, epoch: u32, message: &'a [u8] },
    /// The peer may use this token on one more connection.
    NewCid { cid: &'a [u8; 8] },
    /// Opens a stream for the round whose hash is `context`.
    StreamOpen { stream: u32, context: &'a [u8; 32] },
    /// The next bytes of a stream; never empty.
    StreamData { stream: u32, bytes: &'a [u8] },
    /// No more bytes follow.
    StreamFin { stream: u32 },
    /// The sender gave up the stream, both directions.
    StreamReset { stream: u32, code: u32 },
    /// The peer may send the bytes of this stream below offset `limit`.
    Window { stream: u32, limit: u64 },
}

impl Frame<'_> {
    /// Whether a record with this frame asks for an acknowledgement.
    pub(crate) fn asks_for_ack(&self) -> bool {
        !matches!(self, Self::Pad { .. } | Self::Ack { .. } | Self::Pong { .. })
    }

    /// Bytes that [`Frame::encode`] appends.
    pub(crate) fn encoded_len(&self) -> usize {
        match self {
            Self::Pad { length } => *length,
            Self::Confirm | Self::RatchetReq => 1,
            Self::StreamFin { .. } => 5,
            Self::Ack { .. } | Self::Ping { .. } | Self::Pong { .. } => 9,
            Self::NewCid { .. } | Self::StreamReset { .. } => 9,
            Self::Close { .. } | Self::Window { .. } => 13,
            Self::StreamOpen { .. } => 37,
            Self::Ratchet { kem, .. } | Self::RatchetAck { kem, .. } => kem.len().saturating_add(39),
            Self::Rehs { message, .. } => message.len().saturating_add(8),
            Self::StreamData { bytes, .. } => bytes.len().saturating_add(DATA_OVERHEAD),
        }
    }

    /// Appends the frame.
    pub(crate) fn encode(&self, out: &mut impl Sink) {
        match self {
            Self::Pad { length } => out.zeros(*length),
            Self::Ack { rx_next } => put(out, kind::ACK, &[&rx_next.to_be_bytes()]),
            Self::Ping { id } => put(out, kind::PING, &[&id.to_be_bytes()]),
            Self::Pong { id } => put(out, kind::PONG, &[&id.to_be_bytes()]),
            Self::Confirm => put(out, kind::CONFIRM, &[]),
            Self::Close { code, final_seq } => {
                put(out, kind::CLOSE, &[&code.to_be_bytes(), &final_seq.to_be_bytes()]);
            }
            Self::Ratchet { epoch, e, kem } => put_ratchet(out, kind::RATCHET, *epoch, e, kem),
            Self::RatchetAck { epoch, e, kem } => put_ratchet(out, kind::RATCHET_ACK, *epoch, e, kem),
            Self::RatchetReq => put(out, kind::RATCHET_REQ, &[]),
            Self::Rehs { step, epoch, message } => {
                put(out, kind::REHS, &[&[*step], &epoch.to_be_bytes(), &length(message), message]);
            }
            Self::NewCid { cid } => put(out, kind::NEW_CID, &[*cid]),
            Self::StreamOpen { stream, context } => {
                put(out, kind::STREAM_OPEN, &[&stream.to_be_bytes(), *context]);
            }
            Self::StreamData { stream, bytes } => {
                put_data_start(out, *stream, bytes.len());
                out.put(bytes);
            }
            Self::StreamFin { stream } => put(out, kind::STREAM_FIN, &[&stream.to_be_bytes()]),
            Self::StreamReset { stream, code } => {
                put(out, kind::STREAM_RESET, &[&stream.to_be_bytes(), &code.to_be_bytes()]);
            }
            Self::Window { stream, limit } => {
                put(out, kind::WINDOW, &[&stream.to_be_bytes(), &limit.to_be_bytes()]);
            }
        }
    }
}

/// Appends the start of a STREAM_DATA frame whose `length` bytes the caller appends next. Records bound `length` to 16 bits.
pub(crate) fn put_data_start(out: &mut impl Sink, stream: u32, length: usize) {
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    put(out, kind::STREAM_DATA, &[&stream.to_be_bytes(), &length.to_be_bytes()]);
}

fn put_ratchet(out: &mut impl Sink, kind: u8, epoch: u32, e: &[u8; 32], kem: &[u8]) {
    put(out, kind, &[&epoch.to_be_bytes(), e, &length(kem), kem]);
}

/// The length prefix of bytes that fit into a record, and so into 16 bits.
fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()
}

fn put(out: &mut impl Sink, kind: u8, parts: &[&[u8]]) {
    out.put(&[kind]);
    parts.iter().for_each(|part| out.put(part));
}

/// Iterates over the frames of a record; ends after the first error.
pub(crate) struct Frames<'a>(Option<Reader<'a>>);

impl<'a> Frames<'a> {
    pub(crate) fn new(plaintext: &'a [u8]) -> Self {
        Self(Some(Reader::new(plaintext)))
    }

    /// Bytes that were not read yet; 0 after an error.
    pub(crate) fn remaining(&self) -> usize {
        self.0.as_ref().map_or(0, |reader| reader.rest().len())
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = self.0.take()?;
        if reader.is_empty() {
            return None;
        }
        let frame = decode(&mut reader);
        if frame.is_ok() {
            self.0 = Some(reader);
        }
        Some(frame)
    }
}

fn decode<'a>(reader: &mut Reader<'a>) -> Result<Frame<'a>, FrameError> {
    let kind = reader.u8().ok_or(FrameError::Malformed)?;
    decode_known(kind, reader)?.ok_or(FrameError::Malformed)
}

/// `Ok(None)` if the record ends inside the frame or a field has no valid value.
fn decode_known<'a>(kind: u8, reader: &mut Reader<'a>) -> Result<Option<Frame<'a>>, FrameError> {
    let mut parse = || {
        Some(match kind {
            kind::PAD => {
                let more = reader.rest().iter().take_while(|byte| **byte == kind::PAD).count();
                reader.bytes(more)?;
                Frame::Pad { length: more.saturating_add(1) }
            }
            kind::ACK => Frame::Ack { rx_next: reader.u64()? },
            kind::PING => Frame::Ping { id: reader.u64()? },
            kind::PONG => Frame::Pong { id: reader.u64()? },
            kind::CONFIRM => Frame::Confirm,
            kind::CLOSE => Frame::Close { code: reader.u32()?, final_seq: reader.u64()? },
            kind::RATCHET => {
                let (epoch, e, kem) = ratchet(reader)?;
                Frame::Ratchet { epoch, e, kem }
            }
            kind::RATCHET_ACK => {
                let (epoch, e, kem) = ratchet(reader)?;
                Frame::RatchetAck { epoch, e, kem }
            }
            kind::RATCHET_REQ => Frame::RatchetReq,
            kind::REHS => {
                Frame::Rehs { step: reader.u8()?, epoch: reader.u32()?, message: prefixed(reader)? }
            }
            kind::NEW_CID => Frame::NewCid { cid: reader.array()? },
            kind::STREAM_OPEN => Frame::StreamOpen { stream: reader.u32()?, context: reader.array()? },
            kind::STREAM_DATA => {
                let stream = reader.u32()?;
                let length = usize::from(reader.u16()?);
                let bytes = reader.bytes(length).filter(|bytes| !bytes.is_empty())?;
                Frame::StreamData { stream, bytes }
            }
            kind::STREAM_FIN => Frame::StreamFin { stream: reader.u32()? },
            kind::STREAM_RESET => Frame::StreamReset { stream: reader.u32()?, code: reader.u32()? },
            kind::WINDOW => Frame::Window { stream: reader.u32()?, limit: reader.u64()? },
            _ => return None,
        })
    };
    match kind {
        kind::PAD..=kind::NEW_CID | kind::STREAM_OPEN..=kind::WINDOW => Ok(parse()),
        _ => Err(FrameError::Unknown { kind }),
    }
}

fn ratchet<'a>(reader: &mut Reader<'a>) -> Option<(u32, &'a [u8; 32], &'a [u8])> {
    Some((reader.u32()?, reader.array()?, prefixed(reader)?))
}

fn prefixed<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = usize::from(reader.u16()?);
    reader.bytes(length)
}

/// Why frames could not be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// A type that this version does not have.
    #[error("unknown frame type {kind:#04x}")]
    Unknown {
        /// The type byte.
        kind: u8,
    },
    /// The record ends inside a frame, or a data frame is empty.
    #[error("malformed frame")]
    Malformed,
}

#[cfg(test)]
mod tests;
