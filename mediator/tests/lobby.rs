//! The board for strangers, with real envelopes and a real listener.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "tests use clocks and sockets, and fail by panicking"
)]

mod support;

use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::discover_features::{Disclose, Queries, Query};
use didagent_didcomm::protocols::lobby::{List, Posted, Posts, Renew, Withdraw, Withdrawn, refusal};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use support::{Client, Identity, Process, Running, kid_of, new_id, now, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn host(link: &str) -> Client {
    let mut host = Client::connect(link, Identity::new()).await;
    host.enrol().await;
    host
}

/// Decides LB-04, LB-05, LB-09.
#[tokio::test]
async fn a_host_posts_and_a_stranger_without_an_account_reads() {
    let mediator = Running::start_with_lobby().await;
    let mut host = host(&mediator.link).await;
    let posted: Posted = host.ask(&post(&mediator.link, "votes")).await;
    let mut stranger = Client::connect(&mediator.link, Identity::new()).await;
    let all: Posts = stranger.ask(&List::default()).await;
    assert_eq!((&all.posts[0].id, all.posts[0].title.as_str(), all.posts[0].free), (&posted.id, "votes", 2));
    assert_eq!(all.posts[0].link, None);
    let list = List { id: Some(posted.id.clone()) };
    let one: Posts = stranger.ask(&list).await;
    assert_eq!(one.posts[0].link, Some(post(&mediator.link, "votes").link));
    let renew = Renew { id: posted.id.clone(), free: 1, expires_time: now() + 600 };
    let refused: ProblemReport = stranger.ask(&renew).await;
    assert_eq!(refused.code, "e.p.req.not_enroll");
    let _: Posted = host.ask(&renew).await;
    let one: Posts = stranger.ask(&list).await;
    assert_eq!(one.posts[0].free, 1);
    let _: Withdrawn = host.ask(&Withdraw { id: posted.id }).await;
    let none: Posts = stranger.ask(&list).await;
    assert!(none.posts.is_empty());

    // Nothing outlives a mediator.
    let _: Posted = host.ask(&post(&mediator.link, "votes")).await;
    mediator.stop().await;
    let other = Running::start_with_lobby().await;
    let mut stranger = Client::connect(&other.link, Identity::new()).await;
    assert!(stranger.ask::<Posts>(&List::default()).await.posts.is_empty());
    other.stop().await;
}

/// Decides LB-06, LB-08.
#[tokio::test]
async fn a_network_has_its_share_whatever_sockets_and_dids_it_takes() {
    let mediator = Running::start_with_lobby().await;
    let mut hosts = Vec::new();
    for number in 0..8 {
        let me = Identity::new();
        let mut host = Client::connect_from(&mediator.link, me, &format!("2001:db8::{number}")).await;
        host.enrol().await;
        let _: Posted = host.ask(&post(&mediator.link, "votes")).await;
        hosts.push(host);
    }
    let mut ninth = Client::connect_from(&mediator.link, Identity::new(), "2001:db8::9").await;
    ninth.enrol().await;
    let refused: ProblemReport = ninth.ask(&post(&mediator.link, "votes")).await;
    assert_eq!(refused.code, refusal::FULL);
    let mut elsewhere = Client::connect_from(&mediator.link, Identity::new(), "2001:db8:0:1::9").await;
    elsewhere.enrol().await;
    let _: Posted = elsewhere.ask(&post(&mediator.link, "votes")).await;
    // All of the network together: nine requests so far.
    let mut refused = 0;
    for number in 0..30 {
        let host = &mut hosts[number % 8];
        host.send_body(&Withdraw { id: "00000000".to_owned().try_into().unwrap() }).await;
        let report = ProblemReport::try_from(&host.next_message().await).unwrap();
        refused += usize::from(report.code == refusal::TOO_FAST);
    }
    assert!(refused >= 3, "{refused} of 30");
    mediator.stop().await;
}

/// Decides LB-01.
#[tokio::test]
async fn the_program_has_a_board_only_if_it_is_told_so() {
    for (arguments, is_there) in
        [(&[][..], false), (&["--lobby"], true), (&["--lobby", "--without", "lobby/1.0"], false)]
    {
        let mediator = Process::start(arguments);
        let mut client = Client::connect(&mediator.link, Identity::new()).await;
        let query = Query { feature_type: "protocol".into(), match_: "*/lobby/*".into() };
        let told: Disclose = client.ask(&Queries { queries: vec![query] }).await;
        assert_eq!(told.disclosures.len(), usize::from(is_there), "{arguments:?}");
        match is_there {
            true => assert!(client.ask::<Posts>(&List::default()).await.posts.is_empty()),
            false => {
                let report: ProblemReport = client.ask(&List::default()).await;
                assert_eq!(report.code, refusal::OFF);
                assert!(report.text().contains("has no lobby"), "{report:?}");
            }
        }
    }
}

/// Decides LB-07, LB-09.
#[tokio::test]
async fn the_board_is_read_by_http_too() {
    let mediator = Running::start_with_lobby().await;
    let mut host = host(&mediator.link).await;
    let posted: Posted = host.ask(&post(&mediator.link, "votes")).await;
    let me = Identity::new();
    let list = List::default().message(new_id()).to(&mediator.did).return_route_all();
    let body = me.authcrypt(&kid_of(&mediator.did), list);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: m\r\nContent-Type: application/didcomm-encrypted+json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(mediator.address).await.unwrap();
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let (message, _) = me.open(body);
    assert_eq!(Posts::try_from(&message).unwrap().posts[0].id, posted.id);
    // The owner leaves without a word, and its post is there for a while still.
    host.vanish();
    let mut stranger = Client::connect(&mediator.link, Identity::new()).await;
    assert_eq!(stranger.ask::<Posts>(&List::default()).await.posts.len(), 1);
    mediator.stop().await;
}
