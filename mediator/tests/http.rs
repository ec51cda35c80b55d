//! Messages over HTTP, with real envelopes and a real listener.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "tests use clocks and sockets, and fail by panicking"
)]

mod support;

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body;
use didagent_didcomm::protocols::coordinate_mediation::{
    Action, MediateGrant, MediateRequest, RecipientUpdate, RecipientUpdateResponse, Update,
};
use didagent_didcomm::protocols::pickup::{
    Delivery, DeliveryRequest, LiveDeliveryChange, MessagesReceived, Status, StatusRequest,
};
use didagent_didcomm::protocols::relay::{MAX_WINDOW, Open, Refused, Token, refusal};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::routing::{Forward, PayloadForm};
use didagent_didcomm::protocols::trust_ping::{Ping, PingResponse};
use support::{Client, Identity, Running, anoncrypt, kid_of, new_id, now};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TYPE: &str = "application/didcomm-encrypted+json";

/// Status, head and body of an answer.
struct Got {
    status: u16,
    head: String,
    body: String,
}

async fn raw(mediator: &Running, request: &[u8]) -> Got {
    let mut stream = TcpStream::connect(mediator.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let answer = answer.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Got { status, head: head.to_owned(), body: body.to_owned() }
}

async fn post(mediator: &Running, envelope: &str) -> Got {
    let head =
        format!("POST / HTTP/1.1\r\nHost: m\r\nContent-Type: {TYPE}\r\nContent-Length: {}", envelope.len());
    raw(mediator, format!("{head}\r\n\r\n{envelope}").as_bytes()).await
}

/// Posts a request that wants its answer here, and reads it.
async fn ask<R>(mediator: &Running, me: &Identity, body: &impl Body) -> R
where
    R: for<'a> TryFrom<&'a Message>,
{
    let message = body.message(new_id()).times(now(), now() + 60);
    let reply = ask_message(mediator, me, message).await;
    R::try_from(&reply).unwrap_or_else(|_| panic!("unexpected {}: {}", reply.type_, reply.body))
}

async fn ask_message(mediator: &Running, me: &Identity, message: Message) -> Message {
    let (id, message) = (message.id.clone(), message.to(&mediator.did).return_route_all());
    let got = post(mediator, &me.authcrypt(&kid_of(&mediator.did), message)).await;
    assert_eq!(got.status, 200, "{} {}", got.head, got.body);
    assert!(got.head.contains(&format!("\r\nContent-Type: {TYPE}\r\n")), "{}", got.head);
    let (reply, sender) = me.open(&got.body);
    assert_eq!(sender, mediator.did);
    assert_eq!(reply.thid.as_deref().or(reply.pthid.as_deref()), Some(&*id));
    reply
}

async fn enrol(mediator: &Running, me: &Identity) {
    let _: MediateGrant = ask(mediator, me, &MediateRequest {}).await;
    let updates = vec![Update { recipient_did: me.did.clone(), action: Action::Add }];
    let _: RecipientUpdateResponse = ask(mediator, me, &RecipientUpdate { updates }).await;
}

fn note(text: &str) -> Message {
    let type_ = "https://didcomm.org/basicmessage/2.0/message";
    Message::new(new_id(), type_, serde_json::json!({ "content": text }))
}

/// Makes the envelope of a forward that says nothing of its sender.
fn forward(mediator: &Running, from: &Identity, to: &Identity, message: Message) -> String {
    let forward = Forward::new(&to.did, from.sealed(&to.kid, message));
    anoncrypt(&mediator.did, forward.message(new_id(), PayloadForm::Json).to(&mediator.did))
}

/// Decides RL-50, RL-51.
#[tokio::test]
async fn mail_is_posted_and_picked_up_without_a_websocket() {
    let mediator = Running::start().await;
    let (alice, bob) = (Identity::new(), Identity::new());
    enrol(&mediator, &bob).await;
    let got = post(&mediator, &forward(&mediator, &alice, &bob, note("by post"))).await;
    assert_eq!((got.status, &*got.body), (202, ""));

    let status: Status = ask(&mediator, &bob, &StatusRequest::default()).await;
    assert_eq!((status.message_count, status.live_delivery), (1, Some(false)));
    let request = DeliveryRequest { limit: 5, recipient_did: None };
    let delivery: Delivery = ask(&mediator, &bob, &request).await;
    let (message, sender) = bob.open(&delivery.messages[0].message);
    assert_eq!((message.body["content"].as_str(), &sender), (Some("by post"), &alice.did));
    let again: Delivery = ask(&mediator, &bob, &request).await;
    assert_eq!(again, delivery, "it stays until it is acknowledged");
    let list = vec![delivery.messages[0].id.clone()];
    let status: Status = ask(&mediator, &bob, &MessagesReceived { message_id_list: list }).await;
    assert_eq!(status.message_count, 0);
    let empty: Status = ask(&mediator, &bob, &request).await;
    assert_eq!(empty.message_count, 0);
}

#[tokio::test]
async fn posted_mail_reaches_a_live_websocket() {
    let mediator = Running::start().await;
    let alice = Identity::new();
    let mut bob = Client::connect(&mediator.link, Identity::new()).await;
    bob.enrol().await;
    let _: Status = bob.ask(&LiveDeliveryChange { live_delivery: true }).await;
    assert_eq!(post(&mediator, &forward(&mediator, &alice, &bob.me, note("now"))).await.status, 202);
    let delivery = Delivery::try_from(&bob.next_message().await).unwrap();
    assert_eq!(bob.me.open(&delivery.messages[0].message).0.body["content"], "now");
}

/// Decides RL-51.
#[tokio::test]
async fn answers_come_back_only_when_the_message_asks_for_it() {
    let mediator = Running::start().await;
    let me = Identity::new();
    let kid = kid_of(&mediator.did);
    let ping = || Ping { response_requested: true }.message(new_id()).to(&mediator.did);
    let status = async |message: Message| post(&mediator, &me.authcrypt(&kid, message)).await.status;
    assert_eq!(status(ping()).await, 202);
    assert_eq!(status(ping().return_route_all()).await, 200);
    let mut thread = ping().thid("t");
    thread.return_route = Some("thread".to_owned());
    thread.extra.insert("return_route_thread".to_owned(), "t".into());
    assert_eq!(status(thread.clone()).await, 200);
    (thread.id, thread.thid) = (new_id(), Some("u".to_owned()));
    assert_eq!(status(thread).await, 202);
    let silent = Ping { response_requested: false }.message(new_id()).to(&mediator.did);
    assert_eq!(status(silent.return_route_all()).await, 202, "no answer was wanted");
    let _: PingResponse = ask(&mediator, &me, &Ping { response_requested: true }).await;
}

/// Decides RL-08, RL-44, RL-55.
#[tokio::test]
async fn what_needs_a_lasting_connection_is_refused_by_message() {
    let mediator = Running::start().await;
    let me = Identity::new();
    enrol(&mediator, &me).await;
    let report: ProblemReport = ask(&mediator, &me, &LiveDeliveryChange { live_delivery: true }).await;
    assert_eq!(report.code, "e.m.live-mode-not-supported");
    assert_eq!(report.text(), "Connection does not support Live Delivery");
    let off: Status = ask(&mediator, &me, &LiveDeliveryChange { live_delivery: false }).await;
    assert_eq!(off.live_delivery, Some(false));
    let open = Open { token: Token::new([1; 32]), window: MAX_WINDOW };
    let refused: Refused = ask(&mediator, &me, &open).await;
    assert_eq!(refused.code, refusal::NO_SOCKET);
    let nowhere = Forward::new("did:example:nobody", "{}").message(new_id(), PayloadForm::Json);
    let report = ask_message(&mediator, &me, nowhere).await;
    assert_eq!(report.body["code"], "e.p.did.not-registered");
    assert_eq!(report.extra["ack"], serde_json::json!([report.pthid]));
}

/// Decides RL-50.
#[tokio::test]
async fn envelopes_come_in_every_form_that_http_has() {
    let mediator = Running::start().await;
    let me = Identity::new();
    let envelope = || {
        let ping = Ping { response_requested: true }.message(new_id()).to(&mediator.did);
        me.authcrypt(&kid_of(&mediator.did), ping.return_route_all())
    };
    let text = envelope();
    let (half, rest) = text.split_at(text.len() / 2);
    let chunked = format!(
        "POST /any/path HTTP/1.1\r\nHost: m\r\nContent-Type: application/didcomm-envelope-enc; charset=utf-8\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{half}\r\n{:x};x=y\r\n{rest}\r\n0\r\n\r\n",
        half.len(),
        rest.len()
    );
    let text = envelope();
    let old =
        format!("POST / HTTP/1.0\r\nContent-Type: {TYPE}\r\nContent-Length: {}\r\n\r\n{text}", text.len());
    for request in [chunked, old] {
        let got = raw(&mediator, request.as_bytes()).await;
        assert_eq!(got.status, 200, "{}", got.body);
        PingResponse::try_from(&me.open(&got.body).0).unwrap();
    }

    // A client that waits to be asked for its body.
    let text = envelope();
    let mut stream = TcpStream::connect(mediator.address).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: m\r\nContent-Type: {TYPE}\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

/// Decides CN-22, RL-02, RL-52.
#[tokio::test]
async fn what_is_no_message_is_refused_with_a_sentence() {
    let mediator = Running::start().await;
    let me = Identity::new();
    let plain = serde_json::to_string(&Ping { response_requested: true }.message("1")).unwrap();
    let for_others = me.authcrypt(&me.kid, note("to myself"));
    let anonymous = anoncrypt(&mediator.did, MediateRequest {}.message(new_id()).to(&mediator.did));
    let mut bodies = Vec::new();
    for envelope in ["", "garbage", &plain, &for_others, &anonymous] {
        let got = post(&mediator, envelope).await;
        assert_eq!(got.status, 400, "{envelope}");
        bodies.push(got.body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "all look alike: {bodies:?}");
    for (request, status) in [
        ("PUT / HTTP/1.1\r\nHost: m\r\n\r\n", 405),
        ("POST / HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 415),
        ("POST / HTTP/1.1\r\nHost: m\r\n\r\n", 415),
    ] {
        let got = raw(&mediator, request.as_bytes()).await;
        assert_eq!(got.status, status);
        assert!(got.body.ends_with('\n') && got.body.len() > 20, "{:?}", got.body);
    }
    // All of it was sent when the answer comes, and the answer still arrives.
    let long = post(&mediator, &"x".repeat((1 << 20) + 1)).await;
    assert_eq!(long.status, 413);
    let fits = post(&mediator, &"x".repeat(1 << 20)).await;
    assert_eq!(fits.status, 400);
}

/// Decides RL-54.
#[tokio::test]
async fn health_and_page_are_told_apart() {
    let mediator = Running::start().await;
    for (request, expected) in [
        ("GET /health HTTP/1.1\r\nHost: m\r\n\r\n", "ok didagent-mediator "),
        ("GET / HTTP/1.1\r\nHost: m\r\n\r\n", "This is a didagent mediator."),
    ] {
        let got = raw(&mediator, request.as_bytes()).await;
        assert_eq!(got.status, 200);
        assert!(got.body.starts_with(expected), "{}", got.body);
        assert!(!got.body.contains("did:"), "{}", got.body);
    }
}
