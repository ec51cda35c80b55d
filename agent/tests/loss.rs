//! A party that dies, is interrupted or fails (R18): the others stop, say who and why, and leave no MPyC behind.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::time::Duration;

use support::party::{Agent, Ended, Party, text};
use support::process::signal;
use support::stage::Stage;
use support::system::{is_running, processes_that_know};
use support::{average, holds_within, program, python_command, until};

/// How soon the others must have stopped.
const SOON: Duration = Duration::from_secs(10);

/// How long the parties wait for one that is missing, in seconds: less than [`SOON`], and more than it takes until it is shown.
const PATIENCE: &str = "6";

/// More rounds than any of these tests waits for: a minute.
const LONG: &str = "600";

fn rounds() -> Vec<OsString> {
    python_command(&program("rounds.py"), &[LONG])
}

/// Three parties in the middle of a run, each with the process of its MPyC.
fn three_in_a_run(stage: &Stage) -> Vec<(Party, u32)> {
    let change = |agent: Agent| agent.option(&["--patience", PATIENCE]).in_own_group();
    let parties = stage.start_with((0..3).map(|_| rounds()).collect(), change);
    let mut running = Vec::new();
    for mut party in parties {
        let pid = party.wait_for_output("pid ").trim().parse().unwrap();
        party.wait_for_output("running");
        running.push((party, pid));
    }
    running
}

/// Waits until these parties have stopped with their MPyC, and returns how they ended.
fn stopped_soon(parties: Vec<(Party, u32)>) -> Vec<Ended> {
    let mut parties = parties;
    let stopped = holds_within(SOON, || parties.iter_mut().all(|(party, _)| party.process.has_ended()));
    let ended: Vec<_> = parties
        .into_iter()
        .map(|(party, mpyc)| {
            let ended = party.finish();
            assert!(!is_running(mpyc), "{}'s MPyC {mpyc} still runs: {ended:#?}", ended.name);
            ended
        })
        .collect();
    assert!(stopped, "not within {SOON:?}: {ended:#?}");
    ended
}

/// Decides RM-50, RM-51.
#[test]
fn a_killed_agent_takes_its_mpyc_along_and_the_others_stop_and_name_it() {
    for killed in [0, 1, 2] {
        let stage = Stage::new();
        let mut parties = three_in_a_run(&stage);
        let (victim, mpyc) = parties.remove(killed);
        victim.process.signal("KILL");
        assert!(holds_within(SOON, || !is_running(mpyc)), "the MPyC of the killed agent still runs");
        for other in stopped_soon(parties) {
            let message = other.assert_stopped(125, "E0405").to_owned();
            assert!(message.contains(&format!("party {killed} ({})", victim.name)), "{message}");
        }
        drop(victim);
        until("no process of the run is left", || processes_that_know(stage.folder()).is_empty());
    }
}

/// Decides RM-51, RM-54.
#[test]
fn a_machine_that_stands_still_is_shown_then_lost_and_blames_nobody_when_it_wakes() {
    let stage = Stage::new();
    let mut parties = three_in_a_run(&stage);
    let (victim, mpyc) = parties.remove(1);
    victim.process.signal_group("STOP");
    signal("STOP", &mpyc.to_string());
    for (party, mpyc) in parties {
        let ended = party.finish();
        let message = ended.assert_stopped(125, "E0405");
        assert!(message.contains("party 1 (bob)"), "{message}");
        assert_eq!(text(ended.event("peer.missing"), "name"), "bob", "{ended:#?}");
        assert!(!is_running(mpyc));
    }
    signal("CONT", &mpyc.to_string());
    victim.process.signal_group("CONT");
    let ended = stopped_soon(vec![(victim, mpyc)]).remove(0);
    let message = match ended.code {
        // Its MPyC may have noticed first that its connections are gone.
        1 => text(&ended.event("run.exited")["reason"], "message"),
        _ => ended.assert_stopped(125, "E0412"),
    };
    assert!(message.starts_with("this machine stood still for "), "{ended:#?}");
}

#[test]
fn a_machine_that_stands_still_for_a_moment_goes_on() {
    let stage = Stage::new();
    let average = |number| python_command(&average(), &[number]);
    // In the lobby nobody hears of it, for however long; 9 s are more than a peer may be silent later.
    let mut host = stage.invite("alice", 2).program(average("1")).in_own_group().start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    host.process.signal_group("STOP");
    let guest = stage.join("bob", &link).program(average("3")).start();
    assert!(!holds_within(Duration::from_secs(9), || false));
    host.process.signal_group("CONT");
    for party in [host, guest] {
        assert_eq!(party.finish().assert_ok().output(), ["average of 2 inputs: 2.00"]);
    }
}

