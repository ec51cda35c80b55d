//! Links as people really use them: wrapped, quoted, for something else, too late, twice, by the wrong person.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::io::Write as _;
use std::time::{Duration, Instant};

use support::didagent;
use support::party::{Agent, Ended, Party, bare, text};
use support::process::Process;
use support::stage::{Stage, finish};

fn nothing_to_run() -> Vec<OsString> {
    vec!["true".into()]
}

fn room(stage: &Stage, parties: usize) -> (Party, String) {
    room_of(stage.invite("alice", parties).program(nothing_to_run()))
}

fn room_of(host: Agent) -> (Party, String) {
    let mut host = host.start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    (host, link)
}

/// What a person sees who is refused; there must be something to try.
fn refused(agent: Agent, exit: i32, code: &str) -> Ended {
    let ended = agent.run();
    ended.assert_error(exit, code);
    let hint = text(ended.event("error"), "hint");
    assert!(!hint.is_empty(), "{ended:#?}");
    ended
}

/// Decides IV-08.
#[test]
fn a_link_works_as_chats_and_mails_wrap_it() {
    let stage = Stage::new();
    let (mut host, link) = room(&stage, 6);
    let (front, back) = link.split_at(link.len() / 2);
    let shown = [
        format!("  {link}\n"),
        format!("\u{201c}{link}\u{201d}"),
        format!("<{link}>"),
        format!("[join]({link})."),
        format!("> please join:\n> {front}\n> {back}\n> \n> Alice"),
    ];
    let guests: Vec<_> = shown
        .iter()
        .zip(["bob", "carol", "dave", "erin", "frank"])
        .map(|(shown, name)| {
            let guest = stage.join(name, shown).program(nothing_to_run()).start();
            assert_eq!(text(&host.wait_for("party.joined"), "name"), name, "{shown}");
            guest
        })
        .collect();
    for party in finish(guests).iter().chain([&host.finish()]) {
        party.assert_ok();
    }
}

#[test]
fn a_link_is_taken_from_an_open_pipe_from_several_lines_and_from_the_environment() {
    let stage = Stage::new();
    let (mut host, link) = room(&stage, 5);
    let (front, back) = link.split_at(link.len() / 2);
    let mut guests = Vec::new();
    for (name, typed) in [("bob", format!("{link}\n")), ("carol", format!("> {front}\n> {back}\n"))] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(typed.as_bytes()).unwrap();
        let mut command = bare(&didagent());
        command
            .arg("--home")
            .arg(stage.home(name))
            .args(["join", "--name", name, "--", "true"])
            .stdin(reader);
        guests.push((Process::start(name, &mut command), writer));
        assert_eq!(text(&host.wait_for("party.joined"), "name"), name);
    }
    let dave = Agent::new(didagent(), stage.home("dave"), "dave", &["join"]).program(nothing_to_run());
    let dave = dave.variable("DIDAGENT_LINK", &link).start();
    assert_eq!(text(&host.wait_for("party.joined"), "name"), "dave");
    let erin = stage.join("erin", &link).program(nothing_to_run()).start();
    for party in finish(vec![dave, erin, host]) {
        party.assert_ok();
    }
    for (guest, _open) in guests {
        assert_eq!(guest.finish().code, 0);
    }
}

#[test]
fn a_link_in_the_environment_is_not_shown_by_help() {
    let shown = support::process::run(
        "help",
        bare(&didagent()).args(["join", "--help"]).env("DIDAGENT_LINK", "http://x"),
    );
    assert!(!shown.lines.join("\n").contains("http://x"), "{shown:?}");
}

#[test]
fn links_to_something_else_say_where_the_right_one_is() {
    let stage = Stage::new();
    let (_host, link) = room(&stage, 2);
    let mediator = refused(stage.join("bob", stage.mediator_link()), 3, "E0204");
    assert!(text(mediator.event("error"), "hint").contains("didagent invite"), "{mediator:#?}");
    let room = refused(stage.invite_at("bob", 2, &link), 3, "E0204");
    assert!(text(room.event("error"), "hint").contains("didagent join"), "{room:#?}");
    // Another program's invitation, and pages that are none.
    let other =
        oob(r#"{"type":"https://didcomm.org/out-of-band/2.0/invitation","id":"1","from":"did:example:x",
        "body":{"goal_code":"issue-vc","goal":"your diploma"}}"#);
    let other = refused(stage.join("bob", &other), 3, "E0204");
    assert!(text(other.event("error"), "message").contains("issue-vc"), "{other:#?}");
    let message =
        oob(r#"{"type":"https://didcomm.org/basicmessage/2.0/message","id":"1","body":{"content":"hi"}}"#);
    let message = refused(stage.join("bob", &message), 3, "E0204");
    assert!(text(message.event("error"), "message").contains("basicmessage"), "{message:#?}");
    for page in ["https://example.org/", "see https://example.org/a.html"] {
        refused(stage.join("bob", page), 2, "E0201");
    }
}

fn oob(message: &str) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(message);
    format!("https://example.org/?_oob={text}")
}

