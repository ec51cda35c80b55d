//! Answers to HTTP requests: one for each connection, which ends with it (RL-50 to RL-53).

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// How long a client may take to read its answer, at most a delivery.
const ANSWER: Duration = Duration::from_secs(10);

/// How long what a client still sends is read and dropped after its answer. To close while something comes makes the operating
/// system reset the connection, and the client may then lose the answer that says why.
const LINGER: Duration = Duration::from_secs(1);

/// How much of that is read, in bytes.
const LINGER_BYTES: u64 = 8 << 20;

const TEXT: &str = "text/plain; charset=utf-8";

/// One answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    status: &'static str,
    /// Further headers, each with its line end.
    headers: Cow<'static, str>,
    content_type: &'static str,
    content: Vec<u8>,
}

/// A reason to take nothing, with a sentence for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: &'static str,
    headers: &'static str,
    sentence: &'static str,
}

const fn refusal(status: &'static str, sentence: &'static str) -> Refusal {
    Refusal { status, headers: "", sentence }
}

pub(super) const NOT_HTTP: Refusal = refusal("400 Bad Request", "this is not an HTTP/1.1 request");
pub(super) const NOT_TLS: Refusal =
    refusal("400 Bad Request", "this port speaks plain HTTP; TLS is for a proxy in front of it");
pub(super) const BAD_LENGTH: Refusal =
    refusal("400 Bad Request", "the length of the body is not said, said twice, or malformed");
pub(super) const BAD_BODY: Refusal =
    refusal("400 Bad Request", "the body ends early, or its chunks are malformed");
pub(super) const BAD_ENVELOPE: Refusal =
    refusal("400 Bad Request", "the body is not an envelope that this mediator can open and answer");
pub(super) const BAD_METHOD: Refusal = Refusal {
    headers: "Allow: GET, HEAD, POST\r\n",
    ..refusal("405 Method Not Allowed", "messages come by POST or WebSocket")
};
pub(super) const LATE: Refusal = refusal("408 Request Timeout", "the request took too long to come");
pub(super) const TOO_LARGE: Refusal = refusal("413 Content Too Large", "a message is at most 1 MiB long");
pub(super) const BAD_TYPE: Refusal = Refusal {
    headers: "Accept-Post: application/didcomm-encrypted+json\r\n",
    ..refusal("415 Unsupported Media Type", "a message has the type application/didcomm-encrypted+json")
};
pub(super) const TOO_MANY: Refusal = Refusal {
    headers: "Retry-After: 1\r\n",
    ..refusal("429 Too Many Requests", "too many messages; send them more slowly, or by WebSocket")
};
pub(super) const CROWDED: Refusal = Refusal {
    headers: "Retry-After: 1\r\n",
    ..refusal("429 Too Many Requests", "too many messages at once; send some after others, or by WebSocket")
};
pub(super) const LONG_HEAD: Refusal =
    refusal("431 Request Header Fields Too Large", "the head of the request is too long");
pub(super) const BAD_CODING: Refusal =
    refusal("501 Not Implemented", "the only transfer coding that is understood is chunked");
pub(super) const WRONG_LINK: Refusal =
    refusal("403 Forbidden", "the part of the link behind # is another one");
pub(super) const NO_LINK: Refusal = refusal(
    "404 Not Found",
    "there is no such link here: it is damaged, or its mediator was restarted and whoever made it is away",
);
pub(super) const OLD_LINK: Refusal =
    refusal("410 Gone", "this link does not work any more: its time is over");
pub(super) const USED_LINK: Refusal = Refusal {
    headers: "Link-State: used\r\n",
    ..refusal("410 Gone", "this link does not work any more: it was for one use, and somebody used it")
};
pub(super) const BUSY: Refusal = Refusal {
    headers: "Retry-After: 10\r\n",
    ..refusal("503 Service Unavailable", "the mediator has no room for this message now")
};
pub(super) const STOPPING: Refusal =
    Refusal { headers: "Retry-After: 10\r\n", ..refusal("503 Service Unavailable", "the mediator stops") };

impl Answer {
    /// Something that was asked for.
    pub(super) fn ok(content_type: &'static str, content: impl Into<Vec<u8>>) -> Self {
        Self { status: "200 OK", headers: Cow::Borrowed(""), content_type, content: content.into() }
    }

    /// A page for people, which a browser shows as it is: nothing runs in it, and it stands in no frame.
    pub(super) fn page(html: &str) -> Self {
        let headers = Cow::Borrowed(
            "Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
             X-Frame-Options: DENY\r\n",
        );
        Self { headers, ..Self::ok("text/html; charset=utf-8", html) }
    }

    /// It is at `reference`, which has no character that a header could not have.
    pub(super) fn found(reference: &str) -> Self {
        let headers = Cow::Owned(format!("Location: {reference}\r\n"));
        Self { status: "302 Found", headers, content_type: TEXT, content: Vec::new() }
    }

    /// A text for people.
    pub(super) fn text(text: &str) -> Self {
        Self::ok(TEXT, text)
    }

    /// The message was taken, and nothing comes back.
    pub(super) fn accepted() -> Self {
        Self { status: "202 Accepted", ..Self::ok(TEXT, "") }
    }

    /// The message was taken, and this envelope comes back.
    pub(super) fn envelope(envelope: Vec<u8>) -> Self {
        Self::ok(super::ENCRYPTED, envelope)
    }

    /// Sends the answer and ends our side of the connection; [`linger`] comes next. `content` is false for HEAD, whose answer
    /// is the head of GET's.
    pub(super) async fn send<S>(&self, stream: &mut S, content: bool) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut bytes = format!(
            "HTTP/1.1 {}\r\n{}Content-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
            self.status,
            self.headers,
            self.content_type,
            self.content.len()
        )
        .into_bytes();
        if content {
            bytes.extend_from_slice(&self.content);
        }
        let send = async {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        };
        timeout(ANSWER, send).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

/// Reads and drops what a client sends after its answer. It is apart from the sending so that a client that does not close
/// holds its connection here, and no room of a message.
pub(super) async fn linger<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut rest = stream.take(LINGER_BYTES);
    let mut dropped = tokio::io::sink();
    let _ = timeout(LINGER, tokio::io::copy(&mut rest, &mut dropped)).await;
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, headers, sentence } = refusal;
        Self {
            status,
            headers: headers.into(),
            content_type: TEXT,
            content: format!("{sentence}\n").into_bytes(),
        }
    }
}

impl From<Result<Self, Refusal>> for Answer {
    fn from(result: Result<Self, Refusal>) -> Self {
        result.unwrap_or_else(Self::from)
    }
}
