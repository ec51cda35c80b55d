//! Parties that would not run the same: each line of what MPyC itself does not notice is refused before a port opens, named on every
//! screen, and mended with the same command.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::party::{Agent, Ended, Party, text};
use support::python;
use support::stage::{NAMES, Stage, finish};

/// Adds up everybody's number; a module of its own says which numbers.
const PROGRAM: &str = "\
import logging, sys
logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
from mpyc.runtime import mpc
import own

async def main():
    secure = mpc.SecInt(16)
    async with mpc:
        total = mpc.sum(mpc.input(secure(own.number(sys.argv[1]))))
        print('sum', int(await mpc.output(total)), flush=True)

mpc.run(main())
";
const OWN: &str = "def number(word):\n    return int(word)\n";

/// Adds up as many ones from each party as the argument says: MPyC hangs where the numbers differ.
const COUNTED: &str = "\
import logging, sys
logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
from mpyc.runtime import mpc
import own

async def main():
    secure = mpc.SecInt(16)
    async with mpc:
        inputs = mpc.input([secure(own.number('1'))] * int(sys.argv[1]))
        total = mpc.sum([number for party in inputs for number in party])
        print('sum', int(await mpc.output(total)), flush=True)

mpc.run(main())
";

/// What everybody runs, and how.
struct Base {
    program: &'static str,
    /// The arguments of alice, bob and carol.
    numbers: [&'static str; 3],
    /// didagent's own options.
    options: &'static [&'static str],
    sum: &'static str,
}

const PRIVATE: Base = Base { program: PROGRAM, numbers: ["1", "2", "4"], options: &[], sum: "sum 7" };
const TOLD: Base =
    Base { program: COUNTED, numbers: ["8", "8", "8"], options: &["--same-args"], sum: "sum 24" };

/// What is special at bob's.
#[derive(Default, Clone, Copy)]
struct Change {
    /// A file of the program, and its text.
    file: Option<(&'static str, &'static str)>,
    /// The number in place of everybody's.
    number: Option<&'static str>,
    /// Arguments behind bob's number.
    arguments: &'static [&'static str],
    /// didagent's own options.
    options: &'static [&'static str],
    variable: Option<(&'static str, &'static str)>,
    /// A folder in front of Python's modules.
    modules: Option<fn(&Stage) -> PathBuf>,
}

/// One party's copy of the program.
fn copy(stage: &Stage, name: &str, program: &str, change: &Change) -> PathBuf {
    let folder = stage.folder().join(format!("program of {name}"));
    std::fs::create_dir_all(&folder).unwrap();
    for (file, text) in [("sum.py", program), ("own.py", OWN)] {
        std::fs::write(folder.join(file), text).unwrap();
    }
    if let Some((file, text)) = change.file {
        std::fs::write(folder.join(file), text).unwrap();
    }
    folder.join("sum.py")
}

fn agent(stage: &Stage, name: &str, agent: Agent, base: &Base, change: &Change) -> Agent {
    let index = ["alice", "bob", "carol"].iter().position(|one| *one == name).unwrap();
    let program = copy(stage, name, base.program, change);
    let number = change.number.unwrap_or(base.numbers[index]);
    let mut command: Vec<OsString> = vec![python(), program.into(), number.into()];
    command.extend(change.arguments.iter().map(OsString::from));
    let mut agent = agent.option(base.options).option(change.options).program(command);
    if let Some((variable, value)) = change.variable {
        agent = agent.variable(variable, value);
    }
    if let Some(modules) = change.modules {
        agent = agent.variable("PYTHONPATH", modules(stage));
    }
    agent
}

/// Waits for an event that says this of the party `bob`.
fn wait(party: &mut Party, kind: &str, what: impl Fn(&Value) -> bool) -> Value {
    loop {
        let event = party.wait_for(kind);
        if what(&event) {
            return event;
        }
    }
}

/// alice invites, carol joins, bob comes with the change: all three must name `item`. Then bob comes with what everybody has, and the
/// sum is right.
fn refused(change: Change, item: &str, ours: &str, theirs: &str) {
    refused_in(&PRIVATE, change, item, ours, theirs);
}

