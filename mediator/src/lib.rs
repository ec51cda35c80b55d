//! The mediator: DIDComm mailbox and blind relay of session records.
//!
//! ```text
//! io     clocks, sockets, keys, files     Server, serve_command
//! core   accounts, mail, circuits         Mediator: handle, poll, next_for
//! store  queued mail                      MailStore, MemoryStore
//! ```
//!
//! The binary `didagent-mediator` and the agent's `mediator serve` are both [`serve_command`]; a program that wants a mediator
//! inside itself uses [`Server`].
//!
//! TLS is left to a proxy in front, which also sees the clients' addresses: bind to the loopback interface and give the
//! proxy's address as public URL.

pub mod core;
pub mod io;
pub mod store;

/// Entry points for fuzz targets.
#[doc(hidden)]
pub mod fuzzing {
    /// Tells after how many bytes the head of an HTTP request is complete when it comes in pieces of `piece` bytes.
    pub fn head_ends(head: &[u8], piece: usize) -> Option<usize> {
        crate::io::head::head_ends(head, piece)
    }

    /// Tells whether the head of an HTTP request asks for a WebSocket.
    pub fn wants_websocket(head: &[u8]) -> bool {
        crate::io::head::wants_websocket(head)
    }
}

pub use io::{Config, ServeArgs, ServeError, Server, serve_command};
