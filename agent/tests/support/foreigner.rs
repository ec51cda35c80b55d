//! Somebody at a mediator who writes to others by hand: a DIDComm agent that is not ours.

use std::time::{SystemTime, UNIX_EPOCH};

use didagent::core::connect::{Mailbox, Step};
use didagent::core::identity::{ConnectionDid, Identity};
use didagent::core::post::{Post, websocket_address};
use didagent_didcomm::message::Message;
use futures_util::{SinkExt as _, StreamExt as _};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::PATIENCE;

/// Somebody with a mailbox.
pub struct Foreigner {
    identity: Identity,
    connection: ConnectionDid,
    mailbox: Mailbox,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    rng: ChaCha20Rng,
    /// Mail that nobody asked for yet.
    mail: Vec<Message>,
}

impl Foreigner {
    /// Makes a key set from `seed` and a mailbox at the mediator with this DID.
    pub async fn enrol(mediator: &str, seed: u8) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let identity = Identity::generate(&mut rng);
        Self::enrol_as(identity, mediator, rng).await
    }

    /// Makes a mailbox for this identity.
    pub async fn enrol_as(identity: Identity, mediator: &str, mut rng: ChaCha20Rng) -> Self {
        let connection = identity.connection(mediator);
        let (socket, _) = connect_async(websocket_address(mediator).unwrap()).await.unwrap();
        let (mailbox, first) = Mailbox::open(connection.clone(), std::time::Instant::now(), &mut rng);
        let mut foreigner = Self { identity, connection, mailbox, socket, rng, mail: Vec::new() };
        foreigner.ask(first).await;
        while !foreigner.mailbox.is_live() {
            foreigner.hear().await;
        }
        foreigner
    }

    /// Its connection DID.
    pub fn did(&self) -> &str {
        &self.connection.did
    }

    /// Writes to the party `to`, whose mail its own mediator keeps.
    pub async fn write(&mut self, message: Message, to: &str) {
        let post = Post { identity: &self.identity, connection: &self.connection };
        let parcel = post.to_party(message, to, now(), &mut self.rng).unwrap();
        assert_eq!(parcel.mediator, self.connection.mediator);
        self.socket.send(Frame::text(parcel.text)).await.unwrap();
    }

    /// Writes to the party `to`, whose mail the mediator of `messenger` keeps.
    pub async fn write_through(&mut self, message: Message, to: &str, messenger: &mut Self) {
        messenger.carry(&self.identity, &self.connection.mediator, message, to).await;
    }

    /// Carries what somebody writes, whose own mail the mediator with the DID `mediator` is said to keep.
    pub async fn carry(&mut self, writer: &Identity, mediator: &str, message: Message, to: &str) {
        self.carry_as(writer, &writer.connection(mediator), message, to).await;
    }

    /// Carries what somebody writes with this DID.
    pub async fn carry_as(
        &mut self,
        writer: &Identity,
        connection: &ConnectionDid,
        message: Message,
        to: &str,
    ) {
        let post = Post { identity: writer, connection };
        let parcel = post.to_party(message, to, now(), &mut self.rng).unwrap();
        assert_eq!(parcel.mediator, self.connection.mediator);
        self.socket.send(Frame::text(parcel.text)).await.unwrap();
    }

    /// Waits for a message in this thread, or about it.
    pub async fn answer(&mut self, thread: &str) -> Message {
        loop {
            let is_it = |one: &Message| one.thread() == thread || one.pthid.as_deref() == Some(thread);
            if let Some(at) = self.mail.iter().position(is_it) {
                return self.mail.remove(at);
            }
            self.hear().await;
        }
    }

    /// What came and was not asked for.
    pub fn rest(&self) -> &[Message] {
        &self.mail
    }

    async fn hear(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let text = loop {
            let frame = timeout_at(deadline, self.socket.next()).await.expect("nothing comes");
            if let Frame::Text(text) = frame.unwrap().unwrap() {
                break text;
            }
        };
        let post = Post { identity: &self.identity, connection: &self.connection };
        let message = post.open(text.as_bytes(), now()).unwrap().message;
        match self.mailbox.handle(&message, std::time::Instant::now(), &mut self.rng).unwrap() {
            Step::Send(message) => self.ask(message).await,
            Step::Mail { messages, receipt } => {
                for text in messages {
                    let post = Post { identity: &self.identity, connection: &self.connection };
                    self.mail.push(post.open(text.as_bytes(), now()).unwrap().message);
                }
                self.ask(receipt).await;
            }
            Step::Route(did) => panic!("the mediator wants mail to go to {did}"),
            Step::Live | Step::Nothing => {}
        }
    }

    async fn ask(&mut self, message: Message) {
        let post = Post { identity: &self.identity, connection: &self.connection };
        let parcel = post.to_mediator(message, &self.connection.mediator, now(), &mut self.rng).unwrap();
        self.socket.send(Frame::text(parcel.text)).await.unwrap();
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