fn refused_in(base: &Base, change: Change, item: &str, ours: &str, theirs: &str) {
    let stage = Stage::new();
    let same = Change::default();
    let mut alice = agent(&stage, "alice", stage.invite("alice", 3), base, &same).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    let mut carol = agent(&stage, "carol", stage.join("carol", &link), base, &same).start();
    alice.wait_for("party.joined");

    let bob = agent(&stage, "bob", stage.join("bob", &link), base, &change).run();
    let message = bob.assert_error(4, "E0407");
    assert!(message.contains(&format!("{item} is {theirs} here and {ours} at the host")), "{message}");
    let hint = bob.event("error")["hint"].clone();
    assert!(hint.as_str().unwrap().contains("your seat is kept"), "{hint}");
    assert!(bob.events.iter().all(|event| event["type"] != "run.ports"), "a port was opened");

    let seen = wait(&mut alice, "party.differs", |event| event["name"] == "bob");
    assert_eq!(seen["index"], 2);
    let wanted = json!({"item": item, "ours": ours, "theirs": theirs});
    assert!(seen["items"].as_array().unwrap().contains(&wanted), "{seen} lacks {wanted}");
    let heard = |event: &Value| event["differs"].as_array().is_some_and(|differs| !differs.is_empty());
    let seen = wait(&mut carol, "room.seats", heard);
    assert_eq!(seen["names"], json!(["alice", "carol", "bob"]));
    assert_eq!(seen["differs"][0]["index"], 2);
    assert!(seen["differs"][0]["items"].as_array().unwrap().contains(&item.into()), "{seen}");

    let bob = agent(&stage, "bob", stage.join("bob", &link), base, &same).start();
    assert_eq!(alice.wait_for("party.fits")["name"], "bob");
    for ended in finish(vec![alice, carol, bob]) {
        assert_eq!(ended.assert_ok().output(), [base.sum], "{ended:#?}");
    }
}

/// Decides MF-20, MF-21.
#[test]
fn another_program_is_refused() {
    let file = Some(("sum.py", "import own, mpyc.runtime\n"));
    let digest = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x"), text).unwrap();
        let sum = std::process::Command::new("sha256sum").arg(folder.path().join("x")).output().unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap();
        format!("sum.py {}..{}", &sum[..4], &sum[62..64])
    };
    let (ours, theirs) = (digest(PROGRAM), digest("import own, mpyc.runtime\n"));
    refused(Change { file, ..Change::default() }, "program", &ours, &theirs);
}

#[test]
fn another_module_of_the_program_is_refused() {
    let file = Some(("own.py", "def number(word):\n    return 2 * int(word)\n"));
    refused(Change { file, ..Change::default() }, "module own", "b2b8..0d", "dd93..78");
}

#[test]
fn another_threshold_is_refused() {
    refused(Change { arguments: &["-T", "0"], ..Change::default() }, "threshold", "1", "0");
}

#[test]
fn prss_at_some_only_is_refused() {
    refused(Change { arguments: &["--no-prss"], ..Change::default() }, "PRSS", "on", "off");
}

#[test]
fn prss_switched_off_by_a_variable_is_refused() {
    let variable = Some(("MPYC_NOPRSS", "1"));
    refused(Change { variable, ..Change::default() }, "PRSS", "on", "off");
}

#[test]
fn another_security_parameter_is_refused() {
    refused(Change { arguments: &["-K", "40"], ..Change::default() }, "-K", "30", "40");
}

#[test]
fn another_bit_length_is_refused() {
    refused(Change { arguments: &["--bit-length=64"], ..Change::default() }, "-L", "32", "64");
}

#[test]
fn barriers_at_some_only_are_refused() {
    refused(Change { arguments: &["--no-barrier"], ..Change::default() }, "barrier", "on", "off");
}

#[test]
fn another_program_counter_is_refused() {
    refused(Change { arguments: &["--mix32-64bit"], ..Change::default() }, "mix32-64bit", "off", "on");
}

#[test]
fn a_variable_of_mpyc_that_others_do_not_have_is_refused() {
    let variable = Some(("MPYC_EXPERIMENT", "2"));
    refused(Change { variable, ..Change::default() }, "variable MPYC_EXPERIMENT", "not set", "2");
}

/// Decides MF-11. There is no Python of 32 bits here: bob's says that it is one.
#[test]
fn words_of_another_size_are_refused() {
    fn modules(stage: &Stage) -> PathBuf {
        let folder = stage.folder().join("small");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("sitecustomize.py"), "import sys\nsys.maxsize = 2**31 - 1\n").unwrap();
        folder
    }
    refused(Change { modules: Some(modules), ..Change::default() }, "word size", "64 bits", "32 bits");
}

