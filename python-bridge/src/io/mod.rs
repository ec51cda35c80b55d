//! The listeners, dials and pumps: everything of this crate that touches the system.
#![expect(
    clippy::disallowed_methods,
    reason = "the sockets, files, tasks and clocks of this crate live here"
)]

mod bind;
mod bridge;
mod events;
mod hold;
mod incoming;
mod leg;
mod outgoing;
mod program;

use std::future::Future;

use tokio::io::{AsyncRead, AsyncWrite};

pub use bind::BoundListeners;
pub use bridge::{Bridge, BridgeOptions};
pub use events::{BridgeError, BridgeEvent, Counts, Failure, Origin};
pub use program::resolve;

/// How many further connections of one peer wait while one is carried, for each direction of dialling.
///
/// MPyC uses one at a time; the next one may arrive before the last bytes of the previous one are through. More than a
/// few is nobody's MPyC.
pub const MAX_WAITING: usize = 4;

/// How many local connections that have not yet said their pid are kept for each listener.
///
/// MPyC says it at once. When one more connects, the one that has been silent longest is closed, so a local stranger who
/// connects and says nothing cannot keep MPyC out, however often it connects. There is no timer: a computer that slept
/// would close its own MPyC's connection, which is fatal to MPyC.
pub const MAX_SILENT: usize = 16;

/// The streams to the other parties, as the bridge asks for them.
pub trait Mesh: Send + Sync + 'static {
    /// A stream to one authenticated party.
    ///
    /// `shutdown` is FIN: no more bytes in this direction, the other one goes on. Dropping it before `shutdown` is
    /// done *and* the peer's FIN was read is RESET. A read or write error is the peer's RESET or a lost path; after the
    /// peer's FIN only writes can report one. It must exert back-pressure: a write is pending while the peer does not
    /// read.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Opens a stream to party `peer`, an index above the own one, and completes when the peer's side accepted it.
    ///
    /// The local connection is held open meanwhile, for as long as it takes. An error is final: that connection is
    /// reset, and MPyC does not survive it. So wait for a peer that may still come. Dropped when MPyC hangs up first.
    fn open(&self, peer: usize) -> impl Future<Output = std::io::Result<Self::Stream>> + Send;
}
