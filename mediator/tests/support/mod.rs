//! A client of the mediator, as small as a test needs.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use didagent_didcomm::did::{OfflineResolver, peer2, resolve_offline};
use didagent_didcomm::envelope;
use didagent_didcomm::keys::{Ed25519Secret, X25519Secret};
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::coordinate_mediation::{
    Action, MediateGrant, MediateRequest, Outcome, RecipientUpdate, RecipientUpdateResponse, Update,
};
use didagent_didcomm::protocols::lobby::{Post, Program, ProgramDigest, ProgramName, RoomLink, Title};
use didagent_didcomm::protocols::out_of_band::Invitation;
use didagent_didcomm::protocols::relay::{CircuitId, Frame};
use didagent_didcomm::protocols::routing::{Forward, PayloadForm};
use didagent_didcomm::protocols::{Body, b64url_encode};
use didagent_mediator::{Config, Server};
use futures_util::{SinkExt as _, StreamExt as _};
use rand_core::{Rng as _, UnwrapErr};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

/// A running mediator.
pub struct Running {
    pub link: String,
    pub did: String,
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn start() -> Self {
        Self::start_as(false).await
    }

    /// One with a board.
    pub async fn start_with_lobby() -> Self {
        Self::start_as(true).await
    }

    async fn start_as(lobby: bool) -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        let config = Config { listen, public_url: None, data: None, without: Vec::new(), lobby };
        let server = Server::bind(config).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let (link, did, address) =
            (server.invitation_link().to_owned(), server.did().to_owned(), server.local_addr());
        let task = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { link, did, address, stop, task }
    }

    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

/// The program itself; it is killed with this value.
pub struct Process {
    pub child: Child,
    pub link: String,
}

impl Process {
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_didagent-mediator"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut link = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut link).unwrap();
        Self { child, link: link.trim().to_owned() }
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        let did = Invitation::from_url(&self.link).unwrap().from().to_owned();
        endpoint_of(&did).trim_start_matches("ws://").trim_end_matches('/').parse().unwrap()
    }

    /// Returns the memory that the process has in use, in KiB; Linux only.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A DID with its keys.
pub struct Identity {
    pub did: String,
    pub kid: String,
    secrets: HashMap<String, X25519Secret>,
}

impl Identity {
    pub fn new() -> Self {
        let mut rng = UnwrapErr(getrandom::SysRng);
        let (signing, agreement) = (Ed25519Secret::generate(&mut rng), X25519Secret::generate(&mut rng));
        let did = peer2::encode(&signing.public(), &agreement.public(), None);
        let kid = format!("{did}#key-2");
        Self { did, kid: kid.clone(), secrets: HashMap::from([(kid, agreement)]) }
    }

    /// Encrypts for `to_kid` so that a mediator does not learn the sender.
    pub fn sealed(&self, to_kid: &str, message: Message) -> String {
        let message = message.from(&self.did);
        let mut rng = UnwrapErr(getrandom::SysRng);
        let packed = envelope::sealed(&message, &self.kid, to_kid, &self.secrets, &OfflineResolver, &mut rng);
        String::from_utf8(packed.unwrap()).unwrap()
    }

    pub fn authcrypt(&self, to_kid: &str, message: Message) -> String {
        let message = message.from(&self.did);
        let mut rng = UnwrapErr(getrandom::SysRng);
        let packed =
            envelope::authcrypt(&message, &self.kid, &[to_kid], &self.secrets, &OfflineResolver, &mut rng);
        String::from_utf8(packed.unwrap()).unwrap()
    }

    /// Opens an envelope and returns the message and its authenticated sender.
    pub fn open(&self, text: &str) -> (Message, String) {
        let unpacked = envelope::unpack(text.as_bytes(), &self.secrets, &OfflineResolver, now()).unwrap();
        (unpacked.message, unpacked.sender.unwrap().did)
    }
}

/// What a client got.
#[derive(Debug)]
pub enum Got {
    Message(Box<Message>),
    Frame(Vec<u8>),
    /// Close code and reason.
    Close(Option<(u16, String)>),
}

/// One socket of one DID.
pub struct Client {
    pub me: Identity,
    mediator: String,
    mediator_kid: String,
    ws: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    /// Connects to the endpoint in the DID that the link names.
    pub async fn connect(link: &str, me: Identity) -> Self {
        let mediator = Invitation::from_url(link).unwrap().from().to_owned();
        let (ws, _) = connect_async(endpoint_of(&mediator)).await.unwrap();
        Self { me, mediator_kid: kid_of(&mediator), mediator, ws }
    }

    /// Connects as a proxy on the mediator's machine does, for a client at this address.
    pub async fn connect_from(link: &str, me: Identity, address: &str) -> Self {
        let mediator = Invitation::from_url(link).unwrap().from().to_owned();
        let mut request = endpoint_of(&mediator).into_client_request().unwrap();
        request.headers_mut().insert("x-forwarded-for", address.parse().unwrap());
        let (ws, _) = connect_async(request).await.unwrap();
        Self { me, mediator_kid: kid_of(&mediator), mediator, ws }
    }

