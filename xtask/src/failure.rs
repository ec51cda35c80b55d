//! Why a chore failed, and the exit code that says so.

use std::fmt::{Display, Formatter};

/// A chore's result.
pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

/// Why a chore failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// 1 for a check that failed, 2 for usage or something that must be installed first.
    pub(crate) exit: u8,
    message: String,
}

impl Failure {
    /// A check failed.
    pub(crate) fn check(message: impl Into<String>) -> Self {
        Self { exit: 1, message: message.into() }
    }

    /// The command line is wrong, or something must be installed first.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: 2, message: message.into() }
    }

    /// Adds a line.
    pub(crate) fn and(self, line: &str) -> Self {
        Self { message: format!("{}\n{line}", self.message), ..self }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// Says what an operating system's error was about.
pub(crate) trait About<T> {
    /// Names what was tried.
    fn about(self, what: impl Display) -> Result<T>;
}

impl<T, E: Display> About<T> for std::result::Result<T, E> {
    fn about(self, what: impl Display) -> Result<T> {
        self.map_err(|error| Failure::check(format!("cannot {what}: {error}")))
    }
}
