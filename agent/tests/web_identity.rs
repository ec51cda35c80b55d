//! Rooms whose parties are organisations: identities on a web site, looked up by the others.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::party::text;
use support::town::{PRIVATE, Town};

/// Decides CN-73, CN-74.
#[test]
fn organisations_meet_under_the_names_of_their_sites() {
    let town = Town::new();
    let [a, b] = ["alice", "bob"].map(|name| town.publish(name, name));
    let host = town.stage.invite("alice", 2).option(&["--as", &a, PRIVATE]);
    let mut alice = town.agent(host).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    // The document of another home's key: nothing is begun.
    town.publish("carol", "alice");
    let carol = town.site.did("carol");
    let refused = town.agent(town.stage.join("carol", &link).option(&["--as", &carol, PRIVATE])).run();
    refused.assert_error(8, "E0909");
    // Without leave to ask this machine, one's own site is not asked either.
    town.agent(town.stage.join("carol", &link).option(&["--as", &carol])).run().assert_error(3, "E0905");
    town.agent(town.stage.join("carol", &link).option(&["--as", "did:key:z6Mk"]))
        .run()
        .assert_error(2, "E0901");

    let mut bob = town.agent(town.stage.join("bob", &link).option(&["--as", &b, PRIVATE])).start();
    assert_eq!(text(&alice.wait_for("party.joined"), "identity"), b);
    for party in [&mut alice, &mut bob] {
        let ready = party.wait_for("room.ready");
        assert_eq!(
            (&ready["parties"][0]["identity"], &ready["parties"][1]["identity"]),
            (&a.clone().into(), &b.clone().into())
        );
    }
    for party in [alice, bob] {
        party.process.signal("INT");
        party.finish();
    }
}

/// Decides CN-74.
#[test]
fn whoever_cannot_look_a_party_up_does_not_take_part_with_it() {
    let town = Town::new();
    let a = town.publish("alice", "alice");
    // The site is there for the host alone; then with another key; then not at all.
    for (name, exit, code) in [("private", 3, "E0905"), ("rotated", 8, "E0403"), ("gone", 1, "E0903")] {
        town.publish("alice", "alice");
        let mut alice = town.agent(town.stage.invite("alice", 2).option(&["--as", &a, PRIVATE])).start();
        let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
        let bob = town.stage.join("bob", &link);
        let bob = match name {
            "private" => bob,
            "rotated" => {
                town.publish("alice", "mallory");
                bob.option(&[PRIVATE])
            }
            _ => {
                town.site.answer("/alice/did.json", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
                bob.option(&[PRIVATE])
            }
        };
        town.agent(bob).run().assert_error(exit, code);
        alice.process.signal("INT");
        alice.finish();
    }
}
