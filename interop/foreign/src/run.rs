//! One run: records over a circuit of the relay, `ready`, and streams of sessions as TCP connections of MPyC.
//!
//! ```text
//! relay --DATA--> Session --StreamData--> Carried --TCP--> MPyC
//! relay <--DATA-- Session <----write----- Carried <--TCP-- MPyC
//! ```

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Output as Finished, Stdio};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::{Duration, Instant};

use didagent_session::{ConnectionId, Established, Event, Input, Output, Session, StreamId, close};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::carry::{self, Carried, Notice};
use crate::identity::verify;
use crate::mediator::{Frame, Mailbox};
use crate::post::{Received, Threads};
use crate::room::{Guest, Invitation, Party, Roster, commitment, is_of};
use crate::{BASE, Problem, Result, b64url, from_b64url, rng};

/// Exporter label of a circuit's token (NA-04), and the number of the session's first circuit (RL-10).
const TOKEN: &[u8] = b"didagent-relay-token/1";
const FIRST_CIRCUIT: u32 = 0;

/// Codes of STREAM_RESET are free.
const RESET: u32 = 2;

/// How many ports MPyC may have, from 20000 on. The next one stands for parties that are never dialled (BR-16).
const PORTS: u16 = 11_999;

/// How long the last bytes may take (RM-52).
const LAST_BYTES: Duration = Duration::from_secs(10);

/// Sessions with all other parties, each on its first circuit.
#[derive(Debug)]
pub struct Run {
    mailbox: Mailbox,
    invitation: Invitation,
    roster: Roster,
    /// In order of their index.
    peers: Vec<Peer>,
    /// The stream that was reset last, and by whom.
    reset: Option<(usize, StreamId)>,
    /// Where MPyC will listen.
    port: u16,
    notices: mpsc::UnboundedReceiver<Notice>,
    notify: mpsc::UnboundedSender<Notice>,
}

/// One other party.
#[derive(Debug)]
struct Peer {
    party: Party,
    session: Session,
    circuit: u32,
    connection: Option<ConnectionId>,
    credit: usize,
    /// A record that waits for credit.
    held: Option<Vec<u8>>,
    /// A PING was answered, so the session counts as up (RM-32).
    is_up: bool,
    is_ready: bool,
    /// The session was closed by either side.
    is_closed: bool,
    carried: Option<Carried>,
}

impl Run {
    /// Meets the others at the relay (RL-04, RL-10) and waits until all sessions are up.
    ///
    /// # Errors
    /// If the relay or somebody does not play along.
    pub async fn meet(
        mut mailbox: Mailbox,
        invitation: Invitation,
        roster: Roster,
        established: Vec<Established>,
    ) -> Result<Self> {
        // All of this party is on one socket.
        if roster.relay != mailbox.mediator() {
            return Err(Problem::broken("the circuits meet at another mediator than that of the mailbox"));
        }
        let mut peers = Vec::new();
        for (party, established) in roster.others.iter().zip(established) {
            let mut token = [0; 32];
            established.export(TOKEN, &FIRST_CIRCUIT.to_be_bytes(), &mut token).map_err(Problem::broken)?;
            peers.push(Peer {
                party: party.clone(),
                circuit: mailbox.join_circuit(&token).await?,
                session: established.into_session(Instant::now(), rng()),
                connection: None,
                credit: 0,
                held: None,
                is_up: false,
                is_ready: false,
                is_closed: false,
                carried: None,
            });
        }
        let (notify, notices) = mpsc::unbounded_channel();
        let port = free_port()?;
        let mut run = Self { mailbox, invitation, roster, peers, reset: None, port, notices, notify };
        while !run.peers.iter().all(|peer| peer.is_up) {
            run.turn().await?;
        }
        Ok(run)
    }

    /// The round hash, which `ready` and every stream carry.
    pub fn round(&self) -> [u8; 32] {
        self.roster.hash
    }

    /// Signs the roster, says `ready` with `hash`, and waits for the same of all others (RM-40, RM-41).
    ///
    /// # Errors
    /// If somebody does not agree.
    pub async fn ready(&mut self, guest: &Guest, hash: [u8; 32]) -> Result<()> {
        let signature = guest.identity.sign(&self.roster.signed_bytes())?;
        let index = self.peers.len();
        let body = json!({"hash": b64url(hash), "index": index, "signature": b64url(signature), "nonce": b64url(guest.nonce)});
        self.tell("ready", &body).await?;
        while !self.peers.iter().all(|peer| peer.is_ready) {
            self.turn().await?;
        }
        Ok(())
    }

    /// Opens a stream to the host with this context and waits until it is reset.
    ///
    /// # Errors
    /// If something ends first.
    pub async fn open_and_be_refused(&mut self, context: [u8; 32]) -> Result<()> {
        let stream = self.peers[0].session.open(context).map_err(Problem::broken)?;
        while self.reset != Some((0, stream)) {
            self.turn().await?;
        }
        Ok(())
    }

