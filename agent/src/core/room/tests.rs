//! Whole rooms without a network: every message is really sealed and opened, sessions come up when the test says so.

mod anew;
mod confirm;
mod credentials;
mod door;
mod keys;
mod listed;
mod manifests;
mod outage;
mod resumed;
mod seats;
mod web;
mod words;

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use didagent_didcomm::did::{self, OfflineResolver};
use didagent_didcomm::envelope;
use didagent_didcomm::protocols::room::{Confirmed, Join, Ready, Roster as RosterMessage};
use didagent_didcomm::protocols::{Body as _, Digest32, types};

use std::sync::Arc;

use super::*;
use crate::core::identity::ConnectionSecrets;
use crate::core::identity::Identity;
use crate::core::invite::new_id;
use crate::core::pairing::{Capabilities, Policy};
use crate::core::post::Post;
use crate::core::test_rng;
use crate::failure::Kind;

const UNIX: u64 = 1_800_000_000;

struct Table {
    seats: Vec<Seat>,
    mail: VecDeque<(usize, String, Message)>,
    /// Who wants which DID resolved.
    lookups: VecDeque<(usize, String)>,
    start: Instant,
    passed: Duration,
}

struct Seat {
    room: Room,
    events: Vec<Event>,
    ready: Option<Box<Roster>>,
    words: Vec<&'static str>,
    failed: Option<Failure>,
    connected: BTreeSet<usize>,
}

/// The DID of a mediator that can be written to.
fn mediator(number: u8) -> String {
    Identity::generate(&mut test_rng(200 + number)).connection("ws://mediator.example/").did
}

fn member(seed: u8, threshold: Option<ThresholdRule>) -> Member {
    let identity = Arc::new(Identity::generate(&mut test_rng(seed)));
    let nonce = Nonce::random(&mut test_rng(seed ^ 0x80));
    let connection = identity.connection(&mediator(0));
    let (suites, capabilities) = (Policy::of_machine(true), Capabilities::default());
    Member {
        identity,
        connection,
        name: format!("party {seed}"),
        threshold,
        manifest: None,
        credential: None,
        nonce,
        confirm: None,
        suites,
        capabilities,
        list: None,
    }
}

