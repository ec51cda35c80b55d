//! The mediator over real WebSockets and with real envelopes.
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
use didagent_didcomm::protocols::coordinate_mediation::{
    Action, MediateGrant, MediateRequest, Outcome, RecipientUpdate, RecipientUpdateResponse, Update,
};
use didagent_didcomm::protocols::out_of_band::Invitation;
use didagent_didcomm::protocols::pickup::{
    Delivery, DeliveryRequest, LiveDeliveryChange, MessagesReceived, Status, StatusRequest,
};
use didagent_didcomm::protocols::relay::{
    CircuitId, CloseCode, Frame, Join, MAX_RECORD, MAX_WINDOW, Open, Opened, Refused, Token, refusal,
};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::routing::{Forward, PayloadForm};
use didagent_didcomm::protocols::types;
use support::{Client, Got, Identity, Running, new_id, now};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn two_clients(mediator: &Running) -> (Client, Client) {
    let mut alice = Client::connect(&mediator.link, Identity::new()).await;
    let mut bob = Client::connect(&mediator.link, Identity::new()).await;
    alice.enrol().await;
    bob.enrol().await;
    (alice, bob)
}

async fn circuit(alice: &mut Client, bob: &mut Client, token: [u8; 32]) -> (CircuitId, CircuitId) {
    let token = Token::new(token);
    let a: Opened = alice.ask(&Open { token, window: MAX_WINDOW }).await;
    let b: Opened = bob.ask(&Join { token, window: MAX_WINDOW }).await;
    for (client, circuit) in [(&mut *alice, a.circuit), (&mut *bob, b.circuit)] {
        let credit = Frame::Credit { circuit, bytes: MAX_WINDOW }.encode();
        assert_eq!(client.next_frame().await, credit);
    }
    (a.circuit, b.circuit)
}

/// Decides RL-42, RL-43.
#[tokio::test]
async fn mail_reaches_a_live_recipient_and_stays_until_it_is_acknowledged() {
    let mediator = Running::start().await;
    let (mut alice, mut bob) = two_clients(&mediator).await;
    let (bob_did, bob_kid) = (bob.me.did.clone(), bob.me.kid.clone());
    let note = |text: &str| {
        Message::new(
            new_id(),
            "https://didcomm.org/basicmessage/2.0/message",
            serde_json::json!({"content": text}),
        )
    };
    alice.forward(&bob_did, &bob_kid, note("while away"), PayloadForm::Json).await;
    // A reply on the same socket shows that the forward before it was handled.
    let _: Status = alice.ask(&StatusRequest::default()).await;

    let status: Status = bob.ask(&LiveDeliveryChange { live_delivery: true }).await;
    assert_eq!((status.message_count, status.live_delivery), (1, Some(true)));
    alice.forward(&bob_did, &bob_kid, note("live"), PayloadForm::Base64).await;
    let mut ids = Vec::new();
    for expected in ["while away", "live"] {
        let delivery = Delivery::try_from(&bob.next_message().await).unwrap();
        assert_eq!(delivery.messages.len(), 1);
        let (message, sender) = bob.me.open(&delivery.messages[0].message);
        assert_eq!(message.body["content"], expected);
        assert_eq!(sender, alice.me.did);
        ids.push(delivery.messages[0].id.clone());
    }

    // A new socket of the same DID gets both again, until they are acknowledged.
    let mut again = Client::connect(&mediator.link, bob.me).await;
    let status: Status = again.ask(&LiveDeliveryChange { live_delivery: true }).await;
    assert_eq!(status.message_count, 2);
    let delivery = Delivery::try_from(&again.next_message().await).unwrap();
    assert_eq!(delivery.messages.iter().map(|mail| mail.id.clone()).collect::<Vec<_>>(), ids);
    let status: Status = again.ask(&MessagesReceived { message_id_list: ids }).await;
    assert_eq!(status.message_count, 0);
    let empty: Status = again.ask(&DeliveryRequest { limit: 5, recipient_did: None }).await;
    assert_eq!(empty.message_count, 0);
}

/// Decides RL-01, RL-11, RL-15, RL-31.
#[tokio::test]
async fn a_circuit_carries_records_both_ways_with_credit_and_ends_with_its_client() {
    let mediator = Running::start().await;
    let (mut alice, mut bob) = two_clients(&mediator).await;
    let (a, b) = circuit(&mut alice, &mut bob, [1; 32]).await;

    // Four windows in one direction, as fast as credit comes back; bytes arrive unchanged.
    let record: Vec<u8> = (0..MAX_RECORD).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
    let total = 16;
    let sending = async {
        let mut credit = usize::try_from(MAX_WINDOW).unwrap();
        for _ in 0..total {
            while credit < record.len() {
                let frame = alice.next_frame().await;
                let Frame::Credit { circuit, bytes } = Frame::decode(&frame).unwrap() else {
                    panic!("{frame:?}")
                };
                assert_eq!(circuit, a);
                credit += usize::try_from(bytes).unwrap();
            }
            credit -= record.len();
            alice.send_record(a, &record).await;
        }
    };
    let receiving = async {
        for _ in 0..total {
            assert!(bob.next_frame().await == Frame::Data { circuit: b, record: &record }.encode());
        }
        bob.send_record(b, b"answer").await;
        bob
    };
    let ((), bob) = tokio::join!(sending, receiving);
    loop {
        let frame = alice.next_frame().await;
        match Frame::decode(&frame).unwrap() {
            Frame::Credit { .. } => {}
            other => break assert_eq!(other, Frame::Data { circuit: a, record: b"answer" }),
        }
    }
    bob.vanish();
    loop {
        let frame = alice.next_frame().await;
        match Frame::decode(&frame).unwrap() {
            Frame::Credit { .. } => {}
            other => break assert_eq!(other, Frame::Close { circuit: a, code: CloseCode::PEER_GONE }),
        }
    }
}

