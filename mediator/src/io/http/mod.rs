//! HTTP: a page for people, whether the mediator works, a message by POST, and the way to the WebSocket.
//!
//! Specification: DIDComm Messaging v2.1, "Transports", HTTPS; its extension "Return-Route"; `spec/relay.md` section 8.
//!
//! ```text
//! connection -> head -+-> GET, Upgrade: websocket -> socket
//!                     +-> GET /health, GET -> a text
//!                     \-> POST -> body -> open envelope -> core -> 202, or 200 with the answer (return_route)
//! ```
//!
//! One request for each connection, which is then closed: messages are rare beside circuits, and who sends many uses the
//! WebSocket. What a request may take is bounded in bytes and in time at each step, for one and for all together.
//!
//! Not its concern: TLS and HTTP/2 (the proxy in front speaks them to clients), and what messages mean (core).

mod answer;
pub(crate) mod body;
pub(crate) mod head;
mod rewound;

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::engine::{Engine, Posted};
use super::socket;
use crate::core::limits::{HANDSHAKE, MAX_POSTS, MAX_TEXT, POST_BYTES};
use answer::{Answer, BAD_BODY, BAD_ENVELOPE, BUSY, LATE, Refusal, STOPPING, TOO_LARGE, TOO_MANY};
use body::{Body, BodyError};
use head::{Post, Request};
use rewound::Rewound;

/// Media type of an encrypted message (DIDComm v2.1, "IANA Media Types").
const ENCRYPTED: &str = "application/didcomm-encrypted+json";

/// Media types of messages that are taken: the one above, and its name in DIDComm v1 and in early v2 software.
const MEDIA_TYPES: [&str; 2] = [ENCRYPTED, "application/didcomm-envelope-enc"];

/// How long a body may take to come: 1 MiB at half a megabit per second.
const BODY: Duration = Duration::from_secs(20);

/// How much of a body is read at once, and counted against [`POST_BYTES`], in bytes.
const PIECE: usize = 16 * 1024;

const PAGE: &str = "This is a didagent mediator.\n\n\
    If somebody sent you this link, do not open it in a browser: give it to the program that it was made for, for example\n\n\
    \x20   didagent join 'LINK'\n";

/// What says that the mediator works: nothing that its users would not show.
const HEALTH: &str = concat!("ok didagent-mediator ", env!("CARGO_PKG_VERSION"), "\n");

/// The room for messages that are being posted, all together.
#[derive(Debug)]
pub(super) struct Posts {
    slots: Semaphore,
    /// Pieces of [`PIECE`] bytes that bodies may take. They are counted as they come: to announce a long body costs nothing.
    pieces: Semaphore,
}

impl Default for Posts {
    fn default() -> Self {
        Self { slots: Semaphore::new(MAX_POSTS), pieces: Semaphore::new(POST_BYTES / PIECE) }
    }
}

/// Serves a connection to its end.
pub(super) async fn serve<S>(engine: &Engine, posts: &Posts, mut stream: S, from: IpAddr)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Vec::with_capacity(1024);
    let come = tokio::select! {
        come = timeout(HANDSHAKE, head::read(&mut stream, &mut head)) => come,
        () = engine.stopping() => Ok(Ok(Err(STOPPING))),
    };
    let wanted = match come {
        Ok(Ok(Ok(()))) => head::parse(&head),
        Ok(Ok(Err(refusal))) => Err(refusal),
        Err(_) => Err(LATE),
        Ok(Err(_)) => return,
    };
    if head.is_empty() {
        // Nobody asked anything: browsers open connections that they might need.
        return;
    }
    let (answer, content) = match wanted {
        Ok((Request::WebSocket, _)) => return upgrade(engine, Rewound::new(head, stream)).await,
        Ok((Request::Page { content }, _)) => (Answer::text(PAGE), content),
        Ok((Request::Health { content }, _)) => (Answer::text(HEALTH), content),
        Ok((Request::Post(post), ends)) => {
            let begun = head.split_off(ends.min(head.len()));
            return take(engine, posts, &mut stream, &post, begun, from).await;
        }
        Err(refusal) => (refusal.into(), true),
    };
    let _ = answer.send(&mut stream, content).await;
}

async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(engine: &Engine, stream: Rewound<S>) {
    let handshake = tokio_tungstenite::accept_async_with_config(stream, Some(socket::config()));
    if let Ok(Ok(stream)) = timeout(HANDSHAKE, handshake).await {
        socket::serve(engine, stream).await;
    }
}

/// Takes a message. The room that it needs is kept until its answer was sent, since that takes room too.
async fn take<S>(engine: &Engine, posts: &Posts, stream: &mut S, post: &Post, begun: Vec<u8>, from: IpAddr)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let slot = posts.slots.try_acquire();
    // Only a proxy on the same machine is believed: anybody else could name any address.
    let client = post.forwarded_for.filter(|_| from.is_loopback()).unwrap_or(from);
    let come = if slot.is_err() {
        Err(BUSY)
    } else if !engine.may_post(client) {
        Err(TOO_MANY)
    } else {
        tokio::select! {
            come = timeout(BODY, receive(posts, stream, post, &begun)) => come.unwrap_or(Err(LATE)),
            () = engine.stopping() => Err(STOPPING),
        }
    };
    let (answer, _room) = match come {
        Ok((body, room)) => (answer_to(engine, body.content()).into(), Some(room)),
        Err(refusal) => (refusal.into(), None),
    };
    let answer: Answer = answer;
    let _ = answer.send(stream, true).await;
}

fn answer_to(engine: &Engine, envelope: &[u8]) -> Result<Answer, Refusal> {
    match engine.exchange(envelope) {
        Posted::Taken => Ok(Answer::accepted()),
        Posted::Answered(envelope) => Ok(Answer::envelope(envelope)),
        Posted::Unreadable => Err(BAD_ENVELOPE),
        Posted::Busy => Err(BUSY),
    }
}

async fn receive<'a, S>(
    posts: &'a Posts,
    stream: &mut S,
    post: &Post,
    begun: &[u8],
) -> Result<(Body, Option<SemaphorePermit<'a>>), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut body = Body::new(post.length, MAX_TEXT);
    let mut room: Option<SemaphorePermit<'a>> = None;
    let refusal = |error| match error {
        BodyError::Malformed => BAD_BODY,
        BodyError::TooLong => TOO_LARGE,
    };
    // What came with the head is bounded by what a head may take.
    body.push(begun).map_err(refusal)?;
    if post.waits && !body.is_complete() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| BAD_BODY)?;
    }
    let mut piece = vec![0; PIECE];
    while !body.is_complete() {
        let read = stream.read(&mut piece).await.map_err(|_| BAD_BODY)?;
        if read == 0 {
            return Err(BAD_BODY);
        }
        body.push(&piece[..read]).map_err(refusal)?;
        let held = room.as_ref().map_or(0, SemaphorePermit::num_permits);
        let wanted = (body.content().len() / PIECE).saturating_sub(held);
        let wanted = u32::try_from(wanted).map_err(|_| BUSY)?;
        let more = posts.pieces.try_acquire_many(wanted).map_err(|_| BUSY)?;
        match &mut room {
            Some(room) => room.merge(more),
            None => room = Some(more),
        }
    }
    Ok((body, room))
}

#[cfg(test)]
mod tests;
