//! What people see when something goes wrong: one clear screen each, word for word in `golden/trouble`, with the exit codes, for 2 to 10
//! parties.
//!
//! One file per scene holds the screens of every number of parties ([`support::scene`]). The normal tests play each scene with one or two
//! numbers, all numbers among them; a soak (`DIDAGENT_SOAK=1`) plays each scene with each.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::time::{Duration, Instant};

use support::party::{Party, bare};
use support::process::{run, signal};
use support::room::{Room, counts, rounds, soak};
use support::scene::Scene;
use support::stage::{NAMES, finish};
use support::{didagent, holds_within, program, python_command, role, until};

/// A program that fails at bob and goes on elsewhere, as one program to all.
fn rounds_but_bob(how: &str, index: usize) -> Vec<OsString> {
    if index == 1 { role(&program("fail.py"), &[how]) } else { role(&program("rounds.py"), &["600"]) }
}

#[test]
fn the_room_is_full_and_runs_when_somebody_comes_late() {
    for count in counts(&[2, 5]) {
        let mut room = Room::running(*count, |_| rounds());
        room.wait_until_all_run();
        let late = room.stage.join("mallory", &room.link).program(rounds()).for_people().run();
        Scene::new("trouble/late", *count).assert(&room.stage, &room.link, &[late]);
        let host = room.take(0);
        host.process.signal("TERM");
        room.ends(&Scene::new("trouble/left-by-the-host-in-a-run", *count), vec![host.finish()]);
    }
}

#[test]
fn somebody_is_not_wanted() {
    let mut room = Room::open(3, rounds(), |agent| agent);
    room.join(rounds(), |agent| agent);
    let mut kick = bare(&didagent());
    kick.arg("--home").arg(room.stage.home("alice")).args(["room", "kick", "bob"]);
    assert_eq!(run("kick", &mut kick).code, 0);
    let kicked = room.take(1).finish();
    let again = room.stage.join("bob", &room.link).program(rounds()).for_people().run();
    let scene = |name: &str| Scene::new(&format!("trouble/{name}"), 2).seats(3);
    scene("kicked").assert(&room.stage, &room.link, &[kicked]);
    scene("denied").assert(&room.stage, &room.link, &[again]);
    // The host goes, with nobody there.
    room.parties[0].process.signal("TERM");
    room.ends(&scene("left-alone"), vec![]);
}

#[test]
fn the_link_is_old() {
    let room = Room::open(3, rounds(), |agent| agent.option(&["--expires", "2s"]));
    let (stage, link) = (room.stage, room.link);
    let host = finish(room.parties).remove(0);
    let late = stage.join("bob", &link).program(rounds()).for_people().run();
    Scene::new("trouble/expired", 2).seats(3).assert(&stage, &link, &[host, late]);
}

#[test]
fn the_link_was_for_one_and_somebody_used_it() {
    let mut room = Room::open(3, rounds(), |agent| agent.option(&["--single-use"]));
    room.join(rounds(), |agent| agent);
    let late = room.stage.join("mallory", &room.link).program(rounds()).for_people().run();
    Scene::new("trouble/used", 2).seats(3).assert(&room.stage, &room.link, &[late]);
}

#[test]
fn the_host_leaves_before_the_room_is_full() {
    for count in counts(&[2, 10]) {
        let mut room = Room::waiting(*count);
        let host = room.take(0);
        host.process.signal("INT");
        let scene = Scene::new("trouble/left-by-the-host", *count).seats(count + 1);
        room.ends(&scene, vec![host.finish()]);
    }
}

#[test]
fn the_host_is_killed_in_a_run() {
    for count in counts(&[4]) {
        let mut room = Room::running(*count, |_| rounds());
        room.wait_until_all_run();
        let host = room.take(0);
        host.process.signal("KILL");
        drop(host.finish());
        room.ends(&Scene::new("trouble/host-killed", *count), vec![]);
    }
}

#[test]
fn a_program_crashes() {
    let ways: [(_, _, &[usize]); 3] = [("before", 3, &[3]), ("after", 3, &[2, 7]), ("killed", 137, &[3])];
    for (how, code, normally) in ways {
        for count in counts(normally) {
            let room = Room::running(*count, |index| rounds_but_bob(how, index));
            let scene = Scene::new("trouble/program-fails", *count).with("program", "role.py");
            room.ends(&scene.with("code", &code.to_string()), vec![]);
        }
    }
}

#[test]
fn somebody_presses_ctrl_c_in_a_run() {
    for count in counts(&[2, 8]) {
        let mut room = Room::running(*count, |_| rounds());
        room.wait_until_all_run();
        let last = room.take(count - 1);
        // As a terminal does: the agent, its supervisor and MPyC get it.
        last.process.signal_group("INT");
        room.ends(&Scene::new("trouble/interrupted", *count), vec![last.finish()]);
    }
}

/// Ctrl-C of a guest before the room is full: its seat is free, nobody else ends.
#[test]
fn somebody_presses_ctrl_c_before() {
    for count in counts(&[6, 9]) {
        let mut room = Room::waiting(*count);
        let last = room.take(count - 1);
        last.process.signal("INT");
        let last = last.finish();
        room.parties[0].process.wait_for_stderr(&format!("{} left", last.name));
        let rest = format!("in the room: {}; waiting for 2 more ...\n", NAMES[..count - 1].join(", "));
        for guest in &room.parties[1..] {
            until("they hear of it", || guest.process.stderr().ends_with(&rest));
        }
        room.parties[0].process.signal("INT");
        room.ends(&Scene::new("trouble/interrupted-before", *count).seats(count + 1), vec![last]);
    }
}

/// Stops bob's machine in the middle of a run: the agent and its program stand still. Returns what wakes it.
fn bob_sleeps(room: &mut Room) -> impl FnOnce(&Party) + use<> {
    let mut pids = Vec::new();
    for party in &mut room.parties {
        pids.push(party.process.next_line().unwrap().strip_prefix("pid ").unwrap().to_owned());
    }
    room.wait_until_all_run();
    room.parties[1].process.signal_group("STOP");
    let pid = pids.swap_remove(1);
    signal("STOP", &pid);
    move |bob| {
        signal("CONT", &pid);
        bob.process.signal_group("CONT");
    }
}

/// For longer than the others wait, who may have heard the last word a little before; and for so long that the sleeper can know.
#[test]
fn a_machine_sleeps_for_too_long() {
    for count in counts(&[3]) {
        let mut room = Room::running(*count, |_| rounds());
        let wake = bob_sleeps(&mut room);
        let asleep = Instant::now();
        let sleeper = room.take(1);
        let Room { stage, link, parties } = room;
        let mut ended = finish(parties);
        assert!(!holds_within(Duration::from_secs(8).saturating_sub(asleep.elapsed()), || false));
        wake(&sleeper);
        ended.insert(1, sleeper.finish());
        Scene::new("trouble/sleeps-too-long", *count).assert(&stage, &link, &ended);
    }
}

/// For a moment; in a soak for a minute. Nobody says how long to wait.
#[test]
fn a_machine_sleeps_and_is_waited_for() {
    let seconds = if soak() { 60 } else { 6 };
    for count in counts(&[3]) {
        let short = || python_command(&program("rounds.py"), &["40"]);
        let mut room = Room::open(*count, short(), |agent| agent);
        (1..*count).for_each(|_| room.join(short(), |agent| agent));
        let wake = bob_sleeps(&mut room);
        assert!(!holds_within(Duration::from_secs(seconds), || false));
        wake(&room.parties[1]);
        room.ends(&Scene::new("trouble/sleeps", *count), vec![]);
    }
}
