//! The websocket to a mediator: DIDComm messages as text, relay frames as binary.
//!
//! Specification: `spec/relay.md`. One reader and one writer task for each socket. Text goes to the engine in the order of
//! arrival; frames go straight to the circuit that they belong to, so that no record waits for the engine.
//!
//! Not its concern: what messages mean (`core`), credit (`peer`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use didagent_didcomm::protocols::relay::{CircuitId, CloseCode, Frame};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tracing::Instrument as _;

use crate::core::connect::showable;
use crate::core::post::websocket_address;
use crate::core::status::host_of;
use crate::failure::{Failure, Kind};
use crate::io::alarm::Alarm;
use crate::io::dial::{Socket, dial};
use crate::io::metered::Meter;

/// A mediator pings every 20 s, so a socket on which nothing arrives for three times as long is half-open.
const SILENCE: Duration = Duration::from_secs(60);

/// The same during a run, in which others wait: we ping ourselves then, so a mediator that works is heard every [`PING_IDLE`].
const SILENCE_IN_RUN: Duration = Duration::from_secs(7);

/// How long a socket may be idle before we ping during a run.
const PING_IDLE: Duration = Duration::from_secs(2);

/// Pause between two looks at a socket's silence.
const LOOK: Duration = Duration::from_secs(1);

/// A look that comes so much too late means that we ourselves stood still, so the mediator had no chance to be heard.
const STOOD_STILL: Duration = Duration::from_secs(1);

/// How long one write may take: a mediator that does not read for so long is as good as gone.
const WRITE: Duration = Duration::from_secs(60);

/// How long a mediator may take to read our last messages and close its side.
const CLOSE: Duration = Duration::from_secs(5);

/// Largest websocket message in bytes: a mediator's largest delivery is 512 KiB of mail as base64 in an envelope.
const MAX_MESSAGE: usize = 2 * 1024 * 1024;

/// Messages that wait for the writer. Records are up to 16 KiB, so at most about 1 MB waits for a socket.
const WRITE_QUEUE: usize = 64;

/// Frames that wait for one circuit; its task never blocks on anything but the writer.
const CIRCUIT_QUEUE: usize = 256;

/// Circuits that frames may name before the engine has read the answer that announces them.
const MAX_CIRCUITS: usize = 256;

/// Bytes of records of one socket that wait for their circuits. With the largest window a mediator that keeps to credit has 256 KiB
/// on its way in each of 15 circuits; one that does not is read no faster than its records are taken.
const UNREAD: usize = 8 * 1024 * 1024;

/// What the engine hears from a socket.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A DIDComm message.
    Text(String),
    /// The mediator could not be connected to.
    Unreachable(Failure),
    /// The socket is gone, and why.
    Lost(String),
}

/// A socket's event.
#[derive(Debug)]
pub(crate) struct FromMediator {
    /// The DID of the mediator at its other end.
    pub(crate) mediator: String,
    /// Which socket to that mediator: an earlier one may be heard after a new one was made.
    pub(crate) socket: SocketId,
    pub(crate) heard: Heard,
}

/// One socket of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SocketId(u64);

impl SocketId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A connected mediator.
#[derive(Debug)]
pub(crate) struct MediatorLink {
    id: SocketId,
    out: mpsc::Sender<Message>,
    in_run: Arc<AtomicBool>,
    circuits: Arc<Mutex<Circuits>>,
    carrier: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Circuits {
    to_circuit: HashMap<u32, mpsc::Sender<FromCircuit>>,
    unclaimed: HashMap<u32, mpsc::Receiver<FromCircuit>>,
}

/// What a circuit hears.
#[derive(Debug)]
pub(crate) enum FromCircuit {
    /// One session record.
    Record(Held),
    /// So many more bytes may be sent.
    Credit(u32),
    /// The circuit is over.
    Closed(CloseCode),
}

/// A record that counts against [`UNREAD`] until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    record: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl std::ops::Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.record
    }
}

