//! Clocks, sockets, keys and files of the mediator.
//!
//! ```text
//! accept -> http -+-> a page, or a message by POST -> open envelope -> core -> seal the answer
//!                 \-> WebSocket -> read: open envelope -> core.handle
//!                                  write: core.next_for -> seal envelope -> send
//! ```
//!
//! Envelopes are opened and sealed outside the lock around the core; under it there is no cryptography and no waiting.
#![expect(clippy::disallowed_methods, reason = "clocks, sockets, files and tasks live here")]
#![expect(clippy::disallowed_types, reason = "the system's random generator lives here")]

mod args;
mod engine;
pub(crate) mod http;
mod keys;
mod os;
mod server;
mod socket;

pub use args::{ServeArgs, serve_command};
pub use keys::KeyError;
pub use server::{Config, ServeError, Server};

use rand_core::UnwrapErr;

/// The system's random generator.
type SystemRng = UnwrapErr<getrandom::SysRng>;

/// Returns the system's random generator. It panics if the operating system cannot provide randomness, without which
/// nothing here is safe to continue.
fn rng() -> SystemRng {
    UnwrapErr(getrandom::SysRng)
}
