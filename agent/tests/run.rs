//! A whole run of unmodified MPyC between parties that share nothing but links.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;

use serde_json::Value;
use support::party::{Agent, Ended, text};
use support::stage::{NAMES, Stage, finish};
use support::{average, python_command};

const ALONE: &str = "each party alone can open all inputs";

/// Inputs that the kernel's generator chose, from 0 to 1000.
fn inputs(count: usize) -> Vec<u64> {
    let mut bytes = vec![0; 2 * count];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom").unwrap(), &mut bytes).unwrap();
    bytes.chunks(2).map(|pair| u64::from(u16::from_le_bytes([pair[0], pair[1]])) % 1001).collect()
}

fn averaging(inputs: &[u64]) -> Vec<Vec<OsString>> {
    inputs.iter().map(|input| python_command(&average(), &[&input.to_string()])).collect()
}

/// The line that `average.py` must print: two decimal places, rounded half up.
fn expected(inputs: &[u64]) -> String {
    let (sum, count) = (inputs.iter().sum::<u64>(), u64::try_from(inputs.len()).unwrap());
    let hundredths = (sum * 200 / count).div_ceil(2);
    format!("average of {count} inputs: {}.{:02}", hundredths / 100, hundredths % 100)
}

fn assert_same_result(ended: &[Ended], inputs: &[u64]) {
    // All of them, since the one that failed may have failed for another one's reason.
    assert!(ended.iter().all(|party| party.code == 0), "{ended:#?}");
    for party in ended {
        assert_eq!(party.assert_ok().output(), [expected(inputs)], "{party:#?}");
        let exited = party.event("run.exited");
        assert_eq!((&exited["code"], &exited["program"]), (&0.into(), &0.into()));
        assert!(
            exited["bytes_up"].as_u64().unwrap() > 0 && exited["bytes_down"].as_u64().unwrap() > 0,
            "{exited}"
        );
    }
}

/// Everybody must see the same parties in the same order under the same names; only the paths are their own.
fn assert_same_table(ended: &[Ended]) {
    let table = |party: &Ended| -> Vec<(Value, Value, Value)> {
        let entries = party.event("room.ready")["parties"].as_array().unwrap().clone();
        entries
            .into_iter()
            .map(|entry| (entry["index"].clone(), entry["name"].clone(), entry["identity"].clone()))
            .collect()
    };
    let first = table(&ended[0]);
    let names: Vec<_> = first.iter().map(|(_, name, _)| name.as_str().unwrap()).collect();
    assert_eq!(names, NAMES[..ended.len()]);
    for (index, party) in ended.iter().enumerate() {
        assert_eq!(table(party), first);
        let ready = party.event("room.ready");
        assert_eq!(ready["index"], index);
        assert_eq!(ready["room"], ended[0].event("room.ready")["room"]);
        assert_eq!(ready["threshold"], (ended.len() - 1) / 2);
        for (peer, entry) in ready["parties"].as_array().unwrap().iter().enumerate() {
            assert_eq!(entry["path"], if peer == index { "self" } else { "relay" }, "{ready}");
        }
    }
}

fn run_twice(count: usize) {
    let stage = Stage::new();
    let mut identities = Vec::new();
    for _ in 0..2 {
        let inputs = inputs(count);
        let ended = stage.run(averaging(&inputs));
        assert_same_result(&ended, &inputs);
        assert_same_table(&ended);
        identities.push(
            ended[0].event("room.ready")["parties"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["identity"].clone())
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(identities[0], identities[1], "the second run has other identities");
}

#[test]
fn three_parties_get_the_right_average_and_again_in_the_same_homes() {
    run_twice(3);
}

#[test]
fn five_parties_get_the_right_average_and_again_in_the_same_homes() {
    run_twice(5);
}

/// Runs with screens for people and returns what each showed.
fn screens(commands: Vec<Vec<OsString>>) -> Vec<String> {
    let stage = Stage::new();
    let count = commands.len();
    let mut commands = commands.into_iter();
    let mut host = stage.invite(NAMES[0], count).program(commands.next().unwrap()).for_people().start();
    let link = host.process.next_line().unwrap();
    let mut parties = vec![host];
    for (name, command) in NAMES[1..].iter().zip(commands) {
        parties.push(stage.join(name, &link).program(command).for_people().start());
        // The order of the commands is that of the parties, so the next one waits.
        parties[0].process.wait_for_stderr(&format!("party {}  {name}  ", parties.len() - 1));
    }
    let ended = finish(parties);
    ended
        .into_iter()
        .map(|party| {
            assert_eq!(party.code, 0, "{party:#?}");
            assert!(party.events.is_empty(), "{party:#?}");
            party.stderr
        })
        .collect()
}

#[test]
fn with_two_parties_every_screen_says_that_each_alone_can_open_all_inputs() {
    for screen in screens(averaging(&[3, 4])) {
        assert!(screen.contains(ALONE), "{screen}");
    }
}

#[test]
fn with_threshold_zero_every_screen_says_that_each_alone_can_open_all_inputs() {
    let commands = (0..3).map(|_| python_command(&average(), &["7", "-T", "0"])).collect();
    for screen in screens(commands) {
        assert!(screen.contains(ALONE), "{screen}");
    }
}

#[test]
fn with_three_parties_no_screen_says_so_and_every_screen_says_how_many_can() {
    for screen in screens(averaging(&[1, 2, 3])) {
        assert!(!screen.contains(ALONE), "{screen}");
        assert!(screen.contains("any 2 together could open the inputs"), "{screen}");
    }
}

#[test]
fn events_for_programs_carry_the_same_warning_as_the_screens() {
    let stage = Stage::new();
    for party in stage.run(averaging(&[3, 4])) {
        assert!(text(party.assert_ok().event("room.ready"), "privacy").contains(ALONE), "{party:#?}");
    }
}

#[test]
fn a_guest_may_keep_its_mail_at_another_mediator_than_the_host() {
    let stage = Stage::new();
    let second = support::mediator::Mediator::start(&support::didagent());
    let mut commands = averaging(&[10, 20]).into_iter();
    let mut host = stage.invite("alice", 2).program(commands.next().unwrap()).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    let bob: Agent =
        stage.join("bob", &link).option(&["--mediator", &second.link]).program(commands.next().unwrap());
    let bob = bob.start();
    assert_same_result(&finish(vec![host, bob]), &[10, 20]);
}
