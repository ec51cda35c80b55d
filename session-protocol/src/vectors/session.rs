//! `session.json`: whole conversations, and single records that close a session.

use super::{file, list, play::Player};
use crate::Role;

const FILE: &str = include_str!("../../../spec/vectors/session/session.json");

/// HS-10, SE-09, SE-11, SE-14, SE-50 and all of streams.md.
#[test]
fn st_03_records_that_close_a_session_and_some_that_do_not() {
    let file = file(FILE);
    let failing = &file["must_fail"];
    for case in list(failing, "cases") {
        let role = if case["to"] == "i" { Role::Initiator } else { Role::Responder };
        let mut player = Player::new(failing, role, &[]);
        player.play(case["before"].as_array().unwrap());
        player.check("A", case);
    }
}

/// From message 1 to CLOSE, in every suite and as either end: a stream each way, credit, an epoch that the responder asked
/// for, a connection that breaks, a resumption, records that come again.
#[test]
fn se_07_se_13_se_24_se_55_conversations_with_the_reference() {
    let file = file(FILE);
    for conversation in list(&file, "conversations") {
        for (role, drawn, stream, first, third) in [
            (
                Role::Initiator,
                "initiator_drawn",
                2,
                &b"from the responder"[..],
                &b"epoch 1 from the responderlost tooon the new connection"[..],
            ),
            (
                Role::Responder,
                "responder_drawn",
                1,
                &[&b"hello"[..], &[0; 59], &(0..64).collect::<Vec<u8>>()].concat(),
                b"still epoch 0epoch 1, lostand more",
            ),
        ] {
            let drawn = std::slice::from_ref(&conversation[drawn]);
            let mut player = Player::new(conversation, role, drawn);
            player.play(list(conversation, "steps"));
            assert_eq!(player.epoch(), 1);
            assert_eq!(player.received(stream), first);
            assert_eq!(player.received(3), third);
        }
    }
}
