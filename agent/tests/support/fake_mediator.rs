//! A mediator that speaks DIDComm and then does what a test wants: the messages are real, the behaviour is not.

use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use didagent::core::identity::{ConnectionDid, Identity};
use didagent::core::post::Post;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::coordinate_mediation::{
    MediateGrant, MediateRequest, Outcome, RecipientUpdate, RecipientUpdateResponse, Update, Updated,
};
use didagent_didcomm::protocols::out_of_band::{Invitation, InvitationParts};
use didagent_didcomm::protocols::pickup::{LiveDeliveryChange, Status};
use didagent_didcomm::protocols::routing::Forward;
use didagent_didcomm::protocols::types::GOAL_MEDIATE;
use rand_core::SeedableRng as _;
use tokio_tungstenite::tungstenite::{Message as Frame, WebSocket};

use super::hostile::Hostile;

/// A socket of a fake mediator.
pub struct FakeSocket {
    socket: WebSocket<TcpStream>,
    rng: rand_chacha::ChaCha20Rng,
    identity: Identity,
    connection: ConnectionDid,
    client: String,
}

impl FakeSocket {
    /// Waits for the next message of the agent; `None` when it has gone.
    pub fn next(&mut self) -> Option<Message> {
        loop {
            if let Frame::Text(text) = self.socket.read().ok()? {
                let post = Post { identity: &self.identity, connection: &self.connection };
                let opened = post.open(text.as_bytes(), now()).ok()?;
                self.client = opened.sender?.did;
                return Some(opened.message);
            }
        }
    }

    /// The agent that wrote last.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// Its own DID.
    pub fn did(&self) -> &str {
        &self.connection.did
    }

    /// Another DID at the same address.
    pub fn other_did(&self) -> String {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([43; 32]);
        Identity::generate(&mut rng).connection(&self.connection.mediator).did
    }

    /// Sets up the mailbox of an agent, granting that its mail goes to these DIDs, until it is live.
    pub fn set_up(&mut self, granted: &[String]) {
        while let Some(message) = self.next() {
            let thread = message.thread().to_owned();
            let answer = if MediateRequest::try_from(&message).is_ok() {
                MediateGrant { routing_did: granted.to_vec() }.message("g")
            } else if let Ok(request) = RecipientUpdate::try_from(&message) {
                let done = |Update { recipient_did, action }| Updated {
                    recipient_did,
                    action,
                    result: Outcome::Success,
                };
                let updated = request.updates.into_iter().map(done).collect();
                RecipientUpdateResponse { updated }.message("r")
            } else if LiveDeliveryChange::try_from(&message).is_ok() {
                return self.send(Status::default().message("s").thid(thread));
            } else {
                continue;
            };
            self.send(answer.thid(thread));
        }
    }

    /// Pushes what a forward for the agent carries, as it is.
    pub fn push(&mut self, forward: &str) {
        let post = Post { identity: &self.identity, connection: &self.connection };
        let forward = post.open(forward.as_bytes(), now()).unwrap().message;
        let mail = Forward::try_from(&forward).unwrap().payloads.remove(0);
        let _ = self.socket.send(Frame::text(mail));
    }

    /// Sends a message to the agent that wrote last.
    pub fn send(&mut self, message: Message) {
        let client = self.client.clone();
        self.send_to(message, &client);
    }

    /// Sends a message to the agent with this DID.
    pub fn send_to(&mut self, message: Message, client: &str) {
        let post = Post { identity: &self.identity, connection: &self.connection };
        let parcel = post.to_mediator(message, client, now(), &mut self.rng).unwrap();
        let _ = self.socket.send(Frame::text(parcel.text));
    }
}

/// Starts a fake mediator that does this with every connection, which is then closed; returns its link.
pub fn fake_mediator(serve: impl Fn(&mut FakeSocket) + Send + Sync + 'static) -> String {
    let rng = || rand_chacha::ChaCha20Rng::from_seed([42; 32]);
    let address = |port: u16| format!("ws://127.0.0.1:{port}/");
    let hostile = Hostile::listen(move |stream| {
        let port = stream.local_addr().unwrap().port();
        let Ok(socket) = tokio_tungstenite::tungstenite::accept(stream) else { return };
        let identity = Identity::generate(&mut rng());
        let connection = identity.connection(&address(port));
        serve(&mut FakeSocket { socket, rng: rng(), identity, connection, client: String::new() });
    });
    let parts = InvitationParts {
        id: "1".to_owned(),
        from: Identity::generate(&mut rng()).connection(&address(hostile.port)).did,
        goal_code: Some(GOAL_MEDIATE.to_owned()),
        ..InvitationParts::default()
    };
    Invitation::new(parts).unwrap().to_url("http://127.0.0.1/").unwrap()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
