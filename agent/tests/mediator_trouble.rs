//! Mediators that are missing, slow, or something else: what people are told, and with which code it ends.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::coordinate_mediation::{MediateDeny, MediateGrant};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use support::fake_mediator::fake_mediator;
use support::hostile::Hostile;
use support::mediator::Mediator;
use support::party::{Agent, text};
use support::stage::Stage;
use support::{average, didagent, python_command};
use tokio_tungstenite::tungstenite::Message;

fn averaging(number: &str) -> Vec<OsString> {
    python_command(&average(), &[number])
}

fn answer(mut stream: TcpStream, bytes: &[u8]) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream.write_all(bytes);
    let _ = stream.read(&mut [0; 4096]);
}

fn status(line: &'static str) -> String {
    let head = format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:1/\r\n\r\n");
    Hostile::listen(move |stream| answer(stream, head.as_bytes())).link()
}

/// The address of a server that answers with this status line.
fn status_url(line: &'static str) -> String {
    let server = Hostile::listen(move |stream| answer(stream, format!("HTTP/1.1 {line}\r\n\r\n").as_bytes()));
    format!("http://127.0.0.1:{}/", server.port)
}

/// The link of a mediator that is said to be reached under this URL.
fn named(url: &str) -> String {
    Mediator::start_named(&didagent(), url).link.clone()
}

/// The link of a mediator that has gone.
fn link_of_nobody() -> String {
    Mediator::start(&didagent()).link.clone()
}

/// Waits until the other side has closed.
fn hold(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(None);
    while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
}

/// A case: what is there, its link, the exit code, the error's code, and words that its message has.
type Case = (&'static str, String, i32, &'static str, &'static [&'static str]);

