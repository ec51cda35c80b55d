//! Dialling: from a mediator's websocket address to a connected socket, and which addresses a stranger may make us dial.
//!
//! A mediator of ours was chosen by our person. A mediator of somebody else comes out of a DID that a stranger may have made
//! up: dialling whatever it names would let everybody who reads an invitation send requests into our local network. So
//! addresses of strangers are dialled only when they are public, or when our own mediator is on a local network too (then
//! everybody is at home). Names are resolved once, and what was checked is what is dialled.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use url::{Host, Url};

use crate::core::clock::utc;
use crate::failure::{Failure, Kind};
use crate::io::metered::{Meter, Metered};
use crate::io::unix_now;

/// How long connecting may take, TLS and the HTTP upgrade included.
const CONNECT: Duration = Duration::from_secs(10);

/// Addresses of a name that are tried.
pub(super) const MAX_ADDRESSES: usize = 4;

/// A connected websocket.
pub(super) type Socket = WebSocketStream<MaybeTlsStream<Metered>>;

/// Connects to `address`. When it is a stranger's, `ours` is the address of our own mediator. `meter` is told of incoming bytes.
pub(super) async fn dial(
    address: &str,
    ours: Option<&str>,
    config: WebSocketConfig,
    meter: &Meter,
) -> Result<Socket, Failure> {
    match timeout(CONNECT, connect(address, ours, config, meter)).await {
        Ok(result) => result,
        Err(_) => Err(unreachable_at(address, &format!("no answer within {} s", CONNECT.as_secs()))),
    }
}

async fn connect(
    address: &str,
    ours: Option<&str>,
    config: WebSocketConfig,
    meter: &Meter,
) -> Result<Socket, Failure> {
    let mut candidates =
        resolve(address).await.map_err(|error| unreachable_at(address, &error.to_string()))?;
    if let Some(ours) = ours {
        // An address of ours that does not resolve now allows nothing.
        let at_home =
            resolve(ours).await.is_ok_and(|ours| ours.iter().any(|address| !is_public(address.ip())));
        candidates.retain(|address| at_home || is_public(address.ip()));
        if candidates.is_empty() {
            return Err(unreachable_at(
                address,
                "it is on a local network, which strangers may not make this one dial",
            ));
        }
    }
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for candidate in candidates.into_iter().take(MAX_ADDRESSES) {
        match TcpStream::connect(candidate).await {
            Ok(stream) => {
                // Small messages, each of which somebody waits for.
                stream.set_nodelay(true).map_err(|error| unreachable_at(address, &error.to_string()))?;
                let stream = Metered::new(stream, meter.clone());
                let upgraded =
                    tokio_tungstenite::client_async_tls_with_config(address, stream, Some(config), None);
                return match upgraded.await {
                    Ok((socket, _)) => Ok(socket),
                    Err(error) => Err(upgrade_failure(address, &error)),
                };
            }
            Err(error) => last = error,
        }
    }
    Err(unreachable_at(address, &last.to_string()))
}

/// Returns the addresses of a URL's host.
pub(super) async fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let url = Url::parse(address).map_err(|_| invalid())?;
    let port = url.port_or_known_default().ok_or_else(invalid)?;
    match url.host().ok_or_else(invalid)? {
        Host::Ipv4(ip) => Ok(vec![(ip, port).into()]),
        Host::Ipv6(ip) => Ok(vec![(ip, port).into()]),
        Host::Domain(name) => Ok(tokio::net::lookup_host((name, port)).await?.collect()),
    }
}

/// Says whether an address belongs to the public internet (RFC 6890 lists what does not).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let [first, second, third, _] = ip.octets();
            let shared = first == 100 && (64..128).contains(&second);
            let protocol_assignments = (first, second, third) == (192, 0, 0);
            let benchmarks = first == 198 && (18..20).contains(&second);
            !(first == 0
                || ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_documentation()
                || first >= 240
                || shared
                || protocol_assignments
                || benchmarks)
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(mapped) => is_public(IpAddr::V4(mapped)),
            None => {
                let [first, second, rest @ .., _, _] = ip.segments();
                // Of NAT64 only the prefix that everybody knows: what a network does with others is its own affair.
                let nat64 = (first, second) == (0x64, 0xff9b) && rest == [0; 4];
                // Teredo and others leave the network by a machine that may be in it: RFC 2928.
                let protocol_assignments = first == 0x2001 && second < 0x200;
                // Addresses that carry an IPv4 address inside: 6to4 and NAT64.
                let inside = match first {
                    0x2002 => embedded_ipv4(&ip.octets(), 2),
                    _ if nat64 => embedded_ipv4(&ip.octets(), 12),
                    _ => None,
                };
                let global_unicast = (0x2000..0x4000).contains(&first) || nat64;
                let documentation = (first, second) == (0x2001, 0xdb8);
                global_unicast
                    && !documentation
                    && !protocol_assignments
                    && inside.is_none_or(|ip| is_public(IpAddr::V4(ip)))
            }
        },
    }
}

fn embedded_ipv4(octets: &[u8; 16], at: usize) -> Option<Ipv4Addr> {
    let bytes: [u8; 4] = octets.get(at..at + 4)?.try_into().ok()?;
    Some(Ipv4Addr::from(bytes))
}

