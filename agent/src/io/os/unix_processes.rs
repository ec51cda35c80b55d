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

/// Names the process with whose end a `didagent` ends too; set by a demo for those that it starts.
pub(crate) const END_WITH: &str = "DIDAGENT_END_WITH";

/// Asks the system to end this process (SIGTERM) when the one that the environment names, its parent, ends in whatever way.
/// Programs that this one starts inherit the variable, and are not meant: they have another parent.
pub(crate) fn end_with_parent() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getppid, set_parent_process_death_signal};
        let named = std::env::var(END_WITH).ok().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        if named.is_some() && named == getppid() {
            // A system that cannot leaves us as we are.
            let _ = set_parent_process_death_signal(Some(Signal::TERM));
            if named != getppid() {
                // It ended before the system knew.
                std::process::exit(1);
            }
        }
    }
}

/// Which processes below this one are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Below {
    /// All of them.
    All,
    /// Those of one process group, by its number.
    Group(i32),
}

/// Returns the number of the process group of the process `pid`, which is our own child.
pub(crate) fn group_of(pid: u32) -> Option<Below> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let group = rustix::process::getpgid(Some(pid?)).ok()?;
    Some(Below::Group(group.as_raw_nonzero().get()))
}

/// Asks these processes to end (SIGTERM).
pub(crate) fn ask_to_end_below(which: Below) {
    signal_below(which, Signal::TERM);
}

/// Kills these processes.
pub(crate) fn kill_below(which: Below) {
    signal_below(which, Signal::KILL);
}

/// Says whether one of these processes still runs. Collects those that have ended, so the caller must have waited for the children
/// that it started itself.
pub(crate) fn is_any_below(which: Below) -> bool {
    let descendants = descendants();
    for process in descendants.iter().filter(|process| process.ended && process.is_child) {
        let pid = Pid::from_raw(process.pid);
        let _ = pid.map(|pid| rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG));
    }
    descendants.iter().any(|process| !process.ended && process.is_meant(which))
}

fn signal_below(which: Below, signal: Signal) {
    for process in descendants().into_iter().filter(|process| process.is_meant(which)) {
        // It may have ended since.
        let _ = Pid::from_raw(process.pid).map(|pid| kill_process(pid, signal));
    }
}

/// A process below this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: i32,
    group: i32,
    /// It is a child of ours, not a grandchild.
    is_child: bool,
    /// It has ended and was not collected yet.
    ended: bool,
}

impl Process {
    fn is_meant(&self, which: Below) -> bool {
        match which {
            Below::All => true,
            Below::Group(group) => self.group == group,
        }
    }
}

/// What the system tells of any process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: i32,
    group: i32,
    ended: bool,
}

/// Returns the processes below this one; none where the system does not tell.
fn descendants() -> Vec<Process> {
    let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids =
        folder.flatten().filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()));
    let stats = pids.filter_map(|pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, parse_stat(&stat)?))
    });
    let own = rustix::process::getpid().as_raw_nonzero().get();
    below(own, stats)
}

/// Returns those processes that are below `own`.
fn below(own: i32, all: impl IntoIterator<Item = (i32, Stat)>) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<(i32, Stat)>> = HashMap::new();
    for (pid, stat) in all {
        children.entry(stat.parent).or_default().push((pid, stat));
    }
    let mut found = Vec::new();
    let mut next = vec![own];
    while let Some(parent) = next.pop() {
        // Taken out, so that a table that changed while it was read cannot make a circle.
        for (pid, Stat { group, ended, .. }) in children.remove(&parent).unwrap_or_default() {
            found.push(Process { pid, group, is_child: parent == own, ended });
            next.push(pid);
        }
    }
    found
}

/// Reads `pid (name) state parent group ...`. The name may contain anything.
fn parse_stat(stat: &str) -> Option<Stat> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    let state = words.next()?;
    let parent = words.next()?.parse().ok()?;
    let group = words.next()?.parse().ok()?;
    Some(Stat { parent, group, ended: matches!(state, "Z" | "X") })
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
    fn a_name_with_parentheses_does_not_hide_what_follows() {
        let stat = |parent, group, ended| Some(Stat { parent, group, ended });
        assert_eq!(parse_stat("7 (python3) S 5 6 7 0"), stat(5, 6, false));
        assert_eq!(parse_stat("7 (a) Z 1) b) Z 5 7"), stat(5, 7, true));
        for broken in ["", "7", "7 (x)", "7 (x) S", "7 (x) S five 5", "7 (x) S 5", "7 (x) S 5 x"] {
            assert_eq!(parse_stat(broken), None, "{broken}");
        }
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_others_are_not() {
        let all = [(2, 1, false), (3, 2, false), (4, 3, true), (5, 1, false), (6, 5, false), (7, 2, true)];
        let all = all.map(|(pid, parent, ended)| (pid, Stat { parent, group: 1, ended }));
        let mut found: Vec<_> =
            below(2, all).into_iter().map(|process| (process.pid, process.is_child, process.ended)).collect();
        found.sort_unstable();
        assert_eq!(found, [(3, true, false), (4, false, true), (7, true, true)]);
        assert_eq!(below(9, all), []);
        // A table that was read while pids were used again may have a circle.
        let stat = |parent| Stat { parent, group: 1, ended: false };
        assert_eq!(below(2, [(2, stat(3)), (3, stat(2))]).len(), 2);
    }
}
