//! Forwards: their delays, and what is refused.

use super::*;

const A: &str = "did:example:a";

/// A mediator with an account, and what became of a forward to it.
fn bench(limits: Limits) -> Bench {
    let mut bench = Bench::new(limits);
    bench.enrol(1, A);
    bench.live(1, A, true);
    bench
}

fn forward(
    bench: &mut Bench,
    payload: &str,
    delay_milli: i64,
    expires_time: Option<u64>,
) -> Option<ProblemReport> {
    forward_to(bench, A, payload, delay_milli, expires_time)
}

fn forward_to(
    bench: &mut Bench,
    next: &str,
    payload: &str,
    delay_milli: i64,
    expires_time: Option<u64>,
) -> Option<ProblemReport> {
    let id = bench.id();
    let forward = Forward { delay_milli, expires_time, ..Forward::new(next, payload) };
    bench.deliver(2, Some("did:example:s"), forward.message(id, PayloadForm::Base64));
    bench.inbox(2).first().map(|report| ProblemReport::try_from(report).unwrap())
}

fn pass(bench: &mut Bench, time: Duration) {
    bench.now.since_start += time;
    bench.now.unix += time.as_secs();
    bench.mediator.handle(Input::Timeout, bench.now);
}

fn next_timeout(bench: &mut Bench) -> Duration {
    loop {
        if let Output::Timeout(at) = bench.mediator.poll() {
            return at;
        }
    }
}

/// Decides RL-60.
#[test]
fn rl_60_a_delayed_forward_comes_when_its_time_has_come() {
    let mut bench = bench(Limits::default());
    assert_eq!(forward(&mut bench, "late", 1500, None), None);
    assert_eq!(forward(&mut bench, "later", 2500, None), None);
    assert_eq!(forward(&mut bench, "now", 0, None), None);
    assert_eq!(contents(&bench.inbox(1)), ["now"]);
    assert_eq!(next_timeout(&mut bench), Duration::from_millis(1500));
    let status: Status = bench.ask(1, A, &StatusRequest::default());
    assert_eq!(status.message_count, 1, "nobody is told of what is not there yet");
    pass(&mut bench, Duration::from_millis(1499));
    assert!(bench.inbox(1).is_empty());
    pass(&mut bench, Duration::from_millis(1));
    assert_eq!(contents(&bench.inbox(1)), ["late"]);
    assert_eq!(next_timeout(&mut bench), Duration::from_millis(2500));
    pass(&mut bench, Duration::from_secs(9));
    assert_eq!(contents(&bench.inbox(1)), ["later"]);
    assert_eq!(next_timeout(&mut bench), SWEEP);
}

/// Decides RL-60.
#[test]
fn rl_60_a_negative_delay_is_any_time_up_to_it() {
    let mut bench = bench(Limits { live_messages: 1000, live_bytes: 1 << 20, ..Limits::default() });
    for n in 0..400 {
        assert_eq!(forward(&mut bench, &n.to_string(), -1000, None), None);
    }
    let mut came = [0; 4];
    came[0] = contents(&bench.inbox(1)).len();
    for quarter in &mut came {
        pass(&mut bench, Duration::from_millis(250));
        *quarter += contents(&bench.inbox(1)).len();
    }
    assert_eq!(came.iter().sum::<usize>(), 400);
    // About a hundred each; one in a million seeds would fail, and the seed is fixed.
    assert!(came.iter().all(|quarter| (60..140).contains(quarter)), "{came:?}");
}

/// Decides RL-60.
#[test]
fn rl_60_delays_are_bounded_in_time_and_memory() {
    let mut bench = bench(Limits { delayed_bytes: 1000, ..Limits::default() });
    let hour = 3_600_000;
    for delay in [hour + 1, -hour - 1, i64::MAX, i64::MIN] {
        let report = forward(&mut bench, "x", delay, None).unwrap();
        assert_eq!((report.code.as_str(), report.args), (problem::DELAY.code, vec![hour.to_string()]));
    }
    for delay in [hour, -hour] {
        assert_eq!(forward(&mut bench, &"x".repeat(100), delay, None), None);
    }
    let report = forward(&mut bench, &"x".repeat(500), 5, None).unwrap();
    assert_eq!(report.code, problem::NO_DELAY.code);
    assert_eq!(forward(&mut bench, "now", 0, None), None, "what is not delayed is not concerned");
    let big = forward(&mut bench, &"x".repeat(256 * 1024 + 1), 5, None).unwrap();
    assert_eq!(big.code, problem::TOO_BIG.code, "said at once");
    // All of it comes back when it is over.
    pass(&mut bench, Duration::from_secs(3600));
    assert_eq!(forward(&mut bench, &"x".repeat(500), 5, None), None);
}

/// Decides RL-60.
#[test]
fn rl_60_what_expires_or_loses_its_recipient_meanwhile_is_dropped() {
    let mut bench = bench(Limits::default());
    let end = bench.now.unix + 5;
    assert_eq!(forward(&mut bench, "over", 6000, Some(end)), None);
    assert_eq!(forward(&mut bench, "gone", 8000, None), None);
    pass(&mut bench, Duration::from_secs(7));
    assert!(bench.inbox(1).is_empty());
    let update = Update { recipient_did: A.into(), action: Action::Remove };
    let _: RecipientUpdateResponse = bench.ask(1, A, &RecipientUpdate { updates: vec![update] });
    pass(&mut bench, Duration::from_secs(2));
    assert!(bench.inbox(1).is_empty());
    assert_eq!(bench.mediator.load(), (0, 0));
}

/// Decides RL-61.
#[test]
fn rl_61_links_are_not_fetched_and_the_sender_is_told() {
    let mut bench = bench(Limits::default());
    let mut message = Forward::new(A, "{}").message("l", PayloadForm::Json);
    message.attachments[0].data.json = None;
    message.attachments[0].data.extra.insert("links".into(), serde_json::json!(["https://example.org/x"]));
    bench.deliver(2, Some("did:example:s"), message);
    let report = ProblemReport::try_from(&bench.inbox(2)[0]).unwrap();
    assert_eq!(report.code, problem::MALFORMED.code);
    assert!(report.text().contains("links are not fetched"), "{}", report.text());
    assert!(bench.inbox(1).is_empty());
}

/// Decides RL-60.
#[test]
fn rl_60_whoever_fills_up_one_recipients_delays_leaves_room_for_others() {
    const B: &str = "did:example:b";
    let limits = Limits { delayed_bytes: 4000, delayed_bytes_per_recipient: 1000, ..Limits::default() };
    let mut bench = bench(limits);
    bench.enrol(3, B);
    // Each costs 256 bytes and the 13 of the DID beside its own 100.
    let text = "x".repeat(100);
    let refused = |report: Option<ProblemReport>| report.map(|report| report.code);
    for round in 0..3 {
        for _ in 0..2 {
            assert_eq!(forward(&mut bench, &text, 1000, None), None, "round {round}");
        }
        let full = refused(forward(&mut bench, &text, 1000, None));
        assert_eq!(full.as_deref(), Some("e.p.me.res.storage.delayed"));
        assert_eq!(forward_to(&mut bench, B, &text, 1000, None), None, "the other has room");
        assert_eq!(bench.mediator.delayed.recipients(), 2);
        pass(&mut bench, Duration::from_secs(1));
        assert_eq!(contents(&bench.inbox(1)).len(), 2);
        assert_eq!(bench.mediator.delayed.recipients(), 0, "nothing is remembered of who waited");
    }
}
