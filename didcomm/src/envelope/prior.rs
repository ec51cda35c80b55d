//! `from_prior`: a DID says that another one takes its place.
//!
//! DIDComm Messaging v2.1, "DID Rotation" and "Ending a Relationship"; RFC 7519. The rules that those leave open are in
//! `spec/connect.md`, section 6.
//!
//! ```text
//! old DID --rotate--> JWT {iss: old, sub: new, iat} --Message::from_prior--> authcrypt from the new DID
//!                                                                            --unpack--> Unpacked::prior
//! ```
//!
//! Not its concern: what a recipient knows of the old DID, and what it does with it.

use serde::{Deserialize, Serialize};

use super::jws::{ProtectedIn, protected, verify_by};
use super::{PackError, Secrets, UnpackError};
use crate::base64url;
use crate::did::{DidError, Resolver, did_of};

/// The `typ` header. A signature for another purpose, such as that of a link, must not pass for a rotation.
const JWT_TYP: &str = "JWT";

/// Longest `from_prior` that is read, in bytes: two DIDs of the largest size and their encoding take less.
const MAX_JWT_BYTES: usize = 64 << 10;

/// A DID whose place the sender of a message takes, as the DID itself signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prior {
    /// The prior DID.
    pub did: String,
    /// Its key that signed, an absolute DID URL.
    pub kid: String,
    /// The DID that takes its place, equal to the sender's; `None` when nobody does: the relationship is over.
    pub successor: Option<String>,
    /// When it rotated, in UTC seconds, if it says so.
    pub rotated: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    iss: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
}

/// Signs that `successor` takes the place of the DID of `prior_kid`, or that nobody does. `rotated` is when, in UTC seconds.
///
/// Returns a compact JWT for [`Message::from_prior`](crate::message::Message::from_prior).
///
/// # Errors
/// [`PackError::NoSecret`] when there is no secret for `prior_kid`, [`PackError::Prior`] when both DIDs are the same.
pub fn rotate(
    prior_kid: &str,
    successor: Option<&str>,
    rotated: u64,
    secrets: &dyn Secrets,
) -> Result<String, PackError> {
    let secret =
        secrets.signing(prior_kid).ok_or_else(|| PackError::NoSecret { kid: prior_kid.to_owned() })?;
    let iss = did_of(prior_kid).to_owned();
    if successor.is_some_and(|successor| successor == iss || successor != did_of(successor)) {
        return Err(PackError::Prior);
    }
    let claims = Claims { sub: successor.map(str::to_owned), iss, iat: Some(rotated) };
    let claims = serde_json::to_vec(&claims).map_err(|_| PackError::Encoding)?;
    let mut jwt = protected(JWT_TYP, Some(prior_kid), secret)?;
    jwt.push('.');
    base64url::encode_to(&mut jwt, claims);
    let signature = secret.signature(jwt.as_bytes()).map_err(|_| PackError::Encoding)?;
    jwt.push('.');
    base64url::encode_to(&mut jwt, signature);
    Ok(jwt)
}

/// Verifies the `from_prior` of a message whose `from` is `from`. `None` when the prior DID is not one that can be resolved
/// here: whoever cannot resolve it does not know it either, so there is nothing to rotate.
pub(super) fn verify(
    jwt: &str,
    from: Option<&str>,
    resolver: &dyn Resolver,
) -> Result<Option<Prior>, UnpackError> {
    let wrong = |what| UnpackError::Prior { what };
    if jwt.len() > MAX_JWT_BYTES {
        return Err(wrong("length"));
    }
    let (signed, signature) = jwt.rsplit_once('.').ok_or(wrong("format"))?;
    let (header, claims) = signed.split_once('.').ok_or(wrong("format"))?;
    let header = ProtectedIn::read(header).map_err(|_| wrong("header"))?;
    if header.typ.is_some_and(|typ| typ != JWT_TYP) {
        return Err(wrong("typ"));
    }
    let kid = header.kid.ok_or(wrong("kid"))?;
    let claims = base64url::decode(claims).ok_or(wrong("claims"))?;
    let Claims { sub, iss, iat } = serde_json::from_slice(&claims).map_err(|_| wrong("claims"))?;
    if did_of(&iss) != iss || did_of(&kid) != iss {
        return Err(wrong("kid is not a key of iss"));
    }
    if sub.as_deref() != from {
        return Err(wrong("sub is not the sender"));
    }
    if sub.as_ref() == Some(&iss) {
        return Err(wrong("sub is iss"));
    }
    match verify_by(&kid, &header.alg, signed.as_bytes(), signature, resolver) {
        Ok(()) => Ok(Some(Prior { did: iss, kid, successor: sub, rotated: iat })),
        Err(UnpackError::UnresolvedSigner(DidError::UnsupportedMethod | DidError::NotFound)) => Ok(None),
        Err(UnpackError::UnresolvedSigner(_)) => Err(wrong("iss")),
        Err(UnpackError::UnknownSignerKey) => Err(wrong("kid does not authenticate iss")),
        Err(UnpackError::BadSignature) => Err(wrong("signature")),
        Err(_) => Err(wrong("alg")),
    }
}
