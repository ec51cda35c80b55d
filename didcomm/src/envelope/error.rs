//! Why a message cannot be packed or an envelope not be opened.

use super::{MAX_ENVELOPE_BYTES, MAX_RECIPIENTS, MAX_SIGNATURES};
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
    /// The document does not list this key for key agreement, or a key that signs not for authentication.
    #[error("{kid} is not a key of its DID for this use")]
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
    /// The keys that sign are too many, listed twice, or of several DIDs.
    #[error("signers must be at most {MAX_SIGNATURES} different keys of one DID")]
    Signers,
    /// The keys of sender and recipients are not of one curve, or not of one that is used.
    #[error("the keys of sender and recipients are not of one curve")]
    Curve,
    /// `from_prior` does not say that the sender takes the place of the DID that signed it.
    #[error("`from_prior` is not a rotation to the sender")]
    Prior,
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
    /// This implementation of the envelope does not write it; [`super::Native`] never says so.
    #[error("this implementation of the envelope does not write {what}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
    },
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
    /// The signer's DID has no document.
    #[error("the signer's DID does not resolve: {0}")]
    UnresolvedSigner(DidError),
    /// The signer's document does not list the key for authentication.
    #[error("the signer's key does not authenticate its DID")]
    UnknownSignerKey,
    /// A signature does not verify.
    #[error("a signature does not verify")]
    BadSignature,
    /// The message's `from` is absent or not the DID that signed it.
    #[error("`from` is not the DID that signed the message")]
    SignerMismatch,
    /// The message's `from_prior` proves nothing.
    #[error("`from_prior` does not verify: {what}")]
    Prior {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Decryption failed: wrong key, wrong sender, or altered on the way. Deliberately not told apart.
    #[error("the envelope cannot be decrypted")]
    Undecryptable,
    /// The message's `from` is absent or not the DID of the key that encrypted it.
    #[error("`from` is not the DID that encrypted the message")]
    SenderMismatch,
    /// The message's `to` lacks the DID of the key that opened it, or is absent though the message is signed.
    #[error("`to` lacks the DID that the message was encrypted to")]
    RecipientMismatch,
    /// The inner envelope is not for the DID whose key opened the outer one.
    #[error("the layers of the envelope are for different DIDs")]
    LayerMismatch,
    /// The message's `expires_time` is over.
    #[error("the message expired at {expires_time}")]
    Expired {
        /// When, in UTC seconds.
        expires_time: u64,
    },
}
