//! What people see when something goes wrong: one clear screen each, word for word in `golden/trouble`, with the exit codes.
//!
//! The golden screens are those of three parties. Other counts are held to the exit codes and the sentence; the large ones in a
//! soak (`DIDAGENT_SOAK=1`).
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::time::Duration;

use support::golden::{Masks, assert_golden};
use support::party::{Agent, Ended, Party, bare};
use support::process::{run, signal};
use support::stage::{NAMES, Stage, finish};
use support::{didagent, holds_within, program, python_command, role};

/// How long the parties wait for one that is missing, in seconds.
const PATIENCE: &str = "5";

fn soak() -> bool {
    std::env::var_os("DIDAGENT_SOAK").is_some()
}

/// How many parties play a scene: few in the normal tests, up to ten in a soak. The screens of three are in the files.
fn counts() -> &'static [usize] {
    if soak() { &[2, 3, 5, 10] } else { &[2, 3] }
}

/// The same for scenes in which nothing happens for seconds.
fn counts_of_slow_ones() -> &'static [usize] {
    if soak() { counts() } else { &[3] }
}

fn rounds() -> Vec<OsString> {
    python_command(&program("rounds.py"), &["600"])
}

/// A program that fails at bob and goes on elsewhere, as one program to all.
fn rounds_but_bob(how: &str, index: usize) -> Vec<OsString> {
    if index == 1 { role(&program("fail.py"), &[how]) } else { role(&program("rounds.py"), &["600"]) }
}

/// Parties at screens.
struct Room {
    stage: Stage,
    link: String,
    parties: Vec<Party>,
}

impl Room {
    /// A room for `seats`, with the host in it.
    fn open(seats: usize, command: Vec<OsString>, change: impl Fn(Agent) -> Agent) -> Self {
        let stage = Stage::new();
        let host = change(stage.invite("alice", seats)).program(command).for_people().in_own_group();
        let mut alice = host.start();
        let link = alice.process.next_line().unwrap();
        Self { stage, link, parties: vec![alice] }
    }

    /// The next one joins, and has its seat when this returns.
    fn join(&mut self, command: Vec<OsString>, change: impl Fn(Agent) -> Agent) {
        let name = NAMES[self.parties.len()];
        let guest = change(self.stage.join(name, &self.link)).program(command).for_people().in_own_group();
        let guest = guest.start();
        let index = self.parties.len();
        self.parties[0].process.wait_for_stderr(&format!("party {index}  {name}  "));
        self.parties.push(guest);
    }

    /// `count` parties in the middle of a run.
    fn running(count: usize, commands: impl Fn(usize) -> Vec<OsString>) -> Self {
        let patient = |agent: Agent| agent.option(&["--patience", PATIENCE, "--no-transcript"]);
        let mut room = Self::open(count, commands(0), patient);
        for index in 1..count {
            room.join(commands(index), patient);
        }
        room
    }

    fn wait_until_all_run(&mut self) {
        for party in &mut self.parties {
            while party.process.next_line().expect("it runs") != "running" {}
        }
    }

    /// Takes one party out.
    fn take(&mut self, index: usize) -> Party {
        self.parties.remove(index)
    }

    /// Waits for the ends of all who are left, and holds their screens to the file if they are those of three parties.
    fn ends(self, scene: &str, count: usize, before: Vec<Ended>) -> Vec<Ended> {
        let Self { stage, link, parties } = self;
        let mut ended = before;
        ended.extend(finish(parties));
        ended.sort_by_key(|ended| NAMES.iter().position(|name| *name == ended.name));
        if count == 3 {
            assert_screens(scene, &stage, &link, &ended);
        }
        ended
    }
}

