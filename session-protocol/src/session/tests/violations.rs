//! What a peer with the right keys does wrong, stream by stream.

use super::*;

#[test]
fn st_03_each_violation_closes_with_its_code() {
    let open = |stream| Frame::StreamOpen { stream, context: &[0; 32] };
    assert_closes(&[Frame::Confirm], close::CONFIRM);
    assert_closes(&[Frame::Ping { id: 1 }, Frame::Confirm], close::CONFIRM);
    assert_closes(&[Frame::Ack { rx_next: 1 }], close::ACK_BEYOND);
    assert_closes(&[], close::FRAME_MALFORMED);
    assert_closes(&[Frame::Close { code: 0, final_seq: 7 }], close::FINAL_SEQ);
    assert_closes(&[Frame::Close { code: 0, final_seq: 1 }, FIN_1], close::FRAME_MALFORMED);
    assert_closes(&[DATA_1], close::STREAM_UNKNOWN);
    assert_closes(&[FIN_1], close::STREAM_UNKNOWN);
    assert_closes(&[Frame::StreamReset { stream: 1, code: 0 }], close::STREAM_UNKNOWN);
    assert_closes(&[Frame::Window { stream: 1, limit: 0 }], close::STREAM_UNKNOWN);
    assert_closes(&[Frame::Window { stream: 0, limit: 0 }], close::STREAM_UNKNOWN);
    assert_closes(&[Frame::Window { stream: 4, limit: 0 }], close::STREAM_UNKNOWN);
    assert_closes(&[open(0)], close::STREAM_ID);
    assert_closes(&[open(3)], close::STREAM_ID);
    assert_closes(&[open(2)], close::STREAM_ID);
    assert_closes(&[OPEN_1, OPEN_1], close::STREAM_ID);
    assert_closes(&[OPEN_1, FIN_1, DATA_1], close::STREAM_FINISHED);
    assert_closes(&[OPEN_1, FIN_1, FIN_1], close::STREAM_FINISHED);
}

/// Decides SE-14.
#[test]
fn st_03_unknown_frames_and_flags_close() {
    for (plaintext, flags, code) in [
        (&[0x0b][..], 0, close::FRAME_UNKNOWN),
        (&[0xff], 0, close::FRAME_UNKNOWN),
        (&[0x11, 0], 0, close::FRAME_MALFORMED),
        (&[0x00], 1, close::FLAGS),
    ] {
        let (_, mut b, now) = pair(&Limits::default());
        assert_eq!(
            b.accept(&mut plaintext.to_vec(), 0, flags, 40, now),
            Err(SessionError::Violation { code })
        );
        assert!(matches!(b.poll(now), Output::Event(Event::Closed { by_peer: false, .. })));
        assert!(matches!(b.poll(now), Output::Transmit { .. }));
    }
}

/// A record whose last frame is wrong has no effect but the end.
#[test]
fn a_malformed_record_delivers_nothing() {
    let (_, mut b, now) = pair(&Limits::default());
    let mut plaintext = Vec::new();
    [OPEN_1, DATA_1].iter().for_each(|frame| frame.encode(&mut plaintext));
    plaintext.push(0xee);
    assert!(b.accept(&mut plaintext, 0, 0, 60, now).is_err());
    let events: Vec<_> = std::iter::from_fn(|| b.poll_event()).collect();
    assert_eq!(events, [Event::Closed { code: close::FRAME_UNKNOWN, by_peer: false }]);
}

#[test]
fn st_06_data_beyond_the_credit_closes_to_the_byte() {
    let limits = Limits { stream_window: 100, ..Limits::default() };
    let fill = [0; 100];
    let exact = [OPEN_1, Frame::StreamData { stream: 1, bytes: &fill }];
    let (mut a, mut b, now) = pair(&limits);
    hostile(&mut a, &mut b, &exact, now).unwrap();
    drain(&mut b);
    let error = hostile(&mut a, &mut b, &[DATA_1], now);
    assert_eq!(error, Err(SessionError::Violation { code: close::STREAM_CREDIT }));
}

#[test]
fn st_05_a_257th_stream_closes_and_a_finished_one_makes_room() {
    let (mut a, mut b, now) = pair(&Limits::default());
    let open = |stream| Frame::StreamOpen { stream, context: &[0; 32] };
    for i in 0..256 {
        hostile(&mut a, &mut b, &[open(2 * i + 1)], now).unwrap();
    }
    hostile(&mut a, &mut b, &[Frame::StreamReset { stream: 5, code: 0 }, open(513)], now).unwrap();
    let error = hostile(&mut a, &mut b, &[open(515)], now);
    assert_eq!(error, Err(SessionError::Violation { code: close::STREAM_LIMIT }));
}

#[test]
fn st_07_late_frames_for_a_stream_that_is_over_are_ignored() {
    let (mut a, mut b, now) = pair(&Limits::default());
    hostile(&mut a, &mut b, &[OPEN_1, DATA_1], now).unwrap();
    b.reset(StreamId::new(1), 9).unwrap();
    assert_eq!(b.reset(StreamId::new(1), 9), Err(StreamError::Unknown));
    assert!(b.has_frames());
    let window = Frame::Window { stream: 1, limit: 1 << 40 };
    drain(&mut b);
    hostile(&mut a, &mut b, &[DATA_1, FIN_1, FIN_1, window, DATA_1], now).unwrap();
    assert_eq!(b.poll_event(), None);
    assert!(b.has_frames());
    hostile(&mut a, &mut b, &[Frame::StreamReset { stream: 1, code: 0 }, DATA_1], now).unwrap();
    assert_eq!(b.poll_event(), None);
    assert!(!b.has_frames(), "the two crossed, and the peer needs none any more");
    assert_eq!(b.consume(StreamId::new(1), 1), Ok(()));
    assert_eq!(b.consume(StreamId::new(3), 1), Err(StreamError::Unknown));
}

#[test]
fn windows_never_shrink() {
    let (mut a, mut b, now) = pair(&Limits::default());
    hostile(&mut a, &mut b, &[OPEN_1, Frame::Window { stream: 1, limit: 0 }], now).unwrap();
    assert_eq!(b.write(StreamId::new(1), &[0; 10]), Ok(10));
}
