//! Short links, without HTTP.

use didagent_didcomm::protocols::Digest32;
use didagent_didcomm::protocols::out_of_band::{Invitation, InvitationParts};
use didagent_didcomm::protocols::short_link::{Deposit, Deposited};
use didagent_didcomm::protocols::shorten_url::{
    GOAL_OOB_2, InvalidateShortenedUrl, RequestShortenedUrl, ShortenedUrl,
};
use didagent_didcomm::short_link::{LinkId, MAX_CONTENT, Take};

use super::super::deposits::id_in_query;
use super::super::links::{Fetched, LinkName};
use super::*;

const A: &str = "did:example:a";
const B: &str = "did:example:b";
const TAKE: [u8; 32] = [7; 32];
const DAY: u64 = 24 * 3600;

fn id(number: u32) -> LinkId {
    let text = didagent_didcomm::protocols::b64url_encode([&[0; 2][..], &number.to_be_bytes()].concat());
    LinkId::parse(&text).unwrap()
}

fn deposit(number: u32) -> Deposit {
    Deposit {
        id: id(number),
        content: vec![1, 2, 3],
        take_hash: Digest32(Take::new(TAKE).hash()),
        expires_time: 1_000_000 + 3600,
        single_use: false,
    }
}

fn take(bench: &mut Bench, number: u32) -> Fetched<Vec<u8>> {
    bench.mediator.take_link(id(number), &Take::new(TAKE).hash(), bench.now)
}

fn here() -> Fetched<Vec<u8>> {
    Fetched::Here(vec![1, 2, 3])
}

/// Decides RL-70, RL-73.
#[test]
fn rl_70_clients_deposit_and_whoever_has_the_link_takes() {
    let mut bench = Bench::new(Limits::default());
    assert_eq!(bench.problem(1, A, &deposit(1)), problem::NOT_ENROLLED.code);
    bench.enrol(1, A);
    let answer: Deposited = bench.ask(1, A, &deposit(1));
    assert_eq!(answer.expires_time, 1_000_000 + 3600);
    assert_eq!(take(&mut bench, 2), Fetched::Unknown);
    let other = Take::new([8; 32]).hash();
    assert_eq!(bench.mediator.take_link(id(1), &other, bench.now), Fetched::Wrong);
    for _ in 0..3 {
        assert_eq!(bench.mediator.link_state(LinkName::Short(id(1)), bench.now), Fetched::Here(()));
        assert_eq!(take(&mut bench, 1), here());
    }
    for (content, code) in
        [(vec![], problem::MALFORMED.code), (vec![0; MAX_CONTENT + 1], problem::MALFORMED.code)]
    {
        assert_eq!(bench.problem(1, A, &Deposit { content, ..deposit(2) }), code);
    }
    let over = Deposit { expires_time: 1_000_000, ..deposit(2) };
    assert_eq!(bench.problem(1, A, &over), problem::EXPIRED.code);
    let late: Deposited = bench.ask(1, A, &Deposit { expires_time: u64::MAX, ..deposit(2) });
    assert_eq!(late.expires_time, 1_000_000 + 31 * DAY);
}

/// Decides RL-71, RL-72.
#[test]
fn rl_72_what_has_ended_is_gone_and_not_kept_again() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, A);
    let _: Deposited = bench.ask(1, A, &deposit(1));
    // At its second, before anything was swept.
    bench.now.unix += 3600;
    assert_eq!(take(&mut bench, 1), Fetched::Gone);
    assert_eq!(bench.mediator.link_state(LinkName::Short(id(1)), bench.now), Fetched::Gone);
    bench.now.since_start += limits::SWEEP;
    bench.mediator.handle(Input::Timeout, bench.now);
    assert_eq!(take(&mut bench, 1), Fetched::Gone);
    let again = Deposit { expires_time: bench.now.unix + 60, ..deposit(1) };
    assert_eq!(bench.problem(1, A, &again), problem::LINK_GONE.code);
    // Nobody remembers for longer than a day.
    bench.now.since_start += Duration::from_secs(DAY);
    assert_eq!(take(&mut bench, 1), Fetched::Unknown);
}

/// Decides RL-73.
#[test]
fn rl_73_a_link_for_one_use_is_used_up_by_the_one_who_has_it_and_by_nobody_else() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, A);
    let single = Deposit { single_use: true, ..deposit(1) };
    let _: Deposited = bench.ask(1, A, &single);
    // A preview of a chat, a stranger with the id, a damaged link.
    assert_eq!(bench.mediator.link_state(LinkName::Short(id(1)), bench.now), Fetched::Here(()));
    assert_eq!(bench.mediator.take_link(id(1), &[0; 32], bench.now), Fetched::Wrong);
    assert_eq!(take(&mut bench, 1), here());
    assert_eq!(take(&mut bench, 1), Fetched::Used);
    assert_eq!(bench.mediator.link_state(LinkName::Short(id(1)), bench.now), Fetched::Used);
    // Its owner cannot make it live again by accident.
    assert_eq!(bench.problem(1, A, &single), problem::LINK_GONE.code);
}

