//! Sessions outlive their connections (R10 and `spec/room.md`, RM-74 to RM-79): whatever happens to sockets, mediator and machines
//! in a run, MPyC's result is right, or the run ends when the patience does and says what became of every byte.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use support::lasting::Lasting;
use support::party::{Ended, Party, bare, text};
use support::process::{Process, signal};
use support::stage::Stage;
use support::system::peak_memory;
use support::wires::Wired;
use support::{didagent, program, python_command, until};

/// How long a run is disturbed again and again.
fn disturbance() -> Duration {
    Duration::from_secs(if std::env::var_os("DIDAGENT_SOAK").is_some() { 60 } else { 20 })
}

/// Numbers opened one after the other, each of which the program checks; ten take a second.
fn rounds(seconds: u64) -> Vec<OsString> {
    python_command(&program("rounds.py"), &[&(10 * seconds).to_string()])
}

/// Parties in the middle of such a run.
fn running(stage: &Stage, parties: usize, seconds: u64) -> Vec<(Party, String)> {
    running_with(stage, parties, seconds, &[])
}

fn running_with(stage: &Stage, parties: usize, seconds: u64, option: &[&str]) -> Vec<(Party, String)> {
    let commands = (0..parties).map(|_| rounds(seconds)).collect();
    let parties = stage.start_with(commands, |agent| agent.option(option).in_own_group());
    let running = |mut party: Party| {
        let pid = party.wait_for_output("pid ");
        party.wait_for_output("running");
        (party, pid.trim().to_owned())
    };
    parties.into_iter().map(running).collect()
}

/// Fails unless everybody's result is right.
fn assert_result(parties: Vec<(Party, String)>, seconds: u64) -> Vec<Ended> {
    let ended: Vec<_> =
        parties.into_iter().map(|(party, _)| party.finish_within(Duration::from_secs(180))).collect();
    for ended in &ended {
        let expected = format!("rounds {}", 10 * seconds);
        assert_eq!(ended.assert_ok().output().last(), Some(&expected.as_str()), "{ended:#?}");
        assert!(ended.events("peer.undelivered").is_empty(), "{ended:#?}");
    }
    ended
}

/// Stops a party and its program, or lets them go on.
fn all_of(party: &(Party, String), name: &str) {
    party.0.process.signal_group(name);
    signal(name, &party.1);
}

/// Decides RM-74.
#[test]
fn a_mediator_that_is_killed_or_stopped_and_started_again_in_a_run_does_no_harm() {
    let mut lasting = Lasting::new();
    let parties = running(&lasting.stage, 3, 12);
    lasting.stage.kill_mediator();
    sleep(Duration::from_secs(3));
    lasting.start();
    sleep(Duration::from_secs(3));
    lasting.stage.mediator.take().unwrap().stop();
    sleep(Duration::from_millis(100));
    lasting.start();
    for ended in assert_result(parties, 12) {
        // It was away for long enough to be worth a word.
        assert!(!ended.events("mediator.lost").is_empty(), "{ended:#?}");
        assert!(!ended.events("mediator.back").is_empty(), "{ended:#?}");
    }
}

/// Decides RM-75.
#[test]
fn a_mediator_that_stays_away_ends_the_run_when_the_patience_ends() {
    let mut stage = Stage::new();
    let parties = running_with(&stage, 2, 600, &["--patience", "6"]);
    stage.kill_mediator();
    let begin = Instant::now();
    for (party, _) in parties {
        let ended = party.finish();
        let message = ended.assert_stopped(125, "E0302");
        assert!(message.contains("did not come back within "), "{message}");
        assert!(!ended.events("peer.undelivered").is_empty(), "{ended:#?}");
    }
    assert!(begin.elapsed() > Duration::from_secs(3), "nobody waited: {:?}", begin.elapsed());
}

/// Decides RM-74, RL-10.
#[test]
fn sockets_that_are_cut_every_second_do_no_harm() {
    let (stage, proxy) = Stage::behind_proxy(didagent());
    let seconds = disturbance().as_secs() + 2;
    let parties = running(&stage, 3, seconds);
    let end = Instant::now() + disturbance();
    while Instant::now() < end {
        sleep(Duration::from_secs(1));
        proxy.cut();
    }
    assert_result(parties, seconds);
}

/// Decides RM-76, SE-63.
#[test]
fn a_connection_that_swallows_everything_is_found_out_and_replaced() {
    let (stage, proxy) = Stage::behind_proxy(didagent());
    let mut parties = running(&stage, 2, 15);
    proxy.swallow(true);
    let missing = parties[0].0.wait_for("peer.missing");
    assert_eq!(text(&missing, "name"), "bob");
    sleep(Duration::from_secs(6));
    proxy.swallow(false);
    let back = parties[0].0.wait_for("peer.back");
    assert!(back["after_ms"].as_f64().unwrap() >= 4000.0, "{back}");
    assert_result(parties, 15);
}