/// Each is met by a host, who must be told at once, or after the limit if there is one: nothing is tried again.
fn decide(cases: Vec<Case>) {
    // Each in a thread of its own: some wait for a time limit.
    let threads = cases.into_iter().map(|(what, link, exit, code, words)| {
        std::thread::spawn(move || {
            let begin = Instant::now();
            let folder = tempfile::tempdir().unwrap();
            let invite = ["invite", "--parties", "2", "--mediator", &link];
            let ended = Agent::new(didagent(), folder.path().to_owned(), "alice", &invite).run();
            assert_eq!(ended.code, exit, "{what}: {ended:#?}");
            let message = ended.assert_error(exit, code);
            for word in words {
                assert!(message.contains(word), "{what}: {message}");
            }
            assert!(ended.event("error")["hint"].is_string(), "{what}: {ended:#?}");
            assert!(ended.events("mediator.lost").is_empty(), "{what}: {ended:#?}");
            assert!(begin.elapsed() < Duration::from_secs(40), "{what} took {:?}", begin.elapsed());
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().unwrap();
    }
}

#[test]
fn servers_that_are_no_mediators_are_named_as_what_they_are() {
    decide(vec![
        ("a page", status("404 Not Found"), 5, "E0303", &["HTTP status 404"]),
        ("a redirect", status("301 Moved Permanently"), 5, "E0303", &["HTTP status 301", "elsewhere"]),
        ("a broken server", status("500 Oh"), 5, "E0301", &["HTTP status 500"]),
        ("a proxy without a mediator", status("502 Bad Gateway"), 5, "E0301", &["HTTP status 502"]),
        ("a full mediator", status("503 Full"), 5, "E0301", &["HTTP status 503"]),
        (
            "ssh",
            Hostile::listen(|stream| answer(stream, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")).link(),
            5,
            "E0303",
            &["speaks something else than WebSocket"],
        ),
        // A TLS server's answer to what is no ClientHello: a fatal alert.
        (
            "TLS",
            Hostile::listen(|stream| answer(stream, &[0x15, 3, 3, 0, 2, 2, 70])).link(),
            5,
            "E0303",
            &["speaks something else than WebSocket"],
        ),
        (
            "garbage",
            Hostile::listen(|stream| answer(stream, &[0xff; 2000])).link(),
            5,
            "E0303",
            &["something else than WebSocket"],
        ),
        ("nobody", link_of_nobody(), 5, "E0301", &["Connection refused"]),
        (
            "a name that nobody has",
            named("http://no-such-host.invalid/"),
            5,
            "E0301",
            &["no-such-host.invalid"],
        ),
        (
            "TLS where there is none",
            named(&status_url("400 Bad Request").replacen("http", "https", 1)),
            5,
            "E0303",
            &["something else than TLS"],
        ),
        ("a server that hangs up", Hostile::listen(drop).link(), 5, "E0301", &["cannot reach"]),
        (
            "an endless head",
            Hostile::listen(|mut stream| {
                let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n");
                while stream.write_all(b"X: x\r\n").is_ok() {}
            })
            .link(),
            5,
            "E0303",
            &["something else than WebSocket"],
        ),
    ]);
}

#[test]
fn websocket_servers_that_are_no_mediators_are_found_out() {
    let text = |text: String| {
        move |mut socket: tokio_tungstenite::tungstenite::WebSocket<TcpStream>| {
            let _ = socket.send(Message::text(text.clone()));
            while socket.read().is_ok() {}
        }
    };
    decide(vec![
        (
            "one that closes at once",
            Hostile::websocket(|mut socket| drop((socket.close(None), socket.flush()))).link(),
            5,
            "E0303",
            &["ended the connection"],
        ),
        (
            "one that closes at the first message",
            Hostile::websocket(|mut socket| drop(socket.read())).link(),
            5,
            "E0303",
            &["ended the connection"],
        ),
        (
            "a chat",
            Hostile::websocket(text("welcome!".to_owned())).link(),
            5,
            "E0303",
            &["no message for us"],
        ),
        ("JSON", Hostile::websocket(text("{\"a\":1}".to_owned())).link(), 5, "E0303", &["no message for us"]),
        (
            "a huge text",
            Hostile::websocket(text("x".repeat(3 << 20))).link(),
            5,
            "E0303",
            &["ended the connection"],
        ),
        (
            "frames of no circuit",
            Hostile::websocket(|mut socket| {
                let _ = socket.send(Message::binary(vec![9; 100]));
                while socket.read().is_ok() {}
            })
            .link(),
            5,
            "E0303",
            &["not the mediator"],
        ),
        (
            "a flood",
            Hostile::websocket(|mut socket| while socket.send(Message::text("{}")).is_ok() {}).link(),
            5,
            "E0303",
            &["no message for us"],
        ),
    ]);
}

#[test]
fn silence_at_the_mediators_address_ends_with_a_limit() {
    decide(vec![
        ("a black hole", Hostile::listen(hold).link(), 5, "E0301", &["no answer within 10 s"]),
        (
            "an echo without a word",
            Hostile::websocket(|mut socket| while socket.read().is_ok() {}).link(),
            5,
            "E0303",
            &["no mailbox within 15 s"],
        ),
        (
            "a flood of pings",
            Hostile::websocket(|mut socket| while socket.send(Message::Ping(vec![0; 100].into())).is_ok() {})
                .link(),
            5,
            "E0303",
            &["no mailbox within 15 s"],
        ),
        (
            "a head, one byte a second",
            Hostile::listen(|mut stream| {
                for byte in b"HTTP/1.1 101 Switching Protocols\r\n" {
                    if stream.write_all(&[*byte]).is_err() {
                        return;
                    }
                    std::thread::sleep(Duration::from_secs(1));
                }
            })
            .link(),
            5,
            "E0301",
            &["no answer within 10 s"],
        ),
    ]);
}

#[test]
fn a_mediator_that_refuses_says_why() {
    decide(vec![
        (
            "one that takes nobody",
            fake_mediator(|socket| {
                let Some(request) = socket.next() else { return };
                socket.send(MediateDeny {}.message("2").thid(request.id));
                socket.next();
            }),
            3,
            "E0304",
            &["does not take new users"],
        ),
        (
            "one with a problem",
            fake_mediator(|socket| {
                let Some(request) = socket.next() else { return };
                let report = ProblemReport::new("e.p.me.res.dids", "the cellar is \u{1b}[2Jfull");
                socket.send(report.report("2", &request));
                socket.next();
            }),
            3,
            "E0304",
            &["the mediator refused: the cellar is ", "full"],
        ),
    ]);
}

#[test]
fn a_mediator_that_goes_away_or_falls_silent_half_way_is_lost_or_slow() {
    fn granting(then: fn(&mut support::fake_mediator::FakeSocket)) -> String {
        fake_mediator(move |socket| {
            let Some(request) = socket.next() else { return };
            socket.send(MediateGrant { routing_did: Vec::new() }.message("2").thid(request.id));
            then(socket);
        })
    }
    decide(vec![
        ("one that hangs up", granting(|socket| drop(socket.next())), 5, "E0302", &["lost the connection"]),
        (
            "one that falls silent",
            granting(|socket| while socket.next().is_some() {}),
            5,
            "E0301",
            &["too slow", "within 15 s"],
        ),
    ]);
}

#[test]
fn a_mediator_with_another_identity_than_the_links_sets_up_no_mailbox() {
    let real = Mediator::start(&didagent());
    let link = Mediator::start_behind(&didagent(), real.port).link.clone();
    decide(vec![("another", link, 5, "E0303", &["another mediator"])]);
    drop(real);
}

/// Carries bytes between an agent and a mediator, a few at a time.
fn slow(target: Arc<OnceLock<u16>>, bytes: usize, pause: Duration) -> Hostile {
    Hostile::listen(move |client| {
        let server = TcpStream::connect(("127.0.0.1", *target.get().unwrap())).unwrap();
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let back = std::thread::spawn(move || trickle(server, client, bytes, pause));
        trickle_between(&mut from, &mut to, bytes, pause);
        let _ = back.join();
    })
}

fn trickle(mut from: TcpStream, mut to: TcpStream, bytes: usize, pause: Duration) {
    trickle_between(&mut from, &mut to, bytes, pause);
}

fn trickle_between(from: &mut TcpStream, to: &mut TcpStream, bytes: usize, pause: Duration) {
    let mut piece = vec![0; bytes];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..count]).is_err() {
            break;
        }
        std::thread::sleep(pause);
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// A stage whose mediator is behind a slow line.
fn slow_stage(bytes: usize, pause: Duration) -> Stage {
    // The mediator must know the line's port, and the line the mediator's.
    let target = Arc::new(OnceLock::new());
    let line = slow(Arc::clone(&target), bytes, pause);
    let mediator = Mediator::start_behind(&didagent(), line.port);
    target.set(mediator.port).unwrap();
    Stage::with_mediator(didagent(), mediator)
}

#[test]
fn a_slow_line_to_the_mediator_is_enough_for_a_run() {
    let stage = slow_stage(32, Duration::from_millis(1));
    for party in stage.run(vec![averaging("1"), averaging("3")]) {
        assert_eq!(party.assert_ok().output(), ["average of 2 inputs: 2.00"]);
    }
}

#[test]
fn a_line_that_is_too_slow_ends_with_a_limit() {
    let stage = slow_stage(1, Duration::from_millis(6));
    let ended = stage.invite("alice", 2).run();
    let error = ended.event("error");
    assert!(ended.code == 5 && text(error, "message").contains("slow"), "{ended:#?}");
}
