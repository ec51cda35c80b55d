//! Strangers at the door of a room that requires credentials: whoever has only the link keeps nobody out.

use super::*;
use lobby::{ASK_SOON, LATER};

/// What a stranger shows.
type Shows = fn(u8) -> Option<String>;

/// A site that never answers.
fn tarpit(seed: u8) -> String {
    format!("did:web:tarpit-{seed}.example")
}

/// A stranger that says to be somebody at such a site.
fn stranger(seed: u8, credential: Option<String>) -> Member {
    let identity = Identity::generate(&mut test_rng(seed)).named(&format!("{}#key-1", tarpit(seed)));
    Member { identity: Arc::new(identity), credential, ..member(seed, Some(ThresholdRule::Default)) }
}

/// What `issuer` says of somebody who says to be the stranger `seed`.
fn about(issuer: &Identity, seed: u8) -> Option<String> {
    let subject = tarpit(seed);
    issuer.issue(&Issue {
        id: "urn:uuid:1",
        subject: &subject,
        role: None,
        valid_from: UNIX,
        valid_until: UNIX + 3600,
        status: None,
    })
}

impl Table {
    fn notes(&self, seat: usize) -> Vec<&str> {
        let events = self.seats[seat].events.iter();
        let texts = events.filter_map(|event| match event {
            Event::Note { text, .. } => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    fn sleep(&mut self, seat: usize, time: Duration) {
        self.passed += time;
        self.input(seat, Input::Timeout);
    }
}

/// Decides CR-23, CR-25.
#[test]
fn whoever_has_no_credential_of_a_named_issuer_makes_us_look_for_nobody_and_keeps_nobody_out() {
    let shown: [(Shows, &str); 4] = [
        (|_| None, "there is no credential"),
        (|seed| about(&Identity::generate(&mut test_rng(OTHER)), seed), "of an issuer that the invitation"),
        (|_| good(3), "about somebody else"),
        (|seed| about(&authority(OTHER), seed), "was not signed by its issuer"),
    ];
    for (shown, why) in shown {
        let mut web = Web::new(&[]);
        let mut table = Table::requiring(3, &mut web);
        for seed in 60..110 {
            table.join(stranger(seed, shown(seed)));
            table.carry();
        }
        // Nothing has come yet of what is looked up, if anything.
        let waiting: Vec<_> = table.lookups.iter().map(|(_, what)| what.as_str()).collect();
        assert!(waiting.len() <= 1 && waiting.iter().all(|what| *what == AUTHORITY), "{why}: {waiting:?}");
        let bob = table.join(holder(2, good(2)));
        table.carry_on(&mut web);
        assert_eq!((table.seats[0].room.missing(), table.seats[bob].failed.is_none()), (1, true), "{why}");
        for at in 1..bob {
            let failure = table.seats[at].failed.as_ref().unwrap();
            assert!(failure.kind == Kind::CredentialRefused && failure.message.contains(why), "{failure}");
        }
    }
}

/// Decides CR-25, RM-111.
#[test]
fn a_crowd_that_waits_for_a_slow_issuer_displaces_nobody_who_comes_later() {
    let mut web = Web::new(&[]);
    let mut table = Table::requiring(3, &mut web);
    table.passed = Duration::from_secs(61);
    let crowd: Vec<_> =
        (60..110).map(|seed| table.join(stranger(seed, about(&authority(OTHER), seed)))).collect();
    table.carry();
    assert_eq!(table.lookups, [(0, AUTHORITY.to_owned())]);
    let told = |table: &Table, at: &&usize| !table.notes(**at).is_empty();
    assert_eq!(crowd.iter().filter(|at| told(&table, at)).count(), 50 - 32);
    let bob = table.join(holder(2, good(2)));
    table.carry_on(&mut web);
    assert_eq!((table.seats[0].room.missing(), table.notes(bob).len()), (1, 0));
}

/// Decides CR-25.
#[test]
fn somebody_who_was_revoked_cannot_use_up_what_others_need() {
    let mut web = Web::new(&[60]);
    let mut table = Table::requiring(3, &mut web);
    for _ in 0..300 {
        table.passed += Duration::from_millis(200);
        table.join(holder(60, good(60)));
        table.carry_on(&mut web);
    }
    let asked = web.asked_by(0);
    assert!(asked.len() <= 2 * (4 + 60 / 8 + 1), "{} lookups in a minute", asked.len());
    let bob = table.join(holder(2, good(2)));
    table.carry_on(&mut web);
    assert_eq!((table.seats[0].room.missing(), table.seats[bob].failed.is_none()), (1, true));
    // What is revoked meanwhile is heard of all the same.
    web.revoke(&authority(KEY), &[3, 60], UNIX + 3600);
    table.passed += Duration::from_secs(9);
    let carol = table.join(holder(3, good(3)));
    table.carry_on(&mut web);
    assert!(table.seats[carol].failed.as_ref().unwrap().message.contains("was revoked"));
}

/// Decides CR-23, RM-111.
#[test]
fn a_guest_whose_issuers_site_is_silent_comes_again_by_itself() {
    let silent: [(Change, &str); 2] = [
        (|web| web.lists.clear(), "the issuer's list of revoked credentials cannot be had"),
        (|web| web.documents.clear(), "the document of the credential's issuer cannot be had"),
    ];
    for (silent, why) in silent {
        let mut web = Web::new(&[]);
        let mut table = Table::requiring(2, &mut web);
        silent(&mut web);
        let bob = table.join(holder(2, good(2)));
        table.carry_on(&mut web);
        assert_eq!(table.notes(bob), [format!("can give no seat yet: {why}; asking again")]);
        for _ in 0..5 {
            table.sleep(bob, ASK_SOON);
            table.carry_on(&mut web);
        }
        assert_eq!((table.seats[bob].failed.is_none(), table.notes(bob).len()), (true, 1), "told once");
        web = Web::new(&[]);
        table.sleep(bob, ASK_SOON);
        table.carry_on(&mut web);
        assert_eq!(table.seats[0].room.missing(), 0);
        // Another one, whose patience ends.
        silent(&mut web);
        let mut table = Table::requiring(2, &mut Web::new(&[]));
        let bob = table.join(holder(2, good(2)));
        table.carry_on(&mut web);
        table.sleep(bob, LATER);
        let failure = table.seats[bob].failed.clone().unwrap();
        assert!(failure.kind == Kind::RoomRefused && failure.message.ends_with(why), "{failure}");
    }
}
