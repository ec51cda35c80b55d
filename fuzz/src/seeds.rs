//! The seeds of the corpus, made by the libraries themselves from fixed keys.
//!
//! A seed is named `valid-…` if its target must accept it and `bad-…` if it must refuse it, and otherwise by what it
//! contains. `cargo run --bin seeds` writes them.

mod agent;
mod credentials;
mod didcomm;
mod messages;
mod session;
mod short_links;

pub(crate) use didcomm::{authcrypt, identity_did, protected_header, rotated, signed_by_carol};

/// One seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Name of its target.
    pub target: &'static str,
    /// Name of its file.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// Returns all seeds, the same ones on every call.
pub fn all() -> Vec<Seed> {
    let mut seeds = Seeds(Vec::new());
    session::add(&mut seeds);
    didcomm::add(&mut seeds);
    credentials::add(&mut seeds);
    messages::add(&mut seeds);
    agent::add(&mut seeds);
    short_links::add(&mut seeds);
    seeds.0
}

struct Seeds(Vec<Seed>);

impl Seeds {
    fn add(&mut self, target: &'static str, name: &str, bytes: impl AsRef<[u8]>) {
        self.0.push(Seed { target, name: name.to_owned(), bytes: bytes.as_ref().to_vec() });
    }
}

/// Returns `bytes` with one bit of the byte at `index` changed; a negative index counts from the end.
fn flipped(bytes: &[u8], index: isize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let index = if index < 0 { bytes.len() - index.unsigned_abs() } else { index.unsigned_abs() };
    bytes[index] ^= 1;
    bytes
}