    /// Runs a Python program as the last party until it and its connections have ended (BR-16).
    ///
    /// # Errors
    /// If it cannot be started, or the run ends before.
    pub async fn program(&mut self, command: &[OsString]) -> Result<Finished> {
        let [python, program, arguments @ ..] = command else { return Err(Problem::broken("no program")) };
        let mut command = Command::new(python);
        command.arg(program);
        // The entries of the others are never dialled: the last party waits for all.
        for _ in &self.peers {
            command.args(["-P", &format!("127.0.0.1:{}", self.port + 1)]);
        }
        command.args(["-P", &format!("127.0.0.1:{}", self.port), "-I", &self.peers.len().to_string()]);
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        let ending = self.notify.clone();
        tokio::spawn(async move {
            let finished = command.output().await;
            let _ = ending.send(Notice::Ended(finished));
        });
        let mut finished = None;
        while finished.is_none() || self.peers.iter().any(|peer| peer.carried.is_some()) {
            if let Some(Notice::Ended(output)) = self.turn().await? {
                finished = Some(output.map_err(Problem::broken)?);
            }
        }
        finished.ok_or_else(|| Problem::broken("no program"))
    }

    /// Does nothing but what the sessions need, until something ends the run.
    pub async fn end(&mut self) -> Problem {
        loop {
            if let Err(problem) = self.turn().await {
                return problem;
            }
        }
    }

    /// Says that this party is done, waits until the others have everything, and ends the sessions (RM-52).
    ///
    /// # Errors
    /// If the socket or a session breaks.
    pub async fn leave(mut self) -> Result<()> {
        self.tell("leave", &json!({"code": "done"})).await?;
        let end = Instant::now() + LAST_BYTES;
        let has_all = |peer: &Peer| peer.session.is_delivered() || peer.is_closed;
        while !self.peers.iter().all(has_all) && Instant::now() < end {
            self.turn().await?;
        }
        for peer in &mut self.peers {
            peer.session.close(close::DONE);
        }
        self.flush().await?;
        for peer in &self.peers {
            self.mailbox.send_frame(&Frame::Close(peer.circuit, 0)).await?;
        }
        Ok(())
    }

    async fn tell(&mut self, name: &str, body: &Value) -> Result<()> {
        for peer in &self.peers {
            let threads = Threads { pthid: Some(self.invitation.room.clone()), ..Threads::default() };
            let type_ = format!("{BASE}/room/1.0/{name}");
            self.mailbox.write(&peer.party.kid, &type_, body.clone(), threads).await?;
        }
        Ok(())
    }

    /// Takes what has come, sends what there is to send, then waits for one thing that happens. The end of the program is
    /// returned.
    async fn turn(&mut self) -> Result<Option<Notice>> {
        while let Some(frame) = self.mailbox.next_frame() {
            self.frame(frame)?;
        }
        while let Some(mail) = self.mailbox.next_mail() {
            self.mail(&mail).await?;
        }
        let until = self.flush().await?;
        let carried = self.peers.iter_mut().enumerate();
        let carried = carried.filter_map(|(index, peer)| Some((index, peer.carried.as_mut()?)));
        tokio::select! {
            incoming = self.mailbox.incoming() => self.mailbox.take(incoming).await?,
            Some(notice) = self.notices.recv() => match notice {
                Notice::Written(peer, stream, count) => {
                    self.peers[peer].session.consume(stream, count).map_err(Problem::broken)?;
                }
                Notice::Ended(_) => return Ok(Some(notice)),
            },
            (peer, from_mpyc) = carry::next(carried) => {
                if let Some(carried) = &mut self.peers[peer].carried {
                    carried.take(from_mpyc);
                }
            }
            () = sleep_until(until.into()) => {}
        }
        Ok(None)
    }

    /// Hands everything that may go out to the relay; returns when to look again.
    async fn flush(&mut self) -> Result<Instant> {
        let mut until = Instant::now() + Duration::from_secs(1);
        for index in 0..self.peers.len() {
            if let Some(earlier) = self.flush_one(index).await? {
                until = until.min(earlier);
            }
        }
        Ok(until)
    }

    async fn flush_one(&mut self, index: usize) -> Result<Option<Instant>> {
        loop {
            let peer = &mut self.peers[index];
            if let Some(carried) = &mut peer.carried {
                carried.write(&mut peer.session)?;
                if carried.is_over() {
                    peer.carried = None;
                }
            }
            if let Some(record) = peer.held.take() {
                if record.len() > peer.credit {
                    peer.held = Some(record);
                    return Ok(None);
                }
                peer.credit -= record.len();
                self.mailbox.send_frame(&Frame::Data(peer.circuit, record)).await?;
            }
            match peer.session.poll(Instant::now()) {
                Output::Transmit { record, .. } => peer.held = Some(record.to_vec()),
                Output::Event(event) => self.event(index, event, &[])?,
                Output::Disconnect(_) => return Err(Problem::broken("a session drops its circuit")),
                Output::Timeout(until) => return Ok(until),
            }
        }
    }

