//! Seeds of message bodies and relay frames.

use std::collections::BTreeMap;

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::coordinate_mediation as mediation;
use didagent_didcomm::protocols::coordinate_mediation_2 as mediation_2;
use didagent_didcomm::protocols::discover_features::{Disclose, Disclosure, Queries, Query};
use didagent_didcomm::protocols::pickup::{self, Delivered};
use didagent_didcomm::protocols::relay::{self, CircuitId, CloseCode, Frame, Token};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::routing::{Forward, PayloadForm};
use didagent_didcomm::protocols::{
    Body, Digest32, basic_message, lobby, pickup_4, room, session, short_link, shorten_url, trust_ping, types,
};
use didagent_didcomm::short_link::LinkId;
use serde_json::{Value, json};

use super::Seeds;

pub(super) fn add(seeds: &mut Seeds) {
    for message in messages().into_iter().chain(board()) {
        let name = message.type_.rsplit('/').next().unwrap_or_default();
        let protocol = match types::protocol_of(&message.type_) {
            // The one protocol of which two versions have the same name.
            Some(old) if old.ends_with("/coordinate-mediation/2.0") => "coordinate-mediation-2",
            _ => message.type_.rsplit('/').nth(2).unwrap_or_default(),
        };
        let text = serde_json::to_vec(&message).expect("a message");
        seeds.add("message_bodies", &format!("valid-{protocol}-{name}"), text);
    }
    let mut bad = |name: &str, value: Value| seeds.add("message_bodies", name, value.to_string());
    let message = |type_: &str, body: Value| json!({"id": "1", "type": type_, "body": body});
    bad("bad-unknown-type", message("https://didcomm.org/empty/1.0/empty", json!({})));
    bad("bad-no-object", message(types::PING, json!([])));
    bad("bad-base64url", message(types::ROOM_ROSTER, json!({"roster": "+/==", "signature": ""})));
    bad(
        "bad-short-digest",
        message(types::ROOM_JOIN, json!({"name": "a", "link": "", "invitation_hash": "AAAA"})),
    );
    bad("bad-negative", message(types::DELIVERY_REQUEST, json!({"limit": -1})));
    bad(
        "bad-link-id",
        message(
            types::LINK_DEPOSIT,
            json!({"id": "AQEB", "content": "AA", "take_hash": "AAAA", "expires_time": 1}),
        ),
    );
    let mut hidden = board().remove(0).body;
    hidden["title"] = json!("votes\u{202e}");
    bad("bad-lobby-title", message(types::LOBBY_POST, hidden));
    bad("bad-lobby-id", message(types::LOBBY_WITHDRAW, json!({"id": "0123ABCD"})));
    bad(
        "bad-forward-of-a-link",
        json!({"id": "1", "type": types::FORWARD, "body": {"next": "did:example:b"}, "attachments": [{"data": {"links": ["https://example.org"]}}]}),
    );
    bad(
        "bad-many-queries",
        message(
            types::DISCOVER_QUERIES,
            json!({"queries": vec![json!({"feature-type": "a", "match": "*"}); 33]}),
        ),
    );
    relay_frames(seeds);
    feature_queries(seeds);
}

fn queries(matches: &[&str]) -> Queries {
    let query = |match_: &&str| Query { feature_type: "protocol".into(), match_: (*match_).to_owned() };
    Queries { queries: matches.iter().map(query).collect() }
}

fn disclose() -> Disclose {
    let protocol = Disclosure::protocol("https://didcomm.org/tictactoe/1.0", "player");
    Disclose { disclosures: vec![protocol, Disclosure::max_receive_bytes(65_536)] }
}

fn feature_queries(seeds: &mut Seeds) {
    const T: &str = "feature_queries";
    let text = |message: Message| serde_json::to_string(&message).expect("a message");
    let both = |matches: &[&str]| {
        format!("{}\n{}", text(queries(matches).message("1")), text(disclose().message("2")))
    };
    seeds.add(T, "valid-star", both(&["*"]));
    seeds.add(T, "valid-parts", both(&["https://*/tic*toe/1.*", "*****", ""]));
    seeds.add(
        T,
        "bad-order",
        format!("{}\n{}", text(disclose().message("1")), text(queries(&["*"]).message("2"))),
    );
    seeds.add(T, "bad-one", text(queries(&["*"]).message("1")));
    seeds.add(T, "bad-long", both(&[&"*a".repeat(300)]));
}

