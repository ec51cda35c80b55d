//! The way in and the way out of a socket that is not waited for.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// What comes from a socket.
#[derive(Debug)]
pub struct Incoming<'a>(ReadHalf<'a>);

impl<'a> Incoming<'a> {
    pub(super) fn new(socket: ReadHalf<'a>) -> Self {
        Self(socket)
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    /// Reads once. Through `poll_read` and not `try_read`: it notes that a read which did not fill the buffer emptied the
    /// socket, and saves the call that would be told so.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        // Whoever waits does so in `readable`.
        match Pin::new(&mut self.0).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer) {
            Poll::Ready(result) => result.map(|()| buffer.filled().len()),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

/// What a socket did not take yet. As long as there is something, whoever fills it reads nothing more.
#[derive(Debug)]
pub struct Outgoing<'a> {
    socket: WriteHalf<'a>,
    pending: Vec<u8>,
    sent: usize,
}

impl<'a> Outgoing<'a> {
    pub(super) fn new(socket: WriteHalf<'a>) -> Self {
        Self { socket, pending: Vec::new(), sent: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    /// Sends `head` and `body` in one call of the system if the socket takes them, and keeps what it does not take.
    pub(super) fn send(&mut self, head: &[u8], body: &[u8]) -> io::Result<()> {
        let taken = match self.is_empty() {
            true => {
                self.none_if_full(self.socket.try_write_vectored(&[IoSlice::new(head), IoSlice::new(body)]))?
            }
            false => 0,
        };
        if taken < head.len() + body.len() {
            self.pending.extend_from_slice(head.get(taken..).unwrap_or_default());
            self.pending.extend_from_slice(&body[taken.saturating_sub(head.len())..]);
        }
        Ok(())
    }

    /// Sends more of what is kept.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.sent += self.none_if_full(self.socket.try_write(&self.pending[self.sent..]))?;
        if self.sent == self.pending.len() {
            self.pending.clear();
            self.sent = 0;
        }
        Ok(())
    }

    fn none_if_full(&self, written: io::Result<usize>) -> io::Result<usize> {
        match written {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            other => other,
        }
    }
}
