//! One side of a connection: its bytes counted, its early bytes given back first, its errors attributed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::first_bytes::{PID_LENGTH, Verdict, judge};

/// Bytes held for each direction of a connection, at most. Beyond it TCP or the stream makes the sender wait.
pub(super) const BUFFER: usize = 64 * 1024;

/// Prepares a local TCP socket: no delay, and any close but an orderly one is a reset.
///
/// Nagle's algorithm would double MPyC's wall time. With zero linger a connection that is dropped anywhere, a cancelled
/// task included, resets; [`end_in_order`] takes that back.
pub(super) fn prepare(local: &TcpStream) -> io::Result<()> {
    local.set_nodelay(true)?;
    local.set_zero_linger()
}

/// Makes the coming close of a local socket an orderly one: both FINs have passed, and the last bytes still go out.
#[expect(deprecated, reason = "the blocking close is that of a linger above zero; none is set here")]
pub(super) fn end_in_order(local: &TcpStream) -> io::Result<()> {
    local.set_linger(None)
}

/// One side of a connection.
pub(super) struct Leg<S> {
    inner: S,
    /// Bytes read before the other side was there.
    early: Vec<u8>,
    /// How many of them were given back.
    replayed: usize,
    written: Arc<AtomicU64>,
    failed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Leg<S> {
    /// A leg whose reads begin with `early`; bytes written are added to `written`.
    pub(super) fn new(inner: S, early: Vec<u8>, written: Arc<AtomicU64>) -> Self {
        Self { inner, early, replayed: 0, written, failed: false }
    }

    /// Whether an error came from this side.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    pub(super) fn inner(&self) -> &S {
        &self.inner
    }

    /// Reads until the pid is there and judges it. The bytes stay early bytes. `Incomplete` is the end of the stream.
    ///
    /// Safe to cancel: what was read is kept.
    pub(super) async fn pid(&mut self, expected: usize) -> io::Result<Verdict> {
        loop {
            let verdict = judge(&self.early, expected);
            if verdict != Verdict::Incomplete || self.read_early(PID_LENGTH).await? == 0 {
                return Ok(verdict);
            }
        }
    }

    /// Takes early bytes until the side ends or fails; waits for ever once [`BUFFER`] bytes are held.
    ///
    /// Safe to cancel: what was read is kept.
    pub(super) async fn until_hung_up(&mut self) {
        loop {
            if self.early.len() >= BUFFER {
                std::future::pending::<()>().await;
            }
            if !matches!(self.read_early(BUFFER).await, Ok(1..)) {
                return;
            }
        }
    }

    /// Reads once, until `limit` early bytes are held at most.
    async fn read_early(&mut self, limit: usize) -> io::Result<usize> {
        let room = u64::try_from(limit.saturating_sub(self.early.len())).unwrap_or(0);
        (&mut self.inner).take(room).read_buf(&mut self.early).await
    }

    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.failed |= result.is_err();
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Leg<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let leg = &mut *self;
        if let Some(left @ [_, ..]) = leg.early.get(leg.replayed..) {
            let count = left.len().min(buffer.remaining());
            let (now, later) = left.split_at(count);
            buffer.put_slice(now);
            leg.replayed += count;
            if later.is_empty() {
                // They hold keys in clear and up to 64 KiB: not kept for the length of a run.
                leg.early.fill(0);
                leg.early = Vec::new();
                leg.replayed = 0;
            }
            return Poll::Ready(Ok(()));
        }
        let result = ready!(Pin::new(&mut leg.inner).poll_read(context, buffer));
        Poll::Ready(leg.note(result))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Leg<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let leg = &mut *self;
        let result = ready!(Pin::new(&mut leg.inner).poll_write(context, bytes));
        if let Ok(count) = result {
            leg.written.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        Poll::Ready(leg.note(result))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.inner).poll_flush(context));
        Poll::Ready(self.note(result))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = match ready!(Pin::new(&mut self.inner).poll_shutdown(context)) {
            // The other end closed both ways already, so there is nobody left to tell. Some systems call it an error.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            other => other,
        };
        Poll::Ready(self.note(result))
    }
}

#[cfg(test)]
#[path = "leg_tests.rs"]
mod tests;
