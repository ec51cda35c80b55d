//! What a person sees of a DID and its document, and the document that an organisation publishes for its identity.
//!
//! Specification: `spec/connect.md`, CN-68 and CN-69.
//!
//! Not its concern: reading documents (`didagent_didcomm::did`), fetching them (`io::did_web`).

use std::fmt::Write as _;

use didagent_didcomm::did::{
    self, DidDocument, DidError, PublicKey, Service, VerificationMethod, did_of, key, webvh,
};
use didagent_didcomm::{is_invisible, showable};

use crate::core::identity::Identity;
use crate::failure::{Failure, Kind};

/// Longest line of a document that is shown, in characters: a DID has at most 8192.
const MAX_LINE_CHARS: usize = 9000;

/// Returns the id of the key with which `identity` signs, if its document lists it.
pub fn key_id_of<'a>(document: &'a DidDocument, identity: &Identity) -> Option<&'a str> {
    let ours = PublicKey::Ed25519(identity.public());
    let mut listed = document.assertion_method.iter();
    listed.find(|kid| document.assertion_key(kid).as_ref() == Some(&ours)).map(String::as_str)
}

/// Returns the document that an organisation publishes as `did`, a did:web: the keys of its identity, and where its mail goes
/// if it has mediators: these services, and the connection DID by which parties that know it beforehand find it (RM-122).
pub fn published(identity: &Identity, did: &str, mediators: &[String]) -> Result<DidDocument, Failure> {
    let signing = key::decode_ed25519(identity.did())
        .map_err(|error| Failure::new(Kind::Other, format!("the identity has no signing key: {error}")))?;
    let mut document = DidDocument::new(did);
    let (first, second) = (format!("{did}#key-1"), format!("{did}#key-2"));
    document.also_known_as.push(identity.did().to_owned());
    if !mediators.is_empty() {
        document.also_known_as.push(identity.connection_of(mediators).did);
    }
    document.authentication.push(first.clone());
    document.assertion_method.push(first.clone());
    document.key_agreement.push(second.clone());
    document.verification_methods =
        [(first, PublicKey::Ed25519(signing)), (second, PublicKey::X25519(identity.agreement().public()))]
            .map(|(id, key)| VerificationMethod { id, alias: None, key })
            .to_vec();
    document.services.extend(mediators.first().map(|mediator| Service {
        id: format!("{did}#didcomm"),
        uri: mediator.clone(),
        accept: vec!["didcomm/v2".to_owned()],
        routing_keys: Vec::new(),
    }));
    Ok(document)
}

/// Returns the document as indented JSON. What a terminal would obey or not show is escaped: it is legal in JSON, and a
/// stranger wrote the strings.
pub fn to_json(document: &DidDocument) -> String {
    // An object of strings and lists always serialises.
    let json = serde_json::to_string_pretty(&document.to_json()).unwrap_or_default();
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        // Outside of strings JSON is ASCII, and the only invisible characters of ours are ends of lines.
        if character == '\n' || !(character.is_control() || is_invisible(character)) {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// Returns the document as lines for a person. A key that signs is shown as the did:key that contacts are remembered by.
pub fn to_text(document: &DidDocument) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<14}  {}", showable(what, MAX_LINE_CHARS));
    };
    for name in &document.also_known_as {
        line("also known as", name);
    }
    for (name, ids) in document.relationships() {
        for id in ids {
            if let Some(method) = document.method(id) {
                let fragment = id.strip_prefix(&document.id).unwrap_or(id);
                let (kind, did) = (method.key.curve(), key::encode(&method.key));
                line(relationship(name), &format!("{fragment}  {kind}  {did}"));
            }
        }
    }
    for service in &document.services {
        let accepts = service.accept.join(", ");
        line("messages to", &format!("{}  {accepts}", service.uri));
        for key in &service.routing_keys {
            line("  through", key);
        }
    }
    format!("{}\n{}", showable(&document.id, MAX_LINE_CHARS), text.trim_end())
}

fn relationship(name: &str) -> &str {
    match name {
        "authentication" => "authenticates",
        "assertionMethod" => "asserts",
        "keyAgreement" => "encrypts",
        "capabilityInvocation" => "invokes",
        _ => "delegates",
    }
}

/// Refuses the document of a party without an X25519 key agreement: no envelope could be written to it.
///
/// # Errors
/// [`Kind::NoKeyAgreement`].
pub fn require_key_agreement(document: &DidDocument, whose: &str) -> Result<(), Failure> {
    if document.key_agreement_kids().next().is_some() {
        return Ok(());
    }
    let message =
        format!("the DID of {whose} lists no X25519 key for key agreement, so nothing can be written to it");
    Err(Failure::new(Kind::NoKeyAgreement, message)
        .hint("ask whoever made it for a DID with an X25519 key under keyAgreement"))
}

