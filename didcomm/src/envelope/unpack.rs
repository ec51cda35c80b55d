//! Reading envelopes.
//!
//! ```text
//! bytes -> [anoncrypt] -> [authcrypt] -> [signed] -> message
//! ```
//!
//! Each layer may be absent, and no other order is read, so [`MAX_LAYERS`] is the most.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::jwe::{Jwe, JweIn, KeyAgreement, Recipient, RecipientIn, UnprotectedIn, malformed, unsupported};
use super::jws::{HeaderIn, JwsIn, SignatureIn};
use super::kdf::{self, Context};
use super::prior::{self, Prior};
use super::{MAX_ENVELOPE_BYTES, Secrets, UnpackError};
use crate::did::{PublicKey, Resolver, did_of};
use crate::keys::Agree;
use crate::message::{Message, PLAIN_TYP};

/// Most layers around a message: one that hides the sender, one that names it to the recipients, one that proves it to
/// everybody. More would say nothing more, and each costs a decryption and a copy of what it holds.
pub const MAX_LAYERS: usize = 3;

/// What came out of an envelope.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Unpacked {
    /// The message. Its `from` says who sent it only if [`Self::sender`] or [`Self::signer`] does.
    pub message: Message,
    /// The sender whom authcrypt authenticated; `None` when anybody may have sent the message.
    pub sender: Option<Authenticated>,
    /// The DID that signed the message, and the first of its keys that did: anybody may have sent it to us since, but nobody
    /// else wrote it. `None` when it is not signed.
    pub signer: Option<Authenticated>,
    /// The DID whose place the sender takes. Only in an encrypted message, and only if the sender is authenticated or nobody
    /// takes the place.
    pub prior: Option<Prior>,
    /// The key of ours that opened it, named as the sender named it: a reply that is sent from it uses the same name.
    pub recipient_kid: Option<String>,
    /// Whether the outer layer was anonymous, so that whoever carried it did not learn the sender.
    pub anonymous: bool,
    /// Whether it was encrypted at all.
    pub encrypted: bool,
}

/// A sender who proved to have the key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authenticated {
    /// The DID, equal to the message's `from`.
    pub did: String,
    /// The key, as an absolute DID URL: under authcrypt, where a reply is encrypted to.
    pub kid: String,
}

/// Reads a plaintext, signed or encrypted message.
///
/// `bytes` is JSON of at most [`MAX_ENVELOPE_BYTES`]; `now_unix` is the time in UTC seconds, for `expires_time`.
///
/// # Errors
/// An [`UnpackError`]. All but [`UnpackError::Expired`] are final for these bytes and this set of keys.
pub fn unpack(
    bytes: &[u8],
    secrets: &dyn Secrets,
    resolver: &dyn Resolver,
    now_unix: u64,
) -> Result<Unpacked, UnpackError> {
    if bytes.len() > MAX_ENVELOPE_BYTES {
        return Err(UnpackError::TooLarge { got: bytes.len() });
    }
    let mut around = Around::default();
    let mut content = Cow::Borrowed(bytes);
    for _ in 0..=MAX_LAYERS {
        let inner = match Layer::read(&content)? {
            Layer::Plain => return around.message(&content, resolver, now_unix),
            Layer::Encrypted(jwe) => around.open(jwe.check()?, secrets, resolver)?,
            Layer::Signed(jws) => around.verify(jws, resolver)?,
        };
        content = Cow::Owned(inner);
    }
    Err(unsupported("nesting"))
}

/// The layers that were taken off so far.
#[derive(Default)]
struct Around {
    anonymous: bool,
    recipient_kid: Option<String>,
    sender: Option<Authenticated>,
    signer: Option<Authenticated>,
}

impl Around {
    /// Opens one encrypted layer. Anoncrypt is the outermost; authcrypt has at most anoncrypt around it.
    fn open(
        &mut self,
        jwe: Jwe<'_>,
        secrets: &dyn Secrets,
        resolver: &dyn Resolver,
    ) -> Result<Vec<u8>, UnpackError> {
        let anonymous = jwe.alg == KeyAgreement::EcdhEs;
        let again = if anonymous { self.recipient_kid.is_some() } else { self.sender.is_some() };
        if again || self.signer.is_some() {
            return Err(unsupported("nesting"));
        }
        // The layers may be for different keys, on different curves, but of one DID: otherwise somebody could pass on an
        // envelope that was made for another DID of ours.
        let outer = self.recipient_kid.as_deref().map(did_of);
        let inner = jwe.recipients.first().map(|recipient| did_of(&recipient.kid));
        if outer.is_some() && outer != inner {
            return Err(UnpackError::LayerMismatch);
        }
        let Opened { plaintext, recipient_kid, sender } = open(jwe, secrets, resolver)?;
        self.anonymous |= anonymous;
        self.recipient_kid = Some(recipient_kid);
        self.sender = sender;
        Ok(plaintext)
    }

