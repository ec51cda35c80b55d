//! A lobby whose mediator was restarted: it forgot everybody, and mail that waited is gone.

use super::*;

impl Table {
    /// Lets time pass for one party.
    fn later(&mut self, at: usize, seconds: u64) {
        self.passed += Duration::from_secs(seconds);
        self.input(at, Input::Timeout);
    }

    fn did(&self, at: usize) -> String {
        self.seats[at].room.member().connection.did.clone()
    }

    /// What waits in mailboxes is lost.
    fn restart_mediator(&mut self) {
        self.mail.clear();
        for at in 0..self.seats.len() {
            self.input(at, Input::MediatorLost);
        }
    }
}

/// Decides RM-12, RM-71, RM-72.
#[test]
fn host_and_guests_that_come_back_have_the_seats_that_they_had() {
    let mut table = Table::new(3);
    table.join(member(2, None));
    // The first request is lost with the mediator.
    table.restart_mediator();
    table.input(0, Input::MediatorBack);
    table.carry();
    table.input(1, Input::MediatorBack);
    table.carry();
    assert_eq!(table.seats[0].room.missing(), 1);
    for _ in 0..2 {
        table.restart_mediator();
        table.input(1, Input::MediatorBack);
        table.input(0, Input::MediatorBack);
        table.carry();
        assert_eq!(table.seats[0].room.missing(), 1, "the same guest again");
    }
    table.join(member(3, None));
    table.carry();
    assert!(table.seats[0].connected.is_empty(), "the room settles first");
    table.later(0, SETTLED);
    table.carry();
    table.connect();
    table.carry();
    assert!(table.seats.iter().all(|seat| seat.ready.is_some() && seat.failed.is_none()));
}

/// Longer than a host waits before it closes a room again.
const SETTLED: u64 = 3;

/// Decides RM-72.
#[test]
fn a_room_is_not_closed_while_somebody_with_a_seat_is_away() {
    let mut table = Table::new(3);
    table.join(member(2, None));
    table.carry();
    table.restart_mediator();
    table.input(0, Input::MediatorBack);
    table.mail.clear();
    let bob = table.did(1);
    table.input(0, Input::Unregistered(&bob));
    table.join(member(3, None));
    table.carry();
    table.later(0, SETTLED);
    assert_eq!(table.seats[0].room.missing(), 0);
    assert!(table.seats[0].room.is_lobby(), "closed without the one who is away");
    let waiting = [Waiting { index: 1, name: "party 2".to_owned(), why: Why::Away }];
    assert_eq!(table.seats[0].room.waiting(), waiting);
    let told = table.seats[0].events.iter().filter(|event| matches!(event, Event::Waiting(_)));
    assert_eq!(told.collect::<Vec<_>>(), [&Event::Waiting(waiting.to_vec())], "once");
    // The other guest sees it as well, and bob sees nothing of himself.
    let told = table.seats[2].events.iter().filter(|event| matches!(event, Event::Waiting(_)));
    assert_eq!(told.collect::<Vec<_>>(), [&Event::Waiting(waiting.to_vec())]);
    assert_eq!(table.seats[2].room.waiting(), waiting);
    table.input(1, Input::MediatorBack);
    table.carry();
    let bobs = table.seats[1].events.iter().filter(|event| matches!(event, Event::Waiting(_)));
    assert_eq!(bobs.count(), 0);
    table.connect();
    table.carry();
    assert!(table.seats.iter().all(|seat| seat.ready.is_some()));
}

