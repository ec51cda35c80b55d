//! JWS: signed messages in the JSON serializations, and the signatures of compact ones.
//!
//! RFC 7515 sections 5.2, 7.2; DIDComm Messaging v2.1, "Message Signing". Which key signs is looked up in the document of the DID
//! that signs, never taken from the message.
//!
//! Not its concern: what is signed, and whether the signer is who the message names (`unpack`).

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::jwe::{malformed, one_did, unsupported};
use super::unpacked::Authenticated;
use super::{PackError, UnpackError};
use crate::base64url;
use crate::did::{Resolver, did_of};
use crate::keys::{Sign, algorithm, verify};

/// Media type of a signed message, the value of the `typ` header.
pub(super) const SIGNED_TYP: &str = "application/didcomm-signed+json";

/// The same as an example of the specification has it.
const JWM_TYP: &str = "JWM";

/// Most signatures of one message. They are by keys of a single DID, so more than one serves a change of algorithms and
/// nothing else; each costs whoever reads it a verification.
pub const MAX_SIGNATURES: usize = 8;

/// The members of a JWS that are read. The flattened form is one signature.
pub(super) struct JwsIn<'a> {
    pub(super) payload: Cow<'a, str>,
    pub(super) signatures: Vec<SignatureIn<'a>>,
}

#[derive(Deserialize)]
pub(super) struct SignatureIn<'a> {
    #[serde(borrow)]
    pub(super) protected: Cow<'a, str>,
    #[serde(default)]
    pub(super) header: Option<HeaderIn>,
    #[serde(borrow)]
    pub(super) signature: Cow<'a, str>,
}

/// An unprotected header. Of the names that mean something only `kid` may stand there.
#[derive(Deserialize)]
pub(super) struct HeaderIn {
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<IgnoredAny>,
    #[serde(default)]
    alg: Option<IgnoredAny>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
    #[serde(default)]
    b64: Option<IgnoredAny>,
}

/// A protected header, also that of a compact JWS.
#[derive(Deserialize)]
pub(super) struct ProtectedIn {
    #[serde(default)]
    pub(super) typ: Option<String>,
    pub(super) alg: String,
    #[serde(default)]
    pub(super) kid: Option<String>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
    #[serde(default)]
    b64: Option<IgnoredAny>,
}

#[derive(Serialize)]
struct ProtectedOut<'a> {
    typ: &'a str,
    alg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

impl JwsIn<'_> {
    /// Verifies every signature and returns the payload and the first signer. All signers are keys of one DID.
    pub(super) fn verify(self, resolver: &dyn Resolver) -> Result<(Vec<u8>, Authenticated), UnpackError> {
        if self.signatures.is_empty() || self.signatures.len() > MAX_SIGNATURES {
            return Err(malformed("number of signatures"));
        }
        let payload = base64url::decode(self.payload.as_bytes()).ok_or(malformed("payload"))?;
        let mut signed = String::new();
        let mut kids = Vec::with_capacity(self.signatures.len());
        for SignatureIn { protected, header, signature } in self.signatures {
            let header_in = ProtectedIn::read(&protected)?;
            if header_in.typ.as_deref().is_some_and(|typ| ![SIGNED_TYP, JWM_TYP].contains(&typ)) {
                return Err(unsupported("typ of a signature"));
            }
            let outside = header.map(HeaderIn::check).transpose()?.flatten();
            let kid = match (header_in.kid, outside) {
                (Some(kid), None) | (None, Some(kid)) => kid,
                (Some(_), Some(_)) => return Err(malformed("kid twice")),
                (None, None) => return Err(malformed("signature without kid")),
            };
            signed.clear();
            signed.extend([&protected, ".", &self.payload]);
            verify_by(&kid, &header_in.alg, signed.as_bytes(), &signature, resolver)?;
            kids.push(kid);
        }
        one_did(kids.iter().map(String::as_str))
            .map_err(|_| malformed("signers of several DIDs, or one twice"))?;
        let kid = kids.into_iter().next().ok_or(malformed("number of signatures"))?;
        Ok((payload, Authenticated { did: did_of(&kid).to_owned(), kid }))
    }
}

