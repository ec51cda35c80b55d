//! Unix: the processes below this one, and the terminal's modes.
//!
//! Only Linux tells which processes a program started, and hands on to the supervisor those whose own parent has ended;
//! elsewhere a process group is all there is.

use std::collections::HashMap;
use std::io;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// From now on processes whose parent has ended become children of this process, where the system can do that. So a program
/// cannot lose what it started, not even by a double fork.
pub(crate) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    {
        // A kernel that cannot (before 3.4) leaves the process group.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }
}

/// Asks every process below this one to end (SIGTERM).
pub(crate) fn ask_descendants_to_end() {
    signal_descendants(Signal::TERM);
}

/// Kills every process below this one.
pub(crate) fn kill_descendants() {
    signal_descendants(Signal::KILL);
}

/// Says whether a process below this one still runs. Collects those that have ended, so the caller must have waited for the
/// children that it started itself.
pub(crate) fn has_descendants() -> bool {
    let descendants = descendants();
    for process in descendants.iter().filter(|process| process.ended && process.is_child) {
        let pid = Pid::from_raw(process.pid);
        let _ = pid.map(|pid| rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG));
    }
    descendants.iter().any(|process| !process.ended)
}

fn signal_descendants(signal: Signal) {
    for process in descendants() {
        // It may have ended since.
        let _ = Pid::from_raw(process.pid).map(|pid| kill_process(pid, signal));
    }
}

/// A process below this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: i32,
    /// It is a child of ours, not a grandchild.
    is_child: bool,
    /// It has ended and was not collected yet.
    ended: bool,
}

/// Returns the processes below this one; none where the system does not tell.
fn descendants() -> Vec<Process> {
    let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids =
        folder.flatten().filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()));
    let stats = pids.filter_map(|pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        parse_stat(&stat).map(|(parent, ended)| (pid, parent, ended))
    });
    let own = rustix::process::getpid().as_raw_nonzero().get();
    below(own, &stats.collect::<Vec<_>>())
}

/// Returns those of `(pid, parent, ended)` that are below `own`.
fn below(own: i32, all: &[(i32, i32, bool)]) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<(i32, bool)>> = HashMap::new();
    for (pid, parent, ended) in all {
        children.entry(*parent).or_default().push((*pid, *ended));
    }
    let mut found = Vec::new();
    let mut next = vec![own];
    while let Some(parent) = next.pop() {
        // Taken out, so that a table that changed while it was read cannot make a circle.
        for (pid, ended) in children.remove(&parent).unwrap_or_default() {
            found.push(Process { pid, is_child: parent == own, ended });
            next.push(pid);
        }
    }
    found
}

/// Returns the parent, and whether the process has ended, of `pid (name) state parent ...`. The name may contain anything.
fn parse_stat(stat: &str) -> Option<(i32, bool)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    let state = words.next()?;
    let parent = words.next()?.parse().ok()?;
    Some((parent, matches!(state, "Z" | "X")))
}

/// The modes of the terminal on stdin: echo, line editing and the like.
#[derive(Debug)]
pub(crate) struct TerminalModes(Termios);

impl TerminalModes {
    /// Notes the modes; `None` if stdin is no terminal.
    pub(crate) fn note() -> Option<Self> {
        tcgetattr(io::stdin()).ok().map(Self)
    }

    /// Puts them back, if the terminal is still ours: whoever was put into the background would be stopped for the try.
    pub(crate) fn restore(&self) {
        if tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == getpgrp()) {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_hide_parent_and_state() {
        assert_eq!(parse_stat("7 (python3) S 5 7 7 0"), Some((5, false)));
        assert_eq!(parse_stat("7 (a) Z 1) b) Z 5 7"), Some((5, true)));
        for broken in ["", "7", "7 (x)", "7 (x) S", "7 (x) S five"] {
            assert_eq!(parse_stat(broken), None, "{broken}");
        }
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_others_are_not() {
        let all = [(2, 1, false), (3, 2, false), (4, 3, true), (5, 1, false), (6, 5, false), (7, 2, true)];
        let mut found: Vec<_> = below(2, &all)
            .into_iter()
            .map(|process| (process.pid, process.is_child, process.ended))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [(3, true, false), (4, false, true), (7, true, true)]);
        assert_eq!(below(9, &all), []);
        // A table that was read while pids were used again may have a circle.
        assert_eq!(below(2, &[(2, 3, false), (3, 2, false)]).len(), 2);
    }
}