impl Table {
    /// A host with `parties` seats, nobody else yet.
    #[expect(
        clippy::disallowed_methods,
        reason = "any instant will do as the beginning of the test's own time"
    )]
    fn new(parties: usize) -> Self {
        let host = member(1, Some(ThresholdRule::Default));
        let invitation =
            Invitation::create(&host.connection, "test", UNIX, UNIX + 600, &mut test_rng(100)).unwrap();
        let room = Room::host(host, invitation, parties);
        let mut table = Self {
            seats: Vec::new(),
            mail: VecDeque::new(),
            lookups: VecDeque::new(),
            start: Instant::now(),
            passed: Duration::ZERO,
        };
        table.sit(room);
        table
    }

    fn now(&self) -> Now {
        Now { instant: self.start + self.passed, unix: UNIX + self.passed.as_secs() }
    }

    fn sit(&mut self, room: Room) -> usize {
        self.seats.push(Seat {
            room,
            events: Vec::new(),
            ready: None,
            words: Vec::new(),
            failed: None,
            connected: BTreeSet::new(),
        });
        self.seats.len() - 1
    }

    fn join(&mut self, member: Member) -> usize {
        let invitation = self.seats[0].room.invitation.clone();
        let now = self.now();
        let seat = self.sit(Room::guest(member, invitation, now, &mut test_rng(101)));
        self.drain(seat);
        seat
    }

    fn input(&mut self, seat: usize, input: Input<'_>) {
        let now = self.now();
        self.seats[seat].room.handle(input, now, &mut test_rng(102));
        self.drain(seat);
    }

    fn drain(&mut self, at: usize) {
        loop {
            let seat = &mut self.seats[at];
            match seat.room.poll() {
                Output::Send { to, message } | Output::Refuse { to, message } => {
                    self.mail.push_back((at, to, *message));
                }
                Output::Resolve { did } | Output::StatusList { url: did } => {
                    self.lookups.push_back((at, did));
                }
                Output::Event(event) => seat.events.push(event),
                Output::Keep => assert!(seat.room.kept().is_some()),
                Output::Connect { peer, .. } => drop(seat.connected.insert(peer)),
                Output::Agreed { words, .. } => seat.words = words,
                Output::Ready { roster, words, assents } => {
                    assert!(assents.iter().enumerate().all(|(index, assent)| {
                        roster.verify_signature(index, &assent.signature).is_ok()
                    }));
                    assert_eq!(assents.len(), roster.body().m);
                    (seat.ready, seat.words) = (Some(roster), words);
                }
                Output::Failed(failure) => drop(seat.failed.get_or_insert(failure)),
                Output::Timeout(_) => return,
            }
        }
    }

    /// Seals, carries and opens one message; returns whose it is and what was opened.
    fn opened(&self, from: usize, to: &str, message: Message) -> Option<(usize, Authenticated, Message)> {
        let sender = self.seats[from].room.member();
        let secrets = ConnectionSecrets { identity: &sender.identity, connection: &sender.connection };
        let did = did::did_of(to);
        let message = message.from(&sender.connection.did).to(did);
        let kid = if did == to { format!("{to}#key-2") } else { to.to_owned() };
        let sealed = envelope::sealed(
            &message,
            &sender.connection.kid,
            &kid,
            &secrets,
            &OfflineResolver,
            &mut test_rng(103),
        )
        .unwrap();
        // A party may have left the table and come back: the newest seat with the DID gets the mail.
        let at = self.seats.iter().rposition(|seat| seat.room.member().connection.did == did)?;
        let member = self.seats[at].room.member();
        let post = Post { identity: &member.identity, connection: &member.connection };
        let opened = post.open(&sealed, UNIX).unwrap();
        Some((at, opened.sender?, opened.message))
    }

    fn deliver(&mut self, from: usize, to: &str, message: Message) {
        if let Some((at, sender, message)) = self.opened(from, to, message) {
            self.input(at, Input::Message(&sender, &message));
        }
    }

    /// Carries mail until there is none.
    fn carry(&mut self) {
        while let Some((from, to, message)) = self.mail.pop_front() {
            self.deliver(from, &to, message);
        }
    }

    /// Lets every session come up for which both sides hold keys.
    fn connect(&mut self) {
        for at in 0..self.seats.len() {
            for peer in std::mem::take(&mut self.seats[at].connected) {
                self.input(at, Input::SessionUp(peer));
            }
        }
    }

    fn full(parties: u8) -> Self {
        let mut table = Self::new(usize::from(parties));
        for seed in 2..=parties {
            table.join(member(seed, Some(ThresholdRule::Default)));
            table.carry();
        }
        table
    }
}

/// Decides RM-11, RM-20, RM-40.
#[test]
fn everybody_gets_the_same_roster_signed_by_all() {
    for parties in [2, 3, 5] {
        let mut table = Table::full(parties);
        assert!(table.seats.iter().all(|seat| seat.ready.is_none()), "ready before any session is up");
        table.connect();
        table.carry();
        let rosters: Vec<_> = table.seats.iter().map(|seat| seat.ready.as_ref().unwrap().bytes()).collect();
        assert!(rosters.windows(2).all(|pair| pair[0] == pair[1]));
        let roster = table.seats[0].ready.as_ref().unwrap();
        assert_eq!(roster.body().m, usize::from(parties));
        assert_eq!(roster.body().threshold, (usize::from(parties) - 1) / 2);
        for (index, seat) in table.seats.iter().enumerate() {
            assert_eq!(roster.party(index).unwrap().did, seat.room.member().connection.did);
        }
    }
}

/// Decides RM-32, RM-40, RM-41.
#[test]
fn nobody_is_ready_while_one_session_of_anybody_is_missing() {
    let mut table = Table::full(3);
    let missing = table.seats[2].connected.take(&1).unwrap();
    table.connect();
    table.carry();
    assert!(table.seats.iter().all(|seat| seat.ready.is_none()));
    table.input(2, Input::SessionUp(missing));
    table.carry();
    assert!(table.seats.iter().all(|seat| seat.ready.is_some()));
}

