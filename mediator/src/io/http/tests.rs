//! Requests that come slowly, endlessly, too often, or in no HTTP at all. What good ones do is in `tests/http.rs`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{DuplexStream, duplex};
use tokio::time::{Instant, sleep};

use super::super::keys::{Identity, KeyPair};
use super::*;
use crate::core::limits::{Limits, MAX_POSTS, MESSAGE_BURST, NETWORK_POSTS, POST_BYTES};

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const TYPE: &str = "Content-Type: application/didcomm-encrypted+json\r\n";

fn engine() -> Engine {
    let identity = Identity::new(KeyPair::generate(), "ws://127.0.0.1:1/").unwrap();
    Engine::new(identity, "http://127.0.0.1:1/", Limits::default(), (&[], false), [7; 32])
}

/// Serves one connection to a client that sends, and returns everything that it got.
async fn served(
    engine: &Engine,
    posts: &Posts,
    buffer: usize,
    client: impl AsyncFnOnce(&mut DuplexStream),
) -> String {
    let (mut ours, theirs) = duplex(buffer);
    // The client's end is closed when it has its answer, as by a real one.
    let talk = async move {
        client(&mut ours).await;
        let mut text = String::new();
        ours.read_to_string(&mut text).await.unwrap();
        text
    };
    tokio::join!(serve(engine, posts, theirs, FROM), talk).1
}

async fn answer_to_text(engine: &Engine, posts: &Posts, request: &[u8]) -> String {
    served(engine, posts, 64 * 1024, async |client: &mut DuplexStream| {
        // What is refused is not read to its end.
        let _ = client.write_all(request).await;
    })
    .await
}

fn post(fields: &str, body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: x\r\n{TYPE}{fields}\r\n{body}").into_bytes()
}

/// Decides RL-52.
#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_answered_and_an_endless_one_refused() {
    for (filler, expected) in [(100, "HTTP/1.1 200 OK"), (32 * 1024, "HTTP/1.1 431 ")] {
        let text = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(filler));
        let (client, server) = duplex(1);
        let (mut answer, mut request) = tokio::io::split(client);
        let send = async {
            // It is not read to its end when it is refused.
            let _ = request.write_all(text.as_bytes()).await;
        };
        let read = async {
            let mut text = String::new();
            answer.read_to_string(&mut text).await.unwrap();
            text
        };
        let (engine, posts) = (engine(), Posts::default());
        let ((), (), text) = tokio::join!(serve(&engine, &posts, server, FROM), send, read);
        assert!(text.starts_with(expected), "{text}");
    }
}

