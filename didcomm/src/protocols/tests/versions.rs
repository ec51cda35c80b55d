//! The same protocols in two versions: what the specifications write is read, and becomes the body of the other version.

use serde_json::{Value, json};

use super::super::coordinate_mediation_2 as v2;
use super::super::{pickup_4 as v4, read_either};
use super::*;

fn message(type_: &str, body: Value) -> Message {
    Message::new("1", type_, body)
}

#[test]
fn bodies_of_coordinate_mediation_2() {
    let update = Update { recipient_did: "did:example:a".into(), action: Action::Add };
    let updated =
        Updated { recipient_did: "did:example:a".into(), action: Action::Remove, result: Outcome::NoChange };
    requires(&v2::MediateRequest(MediateRequest {}), &[]);
    requires(&v2::MediateDeny(MediateDeny {}), &[]);
    requires(&v2::MediateGrant { routing_did: "did:example:m".into() }, &["routing_did"]);
    requires(&v2::KeylistUpdate(RecipientUpdate { updates: vec![update] }), &["updates"]);
    requires(&v2::KeylistUpdateResponse(RecipientUpdateResponse { updated: vec![updated] }), &["updated"]);
    requires(&v2::KeylistQuery(RecipientQuery { paginate: Some(Paginate { limit: 30, offset: 0 }) }), &[]);
    let keys = vec![RecipientDid { recipient_did: "did:example:a".into() }];
    let pagination = Some(Pagination { count: 1, offset: 0, remaining: 9 });
    requires(&v2::Keylist { keys: keys.clone(), pagination }, &["keys"]);
    assert_eq!(
        Recipient::from(v2::Keylist { keys: keys.clone(), pagination }),
        Recipient { dids: keys, pagination }
    );
}

#[test]
fn a_routing_did_of_2_is_a_string_and_read_as_an_array_too() {
    let grant = MediateGrant { routing_did: vec!["did:example:m".into(), "did:example:n".into()] };
    let old = v2::MediateGrant::from(grant);
    assert_eq!(old.message("1").body, json!({"routing_did": "did:example:m"}));
    let read = |did: Value| {
        v2::MediateGrant::try_from(&message(types::MEDIATE_GRANT_2, json!({"routing_did": did})))
    };
    assert_eq!(read(json!(["did:example:m", "x"])), Ok(old.clone()));
    for bad in [json!([]), json!(7), json!([7])] {
        assert!(matches!(read(bad), Err(BodyError::Malformed { .. })));
    }
    assert_eq!(MediateGrant::from(old).routing_did, ["did:example:m"]);
}

#[test]
fn bodies_of_pickup_4() {
    let did = || Some("did:example:a".to_owned());
    requires(&v4::StatusRequest(StatusRequest { recipient_did: did() }), &[]);
    let status = v4::Status {
        message_count: 7,
        oldest_received_time: Some(1_739_420_343_823),
        ..v4::Status::default()
    };
    requires(&status, &["message_count"]);
    requires(
        &v4::DeliveryRequest { message_count_limit: 10, recipient_did: did() },
        &["message_count_limit"],
    );
    requires(
        &v4::MessagesReceived(MessagesReceived { message_id_list: vec!["1".into()] }),
        &["message_id_list"],
    );
    requires(&v4::LiveDeliveryChange(LiveDeliveryChange { live_delivery: true }), &["live_delivery"]);
    let limit = message(types::DELIVERY_REQUEST_4, json!({"limit": 10}));
    assert!(matches!(v4::DeliveryRequest::try_from(&limit), Err(BodyError::Malformed { .. })));

    let queued = Delivered { id: "a".into(), message: "{}".into() };
    for messages in [vec![queued], vec![]] {
        let delivery = Delivery { recipient_did: did(), messages };
        let message = v4::Delivery(delivery.clone()).message("1");
        assert_eq!(message.type_, types::DELIVERY_4);
        assert_eq!(v4::Delivery::try_from(&message).unwrap().0, delivery);
        assert_eq!(Delivery::try_from(&message), Err(BodyError::WrongType { expected: types::DELIVERY }));
        let mut anonymous = message;
        anonymous.attachments.push(super::super::pickup::base64_attachment("", "{}"));
        anonymous.attachments.last_mut().unwrap().id = None;
        assert!(matches!(v4::Delivery::try_from(&anonymous), Err(BodyError::Malformed { .. })));
    }
}

#[test]
fn times_of_pickup_4_are_milliseconds() {
    let seconds = Status {
        message_count: 7,
        longest_waited_seconds: Some(9),
        newest_received_time: Some(1_739_420_343),
        oldest_received_time: Some(u64::MAX),
        ..Status::default()
    };
    let millis = v4::Status::from(seconds.clone());
    assert_eq!(
        millis.message("1").body,
        json!({"message_count": 7, "newest_received_time": 1_739_420_343_000_u64, "oldest_received_time": u64::MAX})
    );
    let again = Status::from(millis);
    assert_eq!(
        (again.newest_received_time, again.longest_waited_seconds),
        (seconds.newest_received_time, None)
    );
}

#[test]
fn either_version_is_read_and_told_apart() {
    let read = |type_: &str| {
        let request = message(type_, json!({"limit": 3, "message_count_limit": 4}));
        read_either::<DeliveryRequest, v4::DeliveryRequest>(&request).map(|(body, is_4)| (body.limit, is_4))
    };
    assert_eq!(read(types::DELIVERY_REQUEST), Ok((3, false)));
    assert_eq!(read(types::DELIVERY_REQUEST_4), Ok((4, true)));
    assert!(matches!(read(types::STATUS_REQUEST), Err(BodyError::WrongType { .. })));
}

#[test]
fn the_report_of_pickup_4_is_a_problem_report() {
    let body = json!({"code": "e.m.live-mode-not-supported", "comment": "Connection does not support Live Delivery"});
    let report = message(types::PICKUP_PROBLEM_REPORT_4, body);
    assert!(matches!(
        ProblemReport::try_from(&report),
        Err(BodyError::MissingHeader { header: "pthid", .. })
    ));
    assert_eq!(ProblemReport::try_from(&report.pthid("1")).unwrap().code, "e.m.live-mode-not-supported");
    let broken = message(types::PICKUP_PROBLEM_REPORT_4, json!({"code": 7})).pthid("1");
    assert!(matches!(ProblemReport::try_from(&broken), Err(BodyError::Malformed { .. })));
}
