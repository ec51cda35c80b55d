//! Documents of did:peer:2, for the `didcomm` crate.
//!
//! `ssi` has no did:peer, so this reads and writes the method itself, from `spec/connect.md` (CN-02, CN-04) and the Peer DID
//! Method Specification: elements separated by dots, each a letter for its purpose and a multikey, or `S` and the
//! base64url of a service's JSON. Keys are numbered in their order: `#key-1`, `#key-2`.

use async_trait::async_trait;
use didcomm::did::{
    DIDCommMessagingService, DIDDoc, DIDResolver, Service, ServiceKind, VerificationMaterial,
    VerificationMethod, VerificationMethodType,
};
use didcomm::error::{ErrorKind, Result as TheirResult, err_msg};
use didcomm::secrets::{Secret, SecretMaterial, SecretType, SecretsResolver};
use serde_json::{Value, json};
use ssi_multicodec::{MultiEncoded, MultiEncodedBuf};

use crate::identity::Identity;
use crate::{Problem, Result, b64url, from_b64url};

/// Longest DID that is read, in bytes (CN-04).
const MAX_DID: usize = 8192;

/// The number of X25519 public keys in the multicodec table, which `ssi` has no name for.
const X25519: u64 = 0xec;

/// A connection DID of our own.
#[derive(Debug)]
pub struct Connection {
    /// The did:peer:2.
    pub did: String,
    /// The id of its X25519 key.
    pub kid: String,
    secret: [u8; 32],
}

impl Connection {
    /// Makes the DID through which `identity` is reached at `mediator`, for this secret of X25519.
    pub fn new(identity: &Identity, secret: [u8; 32], mediator: &str) -> Self {
        let public = didagent_session::StaticSecret::from_bytes(secret).public();
        let key = MultiEncodedBuf::encode_bytes(X25519, public.as_bytes()).into_bytes();
        let key = multibase::encode(multibase::Base::Base58Btc, key);
        let service = json!({"t": "dm", "s": {"uri": mediator, "a": ["didcomm/v2"], "r": []}});
        let did =
            format!("did:peer:2.V{}.E{key}.S{}", identity.multikey(), b64url(service.to_string().as_bytes()));
        Self { kid: format!("{did}#key-2"), did, secret }
    }

    /// Its secret, which is the static one of the handshake too.
    pub fn secret(&self) -> didagent_session::StaticSecret {
        didagent_session::StaticSecret::from_bytes(self.secret)
    }
}

#[async_trait(?Send)]
impl SecretsResolver for Connection {
    async fn get_secret(&self, id: &str) -> TheirResult<Option<Secret>> {
        let public = self.secret().public();
        let jwk = json!({
            "kty": "OKP", "crv": "X25519", "x": b64url(public.as_bytes()), "d": b64url(self.secret)
        });
        Ok((id == self.kid).then(|| Secret {
            id: id.to_owned(),
            type_: SecretType::JsonWebKey2020,
            secret_material: SecretMaterial::JWK { private_key_jwk: jwk },
        }))
    }

