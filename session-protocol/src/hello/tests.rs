//! Codec tests of the hello.

use proptest::prelude::*;

use super::*;

fn example() -> Hello {
    Hello {
        cids: vec![[1; 8], [2; 8]],
        max_record: 65536,
        stream_window: 1 << 20,
        prev_sid: Some([3; 32]),
        extensions: vec![
            Extension { kind: 1, value: b"one".to_vec() },
            Extension { kind: 9, value: Vec::new() },
        ],
    }
}

#[test]
fn hs_07_layout_is_the_one_of_the_specification() {
    let hello = Hello {
        cids: vec![[0xa1; 8]],
        max_record: 0x8000,
        stream_window: 0x0010_0000,
        prev_sid: None,
        extensions: vec![Extension { kind: 0x0102, value: vec![0xee] }],
    };
    let bytes =
        [&[1, 1][..], &[0xa1; 8], &[0, 0, 0x80, 0], &[0, 0x10, 0, 0], &[0], &[1, 2, 0, 1, 0xee]].concat();
    assert_eq!(hello.encode().unwrap(), bytes);
    assert_eq!(Hello::decode(&bytes).unwrap(), hello);
}

#[test]
fn rejects_each_truncation_that_is_not_a_border_of_extensions() {
    let bytes = example().encode().unwrap();
    let borders = [bytes.len() - 4, bytes.len() - 4 - 7];
    for length in 0..bytes.len() {
        let decoded = Hello::decode(&bytes[..length]);
        if borders.contains(&length) {
            assert!(decoded.unwrap().extensions.len() < 2);
        } else {
            assert_eq!(decoded, Err(HelloError::Truncated), "at {length}");
        }
    }
}

#[test]
fn rejects_trailing_bytes() {
    let mut bytes = example().encode().unwrap();
    for _ in 0..3 {
        bytes.push(0);
        assert_eq!(Hello::decode(&bytes), Err(HelloError::Truncated));
    }
    // A fourth makes an extension of type 0, which does not ascend.
    bytes.push(0);
    assert_eq!(Hello::decode(&bytes), Err(HelloError::Extensions));
}

#[test]
fn hs_07_rejects_values_out_of_range() {
    type Change = fn(&mut Hello);
    let cases: [(Change, HelloError); 8] = [
        (|h| h.cids.clear(), HelloError::Cids),
        (|h| h.cids = (0..9).map(|i| [i; 8]).collect(), HelloError::Cids),
        (|h| h.cids[1] = h.cids[0], HelloError::Cids),
        (|h| h.max_record = 1023, HelloError::MaxRecord { max_record: 1023 }),
        (|h| h.max_record = 65537, HelloError::MaxRecord { max_record: 65537 }),
        (|h| h.stream_window = 0, HelloError::StreamWindow),
        (|h| h.extensions[1].kind = 1, HelloError::Extensions),
        (|h| h.extensions.swap(0, 1), HelloError::Extensions),
    ];
    for (change, error) in cases {
        let mut hello = example();
        change(&mut hello);
        assert_eq!(hello.encode(), Err(error));
    }
    let bytes = example().encode().unwrap();
    for (index, value, error) in [
        (0, 2, HelloError::Version { version: 2 }),
        (1, 0, HelloError::Truncated),
        (1, 9, HelloError::Cids),
        (26, 31, HelloError::PrevSid),
    ] {
        let mut bytes = bytes.clone();
        bytes[index] = value;
        let decoded = Hello::decode(&bytes);
        assert!(decoded == Err(error) || index == 1 && decoded.is_err(), "{index}: {decoded:?}");
    }
}

proptest! {
    #[test]
    fn round_trips(
        cids in prop::collection::hash_set(any::<[u8; 8]>(), 1..=8),
        max_record in 2048_u32..=65536,
        stream_window in 1_u32..,
        prev_sid: Option<[u8; 32]>,
        extensions in prop::collection::btree_map(any::<u16>(), prop::collection::vec(any::<u8>(), 0..20), 0..5),
    ) {
        let extensions = extensions.into_iter().map(|(kind, value)| Extension { kind, value }).collect();
        let hello = Hello { cids: cids.into_iter().collect(), max_record, stream_window, prev_sid, extensions };
        prop_assert_eq!(Hello::decode(&hello.encode().unwrap()), Ok(hello));
    }

    /// Whatever decodes encodes to the same bytes: there is one encoding of each hello.
    #[test]
    fn decoding_is_strict(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(hello) = Hello::decode(&bytes) {
            prop_assert_eq!(hello.encode().unwrap(), bytes);
        }
    }
}
