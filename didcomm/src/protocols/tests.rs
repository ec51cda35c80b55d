//! Round trips and refusals of every body; the spec's own examples where it gives any.

mod frames;
mod invitations;
mod links;
mod lobby;
mod versions;

use std::collections::BTreeMap;

use serde_json::json;

use super::basic_message::{BasicMessage, MAX_CONTENT};
use super::coordinate_mediation::*;
use super::discover_features::{
    Disclose, Disclosure, MAX_DISCLOSURES, MAX_MATCH, MAX_QUERIES, Queries, Query,
};
use super::pickup::*;
use super::report_problem::ProblemReport;
use super::routing::{Forward, MAX_ATTACHMENTS, PayloadForm};
use super::session::{Abort, Accept, Propose};
use super::trust_ping::{Ping, PingResponse};
use super::{Body, BodyError, Digest32, relay, room, types};
use crate::message::Message;

/// Writes a body, sends the message through JSON text, and reads it back.
fn round_trip<B>(body: &B) -> Message
where
    B: Body + PartialEq + std::fmt::Debug + for<'a> TryFrom<&'a Message, Error = BodyError>,
{
    let message = body.message("1");
    assert_eq!(message.type_, B::TYPE);
    let text = serde_json::to_string(&message).unwrap();
    let mut read: Message = serde_json::from_str(&text).unwrap();
    assert_eq!(&B::try_from(&read).unwrap(), body);

    // Unknown members do not matter, another type does, and a body that is no object is refused.
    read.body.as_object_mut().unwrap().insert("x-unknown".into(), json!([1]));
    assert_eq!(&B::try_from(&read).unwrap(), body);
    read.body = json!([]);
    assert!(matches!(B::try_from(&read), Err(BodyError::Malformed { .. })));
    read.type_ = "https://didcomm.org/empty/1.0/empty".into();
    assert_eq!(B::try_from(&read), Err(BodyError::WrongType { expected: B::TYPE }));
    message
}

/// Every member named in `required` must be missed when it is gone.
fn requires<B>(body: &B, required: &[&str])
where
    B: Body + PartialEq + std::fmt::Debug + for<'a> TryFrom<&'a Message, Error = BodyError>,
{
    let message = round_trip(body);
    for member in required {
        let mut without = message.clone();
        assert!(without.body.as_object_mut().unwrap().remove(*member).is_some(), "{member}");
        assert!(matches!(B::try_from(&without), Err(BodyError::Malformed { .. })), "{member}");
        let mut null = message.clone();
        null.body[*member] = serde_json::Value::Null;
        assert!(matches!(B::try_from(&null), Err(BodyError::Malformed { .. })), "{member}");
    }
}

#[test]
fn coordinate_mediation_bodies() {
    requires(&MediateRequest {}, &[]);
    requires(&MediateDeny {}, &[]);
    requires(&MediateGrant { routing_did: vec!["did:example:m".into()] }, &["routing_did"]);
    let update = |action| Update { recipient_did: "did:example:a".into(), action };
    requires(&RecipientUpdate { updates: vec![update(Action::Add), update(Action::Remove)] }, &["updates"]);
    let updated = |result| Updated { recipient_did: "did:example:a".into(), action: Action::Add, result };
    let all = [Outcome::Success, Outcome::NoChange, Outcome::ClientError, Outcome::ServerError];
    requires(&RecipientUpdateResponse { updated: all.map(updated).into() }, &["updated"]);
    requires(&RecipientQuery { paginate: Some(Paginate { limit: 30, offset: 0 }) }, &[]);
    let dids = vec![RecipientDid { recipient_did: "did:example:a".into() }];
    let pagination = Some(Pagination { count: 1, offset: 0, remaining: 9 });
    requires(&Recipient { dids, pagination }, &["dids"]);
}

#[test]
fn reads_requests_without_body_and_grants_with_a_single_did() {
    let request: Message =
        serde_json::from_value(json!({"id": "1", "type": types::MEDIATE_REQUEST})).unwrap();
    assert_eq!(MediateRequest::try_from(&request), Ok(MediateRequest {}));
    let grant = Message::new("1", types::MEDIATE_GRANT, json!({"routing_did": "did:example:m"}));
    assert_eq!(MediateGrant::try_from(&grant).unwrap().routing_did, ["did:example:m"]);
}

#[test]
fn unknown_action_is_kept_for_the_answer() {
    let body = json!({"updates": [{"recipient_did": "did:example:a", "action": "replace"}]});
    let update = RecipientUpdate::try_from(&Message::new("1", types::RECIPIENT_UPDATE, body)).unwrap();
    assert_eq!(update.updates[0].action, Action::Other("replace".into()));
}

