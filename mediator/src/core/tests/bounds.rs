//! The numbers of the chapter, and what happens at them.

use didagent_didcomm::protocols::relay::{CircuitId, Frame, Join, MAX_RECORD, MIN_WINDOW, Open, Token};

use super::*;
use crate::core::limits::{
    MAX_POSTS, MAX_SOCKETS, MAX_TEXT, MESSAGE_BURST, MESSAGES_PER_SECOND, NETWORK_POSTS, PING, POST_BYTES,
    SILENCE, WRITE_STALL,
};

const A: &str = "did:example:a";
const MIB: usize = 1 << 20;

/// The other tests decide what happens at each limit, with small ones.
///
/// Decides RL-02, RL-03, RL-05, RL-06, RL-07, RL-09, RL-13, RL-21, RL-23, RL-25, RL-40, RL-41, RL-43, RL-45, RL-46, RL-47, RL-53.
#[test]
fn the_limits_are_those_of_the_chapter() {
    let limits = Limits::default();
    assert_eq!(limits.dids_per_socket, 64);
    assert_eq!((MAX_TEXT, MAX_SOCKETS), (MIB, 1024));
    assert_eq!([PING, SILENCE, WRITE_STALL].map(|time| time.as_secs()), [20, 60, 60]);
    assert_eq!((MESSAGE_BURST, MESSAGES_PER_SECOND), (200, 50));
    assert_eq!((limits.request_seconds, limits.skew_seconds), (300, 60));
    assert_eq!(limits.replay_memory.as_secs(), 600);
    let circuits =
        (limits.circuits_per_did, limits.circuits_per_socket, limits.circuits, limits.waiting_per_socket);
    assert_eq!(circuits, (64, 256, 1024, 64));
    assert_eq!(limits.partner_wait.as_secs(), 60);
    assert_eq!((limits.window, MIN_WINDOW, MAX_RECORD), (256 * 1024, 65792, 65792));
    assert_eq!(limits.failures_per_socket, 16);
    let replies = (limits.replies_per_socket, limits.reply_bytes_per_socket, limits.reply_bytes);
    assert_eq!(replies, (256, 2 * MIB, 64 * MIB));
    assert_eq!(limits.account_idle.as_secs(), 14 * 86_400);
    assert_eq!((limits.did_bytes, limits.recipients_per_account), (2048, 256));
    assert_eq!((limits.live_messages, limits.live_bytes), (64, 512 * 1024));
    let queues = (limits.queue_messages, limits.queue_bytes, limits.message_bytes, limits.store_bytes);
    assert_eq!(queues, (1000, 8 * MIB, 256 * 1024, 256 * MIB));
    assert_eq!((limits.mail_seconds, crate::store::MAIL_OVERHEAD), (7 * 86_400, 256));
    assert_eq!((limits.batch_messages, limits.batch_bytes), (16, 128 * 1024));
    assert_eq!(limits.replay_ids, 65_536);
    assert_eq!((limits.accounts, limits.recipients), (16_384, 65_536));
    assert_eq!((NETWORK_POSTS, POST_BYTES, MAX_POSTS), (16, 64 * MIB, 128));
}

/// Decides RL-02, RL-44.
#[test]
fn a_socket_speaks_for_so_many_dids() {
    let mut bench = Bench::new(Limits { dids_per_socket: 2, ..Limits::default() });
    bench.enrol(1, A);
    bench.enrol(1, "did:example:b");
    let third = bench.problem(1, "did:example:c", &MediateRequest {});
    assert_eq!(third, "e.p.me.res.dids");
    let _: MediateGrant = bench.ask(1, A, &MediateRequest {});
    bench.enrol(2, "did:example:c");
}

/// Decides RL-05.
#[test]
fn a_request_for_a_circuit_ends_within_minutes_by_a_clock_that_may_be_one_off() {
    let mut bench = Bench::new(Limits::default());
    // The end of the request from the mediator's time, and the answer.
    for (token, end, expected) in
        [(1, -60, "e.p.req.time.expired"), (2, -59, ""), (3, 0, ""), (4, 360, ""), (5, 361, "time")]
    {
        let id = bench.id();
        let mut open = Open { token: Token::new([token; 32]), window: MAX_WINDOW }.message(id);
        open.expires_time = bench.now.unix.checked_add_signed(end);
        bench.deliver(1, Some(A), open);
        let answer = bench.inbox(1).remove(0);
        assert_eq!(answer.body["code"].as_str().unwrap_or_default(), expected, "{end}: {answer:?}");
        assert_eq!(answer.created_time, Some(1_000_000));
    }
}