#[test]
fn another_mpyc_is_refused() {
    fn modules(_: &Stage) -> PathBuf {
        support::old_mpyc()
    }
    refused(Change { modules: Some(modules), ..Change::default() }, "MPyC", "0.11", "0.9");
}

/// Decides MF-12: where they are a public parameter, MPyC would hang.
#[test]
fn other_arguments_are_refused_when_a_person_says_so() {
    refused_in(&TOLD, Change { number: Some("9"), ..Change::default() }, "arguments", "8", "9");
}

/// Decides MF-12.
#[test]
fn other_arguments_are_refused_when_the_program_says_so() {
    let says = format!("# didagent: same-args\n{COUNTED}").leak();
    refused_in(
        &Base { program: says, options: &[], ..TOLD },
        Change { number: Some("9"), ..Change::default() },
        "arguments",
        "8",
        "9",
    );
}

/// Decides MF-12: people see what leaves their machine before anybody is told, and what all agreed to.
#[test]
fn arguments_that_are_told_stand_on_every_screen() {
    let stage = Stage::new();
    let same = Change::default();
    let mut alice = agent(&stage, "alice", stage.invite("alice", 3), &TOLD, &same).for_people().start();
    let link = alice.process.next_line().unwrap();
    let guests = ["bob", "carol"]
        .map(|name| agent(&stage, name, stage.join(name, &link), &TOLD, &same).for_people().start());
    for ended in finish([alice].into_iter().chain(guests).collect()) {
        assert_eq!(ended.code, 0, "{ended:#?}");
        let at =
            |line: &str| ended.stderr.find(line).unwrap_or_else(|| panic!("no {line:?}: {}", ended.stderr));
        assert!(
            at("arguments are told to everybody: 8") < at("program: sum.py; arguments: 8"),
            "{}",
            ended.stderr
        );
    }
}

/// Decides MF-03: without anybody's word arguments go nowhere; a party's number is in nothing that the others get.
#[test]
fn arguments_are_not_told_otherwise() {
    let stage = Stage::new();
    let commands = ["8", "9"].map(|word| support::python_command(&support::average(), &[word]));
    for ended in stage.run(commands.into()) {
        assert_eq!(ended.assert_ok().output(), ["average of 2 inputs: 8.50"]);
        assert_eq!(ended.event("room.ready")["manifest"]["arguments"], Value::Null);
    }
}

/// Decides MF-23: the host mends its file while its room is open, and nobody has to invite again.
#[test]
fn the_host_mends_its_own_program() {
    let stage = Stage::new();
    let wrong = Change { file: Some(("own.py", "def number(word):\n    return 0\n")), ..Change::default() };
    let same = Change::default();
    let mut alice = agent(&stage, "alice", stage.invite("alice", 2), &PRIVATE, &wrong).start();
    let link = text(&alice.wait_for("room.invitation"), "link").to_owned();
    agent(&stage, "bob", stage.join("bob", &link), &PRIVATE, &same).run().assert_error(4, "E0407");
    copy(&stage, "alice", PROGRAM, &same);
    // Whoever comes next makes the host look; it may have looked too early for this one.
    let mut bobs = Vec::new();
    support::until("alice's new program", || {
        bobs.push(agent(&stage, "bob", stage.join("bob", &link), &PRIVATE, &same).run());
        bobs.last().unwrap().code != 4
    });
    assert_eq!(bobs.last().unwrap().assert_ok().output(), ["sum 3"]);
    assert_eq!(alice.finish().assert_ok().output(), ["sum 3"]);
}

