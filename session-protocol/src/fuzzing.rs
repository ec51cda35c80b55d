//! Entry points for fuzz targets: each takes any bytes and must return. Not part of the public interface.

use std::time::Instant;

use crate::{Hello, Session, SessionError, frame::Frames, record::RecordIn};

/// Decodes a hello; whatever decodes must encode to the same bytes.
pub fn decode_hello(bytes: &[u8]) {
    if let Ok(hello) = Hello::decode(bytes) {
        assert_eq!(hello.encode().as_deref(), Ok(bytes));
    }
}

/// Decodes the frames of a record; whatever decodes must encode to the same bytes.
pub fn decode_frames(bytes: &[u8]) {
    let frames: Result<Vec<_>, _> = Frames::new(bytes).collect();
    if let Ok(frames) = frames {
        let mut out = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut out));
        assert_eq!(out, bytes);
    }
}

/// Splits a record; returns whether it is long enough to be one.
pub fn decode_record(bytes: &[u8]) -> bool {
    RecordIn::split(bytes).is_some()
}

/// Feeds a session the frames of a record as if the peer had sealed them: what an authenticated but hostile peer can do.
///
/// # Errors
/// As [`Session::handle`].
pub fn accept_frames(session: &mut Session, plaintext: &[u8], now: Instant) -> Result<(), SessionError> {
    if session.is_over() {
        return Err(SessionError::Closed);
    }
    session.accept(plaintext, 0, crate::wire::count(plaintext.len()), now)
}
