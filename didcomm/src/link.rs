//! The signed link between an identity and a connection DID.
//!
//! Decision record 0002: a person has one identity (did:key, Ed25519) that signs and never decrypts, and for each contact
//! a connection DID (did:peer:2) of its own. The link says that the identity speaks through the connection DID. An
//! organisation's identity may be a did:web instead, whose document then says which keys sign for it. It is
//! a compact JWS (RFC 7515, RFC 8037):
//!
//! ```text
//! header   {"alg":"EdDSA","typ":"didagent-link/1","kid":"<identity>#<key>"}
//! payload  {"iss":"<identity>","sub":"<connection DID>","iat":<UTC seconds>}
//! ```
//!
//! A reader already knows the connection DID, because it authenticated the message that carries the link; a link for
//! another DID proves nothing about this one and is refused.
//!
//! Not its concern: whether the identity is welcome, how old a link may be, and fetching the document of a did:web: whoever
//! verifies has asked [`issuer`] whose it needs, and brings it.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::base64url;
use crate::did::{MAX_DID_BYTES, OfflineResolver, PublicKey, Resolver, did_of, key, web};
use crate::keys::{Ed25519Secret, verify_ed25519};

/// The `typ` header (names chapter, 0.2).
pub const TYP: &str = "didagent-link/1";

/// Longest link that is read, in bytes: the longest DID in base64url and room for the rest.
const MAX_BYTES: usize = MAX_DID_BYTES / 3 * 4 + 1024;

/// A link that verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedLink {
    /// The identity, a did:key or a did:web.
    pub identity: String,
    /// The Ed25519 key that signed.
    pub key: [u8; 32],
    /// When the identity signed, in UTC seconds, as it says itself.
    pub issued_at: u64,
}

/// Why a link proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Not a link of this kind and version.
    #[error("malformed link: {what}")]
    Malformed {
        /// Which part of it.
        what: &'static str,
    },
    /// It is for another connection DID.
    #[error("the link is for another DID")]
    OtherSubject,
    /// The identity is a did:web, and there is no document of it.
    #[error("the identity's document is not known")]
    NoDocument,
    /// The identity is a did:web whose document does not list the key under assertionMethod, or not as an Ed25519 key.
    #[error("the identity's document does not list the key that signed the link")]
    UnlistedKey,
    /// The identity did not sign it.
    #[error("the link's signature does not verify")]
    BadSignature,
}

/// Signs that `identity` speaks through `connection_did` since `iat`, in UTC seconds.
///
/// ```
/// use didagent_didcomm::{did::key, keys::Ed25519Secret, link};
/// let identity = Ed25519Secret::from_bytes(&[7; 32]);
/// let jws = link::sign(&identity, "did:peer:2.Vz", 1_700_000_000);
/// let link = link::verify(&jws, "did:peer:2.Vz")?;
/// assert_eq!(link.identity, key::encode_ed25519(&identity.public()));
/// assert!(link::verify(&jws, "did:peer:2.Ez").is_err());
/// # Ok::<(), link::LinkError>(())
/// ```
pub fn sign(identity: &Ed25519Secret, connection_did: &str, iat: u64) -> String {
    let iss = key::encode_ed25519(&identity.public());
    sign_as(identity, &key::kid(&iss), connection_did, iat)
}

/// Like [`sign`], in the name of the DID of `kid`, an absolute DID URL of this key.
pub fn sign_as(identity: &Ed25519Secret, kid: &str, connection_did: &str, iat: u64) -> String {
    let header = HeaderOut { alg: "EdDSA", typ: TYP, kid };
    let payload = PayloadOut { iss: did_of(kid), sub: connection_did, iat };
    let signed = format!("{}.{}", part(&header), part(&payload));
    let signature = identity.sign(signed.as_bytes());
    format!("{signed}.{}", base64url::encode(signature))
}

