//! What somebody sees who sits between the agents and their mediator: every WebSocket message, both ways.
//!
//! A mediator's address is inside its DID, so the mediator is started with the proxy's port as its public one. The proxy
//! takes messages apart and puts them together again, because clients mask their frames: the bytes on the wire
//! would hide a plaintext from a search by accident, and not from an eavesdropper.
//!
//! It can also do to the connections what networks and hostile relays do: cut them, swallow everything, play records again.

use std::sync::{Arc, Mutex, OnceLock};

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{accept_async, connect_async};

/// A running proxy; it ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Debug)]
struct Shared {
    target: OnceLock<u16>,
    captured: Mutex<Captured>,
    hold_frames: watch::Sender<bool>,
    /// How often all connections were cut.
    cuts: watch::Sender<u64>,
    /// Nothing passes, and nobody is told.
    swallow: watch::Sender<bool>,
    mischief: Mutex<Option<Mischief>>,
}

/// A relay that plays with the records it carries.
#[derive(Debug, Default)]
struct Mischief {
    /// Records so far.
    count: usize,
    /// Some that came by, without their frame's header.
    kept: Vec<Vec<u8>>,
    /// One that is late.
    late: Option<Vec<u8>>,
}

/// Type of a frame that carries a record, and the length of its header.
const DATA: u8 = 1;
const HEADER: usize = 5;

/// Records that [`Mischief`] keeps to play them again.
const MAX_KEPT: usize = 200;

impl Mischief {
    /// What comes out for a frame that goes in.
    fn frames(&mut self, frame: Vec<u8>) -> Vec<Vec<u8>> {
        if frame[0] != DATA {
            return vec![frame];
        }
        self.count += 1;
        let again = |record: &Vec<u8>| [&frame[..HEADER], record].concat();
        let mut out = match self.count % 97 {
            // Twice; an earlier one of whatever circuit first; nothing now, and later too late.
            13 => vec![frame.clone(), frame.clone()],
            31 | 59 => self.kept.iter().rev().step_by(17).take(3).map(again).chain([frame.clone()]).collect(),
            83 => {
                self.late = Some(frame);
                return Vec::new();
            }
            _ => vec![frame.clone()],
        };
        if self.count % 97 == 90 {
            // In a circuit that may have ended since.
            out.extend(self.late.take());
        }
        if self.kept.len() < MAX_KEPT {
            self.kept.push(frame[HEADER..].to_vec());
        } else {
            self.kept[self.count % MAX_KEPT] = frame[HEADER..].to_vec();
        }
        out
    }
}

/// What was seen.
#[derive(Debug, Default, Clone)]
pub struct Captured {
    /// DIDComm messages, as text.
    pub texts: Vec<Vec<u8>>,
    /// Frames of circuits.
    pub frames: Vec<Vec<u8>>,
}

impl Proxy {
    /// Listens on a free port. Connections wait until the target is known.
    pub fn listen() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target: OnceLock::new(),
            captured: Mutex::default(),
            hold_frames: watch::Sender::new(false),
            cuts: watch::Sender::new(0),
            swallow: watch::Sender::new(false),
            mischief: Mutex::default(),
        });
        runtime.spawn(serve(listener, Arc::clone(&shared)));
        Self { port, shared, _runtime: runtime }
    }

    /// The port that clients use.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Names the mediator's real port.
    pub fn forward_to(&self, port: u16) {
        self.shared.target.set(port).unwrap();
    }

    /// Holds frames of circuits back, or lets them go on. Messages pass.
    pub fn hold_frames(&self, hold: bool) {
        self.shared.hold_frames.send_replace(hold);
    }

    /// Cuts all connections, without a goodbye on either side.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Swallows everything from now on, or no more: connections stand, new ones too, and nothing comes out of them. They are of
    /// no use afterwards either.
    pub fn swallow(&self, swallow: bool) {
        self.shared.swallow.send_replace(swallow);
    }

    /// Plays with records from now on: some come twice, some again on other connections, some too late.
    pub fn play_with_records(&self) {
        *self.shared.mischief.lock().unwrap() = Some(Mischief::default());
    }

    /// Leaves records alone again; returns how many came by meanwhile.
    pub fn leave_records_alone(&self) -> usize {
        self.shared.mischief.lock().unwrap().take().map_or(0, |mischief| mischief.count)
    }

    /// Everything that was seen so far.
    pub fn captured(&self) -> Captured {
        self.shared.captured.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut cuts = shared.cuts.subscribe();
            let mut swallow = shared.swallow.subscribe();
            let carrying = carry(stream, &shared);
            tokio::pin!(carrying);
            tokio::select! {
                // A connection that breaks is the business of its two ends.
                _ = &mut carrying => return,
                _ = cuts.changed() => return,
                _ = swallow.wait_for(|swallow| *swallow) => {}
            }
            // Not even read: a reader would answer pings.
            let _ = swallow.wait_for(|swallow| !swallow).await;
        });
    }
}

async fn carry(stream: TcpStream, shared: &Shared) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let port = shared.target.get().ok_or("the target is not known yet")?;
    let mut method = [0; 4];
    if stream.peek(&mut method).await? == method.len() && &method == b"POST" {
        // Somebody opens a short link: one request and its answer.
        let (mut client, mut server) = (stream, TcpStream::connect(("127.0.0.1", *port)).await?);
        tokio::io::copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    let client = accept_async(stream).await?;
    let (server, _) = connect_async(format!("ws://127.0.0.1:{port}/")).await?;
    let (to_client, from_client) = client.split();
    let (to_server, from_server) = server.split();
    tokio::try_join!(pump(from_client, to_server, shared), pump(from_server, to_client, shared))?;
    Ok(())
}

/// Carries one direction until it ends.
async fn pump<Source, Target>(mut source: Source, mut target: Target, shared: &Shared) -> Result<(), Error>
where
    Source: Stream<Item = Result<Message, Error>> + Unpin,
    Target: Sink<Message, Error = Error> + Unpin,
{
    let mut hold = shared.hold_frames.subscribe();
    let mut held = Vec::new();
    loop {
        tokio::select! {
            message = source.next() => {
                let Some(message) = message.transpose()? else { break };
                shared.see(&message);
                if message.is_binary() && *hold.borrow() {
                    held.push(message);
                    continue;
                }
                for message in shared.played(message) {
                    target.send(message).await?;
                }
            }
            Ok(()) = hold.changed() => {
                if !*hold.borrow_and_update() {
                    for message in held.drain(..) {
                        target.send(message).await?;
                    }
                }
            }
        }
    }
    target.close().await
}

impl Shared {
    fn played(&self, message: Message) -> Vec<Message> {
        match (self.mischief.lock().unwrap().as_mut(), message) {
            (Some(mischief), Message::Binary(frame)) => {
                mischief.frames(frame.to_vec()).into_iter().map(Message::binary).collect()
            }
            (_, message) => vec![message],
        }
    }

    fn see(&self, message: &Message) {
        let mut captured = self.captured.lock().unwrap();
        match message {
            Message::Text(text) => captured.texts.push(text.as_bytes().to_vec()),
            Message::Binary(bytes) => captured.frames.push(bytes.to_vec()),
            _ => {}
        }
    }
}
