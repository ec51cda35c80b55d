//! Writing envelopes.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::content::{ContentEncryption, wrap_key};
use super::jwe::{
    ENCRYPTED_TYP, EpkOut, JweOut, KeyAgreement, ProtectedOut, RecipientHeaderOut, RecipientOut, apv, one_did,
};
use super::kdf::{self, Context};
use super::{MAX_ENVELOPE_BYTES, MAX_RECIPIENTS, PackError, Secrets};
use crate::base64url;
use crate::did::{Resolver, did_of};
use crate::keys::X25519Secret;
use crate::message::{Message, PLAIN_TYP};

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
    if message.from.as_deref() != Some(did_of(sender_kid)) {
        return Err(PackError::Sender);
    }
    let secret =
        secrets.x25519(sender_kid).ok_or_else(|| PackError::NoSecret { kid: sender_kid.to_owned() })?;
    let recipients = recipients(recipient_kids, resolver)?;
    let plaintext = plaintext(message, recipient_kids)?;
    let sender = Sender { kid: sender_kid, secret };
    Sealing::new(Some(sender), &recipients, ContentEncryption::A256CbcHs512, rng).seal(&plaintext, rng)
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
    let recipients = recipients(recipient_kids, resolver)?;
    let plaintext = plaintext(message, recipient_kids)?;
    Sealing::new(None, &recipients, ContentEncryption::Xc20p, rng).seal(&plaintext, rng)
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
    let inner = authcrypt(message, sender_kid, &[recipient_kid], secrets, resolver, rng)?;
    let recipients = recipients(&[recipient_kid], resolver)?;
    Sealing::new(None, &recipients, ContentEncryption::Xc20p, rng).seal(&inner, rng)
}

fn recipients<'k>(kids: &[&'k str], resolver: &dyn Resolver) -> Result<Vec<(&'k str, [u8; 32])>, PackError> {
    if kids.is_empty() || kids.len() > MAX_RECIPIENTS || one_did(kids.iter().copied()).is_err() {
        return Err(PackError::Recipients);
    }
    let did = kids.first().map_or("", |kid| did_of(kid));
    let document =
        resolver.document(did).map_err(|source| PackError::Unresolved { did: did.to_owned(), source })?;
    kids.iter()
        .map(|kid| match document.x25519(kid) {
            Some(public) => Ok((*kid, public)),
            None => Err(PackError::UnknownKey { kid: (*kid).to_owned() }),
        })
        .collect()
}

/// Serialises a message, with `typ` even if it has none: libraries of DIDComm v2.0 require it.
fn plaintext(message: &Message, recipient_kids: &[&str]) -> Result<Vec<u8>, PackError> {
    if let Some(to) = &message.to {
        let did = recipient_kids.first().map(|kid| did_of(kid));
        if !to.iter().any(|to| Some(to.as_str()) == did) {
            return Err(PackError::Recipient);
        }
    }
    let json = if message.typ.is_none() {
        serde_json::to_vec(&Message { typ: Some(PLAIN_TYP.to_owned()), ..message.clone() })
    } else {
        serde_json::to_vec(message)
    };
    json.map_err(|_| PackError::Encoding)
}

#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) kid: &'a str,
    pub(super) secret: &'a X25519Secret,
}

/// One envelope to be written.
pub(super) struct Sealing<'a> {
    pub(super) sender: Option<Sender<'a>>,
    pub(super) recipients: &'a [(&'a str, [u8; 32])],
    pub(super) enc: ContentEncryption,
    pub(super) alg: KeyAgreement,
    pub(super) ephemeral: X25519Secret,
    pub(super) header: ProtectedOut<'a>,
}

impl<'a> Sealing<'a> {
    pub(super) fn new<R: CryptoRng + ?Sized>(
        sender: Option<Sender<'a>>,
        recipients: &'a [(&'a str, [u8; 32])],
        enc: ContentEncryption,
        rng: &mut R,
    ) -> Self {
        let ephemeral = X25519Secret::generate(rng);
        let alg = if sender.is_some() { KeyAgreement::Ecdh1Pu } else { KeyAgreement::EcdhEs };
        let header = ProtectedOut {
            typ: ENCRYPTED_TYP,
            alg: alg.name(),
            enc: enc.name(),
            skid: sender.map(|sender| sender.kid),
            apu: sender.map_or(&[], |sender| sender.kid.as_bytes()),
            apv: apv(recipients.iter().map(|(kid, _)| *kid)),
            epk: EpkOut::x25519(ephemeral.public()),
        };
        Self { sender, recipients, enc, alg, ephemeral, header }
    }

    pub(super) fn seal<R: CryptoRng + ?Sized>(
        self,
        plaintext: &[u8],
        rng: &mut R,
    ) -> Result<Vec<u8>, PackError> {
        let statics = self.sender.map(|sender| sender.secret);
        self.seal_with(plaintext, rng, |ephemeral, recipient| {
            kdf::shared_secret((ephemeral, recipient), statics.map(|secret| (secret, recipient)))
        })
    }

    /// Seals with a `Z` that `agree` makes from the ephemeral key and a recipient's.
    pub(super) fn seal_with<R: CryptoRng + ?Sized>(
        self,
        plaintext: &[u8],
        rng: &mut R,
        agree: impl Fn(&X25519Secret, &[u8; 32]) -> Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Vec<u8>, PackError> {
        let header = serde_json::to_vec(&self.header).map_err(|_| PackError::Encoding)?;
        let protected = base64url::encode(header);
        let key = self.enc.generate_key(rng);
        // Under ECDH-1PU the content comes first: its tag enters the derivation of the key that wraps.
        let content =
            self.enc.seal(&key, plaintext, protected.as_bytes(), rng).map_err(|_| PackError::Encoding)?;
        let recipients = self
            .recipients
            .iter()
            .map(|(kid, public)| {
                let z = agree(&self.ephemeral, public)
                    .ok_or_else(|| PackError::WeakKey { kid: (*kid).to_owned() })?;
                let kek = self.wrapping_key(&z, &content.tag);
                Ok(RecipientOut {
                    header: RecipientHeaderOut { kid },
                    encrypted_key: wrap_key(&kek, &key).map_err(|_| PackError::Encoding)?,
                })
            })
            .collect::<Result<_, _>>()?;
        let jwe = JweOut {
            protected: &protected,
            recipients,
            iv: content.iv,
            ciphertext: content.ciphertext,
            tag: content.tag,
        };
        let json = serde_json::to_vec(&jwe).map_err(|_| PackError::Encoding)?;
        if json.len() > MAX_ENVELOPE_BYTES { Err(PackError::TooLarge) } else { Ok(json) }
    }

    fn wrapping_key(&self, z: &[u8], tag: &[u8]) -> Zeroizing<[u8; 32]> {
        let context = Context {
            alg: self.alg.name(),
            apu: self.header.apu,
            apv: &self.header.apv,
            cc_tag: self.sender.is_some().then_some(tag),
        };
        kdf::concat(z, &context)
    }
}