/// Decides RL-08.
#[test]
fn each_refusal_has_its_code_and_comes_in_the_thread_of_its_request() {
    let mut bench = Bench::new(Limits { circuits_per_did: 2, ..Limits::default() });
    let open = |window| Open { token: Token::new([1; 32]), window };
    let join = || Join { token: Token::new([1; 32]), window: MAX_WINDOW };
    let other = |token| Open { token: Token::new([token; 32]), window: MAX_WINDOW }.message("");
    let malformed = |body| Message::new("", types::RELAY_OPEN, body);
    for (did, message, expected) in [
        (A, malformed(serde_json::json!({ "token": "AAAA", "window": MAX_WINDOW })), Some("malformed")),
        (A, malformed(serde_json::json!({ "window": MAX_WINDOW })), Some("malformed")),
        (A, open(MIN_WINDOW - 1).message(""), Some("window")),
        (A, open(MAX_WINDOW).message(""), None),
        ("did:example:b", open(MAX_WINDOW).message(""), Some("token-used")),
        (A, join().message(""), Some("same-did")),
        (A, other(2), None),
        (A, other(3), Some("too-many-circuits")),
        ("did:example:b", join().message(""), None),
    ] {
        let mut message = message.times(1_000_000, 1_000_100);
        message.id = bench.id();
        let thread = message.id.clone();
        bench.deliver(1, Some(did), message);
        let mut inbox = bench.inbox(1);
        assert_eq!(inbox.len(), 1, "{inbox:?}");
        let answer = inbox.remove(0);
        assert_eq!(answer.thid.as_deref(), Some(&*thread));
        let code = Refused::try_from(&answer).ok().map(|refused| refused.code);
        assert_eq!(code.as_deref(), expected);
        assert_eq!(Opened::try_from(&answer).is_ok(), expected.is_none());
    }
}

/// Decides RL-40.
#[test]
fn an_account_lives_while_it_is_heard_and_a_request_again_changes_nothing() {
    let mut bench = Bench::new(Limits::default());
    let day = Duration::from_secs(86_400);
    let pass = |bench: &mut Bench, days: u32| {
        bench.now.since_start += day * days;
        bench.mediator.handle(Input::Timeout, bench.now);
    };
    bench.enrol(1, A);
    bench.forward(A, "waits");
    pass(&mut bench, 6);
    let again: MediateGrant = bench.ask(2, A, &MediateRequest {});
    assert_eq!(again.routing_did, [DID]);
    let update = Update { recipient_did: A.into(), action: Action::Add };
    let answer: RecipientUpdateResponse = bench.ask(2, A, &RecipientUpdate { updates: vec![update] });
    assert_eq!(answer.updated[0].result, Outcome::NoChange);
    let status: Status = bench.ask(2, A, &StatusRequest::default());
    assert_eq!(status.message_count, 1, "its mail is still there");
    pass(&mut bench, 14);
    assert!(bench.mediator.accounts.is_enrolled(A));
    bench.live(1, A, true);
    pass(&mut bench, 15);
    assert!(bench.mediator.accounts.is_enrolled(A), "its socket is live");
    bench.mediator.handle(Input::SocketClosed(SocketId(1)), bench.now);
    pass(&mut bench, 1);
    assert!(!bench.mediator.accounts.is_enrolled(A) && bench.mediator.load().1 == 0);
    assert_eq!(bench.problem(2, A, &StatusRequest::default()), problem::NOT_ENROLLED.code);
}

/// Decides RL-43.
#[test]
fn the_socket_that_loses_live_delivery_is_told_in_the_thread_of_its_request() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, A);
    bench.deliver(1, Some(A), LiveDeliveryChange { live_delivery: true }.message("first"));
    bench.inbox(1);
    bench.live(2, A, true);
    let told = bench.inbox(1);
    assert_eq!(told[0].body["code"], "w.m.live-mode-moved");
    assert_eq!(told[0].pthid.as_deref(), Some("first"));
    let _: Status = bench.ask(1, A, &StatusRequest::default());
}

