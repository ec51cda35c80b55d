//! Short links: rooms that form by them, mediators that lose, swap or refuse them, and what people see.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read as _, Write as _};

use didagent_didcomm::protocols::out_of_band::Invitation;
use didagent_didcomm::short_link::ShortLink;
use support::hostile::Hostile;
use support::lasting::Lasting;
use support::mediator::Mediator;
use support::party::{Agent, Ended, Party, bare, text};
use support::process::run;
use support::stage::{Stage, finish};
use support::{average, didagent, python_command};

fn room(host: Agent) -> (Party, String) {
    let mut host = host.start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    (host, link)
}

fn averaging(number: &str) -> Vec<std::ffi::OsString> {
    python_command(&average(), &[number])
}

fn stop(party: Party) {
    party.process.signal("INT");
    party.finish();
}

/// What a person sees who is refused; there must be something to try.
fn refused(agent: Agent, exit: i32, code: &str) -> String {
    let ended = agent.run();
    let message = ended.assert_error(exit, code).to_owned();
    assert!(!text(ended.event("error"), "hint").is_empty(), "{ended:#?}");
    message
}

/// Decides IV-09, IV-11.
#[test]
fn a_room_forms_by_a_short_link() {
    let stage = Stage::new();
    let (mut host, link) = room(stage.invite("alice", 3).program(averaging("1")));
    assert!(link.len() <= 72, "{link}");
    let short = ShortLink::parse(&link).unwrap();
    assert!(
        short
            .address()
            .starts_with(&format!("http://127.0.0.1:{}/r/", stage.mediator.as_ref().unwrap().port))
    );
    let mut parties = Vec::new();
    for (name, number) in [("bob", "2"), ("carol", "6")] {
        parties.push(stage.join(name, &link).program(averaging(number)).start());
        host.wait_for("party.joined");
    }
    parties.push(host);
    for party in finish(parties) {
        assert_eq!(party.assert_ok().output(), ["average of 3 inputs: 3.00"]);
    }
}

/// Decides RL-73, IV-11.
#[test]
fn a_link_for_one_use_lets_one_guest_in_and_previews_do_not_use_it_up() {
    let stage = Stage::new();
    let (mut host, link) = room(stage.invite("alice", 3).option(&["--single-use"]));
    let short = ShortLink::parse(&link).unwrap();
    let port = stage.mediator.as_ref().unwrap().port;
    for _ in 0..3 {
        let page = http(port, &format!("GET /r/{} HTTP/1.1\r\nHost: m\r\n\r\n", short.id()));
        assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("didagent join"), "{page}");
    }
    // Nor does a home that is busy with another room, or the host's own.
    let (dave, _) = room(stage.invite("dave", 2));
    refused(stage.join("dave", &link), 1, "E0701");
    assert!(refused(stage.join("alice", &link), 3, "E0402").contains("own invitation"));
    let bob = stage.join("bob", &link).start();
    host.wait_for("party.joined");
    assert!(refused(stage.join("carol", &link), 3, "E0203").contains("one use"));
    // Whoever used it finds its seat again.
    bob.process.signal("KILL");
    bob.finish();
    let mut bob = stage.join("bob", &link).start();
    bob.wait_for("room.seats");
    for party in [bob, host, dave] {
        stop(party);
    }
}

/// Decides IV-11.
#[test]
fn links_that_are_cut_changed_unknown_or_over_say_so() {
    let stage = Stage::new();
    let (host, link) = room(stage.invite("alice", 2));
    let secret = link.find('#').unwrap();
    for cut in [&link[..link.len() - 1], &link[..=secret], &link[..secret], &link[..secret - 2]] {
        assert!(refused(stage.join("bob", cut), 2, "E0202").contains("cut off"), "{cut}");
    }
    let other = |at: usize| {
        let new = if &link[at..=at] == "A" { "B" } else { "A" };
        format!("{}{new}{}", &link[..at], &link[at + 1..])
    };
    assert!(refused(stage.join("bob", &other(secret + 1)), 2, "E0202").contains("damaged"));
    assert!(refused(stage.join("bob", &other(secret - 1)), 3, "E0205").contains("knows no such link"));
    assert!(!stage.home("bob").exists(), "a link that cannot be used left a home behind");
    // For what it is not meant.
    assert!(refused(stage.invite_at("bob", 2, &link), 3, "E0204").contains("a room"));
    stop(host);
    let (host, link) = room(stage.invite("alice", 2).option(&["--expires", "1s"]));
    host.finish().assert_error(6, "E0404");
    refused(stage.join("bob", &link), 3, "E0203");
}

