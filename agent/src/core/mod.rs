//! What happens to one user's identity, invitations, rooms and sessions, in the order in which it happens.
//!
//! ```text
//! identity --> invite --> connect --> room --> pairing --> (session) --> run
//! ```
//!
//! Nothing in here has a clock, a socket, a file or a random generator of its own: times and generators are arguments,
//! and what must be sent or written is returned. `crate::io` does it.

pub mod allowance;
pub mod backoff;
pub mod board;
pub mod circuits;
pub mod clock;
pub mod connect;
pub mod contacts;
pub mod courtesy;
pub mod credential;
pub mod did_cache;
pub mod did_document;
pub mod features;
pub mod identity;
pub mod invite;
pub mod one_use;
pub mod pairing;
pub mod party_list;
pub mod pasted;
pub mod post;
pub mod posting;
pub mod room;
pub mod seen;
pub mod share;
pub mod status;
pub mod transcript;
pub mod who;

/// A seeded generator for tests; never for keys that guard anything.
#[cfg(test)]
pub(crate) fn test_rng(seed: u8) -> impl rand_core::CryptoRng {
    use rand_core::SeedableRng as _;
    rand_chacha::ChaCha20Rng::from_seed([seed; 32])
}
