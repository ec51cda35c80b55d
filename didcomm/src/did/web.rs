//! did:web: where its document is.
//!
//! The did:web method. The DID names a host, with an encoded port if it has one, and a path whose slashes are colons:
//!
//! ```text
//! did:web:example.org                 https://example.org/.well-known/did.json
//! did:web:example.org%3A8443:u:bob    https://example.org:8443/u/bob/did.json
//! ```
//!
//! Not its concern: fetching it, and which addresses may be asked. The document's `id` must be the DID:
//! [`super::DidDocument::from_json`].

use url::{Host, Url};

use super::DidError;

/// What every did:web begins with.
pub const PREFIX: &str = "did:web:";
/// Longest did:web that is read, in bytes: servers take URLs of about this length.
pub(super) const MAX_BYTES: usize = 2048;
/// Longest name of a host in DNS, in bytes, RFC 1035.
const MAX_HOST_BYTES: usize = 253;
/// Longest label in it.
const MAX_LABEL_BYTES: usize = 63;

/// Returns where the document of a did:web is.
///
/// ```
/// let url = didagent_didcomm::did::web::url("did:web:example.org:user:alice").unwrap();
/// assert_eq!(url.as_str(), "https://example.org/user/alice/did.json");
/// ```
///
/// # Errors
/// [`DidError::Malformed`] when it is no did:web, its host is an address instead of a name, or its path would leave its folder.
pub fn url(did: &str) -> Result<Url, DidError> {
    if did.len() > MAX_BYTES {
        return Err(DidError::TooLong { got: did.len() });
    }
    file_at(did.strip_prefix(PREFIX).ok_or(DidError::malformed("did:web"))?, "did.json")
}

/// Returns where the file `name` is in the folder that `place`, a did:web without its prefix, names.
pub(super) fn file_at(place: &str, name: &str) -> Result<Url, DidError> {
    let malformed = || DidError::malformed("did:web");
    let mut parts = place.split(':');
    let authority = parts.next().unwrap_or_default();
    let (host, port) = match authority.split_once('%') {
        Some((host, port)) => (host, Some(port.strip_prefix("3A").or_else(|| port.strip_prefix("3a")))),
        None => (authority, None),
    };
    if !is_host(host) {
        return Err(DidError::malformed("host of a did:web"));
    }
    let mut url = format!("https://{host}");
    if let Some(port) = port {
        let port = port.and_then(number).ok_or(DidError::malformed("port of a did:web"))?;
        url.push_str(&format!(":{port}"));
    }
    let mut path = String::new();
    for segment in parts {
        if !is_segment(segment) {
            return Err(DidError::malformed("path of a did:web"));
        }
        path.push('/');
        path.push_str(segment);
    }
    if path.is_empty() {
        path.push_str("/.well-known");
    }
    path.push('/');
    path.push_str(name);
    let url = Url::parse(&(url + &path)).map_err(|_| malformed())?;
    // What a URL makes of a host or path is what counts: 127.1 and 0x7f.1 are addresses to it.
    match url.host() {
        Some(Host::Domain(name)) if name.eq_ignore_ascii_case(host) && url.path() == path => Ok(url),
        _ => Err(DidError::malformed("host of a did:web")),
    }
}

/// Returns the did:web of a host, which may have a port, and a path whose segments are separated by `/`.
///
/// ```
/// use didagent_didcomm::did::web;
/// assert_eq!(web::encode("example.org:8443", "u/bob").unwrap(), "did:web:example.org%3A8443:u:bob");
/// ```
///
/// # Errors
/// [`DidError::Malformed`] when [`url()`] would not read it.
pub fn encode(host: &str, path: &str) -> Result<String, DidError> {
    let mut did = format!("{PREFIX}{}", host.to_ascii_lowercase().replacen(':', "%3A", 1));
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        did.push(':');
        did.push_str(segment);
    }
    url(&did).map(|_| did)
}

fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAX_LABEL_BYTES).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.len() <= MAX_HOST_BYTES && host.split('.').all(is_label)
}

/// A port without leading zeros: one DID for one document.
fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port: &u16| *port != 0 && port.to_string() == text)
}

/// A segment of the characters that a DID may have. What is encoded may not turn into a separator or a dot on its way.
fn is_segment(segment: &str) -> bool {
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let good = match byte {
            b'%' => {
                let encoded = rest.next().zip(rest.next());
                let hex = |digit: u8| char::from(digit).to_digit(16);
                let value = encoded.and_then(|(high, low)| Some(hex(high)? * 16 + hex(low)?));
                value.is_some_and(|value| value > 0x20 && value != 0x7f && !is_separator(value))
            }
            byte => byte.is_ascii_alphanumeric() || b".-_".contains(&byte),
        };
        if !good {
            return false;
        }
    }
    !["", ".", ".."].contains(&segment)
}

