//! Programs that do not do what a run needs: they end early, fork, flood their output, ignore requests to end.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;

use support::party::{Agent, Ended, Party, text};
use support::stage::{Stage, finish};
use support::system::{is_running, processes_that_know};
use support::{program, python_command, until};

fn uneven(words: &[&str]) -> Vec<OsString> {
    python_command(&program("uneven.py"), words)
}

fn warnings(ended: &Ended) -> String {
    let warnings = ended.events("warning").into_iter().map(|event| text(event, "message"));
    warnings.collect::<Vec<_>>().join("\n")
}

/// `who` ends early in this way; everybody else waits for it, is stopped and names it.
fn ends_early(how: &str, who: usize, parties: usize, warned: &str) {
    let stage = Stage::new();
    let commands =
        (0..parties).map(|party| if party == who { uneven(&[how, "0"]) } else { uneven(&["opens", "3"]) });
    let mut started = stage.start(commands.collect());
    let early = started.remove(who);
    let name = early.name.clone();
    let early = early.finish();
    early.assert_ok();
    assert!(warnings(&early).contains(warned), "{early:#?}");
    for other in finish(started) {
        assert_ne!(other.code, 0, "{other:#?}");
        let reason = &other.event("run.exited")["reason"];
        let message = text(reason, "message");
        // MPyC may itself be killed by the connection that ended; then the program's own exit code stands.
        match other.event("run.exited")["program"].is_null() {
            true => assert_eq!((other.code, text(reason, "code")), (125, "E0411"), "{other:#?}"),
            false => assert_eq!(text(reason, "code"), "E0411", "{other:#?}"),
        }
        assert!(message.contains(&format!("party {who} ({name})")), "{message}");
    }
    until("no process of the run is left", || processes_that_know(stage.folder()).is_empty());
}

/// Decides BR-23, RM-53.
#[test]
fn who_ends_early_without_an_error_is_named_by_everybody_who_waits_for_it() {
    // Each takes 10 s of nothing, so all at once.
    std::thread::scope(|scope| {
        for (how, who, parties, warned) in [
            ("never", 0, 2, "without having met"),
            ("never", 1, 3, "without having met"),
            ("quits", 0, 2, "without an end of MPyC"),
            ("quits", 1, 2, "without an end of MPyC"),
            ("quits", 1, 3, "without an end of MPyC"),
        ] {
            scope.spawn(move || ends_early(how, who, parties, warned));
        }
    });
}

/// Decides RM-52.
#[test]
fn what_a_program_writes_in_its_last_moment_arrives() {
    for _ in 0..5 {
        let stage = Stage::new();
        let file = stage.folder().join("listening");
        let brief = || python_command(&program("brief.py"), &[file.to_str().unwrap()]);
        let parties = stage.run(vec![brief(), brief()]);
        assert_eq!(parties[1].assert_ok().output(), ["hello"], "{parties:#?}");
        assert_eq!(warnings(parties[0].assert_ok()), "", "{parties:#?}");
    }
}

/// Decides BR-23, RM-53.
#[test]
fn work_after_mpyc_and_between_two_runs_of_it_is_never_stopped() {
    let results = std::thread::scope(|scope| {
        let late = scope.spawn(|| {
            Stage::new().run(vec![uneven(&["opens", "1"]), uneven(&["late", "14"]), uneven(&["late", "0"])])
        });
        let twice = scope.spawn(|| Stage::new().run(vec![uneven(&["twice", "0"]), uneven(&["twice", "14"])]));
        [late.join().unwrap(), twice.join().unwrap()]
    });
    for party in results.iter().flatten() {
        assert_eq!(party.assert_ok().output().last(), Some(&"over"), "{party:#?}");
        assert_eq!(warnings(party), "", "{party:#?}");
    }
}

#[test]
fn whose_program_has_not_started_mpyc_is_shown_and_nothing_is_stopped() {
    let stage = Stage::new();
    let file = stage.folder().join("go");
    let late = |number| python_command(&program("late.py"), &[file.to_str().unwrap(), number]);
    let mut parties = stage.start(vec![late("1"), uneven(&["opens", "1"]), late("2")]);
    let warning = parties[1].wait_for("warning");
    let message = text(&warning, "message");
    assert!(
        message.contains("nothing has come from the program of party 0 (alice), party 2 (carol)"),
        "{message}"
    );
    // They are another program, so this is the end of what can be seen.
    for party in &parties {
        party.process.signal("INT");
    }
    for ended in finish(parties) {
        assert!(matches!(ended.code, 125 | 130), "{ended:#?}");
    }
}

