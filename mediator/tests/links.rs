//! Short links over HTTP, with real envelopes and a real listener.
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

use didagent_didcomm::protocols::Digest32;
use didagent_didcomm::protocols::out_of_band::{Invitation, InvitationParts};
use didagent_didcomm::protocols::short_link::{Deposit, Deposited};
use didagent_didcomm::protocols::shorten_url::{GOAL_OOB_2, RequestShortenedUrl, ShortenedUrl};
use didagent_didcomm::short_link::{Sealed, ShortLink};
use getrandom::SysRng;
use rand_core::UnwrapErr;
use support::{Client, Identity, Running, now};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Status, head and body of an answer.
async fn raw(mediator: &Running, request: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(mediator.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let at = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..at].to_vec()).unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head, answer[at + 4..].to_vec())
}

async fn get(mediator: &Running, path: &str, fields: &str) -> (u16, String, Vec<u8>) {
    raw(mediator, &format!("GET {path} HTTP/1.1\r\nHost: m\r\n{fields}\r\n")).await
}

async fn take(mediator: &Running, link: &ShortLink) -> (u16, String, Vec<u8>) {
    let request = format!(
        "POST /r/{} HTTP/1.1\r\nHost: m\r\nAuthorization: {}\r\nContent-Length: 0\r\n\r\n",
        link.id(),
        *link.take().to_header()
    );
    raw(mediator, &request).await
}

fn message() -> Vec<u8> {
    let parts =
        InvitationParts { id: "room".into(), from: "did:example:host".into(), ..InvitationParts::default() };
    Invitation::new(parts).unwrap().bytes().to_vec()
}

async fn deposited(mediator: &Running, client: &mut Client, single_use: bool) -> ShortLink {
    let base = format!("http://{}/", mediator.address);
    let Sealed { link, content } = ShortLink::seal(&message(), &base, &mut UnwrapErr(SysRng)).unwrap();
    let deposit = Deposit {
        id: link.id(),
        content,
        take_hash: Digest32(link.take().hash()),
        expires_time: now() + 600,
        single_use,
    };
    let _: Deposited = client.ask(&deposit).await;
    link
}

/// Decides RL-73, RL-74.
#[tokio::test]
async fn rl_74_a_browser_gets_a_page_and_uses_nothing_up() {
    let mediator = Running::start().await;
    let mut client = Client::connect(&mediator.link, Identity::new()).await;
    client.enrol().await;
    let link = deposited(&mediator, &mut client, true).await;
    let path = format!("/r/{}", link.id());
    for fields in ["", "Accept: text/html\r\n", "User-Agent: TelegramBot\r\nAccept: */*\r\n"] {
        let (status, head, page) = get(&mediator, &path, fields).await;
        let page = String::from_utf8(page).unwrap();
        assert_eq!(status, 200);
        for header in [
            "Content-Type: text/html; charset=utf-8",
            "Content-Security-Policy: default-src 'none'; ",
            "frame-ancestors 'none'",
            "X-Frame-Options: DENY",
            "Cache-Control: no-store",
            "Referrer-Policy: no-referrer",
            "X-Content-Type-Options: nosniff",
        ] {
            assert!(head.contains(header), "{header}: {head}");
        }
        assert!(
            page.contains("didagent join 'LINK'") && page.contains("part of the link behind #"),
            "{page}"
        );
        for bad in ["<script", "src=", "href=", "style", "http", &link.id().to_string()] {
            assert!(!page.contains(bad), "{bad}: {page}");
        }
    }
    let (status, _, body) = raw(&mediator, &format!("HEAD {path} HTTP/1.1\r\nHost: m\r\n\r\n")).await;
    assert_eq!((status, body.len()), (200, 0));
    // Without the part behind #, and with another.
    let bearer = |token: &str| format!("POST {path} HTTP/1.1\r\nHost: m\r\nAuthorization: {token}\r\n\r\n");
    for (request, expected) in [
        (bearer("Bearer AAAA"), 403),
        (bearer(&format!("Bearer {}", "A".repeat(43))), 403),
        (bearer("Basic AAAA"), 403),
        (format!("POST {path} HTTP/1.1\r\nHost: m\r\nContent-Length: 0\r\n\r\n"), 415),
        (format!("PUT {path} HTTP/1.1\r\nHost: m\r\n\r\n"), 405),
    ] {
        assert_eq!(raw(&mediator, &request).await.0, expected, "{request}");
    }
    let (status, head, content) = take(&mediator, &link).await;
    assert_eq!(status, 200);
    assert!(head.contains("Content-Type: application/octet-stream"), "{head}");
    assert_eq!(link.open(&content).unwrap(), message());
    // Used up, for people and programs.
    let (status, head, _) = take(&mediator, &link).await;
    assert!(status == 410 && head.contains("Link-State: used\r\n"), "{head}");
    let (status, _, text) = get(&mediator, &path, "").await;
    assert_eq!(status, 410);
    assert!(String::from_utf8(text).unwrap().contains("does not work any more"));
    assert_eq!(get(&mediator, "/r/AAAAAAAA", "").await.0, 404);
    assert_eq!(get(&mediator, "/r/AAAAAAA", "").await.0, 200, "no link, so the page of the mediator");
    mediator.stop().await;
}

