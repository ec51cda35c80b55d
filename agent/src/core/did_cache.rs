//! DID documents that were fetched, for as long as their servers say.
//!
//! Specification: `spec/connect.md`, CN-67. A document says which keys are somebody's; one that is remembered for too long is
//! one whose stolen key still counts. So a server may shorten the time and not stretch it without end.
//!
//! Not its concern: fetching (`io::did_web`), the file (`io::home`), documents that follow from their identifier.

use didagent_didcomm::credential::MAX_STATUS_LIST_BYTES;
use didagent_didcomm::did::{DidDocument, MAX_DOCUMENT_BYTES};
use serde::{Deserialize, Serialize};

/// How long a document counts of which the server says nothing, in seconds: a command that is typed twice asks once, and a
/// key that was replaced is noticed within minutes.
const DEFAULT_SECONDS: u64 = 300;
/// Longest time that a server can ask for, in seconds: a day, after which a stolen key should be history.
const MAX_SECONDS: u64 = 24 * 3600;
/// Most documents, the oldest of which is forgotten first: at most 4 MiB, and more than a person looks up in a day.
const MAX_ENTRIES: usize = 64;
/// Longest time that a status list is remembered, in seconds: within five minutes everybody sees that somebody was revoked.
pub const MAX_LIST_SECONDS: u64 = 300;
/// Most status lists: at most 4 MiB.
const MAX_LISTS: usize = 16;
/// Version of the layout of the file.
const VERSION: u32 = 1;

/// Documents by their DID, with the time until which they count.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DidCache {
    v: u32,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    did: String,
    /// UTC seconds.
    until: u64,
    /// Whether hosts of local networks were allowed when it was fetched.
    local: bool,
    /// As it was fetched.
    json: String,
}

impl Default for DidCache {
    fn default() -> Self {
        Self { v: VERSION, entries: Vec::new() }
    }
}

impl DidCache {
    /// Returns the document of `did`, if it still counts at `now`, in UTC seconds. One that may be of a local network only if
    /// those are allowed, `local`: on another network the same name is somebody else.
    pub fn document(&self, did: &str, local: bool, now: u64) -> Option<DidDocument> {
        DidDocument::from_json(did, self.text(did, local, now)?.as_bytes()).ok()
    }

    /// Returns the text at `did`, a DID or the address of a list, under the same conditions.
    pub fn text(&self, did: &str, local: bool, now: u64) -> Option<&str> {
        let counts = |entry: &&Entry| {
            // One from the future was put in when the clock was wrong.
            entry.did == did
                && (local || !entry.local)
                && now < entry.until
                && entry.until - now <= MAX_SECONDS
        };
        self.entries.iter().find(counts).filter(|_| self.v == VERSION).map(|entry| entry.json.as_str())
    }

    /// Remembers a document for `seconds` from `now`, in UTC seconds, in place of an earlier one. Zero seconds forgets it.
    pub fn put(&mut self, did: &str, local: bool, json: String, seconds: u64, now: u64) {
        self.put_within((MAX_ENTRIES, MAX_DOCUMENT_BYTES), did, local, json, seconds, now);
    }

    /// The same for a status list, in a cache of lists.
    pub fn put_list(&mut self, url: &str, local: bool, list: String, seconds: u64, now: u64) {
        self.put_within((MAX_LISTS, MAX_STATUS_LIST_BYTES), url, local, list, seconds, now);
    }

    fn put_within(
        &mut self,
        (entries, bytes): (usize, usize),
        did: &str,
        local: bool,
        json: String,
        seconds: u64,
        now: u64,
    ) {
        if self.v != VERSION {
            *self = Self::default();
        }
        self.entries.retain(|entry| entry.did != did && now < entry.until);
        if seconds == 0 || json.len() > bytes {
            return;
        }
        while self.entries.len() >= entries {
            self.entries.remove(0);
        }
        let until = now.saturating_add(seconds.min(MAX_SECONDS));
        self.entries.push(Entry { did: did.to_owned(), until, local, json });
    }
}