/// Decides RL-06, RL-08, RL-31.
#[tokio::test]
async fn a_polite_end_delivers_what_was_sent_before_it() {
    let mediator = Running::start().await;
    let (mut alice, mut bob) = two_clients(&mediator).await;
    let (a, b) = circuit(&mut alice, &mut bob, [1; 32]).await;
    alice.send_record(a, b"last words").await;
    alice.send_binary(Frame::Close { circuit: a, code: CloseCode(256) }.encode()).await;
    assert_eq!(bob.next_frame().await, Frame::Data { circuit: b, record: b"last words" }.encode());
    assert_eq!(bob.next_frame().await, Frame::Close { circuit: b, code: CloseCode(256) }.encode());
    let refused: Refused = bob.ask(&Join { token: Token::new([1; 32]), window: MAX_WINDOW }).await;
    assert_eq!(refused.code, refusal::TOKEN_USED);
    alice.close().await;
}

/// Decides RL-02, RL-46.
#[tokio::test]
async fn a_socket_carries_several_dids_and_a_recorded_request_is_refused() {
    let mediator = Running::start().await;
    let mut alice = Client::connect(&mediator.link, Identity::new()).await;
    alice.enrol().await;
    let first = std::mem::replace(&mut alice.me, Identity::new());
    alice.enrol().await;

    // The same bytes again, from another socket.
    let mut mallory = Client::connect(&mediator.link, first).await;
    let kid = didagent_didcomm::did::resolve_offline(&mediator.did).unwrap().key_agreement[0].clone();
    let update = RecipientUpdate {
        updates: vec![Update { recipient_did: mallory.me.did.clone(), action: Action::Remove }],
    };
    let message = didagent_didcomm::protocols::Body::message(&update, new_id())
        .to(&mediator.did)
        .times(now(), now() + 60);
    let text = mallory.me.authcrypt(&kid, message);
    mallory.send_text(text.clone()).await;
    let answer = RecipientUpdateResponse::try_from(&mallory.next_message().await).unwrap();
    assert_eq!(answer.updated[0].result, Outcome::Success);
    mallory.send_text(text).await;
    let report = ProblemReport::try_from(&mallory.next_message().await).unwrap();
    assert_eq!(report.code, "e.p.crypto.message.dejavu");
}

/// Decides RL-42, RL-44.
#[tokio::test]
async fn a_sender_who_says_who_it_is_hears_that_its_forward_went_nowhere() {
    let mediator = Running::start().await;
    let mut alice = Client::connect(&mediator.link, Identity::new()).await;
    let forward = Forward::new("did:example:nobody", "{}").message("f-1", PayloadForm::Json);
    alice.send(forward).await;
    let reply = alice.next_message().await;
    assert_eq!(reply.pthid.as_deref(), Some("f-1"));
    assert_eq!(ProblemReport::try_from(&reply).unwrap().code, "e.p.did.not-registered");
}

/// Decides CN-23, RL-01, RL-22, RL-23.
#[tokio::test]
async fn malformed_frames_close_the_socket_with_a_reason_and_noise_is_survived() {
    let mediator = Running::start().await;
    let mut alice = Client::connect(&mediator.link, Identity::new()).await;
    alice.send_text("not an envelope".to_owned()).await;
    alice.send_binary(b"{\"also\":\"not\"}".to_vec()).await;
    let _: MediateGrant = alice.ask(&MediateRequest {}).await;
    alice.send_binary(vec![9, 9, 9]).await;
    let Got::Close(Some((code, reason))) = alice.next().await else { panic!("no close") };
    assert_eq!((code, reason.as_str()), (1003, "malformed-frame"));
}

/// Decides RL-23, RL-34.
#[tokio::test]
async fn stop_ends_circuits_and_sockets_with_a_reason() {
    let mediator = Running::start().await;
    let (mut alice, mut bob) = two_clients(&mediator).await;
    let (a, _) = circuit(&mut alice, &mut bob, [1; 32]).await;
    let listening = async {
        assert_eq!(
            alice.next_frame().await,
            Frame::Close { circuit: a, code: CloseCode::GOING_AWAY }.encode()
        );
        let Got::Close(Some((code, reason))) = alice.next().await else { panic!("no close") };
        assert_eq!((code, reason.as_str()), (1001, "going-away"));
    };
    tokio::join!(mediator.stop(), listening, async { while !matches!(bob.next().await, Got::Close(_)) {} });
}

/// Decides IV-05, RL-52, RL-54.
#[tokio::test]
async fn a_browser_gets_a_page_and_the_link_is_an_invitation_to_mediate() {
    let mediator = Running::start().await;
    let invitation = Invitation::from_url(&mediator.link).unwrap();
    assert_eq!(invitation.goal_code(), Some(types::GOAL_MEDIATE));
    assert_eq!(invitation.from(), mediator.did);
    for (request, expected) in [
        ("GET /?_oob=abc HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK"),
        ("PUT / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 "),
    ] {
        let mut stream = TcpStream::connect(mediator.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(expected), "{answer}");
        assert_eq!(answer.contains("didagent mediator"), request.starts_with("GET"));
    }
}
