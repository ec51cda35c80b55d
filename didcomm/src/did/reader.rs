//! Reads a DID document from JSON.
//!
//! DID Core 1.0 sections 5 and 6.2; Controlled Identifiers 1.0 for `Multikey`; `spec/connect.md`, section 1. JSON-LD is read as
//! JSON: terms have the meaning that the contexts of DID Core and of the key suites give them, and no context is fetched.
//!
//! ```text
//! bytes --strict JSON--> object --methods, relationships, services--> DidDocument with absolute ids
//! ```
//!
//! What is legal and of no use here (kinds of keys, services of other types, methods of another DID) is left out. What is
//! damaged makes the whole document unusable: half of a document is somebody's choice of half.
//!
//! Not its concern: where the bytes come from, and who vouches for them.

use serde_json::{Map, Value};

use super::document::{DidDocument, RELATIONSHIPS, VerificationMethod};
use super::peer2::ServiceIn;
use super::public_key::CurveOfPoints;
use super::strict_json;
use super::{DidError, KeyError, PublicKey, did_of, multikey};

/// Largest document that is read, in bytes. A company's with dozens of keys takes 10 to 20 KiB; a larger one is somebody's idea
/// of what costs us most.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
/// Deepest nesting. The deepest member with a meaning (a routing key) stands in six; contexts that define terms take a few more.
const MAX_DEPTH: usize = 16;
/// Most keys, embedded ones included, and most entries of any list: each costs a decoding and a comparison with the others.
const MAX_METHODS: usize = 64;
/// Most DIDComm services, as in a did:peer:2: each may be dialled.
const MAX_SERVICES: usize = 16;

impl DidDocument {
    /// Reads the document of `did` from JSON, at most [`MAX_DOCUMENT_BYTES`].
    ///
    /// # Errors
    /// [`DidError::Document`] when it is no document, is damaged or too large, or is that of another DID.
    pub fn from_json(did: &str, json: &[u8]) -> Result<Self, DidError> {
        let document = object(json)?;
        match document.get("id") {
            Some(Value::String(id)) if id == did => read(did, &document),
            Some(Value::String(_)) => Err(DidError::document("its id is another DID")),
            _ => Err(DidError::document("it has no id")),
        }
    }
}

/// Reads the JSON of a document without an id, as did:peer:4 has it inside, as that of `did`.
pub(super) fn read_input(did: &str, json: &[u8]) -> Result<DidDocument, DidError> {
    let document = object(json)?;
    if document.contains_key("id") {
        return Err(DidError::document("it has an id"));
    }
    read(did, &document)
}

fn object(json: &[u8]) -> Result<Map<String, Value>, DidError> {
    if json.len() > MAX_DOCUMENT_BYTES {
        return Err(DidError::document("it is too large"));
    }
    match strict_json::parse(json, MAX_DEPTH) {
        Some(Value::Object(object)) => Ok(object),
        _ => Err(DidError::document("it is not a JSON object, is too deep, or has a member twice")),
    }
}

fn read(did: &str, object: &Map<String, Value>) -> Result<DidDocument, DidError> {
    let mut document = DidDocument::new(did);
    for name in list(object, "alsoKnownAs")? {
        let name = name.as_str().ok_or(DidError::document("alsoKnownAs"))?;
        document.also_known_as.push(name.to_owned());
    }
    for method in list(object, "verificationMethod")? {
        add_method(&mut document, method)?;
    }
    // A method that is embedded anywhere can be referenced everywhere, so references are looked up when all are known.
    let mut listed = Vec::new();
    for name in RELATIONSHIPS {
        for entry in list(object, name)? {
            let id = match entry {
                Value::String(id) => own(did, id)?,
                embedded => add_method(&mut document, embedded)?,
            };
            listed.extend(id.map(|id| (name, id)));
        }
    }
    for (name, id) in listed {
        if document.verification_methods.iter().any(|method| method.id == id) {
            let relationship = document.relationship_mut(name);
            if !relationship.contains(&id) {
                relationship.push(id);
            }
        }
    }
    for service in list(object, "service")? {
        add_service(&mut document, service)?;
    }
    Ok(document)
}

/// The entries of a list that may be absent.
fn list<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a [Value], DidError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(list)) if list.len() <= MAX_METHODS => Ok(list),
        Some(Value::Array(_)) => Err(DidError::document("a list is too long")),
        Some(_) => Err(DidError::document("what should be a list is none")),
    }
}

