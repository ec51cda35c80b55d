//! A socket to a mediator: the mailbox on it (Coordinate Mediation 3.0, Message Pickup 3.0) and the frames of circuits
//! (`spec/relay.md`).

use std::collections::VecDeque;
use std::time::Duration;

use didcomm::AttachmentData;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message as WebSocket};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::documents::{Connection, endpoint};
use crate::post::{self, Received, Threads};
use crate::{BASE, Problem, Result, b64url, from_b64url};

const COORDINATION: &str = "https://didcomm.org/coordinate-mediation/3.0";
const PICKUP: &str = "https://didcomm.org/messagepickup/3.0";
const PROBLEM: &str = "https://didcomm.org/report-problem/2.0/problem-report";

/// How long an answer may take. Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that may be under way on a circuit in each direction (RL-13).
const WINDOW: u32 = 256 * 1024;

/// What a socket brought.
pub type Incoming = Option<std::result::Result<WebSocket, Error>>;

/// One frame of a circuit (`spec/relay.md`, section 4).
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A record.
    Data(u32, Vec<u8>),
    /// So many bytes more may be sent.
    Credit(u32, u32),
    /// It has ended.
    Close(u32, u16),
}

impl Frame {
    /// Reads a binary message.
    ///
    /// # Errors
    /// If it is no frame.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let broken = || Problem::broken("no frame of a circuit");
        let (&type_, rest) = bytes.split_first().ok_or_else(broken)?;
        let (circuit, rest) = rest.split_first_chunk().ok_or_else(broken)?;
        let circuit = u32::from_be_bytes(*circuit);
        match (type_, rest) {
            (1, [_, ..]) => Ok(Self::Data(circuit, rest.to_vec())),
            (2, &[a, b, c, d]) => Ok(Self::Credit(circuit, u32::from_be_bytes([a, b, c, d]))),
            (3, &[a, b]) => Ok(Self::Close(circuit, u16::from_be_bytes([a, b]))),
            _ => Err(broken()),
        }
    }

    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let (type_, circuit, rest) = match self {
            Self::Data(circuit, record) => (1_u8, circuit, record.clone()),
            Self::Credit(circuit, bytes) => (2, circuit, bytes.to_be_bytes().to_vec()),
            Self::Close(circuit, code) => (3, circuit, code.to_be_bytes().to_vec()),
        };
        [&[type_][..], &circuit.to_be_bytes(), &rest].concat()
    }
}

/// A mailbox that is live, and what came on its socket and was not taken yet.
#[derive(Debug)]
pub struct Mailbox {
    /// Whose it is.
    pub own: Connection,
    mediator: String,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    mail: VecDeque<Received>,
    answers: VecDeque<Received>,
    frames: VecDeque<Frame>,
}

impl Mailbox {
    /// Connects to the mediator with this DID, gets an account there (RL-40), registers `own` (RL-41) and switches live delivery
    /// on (RL-43).
    ///
    /// # Errors
    /// If it cannot be reached or refuses.
    pub async fn open(own: Connection, mediator: &str) -> Result<Self> {
        let address = endpoint(mediator)?;
        let (socket, _) = connect_async(&address).await.map_err(Problem::broken)?;
        let (mail, answers, frames) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        let mut mailbox = Self { own, mediator: mediator.to_owned(), socket, mail, answers, frames };
        mailbox.ask(&format!("{COORDINATION}/mediate-request"), json!({})).await?;
        let updates = json!({"updates": [{"recipient_did": mailbox.own.did, "action": "add"}]});
        let answer = mailbox.ask(&format!("{COORDINATION}/recipient-update"), updates).await?;
        match answer.message.body["updated"][0]["result"].as_str() {
            Some("success" | "no_change") => {}
            other => return Err(Problem::broken(format!("not registered: {other:?}"))),
        }
        let live = json!({"live_delivery": true});
        mailbox.ask(&format!("{PICKUP}/live-delivery-change"), live).await?;
        Ok(mailbox)
    }

    /// Returns the DID of the mediator.
    pub fn mediator(&self) -> &str {
        &self.mediator
    }

    /// Asks how many messages wait.
    ///
    /// # Errors
    /// If no answer comes.
    pub async fn waiting(&mut self) -> Result<u64> {
        let status = self.ask(&format!("{PICKUP}/status-request"), json!({})).await?;
        status.message.body["message_count"].as_u64().ok_or_else(|| Problem::broken("no count"))
    }

