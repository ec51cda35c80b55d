//! Mediators that are not ours: older versions, no live delivery, no circuits, other habits.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::mpsc::channel;
use std::time::{SystemTime, UNIX_EPOCH};

use didagent::core::identity::Identity;
use didagent::core::invite::Invitation;
use didagent::core::post::Post;
use didagent_didcomm::protocols::basic_message::BasicMessage;
use didagent_didcomm::protocols::{Body as _, out_of_band};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use support::fake_mediator::fake_mediator;
use support::mediator::Mediator;
use support::party::{bare, text};
use support::process::run;
use support::schema::Schema;
use support::stage::{Stage, finish};
use support::{PATIENCE, average, didagent, python_command};

fn stage_without(parts: &str) -> Stage {
    Stage::with_mediator(didagent(), Mediator::start_without(&didagent(), parts))
}

/// Decides RL-59.
#[test]
fn a_room_and_a_ping_work_at_a_mediator_that_speaks_2_and_3_only_and_pushes_nothing() {
    let stage = stage_without("coordinate-mediation/3.0,message-pickup/4.0,live-delivery");
    let parties = stage.start(vec![python_command(&average(), &["1"]), python_command(&average(), &["2"])]);
    for party in finish(parties) {
        assert_eq!(party.assert_ok().output(), ["average of 2 inputs: 1.50"], "{party:#?}");
    }
    // Alice hosts again and only waits; bob asks her for a sign of life without an engine of his own.
    let mut alice = stage.invite("alice", 2).start();
    alice.wait_for("room.invitation");
    let home = stage.home("bob");
    let ping =
        run("ping", bare(&didagent()).arg("--home").arg(&home).args(["ping", "alice", "--count", "1"]));
    assert_eq!(ping.code, 0, "{ping:?}");
    alice.process.signal("INT");
    alice.finish();
}

/// Decides RL-59.
#[test]
fn a_mediator_without_circuits_is_named_as_the_reason() {
    let stage = stage_without("relay/1.0,messagepickup/3.0");
    let mut alice = stage.invite("alice", 2).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let bob = stage.join("bob", &link).start();
    let ended = finish(vec![alice, bob]);
    assert!(ended.iter().all(|party| party.code != 0), "{ended:#?}");
    let says = |party: &support::party::Ended| {
        party.events("error").iter().any(|error| text(error, "message").contains("keeps mail only"))
    };
    assert!(ended.iter().any(says), "{ended:#?}");
}

/// Decides RL-66.
#[test]
fn rl_66_a_room_is_at_the_did_that_its_mediator_wants_mail_to_go_to() {
    let stage = Stage::new();
    let (send, registered) = channel();
    let fake = fake_mediator(move |socket| {
        let routing = socket.other_did();
        socket.set_up(&["did:web:nobody.example".to_owned(), routing.clone()]);
        let _ = send.send((routing, socket.client().to_owned()));
        while socket.next().is_some() {}
    });
    let mut alice = stage.invite_at("alice", 2, &fake).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let invitation = Invitation::read(&link, 0).unwrap();
    let (routing, did) = registered.recv_timeout(PATIENCE).unwrap();
    assert_eq!((invitation.mediators(), invitation.host()), (&[routing][..], did.as_str()));
    alice.process.signal("INT");
    assert_eq!(alice.finish().code, 130);
}

/// Decides RL-65, LP-08.
#[test]
fn rl_65_mail_that_is_pushed_as_it_is_counts_once_and_is_not_acknowledged() {
    let stage = Stage::new();
    let (send, heard) = channel();
    let fake = fake_mediator(move |socket| {
        socket.set_up(&[]);
        let mut rng = ChaCha20Rng::from_seed([9; 32]);
        let bob = Identity::generate(&mut rng);
        let connection = bob.connection(socket.did());
        let post = Post { identity: &bob, connection: &connection };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        for (id, content) in [("1", "hello"), ("1", "hello"), ("2", "again\u{1b}[2J")] {
            let message = BasicMessage { content: content.to_owned() }.message(id);
            let parcel = post.to_party(message, socket.client(), now, &mut rng).unwrap();
            socket.push(&parcel.text);
        }
        let types = std::iter::from_fn(|| socket.next().map(|message| message.type_));
        let _ = send.send(types.collect::<Vec<_>>());
    });
    let mut alice = stage.invite_at("alice", 2, &fake).start();
    for expected in ["hello", "again\u{1b}[2J"] {
        assert_eq!(text(&alice.wait_for("message.received"), "text"), expected);
    }
    // Who looks later sees them too.
    let ask = |words: &[&str]| {
        run("status", bare(&didagent()).arg("--home").arg(stage.home("alice")).arg("status").args(words))
    };
    let mut status = serde_json::Value::Null;
    support::until("the status has both", || {
        status = serde_json::from_str(&ask(&["--json"]).lines[0]).unwrap();
        status["texts"] == 2
    });
    Schema::read("status.schema.json").assert_valid(&status);
    let texts: Vec<_> =
        status["messages"].as_array().unwrap().iter().map(|message| text(message, "text")).collect();
    assert_eq!(texts, ["hello", "again\u{fffd}[2J"]);
    let screen = ask(&[]).lines.join("\n");
    assert!(screen.contains("somebody unknown: hello"), "{screen}");
    alice.process.signal("INT");
    assert_eq!(alice.finish().code, 130);
    let types = heard.recv_timeout(PATIENCE).unwrap();
    assert!(!types.iter().any(|type_| type_.contains("messages-received")), "{types:?}");
}

/// Decides RL-63.
#[test]
fn rl_63_the_first_mediator_that_answers_is_taken() {
    let mut stage = Stage::new();
    stage.kill_mediator();
    let second = Mediator::start(&didagent());
    let mut alice = stage.invite("alice", 2).option(&["--full", "--mediator", &second.link]).start();
    assert!(text(&alice.wait_for("warning"), "message").contains("does not answer"));
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    assert!(link.contains(&format!("127.0.0.1:{}/", second.port)), "{link}");
    // Whoever knew the host before still does: the DID names both.
    let named = Invitation::read(&link, 0).unwrap();
    let second_did = out_of_band::Invitation::from_url(&second.link).unwrap().from().to_owned();
    assert_eq!(named.mediators(), [stage.mediator_did(), second_did]);
    let mut bob = stage.join("bob", &link).start();
    bob.wait_for("room.ready");
    for party in [bob, alice] {
        party.process.signal("INT");
        party.finish();
    }
}
