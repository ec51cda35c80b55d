//! The listener that stands for a later peer: local connections in, streams to the peer out.
//!
//! ```text
//! accept --> silent --[pid = me]--> waiting --[its turn]--> held --[Mesh::open]--> carried
//!               |                      |                      |
//!               +- wrong pid, 17th     +- 5th: reset          +- hung up or open failed: reset
//!                  silent one: reset
//! ```
//!
//! Implements `spec/bridge.md`, "First bytes" and "One at a time".

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::events::{BridgeEvent, Failure, Origin};
use super::hold::{Peer, hold};
use super::leg::{Leg, prepare};
use super::{MAX_SILENT, MAX_WAITING, Mesh};
use crate::first_bytes::Verdict;

/// Pause after a failed accept. It fails while the process is out of file descriptors; without a pause it would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Carried = Pin<Box<dyn Future<Output = ()> + Send>>;
type Judged = Pin<Box<dyn Future<Output = (Leg<TcpStream>, io::Result<Verdict>)> + Send>>;

/// Serves one listener until it is dropped.
pub(super) async fn serve<M: Mesh>(listener: TcpListener, peer: Peer, mesh: Arc<M>) {
    let mut silent: VecDeque<Judged> = VecDeque::new();
    let mut waiting: VecDeque<Leg<TcpStream>> = VecDeque::new();
    let mut carried: Option<Carried> = None;
    loop {
        if carried.is_none()
            && let Some(local) = waiting.pop_front()
        {
            carried = Some(Box::pin(serve_one(local, peer.clone(), Arc::clone(&mesh))));
        }
        tokio::select! {
            // The one in use comes first: it is woken most, and strangers must not slow it down.
            biased;
            () = poll_option(&mut carried) => carried = None,
            (local, verdict) = first_judged(&mut silent) => admit(local, verdict, &peer, &mut waiting),
            stream = accept(&listener, &peer) => {
                let local = Leg::new(stream, Vec::new(), Arc::clone(&peer.totals.down));
                silent.push_back(Box::pin(judged(local, peer.me)));
                if silent.len() > MAX_SILENT {
                    silent.pop_front();
                }
            }
        }
    }
}

async fn accept(listener: &TcpListener, peer: &Peer) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if prepare(&stream).is_ok() {
                    return stream;
                }
            }
            Err(error) => {
                tracing::debug!(peer = peer.index, %error, "cannot accept a local connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Takes a connection whose pid is right into the queue; drops any other, which resets it.
fn admit(
    local: Leg<TcpStream>,
    verdict: io::Result<Verdict>,
    peer: &Peer,
    waiting: &mut VecDeque<Leg<TcpStream>>,
) {
    match verdict {
        Ok(Verdict::Right) if waiting.len() < MAX_WAITING => waiting.push_back(local),
        Ok(Verdict::Right) => peer
            .report_if_room(BridgeEvent::Broken { peer: peer.index, error: Failure::TooMany(Origin::Local) }),
        Ok(Verdict::Wrong { got }) => {
            peer.report_if_room(BridgeEvent::WrongPid { peer: peer.index, got, origin: Origin::Local });
        }
        // It left without a pid: a port scan, or a program that was stopped. Nobody waits for it.
        Ok(Verdict::Incomplete) | Err(_) => {}
    }
}

async fn serve_one<M: Mesh>(mut local: Leg<TcpStream>, peer: Peer, mesh: Arc<M>) {
    match hold(&mut local, mesh.open(peer.index)).await {
        Some(Ok(stream)) => {
            let remote = Leg::new(stream, Vec::new(), Arc::clone(&peer.totals.up));
            peer.carry(local, remote).await;
        }
        Some(Err(error)) => {
            drop(local);
            peer.broken(Failure::Open(error)).await;
        }
        None => peer.broken(Failure::HungUp(Origin::Local)).await,
    }
}

async fn judged(mut local: Leg<TcpStream>, me: usize) -> (Leg<TcpStream>, io::Result<Verdict>) {
    let verdict = local.pid(me).await;
    (local, verdict)
}

/// The first of the silent connections to say something complete, or to end. Never ready when there is none.
async fn first_judged(silent: &mut VecDeque<Judged>) -> (Leg<TcpStream>, io::Result<Verdict>) {
    std::future::poll_fn(|context| {
        for index in 0..silent.len() {
            if let Some(one) = silent.get_mut(index)
                && let Poll::Ready(result) = one.as_mut().poll(context)
            {
                drop(silent.remove(index));
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    })
    .await
}

async fn poll_option(carried: &mut Option<Carried>) {
    match carried {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
