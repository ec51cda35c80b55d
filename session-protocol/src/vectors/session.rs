//! `session.json`: whole conversations, and single records that close a session.

use super::{
    file, list,
    play::{MISSING, Player},
    text,
};
use crate::Role;

const FILE: &str = include_str!("../../../spec/vectors/session/session.json");

/// HS-10, SE-09, SE-11, SE-14, SE-50 and all of streams.md.
#[test]
fn st_03_records_that_close_a_session_and_some_that_do_not() {
    let file = file(FILE);
    let failing = &file["must_fail"];
    for case in list(failing, "cases") {
        if text(case, "requirement") == "SE-50" {
            // Its frame is missing yet.
            assert!(MISSING.contains(&"NEW_CID"));
            continue;
        }
        let role = if case["to"] == "i" { Role::Initiator } else { Role::Responder };
        let mut player = Player::new(failing, role, &[]);
        player.play(case["before"].as_array().unwrap());
        player.check(case);
    }
}

/// From message 1 on, in every suite, with a stream each way, credit, an epoch that the responder asked for.
#[test]
fn se_07_conversations_with_the_reference() {
    let file = file(FILE);
    for conversation in list(&file, "conversations") {
        let responder = [&conversation["responder_drawn"]].map(Clone::clone);
        let mut player = Player::new(conversation, Role::Responder, &responder);
        player.play(list(conversation, "steps"));
        assert_eq!(player.epoch(), 1);
        assert_eq!(player.received(1).len(), 5 + 59 + 64);
        assert_eq!(player.received(3), b"still epoch 0");
    }
}
