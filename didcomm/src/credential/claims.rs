//! What a credential says, in the data models 2.0 and 1.1.
//!
//! Both come to the same [`Claims`]. Where one thing is said twice, as a member of the credential and as a claim of the JWT, both must say
//! the same; of two times the narrower one counts.

use serde_json::{Map, Value};

use super::status::{self, StatusEntry};
use super::{CredentialError, from_rfc3339};
use crate::did::strict_json;

/// First context of data model 2.0.
pub(super) const CONTEXT_2: &str = "https://www.w3.org/ns/credentials/v2";
/// First context of data model 1.1.
const CONTEXT_1: &str = "https://www.w3.org/2018/credentials/v1";
/// The type that every credential has.
pub(super) const TYPE: &str = "VerifiableCredential";
/// Deepest nesting: claims of a subject may have members of their own.
const MAX_DEPTH: usize = 24;
/// Most types and contexts.
const MAX_TYPES: usize = 16;

/// What a credential says of its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// Its own name, if it has one.
    pub id: Option<String>,
    /// Its types, `VerifiableCredential` among them.
    pub types: Vec<String>,
    /// The DID of whoever says it.
    pub issuer: String,
    /// Whom it is about: the one subject's DID.
    pub subject: String,
    /// What the subject is, if the member `role` of the subject says so.
    pub role: Option<String>,
    /// From when it counts, UTC seconds.
    pub valid_from: Option<u64>,
    /// Until when it counts, UTC seconds.
    pub valid_until: Option<u64>,
    /// Where it says whether it was taken back; all must be looked at.
    pub status: Vec<StatusEntry>,
}

/// A credential of either data model, with what its JWT says beside it.
pub(super) struct Envelope {
    credential: Map<String, Value>,
    jwt: Map<String, Value>,
    is_1_1: bool,
}

impl Claims {
    pub(super) fn read(typ: Option<&str>, payload: &[u8]) -> Result<Self, CredentialError> {
        let envelope = Envelope::read(typ, payload)?;
        let types = envelope.types()?;
        let (issuer, subject) = (envelope.issuer()?, envelope.subject()?);
        let subject_id = envelope.said_twice("sub", subject.get("id"), "credentialSubject")?;
        let (valid_from, valid_until) = envelope.times()?;
        let status = status::entries(envelope.member("credentialStatus"))?;
        Ok(Self {
            id: envelope.id()?,
            types,
            issuer,
            subject: subject_id.ok_or(CredentialError::malformed("credentialSubject"))?,
            role: subject.get("role").and_then(Value::as_str).map(str::to_owned),
            valid_from,
            valid_until,
            status,
        })
    }

    /// Fails unless it counts at `now`, in UTC seconds.
    ///
    /// # Errors
    /// [`CredentialError::NotYet`] and [`CredentialError::Expired`].
    pub fn check_time(&self, now: u64) -> Result<(), CredentialError> {
        check_time(self.valid_from, self.valid_until, now)
    }
}

pub(super) fn check_time(from: Option<u64>, until: Option<u64>, now: u64) -> Result<(), CredentialError> {
    match (from, until) {
        (Some(from), _) if now < from => Err(CredentialError::NotYet { from }),
        (_, Some(until)) if now >= until => Err(CredentialError::Expired { until }),
        _ => Ok(()),
    }
}

impl Envelope {
    pub(super) fn read(typ: Option<&str>, payload: &[u8]) -> Result<Self, CredentialError> {
        let Some(Value::Object(mut payload)) = strict_json::parse(payload, MAX_DEPTH) else {
            return Err(CredentialError::malformed("payload"));
        };
        let typ = typ.map(|typ| {
            let typ = typ.to_ascii_lowercase();
            typ.strip_prefix("application/").map_or(typ.clone(), str::to_owned)
        });
        let envelope = match (typ.as_deref(), payload.remove("vc")) {
            (None | Some("jwt"), Some(Value::Object(credential))) => {
                Self { credential, jwt: payload, is_1_1: true }
            }
            (Some("vc+jwt" | "vc+ld+jwt"), None) => {
                Self { credential: payload.clone(), jwt: payload, is_1_1: false }
            }
            (_, Some(_)) => return Err(CredentialError::malformed("vc")),
            _ => return Err(CredentialError::unsupported("typ")),
        };
        let contexts = envelope.texts("@context", |list| list.first().and_then(Value::as_str).is_some())?;
        let wanted = if envelope.is_1_1 { CONTEXT_1 } else { CONTEXT_2 };
        if contexts.first().map(String::as_str) != Some(wanted) {
            return Err(CredentialError::unsupported("@context"));
        }
        Ok(envelope)
    }

