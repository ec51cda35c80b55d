//! What differs between operating systems: files that only the owner reads, and being asked to stop.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::{create_private, is_private, stop_requested};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::{create_private, is_private, stop_requested};
