//! did:webvh: where its log and its witnesses' proofs are.
//!
//! The did:webvh method, version 1.0. The DID begins with a digest of the log's first entry, the SCID; behind it is the place, as
//! in a did:web ([`super::web`]):
//!
//! ```text
//! did:webvh:<SCID>:example.org          https://example.org/.well-known/did.jsonl
//! did:webvh:<SCID>:example.org:u:bob    https://example.org/u/bob/did.jsonl
//! ```
//!
//! Not its concern: fetching the log, and whether it holds together; whoever has done both reads the newest document with
//! [`super::DidDocument::from_json`].

use url::Url;

use super::DidError;
use super::web::{self, MAX_BYTES};

/// What every did:webvh begins with.
pub const PREFIX: &str = "did:webvh:";
/// Length of a SCID in characters: a SHA-256 multihash in base58.
const SCID_CHARS: usize = 46;

/// Returns where the log of a did:webvh is.
///
/// ```
/// let did = "did:webvh:Qmdxt11AjZewCNXX69bpEDobgjySeZ7eFwjf4tgpF6p2Dg:example.org:user:alice";
/// let url = didagent_didcomm::did::webvh::log_url(did).unwrap();
/// assert_eq!(url.as_str(), "https://example.org/user/alice/did.jsonl");
/// ```
///
/// # Errors
/// [`DidError::Malformed`] when it is no did:webvh, or its place would be none of a did:web.
pub fn log_url(did: &str) -> Result<Url, DidError> {
    file(did, "did.jsonl")
}

/// Returns where the proofs of a did:webvh's witnesses are, if it has any.
///
/// # Errors
/// As [`log_url`].
pub fn witness_url(did: &str) -> Result<Url, DidError> {
    file(did, "did-witness.json")
}

fn file(did: &str, name: &str) -> Result<Url, DidError> {
    if did.len() > MAX_BYTES {
        return Err(DidError::TooLong { got: did.len() });
    }
    let malformed = DidError::malformed("did:webvh");
    let (scid, place) = did.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':')).ok_or(malformed)?;
    let is_scid = scid.len() == SCID_CHARS && bs58::decode(scid).into_vec().is_ok();
    if !is_scid {
        return Err(DidError::malformed("SCID of a did:webvh"));
    }
    web::file_at(place, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCID: &str = "Qmdxt11AjZewCNXX69bpEDobgjySeZ7eFwjf4tgpF6p2Dg";

    /// Decides CN-70.
    #[test]
    fn the_log_is_where_a_did_web_would_be() {
        for (place, folder) in [
            ("example.org", "https://example.org/.well-known/"),
            ("example.org%3A8443:u:bob", "https://example.org:8443/u/bob/"),
        ] {
            let did = format!("did:webvh:{SCID}:{place}");
            assert_eq!(log_url(&did).unwrap().as_str(), format!("{folder}did.jsonl"));
            assert_eq!(witness_url(&did).unwrap().as_str(), format!("{folder}did-witness.json"));
        }
    }

    /// Decides CN-70.
    #[test]
    fn refuses_what_is_no_digest_and_no_place() {
        let long = format!("did:webvh:{SCID}:example.org:{}", "a".repeat(MAX_BYTES));
        assert_eq!(log_url(&long), Err(DidError::TooLong { got: long.len() }));
        let wrong_letter = SCID.replace('x', "0");
        for did in [
            "did:webvh:".to_owned(),
            format!("did:webvh:{SCID}"),
            format!("did:webvh:{SCID}:"),
            format!("did:web:{SCID}:example.org"),
            format!("did:webvh:{}:example.org", &SCID[1..]),
            format!("did:webvh:{SCID}a:example.org"),
            format!("did:webvh:{wrong_letter}:example.org"),
            format!("did:webvh:{SCID}:127.0.0.1"),
            format!("did:webvh:{SCID}:example.org:..:x"),
            format!("did:webvh:{SCID}:example.org?versionId=1"),
            format!("did:webvh:{SCID}:example.org#key-1"),
        ] {
            assert!(matches!(log_url(&did), Err(DidError::Malformed { .. })), "{did}");
        }
    }
}