    pub(super) fn member(&self, name: &str) -> Option<&Value> {
        self.credential.get(name).filter(|value| !value.is_null())
    }

    /// A member that is a text or a list of them; what else is in the list is left out if the list `may` have it.
    fn texts(&self, name: &'static str, may: fn(&[Value]) -> bool) -> Result<Vec<String>, CredentialError> {
        let malformed = CredentialError::malformed(name);
        match self.member(name) {
            Some(Value::String(one)) => Ok(vec![one.clone()]),
            Some(Value::Array(list)) if list.len() <= MAX_TYPES && may(list) => {
                Ok(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            }
            _ => Err(malformed),
        }
    }

    pub(super) fn types(&self) -> Result<Vec<String>, CredentialError> {
        let types = self.texts("type", |list| list.iter().all(Value::is_string))?;
        if types.iter().any(|one| one == TYPE) { Ok(types) } else { Err(CredentialError::malformed("type")) }
    }

    pub(super) fn issuer(&self) -> Result<String, CredentialError> {
        let member = match self.member("issuer") {
            Some(Value::Object(issuer)) => issuer.get("id"),
            member => member,
        };
        self.said_twice("iss", member, "issuer")?.ok_or(CredentialError::malformed("issuer"))
    }

    pub(super) fn id(&self) -> Result<Option<String>, CredentialError> {
        self.said_twice("jti", self.member("id"), "id")
    }

    /// The one subject.
    pub(super) fn subject(&self) -> Result<&Map<String, Value>, CredentialError> {
        match self.member("credentialSubject") {
            Some(Value::Object(subject)) => Ok(subject),
            Some(Value::Array(list)) => match list.as_slice() {
                [Value::Object(subject)] => Ok(subject),
                _ => Err(CredentialError::unsupported("credentialSubject")),
            },
            _ => Err(CredentialError::malformed("credentialSubject")),
        }
    }

    /// A text that the JWT's `claim` may say, and a member of the credential.
    fn said_twice(
        &self,
        claim: &str,
        member: Option<&Value>,
        what: &'static str,
    ) -> Result<Option<String>, CredentialError> {
        let text = |value: Option<&Value>| match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(CredentialError::malformed(what)),
        };
        match (text(self.jwt.get(claim))?, text(member)?) {
            (Some(claim), Some(member)) if claim != member => Err(CredentialError::malformed(what)),
            (claim, member) => Ok(claim.or(member)),
        }
    }

    /// From when and until when it counts.
    pub(super) fn times(&self) -> Result<(Option<u64>, Option<u64>), CredentialError> {
        let stamp = |name: &'static str| match self.member(name) {
            None => Ok(None),
            Some(Value::String(text)) => from_rfc3339(text).map(Some).ok_or(CredentialError::malformed(name)),
            Some(_) => Err(CredentialError::malformed(name)),
        };
        let seconds = |name: &'static str| match self.jwt.get(name) {
            None => Ok(None),
            Some(number) => number.as_u64().map(Some).ok_or(CredentialError::malformed(name)),
        };
        let (mut from, mut until) = (vec![stamp("validFrom")?], vec![stamp("validUntil")?]);
        if self.is_1_1 {
            from.push(stamp("issuanceDate")?);
            until.push(stamp("expirationDate")?);
        }
        from.push(seconds("nbf")?);
        until.push(seconds("exp")?);
        Ok((from.into_iter().flatten().max(), until.into_iter().flatten().min()))
    }
}
