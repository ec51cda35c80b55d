//! Rooms that only those enter for whom an authority vouches.

use std::collections::HashMap;

use didagent_didcomm::credential::{Bits, Issue, MAX_CREDENTIAL_BYTES, Purpose, StatusEntry};
use didagent_didcomm::did::DidDocument;
use didagent_didcomm::protocols::room::refusal;

use super::*;
use crate::core::credential::{Fault, check_length};
use crate::core::did_document::published;

mod crowd;
mod forged;

const AUTHORITY: &str = "did:web:authority.example";
const LIST: &str = "https://authority.example/status";
/// Seeds of the keys of two authorities; parties have small ones.
const KEY: u8 = 50;
const OTHER: u8 = 51;

fn authority(seed: u8) -> Identity {
    Identity::generate(&mut test_rng(seed)).named(&format!("{AUTHORITY}#key-1"))
}

/// A credential of party `seed`, with bit `seed` of the list, changed before it is signed.
fn credential_of(seed: u8, change: impl FnOnce(&mut Issue<'_>)) -> String {
    let identity = Identity::generate(&mut test_rng(seed));
    let status = StatusEntry { purpose: Purpose::Revocation, index: seed.into(), list: LIST.to_owned() };
    let mut what = Issue {
        id: "urn:uuid:1",
        subject: identity.did(),
        role: None,
        valid_from: UNIX - 60,
        valid_until: UNIX + 3600,
        status: Some(&status),
    };
    change(&mut what);
    authority(KEY).issue(&what).unwrap()
}

fn good(seed: u8) -> Option<String> {
    Some(credential_of(seed, |_| {}))
}

fn holder(seed: u8, credential: Option<String>) -> Member {
    Member { credential, ..member(seed, Some(ThresholdRule::Default)) }
}

/// What happens to it.
type Change = fn(&mut Web);

/// What is on the web.
struct Web {
    documents: HashMap<String, DidDocument>,
    lists: HashMap<String, String>,
    /// By whom what was asked.
    asked: Vec<(usize, String)>,
}

impl Web {
    fn new(revoked: &[u8]) -> Self {
        let document = published(&Identity::generate(&mut test_rng(KEY)), AUTHORITY, &[]).unwrap();
        let mut web = Self { documents: HashMap::new(), lists: HashMap::new(), asked: Vec::new() };
        web.documents.insert(AUTHORITY.to_owned(), document);
        web.revoke(&authority(KEY), revoked, UNIX + 3600);
        web
    }

    fn asked_by(&self, seat: usize) -> Vec<&str> {
        self.asked.iter().filter(|(at, _)| *at == seat).map(|(_, what)| what.as_str()).collect()
    }

    fn revoke(&mut self, issuer: &Identity, revoked: &[u8], until: u64) {
        let mut bits = Bits::none_set();
        revoked.iter().for_each(|seed| bits.set(usize::from(*seed)));
        let list = issuer.issue_status_list(LIST, &bits, UNIX - 60, until).unwrap();
        self.lists.insert(LIST.to_owned(), list);
    }
}

impl Table {
    /// A room for those of whom the authority has something to say. Its host has a good credential and knows what it was judged by.
    fn requiring(parties: usize, web: &mut Web) -> Self {
        let mut table = Self::new(parties);
        let host = holder(1, good(1));
        let invitation = Invitation::create_requiring(
            &[AUTHORITY.to_owned()],
            &host.connection,
            "test",
            (UNIX, UNIX + 600),
            &mut test_rng(100),
        );
        table.seats[0].room = Room::host(host, invitation.unwrap(), parties);
        table.input(0, Input::Resolved(AUTHORITY.to_owned(), Ok(web.documents[AUTHORITY].clone())));
        table.input(0, Input::StatusList(LIST.to_owned(), Ok(web.lists[LIST].clone())));
        table
    }

    /// Answers everything that is looked up, and carries mail, until there is neither.
    fn carry_on(&mut self, web: &mut Web) {
        self.carry();
        while !self.lookups.is_empty() {
            self.answer_one(web);
            self.carry();
        }
    }

    fn answer_one(&mut self, web: &mut Web) {
        if let Some((at, what)) = self.lookups.pop_front() {
            let silent = || Failure::new(Kind::DidUnreachable, "the site is silent");
            web.asked.push((at, what.clone()));
            if what.starts_with("did:") {
                let result = web.documents.get(&what).cloned().ok_or_else(silent);
                self.input(at, Input::Resolved(what, result));
            } else {
                let result = web.lists.get(&what).cloned().ok_or_else(silent);
                self.input(at, Input::StatusList(what, result));
            }
        }
    }

    /// Lets a party with this credential ask, and returns why it got no seat.
    fn refused(&mut self, credential: Option<String>, web: &mut Web) -> String {
        let seat = self.join(holder(2, credential));
        self.carry_on(web);
        let failure = self.seats[seat].failed.clone().unwrap();
        assert_eq!(failure.kind, Kind::CredentialRefused, "{failure}");
        let mut told = self.seats[0].events.iter().filter_map(|event| match event {
            Event::Refused { identity, why, .. } => Some((identity.clone(), why.clone())),
            _ => None,
        });
        let (identity, why) = told.next_back().unwrap();
        assert_eq!(identity, self.seats[seat].room.member().identity.did());
        assert_eq!(failure.message, format!("the host refused: {why}"), "both sides read the same");
        assert_eq!(self.seats[0].room.seats().len(), 1);
        why
    }
}

/// Decides CR-20, CR-22, CR-23, CR-24.
#[test]
fn those_who_show_a_credential_meet_and_everybody_has_checked_everybody() {
    let mut web = Web::new(&[]);
    let mut table = Table::requiring(3, &mut web);
    for seed in [2, 3] {
        table.join(holder(seed, good(seed)));
        table.carry_on(&mut web);
    }
    table.connect();
    table.carry_on(&mut web);
    for seat in &table.seats {
        let roster = seat.ready.as_ref().unwrap();
        assert_eq!(roster.body().require_issuer, [AUTHORITY]);
        assert_eq!(roster.credentials().len(), 3);
        for (party, text) in roster.body().parties.iter().zip(roster.credentials()) {
            let digest = Digest32(didagent_didcomm::credential::digest(text));
            assert_eq!(party.credential, Some(digest));
        }
    }
    // The host asks for each request, and each guest for the roster: document first, then the list.
    assert_eq!(web.asked.len(), 2 * (2 + 2));
    assert_eq!(web.asked_by(0), [AUTHORITY, LIST, AUTHORITY, LIST]);
}

/// Decides CR-22, CR-23.
#[test]
fn each_kind_of_bad_credential_is_refused_with_its_own_sentence() {
    let cases: [(&str, Option<String>); 7] = [
        ("there is no credential, and the invitation requires one", None),
        ("the credential is about somebody else", good(3)),
        ("the credential has expired", Some(credential_of(2, |what| what.valid_until = UNIX))),
        ("the credential is not valid yet", Some(credential_of(2, |what| what.valid_from = UNIX + 9))),
        ("the credential is damaged", Some("a.b.c".to_owned())),
        ("the credential was not signed by its issuer", {
            let identity = Identity::generate(&mut test_rng(2));
            let what = Issue {
                id: "urn:uuid:1",
                subject: identity.did(),
                role: None,
                valid_from: UNIX,
                valid_until: UNIX + 9,
                status: None,
            };
            authority(OTHER).issue(&what)
        }),
        ("the credential is of an issuer that the invitation does not name", {
            let identity = Identity::generate(&mut test_rng(2));
            let what = Issue {
                id: "urn:uuid:1",
                subject: identity.did(),
                role: None,
                valid_from: UNIX,
                valid_until: UNIX + 9,
                status: None,
            };
            Identity::generate(&mut test_rng(OTHER)).issue(&what)
        }),
    ];
    for (why, credential) in cases {
        let mut web = Web::new(&[]);
        let mut table = Table::requiring(2, &mut web);
        assert_eq!(table.refused(credential, &mut web), why);
        assert!(!web.asked_by(0).contains(&LIST), "nobody asks for a list: {why}");
    }
}

/// Decides CR-06, CR-23, CR-25.
#[test]
fn who_is_revoked_or_whose_list_does_not_hold_gets_no_seat() {
    let cases: [(&str, Change); 4] = [
        ("the credential was revoked by its issuer", |web| web.revoke(&authority(KEY), &[2], UNIX + 9)),
        ("the issuer's list of revoked credentials has expired", |web| {
            web.revoke(&authority(KEY), &[], UNIX);
        }),
        ("the list of revoked credentials does not hold", |web| web.revoke(&authority(OTHER), &[], UNIX + 9)),
        ("the list of revoked credentials does not hold", |web| {
            web.revoke(
                &Identity::generate(&mut test_rng(OTHER)).named("did:web:x.example#key-1"),
                &[],
                UNIX + 9,
            );
        }),
    ];
    for (why, change) in cases {
        let mut web = Web::new(&[]);
        let mut table = Table::requiring(2, &mut web);
        change(&mut web);
        assert_eq!(table.refused(good(2), &mut web), why);
    }
}

/// Decides CR-24, CR-25.
#[test]
fn a_guest_takes_no_roster_if_the_issuers_site_is_away_or_says_no() {
    let cases: [(Kind, &str, Change); 3] = [
        (Kind::CredentialAbsent, "was revoked", |web| web.revoke(&authority(KEY), &[1], UNIX + 9)),
        (Kind::DidUnreachable, "cannot be had: the site is silent", |web| web.lists.clear()),
        (Kind::DidUnreachable, "cannot be had: the site is silent", |web| web.documents.clear()),
    ];
    for (kind, why, change) in cases {
        let mut web = Web::new(&[]);
        let mut table = Table::requiring(2, &mut web);
        let carol = table.join(holder(3, good(3)));
        table.carry();
        // For the host the site is as it was.
        let (at, what) = table.lookups.pop_front().unwrap();
        table.input(at, Input::Resolved(what, Ok(web.documents[AUTHORITY].clone())));
        let (at, what) = table.lookups.pop_front().unwrap();
        table.input(at, Input::StatusList(what, Ok(web.lists[LIST].clone())));
        change(&mut web);
        table.carry_on(&mut web);
        let failure = table.seats[carol].failed.clone().unwrap();
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.message.contains("party 0 (party 1) has no credential that counts"), "{failure}");
        assert!(failure.message.contains(why), "{failure}");
    }
}