/// A session opens its records where they lie.
impl std::ops::DerefMut for Held {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.record
    }
}

/// Our end of a circuit.
#[derive(Debug)]
pub(crate) struct Circuit {
    id: CircuitId,
    /// Frames that arrive; `None` when the socket is gone.
    pub(crate) incoming: mpsc::Receiver<FromCircuit>,
    out: mpsc::Sender<Message>,
}

/// Connects to the mediator with this DID; what it says, and that it cannot be reached, goes to `heard`. Returns at once:
/// what is sent meanwhile waits in the queue. When it is a stranger's mediator, `ours` is the DID of our own.
///
/// # Errors
/// [`Kind::LinkDamaged`] when the DID has no websocket address.
pub(crate) fn connect(
    mediator: &str,
    ours: Option<&str>,
    heard: mpsc::Sender<FromMediator>,
) -> Result<MediatorLink, Failure> {
    let address_of = |did: &str| {
        websocket_address(did).map_err(|error| {
            Failure::new(Kind::LinkDamaged, format!("the mediator's DID is not usable: {error}"))
        })
    };
    let address = address_of(mediator)?;
    let ours = ours.map(address_of).transpose()?;
    let (out, queue) = mpsc::channel(WRITE_QUEUE);
    let circuits = Arc::new(Mutex::new(Circuits::default()));
    let span = tracing::info_span!("mediator", host = host_of(mediator));
    let (id, in_run) = (SocketId::next(), Arc::new(AtomicBool::new(false)));
    let reader = Reader {
        mediator: mediator.to_owned(),
        id,
        heard,
        circuits: Arc::clone(&circuits),
        in_run: Arc::clone(&in_run),
        pings: out.downgrade(),
        meter: Meter::new(),
    };
    let carrier = tokio::spawn(carry(reader, address, ours, queue).instrument(span));
    Ok(MediatorLink { id, out, in_run, circuits, carrier })
}

async fn carry(reader: Reader, address: String, ours: Option<String>, queue: mpsc::Receiver<Message>) {
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    match dial(&address, ours.as_deref(), config, &reader.meter).await {
        Ok(socket) => {
            tracing::info!("connected");
            let (sink, stream) = socket.split();
            let writer = tokio::spawn(write(sink, queue).in_current_span());
            reader.run(stream).await;
            // It may wait for a socket that is as good as gone.
            writer.abort();
        }
        Err(failure) => {
            tracing::info!(why = failure.message, "not connected");
            reader.tell(Heard::Unreachable(failure)).await;
        }
    }
}

impl MediatorLink {
    /// Returns which socket this is.
    pub(crate) fn id(&self) -> SocketId {
        self.id
    }

    /// From now on a program waits for what comes on this socket, so its silence is noticed soon.
    pub(crate) fn watch_closely(&self) {
        self.in_run.store(true, Ordering::Relaxed);
    }

    /// Sends a DIDComm message; a lost socket is reported by its reader, not here.
    pub(crate) async fn send(&self, text: String) {
        let _ = self.out.send(Message::text(text)).await;
    }

    /// Sends a DIDComm message unless the queue is full, and says whether it was queued.
    pub(crate) fn send_if_room(&self, text: String) -> bool {
        self.out.try_send(Message::text(text)).is_ok()
    }

    /// Takes our end of the circuit that the mediator announced.
    pub(crate) fn circuit(&self, id: CircuitId) -> Option<Circuit> {
        let mut circuits = self.circuits.lock().unwrap_or_else(PoisonError::into_inner);
        let incoming = circuits.claim(id.0)?;
        Some(Circuit { id, incoming, out: self.out.clone() })
    }

    /// Closes the socket in order: everything queued is written, then we read until the mediator has closed its side. Whoever
    /// closes a TCP connection with bytes unread resets it, and then the mediator may never read our last records.
    pub(crate) async fn close(self) {
        let _ = self.out.send(Message::Close(None)).await;
        let _ = timeout(CLOSE, self.carrier).await;
    }
}

