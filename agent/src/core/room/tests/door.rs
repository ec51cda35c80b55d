//! A host that decides who gets a seat.

use super::*;
use crate::core::room::kept::KeptLobby;
use lobby::{ASK_EVERY, MAX_APPLICANTS, MAX_UNANSWERED, SILENT, STILL_THERE};

impl Table {
    /// A host with `parties` seats that is asked about those of `approval`; the members with these seeds were met before.
    fn deciding(parties: usize, approval: Approval, known: &[u8]) -> Self {
        let mut table = Self::new(parties);
        let known = known.iter().map(|seed| member(*seed, None).identity.did().to_owned()).collect();
        table.seats[0].room.decide(approval, known);
        table
    }

    fn identity(&self, at: usize) -> String {
        self.seats[at].room.member().identity.did().to_owned()
    }

    fn applying(&self) -> Vec<String> {
        self.seats[0].room.applying().into_iter().map(|one| one.name).collect()
    }

    fn seated(&self) -> Vec<String> {
        self.seats[0].room.seats().into_iter().map(|seat| seat.name).collect()
    }

    fn pending(&self, at: usize) -> usize {
        self.seats[at].events.iter().filter(|event| **event == Event::Pending).count()
    }

    fn apply(&mut self, seed: u8) -> usize {
        let at = self.join(member(seed, None));
        self.carry();
        at
    }
}

/// Decides RM-106.
#[test]
fn nobody_sits_before_the_person_says_yes_and_the_order_of_the_yes_is_that_of_the_seats() {
    let mut table = Table::deciding(3, Approval::All, &[2]);
    let (bob, carol) = (table.apply(2), table.apply(3));
    assert_eq!(
        (table.seated().len(), table.applying()),
        (1, vec!["party 2".to_owned(), "party 3".to_owned()])
    );
    assert_eq!((table.pending(bob), table.pending(carol)), (1, 1));
    assert_eq!(table.seats[bob].room.seats(), [], "whoever waits hears of nobody");
    let asks = |event: &&Event| matches!(event, Event::Asks(_));
    assert_eq!(table.seats[0].events.iter().filter(asks).count(), 2);
    for at in [carol, bob] {
        let identity = table.identity(at);
        table.input(0, Input::Admit(identity));
        table.carry();
    }
    table.connect();
    table.carry();
    let roster = table.seats[0].ready.as_ref().unwrap();
    let order: Vec<_> = roster.body().parties.iter().map(|party| party.name.as_str()).collect();
    assert_eq!(order, ["party 1", "party 3", "party 2"]);
    assert!(table.seats.iter().all(|seat| seat.ready.is_some() && seat.failed.is_none()));
}

/// Decides RM-107.
#[test]
fn whoever_waits_asks_each_minute_for_as_long_as_the_invitation_lasts() {
    let mut table = Table::deciding(3, Approval::All, &[]);
    let bob = table.apply(2);
    for _ in 0..9 {
        table.passed += ASK_EVERY;
        table.input(bob, Input::Timeout);
        table.carry();
        assert!(table.seats[bob].failed.is_none());
    }
    assert_eq!((table.pending(bob), table.applying().len()), (1, 1), "shown once");
    // The host has gone at the end of it; the guest's own clock is enough.
    table.passed += 2 * ASK_EVERY;
    table.input(bob, Input::Timeout);
    table.mail.clear();
    let failure = table.seats[bob].failed.clone().unwrap();
    assert_eq!(failure.kind, Kind::LinkExpired, "{failure}");
}

/// Decides RM-107, RM-103.
#[test]
fn whoever_waits_gives_up_when_the_host_is_gone_for_minutes_and_not_after_seconds() {
    let mut table = Table::deciding(3, Approval::All, &[]);
    let bob = table.apply(2);
    for asked in 0..=MAX_UNANSWERED {
        assert!(table.seats[bob].failed.is_none(), "given up after {asked}");
        table.passed += ASK_EVERY;
        table.input(bob, Input::Timeout);
        table.mail.clear();
    }
    assert_eq!(table.seats[bob].failed.as_ref().unwrap().kind, Kind::HostSilent);
    assert!(table.seats[bob].events.iter().any(|event| matches!(event, Event::HostAway { .. })));
    // The host, too, hears nothing of it and forgets it.
    table.passed += SILENT;
    table.input(0, Input::Timeout);
    assert_eq!(table.applying(), [""; 0]);
    assert!(matches!(table.seats[0].events.last(), Some(Event::Withdrew(one)) if one.name == "party 2"));
}

