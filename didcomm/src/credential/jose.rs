//! The compact JWS that secures a credential, RFC 7515 and VC-JOSE-COSE section 3.1.
//!
//! Not its concern: what the payload says.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::CredentialError;
use crate::base64url;
use crate::did::{DidDocument, DidError, PublicKey, Resolver, did_of, resolve_offline};
use crate::keys::{algorithm, verify};

/// A compact JWS that was taken apart.
#[derive(Debug, Clone)]
pub(super) struct Jws {
    header: Header,
    payload: Vec<u8>,
    /// What is signed: header and payload, encoded.
    signed: String,
    signature: [u8; 64],
}

#[derive(Debug, Clone, Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
    #[serde(default)]
    b64: Option<IgnoredAny>,
}

impl Jws {
    /// Takes a text of at most `most` bytes apart.
    pub(super) fn read(text: &str, most: usize) -> Result<Self, CredentialError> {
        let malformed = CredentialError::malformed;
        if text.len() > most {
            return Err(malformed("too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(malformed("parts"))?;
        let (header, payload) = signed.split_once('.').ok_or(malformed("parts"))?;
        let header = base64url::decode(header).ok_or(malformed("header"))?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| malformed("header"))?;
        // `b64` changes what is signed, RFC 7797; it must be critical, and nothing critical is known here.
        if header.crit.is_some() || header.b64.is_some() {
            return Err(CredentialError::unsupported("crit"));
        }
        if !["EdDSA", "ES256", "ES256K"].contains(&header.alg.as_str()) {
            return Err(CredentialError::unsupported("alg"));
        }
        let payload = base64url::decode(payload).ok_or(malformed("payload"))?;
        let signature = base64url::decode_array(signature).ok_or(malformed("signature"))?;
        Ok(Self { header, payload, signed: signed.to_owned(), signature })
    }

    /// The media type, if the header says one.
    pub(super) fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Verifies that `issuer` signed, with a key that its document lists for statements.
    pub(super) fn verify(&self, issuer: &str, documents: &impl Resolver) -> Result<(), CredentialError> {
        let document = document(issuer, documents)?;
        let key = self.key(&document).ok_or(CredentialError::UnlistedKey)?;
        // The key decides the algorithm; the header may only agree.
        if algorithm(&key) != Some(self.header.alg.as_str()) {
            return Err(CredentialError::BadSignature);
        }
        verify(&key, self.signed.as_bytes(), &self.signature).map_err(|_| CredentialError::BadSignature)
    }

    /// The key that `kid` names: absolute, relative to the issuer, or, if there is none, the only one that can have signed.
    fn key(&self, document: &DidDocument) -> Option<PublicKey> {
        match &self.header.kid {
            Some(kid) if kid.starts_with('#') => document.assertion_key(&format!("{}{kid}", document.id)),
            Some(kid) if did_of(kid) == document.id => document.assertion_key(kid),
            Some(_) => None,
            None => {
                let listed = document.assertion_method.iter().filter_map(|kid| document.assertion_key(kid));
                let mut fitting = listed.filter(|key| algorithm(key) == Some(self.header.alg.as_str()));
                fitting.next().filter(|_| fitting.next().is_none())
            }
        }
    }
}

/// The document of an issuer: from its DID, or among those that were looked up.
fn document(issuer: &str, documents: &impl Resolver) -> Result<DidDocument, CredentialError> {
    let document = match resolve_offline(issuer) {
        Err(DidError::UnsupportedMethod) => documents.document(issuer),
        resolved => resolved,
    };
    document.ok().filter(|document| document.id == issuer).ok_or(CredentialError::NoDocument)
}