/// The absolute form of an id; `None` when it is in another DID.
fn own(did: &str, id: &str) -> Result<Option<String>, DidError> {
    let fragment = match id.strip_prefix(did) {
        Some(rest) if rest.starts_with('#') => rest,
        _ if id.starts_with("did:") && id.contains('#') && did_of(id) != did => return Ok(None),
        _ => id,
    };
    match fragment.strip_prefix('#') {
        Some(name) if !name.is_empty() => Ok(Some(format!("{did}#{name}"))),
        _ => Err(DidError::document("an id is not a DID URL with a fragment")),
    }
}

/// Adds a method and returns its id; `None` for one that is left out.
fn add_method(document: &mut DidDocument, method: &Value) -> Result<Option<String>, DidError> {
    let method = method.as_object().ok_or(DidError::document("a verification method is no object"))?;
    let id = method.get("id").and_then(Value::as_str);
    let id = own(&document.id, id.ok_or(DidError::document("a verification method has no id"))?)?;
    let (Some(id), Some(key)) = (id, key(method)?) else { return Ok(None) };
    match document.verification_methods.iter().find(|known| known.id == id) {
        Some(known) if known.key == key => {}
        Some(_) => return Err(DidError::document("two keys have the same id")),
        None if document.verification_methods.len() == MAX_METHODS => {
            return Err(DidError::document("too many keys"));
        }
        None => document.verification_methods.push(VerificationMethod { id: id.clone(), alias: None, key }),
    }
    Ok(Some(id))
}

/// The key of a method; `None` for a kind that is not used here.
fn key(method: &Map<String, Value>) -> Result<Option<PublicKey>, DidError> {
    let malformed = DidError::document("a key is malformed");
    let text = |name: &str| method.get(name).and_then(Value::as_str);
    let forms = ["publicKeyJwk", "publicKeyMultibase", "publicKeyBase58"];
    let mut given = forms.into_iter().filter(|form| method.contains_key(*form));
    let key = match (given.next(), given.next()) {
        (None, _) => return Ok(None),
        (Some(_), Some(_)) => return Err(DidError::document("a key is given in two forms")),
        (Some("publicKeyJwk"), _) => match method.get("publicKeyJwk") {
            Some(Value::Object(jwk)) if jwk.contains_key("d") => {
                return Err(DidError::document("it shows a private key"));
            }
            Some(Value::Object(jwk)) => PublicKey::from_jwk(jwk),
            _ => Err(KeyError::Malformed),
        },
        (Some("publicKeyMultibase"), _) => {
            text("publicKeyMultibase").map_or(Err(KeyError::Malformed), multikey::read)
        }
        (Some(_), _) => text("publicKeyBase58")
            .map_or(Err(KeyError::Malformed), |key| bare_key(text("type").unwrap_or_default(), key)),
    };
    match key {
        Ok(key) => Ok(Some(key)),
        Err(KeyError::Unsupported) => Ok(None),
        Err(KeyError::Malformed) => Err(malformed),
    }
}

/// A key without a prefix: only the type of its method says what it is.
fn bare_key(type_: &str, base58: &str) -> Result<PublicKey, KeyError> {
    let bytes = || multikey::decode_base58(base58).ok_or(KeyError::Malformed);
    let array = || <[u8; 32]>::try_from(bytes()?).map_err(|_| KeyError::Malformed);
    match type_ {
        "Ed25519VerificationKey2018" => Ok(PublicKey::Ed25519(array()?)),
        "X25519KeyAgreementKey2019" => Ok(PublicKey::X25519(array()?)),
        "EcdsaSecp256k1VerificationKey2019" => PublicKey::from_point(CurveOfPoints::Secp256k1, &bytes()?),
        _ => Err(KeyError::Unsupported),
    }
}

fn add_service(document: &mut DidDocument, service: &Value) -> Result<(), DidError> {
    const DIDCOMM: &str = "DIDCommMessaging";
    let object = service.as_object().ok_or(DidError::document("a service is no object"))?;
    let is_ours = match object.get("type") {
        Some(Value::String(type_)) => type_ == DIDCOMM,
        Some(Value::Array(types)) => types.iter().any(|type_| type_ == DIDCOMM),
        _ => return Err(DidError::document("a service has no type")),
    };
    if !is_ours {
        return Ok(());
    }
    let malformed = || DidError::document("a DIDComm service is malformed");
    let id = object.get("id").and_then(Value::as_str).ok_or_else(malformed)?;
    let id = own(&document.id, id)?.ok_or(DidError::document("a service has the id of another DID"))?;
    let service: ServiceIn = serde_json::from_value(service.clone()).map_err(|_| malformed())?;
    for endpoint in service.endpoints().map_err(|_| malformed())? {
        if document.services.len() == MAX_SERVICES {
            return Err(DidError::document("too many services"));
        }
        document.services.push(endpoint.named(&id));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