/// The processes that `family.py` of this party tells of.
fn family(party: &mut Party) -> Vec<u32> {
    party.wait_for_output("pids ").split(' ').map(|pid| pid.parse().unwrap()).collect()
}

#[test]
fn a_program_that_ignores_requests_is_killed_with_all_that_it_started() {
    for signal in ["TERM", "KILL"] {
        let stage = Stage::new();
        let command = || python_command(&program("family.py"), &[]);
        let impatient = |agent: Agent| agent.option(&["--patience", "5"]);
        let mut parties = stage.start_with(vec![command(), command()], impatient);
        let pids: Vec<_> = parties.iter_mut().map(family).collect();
        assert!(pids.iter().flatten().all(|pid| is_running(*pid)));
        parties[1].process.signal(signal);
        for (party, code) in parties.into_iter().zip([125, if signal == "TERM" { 130 } else { 137 }]) {
            assert_eq!(party.finish().code, code);
        }
        until("nothing that the programs started is left", || {
            !pids.iter().flatten().any(|pid| is_running(*pid))
        });
    }
}

#[test]
fn a_killed_supervisor_leaves_no_program_behind() {
    let stage = Stage::new();
    let command = || python_command(&program("family.py"), &[]);
    let mut parties = stage.start(vec![command(), command()]);
    let pids = family(&mut parties[0]);
    let supervisor = processes_that_know(&stage.home("alice").join("engine.sock"));
    let supervisor = supervisor[0].split(' ').next().unwrap();
    support::process::signal("KILL", supervisor);
    let [alice, bob] = <[Party; 2]>::try_from(parties).unwrap().map(Party::finish);
    assert_eq!(alice.code, 137, "{alice:#?}");
    assert_eq!(bob.assert_stopped(125, "E0406"), "the program of party 0 (alice) failed with exit code 137");
    until("nothing that the program started is left", || !pids.iter().any(|pid| is_running(*pid)));
}

fn flood(words: &[&str]) -> Vec<OsString> {
    python_command(&program("flood.py"), words)
}

/// The most memory that a process had, in MiB.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
}

#[test]
fn a_flood_of_output_is_bounded_in_memory_and_arrives_whole_at_a_slow_reader() {
    const MEGABYTES: usize = 100;
    let stage = Stage::new();
    let mut parties = stage.start_with(
        vec![flood(&["lines", &MEGABYTES.to_string()]), flood(&["lines", "0"])],
        // The first one's stdout is read by this test, as slowly as it likes.
        |agent| if agent.name == "alice" { agent.unread_stderr().read_slowly() } else { agent },
    );
    let mut alice = parties.remove(0);
    alice.wait_for("run.started");
    let pid = alice.process.pid();
    let (mut lines, mut peak) = (0, 0);
    while lines < MEGABYTES * 1024 {
        let line = alice.wait_for_output("");
        assert_eq!(line.len(), 1023);
        assert!(line.starts_with(&format!("{lines:07} ")), "line {lines} is {line}");
        if lines == 2000 {
            // Everything on the way is full now, or will be while this sleeps; the pace of the rest does not matter.
            std::thread::sleep(std::time::Duration::from_millis(1500));
        }
        lines += 1;
        if lines == (MEGABYTES - 1) * 1024 {
            // It still has a megabyte to write, which no pipe takes, so it has not ended.
            peak = peak_memory(pid);
        }
        alice.forget();
    }
    assert!(0 < peak && peak < 64, "the agent took {peak} MiB");
    eprintln!("peak memory with {MEGABYTES} MB of output: {peak} MiB");
    alice.finish().assert_ok();
    finish(parties)[0].assert_ok();
}

#[test]
fn output_that_is_no_text_or_has_no_ends_of_lines_arrives() {
    let stage = Stage::new();
    let ended = stage.run(vec![flood(&["odd", "0"]), flood(&["stdin", "0"])]);
    let output = ended[0].assert_ok().output();
    assert_eq!(output[0], "\u{fffd}\0\u{fffd}");
    let (last, long) = output[1..].split_last().unwrap();
    assert_eq!(*last, "no end");
    assert!(long.len() > 1 && long.concat() == "\u{e9}".repeat(500_000), "{} pieces", long.len());
    // The agent's stdin, which is empty here.
    assert_eq!(ended[1].assert_ok().output(), ["read 0 bytes"]);
}

