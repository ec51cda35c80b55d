//! The head of an HTTP request: read once, and what it asks for.
//!
//! Parsing is `httparse`'s (decision record 0006). What is no HTTP at all, a TLS handshake or another program's greeting, is
//! known by its first line and refused at once, or it would wait for an answer until its time is over.
//!
//! Not its concern: the body, and whether there is room for one.

use std::io;
use std::net::{IpAddr, SocketAddr};

use didagent_didcomm::short_link::{LinkId, Take};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::answer::{
    BAD_CODING, BAD_LENGTH, BAD_METHOD, BAD_TYPE, LONG_HEAD, NOT_HTTP, NOT_TLS, Refusal, TOO_LARGE,
};
use super::body::Length;
use super::links::{LinkRequest, PLAIN, Wanted};
use crate::core::deposits::{id_in_query, oobid_in};
use crate::core::limits::MAX_TEXT;

/// Longest head that is read, in bytes: an invitation link of the longest kind and a browser's headers.
const MAX_HEAD: usize = 32 * 1024;

/// Most headers that are read: browsers and proxies send about 30.
const MAX_HEADERS: usize = 100;

/// First byte of a TLS record with a handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Media types under which an invitation is asked for by software, and not by a browser.
const JSON: [&str; 2] = [PLAIN, "application/json"];

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// The WebSocket.
    WebSocket {
        /// For whom a proxy says that it asks.
        forwarded_for: Option<IpAddr>,
    },
    /// The page for people.
    Page { content: bool },
    /// Whether the mediator works.
    Health { content: bool },
    /// Something about a link that is kept here.
    Link(LinkRequest),
    /// To take a message.
    Post(Post),
}

/// The head of a POST that may hold a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Post {
    pub(super) length: Length,
    /// It waits for `100 Continue` before it sends its body.
    pub(super) waits: bool,
    /// For whom the nearest proxy says that it speaks.
    pub(super) forwarded_for: Option<IpAddr>,
}

/// Reads into `head` until the empty line that ends a head has come, or is sure not to.
pub(super) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    head: &mut Vec<u8>,
) -> io::Result<Result<(), Refusal>> {
    let (mut searched, mut greeted) = (0, false);
    while !is_complete(head, &mut searched) {
        if head.len() >= MAX_HEAD {
            return Ok(Err(LONG_HEAD));
        }
        if stream.read_buf(head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !greeted && let Some(http) = is_http(head) {
            if let Err(refusal) = http {
                return Ok(Err(refusal));
            }
            greeted = true;
        }
    }
    Ok(Ok(()))
}

/// Tells whether the empty line that ends a head has come. `searched` is how far the caller has looked already: a client that
/// sends single bytes must not make us read everything again for each.
fn is_complete(head: &[u8], searched: &mut usize) -> bool {
    const END: &[u8] = b"\r\n\r\n";
    // The end may have begun in what was searched.
    let from = searched.saturating_sub(END.len() - 1);
    *searched = head.len();
    head.get(from..).is_some_and(|fresh| fresh.windows(END.len()).any(|window| window == END))
}

/// Tells by the first line whether this is HTTP; `None` while there is no saying.
fn is_http(head: &[u8]) -> Option<Result<(), Refusal>> {
    match head.first()? {
        &TLS_HANDSHAKE => return Some(Err(NOT_TLS)),
        // Methods are upper case; an empty line may come before them (RFC 9112, section 2.2).
        b'A'..=b'Z' | b'\r' | b'\n' => {}
        _ => return Some(Err(NOT_HTTP)),
    }
    if !head.contains(&b'\n') {
        return None;
    }
    let mut request = httparse::Request::new(&mut []);
    match request.parse(head) {
        Ok(_) | Err(httparse::Error::TooManyHeaders) => Some(Ok(())),
        Err(_) => Some(Err(NOT_HTTP)),
    }
}

/// Reads a complete head; returns what it asks for and where the body begins.
pub(crate) fn parse(head: &[u8]) -> Result<(Request, usize), Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let ends = match request.parse(head) {
        Ok(httparse::Status::Complete(ends)) => ends,
        Err(httparse::Error::TooManyHeaders) => return Err(LONG_HEAD),
        Ok(httparse::Status::Partial) | Err(_) => return Err(NOT_HTTP),
    };
    let fields = Fields(request.headers);
    let target = request.path.unwrap_or_default().split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let link =
        |wanted, content| Request::Link(LinkRequest { wanted, content, forwarded_for: fields.client() });
    let wanted = match request.method.unwrap_or_default() {
        "GET" if fields.lists("upgrade", "websocket") => {
            Request::WebSocket { forwarded_for: fields.client() }
        }
        method @ ("GET" | "HEAD") => {
            let content = method == "GET";
            match (LinkId::in_path(path), oobid_in(query)) {
                _ if path == "/health" => Request::Health { content },
                (Some(id), _) => link(Wanted::Page(id), content),
                (None, Some(_)) => {
                    let json = JSON.iter().any(|type_| fields.accepts(type_));
                    link(Wanted::Readable { id: id_in_query(query), json }, content)
                }
                (None, None) => Request::Page { content },
            }
        }
        "POST"
            if let (Some(id), Some(shown)) = (LinkId::in_path(path), fields.all("authorization").next()) =>
        {
            link(Wanted::Content { id, take_hash: Take::from_header(shown).map(|take| take.hash()) }, true)
        }
        "POST" => Request::Post(post(&fields, request.version == Some(1))?),
        _ => return Err(BAD_METHOD),
    };
    Ok((wanted, ends))
}

