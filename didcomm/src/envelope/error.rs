//! Why a message cannot be packed or an envelope not be opened.

use super::{MAX_ENVELOPE_BYTES, MAX_RECIPIENTS};
use crate::did::DidError;

/// Why a message cannot be packed. All of these are mistakes of the caller or of the recipient's document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The recipients' DID has no document.
    #[error("no document for {did}: {source}")]
    Unresolved {
        /// The DID.
        did: String,
        /// Why there is none.
        source: DidError,
    },
    /// The document does not list this key for key agreement.
    #[error("{kid} is not a key-agreement key of its DID")]
    UnknownKey {
        /// The key.
        kid: String,
    },
    /// There is no secret for the sender's key.
    #[error("no secret for {kid}")]
    NoSecret {
        /// The sender's key.
        kid: String,
    },
    /// The message's `from` is absent or not the DID of the sender's key.
    #[error("`from` is not the DID of the sender's key")]
    Sender,
    /// The message has a `to` that lacks the DID of the recipients' keys.
    #[error("`to` lacks the DID of the recipients' keys")]
    Recipient,
    /// The recipients' keys are none, too many, listed twice, or of several DIDs.
    #[error("recipients must be 1 to {MAX_RECIPIENTS} different keys of one DID")]
    Recipients,
    /// A recipient's public key is of low order: the envelope would be open to everybody.
    #[error("{kid} is a public key of low order")]
    WeakKey {
        /// The key.
        kid: String,
    },
    /// The envelope would be larger than [`MAX_ENVELOPE_BYTES`].
    #[error("the envelope would be larger than {MAX_ENVELOPE_BYTES} bytes")]
    TooLarge,
    /// The message does not serialise, or a primitive refused its input.
    #[error("the message cannot be encoded")]
    Encoding,
}

/// Why an envelope was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// Larger than [`MAX_ENVELOPE_BYTES`].
    #[error("envelope of {got} bytes is too large")]
    TooLarge {
        /// Its size in bytes.
        got: usize,
    },
    /// Not an envelope or message at all, or one that breaks a rule of its format.
    #[error("malformed envelope: {what}")]
    Malformed {
        /// Which part of it.
        what: &'static str,
    },
    /// Well-formed, but uses something that is not implemented.
    #[error("unsupported: {what}")]
    Unsupported {
        /// What it uses.
        what: &'static str,
    },
    /// None of the recipients' keys is ours.
    #[error("not encrypted to a key that we have")]
    NotForUs,
    /// The sender's DID has no document.
    #[error("the sender's DID does not resolve: {0}")]
    UnresolvedSender(DidError),
    /// The sender's document does not list the key for key agreement.
    #[error("the sender's key is not a key-agreement key of its DID")]
    UnknownSenderKey,
    /// Decryption failed: wrong key, wrong sender, or altered on the way. Deliberately not told apart.
    #[error("the envelope cannot be decrypted")]
    Undecryptable,
    /// The message's `from` is absent or not the DID of the key that encrypted it.
    #[error("`from` is not the DID that encrypted the message")]
    SenderMismatch,
    /// The message's `to` lacks the DID of the key that opened it.
    #[error("`to` lacks the DID that the message was encrypted to")]
    RecipientMismatch,
    /// The inner envelope is not for the key that opened the outer one.
    #[error("the layers of the envelope are for different keys")]
    LayerMismatch,
    /// The message's `expires_time` is over.
    #[error("the message expired at {expires_time}")]
    Expired {
        /// When, in UTC seconds.
        expires_time: u64,
    },
}
