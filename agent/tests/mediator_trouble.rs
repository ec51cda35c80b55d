//! Mediators that are missing, slow, something else, or restarted: what each party says, and with which code it ends.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use support::hostile::Hostile;
use support::mediator::Mediator;
use support::party::{Ended, Party, text};
use support::stage::{Stage, finish};
use support::{average, didagent, python_command};
use tokio_tungstenite::tungstenite::Message;

/// A stage whose mediator can be started again as the same one.
struct Lasting {
    stage: Stage,
    port: u16,
    data: PathBuf,
    folder: tempfile::TempDir,
}

impl Lasting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("mediator");
        let mediator = Mediator::start_lasting(&didagent(), 0, &data);
        let port = mediator.port;
        Self { stage: Stage::with_mediator(didagent(), mediator), port, data, folder }
    }

    fn restart(&mut self, parties: &mut [&mut Party]) {
        self.stage.kill_mediator();
        self.come_back(parties);
    }

    /// Like `restart`, with a mediator that says goodbye.
    fn restart_politely(&mut self, parties: &mut [&mut Party]) {
        self.stage.mediator.take().unwrap().stop();
        self.come_back(parties);
    }

    fn come_back(&mut self, parties: &mut [&mut Party]) {
        // Everybody notices before it is back, so that the test cannot pass by being too quick.
        for party in parties {
            let lost = party.wait_for("mediator.lost");
            assert!(!text(&lost, "message").is_empty() && lost["retry_seconds"] == 60, "{lost}");
        }
        self.start();
    }

    fn start(&mut self) {
        self.stage.mediator = Some(Mediator::start_lasting(&didagent(), self.port, &self.data));
    }
}

fn averaging(number: &str) -> Vec<OsString> {
    python_command(&average(), &[number])
}

fn link_of(host: &mut Party) -> String {
    text(&host.wait_for("room.invitation"), "link").to_owned()
}

/// Waits for everybody's end, each of whom must have the average of 1, 3 and 8.
fn assert_average(parties: Vec<Party>) {
    for party in finish(parties) {
        assert_eq!(party.assert_ok().output(), ["average of 3 inputs: 4.00"]);
    }
}

#[test]
fn a_restart_while_the_host_waits_alone_leaves_the_link_as_it_is() {
    let mut lasting = Lasting::new();
    let mut host = lasting.stage.invite("alice", 3).program(averaging("1")).start();
    let link = link_of(&mut host);
    lasting.restart(&mut [&mut host]);
    // Guests may well be there before the host is back.
    let bob = lasting.stage.join("bob", &link).program(averaging("3")).start();
    let carol = lasting.stage.join("carol", &link).program(averaging("8")).start();
    host.wait_for("mediator.back");
    assert_average(vec![host, bob, carol]);
    drop(lasting.folder);
}

#[test]
fn a_restart_while_guests_wait_keeps_their_seats_and_the_room_fills_up() {
    let mut lasting = Lasting::new();
    let mut host = lasting.stage.invite("alice", 3).program(averaging("1")).start();
    let link = link_of(&mut host);
    let mut bob = lasting.stage.join("bob", &link).program(averaging("3")).start();
    bob.wait_for("room.seats");
    host.wait_for("party.joined");
    for polite in [true, false] {
        match polite {
            true => lasting.restart_politely(&mut [&mut host, &mut bob]),
            false => lasting.restart(&mut [&mut host, &mut bob]),
        }
        host.wait_for("mediator.back");
        bob.wait_for("mediator.back");
        // The host's answer to the second request for the same seat.
        let seats = bob.wait_for("room.seats");
        assert_eq!(seats["names"].as_array().unwrap().len(), 2, "{seats}");
    }
    let carol = lasting.stage.join("carol", &link).program(averaging("8")).start();
    let joined = host.wait_for("party.joined");
    assert_eq!((text(&joined, "name"), &joined["index"]), ("carol", &2.into()));
    assert_average(vec![host, bob, carol]);
}

#[test]
fn somebody_who_joins_at_once_after_a_restart_does_not_lock_out_those_who_come_back() {
    let mut lasting = Lasting::new();
    let mut host = lasting.stage.invite("alice", 3).program(averaging("1")).start();
    let link = link_of(&mut host);
    let mut bob = lasting.stage.join("bob", &link).program(averaging("3")).start();
    bob.wait_for("room.seats");
    lasting.restart(&mut [&mut host, &mut bob]);
    let carol = lasting.stage.join("carol", &link).program(averaging("8")).start();
    assert_average(vec![host, bob, carol]);
}

