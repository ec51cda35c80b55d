//! A foreign party: somebody who has read `spec/`, has the session library, and otherwise other people's software.
//!
//! It reads an invitation of `didagent invite`, takes the last seat in the room, completes a handshake with every other
//! party, meets them at the relay and carries their connections to its MPyC. Nothing in it comes from this project but
//! `didagent-session`:
//!
//! | what | with what | chapter |
//! |---|---|---|
//! | identity, its signatures, the link ([`identity`]) | `ssi` (did:key, JWK, JWS) | connect.md, room.md |
//! | documents of did:peer:2 ([`documents`]) | written here, since `ssi` does not know this method | connect.md |
//! | envelopes and forwards ([`post`]) | `didcomm` | connect.md |
//! | mailbox and relay ([`mediator`]) | `tokio-tungstenite` | relay.md |
//! | link, seat, roster, `ready` ([`room`]) | written here | invite.md, room.md |
//! | `propose`, `accept` ([`handshake`]) | `didagent-session` | handshake.md |
//! | records, streams, MPyC ([`run`]) | `didagent-session` | session.md, streams.md, bridge.md |
//!
//! ```text
//! link --> room::Invitation --> Mailbox --> room::join --> Roster --> handshake::answer --> run::Run --> ready --> MPyC
//! ```
//!
//! Not its concern: what a good agent adds. It is the last party of a room, so that others propose and dial; it uses the
//! mediator of the host, carries one connection of each MPyC at a time, starts its own without a launcher (BR-20), and
//! takes no second circuit when the first one ends. Its errors are for a test.

mod carry;
pub mod credential;
pub mod documents;
pub mod handshake;
pub mod identity;
pub mod mediator;
pub mod post;
mod problem;
pub mod room;
pub mod run;

pub use problem::{Problem, Result};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use rand_core::Rng as _;

/// The base of the message types (NA-01).
pub const BASE: &str = "https://w3id.org/didagent";

/// The operating system's generator.
pub(crate) type SystemRng = rand_core::UnwrapErr<getrandom::SysRng>;

pub(crate) fn rng() -> SystemRng {
    rand_core::UnwrapErr(getrandom::SysRng)
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Makes an id for a message.
pub(crate) fn new_id() -> String {
    let mut bytes = [0; 16];
    rng().fill_bytes(&mut bytes);
    b64url(bytes)
}

pub(crate) fn b64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64url, with or without padding (NA-06).
pub(crate) fn from_b64url(text: &str) -> Result<Vec<u8>> {
    let engine = if text.ends_with('=') { URL_SAFE } else { URL_SAFE_NO_PAD };
    engine.decode(text).map_err(Problem::broken)
}

#[cfg(test)]
mod tests {
    /// The claim of this package: what is locked for it has one crate of ours.
    #[test]
    fn nothing_of_ours_but_the_session_is_in_here() {
        let lines = include_str!("../Cargo.lock").lines();
        let names = lines.filter_map(|line| line.strip_prefix("name = \"didagent"));
        assert_eq!(names.collect::<Vec<_>>(), ["-foreign\"", "-session\""]);
    }
}
