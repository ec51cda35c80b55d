//! The status: what an engine tells those who ask about it, as one document.
//!
//! Specification: `spec/local.md`; schema: `spec/schemas/status.schema.json`. Not its concern: how it is asked for
//! (`io::local_api`), how it looks (`cli`).
//!
//! What is not in it: the link of the room, which lets whoever holds it ask for a seat, unless it is asked for; the arguments
//! of the program, which may be a party's input.

use didagent_didcomm::showable;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::core::post::websocket_address;
use crate::core::room::Waiting;

/// Version of the document's layout.
pub const VERSION: u32 = 1;

/// Texts that a status shows (LP-08): what fits on a screen, and with the rest of it into one answer (LP-02).
pub const MAX_TEXTS: usize = 8;

/// Why a party is reached through the relay, for people.
pub const WHY_RELAY: &str = "this version has no direct paths";

/// Longest host name that is shown, in characters.
const MAX_HOST_CHARS: usize = 255;

/// What one engine does at the moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Layout version, [`VERSION`].
    pub v: u32,
    /// Always `status`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Version of the program.
    pub version: String,
    /// Process id of the engine.
    pub process: u32,
    /// The home folder.
    pub home: String,
    /// When the engine began, in UTC seconds.
    pub since: u64,
    /// When this was said, in UTC seconds.
    pub now: u64,
    /// How far it is.
    pub phase: Phase,
    /// Host or guest.
    pub role: Role,
    /// Our name.
    pub name: String,
    /// Our identity.
    pub identity: String,
    /// The mediator that keeps our mail.
    pub mediator: MediatorStatus,
    /// The room, once it is entered.
    pub room: Option<RoomStatus>,
    /// The parties as far as they are known, in order of their index.
    pub parties: Vec<PartyStatus>,
    /// Who asks for a seat and was not decided about, in the order in which they came.
    #[serde(default)]
    pub applicants: Vec<ApplicantStatus>,
    /// MPyC's arguments, once everybody is ready.
    pub ports: Option<Vec<String>>,
    /// The program, if there is one.
    pub program: Option<ProgramStatus>,
    /// How many texts came for the person.
    #[serde(default)]
    pub texts: u64,
    /// The last of them, oldest first, at most [`MAX_TEXTS`].
    #[serde(default)]
    pub messages: Vec<TextStatus>,
}

/// Somebody who asks for a seat of a host that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicantStatus {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub identity: String,
    /// Whether this home has met it.
    #[serde(rename = "known")]
    pub is_known: bool,
}

/// A text that somebody wrote to the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextStatus {
    /// Who wrote: a party or a contact; `None` for anybody else.
    pub from: Option<String>,
    /// The DID that it came from.
    pub did: String,
    /// The text, fit for a screen and shortened.
    pub text: String,
    /// When it came, in UTC seconds.
    pub at: u64,
}

/// How far an engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The mediator does not keep our mail yet.
    Connecting,
    /// Seats are free, or the host has not said yet who has one.
    Waiting,
    /// Everybody has a seat; sessions come up and signatures are exchanged.
    Forming,
    /// Everybody is ready, and somebody compares the words before anything starts.
    Confirming,
    /// Everybody is ready and the ports stand.
    Running,
    /// The program ended, or the room failed; the others are told.
    Ending,
}

/// Host or guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Opened the room.
    Host,
    /// Joined it.
    Guest,
}

/// The mediator that keeps our mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediatorStatus {
    /// Its host, with the port if it is not the usual one.
    pub host: String,
    /// Whether it answers on a socket of ours.
    pub connected: bool,
}

/// The room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomStatus {
    /// Its id.
    pub id: String,
    /// Its name for people; it proves nothing.
    #[serde(default)]
    pub name: String,
    /// Number of seats, once it is known.
    pub seats: Option<usize>,
    /// Seats that are still free, once it is known.
    pub missing: Option<usize>,
    /// For whom the room waits, but for those who have no seat yet.
    #[serde(default)]
    pub waiting: Vec<Waiting>,
    /// How many parties together still learn nothing, once everybody agreed.
    pub threshold: Option<usize>,
    /// When the link ends, in UTC seconds.
    pub link_expires: Option<u64>,
    /// The link, for a host that asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// One party.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartyStatus {
    /// Its index.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its identity; `None` until the roster says so.
    pub identity: Option<String>,
    /// How it is reached; `None` while no session was begun.
    pub path: Option<PathKind>,
    /// Host of the relay, if it is reached through one.
    pub via: Option<String>,
    /// Why it is reached in this way.
    pub why: Option<String>,
    /// State of the session; `None` for ourselves and before it was begun.
    pub session: Option<SessionState>,
    /// Round-trip time over the session as measured last, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Milliseconds since its last sign of life.
    pub last_contact_ms: Option<u64>,
    /// Streams that stand.
    pub streams: Option<usize>,
    /// Bytes of MPyC sent to it.
    pub bytes_up: Option<u64>,
    /// Bytes of MPyC received from it.
    pub bytes_down: Option<u64>,
}

/// How a party is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    /// It is ourselves.
    #[serde(rename = "self")]
    Ourselves,
    /// Through a circuit of a mediator.
    Relay,
}

/// State of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// The handshake is done, the path is not confirmed yet.
    Opening,
    /// Records flow.
    Up,
    /// Nothing is heard of the party at the moment; it is waited for.
    Reconnecting,
    /// It is over.
    Ended,
}

/// The program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramStatus {
    /// The command without the program's arguments.
    pub command: String,
    /// When it was started, in UTC seconds.
    pub since: Option<u64>,
}

impl PartyStatus {
    /// A party of which nothing but this is known.
    pub fn new(index: usize, name: String, identity: Option<String>) -> Self {
        Self {
            index,
            name,
            identity,
            path: None,
            via: None,
            why: None,
            session: None,
            rtt_ms: None,
            last_contact_ms: None,
            streams: None,
            bytes_up: None,
            bytes_down: None,
        }
    }
}

/// Returns the host, and the port if it is not the usual one, of the mediator with this DID.
pub fn host_of(mediator: &str) -> String {
    let url = websocket_address(mediator).ok().and_then(|address| Url::parse(&address).ok());
    let host = url.as_ref().and_then(|url| url.host_str().map(|host| (host, url.port())));
    match host {
        Some((host, Some(port))) => showable(&format!("{host}:{port}"), MAX_HOST_CHARS),
        Some((host, None)) => showable(host, MAX_HOST_CHARS),
        None => "an unknown address".to_owned(),
    }
}

/// Returns milliseconds with three digits after the point.
pub fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use didagent_didcomm::did::peer2;

    #[test]
    fn the_host_of_a_mediator_has_its_port_where_it_is_unusual() {
        for (uri, host) in [
            ("wss://med.example.org/x?y", "med.example.org"),
            ("ws://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("ws://[::1]:81", "[::1]:81"),
        ] {
            let service = peer2::ServiceSpec { uri: uri.into(), accept: vec![], routing_keys: vec![] };
            let keys = crate::core::identity::Identity::generate(&mut crate::core::test_rng(1));
            let ed25519 = didagent_didcomm::did::key::decode_ed25519(keys.did()).unwrap();
            let did = peer2::encode(&ed25519, &keys.agreement().public(), Some(&service));
            assert_eq!(host_of(&did), host);
        }
        assert_eq!(host_of("did:web:x"), "an unknown address");
    }
}
