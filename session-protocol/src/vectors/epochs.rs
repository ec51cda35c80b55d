//! `epochs.json`: the key schedule of each epoch, exchanges that both ends take part in, and what must close the session.

use serde_json::Value;

use super::{array, bytes, file, handshake::Setting, list, play::Player};
use crate::{
    Role,
    noise::SplitKey,
    schedule::{self, Rest, RootKey},
};

const FILE: &str = include_str!("../../../spec/vectors/session/epochs.json");

fn check_rest(rest: &Rest, epoch: &Value) {
    let resume = |sender| rest.resume.of(sender).expose().to_vec();
    assert_eq!(rest.root.expose()[..], bytes(epoch, "rk"));
    assert_eq!(rest.split.expose()[..], bytes(epoch, "split"));
    assert_eq!(resume(Role::Initiator), bytes(epoch, "resume_i2r"));
    assert_eq!(resume(Role::Responder), bytes(epoch, "resume_r2i"));
}

#[test]
fn se_01_the_schedule_of_every_epoch() {
    let file = file(FILE);
    for suite in list(&file, "suites") {
        let setting = Setting::new(suite);
        let split = |name: &str| SplitKey::take(&mut array(suite, name));
        let zero = schedule::derive(setting.suite.cipher(), &array(suite, "h"), split("k1"), split("k2"));
        assert_eq!(zero.sid[..], bytes(&suite["root"], "sid"));
        assert_eq!(zero.exporter.expose()[..], bytes(&suite["root"], "exporter"));
        let epoch = &suite["epoch_0"];
        assert_eq!(zero.initiator_to_responder.chain.expose()[..], bytes(epoch, "ck_i2r"));
        assert_eq!(zero.responder_to_initiator.chain.expose()[..], bytes(epoch, "ck_r2i"));
        check_rest(&zero.rest, epoch);

        // The third begins with a handshake inside the session; its keys follow in the same way.
        assert_eq!(list(suite, "steps").len(), 3);
        for step in list(suite, "steps") {
            let (before, after) = (&step["before"], &step["after"]);
            let root = RootKey::take(&mut array(before, "rk"));
            let next = schedule::derive_next(&root, &bytes(step, "ikm"), &array(after, "context"));
            let (send, receive, rest) = next.split(Role::Initiator);
            assert_eq!(send.expose()[..], bytes(after, "ck_i2r"));
            assert_eq!(receive.expose()[..], bytes(after, "ck_r2i"));
            check_rest(&rest, after);
        }
    }
}

/// Draws of the steps that are a RATCHET, in order.
fn draws(suite: &Value, who: &str) -> Vec<Value> {
    list(suite, "steps").iter().map(|step| step[who].clone()).collect()
}

/// SE-20 to SE-24: the other end is the reference, and the keys of the next epoch come out the same.
#[test]
fn se_22_se_23_exchanges_with_the_reference() {
    let file = file(FILE);
    for suite in list(&file, "suites") {
        for role in [Role::Initiator, Role::Responder] {
            let name = if role == Role::Initiator { "initiator_drawn" } else { "responder_drawn" };
            let mut player = Player::new(suite, role, &draws(suite, name));
            player.play(list(suite, "records"));
            // The third step is a handshake inside the session.
            assert_eq!(player.epoch(), 3);
        }
    }
}

#[test]
fn se_20_se_21_se_30_what_closes_the_session() {
    let file = file(FILE);
    for suite in list(&file, "suites") {
        let failing = &suite["must_fail"];
        for case in list(failing, "cases") {
            let role = if case["to"] == "i" { Role::Initiator } else { Role::Responder };
            let drawn = std::slice::from_ref(&case["drawn"]);
            let drawn = if role == Role::Initiator { drawn } else { &[] };
            let mut player = Player::new(failing, role, drawn);
            player.play(list(failing, "before"));
            player.play(case["asked"].as_array().unwrap());
            player.check("A", case);
        }
    }
}