#[test]
fn people_see_one_line_when_the_mediator_is_lost_and_one_when_it_is_back() {
    let mut lasting = Lasting::new();
    let mut watched = lasting.stage.invite("alice", 2).for_people().start();
    let link = watched.process.next_line().unwrap();
    lasting.stage.kill_mediator();
    watched.process.wait_for_stderr("trying again for 60 s");
    lasting.start();
    watched.process.wait_for_stderr("the mediator is back; the link works again");
    let _bob = lasting.stage.join("bob", &link).start();
    watched.process.wait_for_stderr("bob");
    let screen = watched.process.stderr();
    for line in ["lost the connection to the mediator", "the mediator is back"] {
        assert_eq!(screen.matches(line).count(), 1, "{screen}");
    }
}

#[test]
fn ctrl_c_while_the_mediator_is_gone_ends_at_once() {
    let mut lasting = Lasting::new();
    let mut host = lasting.stage.invite("alice", 2).start();
    link_of(&mut host);
    lasting.stage.kill_mediator();
    host.wait_for("mediator.lost");
    let begin = Instant::now();
    host.process.signal("INT");
    host.finish().assert_error(130, "E0003");
    assert!(begin.elapsed() < Duration::from_secs(10));
}

/// The slowest test here: it waits as long as the agents do.
#[test]
fn a_mediator_that_does_not_come_back_ends_the_lobby_after_a_minute() {
    let mut lasting = Lasting::new();
    let mut host = lasting.stage.invite("alice", 3).start();
    let link = link_of(&mut host);
    let mut guest = lasting.stage.join("bob", &link).start();
    guest.wait_for("room.seats");
    let begin = Instant::now();
    lasting.stage.kill_mediator();
    let mut parties = [host, guest];
    for party in &mut parties {
        party.wait_for("mediator.lost");
    }
    // The limit is a minute, so the tests' own patience is too short for it.
    let ended = support::holds_within(Duration::from_secs(120), || {
        parties.iter_mut().all(|party| party.process.has_ended())
    });
    assert!(ended && begin.elapsed() > Duration::from_secs(50), "{:?}", begin.elapsed());
    for party in parties {
        let ended = party.finish();
        let message = ended.assert_error(5, "E0302");
        assert!(message.contains("did not come back within 60 s"), "{message}");
        assert_eq!(ended.events("mediator.lost").len(), 1, "{ended:#?}");
    }
}

#[test]
fn a_mediator_that_comes_back_as_another_one_ends_the_lobby_and_says_how_to_keep_it() {
    let mut stage = Stage::new();
    let port = stage.mediator.as_ref().unwrap().port;
    let mut host = stage.invite("alice", 2).start();
    link_of(&mut host);
    stage.kill_mediator();
    host.wait_for("mediator.lost");
    let _other = Mediator::start_on(&didagent(), port, |_| {});
    let host = host.finish();
    host.assert_error(5, "E0303");
    let hint = text(host.event("error"), "hint");
    assert!(hint.contains("--data") && hint.contains("didagent invite"), "{hint}");
}

#[test]
fn a_mediator_that_is_lost_while_a_room_forms_ends_it_for_everybody() {
    // Without frames no session comes up, so the room stays full and unready.
    let (mut stage, proxy) = Stage::behind_proxy(didagent());
    proxy.hold_frames(true);
    let parties = stage.start((0..3).map(|_| averaging("1")).collect());
    // All have the roster when each asked for its two circuits.
    support::until("the room is full", || stage_messages(&proxy) > 40);
    stage.kill_mediator();
    for party in finish(parties) {
        party.assert_error(5, "E0302");
        assert!(party.events("run.started").is_empty(), "{party:#?}");
    }
}

fn stage_messages(proxy: &support::proxy::Proxy) -> usize {
    proxy.captured().texts.len()
}

/// A host and a guest that meet this at their mediator's address.
struct Met {
    stage: Stage,
    link: String,
}

impl Met {
    fn new(hostile: &Hostile) -> Self {
        Self { stage: Stage::new(), link: hostile.link() }
    }

