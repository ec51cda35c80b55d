//! The mediator as its clients see it, without envelopes and sockets.

use didagent_didcomm::protocols::coordinate_mediation::*;
use didagent_didcomm::protocols::pickup::*;
use didagent_didcomm::protocols::relay::{self as relay_bodies, MAX_WINDOW, Opened, Refused, refusal};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::routing::{Forward, PayloadForm};
use didagent_didcomm::protocols::trust_ping::Ping;
use didagent_didcomm::protocols::{Body, types};

use super::problem;
use super::*;
use crate::store::MemoryStore;

mod answers;
mod bounds;
mod links;
mod lobby;
mod model;
mod pressure;
mod routes;
mod versions;

const DID: &str = "did:example:mediator";

struct Bench {
    mediator: Mediator<MemoryStore>,
    now: Now,
    next_id: u64,
}

fn peer(did: &str) -> Peer {
    Peer { did: did.into(), kid: format!("{did}#key-2").into(), our_kid: format!("{DID}#key-2").into() }
}

impl Bench {
    fn new(limits: Limits) -> Self {
        Self::without(&[], limits)
    }

    fn without(parts: &[Part], limits: Limits) -> Self {
        Self::of(Mediator::new(DID, limits, MemoryStore::default(), [7; 32]).without(parts))
    }

    /// A mediator with a board, at the address `https://med.example.org/`.
    fn with_lobby(limits: Limits) -> Self {
        let mediator = Mediator::new(DID, limits, MemoryStore::default(), [7; 32]);
        Self::of(mediator.with_lobby().at("https://med.example.org/"))
    }

    fn of(mediator: Mediator<MemoryStore>) -> Self {
        let mut bench =
            Self { mediator, now: Now { since_start: Duration::ZERO, unix: 1_000_000 }, next_id: 0 };
        for socket in 1..=4 {
            bench.mediator.handle(Input::SocketOpened(SocketId(socket)), bench.now);
        }
        bench
    }

    fn id(&mut self) -> String {
        self.next_id += 1;
        self.next_id.to_string()
    }

    fn deliver(&mut self, socket: u64, from: Option<&str>, message: Message) {
        let received = Box::new(Received { message, sender: from.map(peer) });
        self.mediator.handle(Input::Message { socket: SocketId(socket), received }, self.now);
    }

    fn send(&mut self, socket: u64, from: &str, body: &impl Body) {
        let id = self.id();
        self.deliver(socket, Some(from), body.message(id));
    }

    /// Returns everything that waits for a socket, messages only.
    fn inbox(&mut self, socket: u64) -> Vec<Message> {
        std::iter::from_fn(|| self.mediator.next_for(SocketId(socket), self.now))
            .filter_map(|outgoing| match outgoing {
                Outgoing::Message { message, .. } => Some(*message),
                Outgoing::Frame(_) => None,
            })
            .collect()
    }

    fn ask<R>(&mut self, socket: u64, from: &str, body: &impl Body) -> R
    where
        R: for<'a> TryFrom<&'a Message>,
    {
        self.send(socket, from, body);
        let inbox = self.inbox(socket);
        assert_eq!(inbox.len(), 1, "{inbox:?}");
        R::try_from(&inbox[0]).unwrap_or_else(|_| panic!("unexpected reply {inbox:?}"))
    }

    fn problem(&mut self, socket: u64, from: &str, body: &impl Body) -> String {
        self.ask::<ProblemReport>(socket, from, body).code
    }

    /// Gives `did` an account and registers it.
    fn enrol(&mut self, socket: u64, did: &str) {
        assert_eq!(self.ask::<MediateGrant>(socket, did, &MediateRequest {}).routing_did, [DID]);
        let update = Update { recipient_did: did.into(), action: Action::Add };
        let answer: RecipientUpdateResponse =
            self.ask(socket, did, &RecipientUpdate { updates: vec![update] });
        assert_eq!(answer.updated[0].result, Outcome::Success);
    }

