//! The agent: one party's engine and command line.
//!
//! ```text
//! invite --> connect --> handshake --> session --> stream --> bridge
//! ```
//!
//! * [`core`]: what happens to identity, invitation, room and sessions; no clock, no socket, no file.
//! * [`io`]: the loop, the websocket, files, processes: everything that touches the world.
//! * [`cli`]: the command line and the screens.
//!
//! Not its concern: bytes of sessions (`didagent_session`), envelopes and DIDs (`didagent_didcomm`), what MPyC needs on
//! local ports (`didagent_bridge`), other people's mail (`didagent_mediator`).

pub mod cli;
pub mod core;
pub mod failure;
pub mod io;
pub mod report;