#[test]
fn pickup_bodies() {
    requires(&StatusRequest { recipient_did: Some("did:example:a".into()) }, &[]);
    let status =
        Status { message_count: 7, total_bytes: Some(8096), live_delivery: Some(false), ..Status::default() };
    requires(&status, &["message_count"]);
    requires(&DeliveryRequest { limit: 10, recipient_did: None }, &["limit"]);
    requires(&MessagesReceived { message_id_list: vec!["123".into(), "456".into()] }, &["message_id_list"]);
    requires(&LiveDeliveryChange { live_delivery: true }, &["live_delivery"]);
}

#[test]
fn delivery_keeps_messages_byte_for_byte_and_in_order() {
    let messages = vec![
        Delivered { id: "b".into(), message: "{\"z\": 1,  \"a\":2}".into() },
        Delivered { id: "a".into(), message: "{}".into() },
    ];
    let delivery = Delivery { recipient_did: Some("did:example:a".into()), messages };
    let message = delivery.message("1");
    assert_eq!(Delivery::try_from(&message).unwrap(), delivery);

    let mut anonymous = message.clone();
    anonymous.attachments[0].id = None;
    assert!(matches!(Delivery::try_from(&anonymous), Err(BodyError::Malformed { .. })));
    let mut empty = message.clone();
    empty.attachments[0].data.base64 = None;
    assert!(matches!(Delivery::try_from(&empty), Err(BodyError::Malformed { .. })));
    let mut binary = message;
    binary.attachments[0].data.base64 = Some("_w".into());
    assert!(matches!(Delivery::try_from(&binary), Err(BodyError::Malformed { .. })));
}

#[test]
fn forward_carries_both_forms() {
    for form in [PayloadForm::Json, PayloadForm::Base64] {
        let mut forward = Forward::new("did:example:b#key-1", "{\"protected\":\"e30\"}");
        forward.expires_time = Some(1_516_385_931);
        let message = forward.message("1", form);
        assert_eq!(message.attachments[0].data.json.is_some(), form == PayloadForm::Json);
        assert_eq!(Forward::try_from(&message).unwrap(), forward);
        assert_eq!(forward.next_did(), "did:example:b");
    }
}

/// Decides RL-60.
#[test]
fn forward_carries_its_delay_in_a_header() {
    for delay_milli in [0, 1, -1, i64::MAX, i64::MIN] {
        let forward = Forward { delay_milli, ..Forward::new("did:example:b", "{}") };
        let message = forward.message("1", PayloadForm::Json);
        assert_eq!(message.extra.get("delay_milli").cloned(), (delay_milli != 0).then(|| json!(delay_milli)));
        assert_eq!(Forward::try_from(&message).unwrap(), forward);
    }
    let mut message = Forward::new("did:example:b", "{}").message("1", PayloadForm::Json);
    for (delay, is_read) in
        [(json!(null), true), (json!("5"), false), (json!(1.5), false), (json!(u64::MAX), false)]
    {
        message.extra.insert("delay_milli".into(), delay);
        assert_eq!(Forward::try_from(&message).is_ok(), is_read);
    }
}

#[test]
fn forward_reads_standard_base64_and_json_strings() {
    let mut message =
        Forward::new("did:example:b", "{\"a\":\"\u{fffe}?>~\"}").message("1", PayloadForm::Base64);
    let data = &mut message.attachments[0].data;
    let url_safe = data.base64.clone().unwrap();
    let standard = url_safe.replace('-', "+").replace('_', "/");
    assert_ne!(url_safe, standard, "the sample must contain a character that differs");
    data.base64 = Some(standard);
    assert_eq!(Forward::try_from(&message).unwrap().payloads, ["{\"a\":\"\u{fffe}?>~\"}"]);
    message.attachments[0].data.base64 = None;
    message.attachments[0].data.json = Some(json!("{}"));
    assert_eq!(Forward::try_from(&message).unwrap().payloads, ["{}"]);
}

/// Decides RL-45.
#[test]
fn forward_refuses_what_it_cannot_deliver() {
    let good = Forward::new("did:example:b", "{}").message("1", PayloadForm::Json);
    let mut links = good.clone();
    links.attachments[0].data.json = None;
    links.attachments[0].data.extra.insert("links".into(), json!(["https://example.org/x"]));
    let mut none = good.clone();
    none.attachments.clear();
    let mut many = good.clone();
    many.attachments = vec![good.attachments[0].clone(); MAX_ATTACHMENTS + 1];
    let mut nowhere = good.clone();
    nowhere.body = json!({"next": ""});
    let mut number = good;
    number.attachments[0].data.json = Some(json!(7));
    for bad in [links, none, many, nowhere, number] {
        assert!(matches!(Forward::try_from(&bad), Err(BodyError::Malformed { .. })), "{bad:?}");
    }
}

