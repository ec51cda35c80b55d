//! Writing one JWE: the content, its key for each recipient, and the JSON around them.
//!
//! ```text
//! plaintext --in place--> ciphertext --base64url into the JSON--> JWE
//! ```
//!
//! The content is moved into the ciphertext's place and copied once more, by its encoding; nothing is serialised twice.
//!
//! Not its concern: what is encrypted and to whom (`pack`).

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::content::{ContentEncryption, Sealed, wrap_key};
use super::jwe::{ENCRYPTED_TYP, EpkOut, KeyAgreement, ProtectedOut, apv};
use super::kdf::{self, Context};
use super::{MAX_ENVELOPE_BYTES, PackError};
use crate::base64url;
use crate::did::PublicKey;
use crate::keys::{Agree, AgreementSecret};

#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) kid: &'a str,
    pub(super) secret: &'a dyn Agree,
}

/// One envelope to be written.
pub(super) struct Sealing<'a> {
    pub(super) sender: Option<Sender<'a>>,
    pub(super) recipients: &'a [(&'a str, PublicKey)],
    pub(super) enc: ContentEncryption,
    pub(super) alg: KeyAgreement,
    pub(super) ephemeral: AgreementSecret,
    pub(super) header: ProtectedOut<'a>,
}

impl<'a> Sealing<'a> {
    /// Begins an envelope to `recipients`, which are keys of one curve.
    pub(super) fn new<R: CryptoRng + ?Sized>(
        sender: Option<Sender<'a>>,
        recipients: &'a [(&'a str, PublicKey)],
        enc: ContentEncryption,
        rng: &mut R,
    ) -> Result<Self, PackError> {
        let (_, first) = recipients.first().ok_or(PackError::Recipients)?;
        let ephemeral = AgreementSecret::generate_like(first, rng).map_err(|_| PackError::Curve)?;
        let alg = if sender.is_some() { KeyAgreement::Ecdh1Pu } else { KeyAgreement::EcdhEs };
        let header = ProtectedOut {
            typ: ENCRYPTED_TYP,
            alg: alg.name(),
            enc: enc.name(),
            skid: sender.map(|sender| sender.kid),
            apu: sender.map_or(&[], |sender| sender.kid.as_bytes()),
            apv: apv(recipients.iter().map(|(kid, _)| *kid)),
            epk: EpkOut::new(&ephemeral.public_key()),
        };
        Ok(Self { sender, recipients, enc, alg, ephemeral, header })
    }

    pub(super) fn seal<R: CryptoRng + ?Sized>(
        self,
        plaintext: Vec<u8>,
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
        plaintext: Vec<u8>,
        rng: &mut R,
        agree: impl Fn(&dyn Agree, &PublicKey) -> Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Vec<u8>, PackError> {
        // Base64url grows by a third; what is certainly too large need not be encrypted.
        if plaintext.len() > MAX_ENVELOPE_BYTES / 4 * 3 {
            return Err(PackError::TooLarge);
        }
        let header = serde_json::to_vec(&self.header).map_err(|_| PackError::Encoding)?;
        let protected = base64url::encode(header);
        let (key, iv) = self.enc.generate_key(rng);
        // Under ECDH-1PU the content comes first: its tag enters the derivation of the key that wraps.
        let content =
            self.enc.seal(&key, iv, plaintext, protected.as_bytes()).map_err(|_| PackError::Encoding)?;
        let wrapped = self
            .recipients
            .iter()
            .map(|(kid, public)| {
                let z = agree(&self.ephemeral, public)
                    .ok_or_else(|| PackError::WeakKey { kid: (*kid).to_owned() })?;
                let kek = self.wrapping_key(&z, &content.tag);
                Ok((*kid, wrap_key(&kek, &key).map_err(|_| PackError::Encoding)?))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let json = json(&protected, &wrapped, &content)?;
        if json.len() > MAX_ENVELOPE_BYTES { Err(PackError::TooLarge) } else { Ok(json.into_bytes()) }
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

/// The General JSON Serialization, in a buffer that never has to grow for the ciphertext.
fn json(protected: &str, recipients: &[(&str, Vec<u8>)], content: &Sealed) -> Result<String, PackError> {
    let Sealed { iv, ciphertext, tag } = content;
    let of_recipients: usize = recipients.iter().map(|(kid, _)| kid.len() + 160).sum();
    let capacity = protected.len() + of_recipients + ciphertext.len().div_ceil(3) * 4 + 256;
    let mut json = String::with_capacity(capacity);
    json.push_str("{\"protected\":\"");
    json.push_str(protected);
    json.push_str("\",\"recipients\":[");
    for (number, (kid, wrapped)) in recipients.iter().enumerate() {
        json.push_str(if number == 0 { "{\"header\":{\"kid\":" } else { ",{\"header\":{\"kid\":" });
        json.push_str(&serde_json::to_string(kid).map_err(|_| PackError::Encoding)?);
        json.push_str("},\"encrypted_key\":\"");
        base64url::encode_to(&mut json, wrapped);
        json.push_str("\"}");
    }
    for (before, bytes) in [("],\"iv\":\"", iv), ("\",\"ciphertext\":\"", ciphertext), ("\",\"tag\":\"", tag)]
    {
        json.push_str(before);
        base64url::encode_to(&mut json, bytes);
    }
    json.push_str("\"}");
    Ok(json)
}
