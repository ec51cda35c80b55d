//! Streams and meshes in memory, with the conventions of `Mesh::Stream`: shutdown is FIN, dropping earlier is RESET.
#![allow(dead_code)]

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use didagent_bridge::io::Mesh;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::{mpsc, oneshot};

/// Bytes that a stream of these tests holds in each direction before its writer waits.
pub(crate) const CAPACITY: usize = 64 * 1024;

pub(crate) struct TestStream {
    inner: DuplexStream,
    sent_fin: bool,
    saw_fin: bool,
    reset: Arc<AtomicBool>,
}

pub(crate) fn stream_pair() -> (TestStream, TestStream) {
    let (a, b) = tokio::io::duplex(CAPACITY);
    let reset = Arc::new(AtomicBool::new(false));
    let side = |inner| TestStream { inner, sent_fin: false, saw_fin: false, reset: Arc::clone(&reset) };
    (side(a), side(b))
}

impl Drop for TestStream {
    fn drop(&mut self) {
        if !(self.sent_fin && self.saw_fin) {
            self.reset.store(true, Ordering::SeqCst);
        }
    }
}

impl AsyncRead for TestStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        if buffer.filled().len() == before && buffer.remaining() > 0 {
            if self.reset.load(Ordering::SeqCst) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            self.saw_fin = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TestStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sent_fin = true;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// A request of the bridge for a stream, which the test answers, or not.
pub(crate) struct OpenRequest {
    pub(crate) peer: usize,
    pub(crate) answer: oneshot::Sender<io::Result<TestStream>>,
}

impl OpenRequest {
    /// Accepts, and returns the far end.
    pub(crate) fn accept(self) -> TestStream {
        let (near, far) = stream_pair();
        self.answer.send(Ok(near)).ok().expect("the bridge no longer wants the stream");
        far
    }
}

/// A mesh whose streams the test opens by hand.
pub(crate) struct ManualMesh(mpsc::UnboundedSender<OpenRequest>);

impl ManualMesh {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<OpenRequest>) {
        let (sender, requests) = mpsc::unbounded_channel();
        (Self(sender), requests)
    }
}

impl Mesh for ManualMesh {
    type Stream = TestStream;

    async fn open(&self, peer: usize) -> io::Result<TestStream> {
        let (answer, answered) = oneshot::channel();
        self.0.send(OpenRequest { peer, answer }).map_err(|_| io::ErrorKind::NotConnected)?;
        answered.await.map_err(|_| io::ErrorKind::ConnectionAborted)?
    }
}
