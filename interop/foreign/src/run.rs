//! One run: records over a circuit of the relay, `ready`, and a stream of the session as a TCP connection of MPyC.
//!
//! ```text
//! relay --DATA--> Session --StreamData--> Carried --TCP--> MPyC
//! relay <--DATA-- Session <----write----- Carried <--TCP-- MPyC
//! ```

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Output as Finished, Stdio};
use std::time::{Duration, Instant};

use didagent_session::{ConnectionId, Established, Event, Input, Output, Session, StreamId, close};
use serde_json::json;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

use crate::carry::{self, Carried, Notice};
use crate::identity::verify;
use crate::mediator::{Frame, Mailbox};
use crate::post::{Received, Threads};
use crate::room::{Guest, Invitation, Roster, is_of};
use crate::{BASE, Problem, Result, b64url, from_b64url, rng};

/// Exporter label of a circuit's token (NA-04), and the number of the session's first circuit (RL-10).
const TOKEN: &[u8] = b"didagent-relay-token/1";
const FIRST_CIRCUIT: u32 = 0;

/// Codes of STREAM_RESET are free.
const RESET: u32 = 2;

/// How long the last bytes may take (RM-52).
const LAST_BYTES: Duration = Duration::from_secs(10);

/// A session with the host, on its first circuit.
#[derive(Debug)]
pub struct Run {
    mailbox: Mailbox,
    invitation: Invitation,
    roster: Roster,
    session: Session,
    circuit: u32,
    connection: Option<ConnectionId>,
    credit: usize,
    /// A record that waits for credit.
    held: Option<Vec<u8>>,
    /// A PING was answered, so the session counts as up (RM-32).
    is_up: bool,
    host_is_ready: bool,
    /// The code with which the session was closed.
    closed: Option<u32>,
    /// The stream that the host reset last.
    reset: Option<(StreamId, u32)>,
    /// Where MPyC will listen.
    port: u16,
    carried: Option<Carried>,
    notices: mpsc::UnboundedReceiver<Notice>,
    notify: mpsc::UnboundedSender<Notice>,
}

impl Run {
    /// Meets the host at the relay (RL-04, RL-10) and waits until the session is up.
    ///
    /// # Errors
    /// If the relay or the host does not play along.
    pub async fn meet(
        mut mailbox: Mailbox,
        invitation: Invitation,
        roster: Roster,
        established: Established,
    ) -> Result<Self> {
        let mut token = [0; 32];
        established.export(TOKEN, &FIRST_CIRCUIT.to_be_bytes(), &mut token).map_err(Problem::broken)?;
        let circuit = mailbox.join_circuit(&token).await?;
        let (notify, notices) = mpsc::unbounded_channel();
        let mut run = Self {
            mailbox,
            invitation,
            roster,
            session: established.into_session(Instant::now(), rng()),
            circuit,
            connection: None,
            credit: 0,
            held: None,
            is_up: false,
            host_is_ready: false,
            closed: None,
            reset: None,
            port: free_port()?,
            carried: None,
            notices,
            notify,
        };
        while !run.is_up {
            run.turn().await?;
        }
        Ok(run)
    }

    /// The round hash, which `ready` and every stream carry.
    pub fn round(&self) -> [u8; 32] {
        self.roster.hash
    }

    /// Signs the roster, says `ready` with `hash`, and waits for the same of the host (RM-40, RM-41).
    ///
    /// # Errors
    /// If the host does not agree.
    pub async fn ready(&mut self, guest: &Guest, hash: [u8; 32]) -> Result<()> {
        let signature = guest.identity.sign(&self.roster.signed_bytes())?;
        let body = json!({"hash": b64url(hash), "index": 1, "signature": b64url(signature)});
        self.tell("ready", body).await?;
        while !self.host_is_ready {
            self.turn().await?;
        }
        Ok(())
    }

    /// Opens a stream with this context and waits until the host resets it; returns the code.
    ///
    /// # Errors
    /// If the session ends first.
    pub async fn open_and_be_refused(&mut self, context: [u8; 32]) -> Result<u32> {
        let stream = self.session.open(context).map_err(Problem::broken)?;
        loop {
            if let Some((_, code)) = self.reset.filter(|(reset, _)| *reset == stream) {
                return Ok(code);
            }
            self.turn().await?;
        }
    }