/// Decides RM-72.
#[test]
fn guests_of_a_full_room_are_told_who_is_away_and_that_it_is_back() {
    let mut table = Table::new(4);
    for seed in [2, 3] {
        table.join(member(seed, None));
        table.carry();
    }
    let dids = [table.did(1), table.did(2)];
    dids.iter().for_each(|did| table.input(0, Input::Unregistered(did)));
    assert!(table.mail.is_empty(), "seats are free anyway");
    let dave = table.join(member(4, None));
    table.carry();
    let names = |table: &Table| {
        let waiting = table.seats[dave].room.waiting().into_iter();
        waiting.map(|one| (one.name, one.why)).collect::<Vec<_>>()
    };
    let away = |seed: u8| (format!("party {seed}"), Why::Away);
    assert_eq!(names(&table), [away(2), away(3)]);
    table.input(1, Input::MediatorBack);
    table.carry();
    assert_eq!(names(&table), [away(3)]);
    let rows = table.seats[dave].events.iter().filter(|event| matches!(event, Event::Seats { .. }));
    assert_eq!(rows.count(), 1, "the rows of the screen have not changed");
}

/// Decides RM-72.
#[test]
fn whoever_does_not_come_back_loses_its_seat_to_somebody_else() {
    let mut table = Table::new(3);
    table.join(member(2, None));
    table.carry();
    let bob = table.did(1);
    table.restart_mediator();
    table.input(0, Input::MediatorBack);
    table.input(0, Input::Unregistered(&bob));
    table.later(0, 29);
    assert_eq!(table.seats[0].room.missing(), 1, "it may still come");
    table.later(0, 2);
    assert_eq!(table.seats[0].room.missing(), 2);
    let left = |event: &Event| matches!(event, Event::Left { name } if name == "party 2");
    assert!(table.seats[0].events.iter().any(left));
    // A stranger's address changes nothing.
    table.input(0, Input::Unregistered("did:peer:2.Ez6LSnobody"));
    table.later(0, 60);
    assert_eq!(table.seats[0].room.missing(), 2);
}

/// Decides RM-71.
#[test]
fn a_guest_asks_again_while_the_host_is_not_back_and_then_gives_up() {
    let mut table = Table::new(3);
    let host = table.did(0);
    table.join(member(2, None));
    table.mail.clear();
    let mut asked = 0;
    for _ in 0..60 {
        table.input(1, Input::Unregistered(&host));
        if table.seats[1].failed.is_some() {
            break;
        }
        table.later(1, 1);
        asked += table.mail.drain(..).count();
    }
    let failure = table.seats[1].failed.clone().unwrap();
    assert_eq!(failure.kind, Kind::HostSilent);
    assert!((10..=20).contains(&asked), "{asked}");
}

/// Decides RM-71.
#[test]
fn a_guest_whose_host_comes_back_gets_its_seat() {
    let mut table = Table::new(3);
    let host = table.did(0);
    table.join(member(2, None));
    table.mail.clear();
    for _ in 0..5 {
        table.input(1, Input::Unregistered(&host));
        assert!(table.seats[1].room.waits_for_host());
        table.mail.clear();
        table.later(1, 1);
    }
    table.carry();
    assert_eq!(table.seats[1].room.capacity(), Some(3));
    table.later(1, 60);
    assert!(table.seats[1].failed.is_none());
}

#[test]
fn a_guest_without_a_mediator_does_not_blame_the_host() {
    let mut table = Table::new(3);
    table.join(member(2, None));
    table.restart_mediator();
    table.later(1, 60);
    assert!(table.seats[1].failed.is_none());
    // Once it is back, the host must answer.
    table.input(1, Input::MediatorBack);
    table.mail.clear();
    table.later(1, 31);
    assert_eq!(table.seats[1].failed.as_ref().unwrap().kind, Kind::HostSilent);
}

#[test]
fn a_request_that_crosses_the_roster_is_not_refused() {
    let mut table = Table::new(2);
    table.join(member(2, None));
    // The connection broke and came back: the same guest asks twice, and both arrive.
    table.input(1, Input::MediatorBack);
    let asked: Vec<_> = table.mail.drain(..).collect();
    for (from, to, message) in asked {
        table.deliver(from, &to, message);
    }
    // Whatever the order of the answers is.
    table.mail.make_contiguous().reverse();
    table.carry();
    table.connect();
    table.carry();
    assert!(table.seats.iter().all(|seat| seat.ready.is_some() && seat.failed.is_none()));
}
