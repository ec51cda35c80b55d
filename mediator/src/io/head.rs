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
    let mut searched = 0;
    while !is_complete(&head, &mut searched) {
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

/// Tells whether the empty line that ends a head has come. `searched` is how far the caller has looked already: a client that
/// sends single bytes must not make us read everything again for each.
fn is_complete(head: &[u8], searched: &mut usize) -> bool {
    const END: &[u8] = b"\r\n\r\n";
    // The end may have begun in what was searched.
    let from = searched.saturating_sub(END.len() - 1);
    *searched = head.len();
    head.get(from..).is_some_and(|fresh| fresh.windows(END.len()).any(|window| window == END))
}

pub(crate) fn wants_websocket(head: &[u8]) -> bool {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    lines.filter_map(|line| std::str::from_utf8(line).ok()?.split_once(':')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("upgrade") && value.trim().eq_ignore_ascii_case("websocket")
    })
}

/// Tells after how many bytes the head is complete when it comes in pieces of `piece` bytes; for the fuzz target.
pub(crate) fn head_ends(head: &[u8], piece: usize) -> Option<usize> {
    let mut searched = 0;
    let mut ends = (0..=head.len()).step_by(piece.max(1)).chain([head.len()]);
    ends.find(|end| head.get(..*end).is_some_and(|come| is_complete(come, &mut searched)))
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

    #[tokio::test]
    async fn a_head_that_comes_byte_by_byte_is_answered_and_an_endless_one_refused() {
        for (filler, expected) in [(100, "HTTP/1.1 200 OK"), (MAX_HEAD, "HTTP/1.1 431 ")] {
            let (client, server) = tokio::io::duplex(1);
            let (mut answer, mut request) = tokio::io::split(client);
            let text = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(filler));
            let send = async {
                // It is not read to its end when it is refused.
                let _ = request.write_all(text.as_bytes()).await;
            };
            let read = async {
                let mut text = String::new();
                answer.read_to_string(&mut text).await.unwrap();
                text
            };
            let (accepted, (), text) = tokio::join!(accept(server), send, read);
            assert!(accepted.unwrap().is_none());
            assert!(text.starts_with(expected), "{text}");
        }
    }
}
