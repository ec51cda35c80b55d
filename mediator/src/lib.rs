//! The mediator: DIDComm mailbox and blind relay of session records.
//!
//! ```text
//! io     clocks, sockets, keys, files     Server, serve_command: WebSocket and HTTP
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
    use crate::io::http::body::{Body, Length};
    use crate::io::http::head;

    /// Tells after how many bytes the head of an HTTP request is complete when it comes in pieces of `piece` bytes.
    pub fn head_ends(head: &[u8], piece: usize) -> Option<usize> {
        head::head_ends(head, piece)
    }

    /// Reads a complete head: whether it is a request that is served, and where its body begins.
    pub fn head_is_served(head: &[u8]) -> Option<usize> {
        head::parse(head).ok().map(|(_, ends)| ends)
    }

    /// Reads a body in chunks of at most `limit` bytes that comes in pieces of `piece` bytes: its content and how many bytes it
    /// took, if it was complete.
    pub fn chunked_body(bytes: &[u8], limit: usize, piece: usize) -> Option<(Vec<u8>, usize)> {
        let mut body = Body::new(Length::Chunked, limit);
        let mut taken = 0;
        for piece in bytes.chunks(piece.max(1)) {
            taken += body.push(piece).ok()?;
        }
        body.is_complete().then(|| (body.content().to_vec(), taken))
    }
}

pub use io::{Config, ServeArgs, ServeError, Server, serve_command};
