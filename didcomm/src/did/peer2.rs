//! did:peer:2: keys and services inside the identifier.
//!
//! Peer DID Method Specification, method 2 (numalgo 2). Elements are separated by `.`; each starts with a purpose code:
//!
//! ```text
//! did:peer:2 .V<multikey, Ed25519>  .E<multikey, X25519>  .S<base64url of the service's JSON>
//!             #key-1                 #key-2                #service
//! ```
//!
//! Written as the specification has it today. Read in the older form too: key ids are the multikey without its `z`
//! ([`super::VerificationMethod::alias`]), the endpoint of a service is a string with `r` and `a` beside it, and several
//! services share one element as a JSON array.
//!
//! Not its concern: did:peer:3, the short form of the same DID, which can only be resolved by whoever saw the long one.

use serde::{Deserialize, Deserializer, Serialize};

use super::multikey;
use super::{DidDocument, DidError, PublicKey, Service, VerificationMethod, did_of};
use crate::base64url;

pub(super) const PREFIX: &str = "did:peer:2";
/// Most key elements and most services that are read: enough for a person's devices, and each costs a decoding.
const MAX_ELEMENTS: usize = 16;
/// `DIDCommMessaging`, abbreviated by the specification's table.
const DIDCOMM: &str = "dm";

/// A DIDComm v2 service to put into a DID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// A transport URI, or the DID of a mediator.
    pub uri: String,
    /// Media type profiles in order of preference, usually `didcomm/v2`.
    pub accept: Vec<String>,
    /// Keys (DIDs or DID URLs) to wrap forward messages for.
    pub routing_keys: Vec<String>,
}

/// Returns the did:peer:2 of an Ed25519 key (`#key-1`), an X25519 key (`#key-2`) and at most one service (`#service`).
///
/// ```
/// use didagent_didcomm::did::{peer2, resolve_offline};
/// let did = peer2::encode(&[1; 32], &[2; 32], None);
/// assert_eq!(resolve_offline(&did).unwrap().x25519(&format!("{did}#key-2")), Some([2; 32]));
/// ```
pub fn encode(authentication: &[u8; 32], key_agreement: &[u8; 32], service: Option<&ServiceSpec>) -> String {
    encode_with(authentication, key_agreement, service.into_iter())
}

/// Returns the did:peer:2 of the same keys with any number of services, the preferred one first: `#service`, `#service-1` and so
/// on. A reader takes at most 16.
pub fn encode_with<'a>(
    authentication: &[u8; 32],
    key_agreement: &[u8; 32],
    services: impl Iterator<Item = &'a ServiceSpec>,
) -> String {
    let mut did = format!(
        "{PREFIX}.V{}.E{}",
        multikey::encode(&PublicKey::Ed25519(*authentication)),
        multikey::encode(&PublicKey::X25519(*key_agreement)),
    );
    for service in services {
        let json = ServiceOut {
            t: DIDCOMM,
            s: EndpointOut { uri: &service.uri, a: &service.accept, r: &service.routing_keys },
        };
        #[expect(clippy::expect_used, reason = "strings and lists of strings always serialise")]
        let json = serde_json::to_vec(&json).expect("a service of strings serialises");
        did.push_str(".S");
        did.push_str(&base64url::encode(json));
    }
    did
}

pub(super) fn resolve(did: &str) -> Result<DidDocument, DidError> {
    let elements = did
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_prefix('.'))
        .ok_or(DidError::malformed("did:peer:2 without elements"))?;
    let mut document = DidDocument::new(did);
    let mut keys = 0;
    let mut unnamed_services = 0;
    for element in elements.split('.') {
        let mut rest = element.chars();
        let purpose = rest.next().ok_or(DidError::malformed("empty element"))?;
        match purpose {
            'A' | 'D' | 'E' | 'I' | 'V' => {
                keys += 1;
                if keys > MAX_ELEMENTS {
                    return Err(DidError::malformed("too many keys"));
                }
                add_key(&mut document, purpose, keys, rest.as_str())?;
            }
            'S' => add_services(&mut document, &mut unnamed_services, rest.as_str())?,
            _ => return Err(DidError::malformed("unknown purpose code")),
        }
    }
    Ok(document)
}

