//! The board for strangers.

use std::net::IpAddr;

use didagent_didcomm::protocols::lobby::{
    List, Listed, Post, PostId, Posted, Posts, Program, ProgramDigest, ProgramName, Renew, RoomLink, Title,
    Withdraw, Withdrawn,
};

use super::*;

const A: &str = "did:example:a";
const B: &str = "did:example:b";
const HOUR: u64 = 3600;

fn post(title: &str) -> Post {
    let sha256 = ProgramDigest::new("3f".repeat(32)).unwrap();
    Post {
        title: Title::new(title).unwrap(),
        program: Program { name: ProgramName::new("vote.py").unwrap(), sha256 },
        seats: 3,
        free: 2,
        threshold: Some(1),
        link: RoomLink::new("https://med.example.org/r/AQEBAQEB#secret").unwrap(),
        expires_time: 1_000_000 + HOUR,
    }
}

/// A post of another room.
fn room(title: &str) -> Post {
    let link = format!("https://med.example.org/r/AQEBAQEB#{}", title.replace(' ', "-"));
    Post { link: RoomLink::new(link).unwrap(), ..post(title) }
}

fn renew(id: &PostId, free: u8) -> Renew {
    Renew { id: id.clone(), free, expires_time: 1_000_000 + 2 * HOUR }
}

fn network(number: u8) -> IpAddr {
    [192, 0, 2, number].into()
}

impl Bench {
    fn posts(&mut self) -> Vec<Listed> {
        // Rates are the business of their own test.
        self.now.since_start += Duration::from_secs(2);
        self.ask::<Posts>(3, "did:example:reader", &List::default()).posts
    }

    fn titles(&mut self) -> Vec<String> {
        self.posts().into_iter().map(|post| post.title.to_string()).collect()
    }

    fn posted(&mut self, socket: u64, did: &str, title: &str) -> PostId {
        self.now.since_start += Duration::from_secs(2);
        self.ask::<Posted>(socket, did, &room(title)).id
    }

    /// A host of its own, on a socket of its own, at an address.
    fn host(&mut self, socket: u64, address: IpAddr) -> String {
        self.mediator.handle(Input::SocketOpened(SocketId(socket)), self.now);
        self.mediator.comes_from(SocketId(socket), address);
        let did = format!("did:example:{socket}");
        self.enrol(socket, &did);
        did
    }
}

/// Decides LB-01.
#[test]
fn lb_01_there_is_no_board_unless_somebody_switched_it_on() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, A);
    let id = PostId::new("0123abcd").unwrap();
    assert_eq!(bench.problem(1, A, &post("a")), problem::LOBBY_OFF.code);
    assert_eq!(bench.problem(1, A, &List::default()), problem::LOBBY_OFF.code);
    assert_eq!(bench.problem(1, A, &renew(&id, 1)), problem::LOBBY_OFF.code);
    assert_eq!(bench.problem(1, A, &Withdraw { id }), problem::LOBBY_OFF.code);
    let report: ProblemReport = bench.ask(2, B, &List::default());
    assert!(report.text().contains("this mediator has no lobby"), "{report:?}");
    // Left out by name, it stays so.
    let mediator = Mediator::new(DID, Limits::default(), MemoryStore::default(), [7; 32]);
    let mut bench = Bench::of(mediator.with_lobby().without(&[Part::Lobby]));
    assert_eq!(bench.problem(1, A, &List::default()), problem::LOBBY_OFF.code);
}