/// A room that takes long says for whom it waits, as a person who asks is told at once.
#[test]
fn a_room_that_takes_long_to_form_says_for_whom_it_waits() {
    let mut table = Table::full(3);
    table.seats[0].connected.remove(&2);
    table.connect();
    table.carry();
    let waiting = |index, why| Waiting { index, name: format!("party {}", index + 1), why };
    assert_eq!(table.seats[0].room.waiting(), [waiting(2, Why::Session)], "party 1 is ready");
    // Party 1 has all its sessions and its own signature; party 2 has its own too.
    assert_eq!(table.seats[1].room.waiting(), [waiting(0, Why::Ready)]);
    let told = |table: &Table| {
        let events = table.seats[0].events.iter().filter(|event| matches!(event, Event::Waiting(_)));
        events.count()
    };
    for (seconds, times) in [(9, 0), (10, 1), (24, 1), (25, 2)] {
        table.passed = Duration::from_secs(seconds);
        table.input(0, Input::Timeout);
        assert_eq!(told(&table), times, "after {seconds} s");
    }
    assert!(table.seats[0].events.contains(&Event::Waiting(vec![waiting(2, Why::Session)])));
}

/// Decides RM-43.
#[test]
fn whoever_is_missing_at_the_deadline_is_named() {
    let mut table = Table::full(3);
    table.seats[0].connected.remove(&2);
    table.connect();
    table.carry();
    // The clock of party 1 ran first, and it closed its sessions for this reason.
    table.passed = FORMING - Duration::from_millis(10);
    table.input(0, Input::SessionLost(1, "closed".to_owned()));
    table.passed = FORMING + Duration::from_secs(2);
    table.input(0, Input::Timeout);
    let failure = table.seats[0].failed.clone().unwrap();
    assert_eq!(failure.kind, Kind::NotReady);
    assert_eq!(failure.message, "no session came up in time with party 2 (party 3)");
    // Party 1 has all its sessions and waits for signatures.
    table.input(1, Input::Timeout);
    let failure = table.seats[1].failed.clone().unwrap();
    assert_eq!(failure.message, "not ready in time: party 0 (party 1)");
}

/// Decides RM-22.
#[test]
fn different_thresholds_are_named_and_nothing_starts() {
    let mut table = Table::new(3);
    table.join(member(2, Some(ThresholdRule::Default)));
    table.join(member(3, Some(ThresholdRule::Fixed(0))));
    table.carry();
    let failure = table.seats[2].failed.clone().unwrap();
    assert_eq!(failure.kind, Kind::Agreement);
    assert_eq!(failure.message, "threshold differs: party 0 (the host) runs with 1, this party with 0");
}

/// Decides RM-22.
#[test]
fn a_roster_that_is_not_the_hosts_is_refused() {
    let mut table = Table::new(2);
    table.join(member(2, None));
    let (from, to, join) = table.mail.pop_front().unwrap();
    table.deliver(from, &to, join);
    let at = table.mail.iter().position(|(_, _, message)| message.type_ == types::ROOM_ROSTER).unwrap();
    let (from, to, mut message) = table.mail.remove(at).unwrap();
    let mut body = RosterMessage::try_from(&message).unwrap();
    body.signature[0] ^= 1;
    message.body = serde_json::to_value(&body).unwrap();
    table.deliver(from, &to, message);
    assert_eq!(table.seats[1].failed.as_ref().unwrap().kind, Kind::RosterRefused);
}

/// Decides RM-22.
#[test]
fn a_roster_from_a_stranger_moves_nothing() {
    let mut table = Table::new(3);
    let bob = table.join(member(2, None));
    table.carry();
    let stranger = table.sit(Room::host(member(9, None), table.seats[0].room.invitation.clone(), 2));
    let to = table.seats[bob].room.member().connection.did.clone();
    let body = RosterMessage { roster: b"{}".to_vec(), signature: vec![0; 64], credentials: Vec::new() };
    let room = table.seats[0].room.invitation.room().to_owned();
    table.deliver(stranger, &to, body.message("x").pthid(room));
    assert!(table.seats[bob].failed.is_none() && table.seats[bob].ready.is_none());
}

/// Decides IV-01, RM-16, RM-17.
#[test]
fn mail_of_another_room_moves_nothing() {
    // The same two parties met before; the leave of that room is delivered late, into the lobby of this one.
    let mut table = Table::new(3);
    let bob = table.join(member(2, None));
    table.carry();
    let to = table.seats[bob].room.member().connection.did.clone();
    let body = Leave { code: leave::DONE.to_owned(), comment: None, exit_code: Some(0) };
    table.deliver(0, &to, body.message("x").pthid("another room"));
    table.deliver(0, &to, body.message("y"));
    assert!(table.seats[bob].failed.is_none());
    let room = table.seats[0].room.invitation.room().to_owned();
    table.deliver(0, &to, body.message("z").pthid(room));
    assert_eq!(table.seats[bob].failed.as_ref().unwrap().kind, Kind::PeerLost);
}

