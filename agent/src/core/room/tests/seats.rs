//! Who gets a seat, who is refused, and how long anybody waits.

use super::*;
use crate::core::identity::ConnectionDid;
use didagent_didcomm::protocols::report_problem::ProblemReport;

/// Decides RM-13.
#[test]
fn one_more_than_there_are_seats_is_refused() {
    let mut table = Table::full(2);
    let late = table.join(member(9, None));
    table.carry();
    let failure = table.seats[late].failed.clone().unwrap();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::RoomRefused, "the host refused: the room is full")
    );
}

/// Decides RM-12.
#[test]
fn the_same_party_again_keeps_its_seat() {
    let mut table = Table::new(3);
    table.join(member(2, None));
    table.carry();
    table.join(member(2, None));
    table.carry();
    let joined = |event: &&Event| matches!(event, Event::Joined { .. });
    assert_eq!(table.seats[0].events.iter().filter(joined).count(), 1);
    assert_eq!(table.seats[0].room.missing(), 1);
}

/// Decides RM-16.
#[test]
fn a_guest_that_leaves_the_lobby_frees_its_seat() {
    let mut table = Table::new(3);
    let bob = table.join(member(2, None));
    table.carry();
    assert_eq!(table.seats[0].room.missing(), 1);
    let body = Leave { code: leave::INTERRUPTED.to_owned(), comment: None, exit_code: None };
    table.input(bob, Input::Leave(body));
    table.carry();
    assert_eq!(table.seats[0].room.missing(), 2);
}

/// Decides RM-10.
#[test]
fn a_join_for_another_invitation_is_refused() {
    let mut table = Table::new(3);
    table.join(member(2, None));
    let (from, to, mut message) = table.mail.pop_front().unwrap();
    message.body["invitation_hash"] = serde_json::to_value(Digest32([0; 32])).unwrap();
    table.deliver(from, &to, message);
    table.carry();
    assert_eq!(table.seats[from].failed.as_ref().unwrap().kind, Kind::RoomRefused);
    assert_eq!(table.seats[0].room.missing(), 2);
}

/// Decides RM-10.
#[test]
fn a_link_of_somebody_else_gives_no_seat() {
    let mut table = Table::new(3);
    table.join(member(2, None));
    table.join(member(3, None));
    let (_, _, first) = table.mail.pop_front().unwrap();
    let (from, to, mut second) = table.mail.pop_front().unwrap();
    second.body["link"] = Join::try_from(&first).unwrap().link.into();
    table.deliver(from, &to, second);
    table.carry();
    assert_eq!(table.seats[0].room.missing(), 2);
}

/// Decides RM-12.
#[test]
fn one_did_never_has_two_seats() {
    // A second identity comes with the DID of the first and a link that its own identity signed for it.
    let mut table = Table::new(3);
    table.join(member(2, None));
    table.carry();
    let stranger = Identity::generate(&mut test_rng(9));
    let bob = table.seats[1].room.member().connection.clone();
    table.join(member(2, None));
    let (from, to, mut message) = table.mail.pop_front().unwrap();
    message.body["link"] = stranger.link(&bob, UNIX).into();
    table.deliver(from, &to, message);
    table.carry();
    assert_eq!(table.seats[0].room.missing(), 1);
    assert_eq!(table.seats[from].failed.as_ref().unwrap().kind, Kind::RoomRefused);
}

/// Decides RM-14.
#[test]
fn a_silent_host_is_reported() {
    let mut table = Table::new(3);
    let bob = table.join(member(2, None));
    table.passed = HOST_ANSWER;
    table.input(bob, Input::Timeout);
    assert_eq!(table.seats[bob].failed.as_ref().unwrap().kind, Kind::HostSilent);
}

