//! `didagent demo` with up to ten parties and with programs of people's own (R1, R13): results that this test computes by
//! itself, exit codes, and clear ends of everything that cannot work.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::demo::{assert_nothing_is_left, demo};
use support::party::{text, words};
use support::process::{Finished, Process, run};
use support::stage::{NAMES, Stage};
use support::{program, python_with_numpy};

/// What a demo with `--json` said last.
fn last(finished: &Finished) -> Value {
    serde_json::from_str(finished.lines.last().unwrap_or_else(|| panic!("{finished:#?}"))).unwrap()
}

/// The demo of a program, with `--json`.
fn demo_of(folder: &Path, parties: usize, program: &Path, arguments: &[&str]) -> Command {
    let mut command = demo(folder, &["--json", "--parties", &parties.to_string(), "--program"]);
    command.arg(program).arg("--").args(arguments);
    command
}

/// Runs a program with all parties and returns what each printed.
fn results(parties: usize, program: &Path, arguments: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let finished = run("demo", &mut demo_of(folder.path(), parties, program, arguments));
    assert_eq!(finished.code, 0, "{finished:#?}");
    assert_nothing_is_left(folder.path());
    let done = last(&finished);
    assert_eq!((text(&done, "type"), &done["code"]), ("demo.done", &0.into()), "{done:#}");
    assert_eq!(words(&done["names"]), NAMES[..parties]);
    words(&done["results"])
}