/// Decides CR-23.
#[test]
fn a_credential_that_ends_while_people_wait_loses_the_seat_and_a_silent_site_takes_none() {
    let mut web = Web::new(&[]);
    let mut table = Table::requiring(3, &mut web);
    let bob = table.join(holder(2, good(2)));
    table.carry_on(&mut web);
    assert_eq!(table.seats[0].room.missing(), 1);
    let ask_again = |table: &mut Table, web: &mut Web| {
        table.passed += Duration::from_secs(61);
        table.input(bob, Input::Timeout);
        table.carry_on(web);
        table.seats[0].room.missing()
    };
    let lists = std::mem::take(&mut web.lists);
    assert_eq!(ask_again(&mut table, &mut web), 1, "the site is away");
    web.lists = lists;
    assert_eq!(ask_again(&mut table, &mut web), 1);
    web.revoke(&authority(KEY), &[2], UNIX + 3600);
    assert_eq!(ask_again(&mut table, &mut web), 2);
    assert_eq!(table.seats[bob].failed.as_ref().unwrap().kind, Kind::CredentialRefused);
    assert!(table.seats[0].failed.is_none());
}

/// Decides CR-25.
#[test]
fn strangers_cause_few_lookups_of_an_issuer() {
    let mut web = Web::new(&[]);
    let mut table = Table::requiring(16, &mut web);
    for seed in 60..140 {
        table.join(holder(seed, good(seed)));
        table.carry();
    }
    table.carry_on(&mut web);
    assert_eq!(web.asked_by(0), [AUTHORITY, LIST], "one document and one list for all of them");
    // A stranger names whom it likes as the place of a list: nobody is asked.
    let mut web = Web::new(&[]);
    let mut table = Table::requiring(3, &mut web);
    let forged = |seed: u8| {
        let identity = Identity::generate(&mut test_rng(seed));
        let list = format!("https://{seed}.example/status");
        let status = StatusEntry { purpose: Purpose::Revocation, index: 1, list };
        let what = Issue {
            id: "urn:uuid:1",
            subject: identity.did(),
            role: None,
            valid_from: UNIX,
            valid_until: UNIX + 9,
            status: Some(&status),
        };
        authority(OTHER).issue(&what)
    };
    for seed in 60..80 {
        table.join(holder(seed, forged(seed)));
        table.carry_on(&mut web);
    }
    assert!(web.asked.iter().all(|(_, what)| what == AUTHORITY), "{:?}", web.asked);
}

