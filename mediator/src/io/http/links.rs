//! Links over HTTP: a page for browsers, the content for whoever has the link (RL-73, RL-74, RL-78).
//!
//! ```text
//! GET  /r/<id>                 the same page for every link that works; changes nothing
//! POST /r/<id>, Authorization  the content
//! GET  /?_oobid=<id>           the invitation, or the way to the long link
//! ```
//!
//! Not its concern: what is kept and for how long (`core::links`).

use std::net::IpAddr;

use didagent_didcomm::protocols::b64url_encode;
use didagent_didcomm::short_link::LinkId;

use super::answer::{Answer, NO_LINK, OLD_LINK, Refusal, TOO_MANY, USED_LINK, WRONG_LINK};
use crate::core::links::{Fetched, LinkName};
use crate::io::engine::Engine;

/// Media type of a plaintext message (DIDComm v2.1, "IANA Media Types").
pub(super) const PLAIN: &str = "application/didcomm-plain+json";

/// What only programs read.
const BYTES: &str = "application/octet-stream";

/// The page behind every link that works. It repeats nothing of the request.
const PAGE: &str = "<!DOCTYPE html>\n\
<html lang=\"en\">\n\
<head>\n\
<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
<meta name=\"robots\" content=\"noindex\">\n\
<title>An invitation to compute together</title>\n\
</head>\n\
<body>\n\
<h1>An invitation to compute together</h1>\n\
<p>Somebody invites you to a computation with didagent: several people compute one result, and nobody sees the input of\n\
another. This link is for that program, not for a browser.</p>\n\
<p>Install it from its source, once:</p>\n\
<pre>cargo install --locked --path agent</pre>\n\
<p>Then join with the whole link as it was sent to you, with the part behind #, in quotes:</p>\n\
<pre>didagent join 'LINK' -- python program.py</pre>\n\
<p>The part of the link behind # was not sent to this server. It is the key to the invitation, which this server keeps\n\
encrypted and cannot read or exchange.</p>\n\
</body>\n\
</html>\n";

/// A request about a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkRequest {
    pub(super) wanted: Wanted,
    /// Whether the answer has content, as HEAD's has not.
    pub(super) content: bool,
    /// For whom the nearest proxy says that it speaks.
    pub(super) forwarded_for: Option<IpAddr>,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The page.
    Page(LinkId),
    /// The content; what was shown for it, as its hash, if it has the right form.
    Content { id: LinkId, take_hash: Option<[u8; 32]> },
    /// The invitation behind an `_oobid`, if that has the right form; as JSON, or by the long link.
    Readable { id: Option<[u8; 16]>, json: bool },
}

/// Answers a request of `client`.
pub(super) fn answer(engine: &Engine, request: &LinkRequest, client: IpAddr) -> Result<Answer, Refusal> {
    if !engine.may_post(client) {
        return Err(TOO_MANY);
    }
    match request.wanted {
        Wanted::Page(id) => here(engine.link_state(LinkName::Short(id))).map(|()| Answer::page(PAGE)),
        Wanted::Content { take_hash: None, .. } => Err(WRONG_LINK),
        Wanted::Content { id, take_hash: Some(take_hash) } => {
            here(engine.take_link(id, &take_hash)).map(|content| Answer::ok(BYTES, content))
        }
        Wanted::Readable { id: None, .. } => Err(NO_LINK),
        Wanted::Readable { id: Some(id), json } => {
            let message = here(engine.readable_link(id))?;
            // Base64url needs no escapes, and the reference leads to this host whatever the message says.
            let long = || format!("?_oob={}", b64url_encode(&message));
            Ok(if json { Answer::ok(PLAIN, message) } else { Answer::found(&long()) })
        }
    }
}

fn here<T>(fetched: Fetched<T>) -> Result<T, Refusal> {
    match fetched {
        Fetched::Here(content) => Ok(content),
        Fetched::Wrong => Err(WRONG_LINK),
        Fetched::Gone => Err(OLD_LINK),
        Fetched::Used => Err(USED_LINK),
        Fetched::Unknown => Err(NO_LINK),
    }
}