    async fn find_secrets<'a>(&self, ids: &'a [&'a str]) -> TheirResult<Vec<&'a str>> {
        Ok(ids.iter().copied().filter(|id| *id == self.kid).collect())
    }
}

/// Finds the document of every did:peer:2.
#[derive(Debug, Clone, Copy)]
pub struct Documents;

#[async_trait(?Send)]
impl DIDResolver for Documents {
    async fn resolve(&self, did: &str) -> TheirResult<Option<DIDDoc>> {
        document(did).map(Some).map_err(|problem| err_msg(ErrorKind::Malformed, problem.to_string()))
    }
}

/// Returns the document of a did:peer:2.
///
/// # Errors
/// If it is not one.
pub fn document(did: &str) -> Result<DIDDoc> {
    let elements = did.strip_prefix("did:peer:2.").filter(|_| did.len() <= MAX_DID);
    let elements = elements.ok_or_else(|| Problem::broken("not a did:peer:2"))?;
    let mut document = DIDDoc {
        id: did.to_owned(),
        key_agreement: Vec::new(),
        authentication: Vec::new(),
        verification_method: Vec::new(),
        service: Vec::new(),
    };
    for element in elements.split('.') {
        let id = format!("{did}#key-{}", document.verification_method.len() + 1);
        let purpose = element.get(..1).unwrap_or_default();
        let rest = element.get(1..).unwrap_or_default();
        let (codec, type_, uses) = match purpose {
            "V" => (
                ssi_multicodec::ED25519_PUB,
                VerificationMethodType::Ed25519VerificationKey2020,
                &mut document.authentication,
            ),
            "E" => (X25519, VerificationMethodType::X25519KeyAgreementKey2020, &mut document.key_agreement),
            "S" => {
                let service = service(did, document.service.len(), &from_b64url(rest)?)?;
                document.service.push(service);
                continue;
            }
            _ => return Err(Problem::broken("an element of a purpose that is not read here")),
        };
        key(rest, codec)?;
        uses.push(id.clone());
        document.verification_method.push(VerificationMethod {
            id,
            type_,
            controller: did.to_owned(),
            verification_material: VerificationMaterial::Multibase { public_key_multibase: rest.to_owned() },
        });
    }
    Ok(document)
}

/// Returns the X25519 key with this id.
///
/// # Errors
/// If the DID of the id has none of that name.
pub fn x25519(kid: &str) -> Result<[u8; 32]> {
    let document = document(kid.split('#').next().unwrap_or_default())?;
    let method = document.verification_method.into_iter().find(|method| method.id == kid);
    match method.map(|method| method.verification_material) {
        Some(VerificationMaterial::Multibase { public_key_multibase }) => key(&public_key_multibase, X25519),
        _ => Err(Problem::broken("the DID has no such key")),
    }
}

/// Returns where mail for `did` goes first: the DID of a mediator, or the address of one.
///
/// # Errors
/// If its document has no service.
pub fn endpoint(did: &str) -> Result<String> {
    let first = endpoints(did)?.into_iter().next();
    first.ok_or_else(|| Problem::broken("the DID names no place for mail"))
}

/// Returns all places where mail for `did` goes, in its order (RL-64).
///
/// # Errors
/// If it is no did:peer:2.
pub fn endpoints(did: &str) -> Result<Vec<String>> {
    let uri = |service: Service| match service.service_endpoint {
        ServiceKind::DIDCommMessaging { value } => Some(value.uri),
        _ => None,
    };
    Ok(document(did)?.service.into_iter().filter_map(uri).collect())
}

/// Returns the id of the service of `did` through which mail goes to `mediator`, if it has one.
///
/// # Errors
/// If it is no did:peer:2.
pub fn service_at(did: &str, mediator: &str) -> Result<Option<String>> {
    let is_there = |service: &Service| matches!(&service.service_endpoint, ServiceKind::DIDCommMessaging { value } if value.uri == mediator);
    Ok(document(did)?.service.into_iter().find(is_there).map(|service| service.id))
}

/// Reads a multikey of this kind.
fn key(multikey: &str, codec: u64) -> Result<[u8; 32]> {
    let (_, bytes) = multibase::decode(multikey).map_err(Problem::broken)?;
    let (found, key) = MultiEncoded::new(&bytes).map_err(Problem::broken)?.parts();
    let key = <[u8; 32]>::try_from(key).ok().filter(|_| found == codec);
    key.ok_or_else(|| Problem::broken("a key of another kind"))
}

fn service(did: &str, number: usize, json: &[u8]) -> Result<Service> {
    let json: Value = serde_json::from_slice(json).map_err(Problem::broken)?;
    let texts = |name: &str| {
        let texts = json["s"][name].as_array().into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let uri = json["s"]["uri"].as_str().filter(|_| json["t"] == "dm");
    let uri = uri.ok_or_else(|| Problem::broken("a service of another form"))?.to_owned();
    let value = DIDCommMessagingService { uri, accept: Some(texts("a")), routing_keys: texts("r") };
    let suffix = if number == 0 { String::new() } else { format!("-{number}") };
    Ok(Service {
        id: format!("{did}#service{suffix}"),
        service_endpoint: ServiceKind::DIDCommMessaging { value },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        Connection::new(&Identity::generate().unwrap(), [7; 32], "did:peer:2.Ez6LSx")
    }

    #[test]
    fn what_is_written_reads_back() {
        let connection = connection();
        let read = document(&connection.did).unwrap();
        assert_eq!(read.key_agreement, std::slice::from_ref(&connection.kid));
        assert_eq!(read.authentication, [format!("{}#key-1", connection.did)]);
        assert_eq!(x25519(&connection.kid).unwrap(), *connection.secret().public().as_bytes());
        assert_eq!(endpoint(&connection.did).unwrap(), "did:peer:2.Ez6LSx");
    }

    #[test]
    fn refuses_each_truncation_but_those_between_elements() {
        let did = connection().did;
        for (end, _) in did.char_indices() {
            let whole = did[end..].starts_with('.') && end > "did:peer:2".len();
            assert_eq!(document(&did[..end]).is_ok(), whole, "{end}");
        }
        for tail in ["x", ".", ".X", ".S", ".Sbm8", "#key-1"] {
            assert!(document(&format!("{did}{tail}")).is_err(), "{tail}");
        }
    }

    #[test]
    fn a_key_for_another_purpose_is_refused() {
        let did = connection().did;
        let swapped = did.replace(".V", ".X").replace(".E", ".V").replace(".X", ".E");
        assert!(document(&swapped).is_err());
        assert!(x25519(&format!("{did}#key-1")).is_err() && x25519(&format!("{did}#key-3")).is_err());
    }
}