/// Decides RL-72.
#[test]
fn rl_72_an_id_belongs_to_whoever_deposited_it_first() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, A);
    bench.enrol(2, B);
    let _: Deposited = bench.ask(1, A, &deposit(1));
    let other = Deposit { content: vec![9], ..deposit(1) };
    assert_eq!(bench.problem(2, B, &other), problem::LINK_TAKEN.code);
    assert_eq!(take(&mut bench, 1), here());
    let _: Deposited = bench.ask(1, A, &other);
    assert_eq!(take(&mut bench, 1), Fetched::Here(vec![9]));
}

/// Decides RL-71.
#[test]
fn rl_71_each_client_and_each_socket_has_its_share() {
    let mut bench = Bench::new(Limits { links_per_client: 2, ..Limits::default() });
    bench.enrol(1, A);
    bench.enrol(1, B);
    for number in [1, 2] {
        let _: Deposited = bench.ask(1, A, &deposit(number));
    }
    assert_eq!(bench.problem(1, A, &deposit(3)), problem::LINKS_FULL.code);
    assert_eq!(bench.problem(1, B, &deposit(3)), problem::LINKS_FULL.code, "the same socket");
    // Another socket does not help the DID; its own share does the other one.
    assert_eq!(bench.problem(2, A, &deposit(3)), problem::LINKS_FULL.code);
    let _: Deposited = bench.ask(2, B, &deposit(3));
    // What it has already may be deposited again.
    let _: Deposited = bench.ask(1, A, &deposit(2));
}

/// Decides RL-71.
#[test]
fn rl_71_links_of_those_who_are_gone_make_way_and_others_do_not() {
    let mut bench = Bench::new(Limits { links: 3, ..Limits::default() });
    bench.enrol(1, A);
    bench.enrol(2, B);
    for (socket, did, number) in [(1, A, 1), (2, B, 2), (2, B, 3)] {
        let _: Deposited = bench.ask(socket, did, &deposit(number));
    }
    assert_eq!(bench.problem(1, A, &deposit(4)), problem::LINKS_FULL.code, "all are connected");
    bench.mediator.handle(Input::SocketClosed(SocketId(2)), bench.now);
    let _: Deposited = bench.ask(1, A, &deposit(4));
    assert_eq!(take(&mut bench, 2), Fetched::Gone, "the oldest of those");
    for number in [1, 3, 4] {
        assert_eq!(take(&mut bench, number), here(), "{number}");
    }
}

fn invitation() -> Invitation {
    Invitation::new(InvitationParts { id: "1".into(), from: A.into(), ..InvitationParts::default() }).unwrap()
}

fn request(url: &str) -> RequestShortenedUrl {
    RequestShortenedUrl {
        url: url.into(),
        requested_validity_seconds: 60,
        goal_code: GOAL_OOB_2.into(),
        short_url_slug: None,
    }
}

/// Decides RL-76, RL-77.
#[test]
fn rl_76_an_invitation_is_kept_readable_for_those_who_ask() {
    let mut bench = Bench::new(Limits::default());
    bench.mediator = bench.mediator.at("https://med.example.org/");
    let url = invitation().to_url("https://elsewhere.example/x").unwrap();
    assert_eq!(bench.problem(1, A, &request(&url)), problem::NOT_ENROLLED.code);
    bench.enrol(1, A);
    bench.enrol(2, B);
    let short: ShortenedUrl = bench.ask(1, A, &request(&url));
    assert_eq!(short.expires_time, Some(1_000_060));
    let id = short.shortened_url.strip_prefix("https://med.example.org/?").and_then(id_in_query).unwrap();
    assert_eq!(bench.mediator.readable_link(id, bench.now), Fetched::Here(invitation().bytes().to_vec()));
    let forever: ShortenedUrl =
        bench.ask(1, A, &RequestShortenedUrl { requested_validity_seconds: 0, ..request(&url) });
    assert_eq!(forever.expires_time, Some(1_000_000 + 31 * DAY));

    let invalidate = InvalidateShortenedUrl { shortened_url: short.shortened_url };
    assert_eq!(bench.problem(2, B, &invalidate), problem::SHORT_URL_INVALID.code);
    bench.send(1, A, &invalidate);
    assert!(bench.inbox(1).is_empty());
    assert_eq!(bench.mediator.readable_link(id, bench.now), Fetched::Gone);
    assert_eq!(bench.problem(1, A, &invalidate), problem::SHORT_URL_INVALID.code);

    for (request, code) in [
        (request("https://example.org/"), problem::INVALID_URL.code),
        (request("https://example.org/?_oob=e30"), problem::INVALID_URL.code),
        (
            RequestShortenedUrl { goal_code: "shorten".into(), ..request(&url) },
            problem::INVALID_GOAL_CODE.code,
        ),
        (RequestShortenedUrl { short_url_slug: Some("x".into()), ..request(&url) }, problem::NO_SLUGS.code),
        (
            RequestShortenedUrl { requested_validity_seconds: u64::MAX, ..request(&url) },
            problem::VALIDITY.code,
        ),
    ] {
        assert_eq!(bench.problem(1, A, &request), code, "{request:?}");
    }
}