    fn forward(&mut self, next: &str, payload: &str) {
        let id = self.id();
        self.deliver(4, None, Forward::new(next, payload).message(id, PayloadForm::Base64));
    }

    fn live(&mut self, socket: u64, did: &str, on: bool) -> Vec<Message> {
        self.send(socket, did, &LiveDeliveryChange { live_delivery: on });
        self.inbox(socket)
    }
}

/// Reads the messages of all deliveries: attachment id and content.
fn delivered(inbox: &[Message]) -> Vec<(String, String)> {
    let deliveries = inbox.iter().filter_map(|message| Delivery::try_from(message).ok());
    deliveries.flat_map(|delivery| delivery.messages).map(|mail| (mail.id, mail.message)).collect()
}

fn contents(inbox: &[Message]) -> Vec<String> {
    delivered(inbox).into_iter().map(|(_, content)| content).collect()
}

/// Decides NA-08, RL-02.
#[test]
fn replies_are_threaded_addressed_and_dated() {
    let mut bench = Bench::new(Limits::default());
    bench.deliver(1, Some("did:example:a"), MediateRequest {}.message("q").thid("t"));
    let reply = &bench.inbox(1)[0];
    assert_eq!(reply.thid.as_deref(), Some("t"));
    assert_eq!((reply.from.as_deref(), reply.created_time), (Some(DID), Some(1_000_000)));
    assert_eq!(reply.to.as_deref(), Some(&["did:example:a".to_owned()][..]));
}

/// Decides RL-40, RL-44.
#[test]
fn requests_without_account_are_refused_and_strangers_see_nothing() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, "did:example:a");
    bench.forward("did:example:a", "secret");
    let of_a = || Some("did:example:a".to_owned());
    assert_eq!(bench.problem(2, "did:example:b", &StatusRequest::default()), problem::NOT_ENROLLED.code);
    assert_eq!(bench.problem(2, "did:example:b", &RecipientQuery::default()), problem::NOT_ENROLLED.code);
    bench.enrol(2, "did:example:b");
    assert_eq!(
        bench.problem(2, "did:example:b", &StatusRequest { recipient_did: of_a() }),
        problem::NOT_YOURS.code
    );
    let steal = DeliveryRequest { limit: 9, recipient_did: of_a() };
    assert_eq!(bench.problem(2, "did:example:b", &steal), problem::NOT_YOURS.code);
    bench.send(1, "did:example:a", &DeliveryRequest { limit: 9, recipient_did: None });
    let id = delivered(&bench.inbox(1))[0].0.clone();
    bench.send(2, "did:example:b", &MessagesReceived { message_id_list: vec![id] });
    bench.inbox(2);
    let status: Status = bench.ask(1, "did:example:a", &StatusRequest::default());
    assert_eq!(status.message_count, 1, "nobody else can acknowledge it");
}

#[test]
fn queries_are_paged() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, "did:example:a");
    let updates =
        (0..100).map(|n| Update { recipient_did: format!("did:example:{n}"), action: Action::Add }).collect();
    let answer: RecipientUpdateResponse = bench.ask(1, "did:example:a", &RecipientUpdate { updates });
    assert!(answer.updated.iter().all(|updated| updated.result == Outcome::Success));
    let all: Recipient = bench.ask(1, "did:example:a", &RecipientQuery::default());
    assert_eq!(all.pagination, Some(Pagination { count: 64, offset: 0, remaining: 37 }));
    let rest = RecipientQuery { paginate: Some(Paginate { limit: 64, offset: 64 }) };
    let rest: Recipient = bench.ask(1, "did:example:a", &rest);
    assert_eq!(rest.pagination, Some(Pagination { count: 37, offset: 64, remaining: 0 }));
    assert!(all.dids.iter().all(|did| !rest.dids.contains(did)));
    let beyond = RecipientQuery { paginate: Some(Paginate { limit: 1, offset: u32::MAX }) };
    assert!(bench.ask::<Recipient>(1, "did:example:a", &beyond).dids.is_empty());
}