/// Decides RL-52.
#[tokio::test(start_paused = true)]
async fn what_comes_too_slowly_is_given_up() {
    let (engine, posts) = (engine(), Posts::default());
    let half = post("Content-Length: 100\r\n", "{");
    for (sent, limit, expected) in [
        (&b""[..], HANDSHAKE, ""),
        (b"GET / HTTP/1.1\r\nHo", HANDSHAKE, "HTTP/1.1 408 "),
        (&half, BODY, "HTTP/1.1 408 "),
    ] {
        let start = Instant::now();
        let text = answer_to_text(&engine, &posts, sent).await;
        assert!(text.starts_with(expected) && text.is_empty() == expected.is_empty(), "{text}");
        assert!(start.elapsed() >= limit && start.elapsed() < limit + 2 * LINGERS, "{:?}", start.elapsed());
    }
    // A byte each second does not buy more time.
    let start = Instant::now();
    let text = served(&engine, &posts, 64, async |client: &mut DuplexStream| {
        client.write_all(&half).await.unwrap();
        while client.write_all(b" ").await.is_ok() && start.elapsed() < 2 * BODY {
            sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
}

/// How long a connection may outlive its answer.
const LINGERS: Duration = Duration::from_secs(1);

/// Decides RL-52.
#[tokio::test(start_paused = true)]
async fn other_protocols_are_told_at_once() {
    let (engine, posts) = (engine(), Posts::default());
    for (greeting, says) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], "plain HTTP"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "not an HTTP/1.1 request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "not an HTTP/1.1 request"),
        (b"\x00\x00\x00", "not an HTTP/1.1 request"),
    ] {
        let start = Instant::now();
        let text = answer_to_text(&engine, &posts, greeting).await;
        assert!(text.starts_with("HTTP/1.1 400 ") && text.contains(says), "{text}");
        assert!(start.elapsed() <= LINGERS, "{:?}", start.elapsed());
    }
}

/// Decides RL-52.
#[tokio::test]
async fn bodies_that_lie_are_refused() {
    let (engine, posts) = (engine(), Posts::default());
    for (request, status) in [
        (post("Content-Length: 2\r\n", "{}"), "400"),
        (post("Content-Length: 0\r\n", ""), "400"),
        (post("Transfer-Encoding: chunked\r\n", "2\r\n{}x"), "400"),
        (post("Transfer-Encoding: chunked\r\n", "fffff1\r\n"), "413"),
        (post("Content-Length: 1048577\r\n", ""), "413"),
        (post("Transfer-Encoding: gzip\r\n", ""), "501"),
        (post("", ""), "400"),
    ] {
        let text = answer_to_text(&engine, &posts, &request).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    }
    // The client closes its side in the middle of the body.
    let text = served(&engine, &posts, 4096, async |client: &mut DuplexStream| {
        client.write_all(&post("Content-Length: 9\r\n", "{")).await.unwrap();
        client.shutdown().await.unwrap();
    })
    .await;
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
}

/// Decides RL-52, RL-53.
#[tokio::test]
async fn an_address_that_posts_too_often_is_told_to_wait() {
    let (engine, posts) = (engine(), Posts::default());
    let request = post("Content-Length: 2\r\n", "{}");
    let mut refused = 0;
    for _ in 0..MESSAGE_BURST + 20 {
        let text = answer_to_text(&engine, &posts, &request).await;
        if text.starts_with("HTTP/1.1 429 ") {
            assert!(text.contains("Retry-After: 1\r\n"), "{text}");
            refused += 1;
        } else {
            assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
        }
    }
    assert!(refused > 0);
    let (mut ours, theirs) = duplex(4096);
    ours.write_all(&request).await.unwrap();
    ours.shutdown().await.unwrap();
    serve(&engine, &posts, theirs, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))).await;
    let mut text = String::new();
    ours.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 400 "), "another address is not concerned: {text}");
}

/// Decides RL-53.
#[tokio::test]
async fn bodies_take_room_as_they_come_and_give_it_back() {
    // Four pieces of a body, and the one that is read into.
    let (engine, posts) = (engine(), Posts::new(2, 5));
    let length = 6 * PIECE;
    let fields = format!("Content-Length: {length}\r\n");
    let text = answer_to_text(&engine, &posts, &post(&fields, &"x".repeat(length))).await;
    assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("Retry-After: 10\r\n"), "{text}");
    assert_eq!((posts.pieces.available_permits(), posts.slots.available_permits()), (5, 2));
    let length = 4 * PIECE;
    let fields = format!("Content-Length: {length}\r\n");
    let text = answer_to_text(&engine, &posts, &post(&fields, &"x".repeat(length))).await;
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    assert_eq!((posts.pieces.available_permits(), posts.slots.available_permits()), (5, 2));
    let taken = posts.slots.try_acquire_many(2).unwrap();
    let text = answer_to_text(&engine, &posts, &post("Content-Length: 2\r\n", "{}")).await;
    assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
    drop(taken);
}

/// Posts that are under way; their clients do not close before this is dropped.
struct UnderWay {
    engine: Arc<Engine>,
    posts: Arc<Posts>,
    clients: Vec<DuplexStream>,
}

impl UnderWay {
    fn new() -> Self {
        Self { engine: Arc::new(engine()), posts: Arc::default(), clients: Vec::new() }
    }

    /// Sends what fits into a head, from an address.
    async fn send(&mut self, request: &[u8], from: IpAddr) -> &mut DuplexStream {
        let (mut ours, theirs) = duplex(4096);
        ours.write_all(request).await.unwrap();
        let (engine, posts) = (self.engine.clone(), self.posts.clone());
        tokio::spawn(async move { serve(&engine, &posts, theirs, from).await });
        self.clients.push(ours);
        self.clients.last_mut().unwrap()
    }

