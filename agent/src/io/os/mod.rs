//! What differs between operating systems. No type of one system appears in an interface.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod unix_processes;
#[cfg(unix)]
mod unix_typed;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(unix)]
pub(crate) use unix_processes::*;
#[cfg(unix)]
pub(crate) use unix_typed::*;

#[cfg(not(unix))]
compile_error!("io/os has no module for this operating system yet");
