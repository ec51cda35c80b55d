//! What a bridge reports, and its errors.

use std::fmt;
use std::io;

use crate::plan::PlanError;

/// A bridge that cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The indices make no plan: the caller's numbers are wrong.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The system refused a socket for a reason other than a port in use.
    #[error("cannot open a local socket")]
    Socket(#[source] io::Error),
    /// No free port was found.
    #[error("no free local port from {} to {}", crate::plan::PORTS.start, crate::plan::PORTS.end - 1)]
    NoFreePort,
}

/// The side of the bridge on which something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A TCP connection on this machine: MPyC, or somebody else on loopback.
    Local,
    /// The stream to the other party.
    Remote,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Local => "local",
            Self::Remote => "remote",
        })
    }
}

/// Why one connection did not end with a FIN in each direction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The local connection failed or was reset: MPyC stopped.
    #[error("the local MPyC broke the connection")]
    Local(#[source] io::Error),
    /// The stream failed or was reset: the other party's MPyC, bridge or path is gone.
    #[error("the stream to the party broke")]
    Remote(#[source] io::Error),
    /// The stream to the party could not be opened.
    #[error("the stream to the party could not be opened")]
    Open(#[source] io::Error),
    /// The own MPyC's port could not be dialled, for a reason other than MPyC not listening yet.
    #[error("the own MPyC could not be dialled")]
    Dial(#[source] io::Error),
    /// The own MPyC did not listen before the deadline ([`super::BridgeOptions::dial_deadline`]).
    #[error("the own MPyC did not listen in time")]
    NotListening,
    /// The dialling side hung up before the other side was there.
    #[error("the {0} side hung up before the connection stood")]
    HungUp(Origin),
    /// More than [`super::MAX_WAITING`] further connections of one peer.
    #[error("too many connections at once from the {0} side")]
    TooMany(Origin),
    /// A stream came from a party that this party dials, or from no party of the run.
    #[error("a stream from a party that does not dial this one")]
    Unexpected,
}

/// Something that happened on a bridge. Each connection that a peer and MPyC both held yields one `Connected`, then one
/// `Finished` or `Broken`. `Broken` alone is a connection that never stood.
#[derive(Debug)]
#[non_exhaustive]
pub enum BridgeEvent {
    /// MPyC and the stream to the party are joined.
    Connected {
        /// The party at the other end.
        peer: usize,
    },
    /// A connection began with a pid that is not the dialler's. It was closed; nothing of it was forwarded.
    WrongPid {
        /// The party that the stream comes from, or that the listener stands for.
        peer: usize,
        /// The pid that came.
        got: u16,
        /// `Local`: a program on this machine that is not our MPyC. `Remote`: the party's MPyC runs under another index,
        /// or the party cheats.
        origin: Origin,
    },
    /// A connection ended with a FIN in each direction.
    Finished {
        /// The party at the other end.
        peer: usize,
        /// Bytes from MPyC to the party in this connection, its pid and keys included.
        bytes_up: u64,
        /// Bytes from the party to MPyC in this connection.
        bytes_down: u64,
    },
    /// A connection ended in another way.
    Broken {
        /// The party at the other end.
        peer: usize,
        /// What happened, on which side.
        error: Failure,
    },
}

/// What went over the bridge to one peer, in all its connections so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections that stood.
    pub connections: u64,
    /// Bytes from MPyC to the party.
    pub bytes_up: u64,
    /// Bytes from the party to MPyC.
    pub bytes_down: u64,
}