fn post(fields: &Fields<'_>, current: bool) -> Result<Post, Refusal> {
    let mut types =
        fields.all("content-type").map(|value| value.split(';').next().unwrap_or_default().trim());
    let known = |type_: &str| super::MEDIA_TYPES.iter().any(|known| known.eq_ignore_ascii_case(type_));
    if !types.next().is_some_and(known) || types.next().is_some() {
        return Err(BAD_TYPE);
    }
    let mut lengths = fields.all("content-length");
    let length = match (fields.all("transfer-encoding").next(), lengths.next()) {
        // With both, two readers could see two different bodies (RFC 9112, section 6.1).
        (Some(_), Some(_)) => return Err(BAD_LENGTH),
        (Some(_), None) if current && fields.is("transfer-encoding", "chunked") => Length::Chunked,
        (Some(_), None) => return Err(BAD_CODING),
        (None, Some(length)) if lengths.next().is_none() => known_length(length)?,
        (None, _) => return Err(BAD_LENGTH),
    };
    Ok(Post { length, waits: current && fields.is("expect", "100-continue"), forwarded_for: fields.client() })
}

fn known_length(text: &str) -> Result<Length, Refusal> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BAD_LENGTH);
    }
    // More digits than fit into a number are more bytes than are taken.
    let length = text.parse().ok().filter(|length| *length <= MAX_TEXT).ok_or(TOO_LARGE)?;
    Ok(Length::Known(length))
}

struct Fields<'a>(&'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    /// Returns the values of a field, as often as it comes. One that is no text is an empty value.
    fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let fields = self.0.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        fields.map(|field| std::str::from_utf8(field.value).unwrap_or_default().trim())
    }

    /// Tells whether a field comes once, with this value.
    fn is(&self, name: &str, value: &str) -> bool {
        let mut all = self.all(name);
        all.next().is_some_and(|first| first.eq_ignore_ascii_case(value)) && all.next().is_none()
    }

    /// Tells whether a field lists this value, among others.
    fn lists(&self, name: &str, value: &str) -> bool {
        self.all(name).flat_map(|list| list.split(',')).any(|one| one.trim().eq_ignore_ascii_case(value))
    }

    /// Tells whether an `Accept` names this media type.
    fn accepts(&self, type_: &str) -> bool {
        let ranges = self.all("accept").flat_map(|list| list.split(','));
        let mut types = ranges.filter_map(|range| range.split(';').next());
        types.any(|one| one.trim().eq_ignore_ascii_case(type_))
    }

    /// Returns the address that the nearest proxy wrote: the last one. Those before it are what clients claim.
    fn client(&self) -> Option<IpAddr> {
        let last = self.all("x-forwarded-for").last()?.rsplit(',').next()?.trim();
        last.parse().ok().or_else(|| last.parse().ok().map(|address: SocketAddr| address.ip()))
    }
}

