//! HTTP: a page for people, whether the mediator works, a message by POST, and the way to the WebSocket.
//!
//! Specification: DIDComm Messaging v2.1, "Transports", HTTPS; its extension "Return-Route"; `spec/relay.md` section 8.
//!
//! ```text
//! connection -> head -+-> GET, Upgrade: websocket -> socket
//!                     +-> GET /health, GET -> a text
//!                     +-> /r/<id>, ?_oobid= -> what is kept behind a link
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
mod links;
mod rewound;
mod room;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::engine::{Engine, Posted};
use super::socket;
use crate::core::limits::{HANDSHAKE, MAX_TEXT};
use answer::{Answer, BAD_BODY, BAD_ENVELOPE, BUSY, CROWDED, LATE, Refusal, STOPPING, TOO_LARGE, TOO_MANY};
use body::{Body, BodyError};
use head::{Post, Request};
use rewound::Rewound;
pub(super) use room::Posts;
use room::{PIECE, Room};

/// Media type of an encrypted message (DIDComm v2.1, "IANA Media Types").
const ENCRYPTED: &str = "application/didcomm-encrypted+json";

/// Media types of messages that are taken: the one above, and its name in DIDComm v1 and in early v2 software.
const MEDIA_TYPES: [&str; 2] = [ENCRYPTED, "application/didcomm-envelope-enc"];

/// How long a body may take to come: 1 MiB at half a megabit per second.
const BODY: Duration = Duration::from_secs(20);

const PAGE: &str = "This is a didagent mediator.\n\n\
    If somebody sent you this link, do not open it in a browser: give it to the program that it was made for, for example\n\n\
    \x20   didagent join 'LINK'\n";

/// What says that the mediator works: nothing that its users would not show.
const HEALTH: &str = concat!("ok didagent-mediator ", env!("CARGO_PKG_VERSION"), "\n");

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
    let sent = match wanted {
        Ok((Request::WebSocket { forwarded_for }, _)) => {
            let client = speaker(forwarded_for, from);
            return upgrade(engine, Rewound::new(head, stream), client).await;
        }
        Ok((Request::Page { content }, _)) => Answer::text(PAGE).send(&mut stream, content).await,
        Ok((Request::Health { content }, _)) => Answer::text(HEALTH).send(&mut stream, content).await,
        Ok((Request::Link(request), _)) => {
            let client = speaker(request.forwarded_for, from);
            Answer::from(links::answer(engine, &request, client)).send(&mut stream, request.content).await
        }
        Ok((Request::Post(post), ends)) => {
            let begun = head.split_off(ends.min(head.len()));
            drop(head);
            take(engine, posts, &mut stream, &post, begun, from).await
        }
        Err(refusal) => Answer::from(refusal).send(&mut stream, true).await,
    };
    if sent.is_ok() {
        answer::linger(&mut stream).await;
    }
}

async fn upgrade<S>(engine: &Engine, stream: Rewound<S>, client: IpAddr)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = tokio_tungstenite::accept_async_with_config(stream, Some(socket::config()));
    if let Ok(Ok(stream)) = timeout(HANDSHAKE, handshake).await {
        socket::serve(engine, stream, client).await;
    }
}

/// Returns for whom a connection from `from` speaks. Only a proxy on the same machine is believed: anybody else could name any
/// address. It is ::ffff:127.0.0.1 when this listens on both kinds of addresses.
fn speaker(forwarded_for: Option<IpAddr>, from: IpAddr) -> IpAddr {
    forwarded_for.filter(|_| from.to_canonical().is_loopback()).unwrap_or(from)
}

/// Takes a message and answers. The room that it needs is kept until the answer was sent, since that takes room too.
async fn take<S>(
    engine: &Engine,
    posts: &Posts,
    stream: &mut S,
    post: &Post,
    begun: Vec<u8>,
    from: IpAddr,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let client = speaker(post.forwarded_for, from);
    let Some(_place) = posts.place(client) else {
        return Answer::from(CROWDED).send(stream, true).await;
    };
    if !engine.may_post(client) {
        return Answer::from(TOO_MANY).send(stream, true).await;
    }
    let come = tokio::select! {
        come = timeout(BODY, receive(posts, stream, post, begun)) => come.unwrap_or(Err(LATE)),
        () = engine.stopping() => Err(STOPPING),
    };
    let (body, _room) = match come {
        Ok(come) => come,
        Err(refusal) => return Answer::from(refusal).send(stream, true).await,
    };
    // Only now: who sends slowly must not keep a slot from those who are ready.
    let slot = posts.slots.try_acquire();
    let answer = if slot.is_ok() { answer_to(engine, body.content(), client) } else { Err(BUSY) };
    Answer::from(answer).send(stream, true).await
}

fn answer_to(engine: &Engine, envelope: &[u8], client: IpAddr) -> Result<Answer, Refusal> {
    match engine.exchange(envelope, client) {
        Posted::Taken => Ok(Answer::accepted()),
        Posted::Answered(envelope) => Ok(Answer::envelope(envelope)),
        Posted::Unreadable => Err(BAD_ENVELOPE),
        Posted::Busy => Err(BUSY),
    }
}

/// Reads a body. Whenever this waits, what it keeps is counted: what came, and a piece for what comes next.
async fn receive<'a, S>(
    posts: &'a Posts,
    stream: &mut S,
    post: &Post,
    begun: Vec<u8>,
) -> Result<(Body, Room<'a>), Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut body = Body::new(post.length, MAX_TEXT);
    let mut room = posts.room();
    let refusal = |error| match error {
        BodyError::Malformed => BAD_BODY,
        BodyError::TooLong => TOO_LARGE,
    };
    // What came with the head is bounded by what a head may take.
    body.push(&begun).map_err(refusal)?;
    drop(begun);
    if !room.hold(body.content().len()) {
        return Err(BUSY);
    }
    if post.waits && !body.is_complete() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| BAD_BODY)?;
    }
    let mut piece = Vec::new();
    while !body.is_complete() {
        if !room.hold(body.content().len() + PIECE) {
            return Err(BUSY);
        }
        piece.resize(PIECE, 0);
        let read = stream.read(&mut piece).await.map_err(|_| BAD_BODY)?;
        if read == 0 {
            return Err(BAD_BODY);
        }
        body.push(&piece[..read]).map_err(refusal)?;
    }
    Ok((body, room))
}

#[cfg(test)]
mod tests;