/// Decides IV-11.
#[test]
fn a_mediator_that_swaps_cuts_or_refuses_is_found_out() {
    let stage = Stage::new();
    let (host, link) = room(stage.invite("alice", 2));
    let (evil, other) = room(stage.invite("mallory", 2));
    let port = stage.mediator.as_ref().unwrap().port;
    let content = |link: &str| {
        let link = ShortLink::parse(link).unwrap();
        let take = link.take().to_header();
        take_raw(port, &format!("/r/{}", link.id()), &take)
    };
    let (right, wrong) = (content(&link), content(&other));
    assert!(ShortLink::parse(&link).unwrap().open(&right).is_ok());
    let mut changed = right.clone();
    changed[40] ^= 1;
    for (content, type_, exit, code) in [
        (wrong, "application/octet-stream", 8, "E0206"),
        (changed, "application/octet-stream", 8, "E0206"),
        (right[..right.len() - 1].to_vec(), "application/octet-stream", 8, "E0206"),
        (Vec::new(), "application/octet-stream", 8, "E0206"),
        (vec![7; 9000], "application/octet-stream", 8, "E0206"),
        (b"<html>pay for the network</html>".to_vec(), "text/html", 5, "E0303"),
    ] {
        let hostile = answering("200 OK", format!("Content-Type: {type_}\r\n"), content);
        refused(stage.join("bob", &elsewhere(&link, port, hostile.port)), exit, code);
    }
    for (status, headers, exit, code) in [
        ("302 Found", "Location: http://127.0.0.1:1/\r\n", 5, "E0303"),
        ("500 No", "", 5, "E0301"),
        ("429 Wait", "", 5, "E0301"),
    ] {
        let hostile = answering(status, headers.to_owned(), Vec::new());
        refused(stage.join("bob", &elsewhere(&link, port, hostile.port)), exit, code);
    }
    // Somebody who hangs up, and nobody at all.
    let silent = Hostile::listen(drop);
    for port_of_nobody in [silent.port, 1] {
        refused(stage.join("bob", &elsewhere(&link, port, port_of_nobody)), 5, "E0301");
    }
    assert!(!stage.home("bob").exists());
    stop(host);
    stop(evil);
}

/// Decides IV-12, RL-72.
#[test]
fn a_mediator_that_was_restarted_is_given_the_link_again() {
    let mut lasting = Lasting::new();
    let (mut host, link) = room(lasting.stage.invite("alice", 2));
    lasting.restart(&mut [&mut host]);
    host.wait_for("mediator.back");
    // The deposit is a moment behind; whoever pastes the link finds it then.
    let mut bob = None;
    support::until("the link works again", || {
        let mut agent = lasting.stage.join("bob", &link).start();
        let works = agent.next_is("room.joining");
        bob = works.then_some(agent);
        bob.is_some()
    });
    let mut bob = bob.unwrap();
    bob.wait_for("room.ready");
    stop(bob);
    stop(host);
}

/// Decides IV-12, RL-58.
#[test]
fn without_a_mediator_that_keeps_links_the_full_one_is_shown_and_works() {
    let stage = Stage::with_mediator(
        didagent(),
        Mediator::start_without(&didagent(), "short-link/1.0,shorten-url/1.0"),
    );
    for words in [&[][..], &["--oobid"]] {
        let mut host = stage.invite("alice", 2).option(words).start();
        assert!(text(&host.wait_for("warning"), "message").contains("the link is long"));
        let link = text(&host.wait_for("room.invitation"), "link").to_owned();
        assert!(Invitation::from_url(&link).is_ok(), "{link}");
        let mut bob = stage.join("bob", &link).start();
        bob.wait_for("room.ready");
        stop(bob);
        stop(host);
    }
}