/// Decides RM-19.
#[test]
fn a_guest_keeps_asking_and_gives_up_only_when_the_host_is_gone() {
    use lobby::{ASK_EVERY, MAX_UNANSWERED};
    let mut table = Table::new(3);
    let bob = table.join(member(2, None));
    table.carry();
    // As long as the host is there nothing changes and nothing is shown, for longer than a host may be silent.
    for _ in 0..MAX_UNANSWERED + 3 {
        table.passed += ASK_EVERY;
        table.input(bob, Input::Timeout);
        table.carry();
    }
    let (host, guest) = (&table.seats[0], &table.seats[bob]);
    assert_eq!((host.events.len(), guest.events.len(), host.room.missing()), (1, 1, 1));
    // A night's sleep is one question; it is the questions that count.
    table.passed += Duration::from_secs(8 * 3600);
    for asked in 0..=MAX_UNANSWERED {
        assert!(table.seats[bob].failed.is_none(), "given up after {asked}");
        table.input(bob, Input::Timeout);
        assert_eq!(table.mail.len(), usize::from(asked < MAX_UNANSWERED));
        table.mail.clear();
        table.passed += ASK_EVERY;
    }
    let failure = table.seats[bob].failed.clone().unwrap();
    assert_eq!(failure.kind, Kind::HostSilent);
    assert!(failure.message.starts_with("nothing was heard of the host for 5 minutes"), "{failure}");
}

#[test]
fn an_invitation_that_ends_with_free_seats_ends_the_room() {
    let mut table = Table::new(3);
    table.join(member(2, None));
    table.carry();
    table.passed = Duration::from_secs(601);
    table.input(0, Input::Timeout);
    let failure = table.seats[0].failed.clone().unwrap();
    assert_eq!(failure.kind, Kind::NotReady);
    assert_eq!(failure.message, "the invitation expired while 1 of 3 seats were free");
}

/// Decides RM-13.
#[test]
fn each_refusal_has_its_code_in_the_thread_of_the_request_and_needs_no_connection() {
    for code in ["full", "expired", "duplicate", "unknown", "denied"] {
        let mut table = Table::new(2);
        if code == "full" {
            table.join(member(2, None));
            table.carry();
        }
        table.join(member(3, None));
        let (from, to, mut message) = table.mail.pop_front().unwrap();
        match code {
            "expired" => table.passed = Duration::from_secs(601),
            // The host's own identity, which has a seat.
            "duplicate" => {
                let host = Identity::generate(&mut test_rng(1));
                message.body["link"] = host.link(&table.seats[from].room.member().connection, UNIX).into();
            }
            "unknown" => message.body["invitation_hash"] = serde_json::to_value(Digest32([0; 32])).unwrap(),
            "denied" => message.body["name"] = "\u{1b}[2J".into(),
            _ => {}
        }
        let (_, sender, message) = table.opened(from, &to, message).unwrap();
        let now = table.now();
        let host = &mut table.seats[0].room;
        host.handle(Input::Message(&sender, &message), now, &mut test_rng(102));
        let refusals: Vec<_> = std::iter::from_fn(|| match host.poll() {
            Output::Timeout(_) => None,
            output => Some(output),
        })
        .filter_map(|output| match output {
            Output::Refuse { to, message } => Some((to, message)),
            Output::Send { to, .. } if did::did_of(&to) == sender.did => {
                panic!("an answer for which a mediator is dialled")
            }
            _ => None,
        })
        .collect();
        let [(to, report)] = refusals.as_slice() else { panic!("{code}: {refusals:?}") };
        assert_eq!((to, report.pthid.as_deref()), (&sender.did, Some(message.id.as_str())));
        assert_eq!(ProblemReport::try_from(&**report).unwrap().code, format!("e.p.room.{code}"));
    }
}

/// Decides RM-14, RM-19.
#[test]
fn a_guest_that_asks_again_is_answered_alone_and_with_a_new_id() {
    let mut table = Table::new(4);
    table.join(member(2, None));
    table.join(member(3, None));
    table.carry();
    table.passed += Duration::from_secs(60);
    table.input(1, Input::Timeout);
    let (from, to, message) = table.mail.pop_front().unwrap();
    assert!(Join::try_from(&message).is_ok() && table.mail.is_empty());
    table.deliver(from, &to, message.clone());
    let answers: Vec<_> = table.mail.drain(..).collect();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(
        (did::did_of(&answers[0].1).to_owned(), &*answers[0].2.type_),
        (did_of(&table.seats[1].room), types::ROOM_SEATS)
    );
    table.passed += Duration::from_secs(60);
    let now = table.now();
    table.seats[1].room.handle(Input::Timeout, now, &mut test_rng(104));
    table.drain(1);
    assert_ne!(table.mail.pop_front().unwrap().2.id, message.id);
}