/// Compares what people saw, but for what their programs wrote.
fn assert_screens(scene: &str, stage: &Stage, link: &str, ended: &[Ended]) {
    let mut masks = Masks::new();
    masks.known("link", link);
    masks.known("mediator", &format!("127.0.0.1:{}", stage.mediator.as_ref().unwrap().port));
    for name in NAMES {
        masks.known(&format!("home of {name}"), stage.home(name).to_str().unwrap());
    }
    let mut screens = String::new();
    for one in ended {
        let lines: Vec<String> = one.stderr.lines().map(str::to_owned).collect();
        let screen = masks.screen(&lines);
        let screen = screen.lines().filter(|line| !line.starts_with("<date and time>"));
        let screen: String = screen.map(|line| format!("{line}\n")).collect();
        screens += &format!("== {}, exit code {}\n{screen}", one.name, one.code);
    }
    assert_golden(&format!("trouble/{scene}"), &screens);
}

fn codes(ended: &[Ended]) -> Vec<i32> {
    ended.iter().map(|ended| ended.code).collect()
}

fn all_but(count: usize, index: usize, others: i32, own: i32) -> Vec<i32> {
    (0..count).map(|at| if at == index { own } else { others }).collect()
}

/// Fails unless all but one say `sentence`, once.
fn assert_told(ended: &[Ended], but: usize, sentence: &str) {
    for (index, one) in ended.iter().enumerate().filter(|(index, _)| *index != but) {
        assert_eq!(one.stderr.matches(sentence).count(), 1, "party {index}: {one:#?}");
    }
}