    /// Asks for a circuit with this token, as the responder of the session; returns its number on this socket (RL-04).
    ///
    /// # Errors
    /// If it is refused.
    pub async fn join_circuit(&mut self, token: &[u8; 32]) -> Result<u32> {
        let body = json!({"token": b64url(token), "window": WINDOW});
        let opened = self.ask(&format!("{BASE}/relay/1.0/join"), body).await?;
        let number = opened.message.body["circuit"].as_u64().and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| Problem::broken("no circuit"))
    }

    /// Writes to the key `kid` of a party at the same mediator; returns the id of the message.
    ///
    /// # Errors
    /// If it cannot be sealed or the socket is gone.
    pub async fn write(&mut self, kid: &str, type_: &str, body: Value, threads: Threads) -> Result<String> {
        let (id, text) = post::to_party(&self.own, &self.mediator, kid, type_, body, threads).await?;
        self.send(WebSocket::text(text)).await?;
        Ok(id)
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// If the socket is gone.
    pub async fn send_frame(&mut self, frame: &Frame) -> Result<()> {
        self.send(WebSocket::binary(Bytes::from(frame.encode()))).await
    }

    /// Waits for the next message of a party.
    ///
    /// # Errors
    /// If none comes.
    pub async fn mail(&mut self) -> Result<Received> {
        loop {
            if let Some(mail) = self.mail.pop_front() {
                return Ok(mail);
            }
            self.hear().await?;
        }
    }

    /// Returns a message of a party that has come already.
    pub fn next_mail(&mut self) -> Option<Received> {
        self.mail.pop_front()
    }

    /// Returns a frame that has come already.
    pub fn next_frame(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    /// Waits for what the socket brings next, which is then for [`Mailbox::take`]. What was not waited for is not lost.
    pub async fn incoming(&mut self) -> Incoming {
        self.socket.next().await
    }

    /// Takes what the socket brought.
    ///
    /// # Errors
    /// If that is an end, or nothing that a mediator may send.
    pub async fn take(&mut self, incoming: Incoming) -> Result<()> {
        let incoming = incoming.ok_or_else(|| Problem::broken("the mediator has hung up"))?;
        match incoming.map_err(Problem::broken)? {
            WebSocket::Text(text) => self.envelope(&text).await,
            WebSocket::Binary(bytes) => {
                self.frames.push_back(Frame::decode(&bytes)?);
                Ok(())
            }
            WebSocket::Close(why) => Err(Problem::broken(format!("the mediator has closed: {why:?}"))),
            _ => Ok(()),
        }
    }

    async fn hear(&mut self) -> Result<()> {
        let incoming =
            timeout(PATIENCE, self.incoming()).await.map_err(|_| Problem::broken("nothing comes"))?;
        self.take(incoming).await
    }

    async fn envelope(&mut self, text: &str) -> Result<()> {
        let received = post::open(&self.own, text).await?;
        if received.from() != Some(&self.mediator) {
            return Err(Problem::broken("a message on the socket that is not the mediator's"));
        }
        if received.message.type_ != format!("{PICKUP}/delivery") {
            self.answers.push_back(received);
            return Ok(());
        }
        let mut ids = Vec::new();
        for attachment in received.message.attachments.as_deref().unwrap_or_default() {
            ids.extend(attachment.id.clone());
            let AttachmentData::Base64 { value } = &attachment.data else {
                return Err(Problem::broken("mail of another form"));
            };
            let text = String::from_utf8(from_b64url(&value.base64)?).map_err(Problem::broken)?;
            // What does not open is nobody's: anybody can write to a mailbox.
            self.mail.extend(post::open(&self.own, &text).await.ok());
        }
        let type_ = format!("{PICKUP}/messages-received");
        let receipt = post::to_mediator(&self.own, &self.mediator, &type_, json!({"message_id_list": ids}));
        let text = receipt.await?.1;
        self.send(WebSocket::text(text)).await
    }

    /// Sends a request to the mediator and waits for its answer.
    async fn ask(&mut self, type_: &str, body: Value) -> Result<Received> {
        let (id, text) = post::to_mediator(&self.own, &self.mediator, type_, body).await?;
        self.send(WebSocket::text(text)).await?;
        loop {
            // The status after a receipt is an answer that nobody waits for.
            while let Some(answer) = self.answers.pop_front() {
                if answer.message.pthid.as_deref() == Some(&id) && answer.message.type_ == PROBLEM {
                    return Err(refusal(&answer));
                }
                if answer.thread() == id {
                    let refused = answer.message.type_ == format!("{BASE}/relay/1.0/refused");
                    return if refused { Err(refusal(&answer)) } else { Ok(answer) };
                }
            }
            self.hear().await?;
        }
    }

    async fn send(&mut self, message: WebSocket) -> Result<()> {
        self.socket.send(message).await.map_err(Problem::broken)
    }
}

/// Makes the error of a problem report, or of another message with `code` and perhaps `comment`.
pub(crate) fn refusal(message: &Received) -> Problem {
    let text = |name| message.text(name).unwrap_or_default().to_owned();
    Problem::Refused { code: text("code"), comment: text("comment") }
}

/// Says whether a message is a problem report.
pub(crate) fn is_problem(message: &Received) -> bool {
    message.message.type_ == PROBLEM
}

#[cfg(test)]
mod tests {
    use super::Frame;

    #[test]
    fn frames_read_back_and_every_other_length_or_type_is_refused() {
        for frame in [Frame::Data(7, vec![1, 2]), Frame::Credit(8, 9), Frame::Close(10, 256)] {
            let bytes = frame.encode();
            assert_eq!(Frame::decode(&bytes).as_ref(), Ok(&frame));
            for end in 0..bytes.len() {
                // A record may have any length but none.
                let shorter = matches!(frame, Frame::Data(..)) && end == bytes.len() - 1;
                assert_eq!(Frame::decode(&bytes[..end]).is_ok(), shorter, "{frame:?} {end}");
            }
            let longer = Frame::decode(&[&bytes[..], &[0]].concat());
            assert_eq!(longer.is_ok(), matches!(frame, Frame::Data(..)));
        }
        assert_eq!(Frame::decode(&[1, 0, 0, 0, 7, 9]), Ok(Frame::Data(7, vec![9])));
        assert!(Frame::decode(&[4, 0, 0, 0, 7, 9]).is_err());
    }
}