/// Decides RM-24.
#[test]
fn a_guest_without_an_answer_asks_every_ten_seconds() {
    let mut table = Table::new(2);
    table.join(member(2, None));
    table.mail.clear();
    for seconds in 1..30 {
        table.passed = Duration::from_secs(seconds);
        table.input(1, Input::Timeout);
        assert_eq!(table.mail.drain(..).count(), usize::from(seconds % 10 == 0), "after {seconds} s");
    }
}

/// Decides RM-24.
#[test]
fn the_ninth_other_did_of_an_identity_is_refused() {
    let mut table = Table::new(3);
    let identity = Arc::new(Identity::generate(&mut test_rng(2)));
    for moves in 0..=9 {
        let connection = identity.connection(&mediator(moves));
        let mover = Member { identity: identity.clone(), connection, ..member(2, None) };
        let at = table.join(mover);
        table.carry();
        let refused = table.seats[at].failed.as_ref().map(|failure| failure.kind);
        assert_eq!(refused, (moves > 8).then_some(Kind::RoomRefused), "after {moves} moves");
    }
    assert_eq!(table.seats[0].room.missing(), 1);
}

/// Decides RM-16.
#[test]
fn the_room_ends_when_its_host_leaves() {
    let mut table = Table::new(3);
    table.join(member(2, None));
    table.carry();
    let body = Leave { code: leave::INTERRUPTED.to_owned(), comment: None, exit_code: None };
    table.input(0, Input::Leave(body));
    table.carry();
    assert_eq!(table.seats[1].failed.as_ref().unwrap().kind, Kind::PeerLost);
}

/// Decides RM-30.
#[test]
fn strangers_cannot_fill_the_memory_of_a_guest_that_waits() {
    let mut table = Table::new(3);
    let bob = table.join(member(2, None));
    table.carry();
    let stranger = table.sit(Room::host(member(9, None), table.seats[0].room.invitation.clone(), 2));
    let (to, room) = (did_of(&table.seats[bob].room), table.seats[0].room.invitation.room().to_owned());
    for number in 0..40 {
        let ready =
            Ready { hash: Digest32([0; 32]), index: 1, signature: vec![0; 64], nonce: Digest32([0; 32]) };
        table.deliver(stranger, &to, ready.message(number.to_string()).pthid(room.clone()));
    }
    assert_eq!(table.seats[bob].room.early.len(), 32);
}

/// Decides RM-30.
#[test]
fn only_the_lower_index_proposes_and_only_the_key_of_the_roster_is_heard() {
    let mut table = Table::new(2);
    table.join(member(2, None));
    let mut proposals = Vec::new();
    while let Some((from, to, message)) = table.mail.pop_front() {
        match message.type_.as_str() {
            types::SESSION_PROPOSE => proposals.extend(table.opened(from, &to, message)),
            _ => table.deliver(from, &to, message),
        }
    }
    let [(1, genuine, proposal)] = proposals.as_slice() else { panic!("{proposals:?}") };
    let mut forged = genuine.clone();
    forged.kid = format!("{}#key-3", genuine.did);
    // The same proposal again gets the same answer again (HS-18).
    for (sender, answers) in [(&forged, 0), (genuine, 1), (genuine, 1)] {
        table.input(1, Input::Message(sender, proposal));
        let accepts = table.mail.drain(..).filter(|(_, _, message)| message.type_ == types::SESSION_ACCEPT);
        assert_eq!(accepts.count(), answers, "{sender:?}");
    }
}

fn did_of(room: &Room) -> String {
    room.member().connection.did.clone()
}

/// Decides RM-22, RM-80.
#[test]
fn rm_80_the_circuits_meet_at_a_mediator_of_the_hosts_and_at_no_other() {
    for (meets, relay) in [(mediator(1), 1), (mediator(2), 0)] {
        let mut host = member(1, Some(ThresholdRule::Default));
        let mediators = [mediator(0), mediator(1)];
        host.connection = host.identity.connection_of(&mediators);
        let invitation =
            Invitation::create(&host.connection, "test", UNIX, UNIX + 600, &mut test_rng(100)).unwrap();
        let mut table = Table::new(2);
        table.seats[0].room = Room::host(host, invitation, 2);
        table.seats[0].room.meet_at(&meets);
        table.join(member(2, None));
        table.carry();
        table.connect();
        table.carry();
        for seat in &table.seats {
            assert_eq!(seat.ready.as_ref().unwrap().body().relay, mediators[relay], "{:?}", seat.failed);
        }
    }
}