/// Decides RM-108.
#[test]
fn a_refused_identity_is_told_at_once_and_stays_refused_until_the_person_thinks_again() {
    let mut table = Table::deciding(3, Approval::All, &[]);
    let bob = table.apply(2);
    let identity = table.identity(bob);
    table.input(0, Input::Refuse(identity.clone()));
    table.carry();
    let again = table.apply(2);
    for at in [bob, again] {
        assert_eq!(table.seats[at].failed.as_ref().unwrap().kind, Kind::RoomRefused);
    }
    assert_eq!(table.applying(), [""; 0]);
    table.input(0, Input::Admit(identity));
    let bob = table.apply(2);
    assert!(table.seats[bob].failed.is_none());
    assert_eq!(table.seated(), ["party 1", "party 2"]);
    // In time, with the room: a seat that is given back is taken again without a question.
    let body = Leave { code: leave::INTERRUPTED.to_owned(), comment: None, exit_code: None };
    table.input(bob, Input::Leave(body));
    table.carry();
    table.apply(2);
    assert_eq!(table.seated(), ["party 1", "party 2"]);
}

/// Decides RM-106.
#[test]
fn those_who_were_met_before_may_be_let_in_by_themselves() {
    let mut table = Table::deciding(4, Approval::Strangers, &[2]);
    table.apply(2);
    table.apply(3);
    assert_eq!((table.seated().len(), table.applying()), (2, vec!["party 3".to_owned()]));
}

/// Decides RM-109.
#[test]
fn a_flood_is_bounded_and_hides_nobody_whom_the_person_knows_or_names() {
    let mut table = Table::deciding(3, Approval::All, &[2]);
    for seed in 10..110 {
        table.apply(seed);
    }
    assert_eq!(table.applying().len(), MAX_APPLICANTS);
    let asks = |event: &&Event| matches!(event, Event::Asks(_));
    assert_eq!(table.seats[0].events.iter().filter(asks).count(), MAX_APPLICANTS);
    // Those who are not kept wait as well, and the first are still there.
    assert!(table.seats.iter().all(|seat| seat.failed.is_none()));
    assert_eq!(table.applying()[0], "party 10");
    // Somebody whom the home has met has a place.
    table.apply(2);
    assert_eq!(table.applying().last().unwrap(), "party 2");
    // Anybody else tells the person which identity it is, and sits with its next request.
    let carol = table.apply(3);
    let identity = table.identity(carol);
    table.input(0, Input::Admit(identity));
    table.passed += ASK_EVERY;
    table.input(carol, Input::Timeout);
    table.carry();
    assert_eq!(table.seated(), ["party 1", "party 3"]);
}

/// Decides RM-109.
#[test]
fn leaving_and_asking_under_another_name_does_not_fill_the_screen() {
    let mut table = Table::deciding(3, Approval::All, &[]);
    for seed in 10..110 {
        let at = table.apply(seed);
        let body = Leave { code: leave::INTERRUPTED.to_owned(), comment: None, exit_code: None };
        table.input(at, Input::Leave(body));
        table.carry();
    }
    assert_eq!(table.applying(), [""; 0]);
    let asks = |event: &&Event| matches!(event, Event::Asks(_));
    assert_eq!(table.seats[0].events.iter().filter(asks).count(), MAX_APPLICANTS);
}

/// Decides RM-110.
#[test]
fn whoever_still_waits_when_the_room_is_full_or_over_is_told() {
    let mut table = Table::deciding(2, Approval::All, &[]);
    let (bob, carol) = (table.apply(2), table.apply(3));
    let identity = table.identity(bob);
    table.input(0, Input::Admit(identity));
    table.carry();
    let failure = table.seats[carol].failed.clone().unwrap();
    assert_eq!(failure.message, "the host refused: the room is full");
    let mut table = Table::deciding(2, Approval::All, &[]);
    let bob = table.apply(2);
    let body = Leave { code: leave::INTERRUPTED.to_owned(), comment: None, exit_code: None };
    table.input(0, Input::Leave(body));
    table.carry();
    assert_eq!(table.seats[bob].failed.as_ref().unwrap().kind, Kind::PeerLost);
}

