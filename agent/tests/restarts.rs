//! A mediator that is restarted, in each phase: while people wait they all come back, later everybody ends and says why.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::time::{Duration, Instant};

use support::lasting::Lasting;
use support::mediator::Mediator;
use support::party::{Agent, Party, text};
use support::stage::{Stage, finish};
use support::{average, didagent, python_command};

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

/// Decides RL-40, RM-70.
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

/// The slowest test here: it waits as long as the agents do. The room is not over with that.
/// Decides RM-100.
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
        let hint = text(ended.event("error"), "hint");
        assert_eq!(hint.contains("didagent invite --resume"), ended.name == "alice", "{hint}");
    }
    let home = lasting.stage.home("alice");
    let resume =
        || Agent::new(didagent(), home.clone(), "alice", &["invite", "--resume"]).program(averaging("1"));
    resume().run().assert_error(5, "E0301");
    lasting.start();
    let mut host = resume().start();
    assert_eq!(text(&host.wait_for("room.resumed")["guests"][0], "name"), "bob");
    assert_eq!(link_of(&mut host), link);
    let bob = lasting.stage.join("bob", &link).program(averaging("3")).start();
    let carol = lasting.stage.join("carol", &link).program(averaging("8")).start();
    assert_average(vec![host, bob, carol]);
}

/// Decides RM-70.
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
        let message = party.assert_error(5, "E0302");
        assert!(message.contains("it is over for everybody"), "{message}");
        // The link leads nowhere, and nobody is told to try it again.
        let hint = text(party.event("error"), "hint");
        let who = if party.name == "alice" { "didagent invite" } else { "ask the host for a new invitation" };
        assert!(hint.contains(who) && !hint.contains("--resume"), "{hint}");
        assert!(party.events("run.started").is_empty(), "{party:#?}");
    }
}