    fn verify(&mut self, jws: JwsIn<'_>, resolver: &dyn Resolver) -> Result<Vec<u8>, UnpackError> {
        if self.signer.is_some() {
            return Err(unsupported("nesting"));
        }
        let (payload, signer) = jws.verify(resolver)?;
        self.signer = Some(signer);
        Ok(payload)
    }

    /// Reads the message and checks it against the layers.
    fn message(self, bytes: &[u8], resolver: &dyn Resolver, now: u64) -> Result<Unpacked, UnpackError> {
        let Self { anonymous, recipient_kid, sender, signer } = self;
        let message = read_message(bytes, now)?;
        let from = message.from.as_deref();
        if sender.as_ref().is_some_and(|sender| from != Some(&sender.did)) {
            return Err(UnpackError::SenderMismatch);
        }
        if signer.as_ref().is_some_and(|signer| from != Some(&signer.did)) {
            return Err(UnpackError::SignerMismatch);
        }
        // The specification asks for an error in one place and for a warning in another; an error is what protects a
        // recipient from mail that was meant for somebody else.
        if let Some(kid) = &recipient_kid {
            let named = |to: &Vec<String>| to.iter().any(|to| did_of(to) == did_of(kid));
            // Whoever got a signed message could encrypt it to anybody else, so it must say whom it is for.
            if !message.to.as_ref().map_or(signer.is_none(), named) {
                return Err(UnpackError::RecipientMismatch);
            }
        }
        let encrypted = recipient_kid.is_some();
        let prior = match &message.from_prior {
            Some(jwt) => prior::verify(jwt, from, resolver)?,
            None => None,
        };
        // Whoever saw a rotation could send it again in a message of its own; only its sender's key shows that it is not.
        let prior = prior.filter(|prior| encrypted && (sender.is_some() || prior.successor.is_none()));
        Ok(Unpacked { message, sender, signer, prior, recipient_kid, anonymous, encrypted })
    }
}

/// What some bytes are, judged by the members of the JSON object.
enum Layer<'a> {
    Plain,
    Encrypted(JweIn<'a>),
    Signed(JwsIn<'a>),
}

/// Text that is borrowed where JSON escapes nothing, also as an optional member.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// All members that are read of either kind of envelope, so that one pass tells what it is and reads it.
#[derive(Deserialize)]
struct EnvelopeIn<'a> {
    #[serde(borrow, default)]
    protected: Option<Text<'a>>,
    #[serde(default)]
    unprotected: Option<UnprotectedIn>,
    #[serde(borrow, default)]
    recipients: Option<Vec<RecipientIn<'a>>>,
    #[serde(borrow, default)]
    iv: Option<Text<'a>>,
    #[serde(borrow, default)]
    ciphertext: Option<Text<'a>>,
    #[serde(borrow, default)]
    tag: Option<Text<'a>>,
    #[serde(default)]
    aad: Option<IgnoredAny>,
    #[serde(borrow, default)]
    payload: Option<Text<'a>>,
    #[serde(borrow, default)]
    signatures: Option<Vec<SignatureIn<'a>>>,
    #[serde(default)]
    header: Option<HeaderIn>,
    #[serde(borrow, default)]
    signature: Option<Text<'a>>,
    #[serde(rename = "type", default)]
    type_: Option<IgnoredAny>,
}

/// The members that tell kinds apart, for what is not an envelope that reads well.
#[derive(Deserialize)]
struct Members {
    #[serde(default)]
    ciphertext: Option<IgnoredAny>,
    #[serde(default)]
    payload: Option<IgnoredAny>,
    #[serde(default, rename = "type")]
    type_: Option<IgnoredAny>,
}

impl<'a> Layer<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, UnpackError> {
        match serde_json::from_slice::<EnvelopeIn<'_>>(bytes) {
            Ok(envelope) if envelope.type_.is_none() => envelope.read(),
            _ => match serde_json::from_slice(bytes).map_err(|_| malformed("JSON object"))? {
                // A `payload` beside a `type` is a header that nobody defined yet.
                Members { ciphertext: None, payload: _, type_: Some(_) } => Ok(Self::Plain),
                Members { ciphertext: Some(_), payload: None, type_: None } => Err(malformed("JWE")),
                Members { ciphertext: None, payload: Some(_), type_: None } => Err(malformed("JWS")),
                _ => Err(malformed("neither message nor envelope")),
            },
        }
    }
}