/// Decides RM-41.
#[test]
fn a_ready_with_another_hash_or_a_foreign_signature_ends_the_room() {
    for (change, kind) in [(0, Kind::Agreement), (1, Kind::RosterRefused)] {
        let mut table = Table::full(2);
        table.connect();
        let at = table
            .mail
            .iter()
            .position(|(from, _, message)| *from == 1 && message.type_ == types::ROOM_READY)
            .unwrap();
        let (from, to, mut message) = table.mail.remove(at).unwrap();
        let mut ready = Ready::try_from(&message).unwrap();
        match change {
            0 => ready.hash = Digest32([0; 32]),
            _ => ready.signature[7] ^= 1,
        }
        message.body = serde_json::to_value(&ready).unwrap();
        table.deliver(from, &to, message);
        assert_eq!(table.seats[0].failed.as_ref().unwrap().kind, kind);
        assert!(table.seats[0].ready.is_none());
    }
}

/// Decides RM-30.
#[test]
fn a_party_that_gets_the_roster_last_loses_nothing() {
    let mut table = Table::new(3);
    table.join(member(2, None));
    table.join(member(3, None));
    // The host's roster for party 2 stays in the mail until everything else was delivered.
    let mut held = None;
    while let Some((from, to, message)) = table.mail.pop_front() {
        if held.is_none()
            && message.type_ == types::ROOM_ROSTER
            && did::did_of(&to) == table.seats[2].room.member().connection.did
        {
            held = Some((from, to, message));
        } else {
            table.deliver(from, &to, message);
        }
    }
    assert!(table.seats[2].room.early.len() >= 2, "both proposals are waiting");
    let (from, to, message) = held.unwrap();
    table.deliver(from, &to, message);
    table.carry();
    table.connect();
    table.carry();
    assert!(table.seats.iter().all(|seat| seat.ready.is_some()));
}

/// Decides RM-50.
#[test]
fn after_the_start_a_leave_is_reported_with_its_exit_code() {
    let mut table = Table::full(2);
    table.connect();
    table.carry();
    let body = Leave { code: leave::PROGRAM_FAILED.to_owned(), comment: None, exit_code: Some(3) };
    table.input(1, Input::Leave(body.clone()));
    table.carry();
    assert_eq!(describe_leave("bob", &body), "the program of bob failed with exit code 3");
    assert_eq!(table.seats[0].events.last(), Some(&Event::PeerLeft { index: 1, body }));
}

/// Decides HS-06.
#[test]
fn messages_sent_twice_change_nothing() {
    let mut table = Table::new(3);
    table.join(member(2, None));
    table.join(member(3, None));
    while let Some((from, to, message)) = table.mail.pop_front() {
        table.deliver(from, &to, message.clone());
        table.deliver(from, &to, message);
    }
    table.connect();
    while let Some((from, to, message)) = table.mail.pop_front() {
        table.deliver(from, &to, message.clone());
        table.deliver(from, &to, message);
    }
    assert!(table.seats.iter().all(|seat| seat.ready.is_some() && seat.failed.is_none()));
}

/// Decides RM-30.
#[test]
fn an_abort_ends_the_room_only_if_no_better_answer_follows() {
    for better in [true, false] {
        let mut table = Table::new(2);
        table.join(member(2, None));
        let mut held = None;
        while let Some((from, to, message)) = table.mail.pop_front() {
            match message.type_.as_str() {
                types::SESSION_ACCEPT => held = Some((from, to, message)),
                _ => table.deliver(from, &to, message),
            }
        }
        let (from, to, accept) = held.unwrap();
        let mut abort = accept.clone();
        abort.type_ = types::SESSION_ABORT.to_owned();
        abort.body = serde_json::json!({"code": "differs", "comment": "invitation"});
        table.deliver(from, &to, abort);
        assert!(table.seats[0].failed.is_none() && table.seats[0].connected.is_empty());
        if better {
            table.deliver(from, &to, accept);
            assert!(table.seats[0].connected.contains(&1));
        }
        table.passed = Duration::from_secs(4);
        table.input(0, Input::Timeout);
        let failed = table.seats[0].failed.as_ref().map(|failure| failure.message.as_str());
        let expected = "no session with party 1 (party 2): the two sides differ in invitation";
        assert_eq!(failed, (!better).then_some(expected));
    }
}
