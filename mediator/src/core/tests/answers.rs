//! What is answered and how: reports, pings, features.

use std::collections::BTreeSet;

use didagent_didcomm::protocols::discover_features::{self, Disclose, Queries, Query};
use didagent_didcomm::protocols::trust_ping::PingResponse;

use super::*;

const A: &str = "did:example:a";

fn features(bench: &mut Bench, feature_type: &str, match_: &str) -> Vec<discover_features::Disclosure> {
    let query = Query { feature_type: feature_type.to_owned(), match_: match_.to_owned() };
    bench.ask::<Disclose>(1, A, &Queries { queries: vec![query] }).disclosures
}

/// Decides RL-44.
#[test]
fn reports_name_the_message_and_its_thread() {
    let mut bench = Bench::new(Limits::default());
    let unknown = |id: &str| Message::new(id, "https://example.org/x/1.0/y", serde_json::json!({}));
    for (message, thread) in [(unknown("1"), "1"), (unknown("2").thid("t"), "t")] {
        let id = message.id.clone();
        bench.deliver(1, Some(A), message);
        let report = &bench.inbox(1)[0];
        assert_eq!((report.pthid.as_deref(), &report.thid), (Some(thread), &None));
        assert_eq!(report.extra["ack"], serde_json::json!([id]));
    }
    bench.deliver(1, Some(A), Message::new("3", types::RECIPIENT_UPDATE, serde_json::json!([])));
    let report = ProblemReport::try_from(&bench.inbox(1)[0]).unwrap();
    let sentence =
        format!("a message of type {} is malformed: the body is not an object", types::RECIPIENT_UPDATE);
    assert_eq!(report.text(), format!("the message cannot be read: {sentence}"));
    assert!(!report.comment.unwrap().contains(types::RECIPIENT_UPDATE), "the comment belongs to the code");
}

/// Decides RL-44.
#[test]
fn no_report_is_answered_whatever_is_wrong_with_it() {
    let mut bench = Bench::new(Limits::default());
    let body = || serde_json::json!({ "code": "e.p.x" });
    for type_ in [
        types::PROBLEM_REPORT,
        "https://didcomm.org/report-problem/1.0/problem-report",
        "https://example.org/notification/3.1/problem-report",
    ] {
        let good = Message::new(bench.id(), type_, body()).pthid("p");
        let expired = Message::new(bench.id(), type_, body()).pthid("p").times(0, 1);
        let long = Message::new(bench.id(), type_, body()).pthid("p".repeat(300));
        let broken = Message::new(bench.id(), type_, serde_json::json!([]));
        for message in [good.clone(), good, expired, long, broken] {
            bench.deliver(1, Some(A), message);
            assert!(bench.inbox(1).is_empty(), "{type_}");
        }
    }
}

#[test]
fn a_ping_is_answered_if_it_wants_to_be() {
    let mut bench = Bench::new(Limits::default());
    let _: PingResponse = bench.ask(1, A, &Ping { response_requested: true });
    bench.send(1, A, &Ping { response_requested: false });
    assert!(bench.inbox(1).is_empty());
    bench.deliver(
        1,
        Some(A),
        Message::new("p", types::PING, serde_json::json!({ "response_requested": "no" })),
    );
    assert_eq!(ProblemReport::try_from(&bench.inbox(1)[0]).unwrap().code, problem::MALFORMED.code);
}

/// Decides RL-48, LB-01.
#[test]
fn what_is_disclosed_is_what_is_served() {
    for (mut bench, has_board) in
        [(Bench::new(Limits::default()), false), (Bench::with_lobby(Limits::default()), true)]
    {
        let told = told_as_served(&mut bench);
        let board = told.iter().find(|feature| feature.id == format!("{}/lobby/1.0", types::BASE));
        assert_eq!(board.map(|board| &*board.roles[0]), has_board.then_some("board"));
    }
    let mut bench = Bench::new(Limits::default());
    let one = features(&mut bench, "protocol", "https://didcomm.org/messagepickup/3.*");
    assert_eq!((one.len(), &*one[0].roles[0]), (1, "mediator"));
    assert_eq!(features(&mut bench, "goal-code", "*")[0].id, types::GOAL_MEDIATE);
    let limit = features(&mut bench, "constraint", "max_receive_bytes");
    assert_eq!(limit[0].receives(), Some(1 << 20));
    let headers = features(&mut bench, "header", "return_route*");
    assert_eq!(
        headers.iter().map(|header| &*header.id).collect::<Vec<_>>(),
        ["return_route", "return_route_thread"]
    );
    assert!(features(&mut bench, "governance-framework", "*").is_empty());
    let many = Queries { queries: vec![Query { feature_type: "x".into(), match_: "*".into() }; 33] };
    assert_eq!(bench.problem(1, A, &many), problem::MALFORMED.code);
}

/// Fails unless all protocols that are served are told, each once, and no others; returns what is told.
fn told_as_served(bench: &mut Bench) -> Vec<discover_features::Disclosure> {
    bench.enrol(1, A);
    // What comes back for an empty body of each type says whether somebody serves it.
    let is_served = |bench: &mut Bench, type_: &str| {
        let id = bench.id();
        bench.deliver(1, Some(A), Message::new(id, type_, serde_json::json!({})));
        let unserved = [problem::UNSUPPORTED.code, problem::LOBBY_OFF.code];
        !bench.inbox(1).iter().any(|reply| unserved.iter().any(|code| reply.body["code"] == *code))
    };
    let served: BTreeSet<String> = types::ALL
        .iter()
        .filter(|type_| is_served(bench, type_))
        .map(|type_| types::protocol_of(type_).unwrap().to_owned())
        .collect();
    let told = features(bench, "protocol", "*");
    assert_eq!(served, told.iter().map(|feature| feature.id.clone()).collect());
    assert_eq!(served.len(), told.len(), "each once");
    assert!(told.iter().all(|feature| feature.roles.len() == 1));
    told
}
