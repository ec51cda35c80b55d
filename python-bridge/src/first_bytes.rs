//! The check of the first bytes of a connection: who does the dialler say it is?
//!
//! Implements `spec/bridge.md`, "First bytes". MPyC's dialler begins with its pid, and MPyC's listener believes it. So
//! the bridge compares:
//!
//! ```text
//! stream from the authenticated party j --[pid = j?]--> own MPyC
//! local connection to the listener of a peer --[pid = me?]--> stream
//! ```
//!
//! The bytes that follow are PRSS keys in clear. They are never looked at.
//!
//! Not its concern: who party j is. That was proved when the stream's session was established.

/// Length of the pid at the start of a connection, in bytes. MPyC writes it little endian.
pub const PID_LENGTH: usize = 2;

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Fewer than [`PID_LENGTH`] bytes have come: nothing may be forwarded yet.
    Incomplete,
    /// The pid is the expected one.
    Right,
    /// The pid is another one: the connection must be closed.
    Wrong {
        /// The pid that came.
        got: u16,
    },
}

/// Compares the start of a connection with the pid that must be there; `so_far` may be longer than the pid.
///
/// ```
/// use didagent_bridge::first_bytes::{Verdict, judge};
///
/// assert_eq!(judge(&[2], 2), Verdict::Incomplete);
/// assert_eq!(judge(&[2, 0, 0xff], 2), Verdict::Right);
/// assert_eq!(judge(&[0, 2], 2), Verdict::Wrong { got: 512 });
/// ```
#[must_use]
pub fn judge(so_far: &[u8], expected: usize) -> Verdict {
    let Some(pid) = so_far.first_chunk::<PID_LENGTH>() else {
        return Verdict::Incomplete;
    };
    let got = u16::from_le_bytes(*pid);
    if usize::from(got) == expected { Verdict::Right } else { Verdict::Wrong { got } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pid_matches_itself_alone() {
        for expected in [0_u16, 1, 2, 255, 256, 65_535] {
            for got in 0..=u16::MAX {
                let verdict = judge(&got.to_le_bytes(), usize::from(expected));
                assert_eq!(verdict == Verdict::Right, got == expected);
                assert!(verdict == Verdict::Right || verdict == Verdict::Wrong { got });
            }
        }
    }

    #[test]
    fn truncated_pids_are_incomplete_and_later_bytes_do_not_count() {
        assert_eq!(judge(&[], 0), Verdict::Incomplete);
        assert_eq!(judge(&[0], 0), Verdict::Incomplete);
        assert_eq!(judge(&[0, 0, 9, 9], 0), Verdict::Right);
    }

    #[test]
    fn an_index_beyond_two_bytes_never_matches() {
        assert_eq!(judge(&[0, 0], 65_536), Verdict::Wrong { got: 0 });
    }
}
