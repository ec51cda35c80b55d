//! Why something did not work.

use std::fmt;

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Problem>;

/// Why something did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The other side said no.
    Refused {
        /// The code of its problem report, `abort` or `refused`.
        code: String,
        /// Its sentence for people.
        comment: String,
    },
    /// Another party left the room.
    Left {
        /// Its index.
        index: usize,
        /// The code of its `leave`.
        code: String,
        /// Its sentence for people.
        comment: String,
    },
    /// What came is not what the specification says, or something on this machine failed.
    Broken(String),
}

impl Problem {
    /// Anything but a refusal.
    pub fn broken(why: impl fmt::Display) -> Self {
        Self::Broken(why.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, comment } => write!(f, "refused with {code}: {comment}"),
            Self::Left { index, code, comment } => write!(f, "party {index} left with {code}: {comment}"),
            Self::Broken(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Problem {}
