//! Credentials as `ssi` signs and verifies them (`spec/credentials.md`): an authority of other people's software, and a party that checks
//! what everybody in a roster shows.
//!
//! Issuers are did:key here, so nothing is looked up; what can be revoked is refused, since no list is asked for.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use ssi_jwk::Algorithm;
use ssi_jws::Header;

use crate::identity::{Identity, key_of};
use crate::{Problem, Result, b64url, from_b64url};

/// First context of data model 2.0.
const CONTEXT: &str = "https://www.w3.org/ns/credentials/v2";

/// `typ` of a credential.
const TYPE: &str = "vc+jwt";

impl Identity {
    /// Issues a credential about `subject` that ends at `until`, as RFC 3339 has times.
    ///
    /// # Errors
    /// What `ssi` says.
    pub fn issue(&self, subject: &str, until: &str) -> Result<String> {
        let header = Header {
            algorithm: Algorithm::EdDSA,
            key_id: Some(format!("{}#{}", self.did(), self.multikey())),
            type_: Some(TYPE.to_owned()),
            ..Header::default()
        };
        let payload = json!({
            "@context": [CONTEXT],
            "type": ["VerifiableCredential"],
            "issuer": self.did(),
            "validFrom": "2026-01-01T00:00:00Z",
            "validUntil": until,
            "credentialSubject": {"id": subject},
        });
        self.encode(&payload.to_string(), &header)
    }
}

/// Checks that `text` is the credential that a roster's entry names, and that one of `issuers` says it of `identity`.
///
/// # Errors
/// If it breaks a rule of CR-01, CR-03, CR-22 or CR-24.
pub async fn check(text: &str, named: &Value, issuers: &[String], identity: &str) -> Result<()> {
    let wrong = |what: &str| Problem::broken(format!("a credential in the roster: {what}"));
    if named.as_str() != Some(&b64url(Sha256::digest(text))) {
        return Err(wrong("another than its entry names"));
    }
    let payload = text.split('.').nth(1).ok_or_else(|| wrong("no JWS"))?;
    let claims: Value = serde_json::from_slice(&from_b64url(payload)?).map_err(Problem::broken)?;
    let issuer = claims["issuer"].as_str().unwrap_or_default();
    if !issuers.iter().any(|one| one == issuer) {
        return Err(wrong("of another issuer"));
    }
    let (header, _) =
        ssi_jws::decode_verify(text, &key_of(issuer).await?).map_err(|_| wrong("its signature"))?;
    let right = header.algorithm == Algorithm::EdDSA
        && header.type_.as_deref() == Some(TYPE)
        && header.critical.is_none()
        && claims["@context"][0] == CONTEXT
        && claims["credentialSubject"]["id"] == identity
        && claims.get("credentialStatus").is_none();
    if right { Ok(()) } else { Err(wrong("of another kind, or about somebody else")) }
}
