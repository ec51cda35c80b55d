//! `didagent message`: a text for a host who waits, from somebody with its link and from a contact.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;

use didagent_didcomm::protocols::out_of_band::Invitation;
use support::didagent;
use support::party::{bare, text};
use support::process::{Finished, run};
use support::schema::Events;
use support::stage::Stage;

fn message(home: &Path, words: &[&str]) -> Finished {
    run("message", bare(&didagent()).arg("--home").arg(home).arg("message").args(words))
}

/// Decides RM-63, RM-64.
#[test]
fn rm_64_a_text_reaches_a_host_that_waits_and_says_what_is_known_of_it() {
    let stage = Stage::new();
    let mut alice = stage.invite("alice", 2).option(&["--full"]).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let host = Invitation::from_url(&link).unwrap().from().to_owned();
    let carol = stage.home("carol");
    let via = format!("127.0.0.1:{}", stage.mediator.as_ref().unwrap().port);

    let sent = message(&carol, &[&link, "a seat\u{1b}[2J for me?"]);
    assert_eq!((sent.code, sent.stderr.as_str()), (0, ""), "{sent:?}");
    assert!(sent.lines[0].starts_with(&via) && sent.lines[0].contains("is not told"), "{sent:?}");
    let received = alice.wait_for("message.received");
    assert_eq!(text(&received, "text"), "a seat\u{1b}[2J for me?", "as it came: it is JSON");
    assert!(received["from"].is_null());

    let sent = message(&carol, &[&host, "still there?", "--json"]);
    let event = Events::shared().read(&sent.lines[0]);
    assert_eq!(
        (sent.code, text(&event, "type"), &event["taken"], text(&event, "via")),
        (0, "message.sent", &true.into(), via.as_str()),
        "{sent:?}"
    );
    assert_eq!(text(&alice.wait_for("message.received"), "text"), "still there?");

    // Whoever has a seat is known by its name.
    let mut bob = stage.join("bob", &link).start();
    alice.wait_for("party.joined");
    bob.wait_for("room.ready");
    let sent = message(&stage.home("bob"), &[&host, "hello"]);
    assert_eq!(sent.code, 0, "an engine of the same home is not in its way: {sent:?}");
    let received = alice.wait_for("message.received");
    assert_eq!(
        (text(&received, "text"), received["from"].as_str().unwrap().contains("bob")),
        ("hello", true)
    );
    // And written to by it, before anybody has met anybody.
    let sent = message(&stage.home("alice"), &["bob", "welcome"]);
    assert_eq!(sent.code, 0, "{sent:?}");
    assert_eq!(text(&bob.wait_for("message.received"), "text"), "welcome");
    let failed = message(&stage.home("alice"), &["dave", "welcome"]);
    assert!(failed.code == 2 && failed.stderr.contains("try: didagent message "), "{failed:?}");
    for party in [bob, alice] {
        party.process.signal("INT");
        party.finish();
    }

    // By the name of a contact, and when nobody is there: the mediator keeps it.
    let sent = message(&stage.home("bob"), &["alice", "see you"]);
    assert_eq!(sent.code, 0, "{sent:?}");
    for (words, code, error) in [
        (&["nobody", "hello"][..], 2, "E0801"),
        (&[host.as_str(), " "], 2, "E0002"),
        (&["https://example.org/", "hello"], 2, "E0201"),
        (&["did:example:a", "hello"], 2, "E0202"),
    ] {
        let failed = message(&carol, words);
        assert!(failed.code == code && failed.stderr.contains(error), "{failed:?}");
    }
    let gone = Stage::new();
    let unknown = host.split(".S").next().unwrap();
    let service = didagent_didcomm::protocols::b64url_encode(
        serde_json::json!({"t": "dm", "s": {"uri": gone.mediator_did(), "a": ["didcomm/v2"]}}).to_string(),
    );
    let failed = message(&carol, &[&format!("{unknown}.S{service}"), "hello"]);
    assert!(failed.code == 3 && failed.stderr.contains("E0304"), "{failed:?}");
}
