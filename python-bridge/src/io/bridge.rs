//! The bridge of one party in one run.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::bind::{self, BoundListeners};
use super::events::{BridgeError, BridgeEvent, Counts, Failure, Origin};
use super::hold::{Peer, Totals};
use super::incoming::{self, BoxedStream};
use super::{MAX_WAITING, Mesh, outgoing};
use crate::plan::PortPlan;

/// Events kept for a reader that is behind. Past it, connections wait with their news and strangers' news is dropped.
const EVENTS: usize = 256;

/// Choices that a caller rarely makes.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct BridgeOptions {
    /// How long to dial the own MPyC for one stream. `None`: until the stream ends or the bridge is shut down.
    ///
    /// A program that starts MPyC twice may compute for hours in between while a faster party already waits, so the
    /// default is none: who started MPyC knows best when to give up.
    pub dial_deadline: Option<Duration>,
}

impl BridgeOptions {
    /// The same with a deadline for dialling the own MPyC.
    #[must_use]
    pub fn with_dial_deadline(self, deadline: Duration) -> Self {
        Self { dial_deadline: Some(deadline) }
    }
}

/// One party's bridge while it runs. Dropping it, like [`Bridge::shutdown`], resets all connections.
///
/// [`Bridge::bind`], start MPyC with the plan's arguments at any time after it, [`Bridge::start`], give each stream
/// that a peer opened to [`Bridge::incoming`], and read [`Bridge::events`] throughout.
#[derive(Debug)]
pub struct Bridge {
    /// One worker per peer.
    workers: JoinSet<()>,
    peers: Vec<Option<PeerHandle>>,
    events: mpsc::Sender<BridgeEvent>,
    unread: Option<mpsc::Receiver<BridgeEvent>>,
    own_port: u16,
    /// Held for as long as MPyC may listen again: no other bridge takes the port.
    _reservation: bind::Reservation,
}

struct PeerHandle {
    totals: Arc<Totals>,
    /// For an earlier peer: where its streams go.
    streams: Option<mpsc::Sender<BoxedStream>>,
}

impl std::fmt::Debug for PeerHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PeerHandle").field("counts", &self.totals.counts()).finish_non_exhaustive()
    }
}

impl Bridge {
    /// Binds the listeners of party `me` of `m` on 127.0.0.1 and chooses the port of its own MPyC.
    ///
    /// From here on MPyC can be started: what dials a listener early is held. No port of `reserved` is taken. `seed`
    /// chooses where the search begins; give different parties on one machine different ones.
    ///
    /// # Errors
    /// [`BridgeError`] if the numbers make no plan or the system gives no socket or no port.
    // Nothing waits today; a system where binding does would change no caller.
    #[expect(clippy::unused_async, reason = "sockets may only be made inside a runtime, which async says")]
    pub async fn bind(
        me: usize,
        m: usize,
        reserved: &[u16],
        seed: u64,
    ) -> Result<(PortPlan, BoundListeners), BridgeError> {
        bind::bind(me, m, reserved, seed)
    }

    /// Starts to serve the listeners and to take streams, with the default options.
    ///
    /// Must be called inside a tokio runtime with I/O and time enabled.
    pub fn start<M: Mesh>(listeners: BoundListeners, mesh: M) -> Self {
        Self::start_with(listeners, mesh, BridgeOptions::default())
    }

    /// [`Self::start`] with options.
    pub fn start_with<M: Mesh>(listeners: BoundListeners, mesh: M, options: BridgeOptions) -> Self {
        let BoundListeners { plan, listeners, own_port: reservation } = listeners;
        let mesh = Arc::new(mesh);
        let (events, unread) = mpsc::channel(EVENTS);
        let mut workers = JoinSet::new();
        let mut peers = Vec::new();
        let peer = |index| Peer {
            index,
            me: plan.me(),
            totals: Arc::new(Totals::default()),
            events: events.clone(),
        };
        for index in 0..plan.me() {
            let peer = peer(index);
            let (sender, streams) = mpsc::channel(MAX_WAITING);
            peers.push(Some(PeerHandle { totals: Arc::clone(&peer.totals), streams: Some(sender) }));
            let span = tracing::info_span!("bridge", party = index);
            let serving = incoming::serve(streams, peer, plan.own_port(), options.dial_deadline);
            workers.spawn(serving.instrument(span));
        }
        peers.push(None);
        for (index, listener) in listeners {
            let peer = peer(index);
            peers.push(Some(PeerHandle { totals: Arc::clone(&peer.totals), streams: None }));
            let span = tracing::info_span!("bridge", party = index);
            workers.spawn(outgoing::serve(listener, peer, Arc::clone(&mesh)).instrument(span));
        }
        Self {
            workers,
            peers,
            events,
            unread: Some(unread),
            own_port: plan.own_port(),
            _reservation: reservation,
        }
    }

    /// Takes a stream that the authenticated party `peer`, an index below the own one, opened.
    ///
    /// Returns at once; what becomes of the stream is an event. One stream of a peer is carried at a time,
    /// [`MAX_WAITING`] wait for it to end, one more is dropped. A stream of any other peer is dropped.
    pub async fn incoming<S>(&self, peer: usize, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let worker = self.peers.get(peer).and_then(Option::as_ref).and_then(|handle| handle.streams.as_ref());
        let error = match worker.map(|worker| worker.try_send(Box::new(stream))) {
            Some(Ok(())) => return,
            Some(Err(_)) => Failure::TooMany(Origin::Remote),
            None => Failure::Unexpected,
        };
        // A peer can cause these at will, and the caller must not wait for itself to read.
        if self.events.try_send(BridgeEvent::Broken { peer, error }).is_err() {
            tracing::debug!(peer, "bridge event dropped, its reader is behind");
        }
    }

    /// The events, from the beginning; a second call returns a receiver that is closed already.
    ///
    /// Read them for as long as the bridge runs: it keeps 256, then connections wait.
    pub fn events(&mut self) -> mpsc::Receiver<BridgeEvent> {
        self.unread.take().unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// What went over the bridge to `peer` so far; zeros for the own index and for no party of the run.
    #[must_use]
    pub fn counts(&self, peer: usize) -> Counts {
        let handle = self.peers.get(peer).and_then(Option::as_ref);
        handle.map(|handle| handle.totals.counts()).unwrap_or_default()
    }

    /// Says whether the own MPyC listens, which it does while its runtime starts and waits for earlier parties. `None` where the
    /// system cannot tell.
    #[must_use]
    pub fn is_mpyc_listening(&self) -> Option<bool> {
        bind::is_listened_on(self.own_port)
    }

    /// Stops: closes the listeners and resets every connection. When it returns, all ports are free again.
    pub async fn shutdown(mut self) {
        self.workers.shutdown().await;
    }
}
