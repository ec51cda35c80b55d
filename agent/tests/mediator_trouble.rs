//! Mediators that are missing, slow, something else, or restarted: what each party says, and with which code it ends.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::coordinate_mediation::{MediateDeny, MediateGrant};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use support::fake_mediator::fake_mediator;
use support::hostile::Hostile;
use support::mediator::Mediator;
use support::party::{Agent, Party, text};
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
fn a_guest_with_a_mediator_of_its_own_survives_a_restart_of_either() {
    let mut hosts = Lasting::new();
    let mut guests = Lasting::new();
    let mut host = hosts.stage.invite("alice", 3).program(averaging("1")).start();
    let link = link_of(&mut host);
    let own = ["--mediator", guests.stage.mediator_link()].map(str::to_owned);
    let bob = guests.stage.join("bob", &link).option(&own.each_ref().map(String::as_str));
    let mut bob = bob.program(averaging("3")).start();
    bob.wait_for("room.seats");
    host.wait_for("party.joined");
    hosts.restart(&mut [&mut host]);
    host.wait_for("mediator.back");
    guests.restart(&mut [&mut bob]);
    bob.wait_for("mediator.back");
    bob.wait_for("room.seats");
    let carol = hosts.stage.join("carol", &link).program(averaging("8")).start();
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
    // The mediator grants credit on three circuits, at both ends, once everybody has the roster and asked for its two.
    support::until("the room is full", || proxy.captured().frames.len() >= 6);
    stage.kill_mediator();
    for party in finish(parties) {
        party.assert_error(5, "E0302");
        assert!(party.events("run.started").is_empty(), "{party:#?}");
    }
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