impl Circuits {
    /// Returns where frames for `circuit` go. The first frame may come before the engine has read the announcement.
    fn sender(&mut self, circuit: u32) -> Option<mpsc::Sender<FromCircuit>> {
        if let Some(sender) = self.to_circuit.get(&circuit) {
            return Some(sender.clone());
        }
        if self.to_circuit.len() >= MAX_CIRCUITS {
            self.to_circuit.retain(|_, sender| !sender.is_closed());
            if self.to_circuit.len() >= MAX_CIRCUITS {
                return None;
            }
        }
        let (sender, receiver) = mpsc::channel(CIRCUIT_QUEUE);
        self.to_circuit.insert(circuit, sender.clone());
        self.unclaimed.insert(circuit, receiver);
        Some(sender)
    }

    fn claim(&mut self, circuit: u32) -> Option<mpsc::Receiver<FromCircuit>> {
        self.sender(circuit)?;
        self.unclaimed.remove(&circuit)
    }
}

impl Circuit {
    /// Returns the frame of a record.
    pub(crate) fn frame(&self, record: &[u8]) -> Vec<u8> {
        Frame::Data { circuit: self.id, record }.encode()
    }

    /// Waits for room in the socket's queue, then sends a frame of [`Circuit::frame`].
    pub(crate) async fn send(&self, frame: Vec<u8>) -> bool {
        self.out.send(Message::binary(frame)).await.is_ok()
    }

    /// Closes the circuit.
    pub(crate) async fn close(&self, code: CloseCode) {
        let _ = self.out.send(Message::binary(Frame::Close { circuit: self.id, code }.encode())).await;
    }
}

#[cfg(test)]
impl Circuit {
    /// Makes a circuit without a mediator: what goes in is heard, what is sent comes out.
    pub(crate) fn of_test() -> (Self, mpsc::Sender<FromCircuit>, mpsc::Receiver<Message>) {
        let ((to_circuit, incoming), (out, sent)) = (mpsc::channel(1000), mpsc::channel(1000));
        (Self { id: CircuitId(1), incoming, out }, to_circuit, sent)
    }
}

#[cfg(test)]
impl FromCircuit {
    /// Makes a record that arrives.
    pub(crate) fn record_of_test(record: Vec<u8>) -> Self {
        let permits = Arc::new(Semaphore::new(1));
        let permit = permits.try_acquire_owned().expect("the semaphore is new");
        Self::Record(Held { record, _permit: permit })
    }
}

async fn write(mut sink: SplitSink<Socket, Message>, mut queue: mpsc::Receiver<Message>) {
    while let Some(message) = queue.recv().await {
        let written = timeout(WRITE, async {
            let mut last = matches!(message, Message::Close(_));
            sink.feed(message).await?;
            // Flush once for all that is queued already.
            while let Ok(more) = queue.try_recv() {
                last |= matches!(more, Message::Close(_));
                sink.feed(more).await?;
            }
            sink.flush().await.map(|()| last)
        });
        match written.await {
            Ok(Ok(false)) => {}
            Ok(Ok(true) | Err(_)) | Err(_) => break,
        }
    }
}

/// Reads one socket.
struct Reader {
    mediator: String,
    id: SocketId,
    heard: mpsc::Sender<FromMediator>,
    circuits: Arc<Mutex<Circuits>>,
    in_run: Arc<AtomicBool>,
    /// Must not keep the writer waiting for more when everybody else is done.
    pings: mpsc::WeakSender<Message>,
    meter: Meter,
}