impl<'a> EnvelopeIn<'a> {
    fn read(self) -> Result<Layer<'a>, UnpackError> {
        match (self.ciphertext, self.payload) {
            (Some(Text(ciphertext)), None) => {
                let text = |text: Option<Text<'a>>| text.map(|Text(text)| text).ok_or(malformed("JWE"));
                Ok(Layer::Encrypted(JweIn {
                    protected: text(self.protected)?,
                    unprotected: self.unprotected,
                    recipients: self.recipients.ok_or(malformed("JWE"))?,
                    iv: text(self.iv)?,
                    ciphertext,
                    tag: text(self.tag)?,
                    aad: self.aad,
                }))
            }
            (None, Some(Text(payload))) => {
                let signatures = match (self.signatures, self.protected, self.signature, self.header) {
                    (Some(signatures), None, None, None) => signatures,
                    (None, Some(Text(protected)), Some(Text(signature)), header) => {
                        vec![SignatureIn { protected, header, signature }]
                    }
                    _ => return Err(malformed("JWS")),
                };
                Ok(Layer::Signed(JwsIn { payload, signatures }))
            }
            _ => Err(malformed("neither message nor envelope")),
        }
    }
}

struct Opened {
    plaintext: Vec<u8>,
    recipient_kid: String,
    sender: Option<Authenticated>,
}

/// Opens one layer.
fn open(jwe: Jwe<'_>, secrets: &dyn Secrets, resolver: &dyn Resolver) -> Result<Opened, UnpackError> {
    let (recipient, secret) = our_key(&jwe.recipients, secrets, resolver)?;
    let sender = jwe.sender_kid.map(|kid| sender_key(kid, resolver)).transpose()?;
    let z = kdf::shared_secret((secret, &jwe.epk), sender.as_ref().map(|(_, public)| (secret, public)))
        .ok_or(UnpackError::Undecryptable)?;
    let context = Context {
        alg: jwe.alg.name(),
        apu: &jwe.apu,
        apv: &jwe.apv,
        cc_tag: sender.is_some().then_some(jwe.content.tag.as_slice()),
    };
    let kek: Zeroizing<[u8; 32]> = kdf::concat(&z, &context);
    let key = jwe.enc.unwrap_key(&kek, &recipient.encrypted_key).map_err(|_| UnpackError::Undecryptable)?;
    let recipient_kid = recipient.kid.clone();
    let plaintext =
        jwe.enc.open(&key, jwe.content, jwe.aad.as_bytes()).map_err(|_| UnpackError::Undecryptable)?;
    Ok(Opened { plaintext, recipient_kid, sender: sender.map(|(sender, _)| sender) })
}

/// Finds the first recipient whose secret we have.
fn our_key<'r, 's>(
    recipients: &'r [Recipient],
    secrets: &'s dyn Secrets,
    resolver: &dyn Resolver,
) -> Result<(&'r Recipient, &'s dyn Agree), UnpackError> {
    if let Some(found) = recipients.iter().find_map(|r| Some((r, secrets.agreement(&r.kid)?))) {
        return Ok(found);
    }
    // Older did:peer:2 software names the same keys otherwise. The recipients are keys of one DID.
    let did = recipients.first().map_or("", |recipient| did_of(&recipient.kid));
    let document = resolver.document(did).map_err(|_| UnpackError::NotForUs)?;
    recipients
        .iter()
        .find_map(|r| Some((r, secrets.agreement(&document.method(&r.kid)?.id)?)))
        .ok_or(UnpackError::NotForUs)
}

fn sender_key(kid: String, resolver: &dyn Resolver) -> Result<(Authenticated, PublicKey), UnpackError> {
    let did = did_of(&kid);
    let document = resolver.document(did).map_err(UnpackError::UnresolvedSender)?;
    if document.id != did {
        return Err(UnpackError::UnknownSenderKey);
    }
    let public = document.agreement_key(&kid).ok_or(UnpackError::UnknownSenderKey)?;
    Ok((Authenticated { did: document.id, kid }, public))
}

fn read_message(bytes: &[u8], now_unix: u64) -> Result<Message, UnpackError> {
    let message: Message = serde_json::from_slice(bytes).map_err(|_| malformed("message"))?;
    if message.typ.as_deref().is_some_and(|typ| typ != PLAIN_TYP) {
        return Err(unsupported("typ of the message"));
    }
    if !message.attachments.iter().all(|attachment| attachment.data.is_complete()) {
        return Err(malformed("attachment"));
    }
    match message.expires_time {
        Some(expires_time) if expires_time < now_unix => Err(UnpackError::Expired { expires_time }),
        _ => Ok(message),
    }
}
