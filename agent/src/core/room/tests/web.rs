//! Parties whose identity is a did:web: who looks it up, and what happens if its document is not what it must be.

use std::collections::HashMap;

use didagent_didcomm::did::DidDocument;

use super::*;
use crate::core::did_document::published;

const BOB: &str = "did:web:bob.example";
const HOST: &str = "did:web:host.example";

/// A party that shows this did:web.
fn named(seed: u8, did: &str) -> Member {
    let identity = Identity::generate(&mut test_rng(seed)).named(&format!("{did}#key-1"));
    Member { identity: Arc::new(identity), ..member(seed, Some(ThresholdRule::Default)) }
}

/// The document of `did` with the key of party `seed`.
fn document(did: &str, seed: u8) -> DidDocument {
    published(&Identity::generate(&mut test_rng(seed)), did, &[]).unwrap()
}

/// What is on the web.
type Sites = HashMap<&'static str, DidDocument>;

fn sites(documents: &[(&'static str, u8)]) -> Sites {
    documents.iter().map(|(did, seed)| (*did, document(did, *seed))).collect()
}

impl Table {
    /// Answers everything that is looked up, and carries mail, until there is neither.
    fn carry_with(&mut self, sites: &Sites) {
        self.carry();
        while let Some((at, did)) = self.lookups.pop_front() {
            let silent = || Failure::new(Kind::DidUnreachable, "the site is silent");
            let result = sites.get(did.as_str()).cloned().ok_or_else(silent);
            self.input(at, Input::Resolved(did, result));
            self.carry();
        }
    }

    /// A table whose host shows `HOST` and knows its own document.
    fn of_web_host(parties: usize) -> Self {
        let mut table = Self::new(parties);
        table.seats[0].room = {
            let host = named(1, HOST);
            let invitation = table.seats[0].room.invitation.clone();
            Room::host(host, invitation, parties)
        };
        table.input(0, Input::Resolved(HOST.to_owned(), Ok(document(HOST, 1))));
        table
    }

    fn kind(&self, seat: usize) -> Option<Kind> {
        self.seats[seat].failed.as_ref().map(|failure| failure.kind)
    }
}

/// Decides CN-73, CN-74, RM-21.
#[test]
fn parties_with_a_did_web_are_looked_up_and_take_part() {
    let mut table = Table::of_web_host(3);
    table.join(named(2, BOB));
    table.carry();
    assert!(table.seats[0].events.is_empty(), "a seat before the document was there");
    assert_eq!(table.lookups, [(0, BOB.to_owned())]);
    let sites = sites(&[(HOST, 1), (BOB, 2)]);
    table.carry_with(&sites);
    table.join(member(3, Some(ThresholdRule::Default)));
    table.carry_with(&sites);
    table.connect();
    table.carry_with(&sites);
    let rosters: Vec<_> = table.seats.iter().map(|seat| seat.ready.as_ref().unwrap()).collect();
    for roster in rosters {
        let identities: Vec<_> = roster.body().parties.iter().map(|party| party.identity.as_str()).collect();
        assert_eq!(identities[..2], [HOST, BOB]);
        assert!(identities[2].starts_with("did:key:"));
    }
}

/// Decides CN-74.
#[test]
fn a_guest_whose_document_does_not_have_its_key_gets_no_seat() {
    let mut without = document(BOB, 2);
    without.assertion_method.clear();
    for (site, why) in [
        (None, "cannot be had"),
        (Some(document(BOB, 3)), "does not verify"),
        (Some(without), "does not list the key"),
    ] {
        let mut table = Table::new(2);
        table.join(named(2, BOB));
        table.carry_with(&site.into_iter().map(|document| (BOB, document)).collect());
        let failure = table.seats[1].failed.clone().unwrap();
        assert_eq!(failure.kind, Kind::RoomRefused);
        assert!(failure.message.contains(why), "{failure}");
        assert!(table.seats[0].failed.is_none() && table.seats[0].events.is_empty());
    }
}

/// Decides CN-74.
#[test]
fn a_guest_takes_no_roster_with_a_party_whose_document_it_does_not_get_or_believe() {
    for (site, kind) in [(None, Kind::DidUnreachable), (Some(3), Kind::RosterRefused)] {
        let mut table = Table::of_web_host(2);
        table.join(member(2, Some(ThresholdRule::Default)));
        let site: Vec<(&'static str, u8)> = site.into_iter().map(|seed| (HOST, seed)).collect();
        table.carry_with(&sites(&site));
        assert_eq!(table.kind(1), Some(kind));
        assert!(table.seats[1].connected.is_empty());
    }
    // One that somebody else has put under the same name is none either: the link is signed by another key.
    let mut table = Table::of_web_host(2);
    table.join(member(2, Some(ThresholdRule::Default)));
    let mut without = document(HOST, 1);
    without.assertion_method.clear();
    table.carry_with(&Sites::from([(HOST, without)]));
    assert_eq!(table.kind(1), Some(Kind::RosterRefused));
}

/// Decides CN-75, RM-12.
#[test]
fn a_key_has_one_seat_whatever_it_is_called() {
    let mut table = Table::new(3);
    table.join(member(2, Some(ThresholdRule::Default)));
    table.carry();
    let mut again = named(2, BOB);
    again.connection = again.identity.connection(&mediator(1));
    table.join(again);
    table.carry_with(&sites(&[(BOB, 2)]));
    assert_eq!(table.seats[0].room.missing(), 1);
    assert!(table.seats[2].failed.as_ref().unwrap().message.contains("already has a seat"));
}

/// Decides CN-75.
#[test]
fn a_key_that_was_replaced_loses_its_seat_and_a_silent_site_takes_none() {
    let mut table = Table::new(3);
    let bob = table.join(named(2, BOB));
    table.carry_with(&sites(&[(BOB, 2)]));
    assert_eq!(table.seats[0].room.missing(), 1);
    // It asks whether the host is still there, and the site is away.
    table.passed += Duration::from_secs(61);
    table.input(bob, Input::Timeout);
    table.carry_with(&Sites::new());
    assert_eq!(table.seats[0].room.missing(), 1);
    table.passed += Duration::from_secs(61);
    table.input(bob, Input::Timeout);
    table.carry_with(&sites(&[(BOB, 9)]));
    assert_eq!(table.seats[0].room.missing(), 2);
    assert_eq!(table.kind(bob), Some(Kind::RoomRefused));
    assert!(table.seats[0].failed.is_none());
}

/// Decides CN-74.
#[test]
fn strangers_cause_few_lookups() {
    let mut table = Table::new(3);
    for seed in 20..90 {
        table.join(named(seed, &format!("did:web:{seed}.example")));
        table.carry();
    }
    assert_eq!(table.lookups.len(), 32, "a burst, and more only with time");
    assert!(table.seats[0].events.is_empty());
    let refused = table.seats.iter().filter(|seat| seat.failed.is_some()).count();
    assert!(refused <= 70 - 32, "whoever is looked up waits");
    table.carry_with(&Sites::new());
    assert_eq!(table.seats[0].room.missing(), 2);
}
