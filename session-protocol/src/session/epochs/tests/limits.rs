//! The limits of an epoch: who begins the next one, what is sealed meanwhile, what is lost (nothing).

use super::*;

#[test]
fn se_10_the_last_epoch_of_all_ends_with_its_limits() {
    let mut two = Two::new(&Limits::default());
    for session in [&mut two.a, &mut two.b] {
        let (sealed, opened) = (session.sealer.next(), session.opener.next());
        session.sealer.jump(u32::MAX - 1, sealed, 3);
        session.opener.jump(u32::MAX - 1, opened, 3);
    }
    two.ratchet();
    assert_eq!(two.epochs(), [u32::MAX; 4]);
    two.a.ratchet();
    two.b.ratchet();
    two.settle();
    assert_eq!(two.epochs(), [u32::MAX; 4], "there is no next one");
    assert!(!two.a.is_over() && !two.b.is_over());
    two.now += Duration::from_secs(180);
    let seen = two.settle();
    assert!(seen.contains(&Event::Closed { code: close::RECORD_LIMIT, by_peer: true }), "{seen:?}");
}

#[test]
fn se_10_each_soft_limit_begins_an_epoch() {
    // Time, idle: nothing but the clock moves.
    let mut two = Two::new(&Limits::default());
    let Output::Timeout(Some(deadline)) = two.a.poll(two.now) else { panic!("the epoch has an end") };
    two.now = deadline - Duration::from_millis(1);
    assert!(two.settle_at().is_empty());
    two.now = deadline;
    two.a.handle(Input::Timeout, two.now).unwrap();
    two.settle();
    assert_eq!(two.epochs(), [1; 4]);
    // And again, with no word between.
    for epoch in 2..20 {
        two.now += Duration::from_secs(60);
        two.settle();
        assert_eq!(two.epochs(), [epoch; 4]);
    }

    // Records and bytes, of either direction.
    for (limits, size) in [
        (limits(|l| l.soft.records = 100), 1),
        (limits(|l| (l.soft.records, l.soft.bytes) = (1 << 20, 100_000)), 1000),
    ] {
        for by_a in [true, false] {
            let mut two = Two::new(&limits);
            let stream = if by_a { two.a.open([1; 32]) } else { two.b.open([1; 32]) }.unwrap();
            for round in 0..300 {
                let (writer, reader) = if by_a { (&mut two.a, &mut two.b) } else { (&mut two.b, &mut two.a) };
                writer.write(stream, &vec![7; size]).unwrap();
                pump(writer, reader, two.now, &mut Vec::new());
                reader.consume(stream, size).unwrap();
                pump(reader, writer, two.now, &mut Vec::new());
                two.now += Duration::from_millis(1);
                assert!(two.epochs()[0] <= 4 && (round < 150 || two.epochs()[0] >= 1), "{:?}", two.epochs());
            }
        }
    }
}

/// Busy: data flows all the time, and no epoch gets older than the soft limit and a round trip.
#[test]
fn se_10_a_busy_session_changes_epochs_by_the_clock_and_loses_nothing() {
    let mut two = Two::new(&Limits::default());
    let stream = two.a.open([1; 32]).unwrap();
    let mut written = 0_usize;
    for _ in 0..700 {
        two.a.write(stream, &written.to_be_bytes()).unwrap();
        written += 1;
        two.now += Duration::from_secs(1);
        for event in two.settle_at() {
            if let Event::StreamData { range, .. } = event {
                two.b.consume(stream, range.len()).unwrap();
            }
        }
    }
    let expected: Vec<u8> = (0..written).flat_map(usize::to_be_bytes).collect();
    assert_eq!(two.data, expected);
    assert!((10..=12).contains(&two.epochs()[0]), "{:?}", two.epochs());
}

/// S14, S20: a peer that does not answer stops the data at the hard limit, and nothing is lost when it does.
#[test]
fn se_10_beyond_the_hard_limit_only_control_is_sealed_and_nothing_is_lost() {
    for limits in [
        limits(|_| {}),
        limits(|l| (l.soft.records, l.hard.records) = (20, 40)),
        limits(|l| (l.soft.bytes, l.hard.bytes) = (1000, 4000)),
    ] {
        let mut two = Two::new(&limits);
        let stream = two.a.open([1; 32]).unwrap();
        two.a.write(stream, b"start").unwrap();
        two.settle();
        // The records of `a` do not arrive any more.
        let mut held = Vec::new();
        let mut accepted = 0;
        for round in 0..300_u32 {
            two.now += Duration::from_secs(1);
            accepted += two.a.write(stream, &round.to_be_bytes()).unwrap();
            while let Some(record) = transmit(&mut two.a, two.now) {
                held.push(record);
            }
        }
        assert_eq!(accepted, 1200, "the send buffer has room");
        assert!(two.a.epochs.is_spent() && two.a.streams.has_unsent() && !two.a.is_over());
        // Control goes on.
        two.a.ping();
        let control = transmit(&mut two.a, two.now).unwrap();
        held.push(control);
        two.a.write(stream, b"more").unwrap();
        assert_eq!(transmit(&mut two.a, two.now), None);
        // Back-pressure: a writer is told to wait.
        let filled = two.a.write(stream, &vec![0; 2 << 20]).unwrap();
        assert!(filled < 1 << 20);

        let before = held.len();
        let mut data = 0;
        let mut seen = Vec::new();
        for record in held {
            seen.extend(take(&mut two.b, &record, two.now).into_iter().map(|(event, _)| event));
        }
        assert!(before < 200);
        for _ in 0..20 {
            seen.extend(two.settle());
        }
        for event in seen {
            if let Event::StreamData { range, .. } = event {
                data += range.len();
            }
        }
        assert!(two.epochs()[0] >= 1);
        assert_eq!(data, accepted + 4 + filled);
    }
}

