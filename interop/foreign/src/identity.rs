//! Identities as `ssi` has them: a did:key that signs (CN-01), and the link to a connection DID (CN-24, CN-25).

use std::collections::BTreeMap;

use did_method_key::DIDKey;
use serde_json::{Value, json};
use ssi_dids_core::resolution::{Options, Parameters};
use ssi_dids_core::{DIDBuf, DIDResolver as _};
use ssi_jwk::{Algorithm, JWK};
use ssi_jws::Header;

use crate::{Problem, Result, from_b64url};

/// `typ` of a link.
const LINK: &str = "didagent-link/1";

/// A key of our own, with the did:key that others know it by.
#[derive(Debug)]
pub struct Identity {
    key: JWK,
    did: String,
}

impl Identity {
    /// Makes a new one.
    ///
    /// # Errors
    /// What `ssi` says.
    pub fn generate() -> Result<Self> {
        let key = JWK::generate_ed25519().map_err(Problem::broken)?;
        let did = DIDKey::generate(&key).map_err(Problem::broken)?.to_string();
        Ok(Self { key, did })
    }

    /// Its did:key.
    pub fn did(&self) -> &str {
        &self.did
    }

    /// Its multikey: what a did:key has behind its prefix.
    pub fn multikey(&self) -> &str {
        multikey(&self.did)
    }

    /// Signs bytes.
    ///
    /// # Errors
    /// What `ssi` says.
    pub fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        ssi_jws::sign_bytes(Algorithm::EdDSA, bytes, &self.key).map_err(Problem::broken)
    }

    /// Says that this identity speaks through the connection DID `did` since `now`, in UTC seconds.
    ///
    /// # Errors
    /// What `ssi` says.
    pub fn link(&self, did: &str, now: u64) -> Result<String> {
        let header = Header {
            algorithm: Algorithm::EdDSA,
            key_id: Some(format!("{}#{}", self.did, self.multikey())),
            type_: Some(LINK.to_owned()),
            ..Header::default()
        };
        self.encode(&json!({"iss": self.did, "sub": did, "iat": now}).to_string(), &header)
    }

    /// Signs a payload as a compact JWS.
    pub(crate) fn encode(&self, payload: &str, header: &Header) -> Result<String> {
        ssi_jws::encode_sign_custom_header(payload, &self.key, header).map_err(Problem::broken)
    }
}

fn multikey(did: &str) -> &str {
    did.strip_prefix("did:key:").unwrap_or_default()
}

/// Returns the identity that says, by `link`, that it speaks through `did`.
///
/// # Errors
/// If the link breaks one of the rules of CN-25.
pub async fn identity_of(link: &str, did: &str) -> Result<String> {
    let payload = link.split('.').nth(1).ok_or_else(|| Problem::broken("the link is no JWS"))?;
    let payload: BTreeMap<String, Value> =
        serde_json::from_slice(&from_b64url(payload)?).map_err(Problem::broken)?;
    let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let identity = text("iss");
    let (header, _) =
        ssi_jws::decode_verify(link, &key_of(&identity).await?).map_err(|_| Problem::broken("the link"))?;
    let right = header.algorithm == Algorithm::EdDSA
        && header.type_.as_deref() == Some(LINK)
        && header.critical.is_none()
        && header.key_id == Some(format!("{identity}#{}", multikey(&identity)))
        && text("sub") == did;
    if right { Ok(identity) } else { Err(Problem::broken("the link is of another kind or for another DID")) }
}

/// Checks a signature of `identity` over `bytes`.
///
/// # Errors
/// If it does not verify.
pub async fn verify(identity: &str, bytes: &[u8], signature: &[u8]) -> Result<()> {
    ssi_jws::verify_bytes(Algorithm::EdDSA, bytes, &key_of(identity).await?, signature)
        .map_err(|_| Problem::broken("a signature does not verify"))
}

/// Resolves a did:key with an Ed25519 key.
pub(crate) async fn key_of(identity: &str) -> Result<JWK> {
    let did = DIDBuf::from_string(identity.to_owned()).map_err(|_| Problem::broken("no DID"))?;
    let format = Some("JsonWebKey2020".to_owned());
    let parameters = Parameters { public_key_format: format, ..Parameters::default() };
    let resolved = DIDKey.resolve_with(&did, Options { parameters, ..Options::default() }).await;
    let document = resolved.map_err(Problem::broken)?.document.into_document();
    let method = document.verification_method.into_iter().next();
    let key = method.and_then(|method| method.properties.get("publicKeyJwk").cloned());
    let key: JWK = serde_json::from_value(key.unwrap_or_default()).map_err(Problem::broken)?;
    match key.get_algorithm() {
        Some(Algorithm::EdDSA) => Ok(key),
        _ => Err(Problem::broken("the identity has no Ed25519 key")),
    }
}