/// Tells after how many bytes the head is complete when it comes in pieces of `piece` bytes; for the fuzz target.
pub(crate) fn head_ends(head: &[u8], piece: usize) -> Option<usize> {
    let mut searched = 0;
    let mut ends = (0..=head.len()).step_by(piece.max(1)).chain([head.len()]);
    ends.find(|end| head.get(..*end).is_some_and(|come| is_complete(come, &mut searched)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_head_is_found_however_it_is_cut() {
        let head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nrest";
        let end = head.len() - b"rest".len();
        for step in 1..=head.len() {
            let mut searched = 0;
            for read in (0..head.len()).step_by(step).chain([head.len()]) {
                assert_eq!(is_complete(&head[..read], &mut searched), read >= end, "{step} {read}");
                assert_eq!(searched, read);
                if read >= end {
                    break;
                }
            }
        }
    }

    #[test]
    fn what_was_searched_is_not_read_again() {
        // An end that lies wholly in the searched part is not seen: so it is not looked at.
        let head = b"\r\n\r\nabcd";
        assert!(!is_complete(head, &mut 4_usize.clone()));
        assert!(is_complete(head, &mut 3_usize.clone()));
    }

    fn post_of(fields: &str) -> Result<Post, Refusal> {
        let head = format!("POST /a HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        match parse(head.as_bytes())? {
            (Request::Post(post), ends) => {
                assert_eq!(ends, head.len());
                Ok(post)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Decides RL-52.
    #[test]
    fn requests_are_told_apart() {
        let wanted = |line: &str, fields: &str| {
            parse(format!("{line}\r\nHost: x\r\n{fields}\r\n").as_bytes()).map(|(wanted, _)| wanted)
        };
        let upgrade = "connection: Upgrade\r\nupgrade: h2c, WebSocket\r\n";
        assert_eq!(
            wanted("GET /?_oob=abc HTTP/1.1", upgrade),
            Ok(Request::WebSocket { forwarded_for: None })
        );
        let behind = format!("{upgrade}X-Forwarded-For: 9.9.9.9, 2001:db8::1\r\n");
        let forwarded_for = "2001:db8::1".parse().ok();
        assert_eq!(wanted("GET / HTTP/1.1", &behind), Ok(Request::WebSocket { forwarded_for }));
        assert_eq!(wanted("GET /?_oob=abc HTTP/1.1", ""), Ok(Request::Page { content: true }));
        assert_eq!(wanted("HEAD /healthy HTTP/1.0", ""), Ok(Request::Page { content: false }));
        assert_eq!(wanted("GET /health?x HTTP/1.1", ""), Ok(Request::Health { content: true }));
        for method in ["PUT", "OPTIONS", "CONNECT", "DELETE", "TRACE"] {
            assert_eq!(wanted(&format!("{method} / HTTP/1.1"), ""), Err(BAD_METHOD));
        }
        assert_eq!(wanted("GET / HTTP/2.0", ""), Err(NOT_HTTP));
        assert_eq!(wanted("GET / HTTP/1.1", &"a: b\r\n".repeat(MAX_HEADERS)), Err(LONG_HEAD));
        assert_eq!(wanted("GET / HTTP/1.1", "no field\r\n"), Err(NOT_HTTP));
    }

    /// Decides RL-50, RL-52.
    #[test]
    fn posts_say_what_they_hold_and_how_long_it_is() {
        const TYPE: &str = "content-type: application/didcomm-encrypted+json\r\n";
        let with = |fields: &str| post_of(&format!("{TYPE}{fields}"));
        assert_eq!(with("content-length: 12\r\n").unwrap().length, Length::Known(12));
        assert_eq!(with("Transfer-Encoding: Chunked\r\n").unwrap().length, Length::Chunked);
        assert!(with("content-length: 1\r\nExpect: 100-continue\r\n").unwrap().waits);
        for bad in [
            "",
            "content-length: \r\n",
            "content-length: -1\r\n",
            "content-length: 1x\r\n",
            "content-length: 1\r\ncontent-length: 1\r\n",
            "content-length: 1\r\ntransfer-encoding: chunked\r\n",
        ] {
            assert_eq!(with(bad), Err(BAD_LENGTH), "{bad}");
        }
        for long in ["1048577", "99999999999999999999999999"] {
            assert_eq!(with(&format!("content-length: {long}\r\n")), Err(TOO_LARGE));
        }
        for coding in ["gzip, chunked", "chunked\r\ntransfer-encoding: chunked", "identity"] {
            assert_eq!(with(&format!("transfer-encoding: {coding}\r\n")), Err(BAD_CODING));
        }
        for good in
            ["application/DIDComm-encrypted+json; charset=utf-8", "application/didcomm-envelope-enc ;x=\"y\""]
        {
            assert!(post_of(&format!("Content-Type: {good}\r\nContent-Length: 1\r\n")).is_ok(), "{good}");
        }
        for bad in ["", "content-type: application/json\r\n", &format!("{TYPE}{TYPE}")] {
            assert_eq!(post_of(&format!("{bad}content-length: 1\r\n")), Err(BAD_TYPE), "{bad}");
        }
    }

    /// Decides RL-53.
    #[test]
    fn the_nearest_proxy_is_believed_and_nobody_before_it() {
        let client = |value: &str| {
            let head = format!(
                "content-type: {}\r\ncontent-length: 1\r\nx-forwarded-for: 9.9.9.9\r\nX-Forwarded-For: {value}\r\n",
                super::super::ENCRYPTED
            );
            post_of(&head).unwrap().forwarded_for.map(|address| address.to_string())
        };
        assert_eq!(client("1.1.1.1, 2.2.2.2").as_deref(), Some("2.2.2.2"));
        assert_eq!(client("2001:db8::1").as_deref(), Some("2001:db8::1"));
        assert_eq!(client("[2001:db8::1]:80").as_deref(), Some("2001:db8::1"));
        assert_eq!(client("unknown"), None);
    }

    #[test]
    fn other_protocols_are_known_by_their_first_bytes() {
        let told = |bytes: &[u8]| is_http(bytes);
        assert_eq!(told(b""), None);
        assert_eq!(told(b"GE"), None);
        assert_eq!(told(b"GET / HTTP/1.1\r\n"), Some(Ok(())));
        assert_eq!(told(b"GET / HTTP/1.1\r\nA: b\r\nC: d\r\n"), Some(Ok(())));
        assert_eq!(told(&[0x16, 3, 1]), Some(Err(NOT_TLS)));
        assert_eq!(told(b"SSH-2.0-OpenSSH_9.9\r\n"), Some(Err(NOT_HTTP)));
        assert_eq!(told(b"PRI * HTTP/2.0\r\n"), Some(Err(NOT_HTTP)));
        assert_eq!(told(&[0]), Some(Err(NOT_HTTP)));
    }
}
