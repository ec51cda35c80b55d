//! Unix: lines of the terminal, read without keeping them from whoever reads it next.

use std::io::{self, PipeReader};
use std::os::fd::AsFd as _;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;

/// Longest line that is taken, in bytes: a yes, a no, a letter. The terminal itself gives no more than 4096.
const MAX_LINE: usize = 256;

/// Pause before the terminal is looked at again while another job has it.
const OTHERS: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Hands the lines that are typed to `take` until it returns `false`, `stop` is closed at its other end, or the terminal is gone.
///
/// Nothing is read before a whole line is there, so this never stands in a read when it is to end; and nothing while the command is
/// in the background: the line is then another job's, and the system stops a job that reads it.
pub(crate) fn read_typed(stop: &PipeReader, mut take: impl FnMut(String) -> bool) {
    let stdin = io::stdin();
    let mut is_ours = true;
    loop {
        let mut ends =
            [PollFd::new(stop, PollFlags::IN), PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
        let (waited, timeout) =
            if is_ours { (ends.as_mut_slice(), None) } else { (&mut ends[..1], Some(&OTHERS)) };
        match poll(waited, timeout) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        let [stopped, typed] = ends.map(|end| end.revents());
        if !stopped.is_empty() || typed.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return;
        }
        is_ours = tcgetpgrp(stdin.as_fd()).is_ok_and(|foreground| foreground == getpgrp());
        if !is_ours || !typed.contains(PollFlags::IN) {
            continue;
        }
        let mut line = [0; MAX_LINE];
        match rustix::io::read(stdin.as_fd(), &mut line) {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                let line = String::from_utf8_lossy(line.get(..count).unwrap_or_default());
                if !take(line.trim().to_owned()) {
                    return;
                }
            }
        }
    }
}

/// Reads a line of stdin of at most `limit` bytes, its end included, and nothing behind it: that is for whoever reads next. `None` at
/// the end of the file.
pub(crate) fn read_line(limit: usize) -> Option<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < limit && line.last() != Some(&b'\n') {
        match rustix::io::read(io::stdin().as_fd(), &mut byte) {
            Ok(0) => break,
            Ok(_) => line.extend(byte),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned())
}
