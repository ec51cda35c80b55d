//! Mediators that are not ours: older versions, no live delivery, no circuits.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::mediator::Mediator;
use support::party::{bare, text};
use support::process::run;
use support::stage::{Stage, finish};
use support::{average, didagent, python_command};

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

/// Decides RL-63.
#[test]
fn rl_63_the_first_mediator_that_answers_is_taken() {
    let mut stage = Stage::new();
    stage.kill_mediator();
    let second = Mediator::start(&didagent());
    let mut alice = stage.invite("alice", 2).option(&["--mediator", &second.link]).start();
    assert!(text(&alice.wait_for("warning"), "message").contains("does not answer"));
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    assert!(link.contains(&format!("127.0.0.1:{}/", second.port)), "{link}");
    let mut bob = stage.join("bob", &link).start();
    bob.wait_for("room.ready");
    for party in [bob, alice] {
        party.process.signal("INT");
        party.finish();
    }
}