#[test]
fn a_mediator_that_stands_still_for_a_while_does_no_harm() {
    let stage = Stage::new();
    let parties = running(&stage, 3, 15);
    let mediator = stage.mediator.as_ref().unwrap().pid().to_string();
    signal("STOP", &mediator);
    sleep(Duration::from_secs(10));
    signal("CONT", &mediator);
    assert_result(parties, 15);
}

/// Decides RM-76, RL-18.
#[test]
fn a_party_that_sleeps_for_a_while_is_shown_and_goes_on_when_it_wakes() {
    let stage = Stage::new();
    let mut parties = running(&stage, 3, 15);
    all_of(&parties[1], "STOP");
    let stopped = Instant::now();
    parties[0].0.wait_for("peer.missing");
    let home = parties[0].0.home.clone();
    let status = || {
        let mut command = bare(&didagent());
        command.arg("--home").arg(&home).arg("status");
        Process::start("status", &mut command).finish().lines.join("\n")
    };
    let said = status();
    assert!(said.contains("bob: last contact ") && said.contains(" s ago, reconnecting"), "{said}");
    sleep(Duration::from_secs(10).saturating_sub(stopped.elapsed()));
    all_of(&parties[1], "CONT");
    let back = parties[0].0.wait_for("peer.back");
    assert_eq!(text(&back, "name"), "bob");
    assert!(!status().contains("reconnecting"));
    assert_result(parties, 15);
}

#[test]
fn people_see_who_is_missing_and_that_nothing_was_lost() {
    let stage = Stage::new();
    let mut host = stage.invite("alice", 2).program(rounds(15)).for_people().start();
    let link = host.process.next_line().unwrap();
    let mut guest = stage.join("bob", &link).program(rounds(15)).in_own_group().start();
    let pid = guest.wait_for_output("pid ");
    guest.wait_for_output("running");
    let guest = (guest, pid.trim().to_owned());
    all_of(&guest, "STOP");
    host.process.wait_for_stderr("bob: last contact ");
    all_of(&guest, "CONT");
    host.process.wait_for_stderr("bob: connected again after ");
    host.process.wait_for_stderr("nothing was lost");
    assert_result(vec![guest], 15);
    assert_eq!(host.finish().code, 0);
}

/// Decides RM-75, RM-77.
#[test]
fn a_party_that_is_killed_is_waited_for_and_named_with_the_bytes_for_it() {
    let stage = Stage::new();
    let mut parties = running_with(&stage, 3, 600, &["--patience", "6"]);
    // Whatever else happens, acknowledgements come with the answers to the PINGs of every 2 s.
    sleep(Duration::from_secs(4));
    let (victim, _) = parties.remove(1);
    victim.process.signal("KILL");
    let killed = Instant::now();
    for (party, _) in parties {
        let ended = party.finish();
        let message = ended.assert_stopped(125, "E0405");
        assert!(message.contains("party 1 (bob)"), "{message}");
        assert!(killed.elapsed() >= Duration::from_secs(3), "nobody waited");
        assert_eq!(text(ended.events("peer.missing")[0], "name"), "bob");
        let report = ended.event("peer.undelivered");
        assert_eq!(text(report, "name"), "bob");
        let streams = report["streams"].as_array().unwrap();
        assert_eq!(streams.len(), 1, "{report}");
        if ended.name == "alice" {
            // It is her number that is opened, so there was something to send.
            assert!(streams[0]["acknowledged"].as_u64().unwrap() > 0, "{report}");
        }
    }
}

/// Decides RM-78.
#[test]
fn a_party_that_is_killed_and_joins_again_ends_the_run_at_once() {
    let stage = Stage::new();
    let mut host = stage.invite("alice", 3).program(rounds(600)).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    let mut parties = vec![host];
    for name in ["bob", "carol"] {
        parties.push(stage.join(name, &link).program(rounds(600)).start());
        parties[0].wait_for("party.joined");
    }
    for party in &mut parties {
        party.wait_for_output("running");
    }
    let victim = parties.remove(1);
    victim.process.signal("KILL");
    victim.finish();
    let begin = Instant::now();
    let again = stage.join("bob", &link).program(rounds(600)).start();
    for party in parties {
        let ended = party.finish();
        // Carol hears it from alice, whose connection to her may have ended first.
        assert!(ended.code == 125 || (ended.code == 1 && ended.name == "carol"), "{ended:#?}");
        let reason = &ended.event("run.exited")["reason"];
        assert_eq!(text(reason, "code"), "E0405", "{ended:#?}");
        let message = text(reason, "message");
        assert!(message.contains("lost party 1 (bob): its didagent was started again"), "{ended:#?}");
        assert_eq!(text(ended.event("peer.undelivered"), "name"), "bob");
    }
    assert!(begin.elapsed() < Duration::from_secs(40), "they waited for {:?}", begin.elapsed());
    assert_ne!(again.finish().code, 0);
}

