//! Where a server that is not only on loopback would answer.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// Addresses of this machine other than 127.0.0.1: on Linux 127.0.0.2, and its own in a network, if it has one.
pub(crate) fn other_addresses() -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    if cfg!(target_os = "linux") {
        addresses.push(IpAddr::from(Ipv4Addr::new(127, 0, 0, 2)));
    }
    // Connecting a UDP socket sends nothing; the system only chooses the source address.
    let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    if probe.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).is_ok() {
        addresses.push(probe.local_addr().unwrap().ip());
    }
    assert!(!addresses.is_empty(), "no second address of this machine to try");
    addresses
}