/// Decides CR-20.
#[test]
fn a_credential_is_shown_only_where_one_is_required() {
    let mut table = Table::new(2);
    table.join(holder(2, good(2)));
    let (_, _, message) = table.mail.front().unwrap();
    assert_eq!(Join::try_from(message).unwrap().credential, None);
    table.carry();
    table.connect();
    table.carry();
    let roster = table.seats[1].ready.as_ref().unwrap();
    assert_eq!((roster.credentials().len(), roster.body().require_issuer.len()), (0, 0));
    assert!(!String::from_utf8_lossy(roster.bytes()).contains("credential"));
    assert_eq!(refusal::CREDENTIAL, "e.p.room.credential");
}

/// Decides CR-23, CR-24. The longest roster with all the credentials that a host takes is a message that a mediator keeps.
#[test]
fn all_credentials_travel_with_the_roster() {
    const KEPT: usize = 256 * 1024;
    let identities = [1, 2].map(|seed| Identity::generate(&mut test_rng(seed)));
    let mediators = [0, 1].map(mediator);
    let [from, to] = identities.each_ref().map(|identity| identity.connection_of(&mediators));
    let longest = "x".repeat(3 * 1024);
    assert_eq!(check_length(Some(&longest), roster::MAX_PARTIES), Ok(()));
    assert_eq!(check_length(Some(&format!("{longest}x")), roster::MAX_PARTIES), Err(Fault::TooLong));
    assert_eq!(check_length(Some(&"x".repeat(MAX_CREDENTIAL_BYTES)), 8), Ok(()));
    let body = RosterMessage {
        roster: vec![b'x'; 64 * 1024],
        signature: vec![0; 64],
        credentials: vec![longest; roster::MAX_PARTIES],
    };
    let message = body.message(new_id(&mut test_rng(3))).pthid("x").from(&from.did).to(&to.did);
    let secrets = ConnectionSecrets { identity: &identities[0], connection: &from };
    let sealed = envelope::sealed(&message, &from.kid, &to.kid, &secrets, &OfflineResolver, &mut test_rng(4));
    let length = sealed.unwrap().len();
    // DIDs may be four hundred bytes longer, and stand in it a few times.
    assert!((KEPT - 32 * 1024..KEPT - 6 * 1024).contains(&length), "{length} bytes");
}

