//! One stream of another party as one TCP connection to MPyC (`spec/bridge.md`: BR-02 to BR-05, BR-07, BR-11).

use std::io;
use std::net::Ipv4Addr;
use std::process::Output as Finished;
use std::time::Duration;

use didagent_session::{Session, StreamId};
use futures_util::future::select_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::{Problem, Result};

/// Pause between two dials of MPyC, which may not listen yet (BR-11).
const DIAL: Duration = Duration::from_millis(50);

/// Bytes that are read from MPyC at a time.
const PIECE: usize = 16 * 1024;

/// What happened on this machine.
#[derive(Debug)]
pub(crate) enum Notice {
    /// MPyC took so many bytes of this stream of the party with this index.
    Written(usize, StreamId, usize),
    /// The program ended.
    Ended(io::Result<Finished>),
}

/// A stream that is carried to MPyC.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) stream: StreamId,
    /// Bytes for MPyC that came before its dialler's whole pid had come.
    early: Vec<u8>,
    /// The pid that its bytes must begin with; `None` once they did.
    pid: Option<[u8; 2]>,
    /// `None` after the end of what the other party sends.
    to_mpyc: Option<mpsc::UnboundedSender<Vec<u8>>>,
    from_mpyc: mpsc::Receiver<io::Result<Vec<u8>>>,
    /// Bytes of MPyC that the session has not taken.
    waiting: Vec<u8>,
    /// MPyC sends no more.
    local_end: Option<End>,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Come,
    Told,
}

impl Carried {
    /// Carries `stream` of the party with index `peer` to the MPyC that listens, or will, on `port`.
    pub(crate) fn new(
        peer: usize,
        stream: StreamId,
        port: u16,
        notify: mpsc::UnboundedSender<Notice>,
    ) -> Self {
        let (to_mpyc, bytes) = mpsc::unbounded_channel();
        let (sender, from_mpyc) = mpsc::channel(1);
        tokio::spawn(connect(port, bytes, sender, move |count| {
            let _ = notify.send(Notice::Written(peer, stream, count));
        }));
        Self {
            stream,
            early: Vec::new(),
            pid: Some(u16::try_from(peer).unwrap_or(u16::MAX).to_le_bytes()),
            to_mpyc: Some(to_mpyc),
            from_mpyc,
            waiting: Vec::new(),
            local_end: None,
        }
    }

    /// Takes bytes of the other party. Nothing goes to MPyC before they begin with that party's pid.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.early.extend_from_slice(bytes);
        if let Some(pid) = self.pid {
            match self.early.first_chunk() {
                None => return Ok(()),
                Some(first) if *first == pid => self.pid = None,
                Some(_) => return Err(Problem::broken("an MPyC says that it is another party")),
            }
        }
        if let Some(to_mpyc) = &self.to_mpyc {
            let _ = to_mpyc.send(std::mem::take(&mut self.early));
        }
        Ok(())
    }

    /// The other party sends no more.
    pub(crate) fn finished(&mut self) {
        self.to_mpyc = None;
    }

    /// Whether more bytes of MPyC may be taken.
    fn has_room(&self) -> bool {
        self.waiting.is_empty() && self.local_end.is_none()
    }

    /// Takes what [`next`] brought.
    pub(crate) fn take(&mut self, from_mpyc: Option<io::Result<Vec<u8>>>) {
        match from_mpyc {
            Some(Ok(bytes)) => self.waiting = bytes,
            _ => self.local_end = Some(End::Come),
        }
    }

    /// Hands bytes and the end of MPyC to the session.
    pub(crate) fn write(&mut self, session: &mut Session) -> Result<()> {
        let written = session.write(self.stream, &self.waiting).map_err(Problem::broken);
        if !self.waiting.is_empty() {
            self.waiting.drain(..written?);
        }
        if self.waiting.is_empty() && self.local_end == Some(End::Come) {
            session.finish(self.stream).map_err(Problem::broken)?;
            self.local_end = Some(End::Told);
        }
        Ok(())
    }

    /// Whether both directions have ended.
    pub(crate) fn is_over(&self) -> bool {
        self.to_mpyc.is_none() && self.local_end == Some(End::Told)
    }
}

/// Waits for what MPyC sends next on any connection that has room, and says on which.
pub(crate) async fn next<'a>(
    carried: impl Iterator<Item = (usize, &'a mut Carried)>,
) -> (usize, Option<io::Result<Vec<u8>>>) {
    let open = carried.filter(|(_, carried)| carried.has_room());
    let waits = open.map(|(peer, carried)| Box::pin(async move { (peer, carried.from_mpyc.recv().await) }));
    let waits: Vec<_> = waits.collect();
    if waits.is_empty() {
        return std::future::pending().await;
    }
    select_all(waits).await.0
}

/// Dials MPyC once the first bytes are there, and carries both directions.
async fn connect(
    port: u16,
    mut bytes: mpsc::UnboundedReceiver<Vec<u8>>,
    sender: mpsc::Sender<io::Result<Vec<u8>>>,
    written: impl Fn(usize),
) {
    let Some(first) = bytes.recv().await else { return };
    let socket = loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            Ok(socket) => break socket,
            Err(_) => sleep(DIAL).await,
        }
    };
    let _ = socket.set_nodelay(true);
    let (reader, writer) = socket.into_split();
    tokio::join!(read(reader, sender), write(writer, first, bytes, written));
}

async fn read(mut reader: OwnedReadHalf, sender: mpsc::Sender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE];
        let count = match reader.read(&mut piece).await {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) => {
                let _ = sender.send(Err(error)).await;
                return;
            }
        };
        piece.truncate(count);
        if sender.send(Ok(piece)).await.is_err() {
            return;
        }
    }
}

async fn write(
    mut writer: OwnedWriteHalf,
    first: Vec<u8>,
    mut bytes: mpsc::UnboundedReceiver<Vec<u8>>,
    written: impl Fn(usize),
) {
    let mut next = Some(first);
    while let Some(piece) = next {
        if writer.write_all(&piece).await.is_err() {
            return;
        }
        written(piece.len());
        next = bytes.recv().await;
    }
    let _ = writer.shutdown().await;
}