    fn frame(&mut self, frame: Frame) -> Result<()> {
        let (Frame::Data(circuit, _) | Frame::Credit(circuit, _) | Frame::Close(circuit, _)) = frame;
        let Some(index) = self.peers.iter().position(|peer| peer.circuit == circuit) else { return Ok(()) };
        let peer = &mut self.peers[index];
        match frame {
            Frame::Credit(_, bytes) => {
                peer.credit += usize::try_from(bytes).map_err(Problem::broken)?;
                // The first credit says that both halves are there (RL-11).
                if peer.connection.is_none() {
                    peer.connection = Some(peer.session.connected(Instant::now()).map_err(Problem::broken)?);
                }
            }
            Frame::Data(_, mut record) => {
                let connection = peer.connection.ok_or_else(|| Problem::broken("a record before credit"))?;
                let input = Input::Record { connection, record: &mut record };
                peer.session.handle(input, Instant::now()).map_err(Problem::broken)?;
                while let Some(event) = self.peers[index].session.poll_event() {
                    self.event(index, event, &record)?;
                }
            }
            Frame::Close(_, code) if !peer.is_closed => {
                return Err(Problem::broken(format!("a circuit ended with {code}")));
            }
            Frame::Close(..) => {}
        }
        Ok(())
    }

    fn event(&mut self, index: usize, event: Event, record: &[u8]) -> Result<()> {
        let peer = &mut self.peers[index];
        match event {
            Event::Confirmed => peer.session.ping(),
            Event::Pong { .. } => peer.is_up = true,
            // RM-42, and BR-08 without those that wait: the program of this test makes one connection.
            Event::StreamOpened { stream, context } => {
                if context == self.roster.hash && peer.carried.is_none() {
                    peer.carried = Some(Carried::new(index, stream, self.port, self.notify.clone()));
                } else {
                    peer.session.reset(stream, RESET).map_err(Problem::broken)?;
                }
            }
            Event::StreamData { stream, range } => {
                let bytes = record.get(range).unwrap_or_default();
                match peer.carried.as_mut().filter(|carried| carried.stream == stream) {
                    Some(carried) => carried.bytes(bytes)?,
                    None => peer.session.consume(stream, bytes.len()).map_err(Problem::broken)?,
                }
            }
            Event::StreamFinished { stream } => {
                if let Some(carried) = peer.carried.as_mut().filter(|carried| carried.stream == stream) {
                    carried.finished();
                }
            }
            Event::StreamReset { stream, .. } => {
                self.reset = Some((index, stream));
                if peer.carried.as_ref().is_some_and(|carried| carried.stream == stream) {
                    return Err(Problem::broken("a stream of the run was reset"));
                }
            }
            Event::Closed { .. } => peer.is_closed = true,
            _ => {}
        }
        Ok(())
    }

    async fn mail(&mut self, mail: &Received) -> Result<()> {
        let sender = self.peers.iter().position(|peer| mail.sender.as_ref() == Some(&peer.party.kid));
        let Some(index) = sender else { return Ok(()) };
        if is_of(mail, "ready", &self.invitation) {
            if from_b64url(mail.text("hash")?)? != self.roster.hash || mail.message.body["index"] != index {
                return Err(Problem::broken("a party is ready for another roster"));
            }
            if commitment(&from_b64url(mail.text("nonce")?)?) != self.peers[index].party.commitment {
                return Err(Problem::broken("a party shows another nonce than it had committed to"));
            }
            let signature = from_b64url(mail.text("signature")?)?;
            let identity = &self.peers[index].party.identity;
            verify(identity, &self.roster.signed_bytes(), &signature).await?;
            self.peers[index].is_ready = true;
        }
        if is_of(mail, "leave", &self.invitation) && mail.text("code")? != "done" {
            let text = |name| mail.text(name).unwrap_or_default().to_owned();
            return Err(Problem::Left { index, code: text("code"), comment: text("comment") });
        }
        Ok(())
    }
}

/// Finds a port for MPyC (BR-14, BR-15): another one for each party of this process. Another process could still take it
/// before MPyC does, which a good bridge prevents.
fn free_port() -> Result<u16> {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % u32::from(PORTS)).map_err(Problem::broken)?;
    for _ in 0..PORTS {
        let port = 20_000 + (first + TRIED.fetch_add(1, Relaxed) % PORTS) % PORTS;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Problem::broken("no port is free"))
}
