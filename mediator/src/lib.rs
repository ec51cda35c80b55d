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

pub use io::{Config, ServeArgs, ServeError, Server, serve_command};
