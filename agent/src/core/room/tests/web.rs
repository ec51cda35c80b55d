//! Parties whose identity is a did:web: who looks it up, and what happens if its document is not what it must be.

use std::collections::HashMap;

use didagent_didcomm::did::DidDocument;

use super::*;
use crate::core::did_document::published;
use lobby::{ASK_SOON, LATER};

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
    for (site, why) in [(document(BOB, 3), "does not verify"), (without, "does not list the key")] {
        let mut table = Table::new(2);
        table.join(named(2, BOB));
        table.carry_with(&Sites::from([(BOB, site)]));
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

/// A site that says no is not asked again; one that is silent may answer soon.
/// Decides CN-74, RM-111.
#[test]
fn a_guest_whose_site_is_silent_comes_again_by_itself_and_gives_up_with_the_reason() {
    let mut table = Table::new(2);
    let bob = table.join(named(2, BOB));
    table.carry();
    let (at, did) = table.lookups.pop_front().unwrap();
    let gone = Failure::new(Kind::DidNotFound, "there is none");
    table.input(at, Input::Resolved(did, Err(gone)));
    table.carry();
    assert_eq!(table.kind(bob), Some(Kind::RoomRefused));

    let mut table = Table::new(2);
    let bob = table.join(named(2, BOB));
    let notes = |table: &Table| {
        let is_note = |event: &&Event| matches!(event, Event::Note { text, .. } if text.contains("cannot be had from here"));
        table.seats[bob].events.iter().filter(is_note).count()
    };
    let pass = |table: &mut Table, sites: &Sites, time: Duration| {
        table.passed += time;
        table.input(bob, Input::Timeout);
        table.carry_with(sites);
    };
    table.carry_with(&Sites::new());
    for _ in 0..LATER.as_secs() / ASK_SOON.as_secs() - 1 {
        pass(&mut table, &Sites::new(), ASK_SOON);
        assert_eq!((table.kind(bob), notes(&table)), (None, 1), "told once");
    }
    pass(&mut table, &Sites::new(), ASK_SOON);
    let failure = table.seats[bob].failed.clone().unwrap();
    assert_eq!(failure.kind, Kind::RoomRefused);
    assert!(failure.message.contains("cannot be had from here"), "{failure}");
    assert!(failure.hint.unwrap().contains("join again with the same link"));

    let mut table = Table::new(2);
    let bob = table.join(named(2, BOB));
    table.carry_with(&Sites::new());
    pass(&mut table, &sites(&[(BOB, 2)]), ASK_SOON);
    assert_eq!((table.kind(bob), table.seats[0].room.missing()), (None, 0));

    // A host that is gone meanwhile is noticed as soon as ever.
    let mut table = Table::new(2);
    let bob = table.join(named(2, BOB));
    table.carry_with(&Sites::new());
    for _ in 0..3 + 1 {
        table.passed += ASK_SOON;
        table.input(bob, Input::Timeout);
        table.mail.clear();
    }
    assert_eq!(table.kind(bob), Some(Kind::HostSilent));
}

/// Decides CN-74, RM-111.
#[test]
fn strangers_cause_few_lookups_and_keep_nobody_out() {
    let mut table = Table::new(3);
    for seed in 20..90 {
        table.join(named(seed, &format!("did:web:{seed}.example")));
        table.carry();
    }
    assert_eq!(table.lookups.len(), 32, "a burst, and more only with time");
    assert!(table.seats[0].events.is_empty());
    // Somebody honest comes too late for one, and gets it with time.
    let bob = table.join(named(2, BOB));
    table.carry_with(&sites(&[(BOB, 2)]));
    assert_eq!(table.seats[0].room.missing(), 2);
    assert!(table.seats.iter().all(|seat| seat.failed.is_none()), "nobody is refused for good");
    table.passed += ASK_SOON;
    table.input(bob, Input::Timeout);
    table.carry_with(&sites(&[(BOB, 2)]));
    assert_eq!((table.kind(bob), table.seats[0].room.missing()), (None, 1));
}

/// Decides CN-74, RM-111.
#[test]
fn a_site_that_never_answers_holds_up_its_own_guests_alone() {
    let mut table = Table::new(3);
    let strangers: Vec<_> = (20..90)
        .map(|seed| {
            let at = table.join(named(seed, &format!("did:web:tarpit.example:{}", seed % 20)));
            table.carry();
            at
        })
        .collect();
    let told = |at: &usize| {
        table.seats[*at]
            .events
            .iter()
            .any(|event| matches!(event, Event::Note { text, .. } if text.contains("too much")))
    };
    assert_eq!(strangers.iter().filter(|at| !told(at)).count(), 8, "those who wait");
    assert!(table.lookups.iter().all(|(_, did)| did.contains("tarpit")));
    let bob = table.join(named(2, BOB));
    table.carry();
    let (at, did) = table.lookups.pop_back().unwrap();
    assert_eq!(did, BOB);
    table.input(at, Input::Resolved(did, Ok(document(BOB, 2))));
    table.carry();
    assert_eq!((table.kind(bob), table.seats[0].room.missing()), (None, 1));
}

/// A link that is not the sender's own proves nothing, whatever its site says.
/// Decides CN-25, CN-74.
#[test]
fn nobody_is_asked_about_a_link_that_is_for_somebody_else() {
    let mut table = Table::new(3);
    table.join(named(2, BOB));
    let (_, _, bobs) = table.mail.pop_front().unwrap();
    let thief = table.join(member(3, None));
    let (from, to, mut message) = table.mail.pop_front().unwrap();
    message.body["link"] = Join::try_from(&bobs).unwrap().link.into();
    table.deliver(from, &to, message);
    table.carry();
    assert!(table.lookups.is_empty());
    let failure = table.seats[thief].failed.as_ref().unwrap();
    assert!(failure.message.contains("does not verify"), "{failure}");
}

/// Decides RM-111.
#[test]
fn whoever_leaves_while_its_document_is_looked_up_gets_no_seat() {
    let mut table = Table::new(2);
    let bob = table.join(named(2, BOB));
    table.carry();
    let body = Leave { code: leave::INTERRUPTED.to_owned(), comment: None, exit_code: None };
    table.input(bob, Input::Leave(body));
    table.carry_with(&sites(&[(BOB, 2)]));
    assert_eq!((table.seats[0].room.missing(), table.seats[0].events.len()), (1, 0));
    assert!(table.seats[0].room.is_lobby());
}