fn add_key(
    document: &mut DidDocument,
    purpose: char,
    number: usize,
    multibase: &str,
) -> Result<(), DidError> {
    let key = multikey::decode(multibase)?;
    let id = format!("{}#key-{number}", document.id);
    match (purpose, key) {
        ('E', key) if key.agrees() => document.key_agreement.push(id.clone()),
        ('V', key) if key.verifies() => document.authentication.push(id.clone()),
        ('A', key) if key.verifies() => document.assertion_method.push(id.clone()),
        ('I', key) if key.verifies() => document.capability_invocation.push(id.clone()),
        ('D', key) if key.verifies() => document.capability_delegation.push(id.clone()),
        ('E', PublicKey::Ed25519(_)) | ('V' | 'A' | 'D' | 'I', PublicKey::X25519(_)) => {
            return Err(DidError::malformed("kind of key does not fit its purpose"));
        }
        _ => {}
    }
    let alias = multibase.strip_prefix('z').map(|fragment| format!("{}#{fragment}", document.id));
    document.verification_methods.push(VerificationMethod { id, alias, key });
    Ok(())
}

fn add_services(document: &mut DidDocument, unnamed: &mut usize, text: &str) -> Result<(), DidError> {
    let malformed = || DidError::malformed("service");
    let json = base64url::decode(text).ok_or_else(malformed)?;
    let services: OneOrMany<ServiceIn> = serde_json::from_slice(&json).map_err(|_| malformed())?;
    for service in services.into_vec() {
        let id = match service.id.as_deref() {
            Some(relative) if relative.starts_with('#') => format!("{}{relative}", document.id),
            Some(absolute) if did_of(absolute) == document.id => absolute.to_owned(),
            Some(bare) if !bare.starts_with("did:") => format!("{}#{bare}", document.id),
            Some(_) => return Err(DidError::malformed("service id of another DID")),
            None => {
                let number = *unnamed;
                *unnamed += 1;
                if number == 0 {
                    format!("{}#service", document.id)
                } else {
                    format!("{}#service-{number}", document.id)
                }
            }
        };
        // Other types of service are legal and of no use here.
        if ![DIDCOMM, "DIDCommMessaging"].contains(&service.type_.as_str().unwrap_or_default()) {
            continue;
        }
        for endpoint in service.endpoints()? {
            if document.services.len() == MAX_ELEMENTS {
                return Err(DidError::malformed("too many services"));
            }
            document.services.push(endpoint.named(&id));
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct ServiceOut<'a> {
    t: &'a str,
    s: EndpointOut<'a>,
}

#[derive(Serialize)]
struct EndpointOut<'a> {
    uri: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    a: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    r: &'a [String],
}

/// A service, in the spellings of did:peer:2 and of DID documents.
#[derive(Deserialize)]
pub(super) struct ServiceIn {
    #[serde(default)]
    id: Option<String>,
    #[serde(rename = "t", alias = "type")]
    type_: serde_json::Value,
    #[serde(rename = "s", alias = "serviceEndpoint", default)]
    endpoint: Option<serde_json::Value>,
    // The older form, beside a string endpoint.
    #[serde(rename = "a", alias = "accept", default, deserialize_with = "null_is_empty")]
    accept: Vec<String>,
    #[serde(rename = "r", alias = "routingKeys", default, deserialize_with = "null_is_empty")]
    routing_keys: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct EndpointIn {
    uri: String,
    #[serde(rename = "a", alias = "accept", default, deserialize_with = "null_is_empty")]
    accept: Vec<String>,
    #[serde(rename = "r", alias = "routingKeys", default, deserialize_with = "null_is_empty")]
    routing_keys: Vec<String>,
}

impl EndpointIn {
    pub(super) fn named(self, id: &str) -> Service {
        Service { id: id.to_owned(), uri: self.uri, accept: self.accept, routing_keys: self.routing_keys }
    }
}

/// An entry of a list of endpoints.
#[derive(Deserialize)]
#[serde(untagged)]
enum EntryIn {
    Uri(String),
    Endpoint(EndpointIn),
}

impl EntryIn {
    fn into_endpoint(self) -> EndpointIn {
        match self {
            Self::Uri(uri) => EndpointIn { uri, accept: Vec::new(), routing_keys: Vec::new() },
            Self::Endpoint(endpoint) => endpoint,
        }
    }
}

impl ServiceIn {
    pub(super) fn endpoints(self) -> Result<Vec<EndpointIn>, DidError> {
        let malformed = || DidError::malformed("service endpoint");
        match self.endpoint.ok_or_else(malformed)? {
            serde_json::Value::String(uri) => {
                Ok(vec![EndpointIn { uri, accept: self.accept, routing_keys: self.routing_keys }])
            }
            other => serde_json::from_value::<OneOrMany<EntryIn>>(other)
                .map(|entries| entries.into_vec().into_iter().map(EntryIn::into_endpoint).collect())
                .map_err(|_| malformed()),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
