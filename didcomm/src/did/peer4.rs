//! did:peer:4: a document inside the identifier, and a short form that is its hash.
//!
//! Peer DID Method Specification, method 4.
//!
//! ```text
//! document without id --0x0200, base58--> z…          the encoded document
//! encoded document --SHA-256, multihash, base58--> zQm…
//! did:peer:4zQm…:z…   long form, says it all
//! did:peer:4zQm…      short form, for whoever saw the long one ([`super::SeenResolver`])
//! ```

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::peer2::ServiceSpec;
use super::{DidDocument, DidError, PublicKey, multikey, reader};

pub(super) const PREFIX: &str = "did:peer:4";
/// Longest long form that is read, in bytes. One of two keys and a service behind a did:peer:2 takes about 1500. Decoding base58
/// costs quadratic time: some milliseconds for this.
const MAX_BYTES: usize = 4096;
/// Multicodec `json`, 0x0200 as a varint.
const JSON: [u8; 2] = [0x80, 0x04];
/// Multihash of SHA-256 and 32 bytes.
const SHA256: [u8; 2] = [0x12, 0x20];

/// Returns the long did:peer:4 of an Ed25519 key (`#key-1`), an X25519 key (`#key-2`) and at most one service (`#service`).
///
/// ```
/// use didagent_didcomm::did::{peer4, resolve_offline};
/// let did = peer4::encode(&[1; 32], &[2; 32], None);
/// assert_eq!(resolve_offline(&did).unwrap().x25519(&format!("{did}#key-2")), Some([2; 32]));
/// assert!(did.starts_with(peer4::short_form(&did).unwrap()));
/// ```
pub fn encode(authentication: &[u8; 32], key_agreement: &[u8; 32], service: Option<&ServiceSpec>) -> String {
    let method = |id: &str, type_: &str, key| json!({"id": id, "type": type_, "publicKeyMultibase": multikey::encode(&key)});
    let mut document = json!({
        "@context": [
            "https://www.w3.org/ns/did/v1",
            "https://w3id.org/security/suites/x25519-2020/v1",
            "https://w3id.org/security/suites/ed25519-2020/v1",
        ],
        "verificationMethod": [
            method("#key-1", "Ed25519VerificationKey2020", PublicKey::Ed25519(*authentication)),
            method("#key-2", "X25519KeyAgreementKey2020", PublicKey::X25519(*key_agreement)),
        ],
        "authentication": ["#key-1"],
        "keyAgreement": ["#key-2"],
    });
    if let Some(service) = service {
        document["service"] = json!([{
            "id": "#service",
            "type": "DIDCommMessaging",
            "serviceEndpoint":
                {"uri": service.uri, "accept": service.accept, "routingKeys": service.routing_keys},
        }]);
    }
    encode_document(document.to_string().as_bytes())
}

/// Returns the long did:peer:4 of a document: JSON without an id, all of whose ids are relative. What is no such document gives
/// a DID that does not resolve.
pub fn encode_document(json: &[u8]) -> String {
    let encoded = format!("z{}", bs58::encode([JSON.as_slice(), json].concat()).into_string());
    format!("{PREFIX}{}:{encoded}", hash_of(&encoded))
}

/// Returns the short form of a long did:peer:4; `None` for anything else. Whether its hash is right shows when it is resolved.
pub fn short_form(did: &str) -> Option<&str> {
    let (hash, encoded) = did.strip_prefix(PREFIX)?.split_once(':')?;
    (!encoded.is_empty()).then(|| did.get(..PREFIX.len() + hash.len())).flatten()
}

/// Says whether `did` is a short did:peer:4.
pub(super) fn is_short(did: &str) -> bool {
    did.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with("zQm") && !rest.contains(':'))
}

/// Resolves a long form, and a short one to [`DidError::NotFound`].
pub(super) fn resolve(did: &str) -> Result<DidDocument, DidError> {
    if is_short(did) {
        return Err(DidError::NotFound);
    }
    let short = short_form(did).ok_or(DidError::malformed("did:peer:4"))?;
    let mut document = contextualized(did, did)?;
    document.also_known_as.push(short.to_owned());
    Ok(document)
}

/// The document of the short form of `long`.
pub(super) fn resolve_short(short: &str, long: &str) -> Result<DidDocument, DidError> {
    let mut document = contextualized(short, long)?;
    document.also_known_as.push(long.to_owned());
    Ok(document)
}

fn contextualized(did: &str, long: &str) -> Result<DidDocument, DidError> {
    let malformed = || DidError::malformed("did:peer:4");
    if long.len() > MAX_BYTES {
        return Err(DidError::TooLong { got: long.len() });
    }
    let (hash, encoded) =
        long.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':')).ok_or_else(malformed)?;
    if hash != hash_of(encoded) {
        return Err(DidError::malformed("hash of a did:peer:4"));
    }
    let base58 = encoded.strip_prefix('z').ok_or_else(malformed)?;
    let bytes = bs58::decode(base58).into_vec().map_err(|_| malformed())?;
    reader::read_input(did, bytes.strip_prefix(&JSON).ok_or_else(malformed)?)
}

fn hash_of(encoded: &str) -> String {
    let digest = Sha256::digest(encoded);
    format!("z{}", bs58::encode([SHA256.as_slice(), digest.as_slice()].concat()).into_string())
}

#[cfg(test)]
mod tests;
