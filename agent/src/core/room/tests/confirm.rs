//! The words are confirmed before anything starts.

use super::*;

const LIMIT: Duration = Duration::from_secs(600);

fn asking(seed: u8) -> Member {
    Member { confirm: Some(LIMIT), ..member(seed, Some(ThresholdRule::Default)) }
}

impl Table {
    /// Parties 1 to `parties`; those whose seat is in `asking` compare the words. All are ready.
    fn ready_with(parties: u8, those: &[usize]) -> Self {
        let mut table = Self::new(usize::from(parties));
        if those.contains(&0) {
            let invitation = table.seats[0].room.invitation.clone();
            table.seats[0].room = Room::host(asking(1), invitation, usize::from(parties));
        }
        for seed in 2..=parties {
            let asks = those.contains(&usize::from(seed - 1));
            table.join(if asks { asking(seed) } else { member(seed, Some(ThresholdRule::Default)) });
            table.carry();
        }
        table.connect();
        table.carry();
        table
    }

    fn has_started(&self) -> Vec<bool> {
        self.seats.iter().map(|seat| seat.ready.is_some()).collect()
    }
}

/// Decides RM-91, RM-92.
#[test]
fn nobody_starts_before_all_who_asked_for_it_have_confirmed() {
    for parties in [2, 3, 5] {
        let last = usize::from(parties) - 1;
        let mut table = Table::ready_with(parties, &[0, last]);
        for seat in &table.seats {
            assert!(seat.ready.is_none() && seat.words.len() == 4);
            assert_eq!(seat.words, table.seats[0].words);
            assert_eq!(seat.room.confirming().unwrap().1, [0, last]);
        }
        assert!(table.seats[0].room.asks_us() && table.seats[last].room.asks_us());
        table.input(last, Input::Compared(true));
        table.carry();
        assert!(table.seats.iter().all(|seat| seat.ready.is_none()));
        assert!(table.seats.iter().all(|seat| seat.events.contains(&Event::Confirmed { index: last })));
        assert_eq!(table.seats[0].room.confirming().unwrap().1, [0]);
        table.input(0, Input::Compared(true));
        table.carry();
        assert!(table.has_started().iter().all(|started| *started));
        assert!(table.seats.iter().all(|seat| seat.failed.is_none()));
    }
}

/// Decides RM-91.
#[test]
fn without_anybody_who_asks_the_roster_says_nothing_of_it() {
    let table = Table::ready_with(3, &[]);
    assert!(table.has_started().iter().all(|started| *started));
    let roster = String::from_utf8(table.seats[0].ready.as_ref().unwrap().bytes().to_vec()).unwrap();
    assert!(!roster.contains("confirm"), "{roster}");
}

/// Decides RM-91: a host that leaves the wish out.
#[test]
fn a_roster_without_our_wish_is_refused() {
    let mut table = Table::new(2);
    table.join(asking(2));
    let (from, to, mut join) = table.mail.pop_front().unwrap();
    join.body.as_object_mut().unwrap().remove("confirm").unwrap();
    table.deliver(from, &to, join);
    table.carry();
    let failure = table.seats[1].failed.clone().unwrap();
    assert_eq!(failure.kind, Kind::RosterRefused);
    assert!(failure.message.contains("entry for this party"), "{failure}");
}

/// Decides RM-93.
#[test]
fn a_no_ends_the_room_for_everybody_and_all_know_whose_it_was() {
    let mut table = Table::ready_with(3, &[1]);
    table.input(1, Input::Compared(false));
    let failure = table.seats[1].failed.clone().unwrap();
    assert_eq!((failure.kind, failure.message.as_str()), (Kind::WordsRefused, leave::SAID_NO));
    // As the engine says goodbye.
    let body = Leave { code: leave::WORDS_REFUSED.to_owned(), comment: None, exit_code: Some(8) };
    table.input(1, Input::Leave(body));
    // Somebody who ends for it names it, whose word may be the first to arrive.
    table.carry();
    for seat in [0, 2] {
        let failure = table.seats[seat].failed.clone().unwrap();
        assert_eq!(failure.kind, Kind::WordsRefused);
        assert_eq!(failure.message, "party 1 (party 2) said that the words are not the same");
        assert!(table.seats[seat].ready.is_none());
    }
    let hearsay = Leave {
        code: leave::WORDS_REFUSED.to_owned(),
        comment: Some("party 1 (bob) said that the words are not the same".to_owned()),
        exit_code: Some(8),
    };
    let failure = leave::before_the_start("party 2 (carol)", &hearsay);
    assert_eq!(failure.kind, Kind::WordsRefused);
    assert!(failure.message.starts_with("party 2 (carol) stopped: party 1 (bob) said"), "{failure}");
}

