//! Status lists: one bit for each credential of an issuer, Bitstring Status List 1.0.
//!
//! The list is a credential of the same issuer. Its bits are compressed, and so bounded before anything is believed: what expands beyond
//! [`MAX_STATUS_ENTRIES`] is refused with no more memory than that.
//!
//! Not its concern: fetching it, and for how long it may be remembered.

use std::io::Read as _;

use flate2::bufread::GzDecoder;
use serde_json::{Map, Value};

use super::claims::{Envelope, check_time};
use super::jose::Jws;
use super::{CredentialError, StatusError};
use crate::Resolver;
use crate::base64url;

/// Longest status list that is read, in bytes of its JWS: half a million entries of which a tenth is set.
pub const MAX_STATUS_LIST_BYTES: usize = 256 * 1024;
/// Fewest entries of a list, Bitstring Status List section 6.1: among so many nobody tells which one a request was about.
pub const MIN_STATUS_ENTRIES: usize = 131_072;
/// Most entries that are read: sixteen times as many, 256 KiB of bits.
pub const MAX_STATUS_ENTRIES: usize = 16 * MIN_STATUS_ENTRIES;
/// Most entries of one credential: one for each purpose.
const MAX_OF_CREDENTIAL: usize = 2;
/// Longest address of a list, in bytes.
const MAX_URL_BYTES: usize = 2048;

/// What a set bit means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The credential was taken back for good.
    Revocation,
    /// The credential was taken back for now.
    Suspension,
}

/// Where a credential says whether it was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusEntry {
    /// What a set bit means.
    pub purpose: Purpose,
    /// Number of the bit.
    pub index: usize,
    /// Address of the list.
    pub list: String,
}

impl Purpose {
    /// Returns its name in `statusPurpose`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Revocation => "revocation",
            Self::Suspension => "suspension",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Revocation, Self::Suspension].into_iter().find(|purpose| purpose.name() == name)
    }
}