/// Decides RM-100, RM-106.
#[test]
fn a_room_that_goes_on_still_decides_and_remembers_what_it_decided() {
    let mut table = Table::deciding(4, Approval::All, &[]);
    let (bob, carol, dave) = (table.apply(2), table.apply(3), table.apply(4));
    for (at, is_in) in [(bob, true), (carol, false)] {
        let identity = table.identity(at);
        table.input(0, if is_in { Input::Admit(identity) } else { Input::Refuse(identity) });
    }
    table.carry();
    let kept: KeptLobby = table.seats[0].room.kept().unwrap();
    let (now, invitation) = (table.now(), table.seats[0].room.invitation.clone());
    table.seats[0].room = Room::resume(member(1, None), invitation, kept, now, &mut test_rng(105));
    table.drain(0);
    table.carry();
    assert_eq!(table.seats[0].room.approval(), Some(Approval::All));
    let again = table.apply(3);
    assert_eq!(table.seats[again].failed.as_ref().unwrap().kind, Kind::RoomRefused);
    table.passed += ASK_EVERY;
    table.input(dave, Input::Timeout);
    table.carry();
    assert_eq!(
        (table.seated(), table.applying()),
        (vec!["party 1".to_owned(), "party 2".to_owned()], vec!["party 4".to_owned()])
    );
}

/// Somebody whose command was killed before the person said yes gets a seat, and the room is not closed before it is heard.
/// Decides RM-112.
#[test]
fn the_last_seat_of_somebody_who_may_have_gone_does_not_close_the_room() {
    let mut table = Table::deciding(3, Approval::All, &[]);
    let (bob, carol) = (table.apply(2), table.apply(3));
    for at in [bob, carol] {
        table.passed += Duration::from_secs(11);
        let identity = table.identity(at);
        table.input(0, Input::Admit(identity));
    }
    assert_eq!((table.seats[0].room.missing(), table.seats[0].room.is_lobby()), (0, true));
    // Bob is there and says so when he is asked. Carol was killed.
    let carols = table.seats[carol].room.member().connection.did.clone();
    let carry = |table: &mut Table| {
        table.mail.retain(|(_, to, _)| did::did_of(to) != carols);
        table.carry();
    };
    let waiting = |event: &&Event| matches!(event, Event::Waiting(_));
    let told = |table: &Table, at: usize| table.seats[at].events.iter().filter(waiting).count();
    carry(&mut table);
    table.input(bob, Input::Timeout);
    carry(&mut table);
    assert_eq!((told(&table, 0), told(&table, bob)), (0, 0), "she may answer yet");
    table.passed += Duration::from_secs(10);
    table.input(0, Input::Timeout);
    carry(&mut table);
    let away = Waiting { index: 2, name: "party 3".to_owned(), why: Why::Away };
    assert_eq!((table.seats[0].room.waiting(), told(&table, 0)), (vec![away.clone()], 1));
    assert_eq!((table.seats[bob].room.waiting(), told(&table, bob)), (vec![away], 1), "others see it too");
    table.passed += STILL_THERE;
    table.input(0, Input::Timeout);
    carry(&mut table);
    assert_eq!(table.seated(), ["party 1", "party 2"]);
    // One who is there is asked, and the room begins.
    let dave = table.apply(4);
    table.passed += Duration::from_secs(30);
    let identity = table.identity(dave);
    table.input(0, Input::Admit(identity));
    table.carry();
    table.input(dave, Input::Timeout);
    table.carry();
    table.seats.remove(carol);
    table.connect();
    table.carry();
    assert!(table.seats.iter().all(|seat| seat.ready.is_some()), "{:?}", table.seats[0].failed);
    assert_eq!(told(&table, 0), 1);
}