/// Returns for how many seconds an answer with this `Cache-Control` counts, RFC 9111 section 5.2.
pub fn lifetime(cache_control: Option<&str>) -> u64 {
    let mut seconds = DEFAULT_SECONDS;
    for directive in cache_control.unwrap_or_default().split(',').map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return 0;
        }
        if name.eq_ignore_ascii_case("max-age") {
            let digits = value.trim_matches('"');
            // A number beyond the range is a long time; anything else is none.
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            seconds = if is_number { digits.parse().unwrap_or(MAX_SECONDS) } else { 0 };
        }
    }
    seconds.min(MAX_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const DID: &str = "did:web:example.org";

    fn json(did: &str) -> String {
        format!(r#"{{"id":"{did}"}}"#)
    }

    /// Decides CN-67.
    #[test]
    fn a_document_counts_until_its_time_is_over() {
        let mut cache = DidCache::default();
        assert_eq!(cache.document(DID, false, NOW), None);
        cache.put(DID, false, json(DID), 60, NOW);
        assert_eq!(cache.document(DID, false, NOW + 59), Some(DidDocument::new(DID)));
        assert_eq!(cache.document(DID, false, NOW + 60), None);
        assert_eq!(cache.document("did:web:example.com", false, NOW), None);
        let file = serde_json::to_vec(&cache).unwrap();
        let back: DidCache = serde_json::from_slice(&file).unwrap();
        assert!(back.document(DID, false, NOW).is_some());
        cache.put(DID, false, json(DID), 0, NOW);
        assert_eq!(cache.document(DID, false, NOW), None);
    }

    /// Decides CN-67.
    #[test]
    fn what_a_local_network_said_counts_only_where_it_may_be_asked() {
        let mut cache = DidCache::default();
        cache.put(DID, true, json(DID), 60, NOW);
        assert_eq!(cache.document(DID, false, NOW), None);
        assert!(cache.document(DID, true, NOW).is_some());
    }

    /// Decides CN-67.
    #[test]
    fn neither_a_server_nor_a_wrong_clock_makes_a_document_last() {
        let mut cache = DidCache::default();
        cache.put(DID, false, json(DID), u64::MAX, NOW);
        assert!(cache.document(DID, false, NOW + MAX_SECONDS - 1).is_some());
        assert_eq!(cache.document(DID, false, NOW + MAX_SECONDS), None);
        assert_eq!(cache.document(DID, false, NOW - 1), None, "it was put in a second later");
        cache.v += 1;
        assert_eq!(cache.document(DID, false, NOW), None);
    }

    /// Decides CN-67.
    #[test]
    fn only_so_many_are_kept() {
        let mut cache = DidCache::default();
        let did = |n: usize| format!("did:web:example.org:{n}");
        for n in 0..=MAX_ENTRIES {
            cache.put(&did(n), false, json(&did(n)), 60, NOW);
        }
        assert_eq!(cache.entries.len(), MAX_ENTRIES);
        assert_eq!(cache.document(&did(0), false, NOW), None);
        assert!(cache.document(&did(MAX_ENTRIES), false, NOW).is_some());
        cache.put(DID, false, " ".repeat(MAX_DOCUMENT_BYTES + 1), 60, NOW);
        assert_eq!(cache.entries.len(), MAX_ENTRIES);
    }

    /// Decides CR-25.
    #[test]
    fn few_lists_are_kept_and_none_that_is_too_long() {
        let mut cache = DidCache::default();
        let url = |n: usize| format!("https://authority.example/{n}");
        for n in 0..=MAX_LISTS {
            cache.put_list(&url(n), false, "list".to_owned(), 60, NOW);
        }
        assert_eq!(cache.entries.len(), MAX_LISTS);
        assert_eq!(cache.text(&url(MAX_LISTS), false, NOW + 59), Some("list"));
        assert_eq!(cache.text(&url(MAX_LISTS), false, NOW + 60), None);
        cache.put_list(&url(99), false, " ".repeat(MAX_STATUS_LIST_BYTES + 1), 60, NOW);
        assert_eq!(cache.text(&url(99), false, NOW), None);
    }

    /// Decides CN-67.
    #[test]
    fn a_server_says_how_long_within_bounds() {
        for (header, seconds) in [
            (None, DEFAULT_SECONDS),
            (Some(""), DEFAULT_SECONDS),
            (Some("public"), DEFAULT_SECONDS),
            (Some("public, Max-Age=60"), 60),
            (Some("max-age=0"), 0),
            (Some("max-age=31536000, immutable"), MAX_SECONDS),
            (Some("max-age=99999999999999999999999"), MAX_SECONDS),
            (Some("max-age=-1"), 0),
            (Some("max-age=x"), 0),
            (Some("max-age"), 0),
            (Some("max-age=60, no-store"), 0),
            (Some("no-cache"), 0),
        ] {
            assert_eq!(lifetime(header), seconds, "{header:?}");
        }
    }
}