impl HeaderIn {
    fn check(self) -> Result<Option<String>, UnpackError> {
        let Self { kid, typ, alg, crit, b64 } = self;
        if [typ, alg, crit, b64].iter().any(Option::is_some) {
            return Err(malformed("unprotected header that must be protected"));
        }
        Ok(kid)
    }
}

impl ProtectedIn {
    pub(super) fn read(text: &str) -> Result<Self, UnpackError> {
        let json = base64url::decode(text).ok_or(malformed("protected header of a signature"))?;
        let header: Self =
            serde_json::from_slice(&json).map_err(|_| malformed("protected header of a signature"))?;
        // `b64` changes what is signed, RFC 7797; it must be critical, and nothing critical is known here.
        if header.crit.is_some() || header.b64.is_some() {
            return Err(unsupported("crit of a signature"));
        }
        Ok(header)
    }
}

/// Verifies a signature by the key `kid`, which its DID must list for authentication.
pub(super) fn verify_by(
    kid: &str,
    alg: &str,
    signed: &[u8],
    signature: &str,
    resolver: &dyn Resolver,
) -> Result<(), UnpackError> {
    let did = did_of(kid);
    let document = resolver.document(did).map_err(UnpackError::UnresolvedSigner)?;
    let public = document.authentication_key(kid).ok_or(UnpackError::UnknownSignerKey)?;
    if document.id != did {
        return Err(UnpackError::UnknownSignerKey);
    }
    // The key decides the algorithm; the header may only agree.
    if algorithm(&public) != Some(alg) {
        return Err(unsupported("alg of a signature"));
    }
    let signature = base64url::decode_array(signature).ok_or(UnpackError::BadSignature)?;
    verify(&public, signed, &signature).map_err(|_| UnpackError::BadSignature)
}

/// Returns the JSON of the protected header, encoded.
pub(super) fn protected(typ: &str, kid: Option<&str>, secret: &dyn Sign) -> Result<String, PackError> {
    let alg = algorithm(&secret.public_key()).ok_or(PackError::Curve)?;
    let header = serde_json::to_vec(&ProtectedOut { typ, alg, kid }).map_err(|_| PackError::Encoding)?;
    Ok(base64url::encode(header))
}

/// Signs `payload` with every secret: the General JSON Serialization with `kid` in the unprotected header, as the examples
/// of the specification have it, since older software reads nothing else. That `kid` is not signed does no harm: another one
/// names another key, which did not sign.
pub(super) fn sign(payload: &[u8], secrets: &[(&str, &dyn Sign)]) -> Result<Vec<u8>, PackError> {
    let mut json = String::with_capacity(payload.len().div_ceil(3) * 4 + secrets.len() * 1024);
    json.push_str("{\"payload\":\"");
    base64url::encode_to(&mut json, payload);
    let payload = json.get("{\"payload\":\"".len()..).unwrap_or_default().to_owned();
    json.push_str("\",\"signatures\":[");
    for (number, (kid, secret)) in secrets.iter().enumerate() {
        let protected = protected(SIGNED_TYP, None, *secret)?;
        let signed = [&protected, ".", &payload].concat();
        let signature = secret.signature(signed.as_bytes()).map_err(|_| PackError::Encoding)?;
        json.push_str(if number == 0 { "{\"protected\":\"" } else { ",{\"protected\":\"" });
        json.push_str(&protected);
        json.push_str("\",\"signature\":\"");
        base64url::encode_to(&mut json, signature);
        json.push_str("\",\"header\":{\"kid\":");
        json.push_str(&serde_json::to_string(kid).map_err(|_| PackError::Encoding)?);
        json.push_str("}}");
    }
    json.push_str("]}");
    Ok(json.into_bytes())
}