    /// Runs a Python program as party 1 until it and its connections have ended (BR-16).
    ///
    /// # Errors
    /// If it cannot be started, or the run ends before.
    pub async fn program(&mut self, command: &[OsString]) -> Result<Finished> {
        let [python, program, arguments @ ..] = command else { return Err(Problem::broken("no program")) };
        // Entry 0 is never dialled: party 1 waits for party 0.
        let ports = [format!("127.0.0.1:{}", self.port + 1), format!("127.0.0.1:{}", self.port)];
        let mut command = Command::new(python);
        command.arg(program).args(["-P", &ports[0], "-P", &ports[1], "-I", "1"]).args(arguments);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let ending = self.notify.clone();
        tokio::spawn(async move {
            let finished = command.output().await;
            let _ = ending.send(Notice::Ended(finished));
        });
        let mut finished = None;
        while finished.is_none() || self.carried.is_some() {
            if let Some(Notice::Ended(output)) = self.turn().await? {
                finished = Some(output.map_err(Problem::broken)?);
            }
        }
        finished.ok_or_else(|| Problem::broken("no program"))
    }

    /// Does nothing but what the session needs, until something ends the run.
    pub async fn end(&mut self) -> Problem {
        loop {
            if let Err(problem) = self.turn().await {
                return problem;
            }
        }
    }

    /// Says that this party is done, waits until the host has everything, and ends the session (RM-52).
    ///
    /// # Errors
    /// If the host does not take what is left.
    pub async fn leave(mut self) -> Result<()> {
        self.tell("leave", json!({"code": "done"})).await?;
        let end = async {
            while !self.session.is_delivered() && self.closed.is_none() {
                self.turn().await?;
            }
            self.session.close(close::DONE);
            self.flush().await?;
            self.mailbox.send_frame(&Frame::Close(self.circuit, 0)).await
        };
        timeout(LAST_BYTES, end)
            .await
            .map_err(|_| Problem::broken("the host does not take the last bytes"))?
    }

    async fn tell(&mut self, name: &str, body: serde_json::Value) -> Result<()> {
        let threads = Threads { pthid: Some(self.invitation.room.clone()), ..Threads::default() };
        let type_ = format!("{BASE}/room/1.0/{name}");
        self.mailbox.write(&self.roster.host.kid, &type_, body, threads).await.map(|_| ())
    }

    /// Sends what there is to send, then waits for one thing that happens. The end of the program is returned.
    async fn turn(&mut self) -> Result<Option<Notice>> {
        let until = self.flush().await?;
        let until = until.unwrap_or_else(|| Instant::now() + Duration::from_secs(1));
        let wants_bytes = self.carried.as_ref().is_some_and(Carried::has_room);
        tokio::select! {
            incoming = self.mailbox.incoming() => {
                self.mailbox.take(incoming).await?;
                while let Some(frame) = self.mailbox.next_frame() {
                    self.frame(frame)?;
                }
                while let Some(mail) = self.mailbox.next_mail() {
                    self.mail(&mail).await?;
                }
            }
            Some(notice) = self.notices.recv() => match notice {
                Notice::Written(stream, count) => self.session.consume(stream, count).map_err(Problem::broken)?,
                Notice::Ended(_) => return Ok(Some(notice)),
            },
            from_mpyc = carry::next(&mut self.carried), if wants_bytes => {
                if let Some(carried) = &mut self.carried {
                    carried.take(from_mpyc);
                }
            }
            () = sleep_until(until.into()) => {}
        }
        Ok(None)
    }

    /// Hands everything that may go out to the relay; returns when the session wants to be asked again.
    async fn flush(&mut self) -> Result<Option<Instant>> {
        loop {
            if let Some(carried) = &mut self.carried {
                carried.write(&mut self.session)?;
                if carried.is_over() {
                    self.carried = None;
                }
            }
            if let Some(record) = self.held.take() {
                if record.len() > self.credit {
                    self.held = Some(record);
                    return Ok(None);
                }
                self.credit -= record.len();
                self.mailbox.send_frame(&Frame::Data(self.circuit, record)).await?;
            }
            match self.session.poll(Instant::now()) {
                Output::Transmit { record, .. } => self.held = Some(record.to_vec()),
                Output::Event(event) => self.event(event, &[])?,
                Output::Disconnect(_) => return Err(Problem::broken("the session drops its circuit")),
                Output::Timeout(until) => return Ok(until),
            }
        }
    }