/// Decides RM-43.
#[test]
fn a_party_that_never_becomes_ready_is_named_at_the_deadline() {
    let stage = Stage::new();
    let mut host = stage.invite("alice", 3).program(rounds()).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    let mut sleeper = stage.join("bob", &link).program(rounds()).in_own_group().start();
    sleeper.wait_for("room.seats");
    sleeper.process.signal_group("STOP");
    let carol = stage.join("carol", &link).program(rounds()).start();
    for mut other in [host, carol] {
        // Long before the end people are told for whom they wait.
        let waiting = other.wait_for("room.waiting");
        let missing = serde_json::json!({"index": 1, "name": "bob", "for": "session"});
        assert!(waiting["waiting"].as_array().unwrap().contains(&missing), "{waiting}");
        let ended = other.finish_within(Duration::from_secs(90));
        let message = ended.assert_error(6, "E0404");
        assert!(message.contains("party 1 (bob)"), "{message}");
    }
    sleeper.process.signal_group("CONT");
    let ended = sleeper.finish();
    assert!(ended.assert_error(7, "E0412").starts_with("this machine stood still for "), "{ended:#?}");
    until("no process of the run is left", || processes_that_know(stage.folder()).is_empty());
}

/// Decides RM-50.
#[test]
fn ctrl_c_in_a_run_ends_with_130_and_the_others_name_who_it_was() {
    for interrupted in [0, 2] {
        let stage = Stage::new();
        let mut parties = three_in_a_run(&stage);
        let victim = parties.remove(interrupted);
        let name = victim.0.name.clone();
        // As a terminal does: the agent, its supervisor and MPyC get it.
        victim.0.process.signal_group("INT");
        let victim = stopped_soon(vec![victim]).remove(0);
        assert_eq!(victim.code, 130, "{victim:#?}");
        victim.event("run.stopping");
        assert_eq!(text(&victim.event("run.exited")["reason"], "code"), "E0003", "{victim:#?}");
        for other in stopped_soon(parties) {
            let message = other.assert_stopped(125, "E0405");
            assert!(message.contains(&format!("party {interrupted} ({name})")), "{message}");
            assert!(message.contains("interrupted"), "{message}");
        }
    }
}

/// Decides RM-55.
#[test]
fn who_leaves_is_named_before_the_connections_of_its_program_fall() {
    let stage = Stage::new();
    let falls = python_command(&program("falls.py"), &[]);
    let mut parties = stage.start(vec![rounds(), falls, rounds()]);
    parties.iter_mut().for_each(|party| drop(party.wait_for_output("running")));
    let leaving = parties.remove(1);
    leaving.process.signal("TERM");
    for other in parties {
        let ended = other.finish();
        let message = ended.assert_stopped(125, "E0405");
        assert!(message.contains("party 1 (bob) was interrupted"), "{message}");
    }
    assert_eq!(leaving.finish().code, 130);
}

/// Decides RM-55.
#[test]
fn who_leaves_in_the_moment_in_which_its_connection_breaks_says_so_again() {
    let (stage, proxy) = Stage::behind_proxy(support::didagent());
    let mut parties = stage.start(vec![rounds(), rounds()]);
    parties.iter_mut().for_each(|party| drop(party.wait_for_output("running")));
    proxy.cut();
    parties[1].process.signal("TERM");
    let mut ended = support::stage::finish(parties);
    assert_eq!(ended.pop().unwrap().code, 130);
    assert!(ended[0].assert_stopped(125, "E0405").contains("party 1 (bob) was interrupted"));
}

#[test]
fn a_signal_to_the_agent_alone_stops_its_mpyc_too() {
    for name in ["INT", "TERM", "HUP"] {
        let stage = Stage::new();
        let mut commands = vec![rounds(), rounds()];
        let mut parties = stage.start(std::mem::take(&mut commands));
        let mpycs: Vec<u32> = parties
            .iter_mut()
            .map(|party| {
                let pid = party.wait_for_output("pid ").trim().parse().unwrap();
                party.wait_for_output("running");
                pid
            })
            .collect();
        parties[1].process.signal(name);
        let mut ended = stopped_soon(parties.into_iter().zip(mpycs).collect());
        assert_eq!(ended.pop().unwrap().code, 130, "{name}");
        assert!(ended[0].assert_stopped(125, "E0405").contains("party 1 (bob) was interrupted"));
    }
}

/// Decides RM-32.
#[test]
fn ctrl_c_while_the_room_forms_ends_with_130_and_the_others_are_told() {
    for interrupted in [0, 1] {
        // Without frames no session comes up, so the room stays full and unready.
        let (stage, proxy) = Stage::behind_proxy(support::didagent());
        proxy.hold_frames(true);
        let mut parties = stage.start((0..3).map(|_| rounds()).collect());
        for guest in &mut parties[1..] {
            guest.wait_for("room.joining");
        }
        parties[interrupted].process.signal("INT");
        let victim = parties.remove(interrupted).finish();
        victim.assert_error(130, "E0003");
        assert!(victim.events("run.started").is_empty());
        for other in parties {
            let ended = other.finish();
            let message = ended.assert_error(7, "E0405");
            let names_it =
                message.contains(&victim.name) || (interrupted == 0 && message.contains("the host"));
            assert!(names_it, "{message}");
        }
    }
}

