//! What a running party answers to people whom it does not know, and to those it does (spec/room.md, section 7).
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::net::TcpListener;
use std::time::Duration;

use didagent::core::identity::Identity;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::discover_features::Disclose;
use didagent_didcomm::protocols::out_of_band::Invitation;
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::trust_ping::Ping;
use didagent_didcomm::protocols::types;
use rand_core::SeedableRng as _;
use serde_json::json;
use support::foreigner::Foreigner;
use support::mediator::Mediator;
use support::party::{Party, text};
use support::stage::Stage;
use support::{average, didagent, holds_within, python_command};

fn ping(id: &str) -> Message {
    Ping { response_requested: true }.message(id)
}

/// A host that waits, and the DID under which it can be written to.
fn waiting_host(stage: &Stage) -> (Party, String) {
    let mut alice = stage.invite("alice", 2).option(&["--full"]).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let host = Invitation::from_url(&link).unwrap().from().to_owned();
    (alice, host)
}

fn stop(party: Party) -> support::party::Ended {
    party.process.signal("INT");
    let ended = party.finish();
    assert_eq!(ended.code, 130, "{ended:#?}");
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_answered_politely_sparingly_and_never_about_a_report() {
    let stage = Stage::new();
    let (alice, host) = waiting_host(&stage);
    let mut stranger = Foreigner::enrol(&stage.mediator_did(), 1).await;
    // Others' messages need not say when they end; ours do, so the header is not asked for here.
    stranger.write(ping("ping"), &host).await;
    assert_eq!(stranger.answer("ping").await.type_, types::PING_RESPONSE);
    stranger.write(Ping { response_requested: false }.message("quiet"), &host).await;

    let queries = json!({"queries": [{"feature-type": "protocol", "match": "*"}]});
    stranger.write(Message::new("queries", types::DISCOVER_QUERIES, queries), &host).await;
    let told = Disclose::try_from(&stranger.answer("queries").await).unwrap();
    let ids: Vec<_> = told.disclosures.iter().map(|one| one.id.as_str()).collect();
    for protocol in ["https://didcomm.org/trust-ping/2.0", "https://w3id.org/didagent/room/1.0"] {
        assert!(ids.contains(&protocol), "{ids:?}");
    }

    let unknown =
        Message::new("unknown", "https://example.org/poker/1.0/raise", json!({"by": 5})).thid("game");
    stranger.write(unknown, &host).await;
    let report = stranger.answer("game").await;
    assert_eq!(report.pthid.as_deref(), Some("game"));
    assert_eq!(ProblemReport::try_from(&report).unwrap().code, "e.p.msg.unsupported");
    // A report about that report, and one that is broken.
    stranger.write(ProblemReport::new("e.p.x", "what?").report("about", &report), &host).await;
    stranger.write(Message::new("broken", types::PROBLEM_REPORT, json!(7)).pthid("game"), &host).await;
    // A message of a room that is none.
    stranger
        .write(Message::new("old", types::ROOM_LEAVE, json!({"code": "done"})).pthid("nowhere"), &host)
        .await;

    // More than its share: most are left out, and what comes later is answered again.
    for number in 0..40 {
        stranger.write(ping(&format!("flood-{number}")), &host).await;
    }
    // The first of them is in the allowance, or the next that comes when it has grown.
    for attempt in 0.. {
        let id = format!("later-{attempt}");
        stranger.write(ping(&id), &host).await;
        let answer = tokio::time::timeout(Duration::from_millis(500), stranger.answer(&id)).await;
        if answer.is_ok() {
            break;
        }
        assert!(attempt < 100, "it is never answered again");
    }
    let rest: Vec<_> = stranger.rest().iter().map(Message::thread).collect();
    assert!(
        rest.iter().all(|thread| thread.starts_with("flood-") || thread.starts_with("later-")),
        "{rest:?}"
    );
    assert!(rest.len() < 40, "all were answered");
    // Nothing of it is worth a line on the person's screen.
    let ended = stop(alice);
    assert!(ended.events("warning").is_empty(), "{ended:#?}");
}

/// Decides RM-13, RM-61, RM-62.
#[tokio::test(flavor = "multi_thread")]
async fn no_connection_is_made_for_a_stranger_and_one_is_for_a_contact() {
    let stage = Stage::new();
    let (alice, host) = waiting_host(&stage);
    let mut messenger = Foreigner::enrol(&stage.mediator_did(), 3).await;
    // A stranger whose mail is kept, as it says, on this machine: an address that the host would dial for others.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("ws://{}/", listener.local_addr().unwrap());
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([2; 32]);
    let nowhere = Identity::generate(&mut rng).connection(&address).did;
    let stranger = Identity::generate(&mut rng);
    for message in [ping("far"), Message::new("u", "https://example.org/x/1.0/y", json!({}))] {
        messenger.carry(&stranger, &nowhere, message, &host).await;
    }
    messenger.write(ping("near"), &host).await;
    // Mail comes in its order, so the others were seen when this one is answered.
    assert_eq!(messenger.answer("near").await.type_, types::PING_RESPONSE);
    assert!(!holds_within(Duration::from_millis(500), || listener.accept().is_ok()));
    stop(alice);

    // After a run, in which alice met bob, whose mail is kept at another mediator, bob is no stranger.
    let second = Mediator::start(&didagent());
    let at_second = Invitation::from_url(&second.link).unwrap().from().to_owned();
    let mut alice = stage.invite("alice", 2).program(python_command(&average(), &["1"])).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let bob = stage.join("bob", &link).option(&["--mediator", &second.link]);
    bob.program(python_command(&average(), &["2"])).run().assert_ok();
    alice.finish().assert_ok();
    let (mut alice, host) = waiting_host(&stage);
    let file = std::fs::read(stage.home("bob").join("identity.json")).unwrap();
    let rng = rand_chacha::ChaCha20Rng::from_seed([4; 32]);
    let mut bob = Foreigner::enrol_as(Identity::from_file(&file).unwrap(), &at_second, rng).await;
    bob.write_through(ping("known"), &host, &mut messenger).await;
    assert_eq!(bob.answer("known").await.type_, types::PING_RESPONSE);
    // What a contact reports, its person sees in words, and once.
    for id in ["first", "second"] {
        let report =
            ProblemReport { args: vec!["seven".into()], ..ProblemReport::new("e.p.x", "no {1} today") };
        bob.write_through(report.message(id).pthid("thread"), &host, &mut messenger).await;
    }
    let warning = alice.wait_for("warning");
    assert_eq!(text(&warning, "message"), "bob reports a problem: no seven today (e.p.x)");
    bob.write_through(ping("last"), &host, &mut messenger).await;
    bob.answer("last").await;
    assert_eq!(stop(alice).events("warning").len(), 1);
}