#[test]
fn problem_report_needs_its_parent_thread() {
    let report = ProblemReport::new("e.p.msg.unsupported", "no");
    let about = Message::new("7", types::PING, json!({})).thid("6");
    let message = report.report("8", &about);
    assert_eq!(message.pthid.as_deref(), Some("6"));
    assert_eq!(message.extra["ack"], json!(["7"]));
    assert_eq!(ProblemReport::try_from(&message), Ok(report.clone()));
    assert!(report.is_error());
    assert!(!ProblemReport::new("w.m.live", "").is_error());
    let orphan = report.message("8");
    assert!(matches!(
        ProblemReport::try_from(&orphan),
        Err(BodyError::MissingHeader { header: "pthid", .. })
    ));
}

#[test]
fn problem_report_puts_its_arguments_into_its_comment() {
    let text = |comment: Option<&str>, args: &[&str]| {
        let mut report = ProblemReport::new("e.p.x", "");
        report.comment = comment.map(str::to_owned);
        report.args = args.iter().map(|arg| (*arg).to_owned()).collect();
        report.text()
    };
    assert_eq!(text(None, &[]), "e.p.x");
    assert_eq!(text(Some("no {1} for {2}."), &["way", "you"]), "no way for you.");
    assert_eq!(text(Some("{2}{1}"), &["{2}", "b"]), "b{2}", "arguments are not read again");
    assert_eq!(text(Some("{1} {3}"), &["a", "b"]), "a ?, b");
    assert_eq!(text(Some("a"), &["b", "c"]), "a, b, c");
    assert_eq!(text(Some("{0} {x} {} { {{1}}"), &["a"]), "{0} {x} {} { {a}");
    assert_eq!(text(Some("{99999999999999999999999}"), &[]), "{99999999999999999999999}");
    let many = text(Some(&"{1}".repeat(1000)), &[&"\u{20ac}".repeat(1000)]);
    assert!(many.len() <= 4096 && many.len() > 4090, "{}", many.len());
}

#[test]
fn reports_of_every_version_are_known_as_such() {
    use super::report_problem::is_report;
    assert!(is_report(types::PROBLEM_REPORT));
    assert!(is_report("https://didcomm.org/report-problem/1.0/problem-report"));
    assert!(is_report("did:sov:x;spec/notification/1.0/problem-report"));
    assert!(!is_report(types::PING) && !is_report("") && !is_report("problem-report/x"));
}

#[test]
fn basic_message_has_a_text_that_is_bounded() {
    let text = |length: usize| BasicMessage { content: "x".repeat(length) };
    requires(&text(5), &["content"]);
    assert!(BasicMessage::try_from(&text(MAX_CONTENT).message("1")).is_ok());
    assert!(matches!(
        BasicMessage::try_from(&text(MAX_CONTENT + 1).message("1")),
        Err(BodyError::Malformed { .. })
    ));
}

#[test]
fn trust_ping_wants_an_answer_by_default() {
    let ping = Message::new("1", types::PING, json!({}));
    assert!(Ping::try_from(&ping).unwrap().response_requested);
    round_trip(&Ping { response_requested: false });
    let answer = PingResponse::to_ping("2", &ping.thid("0"));
    assert_eq!((answer.type_.as_str(), answer.thid.as_deref()), (types::PING_RESPONSE, Some("0")));
}

