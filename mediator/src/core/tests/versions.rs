//! Coordinate Mediation 2.0 and Message Pickup 4.0 beside the versions that our agents speak, and parts that are left out.

use didagent_didcomm::protocols::coordinate_mediation_2 as v2;
use didagent_didcomm::protocols::discover_features::{Disclose, Queries, Query};
use didagent_didcomm::protocols::pickup_4 as v4;

use super::*;

const A: &str = "did:example:a";
const B: &str = "did:example:b";

fn keylist_update(recipient: &str, action: Action) -> v2::KeylistUpdate {
    v2::KeylistUpdate(RecipientUpdate { updates: vec![Update { recipient_did: recipient.into(), action }] })
}

fn enrol_2(bench: &mut Bench, socket: u64, did: &str) {
    let grant: v2::MediateGrant = bench.ask(socket, did, &v2::MediateRequest(MediateRequest {}));
    assert_eq!(grant.routing_did, DID);
    let answer: v2::KeylistUpdateResponse = bench.ask(socket, did, &keylist_update(did, Action::Add));
    assert_eq!(answer.0.updated[0].result, Outcome::Success);
}

/// Decides NA-08, RL-56.
#[test]
fn rl_56_requests_of_2_are_answered_in_2() {
    let mut bench = Bench::new(Limits { accounts: 1, ..Limits::default() });
    enrol_2(&mut bench, 1, A);
    let query = v2::KeylistQuery(RecipientQuery { paginate: Some(Paginate { limit: 9, offset: 0 }) });
    bench.deliver(1, Some(A), query.message("q").thid("t"));
    let reply = bench.inbox(1).remove(0);
    assert_eq!(reply.thid.as_deref(), Some("t"));
    let list = v2::Keylist::try_from(&reply).unwrap();
    assert_eq!(list.keys, [RecipientDid { recipient_did: A.into() }]);
    assert_eq!(list.pagination, Some(Pagination { count: 1, offset: 0, remaining: 0 }));
    // The accounts are full, and this one is connected.
    let _: v2::MediateDeny = bench.ask(2, B, &v2::MediateRequest(MediateRequest {}));
    let many =
        RecipientUpdate { updates: vec![Update { recipient_did: A.into(), action: Action::Add }; 257] };
    let report: ProblemReport = bench.ask(1, A, &v2::KeylistUpdate(many));
    assert!(report.code == problem::MALFORMED.code && report.text().contains(types::KEYLIST_UPDATE));
    // The specification's own example has no body.
    bench.deliver(1, Some(A), Message::new("m", types::MEDIATE_REQUEST_2, serde_json::Value::Null));
    assert!(v2::MediateGrant::try_from(&bench.inbox(1)[0]).is_ok());
}

/// Decides RL-41, RL-56.
#[test]
fn rl_56_one_account_serves_both_versions_by_the_same_rules() {
    let mut bench = Bench::new(Limits::default());
    enrol_2(&mut bench, 1, A);
    let all: Recipient = bench.ask(1, A, &RecipientQuery::default());
    assert_eq!(all.dids.len(), 1);
    bench.enrol(2, B);
    let result = |bench: &mut Bench, did: &str, recipient: &str, action| {
        let answer: v2::KeylistUpdateResponse = bench.ask(3, did, &keylist_update(recipient, action));
        answer.0.updated[0].result.clone()
    };
    assert_eq!(result(&mut bench, A, B, Action::Add), Outcome::ClientError, "an account is nobody else's");
    assert_eq!(result(&mut bench, A, "did:example:x", Action::Add), Outcome::Success);
    assert_eq!(result(&mut bench, B, "did:example:x", Action::Add), Outcome::ClientError);
    assert_eq!(result(&mut bench, B, "did:example:x", Action::Remove), Outcome::NoChange);
    assert_eq!(result(&mut bench, A, "did:example:x", Action::Other("own".into())), Outcome::ClientError);
    // Who speaks for itself takes its name back, in either version.
    let _: v2::MediateGrant = bench.ask(4, "did:example:x", &v2::MediateRequest(MediateRequest {}));
    assert_eq!(result(&mut bench, "did:example:x", "did:example:x", Action::Add), Outcome::NoChange);
    assert_eq!(result(&mut bench, A, "did:example:x", Action::Add), Outcome::ClientError);
    assert_eq!(
        bench.problem(1, "did:example:n", &keylist_update(A, Action::Add)),
        problem::NOT_ENROLLED.code
    );
}

/// Decides RL-57.
#[test]
fn rl_57_pickup_of_4_is_answered_in_4() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, A);
    let request = |recipient: Option<&str>| v4::DeliveryRequest {
        message_count_limit: 9,
        recipient_did: recipient.map(str::to_owned),
    };
    bench.deliver(1, Some(A), request(None).message("empty"));
    let reply = bench.inbox(1).remove(0);
    assert_eq!(reply.thid.as_deref(), Some("empty"));
    assert!(v4::Delivery::try_from(&reply).unwrap().0.messages.is_empty(), "and no status");

    bench.forward(A, "1");
    bench.now.unix += 5;
    bench.forward(A, "2");
    let status: v4::Status = bench.ask(1, A, &v4::StatusRequest(StatusRequest::default()));
    let times = (status.oldest_received_time, status.newest_received_time);
    assert_eq!((status.message_count, times), (2, (Some(1_000_000_000), Some(1_000_005_000))));
    let delivery: v4::Delivery = bench.ask(1, A, &request(Some(A)));
    assert_eq!(delivery.0.recipient_did.as_deref(), Some(A));
    assert_eq!(delivery.0.messages.iter().map(|one| &*one.message).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(bench.problem(1, A, &request(Some(B))), problem::NOT_YOURS.code);
    let one = v4::DeliveryRequest { message_count_limit: 1, recipient_did: None };
    assert_eq!(bench.ask::<v4::Delivery>(1, A, &one).0.messages.len(), 1);

    let list = delivery.0.messages.into_iter().map(|one| one.id).collect();
    bench.send(1, A, &v4::MessagesReceived(MessagesReceived { message_id_list: list }));
    assert!(bench.inbox(1).is_empty(), "an acknowledgement has no answer");
    assert_eq!(bench.ask::<Status>(1, A, &StatusRequest::default()).message_count, 0);
}