/// Decides RM-16.
#[test]
fn ctrl_c_of_the_host_in_the_lobby_closes_the_room() {
    let stage = Stage::new();
    let mut host = stage.invite("alice", 3).program(rounds()).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    let mut guest = stage.join("bob", &link).program(rounds()).start();
    guest.wait_for("room.seats");
    host.process.signal("INT");
    host.finish().assert_error(130, "E0003");
    let guest = guest.finish();
    assert!(guest.assert_error(7, "E0405").contains("the host was interrupted"));
}

/// Decides RM-16.
#[test]
fn ctrl_c_of_a_guest_in_the_lobby_frees_its_seat_for_somebody_else() {
    let stage = Stage::new();
    let average = |number| python_command(&average(), &[number]);
    let mut host = stage.invite("alice", 3).program(average("1")).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    let mut leaving = stage.join("bob", &link).program(average("2")).start();
    leaving.wait_for("room.seats");
    host.wait_for("party.joined");
    leaving.process.signal("INT");
    leaving.finish().assert_error(130, "E0003");
    assert_eq!(text(&host.wait_for("party.left"), "name"), "bob");
    let mut others = Vec::new();
    for (name, number) in [("carol", "3"), ("bob", "8")] {
        others.push(stage.join(name, &link).program(average(number)).start());
        host.wait_for("party.joined");
    }
    let (host, mut others) = (host.finish(), support::stage::finish(others));
    others.push(host);
    for party in others {
        assert_eq!(party.assert_ok().output(), ["average of 3 inputs: 4.00"]);
    }
}

/// One party's program fails, in this way and with this exit code, while the others run a long one, which is stopped.
fn failing_at_one(how: &str, code: i32) {
    let stage = Stage::new();
    let mut parties = stage.start(vec![rounds(), python_command(&program("fail.py"), &[how]), rounds()]);
    let failing = parties.remove(1).finish();
    assert_eq!(failing.code, code, "{failing:#?}");
    let exited = failing.event("run.exited");
    assert_eq!((&exited["code"], &exited["program"]), (&code.into(), &code.into()));
    assert!(exited["reason"].is_null(), "nobody else is to blame: {exited}");
    for other in parties {
        let ended = other.finish();
        let message = ended.assert_stopped(125, "E0406");
        assert!(
            message.contains("party 1 (bob)") && message.contains(&format!("exit code {code}")),
            "{message}"
        );
    }
}

#[test]
fn a_program_that_fails_before_mpyc_starts_is_named_with_its_exit_code() {
    failing_at_one("before", 3);
}

/// Decides RM-50.
#[test]
fn a_program_that_fails_after_mpyc_started_is_named_with_its_exit_code() {
    failing_at_one("after", 3);
}

/// Decides RM-96.
#[test]
fn a_program_that_a_signal_ends_has_a_shells_exit_code() {
    failing_at_one("killed", 137);
}

#[test]
fn a_mediator_that_dies_in_a_run_ends_it_everywhere() {
    let mut stage = Stage::new();
    let parties = three_in_a_run(&stage);
    stage.kill_mediator();
    for party in stopped_soon(parties) {
        assert!(party.assert_stopped(125, "E0302").contains("mediator"), "{party:#?}");
    }
}

#[test]
fn a_guest_that_is_killed_in_the_lobby_has_its_seat_back_when_it_joins_again() {
    let stage = Stage::new();
    let average = |number| python_command(&average(), &[number]);
    let mut host = stage.invite("alice", 3).program(average("1")).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    let mut guest = stage.join("bob", &link).program(average("2")).start();
    guest.wait_for("room.seats");
    guest.process.signal("KILL");
    assert_eq!(guest.finish().code, 137);
    // What it left behind does not hinder the next command on the home.
    let again = stage.join("bob", &link).program(average("2")).start();
    let third = stage.join("carol", &link).program(average("3")).start();
    for party in [host, again, third] {
        assert_eq!(party.finish().assert_ok().output(), ["average of 3 inputs: 2.00"]);
    }
}

#[test]
fn a_party_that_is_killed_while_the_room_forms_is_named() {
    let stage = Stage::new();
    let mut host = stage.invite("alice", 4).program(rounds()).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    // One that stands still keeps the room from being ready.
    let mut still = stage.join("bob", &link).program(rounds()).in_own_group().start();
    still.wait_for("room.seats");
    still.process.signal_group("STOP");
    let victim = stage.join("carol", &link).option(&["--log", "didagent=debug"]).program(rounds()).start();
    host.wait_for("party.joined");
    host.wait_for("party.joined");
    let other = stage.join("dave", &link).program(rounds()).start();
    host.wait_for("party.joined");
    // The others must have a session with it first, or they cannot see it go.
    until("carol has sessions", || victim.process.stderr().matches("a session is up").count() >= 2);
    victim.process.signal("KILL");
    for party in [host, other] {
        let ended = party.finish();
        assert!(ended.assert_error(7, "E0405").contains("party 2 (carol)"), "{ended:#?}");
    }
}
