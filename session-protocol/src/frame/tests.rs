//! Codec tests of the frames.

use proptest::prelude::*;

use super::*;

const CONTEXT: [u8; 32] = [0xcc; 32];

fn one_of_each() -> Vec<(Frame<'static>, Vec<u8>)> {
    vec![
        (Frame::Pad { length: 3 }, vec![0, 0, 0]),
        (Frame::Ack { rx_next: 0x0102 }, vec![1, 0, 0, 0, 0, 0, 0, 1, 2]),
        (Frame::Ping { id: 7 }, vec![2, 0, 0, 0, 0, 0, 0, 0, 7]),
        (Frame::Pong { id: 7 }, vec![3, 0, 0, 0, 0, 0, 0, 0, 7]),
        (Frame::Confirm, vec![4]),
        (Frame::Close { code: 0x100, final_seq: 9 }, vec![5, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 9]),
        (
            Frame::Ratchet { epoch: 1, e: &CONTEXT, kem: b"ek" },
            [&[6, 0, 0, 0, 1][..], &CONTEXT, &[0, 2], b"ek"].concat(),
        ),
        (
            Frame::RatchetAck { epoch: 2, e: &CONTEXT, kem: b"" },
            [&[7, 0, 0, 0, 2][..], &CONTEXT, &[0, 0]].concat(),
        ),
        (Frame::RatchetReq, vec![8]),
        (Frame::Rehs { step: 1, epoch: 3, message: b"abc" }, vec![9, 1, 0, 0, 0, 3, 0, 3, b'a', b'b', b'c']),
        (Frame::NewCid { cid: b"8 bytes!" }, b"\x0a8 bytes!".to_vec()),
        (Frame::StreamOpen { stream: 1, context: &CONTEXT }, [&[0x10, 0, 0, 0, 1][..], &CONTEXT].concat()),
        (Frame::StreamData { stream: 2, bytes: b"ab" }, vec![0x11, 0, 0, 0, 2, 0, 2, b'a', b'b']),
        (Frame::StreamFin { stream: 3 }, vec![0x12, 0, 0, 0, 3]),
        (Frame::StreamReset { stream: 4, code: 5 }, vec![0x13, 0, 0, 0, 4, 0, 0, 0, 5]),
        (Frame::Window { stream: 5, limit: 6 }, vec![0x14, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6]),
    ]
}

#[test]
fn st_01_layouts_are_those_of_the_specification() {
    for (frame, bytes) in one_of_each() {
        let mut out = Vec::new();
        frame.encode(&mut out);
        assert_eq!(out, bytes, "{frame:?}");
        assert_eq!(frame.encoded_len(), bytes.len(), "{frame:?}");
        assert_eq!(Frames::new(&bytes).collect::<Vec<_>>(), [Ok(frame)]);
    }
}

#[test]
fn rejects_each_truncation_and_keeps_what_came_before() {
    for (frame, bytes) in one_of_each() {
        if matches!(frame, Frame::Pad { .. }) {
            continue;
        }
        for length in 1..bytes.len() {
            let record = [&[4][..], &bytes[..length]].concat();
            let frames: Vec<_> = Frames::new(&record).collect();
            assert_eq!(frames, [Ok(Frame::Confirm), Err(FrameError::Malformed)], "{frame:?} at {length}");
        }
    }
}

#[test]
fn st_02_unknown_types_are_errors() {
    for kind in (0x0b..=0x0f).chain(0x15..=0xff) {
        let bytes = [kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Frames::new(&bytes).collect::<Vec<_>>(), [Err(FrameError::Unknown { kind })]);
    }
}

#[test]
fn empty_data_is_malformed() {
    assert_eq!(Frames::new(&[0x11, 0, 0, 0, 1, 0, 0]).next(), Some(Err(FrameError::Malformed)));
}

#[test]
fn only_ack_pad_and_pong_ask_for_no_ack() {
    let quiet: Vec<_> = one_of_each().into_iter().filter(|(frame, _)| !frame.asks_for_ack()).collect();
    assert_eq!(quiet.len(), 3);
    assert!(
        quiet.iter().all(|(f, _)| matches!(f, Frame::Ack { .. } | Frame::Pad { .. } | Frame::Pong { .. }))
    );
}

proptest! {
    /// Whatever parses encodes to the same bytes: the iterator accounts for every byte.
    #[test]
    fn decoding_is_strict(bytes in prop::collection::vec(prop_oneof![0_u8..0x16, any::<u8>()], 0..200)) {
        let frames: Result<Vec<_>, _> = Frames::new(&bytes).collect();
        if let Ok(frames) = frames {
            let mut out = Vec::new();
            frames.iter().for_each(|frame| frame.encode(&mut out));
            prop_assert_eq!(out, bytes);
        }
    }

    #[test]
    fn sequences_round_trip(
        picks in prop::collection::vec(0_usize..15, 0..20),
        data in prop::collection::vec(any::<u8>(), 1..300),
    ) {
        let all = one_of_each();
        let mut frames: Vec<Frame<'_>> = Vec::new();
        for pick in picks {
            let frame = all[pick].0;
            // Two runs of padding in a row are one run.
            if !(matches!(frame, Frame::Pad { .. }) && matches!(frames.last(), Some(Frame::Pad { .. }))) {
                frames.push(frame);
            }
        }
        frames.push(Frame::StreamData { stream: 77, bytes: &data });
        let mut out = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut out));
        let decoded: Vec<_> = Frames::new(&out).map(Result::unwrap).collect();
        prop_assert_eq!(decoded, frames);
    }
}