#[test]
fn the_room_is_full_and_runs_when_somebody_comes_late() {
    for count in counts() {
        let mut room = Room::running(*count, |_| rounds());
        room.wait_until_all_run();
        let late = room.stage.join("mallory", &room.link).program(rounds()).for_people().run();
        assert_eq!(late.code, 3, "{late:#?}");
        if *count == 3 {
            assert_screens("late", &room.stage, &room.link, &[late]);
        }
        let host = room.take(0);
        host.process.signal("TERM");
        let ended = room.ends("left-by-the-host-in-a-run", *count, vec![host.finish()]);
        assert_eq!(codes(&ended), all_but(*count, 0, 125, 130));
        assert_told(&ended, 0, "party 0 (alice) was interrupted");
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
    assert_eq!((kicked.code, again.code), (3, 3));
    assert_screens("kicked", &room.stage, &room.link, &[kicked]);
    assert_screens("denied", &room.stage, &room.link, &[again]);
    // The host goes, with nobody there.
    room.parties[0].process.signal("TERM");
    assert_eq!(codes(&room.ends("left-alone", 3, vec![])), [130]);
}

#[test]
fn the_link_is_old() {
    let room = Room::open(3, rounds(), |agent| agent.option(&["--expires", "2s"]));
    let (stage, link) = (room.stage, room.link);
    let host = finish(room.parties).remove(0);
    let late = stage.join("bob", &link).program(rounds()).for_people().run();
    assert_eq!((host.code, late.code), (6, 3));
    assert_screens("expired", &stage, &link, &[host, late]);
}

#[test]
fn the_host_leaves_before_the_room_is_full() {
    for count in counts() {
        let mut room = Room::open(count + 1, rounds(), |agent| agent);
        (1..*count).for_each(|_| room.join(rounds(), |agent| agent));
        let last = &room.parties[count - 1];
        last.process.wait_for_stderr("waiting for 1 more");
        // All have heard of all, or the screens differ by what they were told last.
        for guest in &room.parties[1..] {
            guest.process.wait_for_stderr(NAMES[count - 1]);
        }
        let host = room.take(0);
        host.process.signal("INT");
        let ended = room.ends("left-by-the-host", *count, vec![host.finish()]);
        assert_eq!(codes(&ended), all_but(*count, 0, 7, 130));
        assert_told(&ended, 0, "the host was interrupted");
    }
}

#[test]
fn the_host_is_killed_in_a_run() {
    for count in counts_of_slow_ones() {
        let mut room = Room::running(*count, |_| rounds());
        room.wait_until_all_run();
        let host = room.take(0);
        host.process.signal("KILL");
        drop(host.finish());
        let ended = room.ends("host-killed", *count, vec![]);
        assert_eq!(codes(&ended), vec![125; count - 1]);
        assert!(ended.iter().all(|one| one.stderr.contains("lost party 0 (alice)")), "{ended:#?}");
    }
}

#[test]
fn a_program_crashes() {
    for count in counts() {
        for (how, code) in [("before", 3), ("after", 3), ("killed", 137)] {
            if *count != 3 && how == "before" {
                continue;
            }
            let room = Room::running(*count, |index| rounds_but_bob(how, index));
            let ended = room.ends(&format!("program-fails-{how}"), *count, vec![]);
            assert_eq!(codes(&ended), all_but(*count, 1, 125, code), "{how}");
            assert_told(&ended, 1, &format!("the program of party 1 (bob) failed with exit code {code}"));
        }
    }
}

#[test]
fn somebody_presses_ctrl_c_in_a_run() {
    for count in counts() {
        let mut room = Room::running(*count, |_| rounds());
        room.wait_until_all_run();
        let last = room.take(count - 1);
        // As a terminal does: the agent, its supervisor and MPyC get it.
        last.process.signal_group("INT");
        let ended = room.ends("interrupted", *count, vec![last.finish()]);
        assert_eq!(codes(&ended), all_but(*count, count - 1, 125, 130));
        let who = format!("party {} ({}) was interrupted", count - 1, NAMES[count - 1]);
        assert_told(&ended, count - 1, &who);
    }
}

/// Ctrl-C of a guest before the room is full: its seat is free, nobody else ends.
#[test]
fn somebody_presses_ctrl_c_before() {
    let mut room = Room::open(3, rounds(), |agent| agent);
    room.join(rounds(), |agent| agent);
    room.parties[1].process.wait_for_stderr("waiting for 1 more");
    let bob = room.take(1);
    bob.process.signal("INT");
    let bob = bob.finish();
    assert_eq!(bob.code, 130);
    room.parties[0].process.wait_for_stderr("bob left");
    room.parties[0].process.signal("INT");
    let ended = room.ends("interrupted-before", 3, vec![bob]);
    assert_eq!(codes(&ended), [130, 130]);
}

/// A machine sleeps: the agent and its program stand still. For longer than the others wait in the normal tests; in a soak
/// for a minute in which they do wait.
#[test]
fn a_machine_sleeps() {
    for count in counts_of_slow_ones() {
        let mut room = Room::running(*count, |_| rounds());
        let mut pids = Vec::new();
        for party in &mut room.parties {
            pids.push(party.process.next_line().unwrap().strip_prefix("pid ").unwrap().to_owned());
        }
        room.wait_until_all_run();
        let sleeper = room.take(1);
        sleeper.process.signal_group("STOP");
        signal("STOP", &pids[1]);
        let ended = room.ends("sleeps-too-long", *count, vec![]);
        assert_eq!(codes(&ended), vec![125; count - 1]);
        assert!(ended.iter().all(|one| one.stderr.contains("lost party 1 (bob)")), "{ended:#?}");
        signal("CONT", &pids[1]);
        sleeper.process.signal_group("CONT");
        let woken = sleeper.finish();
        assert_eq!(woken.code, 125, "{woken:#?}");
        assert!(woken.stderr.contains("error[E0412]: this machine stood still for "), "{woken:#?}");
    }
}

#[test]
fn a_machine_sleeps_and_is_waited_for() {
    let seconds = if soak() { 60 } else { 6 };
    let patient = |agent: Agent| agent.option(&["--patience", "120"]);
    let short = || python_command(&program("rounds.py"), &["40"]);
    let mut room = Room::open(3, short(), patient);
    room.join(short(), patient);
    room.join(short(), patient);
    let pid = room.parties[1].process.next_line().unwrap();
    let pid = pid.strip_prefix("pid ").unwrap().to_owned();
    room.wait_until_all_run();
    room.parties[1].process.signal_group("STOP");
    signal("STOP", &pid);
    assert!(!holds_within(Duration::from_secs(seconds), || false));
    signal("CONT", &pid);
    room.parties[1].process.signal_group("CONT");
    let ended = room.ends("sleeps", if soak() { 0 } else { 3 }, vec![]);
    assert_eq!(codes(&ended), [0; 3]);
    for other in [0, 2] {
        assert!(ended[other].stderr.contains("bob: connected again after"), "{ended:#?}");
    }
}