/// Decides LB-04, LB-05, LB-09.
#[test]
fn lb_04_hosts_post_renew_and_withdraw_and_anybody_reads() {
    let mut bench = Bench::with_lobby(Limits::default());
    assert_eq!(bench.problem(1, A, &post("a")), problem::NOT_ENROLLED.code);
    bench.enrol(1, A);
    bench.enrol(2, B);
    let answer: Posted = bench.ask(1, A, &post("first"));
    assert_eq!(answer.expires_time, 1_000_000 + HOUR);
    let second = bench.posted(2, B, "second");
    assert_ne!(answer.id, second);
    assert_eq!(bench.titles(), ["second", "first"]);
    let shown = bench.posts().remove(1);
    assert_eq!((shown.seats, shown.free, shown.threshold, &shown.link), (3, 2, Some(1), &None));
    let one = |bench: &mut Bench, id: &PostId| {
        bench.ask::<Posts>(3, "did:example:reader", &List { id: Some(id.clone()) }).posts
    };
    let [with_link] = one(&mut bench, &answer.id).try_into().unwrap();
    assert_eq!(with_link, Listed { link: Some(post("first").link), ..shown });

    // Posted again, as by somebody who lost the answer: the same post.
    let again: Posted = bench.ask(1, A, &Post { free: 1, ..post("first again") });
    assert_eq!(again.id, answer.id);
    assert_eq!(bench.titles(), ["second", "first again"]);
    let other = RoomLink::new("https://med.example.org/r/AQEBAQEB#other").unwrap();
    let another: Posted = bench.ask(1, A, &Post { link: other, ..post("another room") });
    assert_ne!(another.id, answer.id);
    let _: Withdrawn = bench.ask(1, A, &Withdraw { id: another.id });

    // Only its owner changes it, and only what changes in a room.
    assert_eq!(bench.problem(2, B, &renew(&answer.id, 0)), problem::NO_SUCH_POST.code);
    let none = PostId::new("00000000").unwrap();
    assert_eq!(bench.problem(1, A, &renew(&none, 0)), problem::NO_SUCH_POST.code);
    assert_eq!(bench.problem(1, A, &Withdraw { id: second.clone() }), problem::NO_SUCH_POST.code);
    let renewed: Posted = bench.ask(1, A, &renew(&answer.id, 1));
    assert_eq!((&renewed.id, renewed.expires_time), (&answer.id, 1_000_000 + 2 * HOUR));
    let [changed] = one(&mut bench, &answer.id).try_into().unwrap();
    assert_eq!((changed.free, changed.expires_time), (1, 1_000_000 + 2 * HOUR));
    let _: Posted = bench.ask(1, A, &renew(&answer.id, 200));
    assert_eq!(one(&mut bench, &answer.id)[0].free, 2, "the host has a seat");

    let gone: Withdrawn = bench.ask(1, A, &Withdraw { id: answer.id.clone() });
    assert_eq!(gone.id, answer.id);
    assert_eq!(bench.problem(1, A, &Withdraw { id: answer.id.clone() }), problem::NO_SUCH_POST.code);
    assert!(one(&mut bench, &answer.id).is_empty());
    assert_eq!(bench.titles(), ["second"]);
}

/// Decides LB-02, LB-03.
#[test]
fn lb_03_what_is_no_room_of_this_mediator_is_refused() {
    let mut bench = Bench::with_lobby(Limits::default());
    bench.enrol(1, A);
    let link = |text: &str| Post { link: RoomLink::new(text).unwrap(), ..post("a") };
    let bad = [
        Post { seats: 1, free: 0, ..post("a") },
        Post { free: 3, ..post("a") },
        Post { threshold: Some(2), ..post("a") },
        link("http://med.example.org/r/AQEBAQEB#secret"),
        link("https://med.example.org:8443/r/AQEBAQEB#secret"),
        link("https://elsewhere.example/r/AQEBAQEB#secret"),
        link("https://med.example.org.elsewhere.example/r/AQEBAQEB#secret"),
        link("https://med.example.org@elsewhere.example/r/AQEBAQEB#secret"),
    ];
    for post in bad {
        bench.now.since_start += Duration::from_secs(2);
        assert_eq!(bench.problem(1, A, &post), problem::MALFORMED.code, "{post:?}");
    }
    for title in ["", "a\nb", "\u{202e}b", &"x".repeat(81)] {
        let mut message = post("a").message(format!("title {title:?}").chars().take(99).collect::<String>());
        message.body["title"] = title.into();
        bench.now.since_start += Duration::from_secs(2);
        bench.deliver(1, Some(A), message);
        let report = ProblemReport::try_from(&bench.inbox(1)[0]).unwrap();
        assert_eq!(report.code, problem::MALFORMED.code);
        assert!(!report.text().contains("xxx"), "it repeats nothing: {report:?}");
    }
    let _: Posted = bench.ask(1, A, &link("https://med.example.org/?_oob=e30#c=abc"));
    // Without an address of its own a mediator has no links.
    let mediator = Mediator::new(DID, Limits::default(), MemoryStore::default(), [7; 32]);
    let mut bench = Bench::of(mediator.with_lobby());
    bench.enrol(1, A);
    assert_eq!(bench.problem(1, A, &post("a")), problem::MALFORMED.code);
}