/// Decides RM-79.
#[test]
fn a_copy_of_a_home_takes_the_mail_and_the_run_of_the_first_goes_on() {
    let stage = Stage::new();
    let parties = running(&stage, 2, 12);
    copy(&stage.home("bob"), &stage.home("copy"));
    let mut copy = stage.invite("copy", 2).start();
    copy.wait_for("room.invitation");
    // Nobody takes the mail back, or the copy would end: another didagent has it.
    let ended = assert_result(parties, 12);
    assert!(ended.iter().all(|ended| ended.events("peer.missing").is_empty()), "{ended:#?}");
    copy.process.signal("INT");
    assert_eq!(copy.finish().code, 130);
}

/// Copies what is a file or a folder: the socket of a running agent is neither.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (kind, to) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &to);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What an agent and the mediator may add to their memory, in bytes: for each of two peers the session's retransmission
/// buffer (8 MiB, in a ring that may have doubled), what is received and not read (1 MiB), and records on their way (1 MiB).
const MAY_GROW: u64 = (2 * (16 + 2) + 6) * 1024 * 1024;

#[test]
fn twenty_megabytes_arrive_through_cuts_and_nobodys_memory_grows_with_them() {
    const EACH: u64 = 20_000_000;
    let (stage, proxy) = Stage::behind_proxy(didagent());
    let wired = Wired::start(&stage, 2);
    let mut pids: Vec<u32> = wired.parties.iter().map(|party| party.process.pid()).collect();
    pids.push(stage.mediator.as_ref().unwrap().pid());
    let before: Vec<u64> = pids.iter().map(|pid| peak_memory(*pid)).collect();
    let pulled = Arc::new(AtomicU64::new(0));
    let transfers: Vec<_> = [(0, 1), (1, 0)]
        .into_iter()
        .flat_map(|(from, to)| {
            let (to, from) = (wired.connection(from, to), wired.connection(to, from));
            let pulled = Arc::clone(&pulled);
            [thread::spawn(move || push(to, EACH)), thread::spawn(move || pull(from, EACH, &pulled))]
        })
        .collect();
    // Each time in the middle of something.
    for cut in 1..8 {
        let share = 2 * EACH * cut / 8;
        until("more has arrived", || pulled.load(Ordering::Relaxed) >= share);
        proxy.cut();
    }
    for transfer in transfers {
        transfer.join().unwrap();
    }
    for (pid, before) in pids.iter().zip(before) {
        let grown = peak_memory(*pid) - before;
        println!("{pid} grew by {} KiB", grown / 1024);
        assert!(grown <= MAY_GROW, "{pid} grew by {grown} bytes");
    }
}

/// Sends bytes each of which is its place.
fn push(mut to: TcpStream, total: u64) {
    let piece: Vec<u8> = (0..=255).cycle().take(64 * 1024).collect();
    let mut left = total;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        to.write_all(&piece[..now]).unwrap();
        left -= u64::try_from(now).unwrap();
    }
    to.shutdown(Shutdown::Write).unwrap();
}

fn pull(mut from: TcpStream, expected: u64, pulled: &AtomicU64) {
    let mut piece = vec![0; 64 * 1024];
    let mut total = 0;
    loop {
        let count = from.read(&mut piece).unwrap();
        if count == 0 {
            return assert_eq!(total, expected);
        }
        pulled.fetch_add(u64::try_from(count).unwrap(), Ordering::Relaxed);
        for byte in &piece[..count] {
            assert_eq!(u64::from(*byte), total % 256, "byte {total}");
            total += 1;
        }
    }
}

#[test]
fn a_relay_that_repeats_delays_and_replays_records_changes_nothing() {
    let (stage, proxy) = Stage::behind_proxy(didagent());
    let parties = running(&stage, 3, 20);
    proxy.play_with_records();
    let end = Instant::now() + Duration::from_secs(8);
    let mut looks = 0;
    while Instant::now() < end {
        sleep(Duration::from_secs(2));
        // What it kept of one connection now comes on the next.
        proxy.cut();
        looks += 1;
    }
    let records = proxy.leave_records_alone();
    println!("{records} records, {looks} cuts");
    assert!(records > 100, "it played with nothing");
    assert_result(parties, 20);
}

#[test]
fn a_session_whose_sockets_come_and_go_does_not_hammer_the_mediator() {
    let (stage, proxy) = Stage::behind_proxy(didagent());
    let parties = running(&stage, 2, 12);
    let before = proxy.captured().texts.len();
    for _ in 0..5 {
        sleep(Duration::from_millis(200));
        proxy.cut();
    }
    assert_result(parties, 12);
    let texts = proxy.captured().texts.len() - before;
    // Enrol, register, go live, a circuit or two: for each party and cut, questions and answers.
    assert!(texts < 5 * 2 * 24, "{texts} messages after five cuts");
}