#[test]
fn stdin_and_the_signals_that_are_the_programs_reach_it() {
    let stage = Stage::new();
    let piped = stage.invite("alice", 3).program(flood(&["stdin", "0"]));
    let mut alice = piped.inside("printf 'four' | \"$@\"").start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    // What stands behind the link on the same stdin is the program's.
    let bob = Agent::new(support::didagent(), stage.home("bob"), "bob", &["join", "-"]);
    let bob = bob.program(flood(&["stdin", "0"]));
    let bob = bob.inside(&format!("printf '%s\\n%s' '{link}' 'and seven' | \"$@\"")).start();
    let mut carol = stage.join("carol", &link).program(flood(&["signals", "3"])).start();
    carol.wait_for_output("listens");
    for name in ["USR1", "USR2", "USR1"] {
        carol.process.signal(name);
        assert_eq!(carol.wait_for_output("signal "), format!("SIG{name}"));
    }
    let [alice, bob, carol] = finish(vec![alice, bob, carol]).try_into().unwrap();
    carol.assert_ok();
    assert_eq!(alice.assert_ok().output(), ["read 4 bytes"]);
    assert_eq!(bob.assert_ok().output(), ["read 9 bytes"]);
}

#[test]
fn a_reader_that_leaves_ends_nothing() {
    let stage = Stage::new();
    let head = |agent: support::party::Agent| agent.read_by("head -n 1").unread_stderr();
    let mut host = head(stage.invite("alice", 2).program(flood(&["lines", "3"]))).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    let guest = stage.join("bob", &link).program(flood(&["lines", "0"])).run();
    guest.assert_ok();
    assert_eq!(host.finish().code, 0);
    until("no process of the run is left", || processes_that_know(stage.folder()).is_empty());
    // For people too, with stderr in the same pipe: everything that the agent wants to say is lost.
    let mut host =
        stage.invite("alice", 2).for_people().program(uneven(&["opens", "1"])).read_by("head -n 3 2>&1");
    host = host.stderr_to_stdout();
    let mut host = host.start();
    // Behind the room, and what to do with it.
    let link = (0..3).map(|_| host.process.next_line().unwrap()).last().unwrap();
    let guest = stage.join("bob", &link).program(uneven(&["opens", "1"])).run();
    // Its program cannot write `opened`, and fails for it or not; the agent must not.
    assert!(matches!(guest.code, 0 | 1 | 125), "{guest:#?}");
    let host = host.finish();
    assert!(matches!(host.code, 0 | 1 | 120), "{host:#?}");
}

#[test]
fn what_a_program_leaves_in_its_group_ends_with_it_and_what_it_detached_stays() {
    let stage = Stage::new();
    // The job in the background ignores requests, and would run MPyC without a bridge for ever.
    let script =
        "trap '' TERM; sleep 600 & echo left $!; setsid sleep 600 >/dev/null 2>&1 & echo detached $!; exit 0";
    let command = || vec!["bash".into(), "-c".into(), script.into()];
    for party in stage.run(vec![command(), command()]) {
        let pid = |start| {
            let line =
                party.assert_ok().output().into_iter().find_map(|line| line.strip_prefix(start)).unwrap();
            line.trim().parse::<u32>().unwrap()
        };
        assert!(!is_running(pid("left ")), "{party:#?}");
        assert!(is_running(pid("detached ")), "{party:#?}");
        support::process::signal("KILL", &pid("detached ").to_string());
        assert!(party.stderr.contains("left processes in the background"), "{party:#?}");
    }
}

#[test]
fn a_folder_and_a_script_without_a_first_line_are_no_programs() {
    let stage = Stage::new();
    let folder = stage.folder().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let ended = stage.invite("alice", 2).program(vec![folder.clone().into()]).run();
    let message = ended.assert_error(126, "E0604");
    assert!(message.contains(folder.to_str().unwrap()) && message.contains("folder"), "{message}");
    let script = stage.folder().join("script");
    std::fs::write(&script, "echo shell\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    // Only starting it shows that, so the other party hears of it as of any program that fails.
    let [alice, bob] =
        <[Ended; 2]>::try_from(stage.run(vec![vec![script.into()], uneven(&["opens", "1"])])).unwrap();
    assert_eq!(alice.code, 126, "{alice:#?}");
    assert!(
        alice.stderr.contains("error[E0604]") && alice.stderr.contains("try: a script begins"),
        "{alice:#?}"
    );
    assert!(bob.assert_stopped(125, "E0406").contains("party 0 (alice) failed with exit code 126"));
}