/// The list of SE-10.
#[test]
fn se_10_a_spent_epoch_lets_through_what_the_list_says() {
    let mut two = Two::new(&Limits::default());
    two.ratchet();
    let theirs = two.a.open([1; 32]).unwrap();
    two.a.write(theirs, &[0; 1 << 19]).unwrap();
    two.a.ping();
    two.forth();
    two.b.epochs.limits.hard.records = 0;
    two.b.consume(theirs, 1 << 19).unwrap();
    let own = two.b.open([1; 32]).unwrap();
    two.b.write(own, b"x").unwrap();
    two.b.ping();
    two.b.ratchet();
    let first = transmit(&mut two.b, two.now).unwrap();
    let kinds: Vec<String> = peek(&two.a.opener, &first).iter().map(|frame| frame[..4].to_owned()).collect();
    assert_eq!(kinds, ["Ack ", "Pong", "Ping", "Ratc"]);
    assert!(two.b.streams.has_windows() && !two.b.control.is_empty());
    assert_eq!(transmit(&mut two.b, two.now), None);
    two.b.epochs.limits.hard.records = 1 << 24;
    let record = transmit(&mut two.b, two.now).unwrap();
    give(&mut two.a, &first, two.now).unwrap();
    let kinds: Vec<String> = peek(&two.a.opener, &record).iter().map(|frame| frame[..8].to_owned()).collect();
    assert_eq!(kinds, ["StreamOp", "Window {", "StreamDa"]);
    two.b.epochs.limits.hard.records = 0;
    two.b.close(close::DONE);
    assert!(transmit(&mut two.b, two.now).is_some(), "the end is always said");
}

/// A responder that sends much asks before it must stop.
#[test]
fn se_21_a_responder_asks_halfway_to_its_hard_limit() {
    // The initiator's limits would let the epoch last.
    let now = origin();
    let (a, _) = sessions(&limits(|l| (l.soft.records, l.hard.records) = (5000, 6000)), now);
    let (_, b) = sessions(&limits(|l| (l.soft.records, l.hard.records) = (100, 300)), now);
    let mut two = Two { a, b, now, sent: Default::default(), data: Vec::new() };
    two.settle();
    let stream = two.b.open([1; 32]).unwrap();
    for _ in 0..1000 {
        two.b.write(stream, b"x").unwrap();
        two.back();
        two.forth();
        assert!(two.b.sealer.volume().records <= 202 && !two.b.epochs.is_spent());
    }
    assert!(two.epochs()[0] >= 4, "{:?}", two.epochs());
}

#[test]
fn se_10_the_last_record_of_an_epoch_can_only_be_the_end() {
    let limits = limits(|l| (l.soft.records, l.hard.records, l.last) = (8, 10, 20));
    let mut two = Two::new(&limits);
    // The peer answers pings but never a RATCHET: its records do not arrive, ours are pings.
    let stream = two.a.open([1; 32]).unwrap();
    let mut records = Vec::new();
    for _ in 0..50 {
        two.a.ping.outstanding = None;
        two.a.ping();
        let _ = two.a.write(stream, b"x");
        while let Some(record) = transmit(&mut two.a, two.now) {
            records.push(record);
        }
    }
    assert!(two.a.is_over());
    assert_eq!(two.a.sealer.volume().records, 20);
    let mut seen = Vec::new();
    for record in &records {
        seen.extend(take(&mut two.b, record, two.now).into_iter().map(|(event, _)| event));
    }
    assert_eq!(seen.last(), Some(&Event::Closed { code: close::RECORD_LIMIT, by_peer: true }));
}

/// SE-32: forgeries wear an epoch out.
#[cfg(not(feature = "null-cipher"))]
#[test]
fn se_32_many_forgeries_bring_a_new_epoch_and_count_anew() {
    let limits = limits(|l| l.forgeries = 50);
    for victim_is_a in [true, false] {
        let mut two = Two::new(&limits);
        for epoch in 1..4 {
            let victim = if victim_is_a { &mut two.a } else { &mut two.b };
            for _ in 0..49 {
                assert_eq!(give(victim, &[0x10; 60], two.now), Err(SessionError::Rejected));
            }
            two.settle();
            assert_eq!(two.epochs(), [epoch - 1; 4]);
            let victim = if victim_is_a { &mut two.a } else { &mut two.b };
            assert_eq!(give(victim, &[0x10; 60], two.now), Err(SessionError::Rejected));
            two.settle();
            assert_eq!(two.epochs(), [epoch; 4]);
        }
    }
}

/// A peer that was away does not find itself out of time.
#[test]
fn se_10_time_without_a_connection_does_not_count() {
    let mut two = Two::new(&Limits::default());
    let away = |two: &mut Two, seconds| {
        let (first, now) = (crate::testing::FIRST, two.now);
        [&mut two.a, &mut two.b].into_iter().for_each(|session| session.disconnected(first, now));
        two.now += Duration::from_secs(seconds);
        let now = two.now;
        [&mut two.a, &mut two.b].into_iter().for_each(|session| session.tick(now));
    };
    two.now += Duration::from_secs(50);
    two.settle();
    away(&mut two, 100_000);
    assert!(!two.a.epochs.due && !two.a.epochs.spent && !two.b.epochs.due && !two.b.epochs.spent);
    // Time goes on with the next connection.
    let now = two.now;
    two.a.epochs.connected(true, now);
    two.a.tick(now + Duration::from_secs(9));
    assert!(!two.a.epochs.due);
    two.a.tick(now + Duration::from_secs(10));
    assert!(two.a.epochs.due && !two.a.epochs.spent);
    two.a.tick(now + Duration::from_secs(130));
    assert!(two.a.epochs.spent);
}
