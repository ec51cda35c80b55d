//! The way out through a socket that may be full.

use std::io::{self, ErrorKind, IoSlice};

use tokio::net::TcpStream;

/// What a socket did not take yet. As long as there is something, whoever fills it reads nothing more.
#[derive(Debug)]
pub struct Outgoing<'a> {
    socket: &'a TcpStream,
    pending: Vec<u8>,
    sent: usize,
}

impl<'a> Outgoing<'a> {
    pub(super) fn new(socket: &'a TcpStream) -> Self {
        Self { socket, pending: Vec::new(), sent: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
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