/// Decides LB-06.
#[test]
fn lb_06_a_post_ends_at_its_time_and_after_four_hours_at_the_latest() {
    let mut bench = Bench::with_lobby(Limits::default());
    bench.enrol(1, A);
    let over = Post { expires_time: 1_000_000, ..post("over") };
    assert_eq!(bench.problem(1, A, &over), problem::EXPIRED.code);
    bench.posted(1, A, "an hour");
    let long: Posted = bench.ask(1, A, &Post { expires_time: u64::MAX, ..room("long") });
    assert_eq!(long.expires_time, 1_000_000 + 4 * HOUR);
    bench.now.unix += HOUR - 1;
    assert_eq!(bench.titles(), ["long", "an hour"]);
    // At its second, before anything was swept.
    bench.now.unix += 1;
    assert_eq!(bench.titles(), ["long"]);
    let renewed: Posted = bench.ask(1, A, &Renew { expires_time: u64::MAX, ..renew(&long.id, 2) });
    assert_eq!(renewed.expires_time, bench.now.unix + 4 * HOUR);
    bench.now.unix += 4 * HOUR;
    assert!(bench.titles().is_empty());
    bench.now.since_start += limits::SWEEP;
    bench.mediator.handle(Input::Timeout, bench.now);
    assert_eq!(bench.problem(1, A, &renew(&long.id, 2)), problem::EXPIRED.code);
    let late = Renew { expires_time: u64::MAX, ..renew(&long.id, 2) };
    assert_eq!(bench.problem(1, A, &late), problem::NO_SUCH_POST.code);
}

/// Decides LB-07.
#[test]
fn lb_07_a_post_whose_owner_is_away_for_long_is_gone() {
    let mut bench = Bench::with_lobby(Limits::default());
    let host = bench.host(10, network(1));
    let id = bench.posted(10, &host, "a");
    bench.now.since_start += Duration::from_secs(1000);
    assert_eq!(bench.titles(), ["a"], "whoever is connected need not say anything");
    bench.mediator.handle(Input::SocketClosed(SocketId(10)), bench.now);
    bench.now.since_start += Duration::from_secs(100);
    assert_eq!(bench.titles(), ["a"]);
    // Back in time, on another socket.
    bench.host(11, network(1));
    bench.mediator.handle(Input::SocketClosed(SocketId(99)), bench.now);
    let _: Posted = bench.ask(11, &host, &renew(&id, 1));
    bench.now.since_start += Duration::from_secs(1000);
    assert_eq!(bench.titles(), ["a"]);
    bench.mediator.handle(Input::SocketClosed(SocketId(11)), bench.now);
    bench.now.since_start += Duration::from_secs(117);
    assert_eq!(bench.titles(), ["a"], "119 s away");
    assert!(bench.titles().is_empty(), "121 s away");
    // It comes too late, if it was looked through meanwhile.
    bench.now.since_start += limits::SWEEP;
    bench.mediator.handle(Input::Timeout, bench.now);
    bench.host(12, network(1));
    assert_eq!(bench.problem(12, &host, &renew(&id, 1)), problem::NO_SUCH_POST.code);

    // Over HTTP nobody stays.
    bench.enrol(1, A);
    bench.mediator.handle(Input::PostOpened(SocketId(20)), bench.now);
    let _: Posted = bench.ask(20, A, &post("by HTTP"));
    bench.mediator.handle(Input::SocketClosed(SocketId(20)), bench.now);
    assert_eq!(bench.titles(), ["by HTTP"]);
    bench.now.since_start += Duration::from_secs(120);
    assert!(bench.titles().is_empty());
}