#[test]
fn discover_features_bodies() {
    let query = |match_: String| Query { feature_type: "protocol".into(), match_ };
    let queries = |count: usize, length: usize| Queries { queries: vec![query("x".repeat(length)); count] };
    requires(&queries(1, 3), &["queries"]);
    requires(&queries(0, 0), &["queries"]);
    let disclose = |count: usize| {
        let feature = Disclosure::protocol("https://didcomm.org/tictactoe/1.0", "player");
        Disclose { disclosures: vec![feature; count] }
    };
    requires(&disclose(2), &["disclosures"]);

    // As the specification writes them.
    let body = json!({"queries": [{"feature-type": "goal-code", "match": "org.didcomm.*"}]});
    let read = Queries::try_from(&Message::new("1", types::DISCOVER_QUERIES, body)).unwrap();
    assert_eq!(read.queries[0].feature_type, "goal-code");
    let body = json!({"disclosures": [
        {"feature-type": "protocol", "id": "https://didcomm.org/tictactoe/1.0", "roles": ["player"]},
        {"feature-type": "constraint", "id": "max_receive_bytes", "max_receive_bytes": "65536"},
    ]});
    let read = Disclose::try_from(&Message::new("1", types::DISCOVER_DISCLOSE, body.clone())).unwrap();
    assert_eq!((read.disclosures[0].receives(), read.disclosures[1].receives()), (None, Some(65536)));
    assert_eq!(read.message("1").body, body);

    let is_refused = |message: Message| {
        matches!(
            (Queries::try_from(&message), Disclose::try_from(&message)),
            (Err(BodyError::Malformed { .. }), _) | (_, Err(BodyError::Malformed { .. }))
        )
    };
    assert!(!is_refused(queries(MAX_QUERIES, MAX_MATCH).message("1")));
    assert!(is_refused(queries(MAX_QUERIES + 1, 1).message("1")));
    assert!(is_refused(queries(1, MAX_MATCH + 1).message("1")));
    assert!(!is_refused(disclose(MAX_DISCLOSURES).message("1")));
    assert!(is_refused(disclose(MAX_DISCLOSURES + 1).message("1")));
    let wrong = json!({"queries": [{"feature-type": "goal-code"}]});
    assert!(is_refused(Message::new("1", types::DISCOVER_QUERIES, wrong)));
}

#[test]
fn session_bodies() {
    let fields = BTreeMap::from([("responder_did".to_owned(), Digest32([7; 32]))]);
    let propose = Propose {
        suites: vec![2, 1],
        suite: 2,
        noise: vec![0xfb; 48],
        fields: fields.clone(),
        link: "a.b.c".into(),
    };
    requires(&propose, &["suites", "suite", "noise", "fields", "link"]);
    requires(&Accept { suite: 2, noise: vec![1], fields, link: None }, &["suite", "noise", "fields"]);
    requires(&Abort { code: "suite".into(), comment: None, use_suite: Some(1) }, &["code"]);
    let mut wrong = propose.message("1");
    wrong.body["suites"] = json!([256]);
    assert!(matches!(Propose::try_from(&wrong), Err(BodyError::Malformed { .. })));
    wrong = propose.message("1");
    wrong.body["noise"] = json!("+/==");
    assert!(matches!(Propose::try_from(&wrong), Err(BodyError::Malformed { .. })));
}

#[test]
fn room_bodies() {
    let join = room::Join {
        name: "bob".into(),
        link: "a.b.c".into(),
        invitation_hash: Digest32([1; 32]),
        manifest: None,
        commitment: Digest32([2; 32]),
        confirm: true,
        credential: Some("a.b.c".into()),
    };
    requires(&join, &["name", "link", "invitation_hash", "commitment"]);
    let roster = room::Roster { roster: vec![0, 255], signature: vec![2; 64], credentials: vec!["a".into()] };
    requires(&roster, &["roster", "signature"]);
    let ready =
        room::Ready { hash: Digest32([3; 32]), index: 1, signature: vec![4; 64], nonce: Digest32([5; 32]) };
    requires(&ready, &["hash", "index", "signature", "nonce"]);
    requires(&room::Confirmed { hash: Digest32([3; 32]) }, &["hash"]);
    requires(&room::Leave { code: "done".into(), comment: None, exit_code: Some(-1) }, &["code"]);
    // Whoever does not ask for it says nothing, as programs do that know nothing of it.
    let silent = room::Join { confirm: false, ..join.clone() }.message("1");
    assert!(silent.body.get("confirm").is_none() && !room::Join::try_from(&silent).unwrap().confirm);
    let mut short = join.message("1");
    short.body["invitation_hash"] = json!("AAAA");
    assert!(matches!(room::Join::try_from(&short), Err(BodyError::Malformed { .. })));
}

/// Decides RL-04.
#[test]
fn relay_bodies() {
    let token = relay::Token::new([9; 32]);
    requires(&relay::Open { token, window: 65_536 }, &["token", "window"]);
    requires(&relay::Join { token, window: 65_536 }, &["token", "window"]);
    requires(&relay::Opened { circuit: relay::CircuitId(u32::MAX) }, &["circuit"]);
    requires(&relay::Refused { code: relay::refusal::SAME_DID.into(), comment: None }, &["code"]);
    assert_eq!(format!("{token:?}"), "Token { .. }");
}

#[test]
fn errors_repeat_no_value_of_the_message() {
    let mut message = relay::Open { token: relay::Token::new([9; 32]), window: 1 }.message("1");
    message.body["window"] = json!("hunter2");
    let text = relay::Open::try_from(&message).unwrap_err().to_string();
    assert!(!text.contains("hunter2"), "{text}");
}