/// Decides RM-81.
#[test]
fn rm_81_whoever_cannot_be_written_to_gets_no_seat_and_hears_why() {
    let identity = Arc::new(Identity::generate(&mut test_rng(2)));
    let bare = identity.connection(&mediator(0)).did.split(".S").next().unwrap().to_owned();
    let named = |uri: &str| identity.connection(uri).did;
    let no_address = Identity::generate(&mut test_rng(9)).connection("https://mediator.example/").did;
    for (did, is_seated) in [
        (named(&mediator(0)), true),
        (bare, false),
        (named("wss://mediator.example/"), false),
        (named("did:web:mediator.example"), false),
        (named("did:peer:2.Ez6LSmediator"), false),
        (named(Identity::generate(&mut test_rng(9)).did()), false),
        (named(&no_address), false),
        (identity.connection_at(&no_address, Some(&mediator(0))).did, true),
    ] {
        let mut table = Table::new(3);
        let connection = ConnectionDid { kid: format!("{did}#key-2"), did, mediator: mediator(0) };
        let bob = table.join(Member { identity: identity.clone(), connection, ..member(2, None) });
        table.carry();
        assert_eq!(table.seats[0].room.missing(), if is_seated { 1 } else { 2 });
        let heard = table.seats[bob].failed.as_ref().map(|failure| failure.message.as_str());
        let reason = "the host refused: the DID names no mediator at which it can be written to";
        assert_eq!(heard, (!is_seated).then_some(reason));
    }
}

/// Decides RM-82.
#[test]
fn a_seat_that_the_host_takes_back_is_free_for_others_and_not_for_its_holder() {
    let mut table = Table::new(3);
    let bob = table.join(member(2, None));
    table.carry();
    for nobody in [0, 2, 9] {
        table.input(0, Input::Kick(nobody));
        assert_eq!((table.seats[0].room.missing(), table.mail.len()), (1, 0));
    }
    table.input(0, Input::Kick(1));
    table.carry();
    let failure = table.seats[bob].failed.clone().unwrap();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::RoomRefused, "the host does not want this party in this room")
    );
    assert!(table.seats[0].events.contains(&Event::Left { name: "party 2".to_owned() }));
    let again = table.join(member(2, None));
    table.carry();
    assert_eq!(table.seats[again].failed.as_ref().unwrap().kind, Kind::RoomRefused);
    table.join(member(3, None));
    table.join(member(4, None));
    table.carry();
    table.connect();
    table.carry();
    assert_eq!(table.seats[0].ready.as_ref().unwrap().body().m, 3);
}

/// Decides RM-83.
#[test]
fn a_guest_of_three_does_not_compute_with_two() {
    let mut table = Table::new(3);
    table.join(member(2, None));
    table.carry();
    table.input(0, Input::Start);
    table.carry();
    assert_eq!(table.seats[1].failed.as_ref().unwrap().kind, Kind::NoPrivacy);
    assert!(table.seats.iter().all(|seat| seat.ready.is_none()));
}

/// Decides RM-83.
#[test]
fn a_host_may_begin_with_those_who_are_there() {
    let mut table = Table::new(5);
    table.input(0, Input::Start);
    assert!(table.seats[0].events.is_empty() && table.seats[0].failed.is_none(), "nobody else is there");
    let mut table = Table::new(5);
    for seed in 2..=3 {
        table.join(member(seed, None));
        table.carry();
    }
    table.input(0, Input::Start);
    table.carry();
    table.connect();
    table.carry();
    let rosters: Vec<_> = table.seats.iter().map(|seat| seat.ready.as_ref().unwrap().body()).collect();
    assert!(rosters.iter().all(|body| (body.m, body.threshold) == (3, 1)));
    let late = table.join(member(9, None));
    table.carry();
    assert_eq!(table.seats[late].failed.as_ref().unwrap().kind, Kind::RoomRefused);
}
