//! `didagent demo`, and what it leaves behind.

use std::path::Path;
use std::process::{Command, Stdio};

use super::party::bare;
use super::system::processes_that_know;
use super::{didagent, python};

/// A demo whose temporary files go to `folder`.
pub fn demo(folder: &Path, words: &[&str]) -> Command {
    let mut command = bare(&didagent());
    command
        .arg("demo")
        .args(words)
        .env("DIDAGENT_PYTHON", python())
        .env("TMPDIR", folder)
        .stdin(Stdio::null());
    command
}

/// Fails if a demo whose temporary files went to `folder` left a file or a process.
pub fn assert_nothing_is_left(folder: &Path) {
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "files are left: {left:?}");
    // Every process of the demo has the folder in its environment.
    let left = processes_that_know(folder);
    assert!(left.is_empty(), "processes are left: {left:#?}");
}