/// Decides MF-01, MF-13.
#[test]
fn a_program_that_is_not_python_needs_everybodys_word() {
    let stage = Stage::new();
    let script = stage.folder().join("vote.sh");
    std::fs::write(
        &script,
        format!("#!/bin/sh\nexec '{}' '{}' \"$@\"\n", python().display(), support::average().display()),
    )
    .unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let command = |number: &str| vec![script.clone().into_os_string(), number.into()];
    let mut parties = stage.start_with(vec![command("1"), command("2")], |agent| {
        agent.variable("DIDAGENT_ALLOW_UNKNOWN_PROGRAM", "0")
    });
    let bob = parties.pop().unwrap().finish();
    assert!(bob.assert_error(4, "E0407").contains("vote.sh, not comparable and not allowed"));
    assert!(bob.event("error")["hint"].as_str().unwrap().contains("--allow-unknown-program"));
    drop(parties);
    let allowed = stage
        .start_with(vec![command("1"), command("2")], |agent| agent.option(&["--allow-unknown-program"]));
    for ended in finish(allowed) {
        assert_eq!(ended.assert_ok().output(), ["average of 2 inputs: 1.50"]);
        assert!(ended.event("party.note")["text"].as_str().unwrap().contains("vote.sh, not comparable"));
    }
}

/// Decides MF-30: what changed between the agreement and the start computes nothing.
#[test]
fn a_module_that_nobody_compared_stops_its_party() {
    let stage = Stage::new();
    let text = "import logging, sys\nlogging.basicConfig(level=30)\nfrom mpyc.runtime import mpc\n__import__('plug' + 'in')\nprint('went on')\n";
    let file = stage.folder().join("dynamic.py");
    std::fs::write(&file, text).unwrap();
    std::fs::write(stage.folder().join("plugin.py"), "").unwrap();
    let commands = || (0..2).map(|_| vec![python(), file.clone().into()]).collect();
    let ended = stage.run(commands());
    assert!(ended.iter().all(|ended| ended.output().is_empty()), "{ended:#?}");
    // The other one may have been stopped first, for this one's reason.
    let is_first = |ended: &&Ended| ended.event("run.exited")["program"] == 4;
    let first = ended.iter().find(is_first).expect("no program ended by itself");
    assert!(first.stderr.contains("--include plugin.py"), "{}", first.stderr);
    let plugin = stage.folder().join("plugin.py");
    let included =
        stage.start_with(commands(), |agent| agent.option(&["--include", plugin.to_str().unwrap()]));
    for ended in finish(included) {
        assert_eq!(ended.assert_ok().output(), ["went on"]);
        assert_eq!(ended.event("room.ready")["manifest"]["files"].as_object().unwrap().len(), 1);
    }
}

/// With threshold 0 each party alone can open everything, which MPyC does not say.
#[test]
fn a_room_without_privacy_needs_a_yes() {
    let stage = Stage::new();
    let invite = |parties: &str, options: &[&str], arguments: &[&str]| {
        let command = support::python_command(&support::average(), arguments);
        let words = ["invite", "--parties", parties, "--mediator", stage.mediator_link()];
        let agent = Agent::new(support::didagent(), stage.home(NAMES[0]), NAMES[0], &words);
        agent.option(options).variable("DIDAGENT_NO_PRIVACY", "0").program(command)
    };
    for (parties, arguments) in [("2", &["1"][..]), ("3", &["1", "-T0"])] {
        let message = invite(parties, &[], arguments).run().assert_error(2, "E0607").to_owned();
        assert!(message.contains("each party alone can open all inputs"), "{message}");
    }
    for (parties, options, arguments) in [("2", &["--no-privacy"][..], &["1"][..]), ("3", &[], &["1", "-T1"])]
    {
        invite(parties, options, arguments).start().wait_for("room.invitation");
    }
}

/// Decides RM-46: who meets for the first time is asked to compare words, the same on every screen; who knows each other is not.
#[test]
fn strangers_compare_words_and_acquaintances_need_not() {
    let stage = Stage::new();
    let meet = || {
        let command = || support::python_command(&support::average(), &["1"]);
        let mut alice = stage.invite("alice", 2).for_people().program(command()).start();
        let link = alice.process.next_line().unwrap();
        let bob = stage.join("bob", &link).for_people().program(command()).start();
        finish(vec![alice, bob])
            .into_iter()
            .map(|ended| {
                assert_eq!(ended.code, 0, "{ended:#?}");
                let line =
                    ended.stderr.lines().find_map(|line| line.strip_prefix("  compare in your chat: "));
                line.map(str::to_owned)
            })
            .collect::<Vec<_>>()
    };
    let words = meet();
    assert_eq!(words[0].as_ref().expect("no words").split(' ').count(), 4);
    assert_eq!(words[0], words[1]);
    assert_eq!(meet(), [None, None]);
}