    /// Connects with a small receive buffer, so that the mediator notices soon when nobody reads.
    pub async fn connect_narrow(link: &str, me: Identity) -> Self {
        let mediator = Invitation::from_url(link).unwrap().from().to_owned();
        let endpoint = endpoint_of(&mediator);
        let address = endpoint.trim_start_matches("ws://").trim_end_matches('/').parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let stream = MaybeTlsStream::Plain(socket.connect(address).await.unwrap());
        let (ws, _) = client_async(endpoint, stream).await.unwrap();
        Self { me, mediator_kid: kid_of(&mediator), mediator, ws }
    }

    pub async fn send(&mut self, message: Message) {
        let text = self.me.authcrypt(&self.mediator_kid, message.to(&self.mediator).return_route_all());
        self.send_text(text).await;
    }

    pub async fn send_body(&mut self, body: &impl Body) {
        self.send(body.message(new_id()).times(now(), now() + 60)).await;
    }

    pub async fn send_text(&mut self, text: String) {
        self.ws.send(WsMessage::text(text)).await.unwrap();
    }

    pub async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.ws.send(WsMessage::binary(bytes)).await.unwrap();
    }

    pub async fn send_record(&mut self, circuit: CircuitId, record: &[u8]) {
        self.send_binary(Frame::Data { circuit, record }.encode()).await;
    }

    /// Forwards a message for `to_kid` through the mediator, both layers without a sender for those who carry it.
    pub async fn forward(&mut self, to: &str, to_kid: &str, message: Message, form: PayloadForm) {
        let packed = self.me.sealed(to_kid, message);
        let forward = Forward::new(to, packed).message(new_id(), form).to(&self.mediator);
        self.send_text(anoncrypt(&self.mediator, forward)).await;
    }

    /// Waits at most 10 s for the next message or frame.
    pub async fn next(&mut self) -> Got {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(10), self.ws.next());
            match next.await.expect("nothing came for 10 s") {
                Some(Ok(WsMessage::Text(text))) => {
                    let (message, sender) = self.me.open(&text);
                    assert_eq!(sender, self.mediator, "replies are authenticated");
                    return Got::Message(Box::new(message));
                }
                Some(Ok(WsMessage::Binary(frame))) => return Got::Frame(frame.to_vec()),
                Some(Ok(WsMessage::Close(frame))) => {
                    return Got::Close(frame.map(|frame| (frame.code.into(), frame.reason.to_string())));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Got::Close(None),
            }
        }
    }

    pub async fn next_message(&mut self) -> Message {
        match self.next().await {
            Got::Message(message) => *message,
            other => panic!("{other:?}"),
        }
    }

    pub async fn next_frame(&mut self) -> Vec<u8> {
        match self.next().await {
            Got::Frame(frame) => frame,
            other => panic!("{other:?}"),
        }
    }

    /// Sends a request and reads its answer.
    pub async fn ask<R>(&mut self, body: &impl Body) -> R
    where
        R: for<'a> TryFrom<&'a Message>,
    {
        self.send_body(body).await;
        let reply = self.next_message().await;
        R::try_from(&reply).unwrap_or_else(|_| panic!("unexpected {}: {}", reply.type_, reply.body))
    }

    /// Gets an account and registers the own DID.
    pub async fn enrol(&mut self) {
        let grant: MediateGrant = self.ask(&MediateRequest {}).await;
        assert_eq!(grant.routing_did, std::slice::from_ref(&self.mediator));
        let updates = vec![Update { recipient_did: self.me.did.clone(), action: Action::Add }];
        let answer: RecipientUpdateResponse = self.ask(&RecipientUpdate { updates }).await;
        assert_eq!(answer.updated[0].result, Outcome::Success);
    }

    /// Ends the TCP connection without a close frame.
    pub fn vanish(self) {}

    /// Ends the WebSocket politely.
    pub async fn close(mut self) {
        self.ws.close(None).await.unwrap();
    }
}

/// Returns the WebSocket endpoint in a mediator's DID.
pub fn endpoint_of(did: &str) -> String {
    resolve_offline(did).unwrap().services[0].uri.clone()
}

/// Returns the key under which a DID takes messages.
pub fn kid_of(did: &str) -> String {
    resolve_offline(did).unwrap().key_agreement_kids().next().unwrap().to_owned()
}

/// Encrypts a message that says nothing of its sender.
pub fn anoncrypt(to: &str, message: Message) -> String {
    let mut rng = UnwrapErr(getrandom::SysRng);
    let text = envelope::anoncrypt(&message, &[&kid_of(to)], &OfflineResolver, &mut rng).unwrap();
    String::from_utf8(text).unwrap()
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub fn new_id() -> String {
    let mut id = [0; 16];
    UnwrapErr(getrandom::SysRng).fill_bytes(&mut id);
    b64url_encode(id)
}

/// Returns a post with a room of this mediator; whatever a host may choose has these words.
pub fn post(mediator: &str, words: &str) -> Post {
    let base = mediator.split_once('?').unwrap().0;
    Post {
        title: Title::new(words).unwrap(),
        program: Program {
            name: ProgramName::new(format!("{words}.py")).unwrap(),
            sha256: ProgramDigest::new("3f".repeat(32)).unwrap(),
        },
        seats: 3,
        free: 2,
        threshold: Some(1),
        link: RoomLink::new(format!("{base}r/AQEBAQEB#{words}")).unwrap(),
        expires_time: now() + 600,
    }
}