/// Decides RM-94.
#[test]
fn who_takes_too_long_ends_the_room_and_the_others_wait_longer() {
    let mut table = Table::ready_with(3, &[2]);
    table.passed = LIMIT - Duration::from_secs(1);
    for seat in 0..3 {
        table.input(seat, Input::Timeout);
    }
    assert!(table.seats.iter().all(|seat| seat.failed.is_none()));
    table.passed = LIMIT;
    for seat in 0..3 {
        table.input(seat, Input::Timeout);
    }
    assert!(table.seats[..2].iter().all(|seat| seat.failed.is_none()));
    let failure = table.seats[2].failed.clone().unwrap();
    assert_eq!((failure.kind, failure.message.as_str()), (Kind::Unconfirmed, leave::NOT_SAID));
    let body = Leave { code: leave::UNCONFIRMED.to_owned(), comment: None, exit_code: Some(6) };
    table.input(2, Input::Leave(body));
    table.carry();
    for seat in &table.seats[..2] {
        let failure = seat.failed.clone().unwrap();
        assert_eq!(failure.kind, Kind::Unconfirmed);
        assert_eq!(failure.message, "party 2 (party 3) did not confirm the words in time");
    }
}

/// Decides RM-94.
#[test]
fn nobody_waits_for_ever_for_anothers_person() {
    let mut table = Table::ready_with(2, &[1]);
    table.passed = Duration::from_secs(3660);
    table.input(0, Input::Timeout);
    let failure = table.seats[0].failed.clone().unwrap();
    assert_eq!(failure.kind, Kind::Unconfirmed);
    assert_eq!(failure.message, "party 1 (party 2) did not confirm the words in time");
}

/// Decides RM-92, RM-95.
#[test]
fn a_confirmation_that_was_lost_comes_again_also_from_one_who_has_started() {
    let mut table = Table::ready_with(3, &[0, 1]);
    table.input(0, Input::Compared(true));
    table.carry();
    table.input(1, Input::Compared(true));
    // Party 2 does not get it; the others start.
    let lost = table.seats[2].room.member().connection.did.clone();
    table.mail.retain(|(_, to, _)| did::did_of(to) != lost);
    table.carry();
    assert_eq!(table.has_started(), [true, true, false]);
    table.passed = Duration::from_secs(10);
    table.input(2, Input::Timeout);
    let asked: Vec<_> = table.mail.iter().map(|(_, to, _)| did::did_of(to).to_owned()).collect();
    assert_eq!(asked, [table.seats[1].room.member().connection.did.clone()], "nobody else is missing");
    table.carry();
    assert_eq!(table.has_started(), [true, true, true]);
}

/// Decides RM-92.
#[test]
fn a_confirmation_that_is_early_of_another_roster_or_of_nobody_who_was_asked() {
    // One that comes before the last `ready` counts.
    let mut table = Table::new(3);
    for seat in [asking(2), member(3, Some(ThresholdRule::Default))] {
        table.join(seat);
        table.carry();
    }
    table.connect();
    let (held, rest): (VecDeque<_>, _) =
        std::mem::take(&mut table.mail).into_iter().partition(|(from, to, _)| {
            *from == 2 && did::did_of(to) == table.seats[0].room.member().connection.did
        });
    table.mail = rest;
    table.carry();
    table.input(1, Input::Compared(true));
    table.carry();
    assert_eq!(table.has_started(), [false, true, true]);
    table.mail = held;
    table.carry();
    assert_eq!(table.has_started(), [true, true, true]);

    let room = |table: &Table| table.seats[0].room.invitation.room().to_owned();
    let confirmed = |table: &Table, hash| Confirmed { hash }.message("x").pthid(room(table));
    // Of another roster it ends the room.
    let mut table = Table::ready_with(3, &[1]);
    let to = table.seats[0].room.member().connection.kid.clone();
    table.deliver(1, &to, confirmed(&table, Digest32([7; 32])));
    assert_eq!(table.seats[0].failed.clone().unwrap().kind, Kind::Agreement);
    // Of somebody who did not ask for it, it moves nothing.
    let mut table = Table::ready_with(3, &[1]);
    let hash = match &table.seats[0].room.phase {
        Phase::Confirming(confirming) => Digest32(confirming.roster().hash()),
        _ => panic!(),
    };
    table.deliver(2, &to, confirmed(&table, hash));
    assert_eq!(table.seats[0].room.confirming().unwrap().1, [1]);
    assert!(table.seats[0].failed.is_none());
    // Nor does an answer of ours where nobody asked us.
    table.input(0, Input::Compared(false));
    assert!(table.seats[0].failed.is_none() && !table.seats[0].room.asks_us());
}

#[test]
fn a_party_that_goes_while_words_are_compared_is_named() {
    let mut table = Table::ready_with(3, &[1]);
    table.input(0, Input::SessionLost(2, "it was silent".to_owned()));
    table.passed = Duration::from_secs(1);
    table.input(0, Input::Timeout);
    let failure = table.seats[0].failed.clone().unwrap();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::PeerLost, "lost party 2 (party 3): it was silent")
    );
}
