//! What one message costs in a session, and what it costs as a DIDComm envelope of its own.
//!
//! ```text
//! stateful    payload -> Session::write -> record -> Session::handle -> event -> consume
//! stateless   payload -> message -> authcrypt -> JWE -> unpack -> message -> payload      ours and the `didcomm` crate
//! report      criterion's estimates of one run -> table with ratios
//! ```
//!
//! `benches/reach.rs` runs all three; `README.md` says how each number is made and what it does not say.
//!
//! [`path`] measures whole processes instead: the way through two agents and a mediator, beside two plain relays (`baseline/`).
//!
//! Not its concern: what a network adds.

pub mod cost;
pub mod direct;
pub mod mpyc;
pub mod output;
pub mod path;
pub mod report;
mod room;
pub mod run;
pub mod stateful;
pub mod stateless;

/// Payload sizes in bytes: an MPC share, a row of them, and what bulk transfers cut their data into.
pub const SIZES: [usize; 5] = [16, 64, 1024, 16 * 1024, 64 * 1024];

/// Name of the criterion group.
pub const GROUP: &str = "reach";

/// What is compared, by the names under which criterion files its estimates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A stream of an established session.
    Session,
    /// An authcrypt envelope for each payload, by this project's library.
    Ours,
    /// The same by the `didcomm` crate.
    Theirs,
}

impl Way {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 3] = [Self::Session, Self::Ours, Self::Theirs];

    /// The name in criterion's paths and in result files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Ours => "stateless-ours",
            Self::Theirs => "stateless-didcomm",
        }
    }
}

/// Returns the payload of a size in bytes; its content matters to nothing that is measured.
pub fn payload(size: usize) -> Vec<u8> {
    (0..size).map(|index| u8::try_from(index.wrapping_mul(167) % 251).unwrap_or_default()).collect()
}
