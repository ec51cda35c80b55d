//! The log at its most talkative level repeats nothing that clients say.
#![cfg(unix)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "tests use clocks, sockets and processes, and fail by panicking"
)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::coordinate_mediation::{
    Action, RecipientUpdate, RecipientUpdateResponse, Update,
};
use didagent_didcomm::protocols::lobby::{List, Post, Posted, Posts};
use didagent_didcomm::protocols::relay::{Frame, Join, MAX_WINDOW, Open, Opened, Refused, Token};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::routing::{Forward, PayloadForm};
use didagent_didcomm::protocols::trust_ping::{Ping, PingResponse};
use didagent_didcomm::protocols::{Body as _, b64url_encode};
use support::{Client, Identity, new_id};

/// In everything that the clients send, so that it would show wherever it were logged.
const MARK: &str = "purple-elephant";

/// Decides SC-02.
#[tokio::test]
async fn trace_log_holds_no_bodies_tokens_records_or_links() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_didagent-mediator"))
        .args(["serve", "--listen", "127.0.0.1:0", "--lobby"])
        .env("DIDAGENT_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(log.reopen().unwrap())
        .spawn()
        .unwrap();
    let mut link = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut link).unwrap();
    let link = link.trim().to_owned();

    let mut alice = Client::connect(&link, Identity::new()).await;
    let mut bob = Client::connect(&link, Identity::new()).await;
    alice.enrol().await;
    bob.enrol().await;
    let token = Token::new([0x5A; 32]);
    let opened: Opened = alice.ask(&Open { token, window: MAX_WINDOW }).await;
    let _: Refused = bob.ask(&Open { token, window: MAX_WINDOW }).await;
    let _: Opened = bob.ask(&Join { token, window: MAX_WINDOW }).await;
    // Data before the first credit would end the circuit (RL-14).
    while !matches!(Frame::decode(&alice.next_frame().await).unwrap(), Frame::Credit { .. }) {}
    alice.send_record(opened.circuit, MARK.as_bytes()).await;
    while !matches!(Frame::decode(&bob.next_frame().await).unwrap(), Frame::Data { .. }) {}

    let bad = Update { recipient_did: MARK.to_owned(), action: Action::Other(MARK.to_owned()) };
    bob.send_text(format!("not an envelope: {MARK}")).await;
    let _: RecipientUpdateResponse = bob.ask(&RecipientUpdate { updates: vec![bad] }).await;
    for message in [
        Message::new(new_id(), format!("https://example.org/{MARK}/1.0/x"), serde_json::json!({ "a": MARK })),
        Open { token, window: 1 }.message(new_id()),
        Message::new(new_id(), RecipientUpdate::TYPE, serde_json::json!({ "updates": MARK })),
        Forward::new(format!("did:example:{MARK}"), MARK).message(new_id(), PayloadForm::Base64),
    ] {
        bob.send(message).await;
        bob.next_message().await;
    }
    bob.send(ProblemReport::new(MARK, MARK).message(new_id()).pthid(MARK)).await;
    let kid = bob.me.kid.clone();
    let to = bob.me.did.clone();
    alice.forward(&to, &kid, Message::new(MARK, MARK, serde_json::json!({})), PayloadForm::Json).await;
    let posted: Posted = alice.ask(&support::post(&link, MARK)).await;
    let list: Posts = bob.ask(&List { id: Some(posted.id) }).await;
    assert_eq!(list.posts[0].title.as_str(), MARK);
    alice.send(Message::new(new_id(), Post::TYPE, serde_json::json!({ "title": MARK }))).await;
    alice.next_message().await;
    // The answer comes after everything before it was logged.
    let _: PingResponse = bob.ask(&Ping { response_requested: true }).await;
    alice.close().await;
    bob.close().await;
    child.kill().unwrap();
    child.wait().unwrap();

    let log = std::fs::read_to_string(log.path()).unwrap();
    for event in
        ["problem", "circuit refused", "a message does not open", "problem reported", "a room was posted"]
    {
        assert!(log.contains(event), "{event} is not in the log:\n{log}");
    }
    let oob = link.split_once("_oob=").unwrap().1;
    for secret in [MARK, &b64url_encode(MARK), &b64url_encode([0x5A; 32]), &oob[..40]] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
    assert!(!log.contains(&format!("{:?}", MARK.as_bytes())) && !log.contains(&format!("{:?}", [0x5A; 32])));
}