/// Reads `credentialStatus`. An entry of a kind that is not read makes the whole credential useless: it may say that it was taken back.
pub(super) fn entries(member: Option<&Value>) -> Result<Vec<StatusEntry>, CredentialError> {
    let list = match member {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let mut entries = Vec::new();
    for entry in list {
        let entry = entry.as_object().ok_or(CredentialError::malformed("credentialStatus"))?;
        entries.extend(read_entry(entry)?);
    }
    if entries.len() > MAX_OF_CREDENTIAL {
        return Err(CredentialError::unsupported("credentialStatus with many entries"));
    }
    Ok(entries)
}

/// Reads one entry; `None` for a purpose that takes nothing back, such as `message`.
fn read_entry(entry: &Map<String, Value>) -> Result<Option<StatusEntry>, CredentialError> {
    let malformed = || CredentialError::malformed("credentialStatus");
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    if text("type") != Some("BitstringStatusListEntry") {
        return Err(CredentialError::unsupported("type of credentialStatus"));
    }
    let purpose = text("statusPurpose").ok_or_else(malformed)?;
    let Some(purpose) = Purpose::of(purpose) else {
        return match purpose {
            "refresh" | "message" => Ok(None),
            _ => Err(CredentialError::unsupported("statusPurpose")),
        };
    };
    if entry.get("statusSize").is_some_and(|size| size.as_u64() != Some(1)) {
        return Err(CredentialError::unsupported("statusSize"));
    }
    let index = match entry.get("statusListIndex") {
        Some(Value::String(digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok()
        }
        Some(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        None => None,
    };
    let list = text("statusListCredential").filter(|url| (1..=MAX_URL_BYTES).contains(&url.len()));
    let (index, list) = index.zip(list).ok_or_else(malformed)?;
    Ok(Some(StatusEntry { purpose, index, list: list.to_owned() }))
}

/// A status list as it came: nobody vouches for it.
#[derive(Debug, Clone)]
pub struct StatusListIn {
    jws: Jws,
    list: StatusList,
    valid: (Option<u64>, Option<u64>),
    encoded: String,
}

/// A status list that its issuer signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusList {
    id: Option<String>,
    issuer: String,
    purposes: Vec<Purpose>,
    bits: Bits,
}

impl StatusListIn {
    /// Reads a compact JWS of at most [`MAX_STATUS_LIST_BYTES`]. Its bits are not expanded yet.
    ///
    /// # Errors
    /// [`CredentialError::Malformed`] and [`CredentialError::Unsupported`] name the part.
    pub fn read(text: &str) -> Result<Self, CredentialError> {
        let malformed = || CredentialError::malformed("credentialSubject");
        let jws = Jws::read(text.trim(), MAX_STATUS_LIST_BYTES)?;
        let envelope = Envelope::read(jws.typ(), jws.payload())?;
        if !envelope.types()?.iter().any(|one| one == "BitstringStatusListCredential") {
            return Err(CredentialError::malformed("type"));
        }
        let (issuer, id, valid) = (envelope.issuer()?, envelope.id()?, envelope.times()?);
        let subject = envelope.subject()?;
        let text = |name: &str| subject.get(name).and_then(Value::as_str);
        if text("type") != Some("BitstringStatusList") {
            return Err(malformed());
        }
        let purposes = match subject.get("statusPurpose") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => return Err(malformed()),
        };
        let purposes = purposes.into_iter().filter_map(Purpose::of).collect();
        let encoded = text("encodedList").ok_or_else(malformed)?.to_owned();
        let list = StatusList { id, issuer, purposes, bits: Bits::default() };
        Ok(Self { jws, list, valid, encoded })
    }

    /// Verifies that the issuer signed it, and that it counts at `now`, in UTC seconds; then expands it.
    ///
    /// # Errors
    /// [`StatusError::List`], and [`StatusError::Length`] when it has too few or too many entries.
    pub fn verify(self, documents: &impl Resolver, now: u64) -> Result<StatusList, StatusError> {
        let Self { jws, mut list, valid: (from, until), encoded } = self;
        jws.verify(&list.issuer, documents)?;
        check_time(from, until, now)?;
        list.bits = Bits::expand(&encoded)?;
        Ok(list)
    }
}

impl StatusList {
    /// Returns the DID of whoever signed it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns its bits.
    pub fn bits(&self) -> &Bits {
        &self.bits
    }

    pub(super) fn check(&self, entry: &StatusEntry) -> Result<(), StatusError> {
        if self.id.as_ref().is_some_and(|id| *id != entry.list) {
            return Err(StatusError::OtherList);
        }
        if !self.purposes.contains(&entry.purpose) {
            return Err(StatusError::OtherPurpose);
        }
        match (self.bits.is_set(entry.index), entry.purpose) {
            (None, _) => Err(StatusError::Length),
            (Some(false), _) => Ok(()),
            (Some(true), Purpose::Revocation) => Err(StatusError::Revoked),
            (Some(true), Purpose::Suspension) => Err(StatusError::Suspended),
        }
    }
}

/// The bits of a list, the first of which is the highest one of the first byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bits(Vec<u8>);

impl Bits {
    /// Makes the bits of a list of the smallest size, none of them set.
    pub fn none_set() -> Self {
        Self(vec![0; MIN_STATUS_ENTRIES / 8])
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Sets one bit; a number beyond the list changes nothing.
    pub fn set(&mut self, index: usize) {
        if let Some(byte) = self.0.get_mut(index / 8) {
            *byte |= 0x80 >> (index % 8);
        }
    }

    /// Says whether a bit is set; `None` beyond the end.
    pub fn is_set(&self, index: usize) -> Option<bool> {
        self.0.get(index / 8).map(|byte| byte & (0x80 >> (index % 8)) != 0)
    }

    /// Reads `encodedList`: multibase base64url of gzip.
    ///
    /// # Errors
    /// [`StatusError::List`] when it is not that, [`StatusError::Length`] when it has too few or too many entries.
    pub fn expand(encoded: &str) -> Result<Self, StatusError> {
        let malformed = || StatusError::List(CredentialError::malformed("encodedList"));
        let packed = encoded.strip_prefix('u').and_then(base64url::decode).ok_or_else(malformed)?;
        let mut bytes = Vec::new();
        let mut unpacking = GzDecoder::new(packed.as_slice()).take(MOST_BYTES + 1);
        unpacking.read_to_end(&mut bytes).map_err(|_| malformed())?;
        if !(MIN_STATUS_ENTRIES / 8..=MAX_STATUS_ENTRIES / 8).contains(&bytes.len()) {
            return Err(StatusError::Length);
        }
        // The checksum was compared when the end was read; what follows it is not part of the list.
        if !unpacking.into_inner().into_inner().is_empty() {
            return Err(malformed());
        }
        Ok(Self(bytes))
    }
}

/// As many bytes as [`MAX_STATUS_ENTRIES`] bits take.
const MOST_BYTES: u64 = 256 * 1024;
const _: () = assert!(MAX_STATUS_ENTRIES == 8 * 256 * 1024);
