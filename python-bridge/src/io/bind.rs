//! Finding and binding free local ports.
//!
//! Implements `spec/bridge.md`, "Ports".

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

use super::events::BridgeError;
use crate::plan::{Candidates, PortPlan, check_parties};

/// Ports tried before giving up: a good share of the 12000, far more than a machine in order has in use.
const ATTEMPTS: usize = 4000;

/// Connections that the system queues for a listener before it is served.
const BACKLOG: u32 = 128;

/// The bound listeners of one party, ready for [`super::Bridge::start`]. Dropping it frees the ports.
#[derive(Debug)]
pub struct BoundListeners {
    pub(super) plan: PortPlan,
    pub(super) listeners: Vec<(usize, TcpListener)>,
    pub(super) own_port: Reservation,
}

/// Keeps other bridges off the port on which the own MPyC will listen.
///
/// A socket that is bound but does not listen, and lets only those beside it that ask to share, as MPyC does. `None`
/// where the system has no such thing; there two bridges may, rarely, collide, and MPyC says so.
#[derive(Debug)]
pub(super) struct Reservation(#[expect(dead_code, reason = "held for its drop")] Option<TcpSocket>);

/// See [`super::Bridge::bind`]. Must be called inside a tokio runtime.
pub(super) fn bind(
    me: usize,
    m: usize,
    reserved: &[u16],
    seed: u64,
) -> Result<(PortPlan, BoundListeners), BridgeError> {
    check_parties(me, m)?;
    let mut candidates =
        Candidates::new(seed).take(ATTEMPTS.saturating_add(m)).filter(|port| !reserved.contains(port));
    let mut listeners = Vec::new();
    let mut listen = Vec::new();
    for peer in me + 1..m {
        let (port, listener) = first_free(&mut candidates, listener_on)?;
        listeners.push((peer, listener));
        listen.push((peer, port));
    }
    let (port, own_port) = first_free(&mut candidates, reserve)?;
    let plan = PortPlan::new(me, m, port, listen)?;
    Ok((plan.clone(), BoundListeners { plan, listeners, own_port }))
}

/// The first candidate that `take` gets; a port in use or forbidden means the next one.
fn first_free<T>(
    candidates: &mut impl Iterator<Item = u16>,
    take: impl Fn(u16) -> io::Result<T>,
) -> Result<(u16, T), BridgeError> {
    for port in candidates {
        match take(port) {
            Ok(taken) => return Ok((port, taken)),
            Err(error) if is_taken(&error) => {}
            Err(error) => return Err(BridgeError::Socket(error)),
        }
    }
    Err(BridgeError::NoFreePort)
}

/// Windows answers "permission denied" for ports that it or another program excluded.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

/// Listens on 127.0.0.1 and on no other address, without letting anybody share the port.
fn listener_on(port: u16) -> io::Result<TcpListener> {
    exclusive(port)?.listen(BACKLOG)
}

/// Reserves a port on which nobody listens, on any address.
fn reserve(port: u16) -> io::Result<Reservation> {
    let socket = exclusive(port)?;
    // Set after the bind: the bind itself must fail beside another bridge's reservation.
    socket.set_reuseaddr(true)?;
    if mpyc_could_listen(port)? {
        return Ok(Reservation(Some(socket)));
    }
    drop(socket);
    if mpyc_could_listen(port)? { Ok(Reservation(None)) } else { Err(io::ErrorKind::AddrInUse.into()) }
}

/// Whether somebody listens on `port` of 127.0.0.1 or of all addresses: MPyC does while its runtime starts. `None` where the
/// system cannot tell.
pub(super) fn is_listened_on(port: u16) -> Option<bool> {
    // Sockets that ask to share a port may be bound beside each other until one listens; this one never does.
    let socket = TcpSocket::new_v4().ok()?;
    socket.set_reuseaddr(true).ok()?;
    if !cfg!(unix) {
        return None;
    }
    match socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
        Ok(()) => Some(false),
        Err(error) => is_taken(&error).then_some(true),
    }
}