/// Returns the did:web whose document [`verify_with`] needs, which nobody has verified to be anything; `None` for a link of a
/// did:key, for one of another connection than `expected_sub`, and for one that is none.
pub fn issuer(jws: &str, expected_sub: &str) -> Option<String> {
    if jws.len() > MAX_BYTES {
        return None;
    }
    let payload: PayloadIn = serde_json::from_slice(&base64url::decode(jws.split('.').nth(1)?)?).ok()?;
    (payload.iss.starts_with(web::PREFIX) && payload.sub == expected_sub).then_some(payload.iss)
}

/// Verifies a link of a did:key for `expected_sub`, the connection DID that it came through.
///
/// # Errors
/// A [`LinkError`]; the sender has shown no identity.
pub fn verify(jws: &str, expected_sub: &str) -> Result<VerifiedLink, LinkError> {
    verify_with(jws, expected_sub, &OfflineResolver)
}

/// Like [`verify`], also of a did:web whose document `documents` has.
///
/// # Errors
/// A [`LinkError`]; the sender has shown no identity.
pub fn verify_with(
    jws: &str,
    expected_sub: &str,
    documents: &impl Resolver,
) -> Result<VerifiedLink, LinkError> {
    if jws.len() > MAX_BYTES {
        return Err(malformed("too long"));
    }
    let (signed, signature) = jws.rsplit_once('.').ok_or(malformed("parts"))?;
    let (header, payload) = signed.split_once('.').ok_or(malformed("parts"))?;

    let header = base64url::decode(header).ok_or(malformed("header"))?;
    let header: HeaderIn = serde_json::from_slice(&header).map_err(|_| malformed("header"))?;
    if header.alg != "EdDSA" || header.typ != TYP || header.crit.is_some() {
        return Err(malformed("kind"));
    }
    let payload = base64url::decode(payload).ok_or(malformed("payload"))?;
    let payload: PayloadIn = serde_json::from_slice(&payload).map_err(|_| malformed("payload"))?;
    let public = if payload.iss.starts_with(web::PREFIX) {
        if payload.sub != expected_sub {
            // As for `issuer`: nobody looks for the document of such a one.
            return Err(LinkError::OtherSubject);
        }
        listed_key(&payload.iss, &header.kid, documents)?
    } else {
        let public = key::decode_ed25519(&payload.iss).map_err(|_| malformed("iss"))?;
        if header.kid != key::kid(&payload.iss) {
            return Err(malformed("kid is not the key of iss"));
        }
        public
    };

    let signature = base64url::decode_array(signature).ok_or(malformed("signature"))?;
    verify_ed25519(&public, signed.as_bytes(), &signature).map_err(|_| LinkError::BadSignature)?;
    if payload.sub != expected_sub {
        return Err(LinkError::OtherSubject);
    }
    Ok(VerifiedLink { identity: payload.iss, key: public, issued_at: payload.iat })
}

/// The key `kid` with which the did:web `iss` makes statements.
fn listed_key(iss: &str, kid: &str, documents: &impl Resolver) -> Result<[u8; 32], LinkError> {
    if did_of(kid) != iss {
        return Err(malformed("kid is not the key of iss"));
    }
    let document = documents.document(iss).map_err(|_| LinkError::NoDocument)?;
    match document.assertion_key(kid) {
        Some(PublicKey::Ed25519(key)) => Ok(key),
        _ => Err(LinkError::UnlistedKey),
    }
}

const fn malformed(what: &'static str) -> LinkError {
    LinkError::Malformed { what }
}

fn part(value: &impl Serialize) -> String {
    #[expect(clippy::expect_used, reason = "structs of strings and integers always serialise")]
    let json = serde_json::to_vec(value).expect("a struct of strings serialises");
    base64url::encode(json)
}

#[derive(Serialize)]
struct HeaderOut<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

#[derive(Serialize)]
struct PayloadOut<'a> {
    iss: &'a str,
    sub: &'a str,
    iat: u64,
}

#[derive(Deserialize)]
struct HeaderIn {
    alg: String,
    typ: String,
    kid: String,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct PayloadIn {
    iss: String,
    sub: String,
    iat: u64,
}

#[cfg(test)]
mod tests;
