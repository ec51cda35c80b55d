//! One WebSocket: reads messages and frames into the core, writes what the core has.
//!
//! The writer asks the core for the next thing only after the previous one was taken by the socket, which is what makes credit
//! mean something.

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::engine::{Closing, Engine, Line};
use crate::core::limits::{
    GOODBYE, MAX_TEXT, MESSAGE_BURST, MESSAGES_PER_SECOND, PING, SILENCE, WRITE_STALL,
};
use crate::core::{CloseReason, Input, Outgoing, SocketId};

/// How much tungstenite gathers before it writes, in bytes. What is in this buffer counts as written, so it is small
/// beside a window.
const WRITE_BUFFER: usize = 16 * 1024;

/// How much is read at once, in bytes; allocated for each socket.
const READ_BUFFER: usize = 16 * 1024;

/// Why a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client closed it, or the connection broke.
    Gone,
    /// Nothing came for [`SILENCE`], not even an answer to a ping.
    Silent,
    /// The client took nothing for [`WRITE_STALL`].
    Stalled,
    /// It was closed from here.
    Closed(Closing),
}

pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(WRITE_BUFFER + 4 * MAX_TEXT)
        .max_message_size(Some(MAX_TEXT))
        .max_frame_size(Some(MAX_TEXT))
}

/// Serves the WebSocket of a client at this address until it ends.
pub(super) async fn serve<S>(engine: &Engine, stream: WebSocketStream<S>, from: IpAddr)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, mut source) = stream.split();
    let (socket, line) = engine.connect(from);
    tracing::debug!(socket = socket.0, "websocket stands");
    let end = {
        let mut reading = pin!(read(engine, socket, &mut source));
        tokio::select! {
            end = &mut reading => end,
            end = write(engine, socket, &line, &mut sink) => {
                if end == End::Gone {
                    // A client that has gone resets what we write; what it sent before is still to be read.
                    let _ = timeout(GOODBYE, reading).await;
                }
                end
            }
        }
    };
    tracing::debug!(socket = socket.0, ?end, "socket ended");
    engine.disconnect(socket);
    let frame = match end {
        End::Gone => None,
        End::Silent => Some(close_frame(CloseCode::Away, "no answer to pings")),
        End::Stalled => None,
        End::Closed(closing) => Some(close_frame_of(closing)),
    };
    let goodbye = async {
        sink.send(Message::Close(frame)).await?;
        // The client's own close frame ends the stream.
        while let Some(message) = source.next().await {
            message?;
        }
        Ok::<(), Error>(())
    };
    if !matches!(end, End::Stalled) {
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

async fn read(
    engine: &Engine,
    socket: SocketId,
    source: &mut (impl Stream<Item = Result<Message, Error>> + Unpin),
) -> End {
    let mut allowance = Allowance::new();
    loop {
        let message = match timeout(SILENCE, source.next()).await {
            Err(_) => return End::Silent,
            Ok(None) => return End::Gone,
            Ok(Some(Err(error))) => {
                tracing::debug!(socket = socket.0, %error, "read");
                return End::Gone;
            }
            Ok(Some(Ok(message))) => message,
        };
        // Thousands of small frames can come in one read: other sockets have their turn between them.
        consume_budget().await;
        match message {
            Message::Text(text) => {
                tracing::trace!(socket = socket.0, bytes = text.len(), "message received");
                engine.receive_text(socket, text.as_bytes());
                allowance.spend().await;
            }
            // Some clients send JSON as binary; no frame type is "{".
            Message::Binary(bytes) if bytes.first() == Some(&b'{') => {
                engine.receive_text(socket, &bytes);
                allowance.spend().await;
            }
            Message::Binary(bytes) => engine.handle(Input::Frame { socket, bytes: &bytes }),
            Message::Close(_) => return End::Gone,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

async fn write(
    engine: &Engine,
    socket: SocketId,
    line: &Line,
    sink: &mut (impl Sink<Message, Error = Error> + Unpin),
) -> End {
    let mut pings = interval_at(Instant::now() + PING, PING);
    loop {
        while let Some(outgoing) = engine.next_for(socket) {
            if let Some(Closing::Core(reason)) = line.closing() {
                return End::Closed(Closing::Core(reason));
            }
            consume_budget().await;
            let Some(message) = seal(engine, socket, outgoing) else { continue };
            if let Some(end) = within_stall(sink.feed(message)).await {
                return end;
            }
        }
        if let Some(end) = within_stall(sink.flush()).await {
            return end;
        }
        if let Some(closing) = line.closing() {
            return End::Closed(closing);
        }
        tokio::select! {
            () = line.wake.notified() => {}
            _ = pings.tick() => {
                if let Some(end) = within_stall(sink.send(Message::Ping("".into()))).await {
                    return end;
                }
            }
        }
    }
}

fn seal(engine: &Engine, socket: SocketId, outgoing: Outgoing) -> Option<Message> {
    match outgoing {
        Outgoing::Frame(frame) => Some(Message::binary(frame)),
        Outgoing::Message { to, message } => match engine.identity().seal(&to, &message) {
            Ok(text) => String::from_utf8(text).ok().map(Message::text),
            Err(error) => {
                // At debug, since the error names the client's key.
                tracing::debug!(socket = socket.0, %error, "a reply cannot be encrypted");
                None
            }
        },
    }
}

async fn within_stall(write: impl Future<Output = Result<(), Error>>) -> Option<End> {
    match timeout(WRITE_STALL, write).await {
        Ok(Ok(())) => None,
        Ok(Err(_)) => Some(End::Gone),
        Err(_) => Some(End::Stalled),
    }
}

fn close_frame_of(closing: Closing) -> CloseFrame {
    match closing {
        Closing::GoingAway => close_frame(CloseCode::Away, "going-away"),
        Closing::Core(CloseReason::MalformedFrame) => close_frame(CloseCode::Unsupported, "malformed-frame"),
        Closing::Core(CloseReason::Unreadable) => close_frame(CloseCode::Policy, "unreadable-messages"),
        Closing::Core(CloseReason::Overload) => close_frame(CloseCode::Policy, "answers-not-read"),
    }
}

fn close_frame(code: CloseCode, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: reason.into() }
}

/// Token bucket for DIDComm messages: reading waits when it is empty, and the client's TCP connection with it.
struct Allowance {
    tokens: u32,
    filled: Instant,
}

impl Allowance {
    fn new() -> Self {
        Self { tokens: MESSAGE_BURST, filled: Instant::now() }
    }

    async fn spend(&mut self) {
        let each = Duration::from_secs(1) / MESSAGES_PER_SECOND;
        let earned = self.filled.elapsed().as_micros() / each.as_micros();
        if let Ok(earned) = u32::try_from(earned)
            && earned > 0
        {
            self.tokens = self.tokens.saturating_add(earned).min(MESSAGE_BURST);
            self.filled += each * earned;
        }
        if self.tokens == 0 {
            // What is earned while it waits is spent by this message.
            self.filled += each;
            sleep_until(self.filled).await;
        } else {
            self.tokens -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
