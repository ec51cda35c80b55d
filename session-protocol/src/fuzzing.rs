//! Entry points for fuzz targets: each takes any bytes and must return. Not part of the public interface.

use std::time::Instant;

use crate::{
    Hello, Session, SessionError,
    frame::Frames,
    record::{RecordIn, resume},
};

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

/// Reads a message of a resumption as far as anybody can, and answers it as a stranger; returns whether it is a RESUME.
pub fn decode_resume(bytes: &[u8]) -> bool {
    let answer = resume::unknown_cid(bytes);
    if let Some(answer) = &answer {
        assert_eq!(resume::unknown(answer).map(|cid| &cid[..]), bytes.get(1..9));
        assert_eq!(resume::unknown_cid(answer), None, "an answer is never answered");
    }
    answer.is_some()
}

/// Feeds a session the frames of a record as if the peer had sealed them: what an authenticated but hostile peer can do.
/// The stream data that the events name is in `plaintext`.
///
/// # Errors
/// As [`Session::handle`].
pub fn accept_frames(session: &mut Session, plaintext: &mut [u8], now: Instant) -> Result<(), SessionError> {
    if session.is_over() {
        return Err(SessionError::Closed);
    }
    let length = crate::wire::count(plaintext.len());
    session.accept(plaintext, 0, 0, length, now)
}
