//! The words that people compare: equal for all who sit at one table, and for nobody else.

use super::*;

impl Table {
    fn words(&mut self) -> Vec<&'static str> {
        self.carry();
        self.connect();
        self.carry();
        let words = self.seats[0].words.clone();
        assert_eq!(words.len(), 4);
        assert!(self.seats.iter().all(|seat| seat.words == words));
        words
    }
}

/// Decides RM-45.
#[test]
fn everybody_sees_the_same_words_and_other_ones_each_time() {
    let words = Table::full(5).words();
    assert_eq!(Table::full(5).words(), words, "the tests draw the same numbers each time");
    let mut again = Table::new(2);
    let nonce = Nonce::random(&mut test_rng(77));
    again.join(Member { nonce, ..member(2, None) });
    assert_ne!(again.words(), Table::full(2).words(), "the same parties, with new nonces");
}

/// Decides RM-45: somebody else took bob's seat, under his name.
#[test]
fn a_stranger_in_a_seat_changes_the_words() {
    let honest = Table::full(2).words();
    let mut table = Table::new(2);
    let bob = member(2, None);
    let stranger = member(66, None);
    // Even with bob's own nonce.
    table.join(Member { name: bob.name, nonce: bob.nonce, ..stranger });
    assert_ne!(table.words(), honest);
}

/// Decides RM-45: alice and bob each talk to somebody in the middle, who gives himself the names that they expect, and shows to each
/// the number that the other one has shown.
#[test]
fn whoever_sits_in_the_middle_cannot_give_both_the_same_words() {
    let (alice, bob) = (member(1, None), member(2, None));
    let mut to_alice = Table::new(2);
    to_alice.join(Member { name: bob.name.clone(), nonce: bob.nonce.clone(), ..member(66, None) });
    let mut to_bob = Table::new(2);
    let invitation = to_bob.seats[0].room.invitation.clone();
    let middle = Member { name: alice.name.clone(), nonce: alice.nonce.clone(), ..member(1, None) };
    // His own keys, for which he made an invitation of his own.
    let other = member(67, None);
    let own = Invitation::create(&other.connection, "test", UNIX, UNIX + 600, &mut test_rng(100)).unwrap();
    assert_ne!(own.hash(), invitation.hash());
    to_bob.seats[0].room = Room::host(Member { name: middle.name, nonce: middle.nonce, ..other }, own, 2);
    to_bob.join(bob);
    assert_ne!(to_alice.words(), to_bob.words());
}

/// Decides RM-44.
#[test]
fn a_nonce_that_does_not_fit_its_commitment_ends_the_room() {
    let mut table = Table::full(2);
    table.connect();
    let is_ready =
        |(from, _, message): &(usize, String, Message)| *from == 1 && message.type_ == types::ROOM_READY;
    let at = table.mail.iter().position(is_ready).unwrap();
    let (from, to, mut message) = table.mail.remove(at).unwrap();
    let mut ready = Ready::try_from(&message).unwrap();
    ready.nonce.0[3] ^= 1;
    message.body = serde_json::to_value(&ready).unwrap();
    table.deliver(from, &to, message);
    let failure = table.seats[0].failed.clone().unwrap();
    assert_eq!(failure.kind, Kind::RosterRefused);
    assert!(failure.message.contains("party 1 (party 2)"), "{failure}");
    assert!(table.seats[0].ready.is_none());
}

/// Decides RM-22: a host that gives somebody another commitment could choose it late.
#[test]
fn a_roster_with_another_commitment_of_ours_is_refused() {
    let mut table = Table::new(2);
    table.join(member(2, None));
    let (from, to, mut join) = table.mail.pop_front().unwrap();
    join.body["commitment"] = serde_json::to_value(Digest32([9; 32])).unwrap();
    table.deliver(from, &to, join);
    table.carry();
    let failure = table.seats[1].failed.clone().unwrap();
    assert_eq!(failure.kind, Kind::RosterRefused);
    assert!(failure.message.contains("entry for this party"), "{failure}");
}
