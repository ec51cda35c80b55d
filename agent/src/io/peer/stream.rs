//! One stream of a session as a byte stream.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use didagent_session::{StreamError, StreamId};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ends::StreamEnd;
use super::{Shared, State};

/// One stream to a peer. Shutting it down sends FIN; dropping it before that resets it.
#[derive(Debug)]
pub(crate) struct SessionStream {
    shared: Arc<Shared>,
    id: StreamId,
    opener: Opener,
}

/// Who opened a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opener {
    Us,
    Peer,
}

impl SessionStream {
    pub(super) fn new(shared: Arc<Shared>, id: StreamId, opener: Opener) -> Self {
        Self { shared, id, opener }
    }
}

impl AsyncRead for SessionStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        let State { session, streams, aborted, .. } = &mut *state;
        let Some(open) = streams.get_mut(&self.id) else { return Poll::Ready(Err(reset())) };
        let mut read = 0;
        while let Some(chunk) = open.received.front()
            && buffer.remaining() > 0
        {
            let rest = &chunk[open.offset..];
            let count = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..count]);
            read += count;
            open.offset += count;
            if open.offset == chunk.len() {
                open.received.pop_front();
                open.offset = 0;
            }
        }
        if read > 0 {
            // A stream that ended meanwhile needs no more credit.
            let _ = session.consume(self.id, read);
            drop(state);
            self.shared.wake.notify_one();
            return Poll::Ready(Ok(()));
        }
        if open.finished {
            return Poll::Ready(Ok(()));
        }
        if open.reset || *aborted {
            return Poll::Ready(Err(reset()));
        }
        open.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for SessionStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.shared.lock();
        let State { session, streams, aborted, .. } = &mut *state;
        let Some(open) = streams.get_mut(&self.id) else { return Poll::Ready(Err(reset())) };
        if open.reset || *aborted {
            return Poll::Ready(Err(reset()));
        }
        match session.write(self.id, bytes) {
            Ok(0) if !bytes.is_empty() => {
                open.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            Ok(count) => {
                drop(state);
                self.shared.wake.notify_one();
                Poll::Ready(Ok(count))
            }
            // The peer said CLOSE. `aborted` comes when the reason for that is known.
            Err(StreamError::Closed) => {
                open.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, error))),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        if let Some(open) = state.streams.get_mut(&self.id)
            && !open.closed_here
        {
            open.closed_here = true;
            state.end_stream(self.id, StreamEnd::Finish, Instant::now());
            drop(state);
            self.shared.wake.notify_one();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for SessionStream {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if self.opener == Opener::Peer {
            state.handles = state.handles.saturating_sub(1);
        }
        if let Some(open) = state.streams.remove(&self.id)
            && (!open.closed_here || !open.finished)
            && !open.reset
        {
            state.end_stream(self.id, StreamEnd::Reset, Instant::now());
        }
        drop(state);
        self.shared.wake.notify_one();
    }
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}