/// Decides RL-45.
#[test]
fn a_queue_and_a_delivery_are_bounded_in_messages_and_in_bytes() {
    let limits = Limits { queue_bytes: 1000, message_bytes: 400, batch_bytes: 500, ..Limits::default() };
    let mut bench = Bench::new(limits);
    bench.enrol(1, A);
    for (length, waiting) in [(401, 0), (400, 1), (400, 2), (201, 2), (200, 3), (1, 3)] {
        bench.forward(A, &"x".repeat(length));
        let status: Status = bench.ask(1, A, &StatusRequest::default());
        assert_eq!(status.message_count, waiting, "{length}");
    }
    let request = DeliveryRequest { limit: 9, recipient_did: None };
    bench.send(1, A, &request);
    assert_eq!(contents(&bench.inbox(1)).iter().map(String::len).collect::<Vec<_>>(), [400]);

    let mut bench = Bench::new(Limits { batch_bytes: 100, ..Limits::default() });
    bench.enrol(1, A);
    for length in [200, 60, 60] {
        bench.forward(A, &"x".repeat(length));
    }
    bench.send(1, A, &request);
    let mail = delivered(&bench.inbox(1));
    assert_eq!(mail.len(), 1, "a single one may be longer");
    let id = mail[0].0.clone();
    bench.send(1, A, &MessagesReceived { message_id_list: vec![id] });
    bench.inbox(1);
    bench.send(1, A, &request);
    assert_eq!(contents(&bench.inbox(1)).len(), 1, "two would be more than fits");
}

/// Decides RL-45.
#[test]
fn each_attachment_of_a_forward_is_a_message_of_its_own() {
    let mut bench = Bench::new(Limits { queue_messages: 2, ..Limits::default() });
    bench.enrol(1, A);
    let mut forward = Forward::new(A, "first").message("f", PayloadForm::Base64);
    let other = Forward::new(A, "second").message("g", PayloadForm::Base64);
    forward.attachments.extend(other.attachments);
    bench.deliver(4, None, forward);
    bench.send(1, A, &DeliveryRequest { limit: 9, recipient_did: None });
    assert_eq!(contents(&bench.inbox(1)), ["first", "second"]);
}

/// Decides RL-47, RL-55.
#[test]
fn an_account_that_is_used_over_http_alone_makes_way() {
    let mut bench = Bench::new(Limits { accounts: 2, ..Limits::default() });
    let post = SocketId(50);
    bench.mediator.handle(Input::PostOpened(post), bench.now);
    bench.enrol(50, "did:example:posts");
    bench.mediator.handle(Input::SocketClosed(post), bench.now);
    bench.enrol(1, A);
    bench.now.since_start += Duration::from_secs(2);
    bench.enrol(2, "did:example:b");
    assert!(bench.mediator.accounts.is_enrolled(A));
    bench.mediator.handle(Input::PostOpened(post), bench.now);
    let told = bench.problem(50, "did:example:posts", &StatusRequest::default());
    assert_eq!(told, "e.p.req.not_enroll");
}

/// Decides RL-32.
#[test]
fn records_for_an_end_that_left_bring_no_credit() {
    let mut bench = Bench::new(Limits::default());
    let token = Token::new([1; 32]);
    let soon = |message: Message| message.times(1_000_000, 1_000_100);
    bench.deliver(1, Some(A), soon(Open { token, window: MAX_WINDOW }.message("o")));
    bench.deliver(2, Some("did:example:b"), soon(Join { token, window: MAX_WINDOW }.message("j")));
    bench.inbox(1);
    bench.inbox(2);
    let circuit = CircuitId(1);
    let mut frame = |socket, frame: Frame<'_>| {
        let input = Input::Frame { socket: SocketId(socket), bytes: &frame.encode() };
        bench.mediator.handle(input, bench.now);
    };
    // So that the other end has something to read before it hears of the end.
    frame(1, Frame::Data { circuit, record: b"last" });
    frame(1, Frame::Close { circuit, code: didagent_didcomm::protocols::relay::CloseCode::DONE });
    for _ in 0..3 {
        frame(2, Frame::Data { circuit, record: &vec![7; MAX_RECORD] });
    }
    let mut got = Vec::new();
    while let Some(outgoing) = bench.mediator.next_for(SocketId(2), bench.now) {
        if let Outgoing::Frame(frame) = outgoing {
            got.push(frame[0]);
        }
    }
    assert_eq!(got, [1, 3], "the record and the end, and no credit");
    assert!(bench.mediator.next_for(SocketId(1), bench.now).is_none());
}
