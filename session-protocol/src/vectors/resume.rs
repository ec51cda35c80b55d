//! `resume.json`: RESUME and RESUME_RSP from both ends in two epochs, and what is no such message.

use serde_json::Value;

use super::{array, bytes, file, list, number, play::Player, small, text};
use crate::{Role, Suite, aead::Cipher, record::resume::Resume, schedule::ResumeKey};

const FILE: &str = include_str!("../../../spec/vectors/session/resume.json");

fn cipher(case: &Value) -> Cipher {
    Suite::from_id(small(case, "suite")).unwrap().cipher()
}

#[test]
fn se_54_messages_in_both_directions_and_two_epochs() {
    let file = file(FILE);
    for suite in list(&file, "suites") {
        let cipher = cipher(suite);
        assert_eq!(list(suite, "messages").len(), 12);
        for row in list(suite, "messages") {
            let key = ResumeKey::take(&mut array(row, "k_resume"));
            let echo = bytes(row, "echo");
            let message = Resume {
                generation: number(row, "generation"),
                rx_next: number(row, "rx_next"),
                nonce: array(row, "nonce"),
                echo: if echo.is_empty() { None } else { Some(echo.try_into().unwrap()) },
            };
            let mut sealed = Vec::new();
            message.seal(cipher, &key, &array(row, "cid"), &array(row, "salt"), &mut sealed);
            assert_eq!(sealed, bytes(row, "message"));
            let other = ResumeKey::take(&mut [1; 32]);
            assert_eq!(
                Resume::open(cipher, [&other, &key].into_iter(), &sealed),
                Some((message, array(row, "cid")))
            );
            assert_eq!(Resume::open(cipher, [&other].into_iter(), &sealed), None);
        }
    }
}

/// What does not verify; what verifies and must move nothing is for a whole session.
#[test]
fn se_56_what_is_no_message() {
    let file = file(FILE);
    let failing = &file["must_fail"];
    let key = ResumeKey::take(&mut array(&failing["epoch_0"], "resume_i2r"));
    let mut verified = Vec::new();
    for case in list(failing, "cases") {
        if Resume::open(cipher(failing), [&key].into_iter(), &bytes(case, "bytes")).is_some() {
            verified.push(text(case, "name"));
        }
    }
    assert_eq!(
        verified,
        [
            "rx_next beyond what was sealed",
            "rx_next 2^64 - 1",
            "RESUME_RSP with another echo: answered, not adopted"
        ]
    );
}

/// The same to an end on a connection that stands but is not adopted: only an echo of its own nonce could do that.
#[test]
fn se_54_se_55_se_56_messages_that_move_nothing() {
    let file = file(FILE);
    let failing = &file["must_fail"];
    for case in list(failing, "cases") {
        let mut player = Player::new(failing, Role::Responder, &[]);
        player.play(list(failing, "before"));
        player.connect("B");
        player.check("B", case);
        assert!(!player.has_adopted(), "{}", text(case, "name"));
    }
}