    /// Runs the host, who must end soon, alone and with one message.
    fn run(&self) -> (Ended, Duration) {
        let begin = Instant::now();
        let ended = self.stage.invite_at("alice", 2, &self.link).run();
        assert!(ended.events("mediator.lost").is_empty(), "nothing is tried again: {ended:#?}");
        (ended, begin.elapsed())
    }
}

fn answer(mut stream: TcpStream, bytes: &[u8]) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream.write_all(bytes);
    let _ = stream.read(&mut [0; 4096]);
}

fn status(line: &'static str) -> Hostile {
    let head = format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:1/\r\n\r\n");
    Hostile::listen(move |stream| answer(stream, head.as_bytes()))
}

/// Waits until the other side has closed.
fn hold(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(None);
    while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
}

/// A case: what is there, the exit code, the error's code, and words that its message has.
type Case = (&'static str, Hostile, i32, &'static str, &'static [&'static str]);

fn decide(cases: Vec<Case>) {
    // Each in a thread of its own: some wait for a time limit.
    let threads = cases.into_iter().map(|(what, hostile, exit, code, words)| {
        std::thread::spawn(move || {
            let (ended, took) = Met::new(&hostile).run();
            assert_eq!(ended.code, exit, "{what}: {ended:#?}");
            let message = ended.assert_error(exit, code);
            for word in words {
                assert!(message.contains(word), "{what}: {message}");
            }
            assert!(ended.event("error")["hint"].is_string(), "{what}: {ended:#?}");
            assert!(took < Duration::from_secs(40), "{what} took {took:?}");
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
            Hostile::listen(|stream| answer(stream, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")),
            5,
            "E0303",
            &["speaks something else than WebSocket"],
        ),
        // A TLS server's answer to what is no ClientHello: a fatal alert.
        (
            "TLS",
            Hostile::listen(|stream| answer(stream, &[0x15, 3, 3, 0, 2, 2, 70])),
            5,
            "E0303",
            &["speaks something else than WebSocket"],
        ),
        (
            "garbage",
            Hostile::listen(|stream| answer(stream, &[0xff; 2000])),
            5,
            "E0303",
            &["something else than WebSocket"],
        ),
        ("a server that hangs up", Hostile::listen(drop), 5, "E0301", &["cannot reach"]),
        (
            "an endless head",
            Hostile::listen(|mut stream| {
                let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n");
                while stream.write_all(b"X: x\r\n").is_ok() {}
            }),
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
            Hostile::websocket(|mut socket| drop((socket.close(None), socket.flush()))),
            5,
            "E0303",
            &["ended the connection"],
        ),
        (
            "one that closes at the first message",
            Hostile::websocket(|mut socket| drop(socket.read())),
            5,
            "E0303",
            &["ended the connection"],
        ),
        ("a chat", Hostile::websocket(text("welcome!".to_owned())), 5, "E0303", &["no message for us"]),
        ("JSON", Hostile::websocket(text("{\"a\":1}".to_owned())), 5, "E0303", &["no message for us"]),
        ("a huge text", Hostile::websocket(text("x".repeat(3 << 20))), 5, "E0303", &["ended the connection"]),
        (
            "frames of no circuit",
            Hostile::websocket(|mut socket| {
                let _ = socket.send(Message::binary(vec![9; 100]));
                while socket.read().is_ok() {}
            }),
            5,
            "E0303",
            &["not the mediator"],
        ),
        (
            "a flood",
            Hostile::websocket(|mut socket| while socket.send(Message::text("{}")).is_ok() {}),
            5,
            "E0303",
            &["no message for us"],
        ),
    ]);
}

#[test]
fn silence_at_the_mediators_address_ends_with_a_limit() {
    decide(vec![
        ("a black hole", Hostile::listen(hold), 5, "E0301", &["no answer within 10 s"]),
        (
            "an echo without a word",
            Hostile::websocket(|mut socket| while socket.read().is_ok() {}),
            5,
            "E0303",
            &["no mailbox within 15 s"],
        ),
        (
            "a flood of pings",
            Hostile::websocket(|mut socket| while socket.send(Message::Ping(vec![0; 100].into())).is_ok() {}),
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
            }),
            5,
            "E0301",
            &["no answer within 10 s"],
        ),
    ]);
}
