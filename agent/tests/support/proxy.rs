//! What somebody sees who sits between the agents and their mediator: every WebSocket message, both ways.
//!
//! A mediator's address is inside its DID, so the mediator is started with the proxy's port as its public one. The proxy
//! takes messages apart and puts them together again, because clients mask their frames: the bytes on the wire
//! would hide a plaintext from a search by accident, and not from an eavesdropper.

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

    /// Everything that was seen so far.
    pub fn captured(&self) -> Captured {
        self.shared.captured.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // A connection that breaks is the business of its two ends.
            let _ = carry(stream, &shared).await;
        });
    }
}

async fn carry(stream: TcpStream, shared: &Shared) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let client = accept_async(stream).await?;
    let port = shared.target.get().ok_or("the target is not known yet")?;
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
                } else {
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
    fn see(&self, message: &Message) {
        let mut captured = self.captured.lock().unwrap();
        match message {
            Message::Text(text) => captured.texts.push(text.as_bytes().to_vec()),
            Message::Binary(bytes) => captured.frames.push(bytes.to_vec()),
            _ => {}
        }
    }
}