/// Decides RL-42, RL-44, RL-45.
#[test]
fn a_forward_that_goes_nowhere_is_reported_to_a_sender_who_said_who_it_is() {
    let mut bench = Bench::new(Limits { queue_messages: 1, message_bytes: 100, ..Limits::default() });
    bench.enrol(1, "did:example:a");
    let mut code = |next: &str, payload: String| {
        let id = bench.id();
        let message = Forward::new(next, payload).message(id, PayloadForm::Base64);
        bench.deliver(2, Some("did:example:s"), message.clone());
        let inbox = bench.inbox(2);
        assert!(inbox.iter().all(|report| report.pthid.as_ref() == Some(&message.id)));
        inbox.first().map(|report| ProblemReport::try_from(report).unwrap().code)
    };
    assert_eq!(code("did:example:nobody", "x".into()).as_deref(), Some(problem::NO_RECIPIENT.code));
    assert_eq!(code("did:example:a", "x".repeat(101)).as_deref(), Some(problem::TOO_BIG.code));
    assert_eq!(code("did:example:a#key-2", "x".into()), None);
    assert_eq!(code("did:example:a", "y".into()).as_deref(), Some(problem::QUEUE_FULL.code));
    bench.forward("did:example:nobody", "x");
    assert!(bench.inbox(4).is_empty(), "an anonymous sender hears nothing");
}

/// Decides RL-45.
#[test]
fn mail_expires_with_its_forward_and_at_the_latest_with_the_limit() {
    let mut bench = Bench::new(Limits { mail_seconds: 1000, ..Limits::default() });
    bench.enrol(1, "did:example:a");
    for (payload, expires) in [("short", Some(1_000_100)), ("long", Some(u64::MAX)), ("default", None)] {
        let id = bench.id();
        let mut forward = Forward::new("did:example:a", payload);
        forward.expires_time = expires;
        bench.deliver(4, None, forward.message(id, PayloadForm::Base64));
    }
    let request = DeliveryRequest { limit: 9, recipient_did: None };
    bench.now.unix += 100;
    bench.send(1, "did:example:a", &request);
    assert_eq!(contents(&bench.inbox(1)), ["long", "default"]);
    bench.now.unix += 900;
    bench.send(1, "did:example:a", &request);
    assert!(contents(&bench.inbox(1)).is_empty());
    bench.now.since_start += SWEEP;
    bench.mediator.handle(Input::Timeout, bench.now);
    assert_eq!(bench.mediator.load(), (0, 0));
}

/// Decides RL-43.
#[test]
fn live_delivery_pushes_what_waits_and_what_comes_until_it_is_acknowledged() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, "did:example:a");
    bench.forward("did:example:a", "1");
    let inbox = bench.live(1, "did:example:a", true);
    assert_eq!(Status::try_from(&inbox[0]).unwrap().live_delivery, Some(true));
    assert_eq!(contents(&inbox), ["1"]);
    bench.forward("did:example:a", "2");
    let second = bench.inbox(1);
    assert_eq!(contents(&second), ["2"]);
    assert!(bench.inbox(1).is_empty(), "pushed once");

    // A new socket gets both again; the old one is told and not closed.
    let again = bench.live(2, "did:example:a", true);
    assert_eq!(contents(&again), ["1", "2"]);
    let told = bench.inbox(1);
    assert_eq!(ProblemReport::try_from(&told[0]).unwrap().code, problem::LIVE_MOVED.code);
    let list = delivered(&again).into_iter().map(|(id, _)| id).collect();
    let status: Status = bench.ask(2, "did:example:a", &MessagesReceived { message_id_list: list });
    assert_eq!((status.message_count, status.live_delivery), (0, Some(true)));
    assert!(contents(&bench.live(2, "did:example:a", true)).is_empty());

    bench.live(2, "did:example:a", false);
    bench.forward("did:example:a", "3");
    assert!(bench.inbox(2).is_empty() && bench.inbox(1).is_empty());

    bench.live(2, "did:example:a", true);
    bench.mediator.handle(Input::SocketClosed(SocketId(2)), bench.now);
    assert!(!bench.mediator.live.is_live("did:example:a"), "or the account would never count as idle");
}