/// Decides IV-13, IV-14, RL-76, RL-78.
#[test]
fn links_of_the_standard_are_made_when_asked_for_and_taken_from_anybody() {
    let stage = Stage::new();
    let (mut host, link) = room(stage.invite("alice", 2).option(&["--oobid"]));
    let port = stage.mediator.as_ref().unwrap().port;
    assert!(link.starts_with(&format!("http://127.0.0.1:{port}/?_oobid=")), "{link}");
    let sent = run(
        "message",
        bare(&didagent()).arg("--home").arg(stage.home("carol")).args(["message", &link, "hi"]),
    );
    assert_eq!(sent.code, 0, "{sent:?}");
    assert_eq!(text(&host.wait_for("message.received"), "text"), "hi");
    let mut bob = stage.join("bob", &link).start();
    assert!(text(&bob.wait_for("warning"), "message").contains("can read the invitation"));
    bob.wait_for("room.ready");
    stop(bob);
    stop(host);
    // Servers of others: a body, a redirect to the long link, a way round in circles, something else.
    let (host, full) = room(stage.invite("alice", 4).option(&["--full"]));
    let message = Invitation::from_url(&full).unwrap().bytes().to_vec();
    let ours = |hostile: &Hostile| format!("http://127.0.0.1:{}/x?_oobid=1234", hostile.port);
    for hostile in [
        answering("200 OK", "Content-Type: application/json\r\n".to_owned(), message),
        answering("301 Moved", format!("Location: {full}\r\n"), Vec::new()),
    ] {
        let mut bob = stage.join("bob", &ours(&hostile)).start();
        bob.wait_for("room.seats");
        stop(bob);
    }
    for (status, headers, body, exit, code) in [
        ("302 Found", "Location: /x?_oobid=1234\r\n", vec![], 5, "E0303"),
        ("302 Found", "Location: javascript:1\r\n", vec![], 5, "E0303"),
        // Nobody here chose this host.
        ("302 Found", "Location: http://127.0.0.2:1/x?_oobid=1\r\n", vec![], 5, "E0301"),
        ("200 OK", "", vec![b'{'; 20_000], 3, "E0204"),
        ("200 OK", "", b"{}".to_vec(), 2, "E0202"),
        ("404 None", "", vec![], 3, "E0205"),
    ] {
        let hostile = answering(status, headers.to_owned(), body);
        refused(stage.join("bob", &ours(&hostile)), exit, code);
    }
    stop(host);
}

/// Decides IV-11.
#[test]
fn a_message_finds_its_reader_by_a_short_link() {
    let stage = Stage::new();
    let (mut host, link) = room(stage.invite("alice", 2));
    let sent = run(
        "message",
        bare(&didagent()).arg("--home").arg(stage.home("carol")).args(["message", &link, "hi"]),
    );
    assert_eq!(sent.code, 0, "{sent:?}");
    assert_eq!(text(&host.wait_for("message.received"), "text"), "hi");
    stop(host);
}

#[test]
fn the_code_on_the_screen_is_the_link() {
    let stage = Stage::new();
    let host = stage.invite("alice", 2).option(&["--qr", "--expires", "2s"]).for_people();
    let Ended { text, stderr, .. } = host.run();
    let rows: Vec<Vec<char>> =
        stderr.lines().filter(|line| line.contains('\u{2588}')).map(|line| line.chars().collect()).collect();
    assert!((17..=19).contains(&rows.len()), "{stderr}");
    let shade = |x: usize, y: usize| {
        let character = rows[y / 8][x / 4];
        let half = if (y / 4).is_multiple_of(2) { '\u{2580}' } else { '\u{2584}' };
        if character == '\u{2588}' || character == half { 255 } else { 0 }
    };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(rows[0].len() * 4, rows.len() * 8, shade);
    assert_eq!(image.detect_grids()[0].decode().unwrap().1, text[0]);
}

/// The link with another server in front of it.
fn elsewhere(link: &str, port: u16, other: u16) -> String {
    link.replacen(&format!(":{port}/"), &format!(":{other}/"), 1)
}

/// A web server that always answers the same.
fn answering(status: &str, headers: String, body: Vec<u8>) -> Hostile {
    let head =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    Hostile::listen(move |mut stream| {
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
            request.push(byte[0]);
        }
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    })
}

fn http(port: u16, request: &str) -> String {
    String::from_utf8(raw(port, request)).unwrap()
}

fn raw(port: u16, request: &str) -> Vec<u8> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn take_raw(port: u16, path: &str, take: &str) -> Vec<u8> {
    let answer = raw(port, &format!("POST {path} HTTP/1.1\r\nHost: m\r\nAuthorization: {take}\r\n\r\n"));
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    let at = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    answer[at + 4..].to_vec()
}