/// Says why `did` has no document here, and what could help.
pub fn failure(did: &str, error: &DidError) -> Failure {
    let shown = showable(did, 200);
    match error {
        DidError::UnsupportedMethod if did.starts_with(webvh::PREFIX) => Failure::new(
            Kind::DidFeatureMissing,
            "this didagent was built without the feature webvh, which resolves DIDs of the method webvh",
        )
        .hint("from the sources: cargo install --locked --path agent --features webvh"),
        DidError::UnsupportedMethod if did.starts_with("did:") => {
            let method = did.split(':').nth(1).unwrap_or_default();
            Failure::new(Kind::DidMethodUnknown, format!("DIDs of the method {method} are not resolved here"))
                .hint("a did:key, did:jwk, did:peer or did:web of the same subject")
        }
        DidError::NotFound => Failure::new(
            Kind::DidNotFound,
            format!("{shown} is the short form of a did:peer:4, whose document is in the long form"),
        )
        .hint("the long form, which begins in the same way and goes on after another colon"),
        DidError::Document { .. } => {
            Failure::new(Kind::DidDocumentBroken, format!("the document of {shown} cannot be used: {error}"))
        }
        _ if did_of(did) != did && did::resolve_offline(did_of(did)).is_ok() => {
            Failure::new(Kind::DidMalformed, "this names a part of a document, and not the document")
                .hint(format!("didagent did resolve '{}'", did_of(did)))
        }
        _ => Failure::new(Kind::DidMalformed, format!("{shown} is not a DID that can be resolved: {error}"))
            .hint("paste all of it, from `did:` to the end"),
    }
}

#[cfg(test)]
mod tests {
    use didagent_didcomm::did::resolve_offline;

    use super::*;
    use crate::core::test_rng;

    const DID: &str = "did:web:example.org";

    fn identity() -> Identity {
        Identity::generate(&mut test_rng(1))
    }

    /// Decides CN-68, RM-122.
    #[test]
    fn a_published_document_has_both_keys_of_the_identity_and_survives_its_json() {
        let identity = identity();
        let document = published(&identity, DID, &["did:example:mediator".to_owned()]).unwrap();
        let read = DidDocument::from_json(DID, to_json(&document).as_bytes()).unwrap();
        assert_eq!(read, document);
        // Whoever resolves it verifies what the identity signs, and encrypts to what the identity decrypts.
        let signing = read.ed25519(&format!("{DID}#key-1")).unwrap();
        assert_eq!(key::encode_ed25519(&signing), identity.did());
        assert_eq!(read.x25519(&format!("{DID}#key-2")), Some(identity.agreement().public()));
        // Parties that know the DID beforehand find its mail by the second one (RM-122).
        let connection = identity.connection("did:example:mediator").did;
        assert_eq!(read.also_known_as, [identity.did(), connection.as_str()]);
        assert_eq!(read.services[0].uri, "did:example:mediator");
        assert!(published(&identity, DID, &[]).unwrap().services.is_empty());
    }

    #[test]
    fn a_document_is_shown_with_its_keys_and_services() {
        let document = published(&identity(), DID, &["did:example:mediator".to_owned()]).unwrap();
        let signing = identity().did().to_owned();
        let agreement = key::encode(&PublicKey::X25519(identity().agreement().public()));
        let connection = identity().connection("did:example:mediator").did;
        let expected = format!(
            "{DID}\n  also known as   {signing}\n  also known as   {connection}\n  authenticates   #key-1  Ed25519  {signing}\n  \
             asserts         #key-1  Ed25519  {signing}\n  encrypts        #key-2  X25519  {agreement}\n  \
             messages to     did:example:mediator  didcomm/v2"
        );
        assert_eq!(to_text(&document), expected);
    }

    /// Decides SC-05.
    #[test]
    fn a_strangers_document_cannot_move_the_cursor() {
        let mut document = DidDocument::new(DID);
        document.also_known_as.push("a\u{1b}[2J\nb\u{202e}\u{9b}\u{e0041}".to_owned());
        let json = to_json(&document);
        assert!(!json.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\u{e0041}']), "{json:?}");
        assert_eq!(DidDocument::from_json(DID, json.as_bytes()), Ok(document.clone()));
        let text = to_text(&document);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        assert_eq!(text.lines().count(), 2);
    }

    /// Decides CN-69.
    #[test]
    fn a_document_without_key_agreement_has_its_own_code() {
        let with = resolve_offline(&identity().connection("did:example:m").did).unwrap();
        assert!(require_key_agreement(&with, "bob").is_ok());
        let without = resolve_offline(identity().did()).unwrap();
        assert_eq!(require_key_agreement(&without, "bob").unwrap_err().kind, Kind::NoKeyAgreement);
        // A key of another curve does not help: the sessions are X25519.
        let p256 = resolve_offline("did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169").unwrap();
        assert!(require_key_agreement(&p256, "bob").is_err());
    }

    #[test]
    fn each_reason_has_its_code() {
        for (did, kind) in [
            ("did:example:x", Kind::DidMethodUnknown),
            ("did:webvh:x", Kind::DidFeatureMissing),
            ("did:peer:4zQmd8CpeFPci817KDsbSAKWcXAE2mjvCQSasRewvbSF54Bd", Kind::DidNotFound),
            ("did:key:z6Mk", Kind::DidMalformed),
            ("hello", Kind::DidMalformed),
            ("", Kind::DidMalformed),
        ] {
            let failure = failure(did, &resolve_offline(did).unwrap_err());
            assert_eq!(failure.kind, kind, "{did}");
        }
        let url = format!("{}#key-1", identity().did());
        let failure = failure(&url, &resolve_offline(&url).unwrap_err());
        assert_eq!(failure.hint, Some(format!("didagent did resolve '{}'", identity().did())));
    }
}
