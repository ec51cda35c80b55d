//! The relay frame codec.

use proptest::prelude::*;

use crate::protocols::relay::{CircuitId, CloseCode, Frame, FrameError, MAX_RECORD};

/// Decides NA-07, RL-30.
#[test]
fn bytes_are_as_specified() {
    let circuit = CircuitId(0x0102_0304);
    let cases: [(Frame<'_>, &[u8]); 3] = [
        (Frame::Data { circuit, record: b"ab" }, &[1, 1, 2, 3, 4, b'a', b'b']),
        (Frame::Credit { circuit, bytes: 0x0004_0000 }, &[2, 1, 2, 3, 4, 0, 4, 0, 0]),
        (Frame::Close { circuit, code: CloseCode(0x0105) }, &[3, 1, 2, 3, 4, 1, 5]),
    ];
    for (frame, bytes) in cases {
        assert_eq!(frame.encode(), bytes);
        assert_eq!(Frame::decode(bytes), Ok(frame));
    }
}

/// Decides RL-21, RL-22.
#[test]
fn rejects_truncation_trailing_bytes_unknown_types_and_long_records() {
    let circuit = CircuitId(7);
    let frames = [
        Frame::Credit { circuit, bytes: 1 }.encode(),
        Frame::Close { circuit, code: CloseCode::DONE }.encode(),
    ];
    for frame in frames {
        for end in 0..frame.len() {
            assert_eq!(Frame::decode(&frame[..end]), Err(FrameError::Length { got: end }));
        }
        let longer = [frame.as_slice(), &[0]].concat();
        assert_eq!(Frame::decode(&longer), Err(FrameError::Length { got: longer.len() }));
    }
    let mut data = Frame::Data { circuit, record: &vec![0; MAX_RECORD] }.encode();
    assert!(Frame::decode(&data).is_ok());
    data.push(0);
    assert_eq!(Frame::decode(&data), Err(FrameError::Length { got: data.len() }));
    assert_eq!(Frame::decode(&[1, 0, 0, 0, 7]), Err(FrameError::Length { got: 5 }));
    assert_eq!(Frame::decode(&[2, 0, 0, 0, 7, 0, 0, 0, 0]), Err(FrameError::NoCredit));
    for type_ in (0..=255).filter(|type_| !(1..=3).contains(type_)) {
        assert_eq!(Frame::decode(&[type_, 0, 0, 0, 7, 0, 0]), Err(FrameError::Type { got: type_ }));
    }
}

proptest! {
    #[test]
    fn what_decodes_encodes_to_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(frame) = Frame::decode(&bytes) {
            prop_assert_eq!(frame.encode(), bytes);
        }
    }
}
