//! Writes credentials and status lists, signed with an Ed25519 key: for small authorities whose tool is this program.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};

use super::claims::{CONTEXT_2, TYPE};
use super::{Bits, Purpose, StatusEntry, to_rfc3339};
use crate::base64url;
use crate::did::did_of;
use crate::keys::Ed25519Secret;

/// What the member `role` of a subject means.
const ROLE: &str = "https://schema.org/roleName";

/// What a credential is to say.
#[derive(Debug, Clone, Copy)]
pub struct Issue<'a> {
    /// Its own name, a URL.
    pub id: &'a str,
    /// The DID of whom it is about.
    pub subject: &'a str,
    /// What the subject is.
    pub role: Option<&'a str>,
    /// From when it counts, UTC seconds.
    pub valid_from: u64,
    /// Until when it counts, UTC seconds.
    pub valid_until: u64,
    /// Where it is said whether it was taken back.
    pub status: Option<&'a StatusEntry>,
}

/// Signs a credential in the name of the DID of `kid`, an absolute DID URL of the key. Returns its compact JWS; `None` if a time is after
/// the year 9999.
pub fn issue(key: &Ed25519Secret, kid: &str, issue: &Issue<'_>) -> Option<String> {
    let mut subject = Map::from_iter([("id".to_owned(), json!(issue.subject))]);
    let mut contexts = vec![json!(CONTEXT_2)];
    if let Some(role) = issue.role {
        contexts.push(json!({"role": ROLE}));
        subject.insert("role".to_owned(), json!(role));
    }
    let mut credential = json!({
        "@context": contexts,
        "id": issue.id,
        "type": [TYPE],
        "issuer": did_of(kid),
        "validFrom": to_rfc3339(issue.valid_from)?,
        "validUntil": to_rfc3339(issue.valid_until)?,
        "credentialSubject": subject,
    });
    if let (Some(StatusEntry { purpose, index, list }), Value::Object(members)) =
        (issue.status, &mut credential)
    {
        let status = json!({
            "id": format!("{list}#{index}"),
            "type": "BitstringStatusListEntry",
            "statusPurpose": purpose.name(),
            "statusListIndex": index.to_string(),
            "statusListCredential": list,
        });
        members.insert("credentialStatus".to_owned(), status);
    }
    Some(sign(key, kid, &credential))
}

/// Signs a list of revoked credentials that is published at `url`. `until` is when it ends, UTC seconds. Returns its compact JWS; `None` if
/// a time is after the year 9999.
pub fn issue_status_list(
    key: &Ed25519Secret,
    kid: &str,
    url: &str,
    bits: &Bits,
    now: u64,
    until: u64,
) -> Option<String> {
    let mut packing = GzEncoder::new(Vec::new(), Compression::best());
    packing.write_all(bits.bytes()).ok()?;
    let packed = packing.finish().ok()?;
    let list = json!({
        "@context": [CONTEXT_2],
        "id": url,
        "type": [TYPE, "BitstringStatusListCredential"],
        "issuer": did_of(kid),
        "validFrom": to_rfc3339(now)?,
        "validUntil": to_rfc3339(until)?,
        "credentialSubject": {
            "id": format!("{url}#list"),
            "type": "BitstringStatusList",
            "statusPurpose": Purpose::Revocation.name(),
            "encodedList": format!("u{}", base64url::encode(packed)),
        },
    });
    Some(sign(key, kid, &list))
}

fn sign(key: &Ed25519Secret, kid: &str, payload: &Value) -> String {
    let header = json!({"alg": "EdDSA", "typ": "vc+jwt", "kid": kid});
    let signed = format!("{}.{}", part(&header), part(payload));
    let signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", base64url::encode(signature))
}

fn part(value: &Value) -> String {
    base64url::encode(value.to_string())
}
