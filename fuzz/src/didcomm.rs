//! Envelopes, DIDs and signed links.

use std::sync::LazyLock;

use didagent_didcomm::did::{
    DidDocument, DidError, OfflineResolver, did_of, peer4 as did_peer4, resolve_offline, web,
};
use didagent_didcomm::envelope::{Authenticated, Peeled};
use didagent_didcomm::protocols::b64url_encode;
use didagent_didcomm::{envelope, link};
use serde_json::Value;

use crate::parties::{ALICE, BOB, CAROL, IDENTITY, NOW};
use crate::{Outcome, seeds};

/// Bytes that arrived at Bob's endpoint. Who is named as the sender is who the message names.
pub(crate) fn unpack(input: &[u8]) -> Outcome {
    let unpacked = envelope::unpack(input, &BOB.secrets, &OfflineResolver, NOW);
    if let Ok(unpacked) = &unpacked {
        if let Some(sender) = &unpacked.sender {
            assert!(unpacked.encrypted);
            assert_eq!(unpacked.message.from.as_ref(), Some(&sender.did));
            assert_eq!(did_of(&sender.kid), sender.did);
        }
        if let Some(signer) = &unpacked.signer {
            assert_eq!(unpacked.message.from.as_ref(), Some(&signer.did));
            assert_eq!(did_of(&signer.kid), signer.did);
            assert!(!unpacked.encrypted || unpacked.message.to.is_some(), "it could be passed on");
        }
        if let Some(prior) = &unpacked.prior {
            assert!(unpacked.encrypted && unpacked.message.from_prior.is_some());
            assert_eq!(prior.successor, unpacked.message.from);
            assert_eq!(prior.successor, unpacked.sender.as_ref().map(|sender| sender.did.clone()));
            assert_eq!(did_of(&prior.kid), prior.did);
            assert_ne!(Some(&prior.did), prior.successor.as_ref());
        }
        if let (Some(to), true) = (&unpacked.message.to, unpacked.encrypted) {
            assert!(to.iter().any(|to| did_of(to) == BOB.did));
        }
    }
    Outcome::of(&unpacked)
}

/// The protected header of an envelope, before its base64url. All else is that of a real envelope from Alice to Bob, so only
/// that envelope's own header is accepted.
pub(crate) fn protected(input: &[u8]) -> Outcome {
    static GENUINE: LazyLock<(Value, Vec<u8>)> = LazyLock::new(|| {
        let jwe: Value = serde_json::from_slice(&seeds::authcrypt()).expect("a JWE");
        let protected = seeds::protected_header(&jwe);
        (jwe, protected)
    });
    let (genuine, header) = &*GENUINE;
    let mut jwe = genuine.clone();
    jwe["protected"] = b64url_encode(input).into();
    let outcome = unpack(jwe.to_string().as_bytes());
    assert_eq!(outcome == Outcome::Accepted, input == header, "the tag covers the header");
    outcome
}

/// Header and claims of a `from_prior` as JSON with a zero byte between, correctly encoded and signed by Carol's key, in what Bob
/// took out of an authcrypt from Alice. What is accepted is a rotation from Carol's DID to Alice's.
pub(crate) fn prior(input: &[u8]) -> Outcome {
    let peeled = Peeled {
        recipient_kid: Some(BOB.kid.clone()),
        sender: Some(Authenticated::by(&*ALICE.kid)),
        ..Peeled::default()
    };
    let plaintext = seeds::rotated(seeds::signed_by_carol(input));
    let unpacked = peeled.message(&plaintext, &OfflineResolver, NOW);
    let Ok(unpacked) = &unpacked else { return Outcome::Refused };
    // A prior DID that cannot be resolved here is passed over.
    let Some(prior) = &unpacked.prior else { return Outcome::Refused };
    assert_eq!((&prior.did, prior.successor.as_ref()), (&CAROL.did, Some(&ALICE.did)));
    assert_eq!(did_of(&prior.kid), prior.did);
    Outcome::Accepted
}

/// A DID.
pub(crate) fn resolve(input: &[u8]) -> Outcome {
    std::str::from_utf8(input).map_or(Outcome::Refused, resolved)
}