fn exclusive(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

/// Whether MPyC could listen on `port`, under the launcher (127.0.0.1) and without it (all addresses).
///
/// The standard library's listeners take the same socket options as asyncio's: they share on Unix, not on Windows.
fn mpyc_could_listen(port: u16) -> io::Result<bool> {
    let addresses = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    ];
    for address in addresses {
        match std::net::TcpListener::bind(address) {
            Ok(_) => {}
            Err(error) if is_taken(&error) => return Ok(false),
            // A system without IPv6: MPyC's own listening skips it too.
            Err(_) if address.is_ipv6() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener as StdListener;

    use super::*;
    use crate::plan::PORTS;

    /// Decides BR-13, BR-15.
    #[tokio::test]
    async fn ports_are_distinct_in_range_and_on_loopback_only() {
        let (plan, bound) = bind(2, 10, &[], 1).unwrap();
        assert_eq!(plan.listen().len(), 7);
        assert!(PORTS.contains(&plan.own_port()));
        for ((peer, port), (index, listener)) in plan.listen().iter().zip(&bound.listeners) {
            assert_eq!(peer, index);
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
            assert_eq!(listener.local_addr().unwrap(), address);
            assert!(PORTS.contains(port));
        }
    }

    /// Decides BR-14.
    #[tokio::test]
    async fn bridges_with_the_same_seed_share_no_port() {
        let bridges: Vec<_> = (0..3).map(|me| bind(me, 3, &[], 42).unwrap()).collect();
        let mut ports: Vec<u16> = bridges
            .iter()
            .flat_map(|(plan, _)| plan.listen().iter().map(|(_, port)| *port).chain([plan.own_port()]))
            .collect();
        ports.sort_unstable();
        let count = ports.len();
        ports.dedup();
        assert_eq!(ports.len(), count);
    }

    /// Decides BR-14.
    #[tokio::test]
    async fn ports_that_are_reserved_or_in_use_are_passed_over() {
        let first: Vec<u16> = Candidates::new(3).take(3).collect();
        let occupied = StdListener::bind((Ipv4Addr::UNSPECIFIED, first[1])).unwrap();
        let (plan, bound) = bind(0, 2, &first[..1], 3).unwrap();
        assert_eq!(plan.listen(), [(1, first[2])]);
        drop((occupied, bound));
        let occupied = StdListener::bind((Ipv6Addr::UNSPECIFIED, first[0]));
        let (plan, _bound) = bind(1, 2, &[], 3).unwrap();
        assert_eq!(plan.own_port(), if occupied.is_ok() { first[1] } else { first[0] });
    }

    /// Decides BR-14.
    #[tokio::test]
    async fn mpyc_can_listen_on_its_reserved_port_on_any_address() {
        let (plan, _bound) = bind(1, 2, &[], 4).unwrap();
        for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
            StdListener::bind((address, plan.own_port())).unwrap();
        }
    }

    #[tokio::test]
    async fn a_reserved_port_is_listened_on_once_mpyc_does() {
        let (plan, _bound) = bind(1, 2, &[], 7).unwrap();
        assert_eq!(is_listened_on(plan.own_port()), Some(false));
        for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
            let mpyc = StdListener::bind((address, plan.own_port())).unwrap();
            assert_eq!(is_listened_on(plan.own_port()), Some(true));
            drop(mpyc);
            assert_eq!(is_listened_on(plan.own_port()), Some(false));
        }
    }

    #[tokio::test]
    async fn exhausted_candidates_are_an_error() {
        let all: Vec<u16> = PORTS.collect();
        assert!(matches!(bind(0, 2, &all, 5), Err(BridgeError::NoFreePort)));
    }

    #[tokio::test]
    async fn impossible_numbers_are_an_error() {
        assert!(matches!(bind(0, 1, &[], 6), Err(BridgeError::Plan(_))));
        assert!(matches!(bind(3, 3, &[], 6), Err(BridgeError::Plan(_))));
    }
}