/// Decides RL-43, RL-57.
#[test]
fn rl_57_live_mail_comes_in_the_version_that_asked_and_stays_until_it_is_acknowledged() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, A);
    bench.forward(A, "1");
    let live = |on| v4::LiveDeliveryChange(LiveDeliveryChange { live_delivery: on });
    bench.send(1, A, &live(true));
    let inbox = bench.inbox(1);
    assert_eq!(v4::Status::try_from(&inbox[0]).unwrap().live_delivery, Some(true));
    let pushed = v4::Delivery::try_from(&inbox[1]).unwrap().0.messages;
    assert_eq!((inbox.len(), pushed.len(), &inbox[1].thid), (2, 1, &None));
    // The socket breaks before the acknowledgement: it waits, for either version.
    bench.mediator.handle(Input::SocketClosed(SocketId(1)), bench.now);
    assert_eq!(bench.ask::<v4::Status>(2, A, &v4::StatusRequest(StatusRequest::default())).message_count, 1);
    let inbox = bench.live(2, A, true);
    assert_eq!(delivered(&inbox), [(pushed[0].id.clone(), "1".to_owned())], "as 3.0 now, under the same id");
    bench.send(2, A, &v4::MessagesReceived(MessagesReceived { message_id_list: vec![pushed[0].id.clone()] }));
    bench.send(2, A, &live(false));
    assert_eq!(v4::Status::try_from(&bench.inbox(2)[0]).unwrap().live_delivery, Some(false));
    bench.forward(A, "2");
    assert!(bench.inbox(2).is_empty());
}

/// Decides RL-55, RL-57.
#[test]
fn rl_57_live_mode_that_cannot_be_is_reported_as_the_version_says() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, A);
    bench.mediator.handle(Input::PostOpened(SocketId(9)), bench.now);
    for (type_, report) in [
        (types::LIVE_DELIVERY_CHANGE, types::PROBLEM_REPORT),
        (types::LIVE_DELIVERY_CHANGE_4, types::PICKUP_PROBLEM_REPORT_4),
    ] {
        bench.deliver(9, Some(A), Message::new(type_, type_, serde_json::json!({ "live_delivery": true })));
        let reply = bench.inbox(9).remove(0);
        assert_eq!((reply.type_.as_str(), reply.pthid.as_deref()), (report, Some(type_)));
        assert_eq!(ProblemReport::try_from(&reply).unwrap().code, problem::LIVE_UNSUPPORTED.code);
    }
}

/// Decides RL-58.
#[test]
fn rl_58_what_is_left_out_is_unknown_and_not_told() {
    for part in Part::ALL {
        let mut bench = Bench::without(&[part], Limits::default());
        // By the version that is there.
        if part == Part::CoordinateMediation3 {
            enrol_2(&mut bench, 1, A)
        } else {
            bench.enrol(1, A)
        }
        let query = Query { feature_type: "protocol".into(), match_: "*".into() };
        let told = bench.ask::<Disclose>(1, A, &Queries { queries: vec![query] }).disclosures;
        let is_told = told.iter().any(|one| one.id.ends_with(part.name()));
        // Live delivery is no protocol, and a board is there for those alone who want one.
        let is_one = !matches!(part, Part::LiveDelivery | Part::Lobby);
        assert!(!is_told && told.len() == if is_one { 11 } else { 12 }, "{part:?}");
        assert_eq!(part.name().parse(), Ok(part));
        let mut code = |message: Message| {
            bench.deliver(1, Some(A), message);
            ProblemReport::try_from(&bench.inbox(1)[0]).ok().map(|report| report.code)
        };
        let body = serde_json::json!({ "live_delivery": true, "limit": 1, "message_count_limit": 1 });
        for (number, (of, type_)) in [
            (Part::CoordinateMediation2, types::MEDIATE_REQUEST_2),
            (Part::CoordinateMediation3, types::MEDIATE_REQUEST),
            (Part::CoordinateMediation3, "https://didcomm.org/coordinate-mediation/3.7/mediate-request"),
            (Part::Pickup3, types::DELIVERY_REQUEST),
            (Part::Pickup4, types::STATUS_REQUEST_4),
        ]
        .into_iter()
        .enumerate()
        {
            let wanted = (of == part).then(|| problem::UNSUPPORTED.code.to_owned());
            assert_eq!(
                code(Message::new(format!("n{number}"), type_, body.clone())),
                wanted,
                "{part:?} {type_}"
            );
        }
        if part == Part::LiveDelivery {
            for type_ in [types::LIVE_DELIVERY_CHANGE, types::LIVE_DELIVERY_CHANGE_4] {
                let code = code(Message::new(type_, type_, body.clone()));
                assert_eq!(code.as_deref(), Some(problem::LIVE_UNSUPPORTED.code));
            }
        }
        if part == Part::Relay {
            let open = Message::new("o", types::RELAY_OPEN, body);
            assert_eq!(code(open).as_deref(), Some(problem::UNSUPPORTED.code));
        }
    }
    assert!("routing/2.0".parse::<Part>().is_err(), "a mediator without it is none");
}
