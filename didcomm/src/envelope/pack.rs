//! Writing envelopes: which layers, and what is checked before anything is encrypted.

use rand_core::CryptoRng;

use super::content::ContentEncryption;
use super::jwe::one_did;
use super::jws::MAX_SIGNATURES;
use super::seal::{Sealing, Sender, room};
use super::{MAX_ENVELOPE_BYTES, MAX_RECIPIENTS, PackError, Secrets, jws, prior};
use crate::did::{DidDocument, PublicKey, Resolver, did_of};
use crate::keys::Sign;
use crate::message::Message;

/// What is put around a message, named from the inside to the outside. Keys are absolute DID URLs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layers<'a> {
    /// Keys of the sender that sign, so that everybody can be shown who wrote the message; none does not sign.
    pub signers: &'a [&'a str],
    /// The key of the sender that encrypts, so that the recipients know who wrote it: authcrypt.
    pub sender: Option<&'a str>,
    /// Whether an anonymous layer hides the sender from whoever carries the message. Without a sender there is always one
    /// around what is encrypted.
    pub hidden: bool,
    /// Keys of one DID and one curve to encrypt to; none does not encrypt.
    pub recipients: &'a [&'a str],
    /// Content encryption of the anonymous layer.
    pub content: ContentEncryption,
}

impl<'a> Layers<'a> {
    /// Authcrypt: from one key to the keys of one DID, so that they know who sent it.
    pub fn authcrypt(sender: &'a str, recipients: &'a [&'a str]) -> Self {
        Self { sender: Some(sender), recipients, ..Self::default() }
    }

    /// Anoncrypt: to the keys of one DID, without saying who sent it. No recipients are a mistake, and not a plaintext.
    pub fn anoncrypt(recipients: &'a [&'a str]) -> Self {
        Self { hidden: true, recipients, ..Self::default() }
    }