#[test]
fn ten_parties_get_one_result_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let finished = run("demo", &mut demo(folder.path(), &["--json", "--parties", "10"]));
    assert_eq!(finished.code, 0, "{finished:#?}");
    assert_nothing_is_left(folder.path());
    let done = last(&finished);
    let results = words(&done["results"]);
    assert_eq!(results.len(), 10);
    assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
    assert!(results[0].starts_with("average of 10 inputs: "), "{results:?}");
    assert_eq!(done["codes"], serde_json::json!([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    assert!(done["forming_ms"].as_f64().unwrap() > 0.0);
}

#[test]
fn one_party_and_eleven_are_too_few_and_too_many() {
    let folder = tempfile::tempdir().unwrap();
    for parties in ["0", "1", "11", "ten", "-3"] {
        let finished = run("demo", &mut demo(folder.path(), &["--parties", parties]));
        assert_eq!(finished.code, 2, "{finished:#?}");
    }
    let finished = run("demo", &mut demo(folder.path(), &["--", "5"]));
    assert_eq!(finished.code, 2, "arguments without a program: {finished:#?}");
}

/// Multiplies in GF(256) with the polynomial of AES, which is the first irreducible one of its degree.
fn times(mut a: u16, b: u16) -> u16 {
    let mut product = 0;
    for bit in 0..8 {
        if b >> bit & 1 == 1 {
            product ^= a;
        }
        a <<= 1;
        if a & 0x100 != 0 {
            a ^= 0x11b;
        }
    }
    product
}

/// What `kinds.py` prints at party `index`.
fn kinds(seed: u16, parties: u16, index: u16) -> String {
    let own: Vec<u16> = (0..parties).map(|party| (seed + 7 * party) % 101).collect();
    let mut sorted = own.clone();
    sorted.sort_unstable();
    let list = |numbers: &[u16]| numbers.iter().map(u16::to_string).collect::<Vec<_>>().join(" ");
    let squares: u32 = own.iter().map(|own| u32::from(*own) * u32::from(*own)).sum();
    let sum: u16 = own.iter().sum();
    let prime = own.iter().fold(1, |product, own| product * u32::from((*own).max(1)) % 101);
    let binary = own.iter().fold(1, |product, own| times(product, (*own).max(1)));
    let everybody: Vec<u16> = (0..parties).collect();
    let only = if index == 0 { sum.to_string() } else { "None".to_owned() };
    format!(
        "integers {squares} {}\nfixed {:?}\nprime {prime}\nbinary {binary}\ntold {}\nonly {only}",
        list(&sorted),
        f64::from(sum) / 4.0,
        list(&everybody),
    )
}

#[test]
fn every_kind_of_secure_number_in_four_runtimes_gives_the_right_result() {
    assert_eq!([times(0x57, 0x83), times(1, 0x80), times(2, 0x80)], [0xc1, 0x80, 0x1b]);
    for (parties, seed, more) in [(2, 40, &[][..]), (4, 90, &["-T", "1"]), (5, 3, &[])] {
        let typed = seed.to_string();
        let arguments = [&[typed.as_str()][..], more].concat();
        let results = results(usize::from(parties), &program("kinds.py"), &arguments);
        let expected: Vec<_> = (0..parties).map(|index| kinds(seed, parties, index)).collect();
        assert_eq!(results, expected);
    }
}

#[test]
fn parties_with_inputs_of_their_own_and_another_threshold_get_the_right_result() {
    let stage = Stage::new();
    // Arguments are private: everybody has another one here.
    let seeds = [11_u16, 60, 7, 0];
    let commands = seeds
        .map(|seed| support::python_command(&program("kinds.py"), &[seed.to_string().as_str(), "-T", "0"]));
    let own: Vec<u32> = (0..).zip(seeds).map(|(party, seed)| u32::from(seed + 7 * party) % 101).collect();
    let squares: u32 = own.iter().map(|own| own * own).sum();
    for ended in stage.run(commands.into()) {
        let ready = ended.assert_ok().event("room.ready");
        assert_eq!(ready["threshold"], 0);
        let first = ended.output()[0].to_owned();
        assert!(first.starts_with(&format!("integers {squares} ")), "{first}");
    }
}

#[test]
fn arrays_of_megabytes_arrive_as_they_are() {
    const SIZE: u64 = 200;
    let entry = |row: u64, column: u64, party: u64| (row + 2 * column + party) % 7;
    let (mut trace, mut sum, mut last_sum) = (0, 0, 0);
    for row in 0..SIZE {
        for column in 0..SIZE {
            last_sum += entry(row, column, 2);
            let product: u64 = (0..SIZE).map(|k| entry(row, k, 0) * entry(k, column, 1)).sum();
            sum += product;
            trace += if row == column { product } else { 0 };
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = demo_of(folder.path(), 3, &program("arrays.py"), &[&SIZE.to_string()]);
    let finished = run("demo", command.env("DIDAGENT_PYTHON", python_with_numpy()));
    assert_eq!(finished.code, 0, "{finished:#?}");
    let done = last(&finished);
    let expected = format!("product {trace} {sum}\nlast {last_sum}");
    assert_eq!(words(&done["results"]), vec![expected; 3]);
    assert!(done["bytes"].as_u64().unwrap() > 1_000_000, "{done:#}");
}

/// Writes a program and returns where it is.
fn write(folder: &Path, name: &str, source: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, source).unwrap();
    path
}

#[test]
fn a_program_finds_modules_beside_it_and_files_where_the_person_is() {
    let here = tempfile::tempdir().unwrap();
    let there = here.path().join("there");
    std::fs::create_dir(&there).unwrap();
    write(&there, "beside.py", "def read(name):\n    return open(name).read().strip()\n");
    write(here.path(), "number.txt", "17\n");
    let source = "
import os, sys
from beside import read
from mpyc.runtime import mpc
async def main():
    async with mpc:
        print('told', *await mpc.transfer(int(read(sys.argv[1])) + mpc.pid), sys.argv[2:], __name__)
mpc.run(main())
";
    write(&there, "-ask.py", source);
    let folder = tempfile::tempdir().unwrap();
    for (cwd, file, number) in
        [(here.path(), "there/-ask.py", "number.txt"), (there.as_path(), "-ask.py", "../number.txt")]
    {
        let mut command = demo(folder.path(), &["--json", &format!("--program={file}")]);
        command.args(["--", number, "--no-log", "", "a b", "é"]).current_dir(cwd);
        let finished = run("demo", &mut command);
        assert_eq!(finished.code, 0, "{finished:#?}");
        assert_eq!(words(&last(&finished)["results"]), vec!["told 17 18 19 ['', 'a b', 'é'] __main__"; 3]);
        assert_nothing_is_left(folder.path());
    }
}

#[test]
fn people_see_each_partys_lines_and_what_went_wrong() {
    let here = tempfile::tempdir().unwrap();
    let source = "
import sys
from mpyc.runtime import mpc
async def main():
    await mpc.start()
    print('party', mpc.pid)
    print('note of', mpc.pid, file=sys.stderr)
    await mpc.shutdown()
    sys.exit(4 if mpc.pid == 1 else 0)
mpc.run(main())
";
    let file = write(here.path(), "ask.py", source);
    let folder = tempfile::tempdir().unwrap();
    let mut command = demo(folder.path(), &["--program"]);
    let finished = run("demo", command.arg(&file).args(["--", "--no-log"]));
    assert_eq!(finished.code, 4, "{finished:#?}");
    let mut lines = finished.lines.clone();
    lines.sort_unstable();
    assert_eq!(lines, ["  alice  party 0", "  bob    party 1", "  carol  party 2"]);
    for wanted in ["  bob  ! note of 1\n", "  bob    its program ended with exit code 4\n"] {
        assert!(finished.stderr.contains(wanted), "{}", finished.stderr);
    }
    assert_nothing_is_left(folder.path());
}

#[test]
fn what_cannot_run_is_refused_before_anything_starts() {
    let here = tempfile::tempdir().unwrap();
    let no_python = write(here.path(), "letter.txt", "Dear all,\nhere is a letter.\n");
    let binary = support::didagent();
    let empty = here.path().join("there is nothing.py");
    let fifo = here.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let refused = [
        (empty, &[][..], 127, "E0603", "there is no program"),
        (here.path().to_owned(), &[], 126, "E0604", "is a folder"),
        (fifo, &[], 126, "E0604", "is not a file"),
        (no_python, &[], 126, "E0604", "line 1"),
        (binary, &[], 126, "E0604", "is not a program that this Python understands"),
        (program("kinds.py"), &["5", "-P", "127.0.0.1:9"], 2, "E0002", "-P"),
        (program("kinds.py"), &["5", "--index=1"], 2, "E0002", "--index"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (file, arguments, exit, code, why) in refused {
        let finished = run("demo", &mut demo_of(folder.path(), 3, &file, arguments));
        assert_eq!(finished.code, exit, "{finished:#?}");
        let error = last(&finished);
        assert_eq!((text(&error, "type"), text(&error, "code")), ("error", code), "{error:#}");
        assert!(text(&error, "message").contains(why), "{error:#}");
        assert!(!finished.lines.iter().any(|line| line.contains("demo.started")), "{finished:#?}");
        assert_nothing_is_left(folder.path());
    }
}

#[test]
fn a_program_that_fails_gives_its_exit_code() {
    let here = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let raising =
        write(here.path(), "raise.py", "import sys\nprint('so far')\nraise ValueError('of mine')\n");
    let before = program("fail.py");
    for (file, arguments, code) in
        [(raising, &[][..], 1), (before.clone(), &["before"], 3), (before, &["killed"], 137)]
    {
        let finished = run("demo", &mut demo_of(folder.path(), 3, &file, arguments));
        assert_eq!(finished.code, code, "{finished:#?}");
        let done = last(&finished);
        assert_eq!((text(&done, "type"), &done["code"]), ("demo.done", &code.into()), "{done:#}");
        assert_nothing_is_left(folder.path());
        if arguments.is_empty() {
            // The first one that fails ends the run for the others, who may have come less far.
            let results = words(&done["results"]);
            let all = |allowed: &[&str]| results.iter().all(|result| allowed.contains(&result.as_str()));
            assert!(results.len() == 3 && all(&["so far", ""]) && !all(&[""]), "{finished:#?}");
            let told = |line: &&String| line.contains("demo.stderr") && line.contains("ValueError: of mine");
            assert!((1..=3).contains(&finished.lines.iter().filter(told).count()), "{finished:#?}");
        }
    }
}

#[test]
fn a_program_that_hangs_ends_with_ctrl_c_and_what_it_left_open_does_not_hold_the_demo() {
    let here = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let deaf = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
                signal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('hangs', flush=True)\ntime.sleep(600)\n";
    let file = write(here.path(), "hang.py", deaf);
    let mut demo = Process::start("demo", &mut demo_of(folder.path(), 2, &file, &[]));
    while !demo.next_line().unwrap().contains("hangs") {}
    demo.signal("INT");
    let finished = demo.finish();
    assert_eq!((finished.code, text(&last(&finished), "code")), (130, "E0003"), "{finished:#?}");
    assert_nothing_is_left(folder.path());

    // A child that goes on in the background has stdout and stderr open for longer than anybody waits.
    let child = "import subprocess\nsubprocess.Popen(['sleep', '15'])\nprint('done')\n";
    let file = write(here.path(), "child.py", child);
    let begun = std::time::Instant::now();
    let finished = run("demo", &mut demo_of(folder.path(), 2, &file, &[]));
    assert_eq!((finished.code, words(&last(&finished)["results"])), (0, vec!["done".to_owned(); 2]));
    assert!(begun.elapsed().as_secs() < 14, "the demo waited for what its program left behind");
}