/// One message of every type.
fn messages() -> Vec<Message> {
    let did = || "did:example:a".to_owned();
    let digest = Digest32([7; 32]);
    let fields = BTreeMap::from([("responder_did".to_owned(), digest)]);
    let token = Token::new([9; 32]);
    let update = mediation::Update { recipient_did: did(), action: mediation::Action::Add };
    let updated = mediation::Updated {
        recipient_did: did(),
        action: mediation::Action::Remove,
        result: mediation::Outcome::NoChange,
    };
    let delivered = Delivered { id: "a".into(), message: r#"{"protected":"e30"}"#.into() };
    let deposit = short_link::Deposit {
        id: LinkId::parse("AQEBAQEB").expect("an id"),
        content: vec![1, 2, 3],
        take_hash: digest,
        expires_time: 1_800_000_000,
        single_use: true,
    };
    let shorten = shorten_url::RequestShortenedUrl {
        url: "https://example.org/?_oob=e30".into(),
        requested_validity_seconds: 60,
        goal_code: shorten_url::GOAL_OOB_2.into(),
        short_url_slug: None,
    };
    let shortened_url = || "https://example.org/?_oobid=1".to_owned();
    vec![
        deposit.message("1"),
        short_link::Deposited { expires_time: 1_800_000_000 }.message("1"),
        shorten.message("1"),
        shorten_url::ShortenedUrl { shortened_url: shortened_url(), expires_time: Some(1) }.message("1"),
        shorten_url::InvalidateShortenedUrl { shortened_url: shortened_url() }.message("1"),
        mediation_2::MediateRequest(mediation::MediateRequest {}).message("1"),
        mediation_2::MediateGrant { routing_did: did() }.message("1"),
        mediation_2::MediateDeny(mediation::MediateDeny {}).message("1"),
        mediation_2::KeylistUpdate(mediation::RecipientUpdate { updates: vec![update.clone()] }).message("1"),
        mediation_2::KeylistUpdateResponse(mediation::RecipientUpdateResponse {
            updated: vec![updated.clone()],
        })
        .message("1"),
        mediation_2::KeylistQuery(mediation::RecipientQuery { paginate: None }).message("1"),
        mediation_2::Keylist {
            keys: vec![mediation::RecipientDid { recipient_did: did() }],
            pagination: None,
        }
        .message("1"),
        mediation::MediateRequest {}.message("1"),
        mediation::MediateGrant { routing_did: vec![did()] }.message("1"),
        mediation::MediateDeny {}.message("1"),
        mediation::RecipientUpdate { updates: vec![update] }.message("1"),
        mediation::RecipientUpdateResponse { updated: vec![updated] }.message("1"),
        mediation::RecipientQuery { paginate: Some(mediation::Paginate { limit: 30, offset: 0 }) }
            .message("1"),
        mediation::Recipient {
            dids: vec![mediation::RecipientDid { recipient_did: did() }],
            pagination: Some(mediation::Pagination { count: 1, offset: 0, remaining: 9 }),
        }
        .message("1"),
        queries(&["https://didcomm.org/tictactoe/1.*"]).message("1"),
        disclose().message("1"),
        pickup::StatusRequest { recipient_did: Some(did()) }.message("1"),
        pickup::Status { message_count: 7, live_delivery: Some(true), ..Default::default() }.message("1"),
        pickup::DeliveryRequest { limit: 10, recipient_did: None }.message("1"),
        pickup::Delivery { recipient_did: Some(did()), messages: vec![delivered] }.message("1"),
        pickup::MessagesReceived { message_id_list: vec!["a".into()] }.message("1"),
        pickup::LiveDeliveryChange { live_delivery: true }.message("1"),
        pickup_4::StatusRequest(pickup::StatusRequest { recipient_did: None }).message("1"),
        pickup_4::Status {
            message_count: 7,
            newest_received_time: Some(1_739_420_343_823),
            ..Default::default()
        }
        .message("1"),
        pickup_4::DeliveryRequest { message_count_limit: 10, recipient_did: Some(did()) }.message("1"),
        pickup_4::Delivery(pickup::Delivery::default()).message("1").thid("2"),
        pickup_4::MessagesReceived(pickup::MessagesReceived { message_id_list: vec!["a".into()] })
            .message("1"),
        pickup_4::LiveDeliveryChange(pickup::LiveDeliveryChange { live_delivery: true }).message("1"),
        {
            let mut report = ProblemReport::new("e.m.live-mode-not-supported", "no").message("1").pthid("2");
            report.type_ = types::PICKUP_PROBLEM_REPORT_4.to_owned();
            report
        },
        Forward::new(did(), r#"{"protected":"e30"}"#).message("1", PayloadForm::Json),
        ProblemReport::new("e.p.msg.unsupported", "no").message("1").pthid("2"),
        basic_message::BasicMessage { content: "Your hovercraft is full of eels.".into() }.message("1"),
        trust_ping::Ping { response_requested: true }.message("1"),
        trust_ping::PingResponse {}.message("1").thid("2"),
        session::Propose {
            suites: vec![4, 3, 2, 1],
            suite: 4,
            noise: vec![5; 48],
            fields: fields.clone(),
            link: "a.b.c".into(),
        }
        .message("1"),
        session::Accept { suite: 1, noise: vec![5; 48], fields, link: None }.message("1"),
        session::Abort { code: "suite".into(), comment: None, use_suite: Some(1) }.message("1"),
        room::Ask { link: "a.b.c".into(), round: 2 }.message("1"),
        room::Invited { invitation: b"{}".to_vec() }.message("1"),
        room::Join {
            name: "bob".into(),
            link: "a.b.c".into(),
            invitation_hash: digest,
            manifest: None,
            commitment: digest,
            confirm: true,
            credential: Some("a.b.c".into()),
        }
        .message("1"),
        room::Seats {
            again: true,
            pending: false,
            seats: 3,
            names: vec!["alice".into(), "bob".into()],
            manifest: Some(serde_json::json!({"v": 1, "program": {"name": "vote.py", "sha256": null}})),
            differs: vec![room::Differs { index: 1, items: vec!["program".into()] }],
            away: vec![1],
        }
        .message("1"),
        room::Roster { roster: vec![1, 2], signature: vec![3; 64], credentials: vec!["a.b.c".into()] }
            .message("1"),
        room::Confirmed { hash: digest }.message("1"),
        room::Ready { hash: digest, index: 1, signature: vec![4; 64], nonce: digest }.message("1"),
        room::Leave { code: "done".into(), comment: None, exit_code: Some(0) }.message("1"),
        relay::Open { token, window: 65_536 }.message("1"),
        relay::Join { token, window: 65_536 }.message("1"),
        relay::Opened { circuit: CircuitId(1) }.message("1"),
        relay::Refused { code: relay::refusal::TIME.into(), comment: None }.message("1"),
    ]
}

/// The messages of a board.
fn board() -> Vec<Message> {
    let id = || lobby::PostId::new("0123abcd").expect("an id");
    let program = || lobby::Program {
        name: lobby::ProgramName::new("vote.py").expect("a name"),
        sha256: lobby::ProgramDigest::new("3f".repeat(32)).expect("a digest"),
    };
    let title = || lobby::Title::new("Wages of nurses").expect("a title");
    let link = || lobby::RoomLink::new("https://example.org/r/AQEBAQEB#AQ").expect("a link");
    let (seats, free, threshold, expires_time) = (3, 2, Some(1), 1_800_000_000);
    let post = lobby::Post {
        title: title(),
        program: program(),
        seats,
        free,
        threshold,
        link: link(),
        expires_time,
    };
    let listed = lobby::Listed {
        id: id(),
        title: title(),
        program: program(),
        seats,
        free,
        threshold: None,
        link: Some(link()),
        expires_time,
    };
    vec![
        post.message("1"),
        lobby::Posted { id: id(), expires_time }.message("1"),
        lobby::Renew { id: id(), free, expires_time }.message("1"),
        lobby::Withdraw { id: id() }.message("1"),
        lobby::Withdrawn { id: id() }.message("1"),
        lobby::List { id: Some(id()) }.message("1"),
        lobby::Posts { posts: vec![listed] }.message("1"),
    ]
}

fn relay_frames(seeds: &mut Seeds) {
    const T: &str = "relay_frame";
    let circuit = CircuitId(0x0102_0304);
    seeds.add(T, "valid-data", Frame::Data { circuit, record: b"record" }.encode());
    seeds.add(T, "valid-credit", Frame::Credit { circuit, bytes: u32::MAX }.encode());
    seeds.add(T, "valid-close", Frame::Close { circuit, code: CloseCode::NO_PARTNER }.encode());
    seeds.add(T, "bad-type", [4, 0, 0, 0, 1, 0]);
    seeds.add(T, "bad-no-record", [1, 0, 0, 0, 1]);
    seeds.add(T, "bad-no-credit", [2, 0, 0, 0, 1, 0, 0, 0, 0]);
    seeds.add(T, "bad-close-with-more", [3, 0, 0, 0, 1, 0, 0, 0]);
}
