//! The streams of an earlier peer: streams in, dials to the own MPyC out.
//!
//! ```text
//! queue --[its turn]--> pid = peer? --> held --[MPyC listens]--> carried
//!   |                     |               |
//!   +- 6th: dropped       +- reset        +- hung up, deadline: reset
//! ```
//!
//! Implements `spec/bridge.md`, "First bytes", "Dial" and "One at a time".

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::events::{BridgeEvent, Failure, Origin};
use super::hold::{Peer, hold};
use super::leg::{Leg, prepare};
use crate::first_bytes::Verdict;

/// Pause between two dials of the own MPyC, which listens only while its runtime starts.
///
/// MPyC itself retries every 100 ms; a dial on loopback costs some 50 us.
const DIAL_PAUSE: Duration = Duration::from_millis(50);

/// A stream of any kind, so that the bridge is no generic type.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A stream on its way to its peer's worker.
pub(super) type BoxedStream = Box<dyn Duplex>;

/// Serves the streams of one earlier peer, one after the other.
pub(super) async fn serve(
    mut streams: mpsc::Receiver<BoxedStream>,
    peer: Peer,
    own_port: u16,
    deadline: Option<Duration>,
) {
    while let Some(stream) = streams.recv().await {
        serve_one(stream, &peer, own_port, deadline).await;
    }
}

async fn serve_one(stream: BoxedStream, peer: &Peer, own_port: u16, deadline: Option<Duration>) {
    let mut remote = Leg::new(stream, Vec::new(), Arc::clone(&peer.totals.up));
    match remote.pid(peer.index).await {
        Ok(Verdict::Right) => {}
        Ok(Verdict::Wrong { got }) => {
            drop(remote);
            let event = BridgeEvent::WrongPid { peer: peer.index, got, origin: Origin::Remote };
            // A party can cause these at will, and must hold nobody up.
            return peer.report_if_room(event);
        }
        Ok(Verdict::Incomplete) => return peer.broken(Failure::HungUp(Origin::Remote)).await,
        Err(error) => return peer.broken(Failure::Remote(error)).await,
    }
    let error = match hold(&mut remote, dial_before(own_port, deadline)).await {
        Some(Ok(local)) => {
            let local = Leg::new(local, Vec::new(), Arc::clone(&peer.totals.down));
            return peer.carry(local, remote).await;
        }
        Some(Err(error)) if error.kind() == io::ErrorKind::TimedOut => Failure::NotListening,
        Some(Err(error)) => Failure::Dial(error),
        None => Failure::HungUp(Origin::Remote),
    };
    drop(remote);
    peer.broken(error).await;
}

async fn dial_before(port: u16, deadline: Option<Duration>) -> io::Result<TcpStream> {
    match deadline {
        Some(deadline) => {
            tokio::time::timeout(deadline, dial(port)).await.map_err(|_| io::ErrorKind::TimedOut)?
        }
        None => dial(port).await,
    }
}

/// Dials MPyC's port on loopback until MPyC listens there.
pub(super) async fn dial(port: u16) -> io::Result<TcpStream> {
    loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            // On a system that was told to choose source ports from our range too, a dial to a port where nobody
            // listens can meet itself.
            Ok(stream) if stream.local_addr()? == stream.peer_addr()? => {}
            Ok(stream) => {
                prepare(&stream)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(DIAL_PAUSE).await;
    }
}