#[test]
fn every_kind_of_character_that_changes_is_noticed() {
    let stage = Stage::new();
    let (_host, link) = room_of(stage.invite("alice", 2).option(&["--full"]).program(nothing_to_run()));
    let (before, after) = link.split_once("_oob=").unwrap();
    let (content, check) = after.split_once("#c=").unwrap();
    let swapped = |text: &str| text.chars().rev().collect::<String>();
    for changed in [
        format!("{before}_oob={content}#c={}", swapped(check)),
        format!("{before}_oob={content}#c={}", &check[..4]),
        format!("{before}_oob={content}#c="),
        format!("{before}_oob={}#c={check}", swapped(content)),
        format!("{before}_oob={}#c={check}", content.to_lowercase()),
        format!("{before}_oob={}#c={check}", content.replacen('e', "3", 1)),
        format!("{before}_oob={}...#c={check}", &content[..content.len() / 2]),
        format!("{before}_oob={content}{content}#c={check}"),
    ] {
        refused(stage.join("bob", &changed), 2, "E0202");
    }
    refused(stage.join("bob", &link.replacen("_oob", "_oop", 1)), 2, "E0201");
    assert!(!stage.home("bob").exists(), "a link that cannot be used left a home behind");
}

#[test]
fn the_hosts_own_link_is_told_from_somebody_elses() {
    let stage = Stage::new();
    let (host, link) = room(&stage, 2);
    let own = refused(stage.join("alice", &link), 3, "E0402");
    assert!(text(own.event("error"), "message").contains("own invitation"), "{own:#?}");
    // Also when the host has gone, so that nobody waits for itself.
    host.process.signal("INT");
    host.finish().assert_error(130, "E0003");
    refused(stage.join("alice", &link), 3, "E0402");
}

#[test]
fn a_person_who_joins_from_two_homes_is_two_parties_that_everybody_sees() {
    let stage = Stage::new();
    let (mut host, link) = room(&stage, 3);
    let mut guests = Vec::new();
    for home in ["laptop", "desktop"] {
        let words = ["join", link.as_str()];
        let guest = Agent::new(didagent(), stage.home(home), "bob", &words).program(nothing_to_run());
        guests.push(guest.start());
        assert_eq!(text(&host.wait_for("party.joined"), "name"), "bob");
    }
    let table = host.wait_for("room.ready")["parties"].clone();
    assert_ne!(table[1]["identity"], table[2]["identity"], "{table}");
    guests.push(host);
    for party in finish(guests) {
        party.assert_ok();
    }
}

#[test]
fn a_copy_of_a_home_takes_the_seat_over_and_the_first_one_is_told() {
    let stage = Stage::new();
    let (mut host, link) = room(&stage, 3);
    let mut first = stage.join("bob", &link).start();
    first.wait_for("room.seats");
    host.wait_for("party.joined");
    std::fs::create_dir(stage.home("copy")).unwrap();
    std::fs::copy(stage.home("bob").join("identity.json"), stage.home("copy").join("identity.json")).unwrap();
    let second = Agent::new(didagent(), stage.home("copy"), "bob", &["join", &link]);
    let mut second = second.program(nothing_to_run()).start();
    second.wait_for("room.seats");
    let first = first.finish();
    assert!(first.assert_error(1, "E0701").contains("another didagent"), "{first:#?}");
    // Its goodbye, which would look like that of the second one, must not free the seat.
    let carol = stage.join("carol", &link).program(nothing_to_run()).start();
    for party in finish(vec![second, carol, host]) {
        party.assert_ok();
    }
}

#[test]
fn the_same_home_joins_again_after_ctrl_c_and_a_second_time_at_once_is_refused() {
    let stage = Stage::new();
    let (mut host, link) = room(&stage, 3);
    let mut guest = stage.join("bob", &link).start();
    guest.wait_for("room.joining");
    refused(stage.join("bob", &link), 1, "E0701");
    guest.process.signal("INT");
    assert_eq!(guest.finish().code, 130);
    let again = stage.join("bob", &link).program(nothing_to_run()).start();
    let carol = stage.join("carol", &link).program(nothing_to_run()).start();
    host.wait_for("room.ready");
    for party in finish(vec![again, carol, host]) {
        party.assert_ok();
    }
}

#[test]
fn an_invitation_that_ends_while_people_wait_ends_it_for_all_of_them() {
    let stage = Stage::new();
    let (mut host, link) = room_of(stage.invite("alice", 3).option(&["--expires", "8s", "--full"]));
    let mut guest = stage.join("bob", &link).start();
    guest.wait_for("room.seats");
    host.wait_for("party.joined");
    let host = host.finish();
    assert!(host.assert_error(6, "E0404").contains("1 of 3 seats"), "{host:#?}");
    let guest = guest.finish();
    assert!(guest.assert_error(7, "E0405").contains("the invitation expired"), "{guest:#?}");
    let late = refused(stage.join("carol", &link), 3, "E0203");
    assert!(text(late.event("error"), "message").contains("UTC"), "{late:#?}");
}

#[test]
fn an_old_link_is_refused_also_when_its_mediator_is_gone() {
    let mut stage = Stage::new();
    let (host, link) = room_of(stage.invite("alice", 2).option(&["--expires", "1s", "--full"]));
    host.finish().assert_error(6, "E0404");
    stage.kill_mediator();
    let begin = Instant::now();
    refused(stage.join("bob", &link), 3, "E0203");
    assert!(begin.elapsed() < Duration::from_secs(20));
}
