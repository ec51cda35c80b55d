//! The head of an HTTP request: read once, so that a browser gets a page and a client its WebSocket.
//!
//! The DIDComm specification wants the URL of an invitation to show instructions when a person opens it. Not its concern:
//! HTTP beyond that; there is one page, and no message is taken by POST.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// Longest head that is read, in bytes: an invitation link of the longest kind and a browser's headers.
const MAX_HEAD: usize = 32 * 1024;

const PAGE: &str = "This is a didagent mediator.\n\n\
    If somebody sent you this link, do not open it in a browser: give it to the program that it was made for, for example\n\n\
    \x20   didagent join 'LINK'\n";

/// A stream whose first bytes were read already.
#[derive(Debug)]
pub(super) struct Rewound<S> {
    head: Vec<u8>,
    read: usize,
    stream: S,
}

/// Reads the head of a request; `None` when it asks for no WebSocket and was answered with the page.
pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
) -> io::Result<Option<Rewound<S>>> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if head.len() >= MAX_HEAD {
            respond(&mut stream, "431 Request Header Fields Too Large", "").await?;
            return Ok(None);
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    if wants_websocket(&head) {
        return Ok(Some(Rewound { head, read: 0, stream }));
    }
    match head.split(|byte| *byte == b' ').next() {
        Some(b"GET") => respond(&mut stream, "200 OK", PAGE).await?,
        Some(b"HEAD") => respond(&mut stream, "200 OK", "").await?,
        _ => respond(&mut stream, "405 Method Not Allowed", "messages come by WebSocket\n").await?,
    }
    Ok(None)
}

fn wants_websocket(head: &[u8]) -> bool {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    lines.filter_map(|line| std::str::from_utf8(line).ok()?.split_once(':')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("upgrade") && value.trim().eq_ignore_ascii_case("websocket")
    })
}

async fn respond<S: AsyncWrite + Unpin>(stream: &mut S, status: &str, body: &str) -> io::Result<()> {
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let left = this.head.get(this.read..).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        let length = left.len().min(buf.remaining());
        buf.put_slice(&left[..length]);
        this.read += length;
        if this.read == this.head.len() {
            this.head = Vec::new();
            this.read = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
