//! What the end-to-end tests share: the processes that people start, as people start them.
//!
//! * [`process`]: any child process: its lines, its exit code, an end with the test.
//! * [`foreigner`]: somebody who writes messages by hand.
//! * [`mediator`]: `didagent mediator serve`.
//! * [`clock`]: processes whose clock is wrong.
//! * [`golden`]: what screens must show, word for word, and [`scene`]: for every number of parties; [`terminal`]: a person at one.
//! * [`lasting`]: a mediator that is restarted.
//! * [`traces`]: what of a home is found in bytes that others got.
//! * [`hostile`]: something else at the address of a mediator; [`fake_mediator`]: one that speaks DIDComm.
//! * [`party`]: `didagent invite` and `didagent join`, their events and how they ended.
//! * [`stage`]: a folder, a mediator and the parties of one test.
//! * [`proxy`]: what an eavesdropper between agents and mediator sees.
//! * [`demo`]: `didagent demo`, and that it leaves nothing.
//! * [`room`]: parties at screens.
//! * [`schema`]: the JSON schemas of `spec/schemas`.
//! * [`site`]: a web site with a certificate.
//! * [`system`]: questions to the operating system: processes, listening ports, own addresses.
//! * [`transcripts`]: `didagent verify`.
//! * [`wires`]: parties whose programs are the test itself.
//!
//! Variables of the environment name what the tests cannot bring along. A test that needs one fails without it.
//!
//! | variable | names |
//! |---|---|
//! | `DIDAGENT_TEST_PYTHON` | a Python interpreter with MPyC 0.11 |
//! | `DIDAGENT_TEST_PYTHON_BARE` | a Python interpreter without MPyC |
//! | `DIDAGENT_TEST_PYTHON_NUMPY` | a Python interpreter with MPyC 0.11 and numpy |
//! | `DIDAGENT_NULL_CIPHER_BIN` | a `didagent` built with the feature `null-cipher` |
#![allow(dead_code, unreachable_pub, reason = "every test file uses its part")]

pub mod clock;
pub mod demo;
pub mod fake_mediator;
pub mod foreigner;
pub mod golden;
pub mod hostile;
pub mod lasting;
pub mod mediator;
pub mod party;
pub mod process;
pub mod proxy;
pub mod room;
pub mod scene;
pub mod schema;
pub mod site;
pub mod stage;
pub mod system;
pub mod terminal;
pub mod town;
pub mod traces;
pub mod transcripts;
pub mod wires;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long anything may take that should happen. Only a failing test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Pause between two looks at something that gives no notice.
const LOOK: Duration = Duration::from_millis(10);

/// The binary under test.
pub fn didagent() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_didagent"))
}

/// A Python interpreter with MPyC.
pub fn python() -> OsString {
    from_environment("DIDAGENT_TEST_PYTHON", "a Python interpreter with MPyC 0.11")
}

/// A Python interpreter with MPyC and numpy.
pub fn python_with_numpy() -> OsString {
    from_environment("DIDAGENT_TEST_PYTHON_NUMPY", "a Python interpreter with MPyC 0.11 and numpy")
}

/// A Python interpreter without MPyC.
pub fn python_without_mpyc() -> OsString {
    from_environment("DIDAGENT_TEST_PYTHON_BARE", "a Python interpreter without MPyC")
}

/// A folder with MPyC 0.9.
pub fn old_mpyc() -> PathBuf {
    from_environment("DIDAGENT_TEST_OLD_MPYC", "a folder with MPyC 0.9").into()
}

/// A `didagent` that encrypts nothing.
pub fn null_cipher_didagent() -> PathBuf {
    from_environment("DIDAGENT_NULL_CIPHER_BIN", "a didagent built with the feature null-cipher").into()
}

fn from_environment(variable: &str, what: &str) -> OsString {
    let value = std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} must name {what}"));
    assert!(Path::new(&value).exists(), "{variable} must name {what}; there is no {}", value.display());
    value
}

/// The demo's program: everybody's average.
pub fn average() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../python-bridge/python/didagent/programs/average.py")
}

/// A program of these tests, from `tests/programs`.
pub fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name);
    assert!(path.is_file(), "there is no {}", path.display());
    path
}

/// A command line of Python, a program, and its arguments.
pub fn python_command(program: &Path, arguments: &[&str]) -> Vec<OsString> {
    let mut command = vec![python(), program.into()];
    command.extend(arguments.iter().map(OsString::from));
    command
}

/// A command line like that of [`python_command`], for a party that does something else than others on purpose.
pub fn role(program_of_it: &Path, arguments: &[&str]) -> Vec<OsString> {
    let mut command = vec![python(), program("role.py").into(), program_of_it.into()];
    command.extend(arguments.iter().map(OsString::from));
    command
}

/// The commands of parties that run different programs on purpose, as one program to each other: see `programs/role.py`.
pub fn roles(commands: Vec<Vec<OsString>>) -> Vec<Vec<OsString>> {
    let python = python();
    let is_python = |command: &Vec<OsString>| command.first() == Some(&python);
    let programs: std::collections::BTreeSet<_> =
        commands.iter().filter(|command| is_python(command)).map(|command| command[1].clone()).collect();
    if programs.len() < 2 {
        return commands;
    }
    let role = |mut command: Vec<OsString>| {
        if is_python(&command) {
            command.insert(1, program("role.py").into());
        }
        command
    };
    commands.into_iter().map(role).collect()
}

/// Looks again and again at something that gives no notice when it changes, until `condition` holds.
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(holds_within(PATIENCE, condition), "not within {PATIENCE:?}: {what}");
}

/// Like [`until`], with a limit that is itself under test.
pub fn holds_within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(LOOK);
    }
}
