//! A host whose process was killed, and that goes on with what it had kept.

use super::*;
use crate::core::room::kept::KeptLobby;
use lobby::{ASK_EVERY, MAX_UNANSWERED, STILL_THERE};

impl Table {
    /// The host is killed: what it kept is all that is left. Its mail waits.
    fn kill_host(&mut self) -> KeptLobby {
        self.seats[0].room.kept().expect("people are waited for")
    }

    /// It is started again and writes to its guests; its room is a new one, in the place of the old one.
    fn resume_host(&mut self, kept: KeptLobby) {
        let (now, invitation) = (self.now(), self.seats[0].room.invitation.clone());
        self.seats[0].room = Room::resume(member(1, None), invitation, kept, now, &mut test_rng(105));
        self.seats[0].events.clear();
        self.drain(0);
    }

    fn wait(&mut self, at: usize, time: Duration) {
        self.passed += time;
        self.input(at, Input::Timeout);
    }

    fn names(&self) -> Vec<String> {
        self.seats[0].room.seats().into_iter().map(|seat| seat.name).collect()
    }
}

/// Decides RM-101, RM-102.
#[test]
fn a_host_that_goes_on_has_the_same_seats_and_hears_who_is_still_there() {
    let mut table = Table::new(4);
    let (bob, carol) = (table.join(member(2, None)), table.join(member(3, None)));
    table.carry();
    let kept = table.kill_host();
    table.resume_host(kept);
    let [Event::Resumed { guests }] = table.seats[0].events.as_slice() else { panic!() };
    assert_eq!(guests.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["party 2", "party 3"]);
    // Both answer although nothing has changed for them, and neither moves.
    let (before, shown) = (table.names(), table.seats[bob].events.len());
    for at in [bob, carol] {
        table.carry();
        table.input(at, Input::Timeout);
    }
    table.carry();
    assert_eq!((table.names(), table.seats[bob].events.len()), (before, shown));
    // So nobody is away, and the room is closed as soon as it is full.
    table.wait(0, STILL_THERE);
    assert_eq!(table.seats[0].room.missing(), 1);
    table.join(member(4, None));
    table.carry();
    table.connect();
    table.carry();
    let rosters: Vec<_> = table.seats.iter().map(|seat| seat.ready.as_ref().unwrap()).collect();
    let order: Vec<_> = rosters[0].body().parties.iter().map(|party| party.name.as_str()).collect();
    assert_eq!(order, ["party 1", "party 2", "party 3", "party 4"]);
}

/// Decides RM-102.
#[test]
fn a_guest_that_has_gone_meanwhile_loses_its_seat_and_holds_nobody_up() {
    let mut table = Table::new(3);
    table.join(member(2, None));
    table.carry();
    let kept = table.kill_host();
    table.resume_host(kept);
    table.mail.clear();
    table.join(member(3, None));
    table.carry();
    assert!(table.seats[0].room.is_lobby(), "full, and one of them may be gone");
    table.wait(0, STILL_THERE - Duration::from_millis(1));
    assert_eq!(table.seats[0].room.missing(), 0);
    table.wait(0, Duration::from_millis(1));
    assert_eq!(table.names(), ["party 1", "party 3"]);
    assert!(table.seats[0].events.contains(&Event::Left { name: "party 2".to_owned() }));
}

/// Decides RM-100, RM-82.
#[test]
fn whoever_was_kicked_stays_out_and_whoever_moved_often_has_moved_often() {
    let mut table = Table::new(4);
    table.join(member(2, None));
    table.carry();
    let mut moved = member(3, None);
    moved.connection = moved.identity.connection(&mediator(7));
    table.join(member(3, None));
    table.join(moved);
    table.carry();
    table.input(0, Input::Kick(1));
    let kept = table.kill_host();
    assert_eq!((kept.guests.len(), kept.unwanted.len(), kept.moves.values().sum::<u32>()), (1, 1, 1));
    table.resume_host(kept.clone());
    table.carry();
    let again = table.join(member(2, None));
    table.carry();
    assert_eq!(table.seats[again].failed.as_ref().unwrap().kind, Kind::RoomRefused);
    assert_eq!(table.kill_host(), kept);
}

/// Decides RM-100.
#[test]
fn what_is_kept_is_kept_before_anybody_hears_of_it() {
    let mut table = Table::new(4);
    table.join(member(2, None));
    let (from, to, join) = table.mail.pop_front().unwrap();
    let (at, sender, join) = table.opened(from, &to, join).unwrap();
    let now = table.now();
    let room = &mut table.seats[at].room;
    let mut order = |input: Input<'_>| {
        room.handle(input, now, &mut test_rng(102));
        let mut order = Vec::new();
        loop {
            match room.poll() {
                Output::Keep => order.push("keep"),
                Output::Send { .. } => order.push("send"),
                Output::Event(_) => order.push("event"),
                Output::Timeout(_) => return order,
                _ => {}
            }
        }
    };
    assert_eq!(order(Input::Message(&sender, &join)), ["keep", "event", "send"]);
    assert_eq!(order(Input::Message(&sender, &join)), ["send"], "nothing has changed");
    assert_eq!(order(Input::Kick(1)), ["keep", "send", "event"]);
    assert_eq!(order(Input::Timeout), [""; 0]);
}