    fn frame(&mut self, frame: Frame) -> Result<()> {
        match frame {
            Frame::Credit(circuit, bytes) if circuit == self.circuit => {
                self.credit += usize::try_from(bytes).map_err(Problem::broken)?;
                // The first credit says that both halves are there (RL-11).
                if self.connection.is_none() {
                    self.connection = Some(self.session.connected(Instant::now()).map_err(Problem::broken)?);
                }
            }
            Frame::Data(circuit, mut record) if circuit == self.circuit => {
                let connection = self.connection.ok_or_else(|| Problem::broken("a record before credit"))?;
                let input = Input::Record { connection, record: &mut record };
                self.session.handle(input, Instant::now()).map_err(Problem::broken)?;
                while let Some(event) = self.session.poll_event() {
                    self.event(event, &record)?;
                }
            }
            Frame::Close(circuit, code) if circuit == self.circuit && self.closed.is_none() => {
                return Err(Problem::broken(format!("the circuit ended with {code}")));
            }
            _ => {}
        }
        Ok(())
    }

    fn event(&mut self, event: Event, record: &[u8]) -> Result<()> {
        match event {
            Event::Confirmed => self.session.ping(),
            Event::Pong { .. } => self.is_up = true,
            // RM-42, and BR-08 without those that wait: the program of this test makes one connection.
            Event::StreamOpened { stream, context } => {
                if context == self.roster.hash && self.carried.is_none() {
                    self.carried = Some(Carried::new(stream, self.port, self.notify.clone()));
                } else {
                    self.session.reset(stream, RESET).map_err(Problem::broken)?;
                }
            }
            Event::StreamData { stream, range } => {
                let bytes = record.get(range).unwrap_or_default();
                match self.carried.as_mut().filter(|carried| carried.stream == stream) {
                    Some(carried) => carried.bytes(bytes)?,
                    None => self.session.consume(stream, bytes.len()).map_err(Problem::broken)?,
                }
            }
            Event::StreamFinished { stream } => {
                if let Some(carried) = self.carried.as_mut().filter(|carried| carried.stream == stream) {
                    carried.finished();
                }
            }
            Event::StreamReset { stream, code } => {
                self.reset = Some((stream, code));
                if self.carried.as_ref().is_some_and(|carried| carried.stream == stream) {
                    return Err(Problem::broken("the host has reset the stream of the run"));
                }
            }
            Event::Closed { code, .. } => self.closed = Some(code),
            _ => {}
        }
        Ok(())
    }

    async fn mail(&mut self, mail: &Received) -> Result<()> {
        if mail.sender.as_ref() != Some(&self.roster.host.kid) {
            return Ok(());
        }
        if is_of(mail, "ready", &self.invitation) {
            if from_b64url(mail.text("hash")?)? != self.roster.hash || mail.message.body["index"] != 0 {
                return Err(Problem::broken("the host is ready for another roster"));
            }
            let signature = from_b64url(mail.text("signature")?)?;
            verify(&self.roster.host.identity, &self.roster.signed_bytes(), &signature).await?;
            self.host_is_ready = true;
        }
        if is_of(mail, "leave", &self.invitation) && mail.text("code")? != "done" {
            let text = |name| mail.text(name).unwrap_or_default().to_owned();
            return Err(Problem::Left { code: text("code"), comment: text("comment") });
        }
        Ok(())
    }
}

/// Finds a port for MPyC (BR-14, BR-15). Somebody else could still take it: this is a test.
fn free_port() -> Result<u16> {
    let first = u16::try_from(std::process::id() % 5_000).unwrap_or_default() * 2 + 20_000;
    let mut ports = (first..31_999).chain(20_000..first);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    ports.find(is_free).ok_or_else(|| Problem::broken("no port is free"))
}
