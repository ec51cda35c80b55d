//! The `didcomm` crate in the place of our envelope: what another library needs, and no more.
//!
//! It encrypts and decrypts with X25519, authcrypt and anoncrypt; documents and keys come from our traits, and what it took out of
//! the layers goes through [`Peeled::message`], which refuses the sender that the crate itself takes on trust
//! (`interop/README.md`). Its generator is its own.
//!
//! Not its concern: signed layers, other curves and DIDs that rotate; and whether one should ship it (decision record 0001).

use async_trait::async_trait;
use didagent_didcomm::did::{DidError, Resolver, did_of};
use didagent_didcomm::envelope::{
    Authenticated, ContentEncryption, Envelope, Layers, MAX_ENVELOPE_BYTES, PackError, Peeled, Secrets,
    UnpackError, Unpacked,
};
use didagent_didcomm::message::Message;
use didcomm::algorithms::AnonCryptAlg;
use didcomm::did::{DIDDoc, DIDResolver};
use didcomm::error::ErrorKind;
use didcomm::secrets::{Secret, SecretsResolver};
use didcomm::{PackEncryptedOptions, UnpackOptions};
use futures_executor::block_on;
use rand_chacha::rand_core::CryptoRng;

use crate::{their_document, their_secret};

/// The `didcomm` crate as an envelope of ours.
#[derive(Debug, Clone, Copy, Default)]
pub struct DidcommCrate;

/// Our documents as the crate asks for them.
struct Documents<'a>(&'a dyn Resolver);

#[async_trait(?Send)]
impl DIDResolver for Documents<'_> {
    async fn resolve(&self, did: &str) -> didcomm::error::Result<Option<DIDDoc>> {
        Ok(self.0.document(did).ok().as_ref().map(their_document))
    }
}

/// Our secrets as the crate asks for them.
struct Keys<'a>(&'a dyn Secrets);

#[async_trait(?Send)]
impl SecretsResolver for Keys<'_> {
    async fn get_secret(&self, kid: &str) -> didcomm::error::Result<Option<Secret>> {
        Ok(self.0.x25519(kid).map(|secret| their_secret(kid, secret)))
    }

    async fn find_secrets<'a>(&self, kids: &'a [&'a str]) -> didcomm::error::Result<Vec<&'a str>> {
        Ok(kids.iter().copied().filter(|kid| self.0.x25519(kid).is_some()).collect())
    }
}

impl Envelope for DidcommCrate {
    fn pack(
        &self,
        message: &Message,
        layers: &Layers<'_>,
        secrets: &dyn Secrets,
        resolver: &dyn Resolver,
        _rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, PackError> {
        if !layers.signers.is_empty() {
            return Err(PackError::Unsupported { what: "signatures" });
        }
        let to = recipient(layers.recipients, resolver)?;
        // The crate looks at a message that it was given in its own type; ours is checked as ours.
        let sender = layers.sender.filter(|kid| message.from.as_deref() != Some(did_of(kid)));
        if sender.is_some() {
            return Err(PackError::Sender);
        }
        if message.to.as_ref().is_some_and(|named| !named.iter().any(|named| named == did_of(to))) {
            return Err(PackError::Recipient);
        }
        if let Some(kid) = layers.sender.filter(|kid| secrets.x25519(kid).is_none()) {
            return Err(PackError::NoSecret { kid: kid.to_owned() });
        }
        let enc_alg_anon = match layers.content {
            ContentEncryption::A256CbcHs512 => AnonCryptAlg::A256cbcHs512EcdhEsA256kw,
            ContentEncryption::A256Gcm => AnonCryptAlg::A256gcmEcdhEsA256kw,
            ContentEncryption::Xc20p => AnonCryptAlg::Xc20pEcdhEsA256kw,
            _ => return Err(PackError::Unsupported { what: "this content encryption" }),
        };
        let options = PackEncryptedOptions {
            forward: false,
            protect_sender: layers.hidden,
            enc_alg_anon,
            ..PackEncryptedOptions::default()
        };
        let message: didcomm::Message = serde_json::to_value(message)
            .and_then(serde_json::from_value)
            .map_err(|_| PackError::Encoding)?;
        let (documents, keys) = (Documents(resolver), Keys(secrets));
        let packed = message.pack_encrypted(to, layers.sender, None, &documents, &keys, &options);
        let (packed, _) = block_on(packed).map_err(|error| match error.kind() {
            ErrorKind::NoCompatibleCrypto => PackError::Curve,
            ErrorKind::DIDUrlNotFound => PackError::UnknownKey { kid: to.to_owned() },
            _ => PackError::Encoding,
        })?;
        if packed.len() > MAX_ENVELOPE_BYTES { Err(PackError::TooLarge) } else { Ok(packed.into_bytes()) }
    }

    fn unpack(
        &self,
        bytes: &[u8],
        secrets: &dyn Secrets,
        resolver: &dyn Resolver,
        now_unix: u64,
    ) -> Result<Unpacked, UnpackError> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(UnpackError::TooLarge { got: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| UnpackError::Malformed { what: "UTF-8" })?;
        let options = UnpackOptions { unwrap_re_wrapping_forward: false, ..UnpackOptions::default() };
        let (documents, keys) = (Documents(resolver), Keys(secrets));
        let unpacked = didcomm::Message::unpack(text, &documents, &keys, &options);
        let (message, metadata) = block_on(unpacked).map_err(|error| match error.kind() {
            ErrorKind::SecretNotFound => UnpackError::NotForUs,
            ErrorKind::DIDNotResolved => UnpackError::UnresolvedSender(DidError::NotFound),
            ErrorKind::DIDUrlNotFound => UnpackError::UnknownSenderKey,
            ErrorKind::NoCompatibleCrypto | ErrorKind::Unsupported => {
                UnpackError::Unsupported { what: "for the crate `didcomm`" }
            }
            _ => UnpackError::Malformed { what: "for the crate `didcomm`" },
        })?;
        let ours = |kids: Vec<String>| kids.into_iter().find(|kid| secrets.x25519(kid).is_some());
        let peeled = Peeled {
            anonymous: metadata.anonymous_sender,
            recipient_kid: metadata.encrypted_to_kids.and_then(ours),
            sender: metadata.encrypted_from_kid.map(Authenticated::by),
            signer: metadata.sign_from.map(Authenticated::by),
        };
        let plaintext =
            serde_json::to_vec(&message).map_err(|_| UnpackError::Malformed { what: "message" })?;
        peeled.message(&plaintext, resolver, now_unix)
    }
}

/// The crate's name for the recipients: one key of a DID, or the DID for all its keys.
fn recipient<'a>(kids: &[&'a str], resolver: &dyn Resolver) -> Result<&'a str, PackError> {
    let did = kids.first().map(|kid| did_of(kid)).ok_or(PackError::Recipients)?;
    let document =
        resolver.document(did).map_err(|source| PackError::Unresolved { did: did.to_owned(), source })?;
    if let Some(unknown) = kids.iter().find(|kid| document.agreement_key(kid).is_none()) {
        return Err(PackError::UnknownKey { kid: (*unknown).to_owned() });
    }
    match kids {
        [kid] => Ok(kid),
        kids if document.key_agreement_kids().eq(kids.iter().copied()) => Ok(did),
        _ => Err(PackError::Unsupported { what: "some keys of a DID and not all" }),
    }
}
