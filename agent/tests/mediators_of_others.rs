//! A party may use a mediator of its own choice, and may run it: what that mediator says and how often it changes must not
//! touch the host's room.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use didagent::core::identity::{ConnectionDid, Identity};
use didagent::core::invite::Invitation;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::room::Join;
use didagent_didcomm::protocols::trust_ping::Ping;
use didagent_didcomm::protocols::{Body as _, Digest32, out_of_band};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use support::fake_mediator::fake_mediator;
use support::foreigner::Foreigner;
use support::hostile::Hostile;
use support::mediator::Mediator;
use support::party::{Party, text};
use support::stage::Stage;
use support::{didagent, until};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A room of alice's with this number of seats, and somebody who can write to her.
async fn room(stage: &Stage, seats: usize) -> (Party, String, Foreigner) {
    let mut alice = stage.invite("alice", seats).option(&["--full"]).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    (alice, link, Foreigner::enrol(&stage.mediator_did(), 3).await)
}

/// Asks for a seat in the room behind `link`, with mail kept at another mediator than the messenger's.
async fn join(
    messenger: &mut Foreigner,
    identity: &Identity,
    connection: &ConnectionDid,
    link: &str,
    id: String,
) {
    let invitation = Invitation::read(link, now()).unwrap();
    let join = Join {
        name: "mallory".to_owned(),
        link: identity.link(connection, now()),
        invitation_hash: Digest32(*invitation.hash()),
        manifest: None,
        commitment: Digest32([0; 32]),
        confirm: false,
        credential: None,
    };
    let message: Message = join.message(id).pthid(invitation.room());
    messenger.carry_as(identity, connection, message, invitation.host()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_partys_mediator_reports_ends_nothing_and_is_not_shown() {
    let stage = Stage::new();
    let (mut alice, link, mut messenger) = room(&stage, 4).await;
    let host = Invitation::read(&link, now()).unwrap().host().to_owned();
    let reports = Arc::new(AtomicUsize::new(0));
    let sent = Arc::clone(&reports);
    let fake = fake_mediator(move |socket| {
        let wrong_time = ProblemReport {
            args: vec!["1000000".to_owned()],
            ..ProblemReport::new("e.p.req.time.expired", "the mediator's time is {1}")
        };
        let moved = ProblemReport::new("w.m.live-mode-moved", "another socket has the mail now");
        let words = ProblemReport::new("e.p.x", "your disk is failing");
        for (number, report) in [wrong_time, moved, words].iter().cycle().take(300).enumerate() {
            socket.send_to(report.message(format!("r{number}")).pthid("anything"), &host);
        }
        sent.store(300, Ordering::SeqCst);
        // It stays until alice hangs up.
        while socket.next().is_some() {}
    });
    let fake = out_of_band::Invitation::from_url(&fake).unwrap().from().to_owned();
    let mallory = Identity::generate(&mut ChaCha20Rng::from_seed([9; 32]));
    join(&mut messenger, &mallory, &mallory.connection(&fake), &link, "join".to_owned()).await;
    assert_eq!(text(&alice.wait_for("party.joined"), "name"), "mallory");
    until("the reports are sent", || reports.load(Ordering::SeqCst) == 300);
    // The room goes on: the next one still gets a seat.
    let mut bob = stage.join("bob", &link).start();
    assert_eq!(text(&alice.wait_for("party.joined"), "name"), "bob");
    bob.wait_for("room.seats");
    for party in [bob, alice] {
        party.process.signal("INT");
        let ended = party.finish();
        assert_eq!(ended.code, 130, "{ended:#?}");
        assert!(ended.events("warning").is_empty(), "{ended:#?}");
    }
}

/// Decides RM-24.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_moves_from_mediator_to_mediator_does_not_keep_others_out() {
    let stage = Stage::new();
    let (mut alice, link, mut messenger) = room(&stage, 4).await;
    let dials = Arc::new(AtomicUsize::new(0));
    let dialled = Arc::clone(&dials);
    let listening = Hostile::websocket(move |mut socket| {
        dialled.fetch_add(1, Ordering::SeqCst);
        while socket.read().is_ok() {}
    });
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let mallory = Identity::generate(&mut rng);
    for number in 0..20 {
        // The same address each time; what counts is that each is another DID.
        let mediator =
            Identity::generate(&mut rng).connection(&format!("ws://127.0.0.1:{}/", listening.port)).did;
        join(&mut messenger, &mallory, &mallory.connection(&mediator), &link, format!("j{number}")).await;
    }
    assert_eq!(text(&alice.wait_for("party.joined"), "name"), "mallory");
    until("alice has dialled what she dials", || dials.load(Ordering::SeqCst) >= 9);
    // Bob has a mediator of his own, which alice still dials.
    let own = Mediator::start(&didagent());
    let mut bob = stage.join("bob", &link).option(&["--mediator", &own.link]).start();
    assert_eq!(text(&alice.wait_for("party.joined"), "name"), "bob");
    bob.wait_for("room.seats");
    let dials = dials.load(Ordering::SeqCst);
    assert!(dials <= 9, "alice dialled {dials} times");
    for party in [bob, alice] {
        party.process.signal("INT");
        assert_eq!(party.finish().code, 130);
    }
}

/// Decides RL-64.
#[tokio::test(flavor = "multi_thread")]
async fn rl_64_a_mediator_that_is_gone_is_not_dialled_for_each_message_to_somebody_with_two() {
    let stage = Stage::new();
    let (mut alice, link, mut messenger) = room(&stage, 4).await;
    let host = Invitation::read(&link, now()).unwrap().host().to_owned();
    let dials = Arc::new(AtomicUsize::new(0));
    let dialled = Arc::clone(&dials);
    let gone = Hostile::listen(move |_| {
        dialled.fetch_add(1, Ordering::SeqCst);
    });
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let mallory = Identity::generate(&mut rng);
    let gone = Identity::generate(&mut rng).connection(&format!("ws://127.0.0.1:{}/", gone.port)).did;
    let connection = mallory.connection_at(&gone, Some(&stage.mediator_did()));
    for number in 0..5 {
        // Each is answered, at both.
        join(&mut messenger, &mallory, &connection, &link, format!("j{number}")).await;
        until("the first dial", || dials.load(Ordering::SeqCst) > 0);
        let id = format!("p{number}");
        messenger.write(Ping { response_requested: true }.message(id.clone()), &host).await;
        messenger.answer(&id).await;
    }
    assert_eq!(text(&alice.wait_for("party.joined"), "name"), "mallory");
    assert!(dials.load(Ordering::SeqCst) <= 2, "{dials:?}");
    alice.process.signal("INT");
    assert_eq!(alice.finish().code, 130);
}