/// Decides RL-43.
#[test]
fn live_window_holds_back_and_goes_on_with_acknowledgements() {
    let limits = Limits { live_messages: 3, batch_messages: 2, ..Limits::default() };
    let mut bench = Bench::new(limits);
    bench.enrol(1, "did:example:a");
    for n in 0..8 {
        bench.forward("did:example:a", &n.to_string());
    }
    let mut got = Vec::new();
    let mut inbox = bench.live(1, "did:example:a", true);
    while got.len() < 8 {
        let mail = delivered(&inbox);
        assert!(!mail.is_empty() && mail.len() <= 3, "{mail:?}");
        let list = mail.iter().map(|(id, _)| id.clone()).collect();
        got.extend(mail.into_iter().map(|(_, content)| content));
        bench.send(1, "did:example:a", &MessagesReceived { message_id_list: list });
        inbox = bench.inbox(1);
    }
    assert_eq!(got, (0..8).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// Decides RL-44, RL-46.
#[test]
fn replayed_expired_and_unknown_messages_are_refused() {
    let mut bench = Bench::new(Limits::default());
    let ping = Ping { response_requested: true }.message("p");
    let code = |inbox: &[Message]| ProblemReport::try_from(&inbox[0]).map(|report| report.code).ok();
    bench.deliver(1, Some("did:example:a"), ping.clone());
    assert_eq!(bench.inbox(1)[0].type_, types::PING_RESPONSE);
    bench.deliver(2, Some("did:example:a"), ping.clone());
    assert_eq!(code(&bench.inbox(2)).as_deref(), Some(problem::REPLAY.code));
    bench.deliver(2, Some("did:example:b"), ping);
    assert_eq!(bench.inbox(2)[0].type_, types::PING_RESPONSE, "ids belong to their sender");

    let old = Ping { response_requested: true }.message("old").times(0, bench.now.unix - 60);
    bench.deliver(1, Some("did:example:a"), old);
    let inbox = bench.inbox(1);
    assert_eq!(code(&inbox).as_deref(), Some(problem::EXPIRED.code));
    assert_eq!(ProblemReport::try_from(&inbox[0]).unwrap().args, ["1000000"]);

    bench.deliver(
        1,
        Some("did:example:a"),
        Message::new("x", "https://example.org/x/1.0/y", serde_json::json!({})),
    );
    assert_eq!(code(&bench.inbox(1)).as_deref(), Some(problem::UNSUPPORTED.code));
    bench.deliver(
        1,
        Some("did:example:a"),
        Message::new("y", types::DELIVERY_REQUEST, serde_json::json!({})),
    );
    assert_eq!(code(&bench.inbox(1)).as_deref(), Some(problem::MALFORMED.code));
    let report = ProblemReport::new("e.p.x", "").message("z").thid("w");
    bench.deliver(1, Some("did:example:a"), report);
    assert!(bench.inbox(1).is_empty(), "a report is never answered");
}

/// Decides RL-23, RL-25.
#[test]
fn clients_that_misbehave_are_closed_once() {
    let mut bench = Bench::new(Limits { replies_per_socket: 3, failures_per_socket: 2, ..Limits::default() });
    let closes = |bench: &mut Bench| {
        std::iter::from_fn(|| match bench.mediator.poll() {
            Output::Timeout(_) => None,
            output => Some(output),
        })
        .filter(|output| matches!(output, Output::Close(..)))
        .collect::<Vec<_>>()
    };
    for _ in 0..9 {
        bench.send(1, "did:example:a", &Ping { response_requested: true });
        bench.mediator.handle(Input::Unreadable(SocketId(2)), bench.now);
        bench.mediator.handle(Input::Frame { socket: SocketId(3), bytes: &[0] }, bench.now);
    }
    let mut all = closes(&mut bench);
    all.sort_by_key(|output| format!("{output:?}"));
    assert_eq!(
        all,
        [
            Output::Close(SocketId(1), CloseReason::Overload),
            Output::Close(SocketId(2), CloseReason::Unreadable),
            Output::Close(SocketId(3), CloseReason::MalformedFrame),
        ]
    );
}

/// Decides RL-05, RL-08.
#[test]
fn circuits_are_opened_and_refused_by_message() {
    let mut bench = Bench::new(Limits::default());
    let token = relay_bodies::Token::new([1; 32]);
    let open = relay_bodies::Open { token, window: MAX_WINDOW };
    let join = relay_bodies::Join { token, window: MAX_WINDOW };
    let mut ask = |socket, did: &str, mut message: Message, expires| {
        message.expires_time = expires;
        bench.deliver(socket, Some(did), message);
        let reply = bench.inbox(socket).remove(0);
        Opened::try_from(&reply).map_err(|_| Refused::try_from(&reply).unwrap().code)
    };
    let soon = Some(1_000_300);
    assert_eq!(ask(1, "did:example:a", open.message("1"), None), Err(refusal::TIME.to_owned()));
    assert_eq!(ask(1, "did:example:a", open.message("2"), Some(1_000_361)), Err(refusal::TIME.to_owned()));
    let short =
        Message::new("3", types::RELAY_OPEN, serde_json::json!({"token": "AAAA", "window": MAX_WINDOW}));
    assert_eq!(ask(1, "did:example:a", short, soon), Err(refusal::MALFORMED.to_owned()));
    assert!(ask(1, "did:example:a", open.message("4"), soon).is_ok());
    assert_eq!(ask(2, "did:example:a", join.message("5"), soon), Err(refusal::SAME_DID.to_owned()));
    assert!(ask(2, "did:example:b", join.message("6"), soon).is_ok());
}

/// Decides RL-24.
#[test]
fn replies_go_before_records_and_mail_and_records_take_turns() {
    let mut bench = Bench::new(Limits { batch_messages: 1, ..Limits::default() });
    bench.enrol(2, "did:example:b");
    for (socket, did, message) in [
        (
            1,
            "did:example:a",
            relay_bodies::Open { token: relay_bodies::Token::new([1; 32]), window: MAX_WINDOW }.message("o"),
        ),
        (
            2,
            "did:example:b",
            relay_bodies::Join { token: relay_bodies::Token::new([1; 32]), window: MAX_WINDOW }.message("j"),
        ),
    ] {
        bench.deliver(socket, Some(did), message.times(1_000_000, 1_000_100));
    }
    bench.inbox(1);
    bench.live(2, "did:example:b", true);
    let circuit = relay_bodies::CircuitId(1);
    for n in 0..3 {
        let frame = relay_bodies::Frame::Data { circuit, record: b"r" }.encode();
        bench.mediator.handle(Input::Frame { socket: SocketId(1), bytes: &frame }, bench.now);
        bench.forward("did:example:b", &n.to_string());
    }
    bench.send(2, "did:example:b", &Ping { response_requested: true });
    let mut order = String::new();
    while let Some(outgoing) = bench.mediator.next_for(SocketId(2), bench.now) {
        order.push(match outgoing {
            Outgoing::Message { message, .. } if message.type_ == types::PING_RESPONSE => 'p',
            Outgoing::Message { .. } => 'm',
            Outgoing::Frame(_) => 'r',
        });
    }
    assert!(order == "pmrmrmr" || order == "prmrmrm", "{order}");
}
