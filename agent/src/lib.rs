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

/// Writes a line to stderr. The standard macro of this name panics when nobody reads stderr any more, as behind `2>&1 | head -1`
/// or after a terminal was closed, and a panic would end the run of everybody; here the line is lost and nothing else.
macro_rules! eprintln {
    ($($words:tt)*) => {
        // Nobody is left to tell.
        drop(::std::io::Write::write_fmt(&mut ::std::io::stderr(), format_args!("{}\n", format_args!($($words)*))))
    };
}

/// Writes a line to stdout; as [`eprintln`].
macro_rules! println {
    ($($words:tt)*) => {
        drop(::std::io::Write::write_fmt(&mut ::std::io::stdout(), format_args!("{}\n", format_args!($($words)*))))
    };
}

pub mod cli;
pub mod core;
pub mod failure;
pub mod io;
pub mod report;