    /// Authcrypt, and anoncrypt to the same keys around it, so that whoever carries the envelope does not learn the sender.
    pub fn sealed(sender: &'a str, recipients: &'a [&'a str]) -> Self {
        Self { hidden: true, ..Self::authcrypt(sender, recipients) }
    }
}

/// Writes `message` with any legal layers: none, signed, encrypted, or signed and encrypted.
///
/// `message.from` must be the DID of the keys that sign and encrypt. `message.to`, if present, must contain the recipients'
/// DID, and must be present if the message is signed and encrypted: otherwise a recipient could pass it on as if it had been
/// written to somebody else. `message.from_prior` must verify. Returns JSON.
///
/// # Errors
/// A [`PackError`]; nothing was signed or encrypted.
pub fn pack<R: CryptoRng + ?Sized>(
    message: &Message,
    layers: &Layers<'_>,
    secrets: &dyn Secrets,
    resolver: &dyn Resolver,
    rng: &mut R,
) -> Result<Vec<u8>, PackError> {
    let sender = layers.sender.map(|kid| sender(message, kid, secrets)).transpose()?;
    let signers = signers(message, layers.signers, secrets, resolver)?;
    let encrypted = !layers.recipients.is_empty();
    if (sender.is_some() || layers.hidden) && !encrypted {
        return Err(PackError::Recipients);
    }
    let recipients = if encrypted { recipients(layers.recipients, resolver)? } else { Vec::new() };
    if sender
        .is_some_and(|sender| recipients.first().is_some_and(|(_, key)| key.curve() != sender.secret.curve()))
    {
        return Err(PackError::Curve);
    }
    addressed(message, layers.recipients, !signers.is_empty())?;
    if let Some(jwt) = &message.from_prior {
        prior::verify(jwt, message.from.as_deref(), resolver).map_err(|_| PackError::Prior)?;
    }

    let anonymous = layers.hidden || sender.is_none();
    // One buffer for the message and for each layer that is encrypted in it.
    let around = |inner: usize, sender| room(inner, sender, layers.recipients);
    let mut content = message.to_json(|json| match (encrypted, sender) {
        (false, _) => json,
        (true, None) => around(json, None),
        (true, Some(sender)) if !anonymous => around(json, Some(sender.kid)),
        (true, Some(sender)) => around(around(json, Some(sender.kid)), None),
    })?;
    if !signers.is_empty() {
        content = jws::sign(&content, &signers)?;
    }
    if let Some(sender) = sender {
        let authcrypt = Sealing::new(Some(sender), &recipients, ContentEncryption::A256CbcHs512, rng)?;
        content = authcrypt.seal(content, rng)?;
    }
    if encrypted && anonymous {
        content = Sealing::new(None, &recipients, layers.content, rng)?.seal(content, rng)?;
    }
    if content.len() > MAX_ENVELOPE_BYTES { Err(PackError::TooLarge) } else { Ok(content) }
}

/// Encrypts `message` from one key to the keys of one DID, so that they know who sent it.
///
/// `sender_kid` and `recipient_kids` are absolute DID URLs; `message.from` must be the sender's DID, and `message.to`,
/// if present, must contain the recipients'. Returns the JWE as JSON.
///
/// # Errors
/// A [`PackError`]; nothing was encrypted.
pub fn authcrypt<R: CryptoRng + ?Sized>(
    message: &Message,
    sender_kid: &str,
    recipient_kids: &[&str],
    secrets: &dyn Secrets,
    resolver: &dyn Resolver,
    rng: &mut R,
) -> Result<Vec<u8>, PackError> {
    pack(message, &Layers::authcrypt(sender_kid, recipient_kids), secrets, resolver, rng)
}

/// Encrypts `message` to the keys of one DID without saying who sent it.
///
/// `recipient_kids` are absolute DID URLs; `message.to`, if present, must contain their DID. Returns the JWE as JSON.
///
/// # Errors
/// A [`PackError`]; nothing was encrypted.
pub fn anoncrypt<R: CryptoRng + ?Sized>(
    message: &Message,
    recipient_kids: &[&str],
    resolver: &dyn Resolver,
    rng: &mut R,
) -> Result<Vec<u8>, PackError> {
    pack(message, &Layers::anoncrypt(recipient_kids), &NoSecrets, resolver, rng)
}

/// Encrypts `message` with [`authcrypt`] and the result anonymously to the same key, so that whoever carries the
/// envelope does not learn the sender.
///
/// # Errors
/// As for [`authcrypt`].
pub fn sealed<R: CryptoRng + ?Sized>(
    message: &Message,
    sender_kid: &str,
    recipient_kid: &str,
    secrets: &dyn Secrets,
    resolver: &dyn Resolver,
    rng: &mut R,
) -> Result<Vec<u8>, PackError> {
    pack(message, &Layers::sealed(sender_kid, &[recipient_kid]), secrets, resolver, rng)
}

/// What anoncrypt needs.
struct NoSecrets;

impl Secrets for NoSecrets {
    fn x25519(&self, _kid: &str) -> Option<&crate::keys::X25519Secret> {
        None
    }
}

fn sender<'a>(message: &Message, kid: &'a str, secrets: &'a dyn Secrets) -> Result<Sender<'a>, PackError> {
    if message.from.as_deref() != Some(did_of(kid)) {
        return Err(PackError::Sender);
    }
    let secret = secrets.agreement(kid).ok_or_else(|| PackError::NoSecret { kid: kid.to_owned() })?;
    Ok(Sender { kid, secret })
}

fn signers<'a>(
    message: &Message,
    kids: &'a [&'a str],
    secrets: &'a dyn Secrets,
    resolver: &dyn Resolver,
) -> Result<Vec<(&'a str, &'a dyn Sign)>, PackError> {
    if kids.len() > MAX_SIGNATURES || one_did(kids.iter().copied()).is_err() {
        return Err(PackError::Signers);
    }
    let Some(first) = kids.first() else { return Ok(Vec::new()) };
    let did = did_of(first);
    if message.from.as_deref() != Some(did) {
        return Err(PackError::Sender);
    }
    let document = document(did, resolver)?;
    kids.iter()
        .map(|kid| {
            let secret =
                secrets.signing(kid).ok_or_else(|| PackError::NoSecret { kid: (*kid).to_owned() })?;
            if document.authentication_key(kid) != Some(secret.public_key()) {
                return Err(PackError::UnknownKey { kid: (*kid).to_owned() });
            }
            Ok((*kid, secret))
        })
        .collect()
}

fn recipients<'k>(kids: &[&'k str], resolver: &dyn Resolver) -> Result<Vec<(&'k str, PublicKey)>, PackError> {
    if kids.is_empty() || kids.len() > MAX_RECIPIENTS || one_did(kids.iter().copied()).is_err() {
        return Err(PackError::Recipients);
    }
    let document = document(kids.first().map_or("", |kid| did_of(kid)), resolver)?;
    let recipients = kids
        .iter()
        .map(|kid| match document.agreement_key(kid) {
            Some(public) => Ok((*kid, public)),
            None => Err(PackError::UnknownKey { kid: (*kid).to_owned() }),
        })
        .collect::<Result<Vec<_>, _>>()?;
    // One ephemeral key serves all, so it has the curve of all.
    let curves = || recipients.iter().map(|(_, key)| key.curve());
    if curves().zip(curves().skip(1)).any(|(one, next)| one != next) {
        return Err(PackError::Curve);
    }
    Ok(recipients)
}

fn document(did: &str, resolver: &dyn Resolver) -> Result<DidDocument, PackError> {
    resolver.document(did).map_err(|source| PackError::Unresolved { did: did.to_owned(), source })
}

fn addressed(message: &Message, recipient_kids: &[&str], signed: bool) -> Result<(), PackError> {
    let Some(did) = recipient_kids.first().map(|kid| did_of(kid)) else { return Ok(()) };
    match &message.to {
        Some(to) if to.iter().any(|to| to == did) => Ok(()),
        None if !signed => Ok(()),
        _ => Err(PackError::Recipient),
    }
}