/// Decides RM-44, RM-105.
#[test]
fn a_room_is_not_kept_any_more_before_its_roster_is_sent() {
    let mut table = Table::new(2);
    table.join(member(2, None));
    let (from, to, join) = table.mail.pop_front().unwrap();
    let (at, sender, join) = table.opened(from, &to, join).unwrap();
    let now = table.now();
    let room = &mut table.seats[at].room;
    room.handle(Input::Message(&sender, &join), now, &mut test_rng(102));
    assert_eq!(room.kept(), None);
    // The engine forgets the file at this event.
    loop {
        match room.poll() {
            Output::Event(Event::Roster(_)) => break,
            Output::Send { message, .. } => assert_ne!(message.type_, types::ROOM_ROSTER, "sent before"),
            Output::Timeout(_) => panic!("no roster"),
            _ => {}
        }
    }
    let rest =
        std::iter::from_fn(|| Some(room.poll()).filter(|output| !matches!(output, Output::Timeout(_))));
    let is_roster = |output: &Output| matches!(output, Output::Send { message, .. } if message.type_ == types::ROOM_ROSTER);
    assert_eq!(rest.filter(is_roster).count(), 1);
}

/// Decides RM-103.
#[test]
fn a_guest_with_a_seat_waits_minutes_for_its_host_and_says_so() {
    let mut table = Table::new(3);
    let bob = table.join(member(2, None));
    table.carry();
    let seen = table.seats[bob].events.len();
    // The host is gone. The guest notices when it asks.
    table.wait(bob, ASK_EVERY);
    table.wait(bob, Duration::from_secs(9));
    assert_eq!(table.seats[bob].events.len(), seen);
    table.wait(bob, Duration::from_secs(1));
    assert_eq!(
        table.seats[bob].events.last(),
        Some(&Event::HostAway { patience: MAX_UNANSWERED * ASK_EVERY })
    );
    for _ in 1..MAX_UNANSWERED {
        table.wait(bob, ASK_EVERY);
        assert!(table.seats[bob].failed.is_none());
    }
    assert_eq!(table.seats[bob].events.len(), seen + 1, "said once");
    let kept = table.kill_host();
    table.resume_host(kept);
    table.carry();
    let shown: Vec<_> = table.seats[bob].events.iter().skip(seen + 1).collect();
    assert!(matches!(shown.as_slice(), [Event::HostBack, Event::Seats { .. }]), "{shown:?}");
    for _ in 0..3 {
        table.wait(bob, ASK_EVERY);
        assert_eq!(table.mail.len(), 1, "each minute as before");
        table.carry();
    }
    assert!(table.seats[bob].failed.is_none());
}

/// Decides RM-71, RM-103.
#[test]
fn a_guest_with_a_seat_outlives_a_mediator_that_forgot_the_host() {
    let mut table = Table::new(3);
    let host = table.seats[0].room.member().connection.did.clone();
    let bob = table.join(member(2, None));
    table.carry();
    let kept = table.kill_host();
    table.input(bob, Input::MediatorLost);
    table.input(bob, Input::MediatorBack);
    let (begin, mut asked) = (table.passed, 0);
    loop {
        asked += table.mail.drain(..).filter(|(from, ..)| *from == bob).count();
        table.input(bob, Input::Unregistered(&host));
        table.wait(bob, Duration::from_secs(1));
        let waited = table.passed - begin;
        if table.seats[bob].failed.is_some() {
            assert!((300..=400).contains(&waited.as_secs()), "{waited:?}");
            break;
        }
    }
    // Each second while it may be on its way, then each minute.
    assert!((15..=25).contains(&asked), "{asked}");
    assert!(table.seats[bob].events.iter().any(|event| matches!(event, Event::HostAway { .. })));
    // Another one, whose host comes back in time.
    table.resume_host(kept);
    let bob = table.join(member(2, None));
    table.carry();
    table.input(bob, Input::MediatorLost);
    table.input(bob, Input::MediatorBack);
    table.mail.clear();
    for _ in 0..200 {
        table.input(bob, Input::Unregistered(&host));
        table.wait(bob, Duration::from_secs(1));
    }
    table.mail.clear();
    let kept = table.kill_host();
    table.resume_host(kept);
    table.carry();
    table.wait(bob, Duration::ZERO);
    table.carry();
    assert!(table.seats[bob].failed.is_none());
    assert_eq!(table.names(), ["party 1", "party 2"]);
}

/// A mediator that keeps accounts over a restart reports nothing: nobody answers.
/// Decides RM-103.
#[test]
fn a_guest_with_a_seat_whose_mediator_is_back_before_the_host_waits_too() {
    let mut table = Table::new(3);
    let bob = table.join(member(2, None));
    table.carry();
    table.input(bob, Input::MediatorLost);
    table.input(bob, Input::MediatorBack);
    let begin = table.passed;
    while table.seats[bob].failed.is_none() {
        table.mail.clear();
        table.wait(bob, Duration::from_secs(1));
    }
    let waited = table.passed - begin;
    assert!((300..=400).contains(&waited.as_secs()), "{waited:?}");
}
