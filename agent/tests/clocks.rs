//! Clocks that are wrong: who finds out, and that people are told which two clocks differ instead of waiting for nothing.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use support::mediator::Mediator;
use support::party::{Agent, Party, text};
use support::stage::{Stage, finish};
use support::{average, clock, didagent, python_command};

const DAY: i64 = 24 * 60 * 60;

/// A party that must end soon because two clocks differ, one of them `whose`.
fn refused(agent: Agent, whose: &str, difference: &str) {
    let begin = Instant::now();
    let ended = agent.run();
    let message = ended.assert_error(2, "E0306");
    assert!(
        message.contains(&format!("this machine's clock and {whose} differ by {difference}")),
        "{message}"
    );
    assert_eq!(message.matches(" UTC").count(), 2, "both times: {message}");
    assert!(text(ended.event("error"), "hint").contains("timedatectl"), "{ended:#?}");
    assert!(ended.events("room.invitation").is_empty(), "a link that cannot work: {ended:#?}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

fn waiting(host: Agent) -> (Party, String) {
    let mut host = host.start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    (host, link)
}

fn mediator_with_clock(seconds: i64) -> Mediator {
    Mediator::start_on(&didagent(), 0, |command| clock::shift(command, seconds))
}

/// Decides RM-73.
#[test]
fn a_host_whose_clock_is_wrong_by_a_day_gets_no_link() {
    let stage = Stage::new();
    for (name, seconds) in [("ahead", DAY), ("behind", -DAY)] {
        refused(stage.invite(name, 2).clock(seconds), "the mediator's", "24 hours");
    }
    refused(stage.invite("minutes", 2).clock(5 * 60), "the mediator's", "5 minutes");
    refused(stage.invite("seventies", 2).clock(-50 * 365 * DAY), "the mediator's", "1825");
}

#[test]
fn a_guest_whose_clock_is_wrong_by_a_day_is_told_so_and_not_that_the_link_is_old() {
    let stage = Stage::new();
    // The first link is over when a day has passed, the second is not.
    for expires in ["2h", "72h"] {
        let host = stage.invite(&format!("host{expires}"), 2).option(&["--expires", expires]);
        let (_host, link) = waiting(host);
        for (name, seconds) in [("ahead", DAY), ("behind", -DAY)] {
            let guest = stage.join(&format!("{name}{expires}"), &link);
            refused(guest.clock(seconds), "the mediator's", "24 hours");
        }
    }
}

#[test]
fn a_mediator_whose_clock_is_wrong_by_a_day_is_named() {
    for seconds in [DAY, -DAY] {
        let stage = Stage::with_mediator(didagent(), mediator_with_clock(seconds));
        refused(stage.invite("alice", 2), "the mediator's", "24 hours");
    }
}

#[test]
fn a_host_and_a_mediator_with_the_same_wrong_clock_are_told_to_the_guest() {
    for seconds in [DAY, -DAY] {
        let stage = Stage::with_mediator(didagent(), mediator_with_clock(seconds));
        let (_host, link) = waiting(stage.invite("alice", 2).clock(seconds));
        refused(stage.join("bob", &link), "the mediator's", "24 hours");
    }
}

#[test]
fn a_guest_with_a_mediator_of_its_own_finds_out_that_the_hosts_clock_is_wrong() {
    let stage = Stage::with_mediator(didagent(), mediator_with_clock(DAY));
    let own = Mediator::start(&didagent());
    let (_host, link) = waiting(stage.invite("alice", 2).clock(DAY));
    refused(stage.join("bob", &link).option(&["--mediator", &own.link]), "the host's", "24 hours");
}

#[test]
fn clocks_that_differ_by_less_than_two_minutes_do_no_harm() {
    let stage = Stage::new();
    let average = |number| python_command(&average(), &[number]);
    for (host, guest) in [(-50, 50), (50, -50)] {
        let (alice, bob) = (format!("alice{host}"), format!("bob{guest}"));
        let (host, link) = waiting(stage.invite(&alice, 2).program(average("1")).clock(host));
        let guest = stage.join(&bob, &link).program(average("3")).clock(guest).start();
        for party in finish(vec![host, guest]) {
            assert_eq!(party.assert_ok().output(), ["average of 2 inputs: 2.00"]);
        }
    }
}
