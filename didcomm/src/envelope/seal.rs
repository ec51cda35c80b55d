//! Writing one JWE: the content, its key for each recipient, and the JSON around them.
//!
//! ```text
//! plaintext --in place--> ciphertext --base64url, in place--> JWE
//! ```
//!
//! All of it happens in the buffer of the plaintext, if that has [`room`]; nothing is serialised twice.
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
        let json = json(&protected, &wrapped, content)?;
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

/// About how long an envelope around `plaintext` bytes is; a buffer with less room is moved to where there is more.
pub(super) fn room(plaintext: usize, sender: Option<&str>, recipients: &[&str]) -> usize {
    // The sender's key is named twice in the header, once in base64url, and the header is encoded too.
    let header = 512 + 4 * sender.map_or(0, str::len);
    let recipients: usize = recipients.iter().map(|kid| kid.len() + 160).sum();
    base64url::encoded_len(plaintext + ContentEncryption::A256CbcHs512.padding_bytes())
        + header
        + recipients
        + 256
}

/// The General JSON Serialization, around the ciphertext in its own buffer.
fn json(protected: &str, recipients: &[(&str, Vec<u8>)], content: Sealed) -> Result<Vec<u8>, PackError> {
    let Sealed { iv, ciphertext: mut buffer, tag } = content;
    let of_recipients: usize = recipients.iter().map(|(kid, _)| kid.len() + 160).sum();
    let mut before = String::with_capacity(protected.len() + of_recipients + 128);
    before.push_str("{\"protected\":\"");
    before.push_str(protected);
    before.push_str("\",\"recipients\":[");
    for (number, (kid, wrapped)) in recipients.iter().enumerate() {
        before.push_str(if number == 0 { "{\"header\":{\"kid\":" } else { ",{\"header\":{\"kid\":" });
        before.push_str(&serde_json::to_string(kid).map_err(|_| PackError::Encoding)?);
        before.push_str("},\"encrypted_key\":\"");
        base64url::encode_to(&mut before, wrapped);
        before.push_str("\"}");
    }
    before.push_str("],\"iv\":\"");
    base64url::encode_to(&mut before, iv);
    before.push_str("\",\"ciphertext\":\"");
    let mut after = String::with_capacity(64);
    after.push_str("\",\"tag\":\"");
    base64url::encode_to(&mut after, tag);
    after.push_str("\"}");
    base64url::encode_within(&mut buffer, before.as_bytes(), after.as_bytes()).ok_or(PackError::Encoding)?;
    Ok(buffer)
}
