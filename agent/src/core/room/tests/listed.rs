//! Rooms whose parties are known beforehand: no link, seats in the order of the list.

use super::*;
use crate::core::party_list::{Listed, PartyList};

/// How long everybody waits.
const WAIT: Duration = Duration::from_secs(300);

/// The list of parties with these seeds; the first one is the host.
fn list(seeds: &[u8]) -> PartyList {
    let party = |seed: &u8| {
        let member = member(*seed, None);
        Listed { did: member.identity.did().to_owned(), name: None, at: Some(member.connection.did) }
    };
    PartyList::remembered(seeds.iter().map(party).collect()).unwrap()
}

impl Table {
    fn listed(&self, seed: u8, list: &PartyList, round: u32) -> Member {
        let member = member(seed, Some(ThresholdRule::Default));
        let ours = list.index_of(member.identity.did()).unwrap_or(usize::MAX);
        let listing = Listing { list: list.clone(), ours, round, until: self.start + WAIT };
        Member { list: Some(listing), ..member }
    }

    /// A table at which nobody sits yet.
    fn empty() -> Self {
        let mut table = Self::new(2);
        table.seats.clear();
        table
    }

    fn sit_host(&mut self, list: &PartyList, round: u32, id: u8) -> usize {
        let (host, now) = (self.listed(1, list, round), self.now().unix);
        let expires = now + WAIT.as_secs();
        let invitation =
            Invitation::create(&host.connection, "test", now, expires, &mut test_rng(id)).unwrap();
        self.sit(Room::host(host, invitation, list.parties().len()))
    }

    fn sit_guest(&mut self, seed: u8, list: &PartyList, round: u32) -> usize {
        let room = Room::of_list(self.listed(seed, list, round), self.now(), &mut test_rng(101)).unwrap();
        let at = self.sit(room);
        self.drain(at);
        at
    }

    /// Lets time pass at everybody.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.passed += Duration::from_secs(1);
            for at in 0..self.seats.len() {
                self.input(at, Input::Timeout);
            }
            self.carry();
        }
    }

    fn rounds(&self) -> Vec<Option<u32>> {
        self.seats.iter().map(|seat| Some(seat.ready.as_ref()?.body().round)).collect()
    }
}

/// Decides RM-120, RM-123, RM-125.
#[test]
fn parties_of_a_list_find_each_other_and_sit_in_its_order() {
    let (mut table, list) = (Table::empty(), list(&[1, 2, 3]));
    table.sit_host(&list, 0, 100);
    for seed in [3, 2] {
        table.sit_guest(seed, &list, 0);
        table.carry();
    }
    table.connect();
    table.carry();
    assert_eq!(table.rounds(), [Some(1); 3]);
    let roster = table.seats[0].ready.clone().unwrap();
    let identities: Vec<_> = roster.body().parties.iter().map(|party| party.identity.clone()).collect();
    assert_eq!(identities, list.parties().iter().map(|party| party.did.clone()).collect::<Vec<_>>());
    let joined: Vec<_> = table.seats[0]
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Joined { index, .. } => Some(*index),
            _ => None,
        })
        .collect();
    assert_eq!(joined, [2, 1], "people are told the index of the list");
}

/// Decides RM-126.
#[test]
fn a_round_is_one_more_than_the_last_that_anybody_knows() {
    for (host, guests, round) in [(1, [1, 1], 2), (0, [3, 1], 4), (7, [0, 0], 8)] {
        let (mut table, list) = (Table::empty(), list(&[1, 2, 3]));
        table.sit_host(&list, host, 100);
        table.sit_guest(2, &list, guests[0]);
        table.sit_guest(3, &list, guests[1]);
        table.carry();
        table.connect();
        table.carry();
        assert_eq!(table.rounds(), [Some(round); 3]);
    }
}

/// Decides RM-124.
#[test]
fn whoever_is_not_in_the_list_gets_no_answer_that_helps() {
    let (mut table, names) = (Table::empty(), list(&[1, 2, 3]));
    table.sit_host(&names, 0, 100);
    // One who has the list but is not in it, and says that it is one with another place.
    let stranger = table.sit_guest(9, &names, 0);
    table.carry();
    let told = |table: &Table, at: usize| match table.seats[at].events.as_slice() {
        [Event::Note { text, .. }] => text.clone(),
        other => panic!("{other:?}"),
    };
    assert!(told(&table, stranger).contains("does not name it"), "{}", told(&table, stranger));
    // One who stole the invitation.
    let invitation = table.seats[0].room.invitation.clone();
    let now = table.now();
    let thief = table.sit(Room::guest(member(8, None), invitation, now, &mut test_rng(101)));
    table.drain(thief);
    table.carry();
    let failure = table.seats[thief].failed.as_ref().unwrap();
    assert_eq!(failure.kind, Kind::RoomRefused);
    assert!(failure.message.contains("does not name it"), "{}", failure.message);
    assert_eq!(table.seats[0].room.seats().len(), 1);
    table.pass(WAIT.as_secs());
    assert_eq!(table.seats[stranger].failed.as_ref().unwrap().kind, Kind::RoomRefused);
}