/// Decides LB-06.
#[test]
fn lb_06_each_did_socket_and_network_has_its_share() {
    let limits = Limits { posts_per_client: 2, posts_per_network: 3, ..Limits::default() };
    let mut bench = Bench::with_lobby(limits);
    let one = bench.host(10, network(1));
    for title in ["1", "2"] {
        bench.posted(10, &one, title);
    }
    assert_eq!(bench.problem(10, &one, &room("3")), problem::LOBBY_FULL.code);
    // Another DID does not help the socket, nor another socket the DID.
    bench.enrol(10, B);
    assert_eq!(bench.problem(10, B, &post("3")), problem::LOBBY_FULL.code);
    bench.host(11, network(1));
    assert_eq!(bench.problem(11, &one, &room("3")), problem::LOBBY_FULL.code);
    bench.posted(11, "did:example:11", "3");
    // Both together do not help the network; IPv6 has one for 64 bits.
    bench.now.since_start += Duration::from_secs(20);
    let other = bench.host(12, network(1));
    assert_eq!(bench.problem(12, &other, &post("4")), problem::LOBBY_FULL.code);
    for (socket, address) in [(13, "2001:db8::1"), (14, "2001:db8::2"), (15, "2001:db8::ffff:3")] {
        let did = bench.host(socket, address.parse().unwrap());
        bench.posted(socket, &did, "6");
    }
    let did = bench.host(16, "2001:db8::4".parse().unwrap());
    assert_eq!(bench.problem(16, &did, &post("6")), problem::LOBBY_FULL.code);
    let did = bench.host(17, "2001:db8:0:1::4".parse().unwrap());
    bench.posted(17, &did, "7");
    assert_eq!(bench.posts().len(), 7);
}

/// Decides LB-05, LB-06.
#[test]
fn lb_06_a_post_counts_where_it_was_posted_wherever_its_owner_is_by_now() {
    let limits = Limits { posts_per_network: 3, ..Limits::default() };
    let mut bench = Bench::with_lobby(limits);
    let hosts: Vec<_> = (10..13).map(|socket| (socket, bench.host(socket, network(1)))).collect();
    let ids: Vec<_> = hosts.iter().map(|(socket, did)| bench.posted(*socket, did, "a")).collect();
    // All of them go on in another network, one by posting again.
    for (at, (socket, did)) in hosts.iter().enumerate() {
        bench.host(socket + 10, network(2));
        bench.now.since_start += Duration::from_secs(2);
        let answer: Posted = match at {
            0 => bench.ask(socket + 10, did, &room("a")),
            _ => bench.ask(socket + 10, did, &renew(&ids[at], 1)),
        };
        assert_eq!(answer.id, ids[at]);
    }
    let more = bench.host(30, network(1));
    assert_eq!(bench.problem(30, &more, &post("more")), problem::LOBBY_FULL.code);
    let other = bench.host(31, network(2));
    bench.posted(31, &other, "other");
    // Where its owner is by now decides whether it is there.
    bench.mediator.handle(Input::SocketClosed(SocketId(10)), bench.now);
    bench.now.since_start += Duration::from_secs(200);
    assert_eq!(bench.titles(), ["other", "a", "a", "a"]);
    bench.mediator.handle(Input::SocketClosed(SocketId(20)), bench.now);
    bench.now.since_start += Duration::from_secs(200);
    assert_eq!(bench.titles(), ["other", "a", "a"]);
}

/// Decides LB-06.
#[test]
fn lb_06_somebody_with_many_networks_in_one_keeps_nobody_from_the_board() {
    let address =
        |number: u64, site: u16| -> IpAddr { format!("2001:db8:{site:x}:{number:x}::1").parse().unwrap() };
    let mut bench = Bench::with_lobby(Limits::default());
    let mut posted = 0;
    for socket in 10..60 {
        let did = bench.host(socket, address(socket, 1));
        bench.now.since_start += Duration::from_secs(2);
        bench.send(socket, &did, &post("flood"));
        posted += usize::from(Posted::try_from(&bench.inbox(socket)[0]).is_ok());
    }
    assert_eq!(posted, 32, "a quarter of the board");
    // With four of them it is full, and somebody else still finds room, as long as he has less.
    let mut bench = Bench::with_lobby(Limits::default());
    for socket in 10..138 {
        let did = bench.host(socket, address(socket, u16::try_from(socket % 4).unwrap()));
        bench.posted(socket, &did, "flood");
    }
    for (socket, address) in [(200, network(1)), (201, address(1, 9))] {
        let did = bench.host(socket, address);
        bench.posted(socket, &did, "late");
    }
    let late = bench.titles().into_iter().filter(|title| title == "late").count();
    assert_eq!((late, bench.posts().len()), (2, 128));
    let did = bench.host(202, address(999, 1));
    assert_eq!(bench.problem(202, &did, &post("more")), problem::LOBBY_FULL.code, "nobody has more");
}

