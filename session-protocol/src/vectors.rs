//! The vectors of `spec/vectors/session`, which another implementation made from the text alone (`spec/reference`).
//!
//! One module for each chapter. What they share: reading JSON, and a generator whose bytes are written down beforehand, so
//! that what a real end draws at random is what the vectors say. A build with `null-cipher` has other prologues and records.
#![cfg(not(feature = "null-cipher"))]

mod epochs;
mod frames;
mod handshake;
mod play;
mod records;
mod resume;
mod session;

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use serde_json::Value;

/// Reads a file of vectors.
pub(crate) fn file(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Bytes of a field.
pub(crate) fn bytes(value: &Value, name: &str) -> Vec<u8> {
    let text = text(value, name);
    assert!(text.len().is_multiple_of(2), "{name}");
    let digit = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

/// Bytes of a field of a fixed length.
pub(crate) fn array<const N: usize>(value: &Value, name: &str) -> [u8; N] {
    bytes(value, name).try_into().unwrap()
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}"))
}

/// A number; those of 64 bits are decimal text.
pub(crate) fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| text(value, name).parse().unwrap())
}

pub(crate) fn small<T: TryFrom<u64>>(value: &Value, name: &str) -> T {
    T::try_from(number(value, name)).unwrap_or_else(|_| panic!("{name} is too large"))
}

/// The entries of a list; there is at least one.
pub(crate) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let list = value[name].as_array().unwrap_or_else(|| panic!("no list {name}"));
    assert!(!list.is_empty(), "{name} is empty");
    list
}

/// A generator that gives exactly these bytes, in this order.
pub(crate) struct Script(std::vec::IntoIter<u8>);

impl Script {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into_iter())
    }

    /// How many bytes nobody asked for.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }
}

impl TryRng for Script {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word).map(|()| u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word).map(|()| u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.iter_mut().for_each(|byte| *byte = self.0.next().expect("the script has enough bytes"));
        Ok(())
    }
}

impl TryCryptoRng for Script {}