fn upgrade_failure(address: &str, error: &tungstenite::Error) -> Failure {
    match error {
        Error::Io(error) => io_failure(address, error),
        Error::Tls(error) => unreachable_at(address, &error.to_string()),
        Error::Http(response) => status_failure(address, response.status().as_u16()),
        // It read our request, or none of it, and hung up: as a proxy does whose mediator is down.
        Error::ConnectionClosed | Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            unreachable_at(address, "the connection was closed at once")
        }
        // Tungstenite takes a head in tiny pieces for an attack.
        Error::AttackAttempt => cannot_reach(address, "the answer came too slowly, a few bytes at a time")
            .hint("the same again on a better connection"),
        // What a parser of HTTP makes of another protocol's first bytes helps nobody.
        other => {
            tracing::info!(%other, "no WebSocket");
            foreign(address, "it speaks something else than WebSocket")
        }
    }
}

fn io_failure(address: &str, error: &io::Error) -> Failure {
    use rustls::{CertificateError, Error as Tls};
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) {
        Some(Tls::InvalidCertificate(CertificateError::Expired | CertificateError::NotValidYet))
        | Some(Tls::InvalidCertificate(
            CertificateError::ExpiredContext { .. } | CertificateError::NotValidYetContext { .. },
        )) => {
            let here = utc(unix_now());
            let why = format!("its certificate is not valid at this machine's time, {here}");
            cannot_reach(address, &why).hint(
                "check date and time (timedatectl); if they are right, tell who runs the mediator to renew its certificate",
            )
        }
        Some(Tls::InvalidCertificate(why)) => cannot_reach(
            address,
            &format!("its certificate is not accepted: {why}"),
        )
        .hint(
            "tell who runs the mediator; a certificate must come from an authority that this machine trusts",
        ),
        Some(other) => foreign(address, &format!("it speaks something else than TLS ({other})")),
        None => unreachable_at(address, &error.to_string()),
    }
}

/// What an HTTP status in place of a WebSocket means for a person.
fn status_failure(address: &str, status: u16) -> Failure {
    match status {
        // 503 is also what a mediator of ours answers when it is full (RL-03).
        500..=599 | 429 => {
            cannot_reach(address, &format!("the server there cannot serve it now: HTTP status {status}"))
                .hint("the same again in a minute; if it stays, tell who runs the mediator")
        }
        300..=399 => foreign(address, &format!("HTTP status {status}, the server sends people elsewhere")),
        _ => foreign(address, &format!("HTTP status {status}")),
    }
}

fn unreachable_at(address: &str, why: &str) -> Failure {
    cannot_reach(address, why).hint("check that the mediator runs and that this machine may connect to it")
}

fn cannot_reach(address: &str, why: &str) -> Failure {
    Failure::new(Kind::MediatorUnreachable, format!("cannot reach the mediator at {address}: {why}"))
}

fn foreign(address: &str, why: &str) -> Failure {
    Failure::new(Kind::MediatorForeign, format!("what answers at {address} is not a mediator: {why}"))
        .hint("ask who runs the mediator for its link again")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides RM-18.
    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for (address, public) in [
            ("8.8.8.8", true),
            ("127.0.0.1", false),
            ("127.9.9.9", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("198.18.0.1", false),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("::", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("fe80::1", false),
            ("fd00::1", false),
            ("2606:4700::1111", true),
            ("2001:db8::1", false),
            ("2002:7f00:1::", false),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b::808:808", true),
            ("64:ff9b:1::808:808", false),
            ("2001::808:808", false),
            ("2001:4860:4860::8888", true),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn statuses_and_certificates_say_what_can_help() {
        for (status, kind) in [
            (200, Kind::MediatorForeign),
            (301, Kind::MediatorForeign),
            (404, Kind::MediatorForeign),
            (429, Kind::MediatorUnreachable),
            (500, Kind::MediatorUnreachable),
            (502, Kind::MediatorUnreachable),
            (503, Kind::MediatorUnreachable),
        ] {
            let failure = status_failure("wss://m.example/", status);
            assert_eq!(failure.kind, kind, "{status}");
            assert!(failure.message.contains(&status.to_string()), "{}", failure.message);
        }
        let certificate = |error| {
            let error = rustls::Error::InvalidCertificate(error);
            upgrade_failure("wss://m.example/", &Error::Io(io::Error::new(io::ErrorKind::InvalidData, error)))
        };
        let expired = certificate(rustls::CertificateError::Expired);
        assert_eq!(expired.kind, Kind::MediatorUnreachable);
        assert!(expired.hint.is_some_and(|hint| hint.contains("timedatectl")));
        let unknown = certificate(rustls::CertificateError::UnknownIssuer);
        assert!(unknown.message.contains("certificate"), "{}", unknown.message);
        assert!(unknown.hint.is_some_and(|hint| !hint.contains("timedatectl")));
    }

    /// Decides RM-18.
    #[tokio::test]
    async fn a_strangers_local_address_is_not_dialled_unless_we_are_at_home_too() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("ws://{}/", listener.local_addr().unwrap());
        let config = WebSocketConfig::default();
        let refused = dial(&address, Some("ws://8.8.8.8/"), config, &Meter::new()).await.unwrap_err();
        assert!(refused.message.contains("local network"), "{}", refused.message);
        // At home the dial reaches the listener, which hangs up: another failure.
        let meter = Meter::new();
        let dialled = dial(&address, Some("ws://127.0.0.1/"), config, &meter);
        let (dialled, _) = tokio::join!(dialled, listener.accept());
        assert!(!dialled.unwrap_err().message.contains("local network"));
    }
}