/// Decides RM-124.
#[test]
fn a_guest_with_another_list_is_told_and_goes_on_asking() {
    let (mut table, names) = (Table::empty(), list(&[1, 2, 3]));
    table.sit_host(&names, 0, 100);
    let other = table.sit_guest(2, &list(&[1, 3, 2]), 0);
    table.carry();
    table.pass(20);
    let notes = table.seats[other].events.iter().filter(|event| matches!(event, Event::Note { .. })).count();
    assert_eq!(notes, 1, "the same reason is shown once");
    assert!(table.seats[other].failed.is_none());
    assert_eq!(table.seats[0].room.seats().len(), 1);
}

/// Decides RM-123, RM-127.
#[test]
fn guests_come_first_and_a_host_that_is_started_again_gets_them_back() {
    let (mut table, list) = (Table::empty(), list(&[1, 2, 3]));
    // Nobody is there for mail to the host yet, so it is lost.
    let guests = [table.sit_guest(2, &list, 0), table.sit_guest(3, &list, 0)];
    table.mail.clear();
    table.pass(60);
    let first = table.sit_host(&list, 0, 100);
    let body = Leave { code: leave::INTERRUPTED.to_owned(), comment: None, exit_code: None };
    table.input(guests[1], Input::Leave(body));
    table.pass(15);
    assert_eq!(table.seats[first].room.seats().len(), 2);
    // Killed: it says nothing, and its room is gone.
    table.seats[first].room = Room::host(member(77, None), table.seats[first].room.invitation.clone(), 3);
    let second = table.sit_host(&list, 0, 150);
    table.pass(100);
    let third = table.sit_guest(3, &list, 0);
    table.pass(5);
    table.connect();
    table.carry();
    for at in [guests[0], second, third] {
        assert!(table.seats[at].ready.is_some(), "{at}: {:?}", table.seats[at].failed);
    }
}

/// Decides RM-127.
#[test]
fn a_room_that_is_not_full_in_time_names_who_is_missing() {
    let (mut table, list) = (Table::empty(), list(&[1, 2, 3]));
    table.sit_host(&list, 0, 100);
    let guest = table.sit_guest(2, &list, 0);
    table.carry();
    table.pass(WAIT.as_secs() + 1);
    let missing = member(3, None).identity.did().to_owned();
    let failure = table.seats[0].failed.as_ref().unwrap();
    assert_eq!(failure.kind, Kind::NotReady);
    assert!(failure.message.ends_with(&missing[missing.len() - 8..]), "{}", failure.message);
    assert_eq!(table.seats[guest].failed.as_ref().unwrap().kind, Kind::NotReady);
    let alone = table.sit_guest(3, &list, 0);
    table.pass(1);
    let failure = table.seats[alone].failed.as_ref().unwrap();
    assert_eq!(failure.kind, Kind::HostSilent, "{}", failure.message);
}

/// Decides RM-127.
#[test]
fn the_same_room_is_not_shown_again_to_a_guest_that_found_it_again() {
    let (mut table, list) = (Table::empty(), list(&[1, 2, 3]));
    table.sit_host(&list, 0, 100);
    let guest = table.sit_guest(2, &list, 0);
    table.carry();
    let count = |table: &Table, is_it: fn(&Event) -> bool| {
        table.seats[guest].events.iter().filter(|event| is_it(event)).count()
    };
    let rows = |event: &Event| matches!(event, Event::Seats { .. });
    assert_eq!(count(&table, rows), 1);
    // A question and its answer are lost, and it looks for another room.
    for _ in 0..3 {
        table.passed += Duration::from_secs(10);
        table.input(guest, Input::Timeout);
        table.mail.clear();
    }
    let looks =
        |event: &Event| matches!(event, Event::Note { text, .. } if text.contains("looking for it again"));
    assert_eq!(count(&table, looks), 1);
    table.pass(12);
    let again =
        |event: &Event| matches!(event, Event::Note { text, .. } if text.contains("the room is the same"));
    assert_eq!((count(&table, again), count(&table, rows)), (1, 1));
    assert_eq!(table.seats[guest].room.seats().len(), 2);
    table.sit_guest(3, &list, 0);
    table.carry();
    assert_eq!(count(&table, rows), 2, "what is new is shown");
    table.connect();
    table.carry();
    assert_eq!(table.rounds(), [Some(1); 3]);
}
