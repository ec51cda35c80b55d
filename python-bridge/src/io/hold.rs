//! Joining two legs: hold the side that dialled until the other one is there, then carry both directions.
//!
//! Implements `spec/bridge.md`, "Hold" and "Carry".

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::events::{BridgeEvent, Counts, Failure};
use super::leg::{BUFFER, Leg, end_in_order};

/// What all connections of one peer share.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) index: usize,
    pub(super) me: usize,
    pub(super) totals: Arc<Totals>,
    pub(super) events: mpsc::Sender<BridgeEvent>,
}

/// The running form of [`Counts`].
#[derive(Default)]
pub(super) struct Totals {
    connections: AtomicU64,
    pub(super) up: Arc<AtomicU64>,
    pub(super) down: Arc<AtomicU64>,
}

impl Totals {
    pub(super) fn counts(&self) -> Counts {
        Counts {
            connections: self.connections.load(Ordering::Relaxed),
            bytes_up: self.up.load(Ordering::Relaxed),
            bytes_down: self.down.load(Ordering::Relaxed),
        }
    }
}

impl Peer {
    /// Reports what became of a connection. Waits while the reader of the events is behind.
    pub(super) async fn report(&self, event: BridgeEvent) {
        // Nobody listening is the caller's choice.
        let _ = self.events.send(event).await;
    }

    /// Reports what strangers can cause at will: dropped when the reader of the events is behind.
    pub(super) fn report_if_room(&self, event: BridgeEvent) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            tracing::debug!(?event, "bridge event dropped, its reader is behind");
        }
    }

    pub(super) async fn broken(&self, error: Failure) {
        self.report(BridgeEvent::Broken { peer: self.index, error }).await;
    }

    /// Carries both directions until each has ended with FIN, or one side fails. Reports start and end.
    ///
    /// On failure both legs are dropped, which resets both.
    pub(super) async fn carry<S>(&self, local: Leg<TcpStream>, remote: Leg<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let number = self.totals.connections.fetch_add(1, Ordering::Relaxed) + 1;
        // The span tells the reader of a log which of a peer's connections it is.
        self.join(local, remote).instrument(tracing::debug_span!("stream", number)).await;
    }

    async fn join<S>(&self, mut local: Leg<TcpStream>, mut remote: Leg<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        tracing::debug!("connected");
        self.report(BridgeEvent::Connected { peer: self.index }).await;
        let carried = copy_bidirectional_with_sizes(&mut local, &mut remote, BUFFER, BUFFER)
            .await
            .and_then(|bytes| end_in_order(local.inner()).map(|()| bytes));
        let event = match carried {
            Ok((bytes_up, bytes_down)) => BridgeEvent::Finished { peer: self.index, bytes_up, bytes_down },
            Err(error) if remote.failed() => {
                BridgeEvent::Broken { peer: self.index, error: Failure::Remote(error) }
            }
            Err(error) => BridgeEvent::Broken { peer: self.index, error: Failure::Local(error) },
        };
        tracing::debug!(?event, "ended");
        // First the sockets, then the news: who hears of the end may rely on it.
        drop((local, remote));
        self.report(event).await;
    }
}

/// How long a dial that is under way when the dialler hangs up may take: it takes microseconds on loopback, and less than the pause
/// between two dials, so nobody is dialled anew.
const UNDER_WAY: Duration = Duration::from_millis(20);

/// Waits for the other side of `dialler`, which is held open and may send up to [`BUFFER`] bytes meanwhile.
///
/// `None` if `dialler` hangs up first: then nobody needs the other side any more, and a restarted program must not wait
/// behind a dead one.
pub(super) async fn hold<S, T>(
    dialler: &mut Leg<S>,
    other: impl Future<Output = io::Result<T>>,
) -> Option<io::Result<T>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut other = std::pin::pin!(other);
    tokio::select! {
        // Both may be ready at once; then the dialler's end is carried over like any other.
        biased;
        result = &mut other => return Some(result),
        () = dialler.until_hung_up() => {}
    }
    // MPyC may have taken the connection already, and would see it close without a byte. Whoever wrote and closed in one
    // breath has a right to be heard besides.
    tokio::time::timeout(UNDER_WAY, other).await.ok()
}
