//! The envelope as a trait, so that another library can take the place of this one.
//!
//! ```text
//! agent, mediator --ENVELOPE--> Envelope::pack, Envelope::unpack <-- Native: the rest of this module
//!                                                                <-- somebody else's library, in an adapter
//! ```
//!
//! Whoever sends or reads mail asks [`ENVELOPE`] and nothing else. An adapter needs nothing that is private here: it gets
//! documents from a [`Resolver`] and keys from [`Secrets`], decrypts, and gives what the layers said to [`Peeled::message`],
//! where the message is checked against them. `interop/src/adapter.rs` is one, of the crate `didcomm`, and
//! `interop/tests/replaced.rs` holds it and ours to the same rules. Decision record 0001.
//!
//! Not its concern: what a message means, and how it travels.
//!
//! [`Peeled::message`]: super::Peeled::message

use rand_core::CryptoRng;

use super::pack::{Layers, pack};
use super::unpack::unpack;
use super::unpacked::Unpacked;
use super::{PackError, Secrets, UnpackError};
use crate::did::Resolver;
use crate::message::Message;

/// The envelope that agent and mediator use: the one line that another implementation changes.
pub const ENVELOPE: Native = Native;

/// Writes and reads envelopes.
pub trait Envelope {
    /// Writes `message` with the layers that are asked for. Returns JSON.
    ///
    /// `message.from` must be the DID of the keys that sign and encrypt, and `message.to`, if present, must contain the
    /// recipients' DID. All randomness comes from `rng`.
    ///
    /// # Errors
    /// A [`PackError`]; nothing was signed or encrypted. [`PackError::Unsupported`] when the implementation does not write
    /// these layers.
    fn pack(
        &self,
        message: &Message,
        layers: &Layers<'_>,
        secrets: &dyn Secrets,
        resolver: &dyn Resolver,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, PackError>;

    /// Reads a plaintext, signed or encrypted message. `now_unix` is the time in UTC seconds, for `expires_time`.
    ///
    /// Nothing is fetched, and what a stranger wrote costs bounded memory and time: more than
    /// [`MAX_ENVELOPE_BYTES`](super::MAX_ENVELOPE_BYTES) is refused before it is read.
    ///
    /// # Errors
    /// An [`UnpackError`]. All but [`UnpackError::Expired`] are final for these bytes and this set of keys.
    fn unpack(
        &self,
        bytes: &[u8],
        secrets: &dyn Secrets,
        resolver: &dyn Resolver,
        now_unix: u64,
    ) -> Result<Unpacked, UnpackError>;
}

/// The envelope of this package, composed of primitives: [`pack`] and [`unpack`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Native;

impl Envelope for Native {
    fn pack(
        &self,
        message: &Message,
        layers: &Layers<'_>,
        secrets: &dyn Secrets,
        resolver: &dyn Resolver,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, PackError> {
        pack(message, layers, secrets, resolver, rng)
    }

    fn unpack(
        &self,
        bytes: &[u8],
        secrets: &dyn Secrets,
        resolver: &dyn Resolver,
        now_unix: u64,
    ) -> Result<Unpacked, UnpackError> {
        unpack(bytes, secrets, resolver, now_unix)
    }
}