/// Decides CR-23.
#[test]
fn a_credential_that_is_too_long_for_so_many_gets_no_seat() {
    let role = "x".repeat(2400);
    let identity = Identity::generate(&mut test_rng(2));
    let what = Issue {
        id: "urn:uuid:1",
        subject: identity.did(),
        role: Some(&role),
        valid_from: UNIX,
        valid_until: UNIX + 9,
        status: None,
    };
    let long = authority(KEY).issue(&what).unwrap();
    let mut web = Web::new(&[]);
    let mut table = Table::requiring(16, &mut web);
    let why = "the credential is too long for a room of so many parties";
    assert_eq!(table.refused(Some(long.clone()), &mut web), why);
    let mut table = Table::requiring(3, &mut web);
    table.join(holder(2, Some(long)));
    table.carry_on(&mut web);
    assert_eq!(table.seats[0].room.missing(), 1);
}

/// Decides CR-26. What is written to anybody is sealed for that one; so it is enough to look at what is written, and to whom.
#[test]
fn only_the_host_and_the_members_of_a_full_room_see_a_credential() {
    let mut web = Web::new(&[]);
    let mut table = Table::requiring(3, &mut web);
    let host = table.seats[0].room.member().connection.did.clone();
    let bob = table.join(holder(2, good(2)));
    let signature = good(2).unwrap().rsplit_once('.').unwrap().1.to_owned();
    let mut seen = Vec::new();
    for joins in [false, true] {
        if joins {
            table.join(holder(3, good(3)));
        }
        loop {
            let Some((from, to, message)) = table.mail.pop_front() else {
                if table.lookups.is_empty() {
                    break;
                }
                table.answer_one(&mut web);
                continue;
            };
            if serde_json::to_string(&message).unwrap().contains(&signature) {
                seen.push((from, did::did_of(&to).to_owned(), message.type_.clone()));
            }
            table.deliver(from, &to, message);
        }
    }
    let carol = table.seats[2].room.member().connection.did.clone();
    let bobs = table.seats[bob].room.member().connection.did.clone();
    let roster = |to: String| (0, to, types::ROOM_ROSTER.to_owned());
    assert_eq!(seen, [(bob, host, types::ROOM_JOIN.to_owned()), roster(bobs), roster(carol)]);
}