    /// Sends a whole message and returns its answer.
    async fn answer(&mut self, fields: &str, from: IpAddr) -> String {
        let request = post(&format!("Content-Length: 2\r\n{fields}"), "{}");
        let mut text = String::new();
        self.send(&request, from).await.read_to_string(&mut text).await.unwrap();
        text
    }

    /// Waits until so many are under way.
    async fn are(&self, expected: usize) {
        let all = async {
            while self.posts.under_way() != expected {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), all).await.unwrap();
    }
}

fn v4(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, number))
}

/// Decides RL-53.
#[tokio::test]
async fn bodies_that_do_not_come_keep_nobody_else_from_posting() {
    let mut all = UnderWay::new();
    let half = post("Content-Length: 1000\r\n", "{");
    // As many as there are slots, and more, from several networks; each has all its places.
    for network in 0..9 {
        for _ in 0..NETWORK_POSTS {
            all.send(&half, v4(network)).await;
        }
    }
    all.are(9 * NETWORK_POSTS).await;
    assert!(all.clients.len() > MAX_POSTS);
    assert_eq!(all.posts.slots.available_permits(), MAX_POSTS);
    // A byte came of each, and there is a piece for what comes next.
    let pieces = POST_BYTES / PIECE - 2 * all.clients.len();
    assert_eq!(all.posts.pieces.available_permits(), pieces);
    let text = all.answer("", FROM).await;
    assert!(text.starts_with("HTTP/1.1 400 "), "another network is not concerned: {text}");
    let text = all.answer("", v4(3)).await;
    assert!(text.starts_with("HTTP/1.1 429 ") && text.contains("Retry-After: 1\r\n"), "{text}");
    all.clients.clear();
    all.are(0).await;
    assert_eq!(all.posts.pieces.available_permits(), POST_BYTES / PIECE);
    let text = all.answer("", v4(3)).await;
    assert!(text.starts_with("HTTP/1.1 400 "), "its places are free again: {text}");
}

#[tokio::test(start_paused = true)]
async fn who_has_an_answer_and_does_not_close_holds_no_place() {
    let mut all = UnderWay::new();
    for _ in 0..2 * NETWORK_POSTS {
        let text = all.answer("", FROM).await;
        assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    }
}

/// Decides RL-53.
#[tokio::test]
async fn a_proxy_here_is_believed_however_its_address_is_written_and_nobody_else() {
    let half = post("Content-Length: 1000\r\nX-Forwarded-For: 203.0.113.1\r\n", "{");
    for (proxy, believed) in [
        ("127.0.0.1", true),
        ("::1", true),
        ("::ffff:127.0.0.1", true),
        ("192.0.2.1", false),
        ("::ffff:192.0.2.1", false),
    ] {
        let mut all = UnderWay::new();
        let from = proxy.parse().unwrap();
        for _ in 0..NETWORK_POSTS {
            all.send(&half, from).await;
        }
        all.are(NETWORK_POSTS).await;
        let same = all.answer("X-Forwarded-For: ::ffff:203.0.113.1\r\n", from).await;
        assert!(same.starts_with("HTTP/1.1 429 "), "{proxy}: {same}");
        let other = all.answer("X-Forwarded-For: 203.0.113.2\r\n", from).await;
        let expected = if believed { "HTTP/1.1 400 " } else { "HTTP/1.1 429 " };
        assert!(other.starts_with(expected), "{proxy}: {other}");
    }
}

/// Decides RL-52.
#[tokio::test(start_paused = true)]
async fn a_stop_ends_what_still_comes() {
    let half = post("Content-Length: 100\r\n", "{");
    for sent in [&b"GET / HT"[..], &half] {
        let (engine, posts) = (engine(), Posts::default());
        let start = Instant::now();
        let stop = async {
            sleep(Duration::from_secs(1)).await;
            engine.stop();
        };
        let (text, ()) = tokio::join!(answer_to_text(&engine, &posts, sent), stop);
        assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("stops"), "{text}");
        assert!(start.elapsed() < Duration::from_secs(3));
    }
}