fn is_separator(value: u32) -> bool {
    char::from_u32(value).is_some_and(|character| "/\\.%?#:".contains(character))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MAX_BYTES, encode, url};
    use crate::did::DidError;

    /// Decides CN-65.
    #[test]
    fn follows_the_examples_of_the_method() {
        for (did, expected) in [
            ("did:web:w3c-ccg.github.io", "https://w3c-ccg.github.io/.well-known/did.json"),
            ("did:web:w3c-ccg.github.io:user:alice", "https://w3c-ccg.github.io/user/alice/did.json"),
            ("did:web:example.com%3A3000:user:alice", "https://example.com:3000/user/alice/did.json"),
            ("did:web:example.com%3a3000", "https://example.com:3000/.well-known/did.json"),
            ("did:web:localhost%3A8443", "https://localhost:8443/.well-known/did.json"),
            ("did:web:xn--bcher-kva.example:a%C3b", "https://xn--bcher-kva.example/a%C3b/did.json"),
        ] {
            assert_eq!(url(did).map(|url| url.to_string()).as_deref(), Ok(expected), "{did}");
        }
    }

    /// Decides CN-65.
    #[test]
    fn refuses_addresses_other_hosts_and_paths_that_climb() {
        for did in [
            "did:web:",
            "did:web",
            "did:webs:example.org",
            "did:web:127.0.0.1",
            "did:web:127.1",
            "did:web:0x7f.1",
            "did:web:2130706433",
            "did:web:[::1]",
            "did:web:%5B%3A%3A1%5D",
            "did:web:user@example.org",
            "did:web:example.org%2Fx",
            "did:web:example.org%3A",
            "did:web:example.org%3A0",
            "did:web:example.org%3A080",
            "did:web:example.org%3A65536",
            "did:web:example.org%3A80%3A81",
            "did:web:example.org%3A+80",
            "did:web:example..org",
            "did:web:example.org.",
            "did:web:-example.org",
            "did:web:ex_ample.org",
            "did:web:b\u{fc}cher.example",
            "did:web:example.org/x",
            "did:web:example.org?x",
            "did:web:example.org#x",
            "did:web:example.org:",
            "did:web:example.org::x",
            "did:web:example.org:..:x",
            "did:web:example.org:%2e%2e:x",
            "did:web:example.org:.%2E:x",
            "did:web:example.org:a%2Fb",
            "did:web:example.org:a%5cb",
            "did:web:example.org:a%",
            "did:web:example.org:a%4",
            "did:web:example.org:a%zz",
            "did:web:example.org:a%00",
            "did:web:example.org:a b",
            "did:web:example.org:a\\b",
            "did:web:example.org:a@b",
        ] {
            assert!(matches!(url(did), Err(DidError::Malformed { .. })), "{did}");
        }
        let long = format!("did:web:example.org:{}", "a".repeat(MAX_BYTES));
        assert_eq!(url(&long), Err(DidError::TooLong { got: long.len() }));
    }

    /// Decides CN-65.
    #[test]
    fn writes_what_it_reads() {
        for (host, path, did) in [
            ("Example.org", "", "did:web:example.org"),
            ("example.org:443", "/a/b/", "did:web:example.org%3A443:a:b"),
        ] {
            assert_eq!(encode(host, path).as_deref(), Ok(did));
        }
        for (host, path) in
            [("https://example.org", ""), ("", ""), ("a:b:c", ""), ("127.0.0.1", ""), ("a.b", "../x")]
        {
            assert!(encode(host, path).is_err(), "{host} {path}");
        }
    }

    proptest! {
        #[test]
        fn an_url_is_always_the_https_of_the_named_host(text in "(did:web:)?[a-z0-9.%A:-]{0,40}.{0,10}") {
            if let Ok(url) = url(&text) {
                prop_assert_eq!(url.scheme(), "https");
                prop_assert!(url.username().is_empty() && url.password().is_none());
                prop_assert!(url.query().is_none() && url.fragment().is_none());
                prop_assert!(url.path().ends_with("/did.json"));
                let host = text.strip_prefix("did:web:").unwrap().split([':', '%']).next().unwrap();
                prop_assert_eq!(url.host_str().unwrap(), host.to_ascii_lowercase());
            }
        }
    }
}
