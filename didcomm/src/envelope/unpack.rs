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
use super::unpacked::{Authenticated, Peeled, Unpacked};
use super::{MAX_ENVELOPE_BYTES, Secrets, UnpackError};
use crate::did::{PublicKey, Resolver, did_of};
use crate::keys::Agree;

/// Most layers around a message: one that hides the sender, one that names it to the recipients, one that proves it to
/// everybody. More would say nothing more, and each costs a decryption and a copy of what it holds.
pub const MAX_LAYERS: usize = 3;

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
    let mut peeled = Peeled::default();
    let mut content = Cow::Borrowed(bytes);
    for _ in 0..=MAX_LAYERS {
        let inner = match Layer::read(&content)? {
            Layer::Plain => return peeled.message(&content, resolver, now_unix),
            Layer::Encrypted(jwe) => peeled.open(jwe.check()?, secrets, resolver)?,
            Layer::Signed(jws) => peeled.verify(jws, resolver)?,
        };
        content = Cow::Owned(inner);
    }
    Err(unsupported("nesting"))
}

impl Peeled {
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