/// Decides RL-73: what the wire carried of a link for many is what its readers need.
#[tokio::test]
async fn rl_73_many_take_what_is_for_many() {
    let mediator = Running::start().await;
    let mut client = Client::connect(&mediator.link, Identity::new()).await;
    client.enrol().await;
    let link = deposited(&mediator, &mut client, false).await;
    client.vanish();
    for _ in 0..3 {
        let (status, _, content) = take(&mediator, &link).await;
        assert_eq!((status, link.open(&content).unwrap()), (200, message()));
    }
    mediator.stop().await;
}

/// Decides RL-75.
#[tokio::test]
async fn rl_75_who_guesses_is_slowed_down() {
    let mediator = Running::start().await;
    let mut refused = 0;
    for _ in 0..400 {
        refused += u32::from(get(&mediator, "/r/AAAAAAAA", "").await.0 == 429);
        if refused > 0 {
            break;
        }
    }
    assert!(refused > 0);
    mediator.stop().await;
}

/// Decides RL-78.
#[tokio::test]
async fn rl_78_an_oobid_is_read_by_all_software() {
    let mediator = Running::start().await;
    let mut client = Client::connect(&mediator.link, Identity::new()).await;
    client.enrol().await;
    let url = Invitation::from_bytes(message()).unwrap().to_url("https://elsewhere.example/").unwrap();
    let request = RequestShortenedUrl {
        url,
        requested_validity_seconds: 60,
        goal_code: GOAL_OOB_2.into(),
        short_url_slug: None,
    };
    let short: ShortenedUrl = client.ask(&request).await;
    let path = short.shortened_url.strip_prefix(&format!("http://{}", mediator.address)).unwrap();
    for accept in ["application/didcomm-plain+json", "text/html;q=0.1, application/json; charset=utf-8"] {
        let (status, head, body) = get(&mediator, path, &format!("Accept: {accept}\r\n")).await;
        assert_eq!((status, body), (200, message()), "{head}");
        assert!(head.contains("Content-Type: application/didcomm-plain+json"), "{head}");
    }
    let (status, head, _) = get(&mediator, path, "Accept: text/html\r\n").await;
    let (_, to) = head.split_once("\r\nLocation: ").unwrap();
    let to = to.split_once("\r\n").map_or(to, |(to, _)| to);
    assert_eq!(status, 302);
    assert!(to.starts_with("?_oob="), "it leads to this host: {to}");
    let joined = url::Url::parse(&short.shortened_url).unwrap().join(to).unwrap();
    assert_eq!(Invitation::from_url(joined.as_str()).unwrap().bytes(), message());
    for unknown in ["/?_oobid=AAAAAAAAAAAAAAAAAAAAAA", "/?_oobid=", "/?x=1&_oobid=1234"] {
        assert_eq!(get(&mediator, unknown, "").await.0, 404, "{unknown}");
    }
    mediator.stop().await;
}