/// A did:peer:2 from its first element on.
pub(crate) fn peer2(input: &[u8]) -> Outcome {
    std::str::from_utf8(input)
        .map_or(Outcome::Refused, |elements| resolved(&format!("did:peer:2.{elements}")))
}

/// The JSON of a did:peer:2's service, before its base64url, after the element of a key.
pub(crate) fn peer2_service(input: &[u8]) -> Outcome {
    let keys = &ALICE.did;
    resolved(&format!("{keys}.S{}", b64url_encode(input)))
}

/// The JSON Web Key of a did:jwk, before its base64url.
pub(crate) fn jwk(input: &[u8]) -> Outcome {
    resolved(&format!("did:jwk:{}", b64url_encode(input)))
}

/// The document inside a did:peer:4, before its base58 and its hash.
pub(crate) fn peer4(input: &[u8]) -> Outcome {
    // Base58 costs quadratic time, and a longer DID is refused unread.
    if input.len() > 4096 {
        return Outcome::Refused;
    }
    let did = did_peer4::encode_document(input);
    assert!(did.starts_with(did_peer4::short_form(&did).expect("a long form")));
    resolved(&did)
}

/// The document of a did:web. One that is read survives being written.
pub(crate) fn document(input: &[u8]) -> Outcome {
    const DID: &str = "did:web:example.org";
    let document = DidDocument::from_json(DID, input);
    if let Ok(document) = &document {
        consistent(DID, document, 64);
        let written = serde_json::to_vec(&document.to_json()).expect("JSON");
        assert_eq!(DidDocument::from_json(DID, &written).as_ref(), Ok(document));
    }
    Outcome::of(&document)
}

/// A did:web. Its URL is the https of the host that it names.
pub(crate) fn web_url(input: &[u8]) -> Outcome {
    let Ok(did) = std::str::from_utf8(input) else { return Outcome::Refused };
    let url = web::url(did);
    if let Ok(url) = &url {
        assert_eq!(url.scheme(), "https");
        let named = did.split(':').nth(2).and_then(|authority| authority.split('%').next());
        assert_eq!(url.host_str(), named.map(str::to_ascii_lowercase).as_deref());
        assert!(url.username().is_empty() && url.query().is_none() && url.fragment().is_none());
        assert!(url.path().ends_with("/did.json"));
    }
    Outcome::of(&url)
}

fn resolved(did: &str) -> Outcome {
    let document = resolve_offline(did);
    if let Ok(document) = &document {
        consistent(did, document, if did.starts_with("did:peer:4") { 64 } else { 16 });
    }
    let is_short = did.starts_with("did:peer:4zQm") && did.split(':').count() == 3;
    assert_eq!(matches!(document, Err(DidError::NotFound)), is_short, "any other identifier says it all");
    Outcome::of(&document)
}

/// Whatever a document lists can be looked up, and is of the document's own DID.
fn consistent(did: &str, document: &DidDocument, most_keys: usize) {
    assert_eq!(document.id, did);
    for kid in document.key_agreement_kids() {
        assert!(document.x25519(kid).is_some());
        assert!(document.ed25519(kid).is_none());
    }
    for method in &document.verification_methods {
        assert!(method.id.starts_with(did));
        assert!(document.method(&method.id).is_some());
    }
    for (_, ids) in document.relationships() {
        assert!(ids.iter().all(|id| document.method(id).is_some()));
    }
    assert!(document.verification_methods.len() <= most_keys && document.services.len() <= 16);
}

/// A link that came through Alice's connection DID. One that verifies is by the only key that signs here.
pub(crate) fn link(input: &[u8]) -> Outcome {
    let Ok(jws) = std::str::from_utf8(input) else { return Outcome::Refused };
    let verified = link::verify(jws, &ALICE.did);
    if let Ok(link) = &verified {
        assert_eq!(link.identity, seeds::identity_did());
    }
    Outcome::of(&verified)
}

/// Header and payload of a link as JSON with a zero byte between, correctly encoded and signed by the fixed identity.
pub(crate) fn link_contents(input: &[u8]) -> Outcome {
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let (header, payload) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let signed = format!("{}.{}", b64url_encode(header), b64url_encode(payload));
    let signature = b64url_encode(IDENTITY.sign(signed.as_bytes()));
    link(format!("{signed}.{signature}").as_bytes())
}