/// Decides LB-06.
#[test]
fn lb_06_a_full_board_makes_room_for_those_who_have_less_on_it() {
    let mut bench = Bench::with_lobby(Limits { posts: 4, ..Limits::default() });
    for (socket, address) in [(10, 1), (11, 1), (12, 2), (13, 2)] {
        let did = bench.host(socket, network(address));
        bench.posted(socket, &did, &format!("{socket}"));
    }
    let did = bench.host(14, network(2));
    assert_eq!(bench.problem(14, &did, &post("14")), problem::LOBBY_FULL.code, "nobody has more");
    let did = bench.host(15, network(3));
    bench.posted(15, &did, "15");
    assert_eq!(bench.titles(), ["15", "12", "11", "10"], "the newest of one who had most");
    let did = bench.host(16, network(4));
    bench.posted(16, &did, "16");
    assert_eq!(bench.titles(), ["16", "15", "12", "10"]);
    // Each has one by now.
    let did = bench.host(17, network(5));
    assert_eq!(bench.problem(17, &did, &post("17")), problem::LOBBY_FULL.code);
    // Whoever is away makes way first, the oldest of them.
    for socket in [15, 12] {
        bench.mediator.handle(Input::SocketClosed(SocketId(socket)), bench.now);
    }
    bench.posted(17, &did, "17");
    assert_eq!(bench.titles(), ["17", "16", "15", "10"]);
}

/// Decides LB-08.
#[test]
fn lb_08_a_network_writes_and_reads_at_its_pace() {
    let mut bench = Bench::with_lobby(Limits::default());
    let did = bench.host(10, network(1));
    let other = bench.host(11, network(1));
    let reads = |bench: &mut Bench, socket: u64, did: &str, most: usize| {
        let mut answered = 0;
        for _ in 0..most {
            bench.send(socket, did, &List::default());
            answered += usize::from(Posts::try_from(&bench.inbox(socket)[0]).is_ok());
        }
        answered
    };
    assert_eq!(reads(&mut bench, 10, &did, 15) + reads(&mut bench, 11, &other, 15), 20);
    assert_eq!(bench.problem(10, &did, &List::default()), problem::LOBBY_TOO_FAST.code);
    bench.now.since_start += Duration::from_millis(3500);
    assert_eq!(reads(&mut bench, 11, &other, 9), 3);
    let elsewhere = bench.host(12, network(2));
    assert_eq!(reads(&mut bench, 12, &elsewhere, 9), 9, "others are not concerned");

    // What is refused counts too, or guessing ids were free.
    let id = bench.ask::<Posted>(10, &did, &post("a")).id;
    let writes = |bench: &mut Bench, most: usize| {
        let mut taken = 0;
        for number in 0..most {
            let body = renew(&if number % 2 == 0 { id.clone() } else { PostId::new("00000000").unwrap() }, 1);
            bench.send(10, &did, &body);
            let inbox = bench.inbox(10);
            let code = ProblemReport::try_from(&inbox[0]).ok().map(|report| report.code);
            taken += usize::from(code.as_deref() != Some(problem::LOBBY_TOO_FAST.code));
        }
        taken
    };
    assert_eq!(writes(&mut bench, 60), 31);
    bench.now.since_start += Duration::from_secs(10);
    assert_eq!(writes(&mut bench, 60), 5);
}

/// Decides LB-06: the longest answer fits into one message, whatever hosts wrote.
#[test]
fn lb_06_a_full_board_is_one_answer() {
    let mut bench = Bench::with_lobby(Limits {
        posts_per_network: usize::MAX,
        posts_per_site: usize::MAX,
        ..Limits::default()
    });
    let program = Program {
        name: ProgramName::new("山".repeat(100)).unwrap(),
        sha256: ProgramDigest::new("3f".repeat(32)).unwrap(),
    };
    for socket in 10..138 {
        let did = bench.host(socket, network(1));
        let title = Title::new("\"山".repeat(40)).unwrap();
        bench.now.since_start += Duration::from_secs(2);
        let _: Posted = bench.ask(socket, &did, &Post { title, program: program.clone(), ..post("a") });
    }
    bench.send(3, "did:example:reader", &List::default());
    let answer = bench.inbox(3).remove(0);
    assert_eq!(Posts::try_from(&answer).unwrap().posts.len(), 128);
    let bytes = serde_json::to_vec(&answer).unwrap().len();
    assert!(bytes < 120 * 1024, "{bytes}");
    let did = bench.host(200, network(1));
    assert_eq!(bench.problem(200, &did, &post("a")), problem::LOBBY_FULL.code);
}
