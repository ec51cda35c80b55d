//! Processes whose clock is wrong, by libfaketime: the real binary, with another answer to the question what time it is.

use std::path::PathBuf;
use std::process::Command;

use super::party::Agent;

/// Where Debian puts the library, below the folder of the machine's kind.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// What makes a process's clock wrong by so many seconds. Durations and timers stay right.
fn variables(seconds: i64) -> [(&'static str, String); 3] {
    let mut kinds = std::fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path().join(LIBRARY));
    let library: PathBuf = kinds
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("libfaketime is not installed: sudo apt-get install -y libfaketime"));
    [
        ("LD_PRELOAD", library.to_str().unwrap().to_owned()),
        ("FAKETIME", format!("{seconds:+}")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

/// Makes a command's clock wrong.
pub fn shift(command: &mut Command, seconds: i64) {
    command.envs(variables(seconds));
}

impl Agent {
    /// Makes its clock wrong by so many seconds.
    pub fn clock(self, seconds: i64) -> Self {
        variables(seconds).into_iter().fold(self, |agent, (name, value)| agent.variable(name, value))
    }
}
