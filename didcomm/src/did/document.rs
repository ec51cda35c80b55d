//! The parts of a DID document that DIDComm needs.
//!
//! DID Core 1.0 sections 5.2 to 5.4; DIDComm Messaging v2.1, "DID Document Service Endpoint". All ids are absolute.

use super::public_key::PublicKey;

/// A resolved DID document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DidDocument {
    /// The DID that it describes.
    pub id: String,
    /// Other DIDs of the same subject, as it claims them.
    pub also_known_as: Vec<String>,
    /// Keys whose kind is known here, in document order.
    pub verification_methods: Vec<VerificationMethod>,
    /// Ids of the methods that authenticate the subject, in document order.
    pub authentication: Vec<String>,
    /// Ids of the methods that sign statements of the subject, in document order.
    pub assertion_method: Vec<String>,
    /// Ids of the methods that encrypt to and from the subject, in document order.
    pub key_agreement: Vec<String>,
    /// Ids of the methods that use a capability of the subject, in document order.
    pub capability_invocation: Vec<String>,
    /// Ids of the methods that pass one on, in document order.
    pub capability_delegation: Vec<String>,
    /// DIDComm v2 services, in document order, which is the order of preference.
    pub services: Vec<Service>,
}

/// The names of a document's verification relationships, DID Core section 5.3.
pub(super) const RELATIONSHIPS: [&str; 5] =
    ["authentication", "assertionMethod", "keyAgreement", "capabilityInvocation", "capabilityDelegation"];

/// A public key under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationMethod {
    /// Absolute DID URL.
    pub id: String,
    /// The name that older did:peer:2 software gives to the same key, as an absolute DID URL.
    pub alias: Option<String>,
    /// The key.
    pub key: PublicKey,
}

/// Where and how the subject takes DIDComm v2 messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Absolute DID URL.
    pub id: String,
    /// A transport URI, or the DID of a mediator.
    pub uri: String,
    /// Media type profiles in order of preference; empty when not said.
    pub accept: Vec<String>,
    /// Keys (DIDs or DID URLs) to wrap forward messages for, in the order in which they are passed.
    pub routing_keys: Vec<String>,
}

impl DidDocument {
    /// Makes a document without keys and services.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// Returns the X25519 key named `kid`, an absolute DID URL, if this document lists it for key agreement.
    pub fn x25519(&self, kid: &str) -> Option<[u8; 32]> {
        match self.agreement_key(kid)? {
            PublicKey::X25519(key) => Some(key),
            _ => None,
        }
    }

    /// Returns the Ed25519 key named `kid`, an absolute DID URL, if this document lists it for authentication.
    pub fn ed25519(&self, kid: &str) -> Option<[u8; 32]> {
        match self.authentication_key(kid)? {
            PublicKey::Ed25519(key) => Some(key),
            _ => None,
        }
    }

    /// Returns the key named `kid`, an absolute DID URL, if this document lists it for key agreement and it agrees.
    pub fn agreement_key(&self, kid: &str) -> Option<PublicKey> {
        self.listed(&self.key_agreement, kid).map(|method| method.key).filter(PublicKey::agrees)
    }

    /// Returns the key named `kid`, an absolute DID URL, if this document lists it for authentication and it verifies.
    pub fn authentication_key(&self, kid: &str) -> Option<PublicKey> {
        self.listed(&self.authentication, kid).map(|method| method.key).filter(PublicKey::verifies)
    }

    /// Returns the key named `kid`, an absolute DID URL, if this document lists it for statements and it verifies.
    pub fn assertion_key(&self, kid: &str) -> Option<PublicKey> {
        self.listed(&self.assertion_method, kid).map(|method| method.key).filter(PublicKey::verifies)
    }

    /// Returns the ids of the X25519 keys for key agreement, in document order.
    pub fn key_agreement_kids(&self) -> impl Iterator<Item = &str> {
        self.key_agreement.iter().map(String::as_str).filter(|kid| self.x25519(kid).is_some())
    }

    /// Returns the method named `kid` or with that alias, whatever it is for.
    pub fn method(&self, kid: &str) -> Option<&VerificationMethod> {
        self.verification_methods
            .iter()
            .find(|method| method.id == kid)
            .or_else(|| self.verification_methods.iter().find(|method| method.alias.as_deref() == Some(kid)))
    }

    /// Returns the names and members of the five verification relationships of DID Core, in its order.
    pub fn relationships(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        let lists = [
            &self.authentication,
            &self.assertion_method,
            &self.key_agreement,
            &self.capability_invocation,
            &self.capability_delegation,
        ];
        RELATIONSHIPS.into_iter().zip(lists.map(Vec::as_slice))
    }

    /// The relationship of that name of [`RELATIONSHIPS`].
    pub(super) fn relationship_mut(&mut self, name: &str) -> &mut Vec<String> {
        match name {
            "authentication" => &mut self.authentication,
            "assertionMethod" => &mut self.assertion_method,
            "keyAgreement" => &mut self.key_agreement,
            "capabilityInvocation" => &mut self.capability_invocation,
            _ => &mut self.capability_delegation,
        }
    }

    /// Lists the method `id` for everything that its key can be used for.
    pub(super) fn list_for_all_uses(&mut self, id: &str, key: &PublicKey) {
        for name in RELATIONSHIPS {
            let fits = if name == "keyAgreement" { key.agrees() } else { key.verifies() };
            if fits {
                self.relationship_mut(name).push(id.to_owned());
            }
        }
    }

    fn listed(&self, relationship: &[String], kid: &str) -> Option<&VerificationMethod> {
        self.method(kid).filter(|method| relationship.contains(&method.id))
    }
}