impl Reader {
    /// Reads until the socket is gone, then tells everybody.
    async fn run(self, mut stream: SplitStream<Socket>) {
        let unread = Arc::new(Semaphore::new(UNREAD));
        let mut alarm = Alarm::new();
        let reason = loop {
            let message = match self.next(&mut stream, &mut alarm).await {
                Ok(message) => message,
                Err(why) => break why,
            };
            match message {
                Message::Text(text) => {
                    tracing::trace!(bytes = text.len(), "message received");
                    if !self.tell(Heard::Text(text.to_string())).await {
                        return;
                    }
                }
                Message::Binary(frame) => {
                    if !self.frame(&frame, &unread).await {
                        break "it sent a frame that is not one".to_owned();
                    }
                }
                Message::Close(frame) => {
                    break match frame.map(|frame| showable(&frame.reason)).filter(|reason| !reason.is_empty())
                    {
                        Some(reason) => format!("the mediator closed the connection: {reason}"),
                        None => "the mediator closed the connection".to_owned(),
                    };
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        };
        tracing::info!(why = reason, "connection lost");
        // Dropping the senders tells every circuit of this socket.
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner).to_circuit.clear();
        self.tell(Heard::Lost(reason)).await;
    }

    /// Waits for the next message; an error says why there is none any more.
    async fn next(&self, stream: &mut SplitStream<Socket>, alarm: &mut Alarm) -> Result<Message, String> {
        // What came in while a full queue kept us from reading does not count as silence.
        let mut since = Instant::now();
        loop {
            alarm.set(Instant::now() + LOOK);
            let look = tokio::select! {
                biased;
                message = stream.next() => return match message {
                    Some(Ok(message)) => Ok(message),
                    // A mediator that is killed says no goodbye.
                    Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) | None => {
                        Err("the connection was closed".to_owned())
                    }
                    Some(Err(error)) => Err(showable(&error.to_string())),
                },
                look = alarm.rings() => look,
            };
            let now = Instant::now();
            if now.saturating_duration_since(look) >= STOOD_STILL {
                since = now;
            }
            let silence = now.saturating_duration_since(self.meter.last().max(since));
            let in_run = self.in_run.load(Ordering::Relaxed);
            let limit = if in_run { SILENCE_IN_RUN } else { SILENCE };
            if silence >= limit {
                return Err(format!("nothing was heard for {} s", limit.as_secs()));
            }
            if in_run
                && silence >= PING_IDLE
                && let Some(pings) = self.pings.upgrade()
            {
                // A queue that is full has something better to say.
                let _ = pings.try_send(Message::Ping(Bytes::new()));
            }
        }
    }

    /// Hands a frame to its circuit; `false` if it is none.
    async fn frame(&self, frame: &[u8], unread: &Arc<Semaphore>) -> bool {
        let Ok(frame) = Frame::decode(frame) else { return false };
        let event = match frame {
            Frame::Data { record, .. } => match held(record, unread).await {
                Some(held) => FromCircuit::Record(held),
                None => return false,
            },
            Frame::Credit { bytes, .. } => FromCircuit::Credit(bytes),
            Frame::Close { code, .. } => FromCircuit::Closed(code),
        };
        let circuit = frame.circuit().0;
        let sender = self.circuits.lock().unwrap_or_else(PoisonError::into_inner).sender(circuit);
        if let Some(sender) = sender {
            // A circuit that nobody holds any more is over for us; the mediator hears so from its task.
            let _ = sender.send(event).await;
        }
        true
    }

    async fn tell(&self, heard: Heard) -> bool {
        let event = FromMediator { mediator: self.mediator.clone(), socket: self.id, heard };
        self.heard.send(event).await.is_ok()
    }
}

/// Waits until the record fits under [`UNREAD`]. A decoded frame's record always can.
async fn held(record: &[u8], unread: &Arc<Semaphore>) -> Option<Held> {
    let size = u32::try_from(record.len()).ok()?;
    let permit = Arc::clone(unread).acquire_many_owned(size).await.ok()?;
    Some(Held { record: record.to_vec(), _permit: permit })
}

#[cfg(test)]
mod tests;
