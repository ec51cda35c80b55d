//! `frames.json`: every frame in both directions, and what is no frame.

use serde_json::Value;

use super::{bytes, file, list, number, small, text};
use crate::{
    close,
    frame::{Frame, FrameError, Frames},
};

const FILE: &str = include_str!("../../../spec/vectors/session/frames.json");

/// The fields of a frame of the vectors that are bytes, so that frames can borrow them.
struct Parts(Vec<u8>);

impl Parts {
    fn of(frame: &Value) -> Self {
        let name = ["data", "context", "cid", "e"].into_iter().find(|name| frame.get(*name).is_some());
        Self(name.map_or(Vec::new(), |name| bytes(frame, name)))
    }

    /// `None` for a frame that this crate does not have.
    fn frame(&self, frame: &Value) -> Option<Frame<'_>> {
        let stream = || small(frame, "stream");
        Some(match text(frame, "type") {
            "PAD" => Frame::Pad { length: small(frame, "count") },
            "ACK" => Frame::Ack { rx_next: number(frame, "rx_next") },
            "PING" => Frame::Ping { id: number(frame, "id") },
            "PONG" => Frame::Pong { id: number(frame, "id") },
            "CONFIRM" => Frame::Confirm,
            "CLOSE" => Frame::Close { code: small(frame, "code"), final_seq: number(frame, "final_seq") },
            "STREAM_OPEN" => {
                Frame::StreamOpen { stream: stream(), context: self.0.as_slice().try_into().unwrap() }
            }
            "STREAM_DATA" => Frame::StreamData { stream: stream(), bytes: &self.0 },
            "STREAM_FIN" => Frame::StreamFin { stream: stream() },
            "STREAM_RESET" => Frame::StreamReset { stream: stream(), code: small(frame, "code") },
            "WINDOW" => Frame::Window { stream: stream(), limit: number(frame, "limit") },
            _ => return None,
        })
    }
}

fn decode(plaintext: &[u8]) -> Result<Vec<Frame<'_>>, FrameError> {
    Frames::new(plaintext).collect()
}

#[test]
fn st_01_every_frame_both_ways() {
    let file = file(FILE);
    for row in list(&file, "frames") {
        let (encoded, parts) = (bytes(row, "bytes"), Parts::of(&row["frame"]));
        let Some(frame) = parts.frame(&row["frame"]) else { continue };
        let mut out = Vec::new();
        frame.encode(&mut out);
        assert_eq!(out, encoded, "{}", row["frame"]);
        assert_eq!(frame.encoded_len(), encoded.len());
        assert_eq!(decode(&encoded).unwrap(), [frame]);
    }
    let several = &file["several"];
    let parts: Vec<_> = list(several, "frames").iter().map(|frame| (Parts::of(frame), frame)).collect();
    let frames: Vec<_> = parts.iter().map(|(parts, frame)| parts.frame(frame).unwrap()).collect();
    assert_eq!(decode(&bytes(several, "bytes")).unwrap(), frames);
}

/// Those that a decoder of single frames can see; what concerns a whole record is in `session.json`.
#[test]
fn st_02_what_is_no_frame() {
    let file = file(FILE);
    for row in list(&file, "must_fail") {
        let (name, plaintext) = (text(row, "name"), bytes(row, "bytes"));
        // This crate has no frames of epochs yet.
        if matches!(plaintext.first(), Some(0x06..=0x0a)) {
            continue;
        }
        let code: u32 = small(&row["outcome"], "close");
        let seen = match decode(&plaintext) {
            Ok(frames) if frames.is_empty() => close::FRAME_MALFORMED,
            Ok(_) if name.starts_with("a frame after CLOSE") => close::FRAME_MALFORMED,
            Err(FrameError::Malformed) => close::FRAME_MALFORMED,
            Err(FrameError::Unknown { .. }) => close::FRAME_UNKNOWN,
            Ok(frames) => panic!("{name}: {frames:?}"),
        };
        assert_eq!(seen, code, "{name}");
    }
}

#[test]
fn codes_of_close() {
    let file = file(FILE);
    let codes = &file["codes"];
    for (name, code) in [
        ("DONE", close::DONE),
        ("FRAME_UNKNOWN", close::FRAME_UNKNOWN),
        ("FRAME_MALFORMED", close::FRAME_MALFORMED),
        ("CONFIRM", close::CONFIRM),
        ("ACK_BEYOND", close::ACK_BEYOND),
        ("FINAL_SEQ", close::FINAL_SEQ),
        ("RECORD_LIMIT", close::RECORD_LIMIT),
        ("FLAGS", close::FLAGS),
        ("PATH_LOST", close::PATH_LOST),
        ("STREAM_CREDIT", close::STREAM_CREDIT),
        ("STREAM_LIMIT", close::STREAM_LIMIT),
        ("STREAM_FINISHED", close::STREAM_FINISHED),
        ("STREAM_UNKNOWN", close::STREAM_UNKNOWN),
        ("STREAM_ID", close::STREAM_ID),
    ] {
        assert_eq!(number(codes, name), u64::from(code), "{name}");
    }
}
