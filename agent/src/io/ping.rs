//! `ping`: asks a party or a contact for a sign of life, through this home's engine if one runs, and otherwise by itself.
//!
//! ```text
//! engine:     local socket --> ping over the session, or a trust ping of the engine
//! no engine:  own mediator <-- mailbox --> trust ping to the contact, response within the time given
//! ```
//!
//! Without an engine this command is the home's engine for as long as it takes: it holds the lock, since two with one
//! identity would take each other's mail.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::trust_ping::{Ping, PingResponse};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout_at};

use crate::core::connect::{Mailbox, Step};
use crate::core::contacts::Contact;
use crate::core::identity::{ConnectionDid, Identity};
use crate::core::invite::{new_id, read_mediator_link};
use crate::core::post::{Post, mediators_of};
use crate::core::status::{host_of, milliseconds};
use crate::core::who;
use crate::failure::{Failure, Kind};
use crate::io::home::{EngineLock, Home, MediatorChoice};
use crate::io::local_api::{self, Reply, Way, no_answer};
use crate::io::mediator_time::those_that_answer;
use crate::io::websocket::{self, FromMediator, Heard, MediatorLink};
use crate::io::{SystemRng, system_rng, unix_now};

/// How long the mediator may take to set up the mailbox.
const MAILBOX: Duration = Duration::from_secs(15);

/// Messages of mediators that wait for us.
const QUEUE: usize = 64;

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request {
    /// The home.
    pub(crate) home: Home,
    /// A name, an identity, or its end.
    pub(crate) name: String,
    /// Links of the mediators to use if no engine runs, the first that answers; otherwise the home's.
    pub(crate) mediators: Vec<String>,
    /// How often to ask.
    pub(crate) count: u32,
    /// Pause between two questions.
    pub(crate) interval: Duration,
    /// How long to wait for each answer.
    pub(crate) patience: Duration,
}

/// What came of one question.
#[derive(Debug)]
pub(crate) enum Pinged {
    /// It was answered.
    Reply(u32, Reply),
    /// It was not answered, and why.
    Lost(u32, Failure),
}

/// What came of all questions.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Questions asked.
    pub(crate) sent: u32,
    /// Round-trip times of those that were answered, in milliseconds.
    pub(crate) times: Vec<f64>,
}

/// Asks as often as wanted, tells what comes of each, and returns a summary.
///
/// # Errors
/// Whatever keeps it from asking at all: an unknown or ambiguous name, no mediator, a mediator that cannot be reached.
pub(crate) async fn run(request: Request, tell: &mut dyn FnMut(&Pinged)) -> Result<Summary, Failure> {
    let mut direct = match local_api::is_served(&request.home).await {
        true => None,
        false => Some(Direct::open(&request).await?),
    };
    let mut summary = Summary::default();
    for number in 1..=request.count {
        if number > 1 {
            sleep(request.interval).await;
        }
        let answer = match &mut direct {
            Some(direct) => direct.ping(request.patience).await,
            None => local_api::ping(&request.home, &request.name, request.patience).await,
        };
        summary.sent = number;
        match answer {
            Ok(reply) => {
                summary.times.push(reply.rtt_ms);
                tell(&Pinged::Reply(number, reply));
            }
            Err(failure) if failure.kind == Kind::NoAnswer => tell(&Pinged::Lost(number, failure)),
            Err(failure) => return Err(failure),
        }
    }
    if let Some(direct) = direct {
        direct.link.close().await;
        for (_, link) in direct.others {
            link.close().await;
        }
    }
    Ok(summary)
}

/// A home's mailbox without an engine.
struct Direct {
    identity: Identity,
    connection: ConnectionDid,
    mailbox: Mailbox,
    contact: Contact,
    /// The connection DID that is pinged.
    did: String,
    /// The mediator through which it is pinged.
    keeper: String,
    own_mediator: String,
    link: MediatorLink,
    /// The contact's mediator, if it has another one.
    others: HashMap<String, MediatorLink>,
    heard: mpsc::Receiver<FromMediator>,
    to_us: mpsc::Sender<FromMediator>,
    rng: SystemRng,
    _lock: EngineLock,
}

/// The trust ping that waits for its answer.
struct Waiting {
    id: String,
    forward: String,
    sent: Instant,
}

impl Direct {
    /// Finds the contact, connects to the own mediator and waits until mail arrives.
    async fn open(request: &Request) -> Result<Self, Failure> {
        let home = &request.home;
        let contact = who::find(&request.name, &home.contacts()?.contacts)?.clone();
        let given = request.mediators.iter().map(|link| read_mediator_link(link, unix_now()));
        let given = MediatorChoice::of(given.collect::<Result<_, _>>()?);
        let did = contact.connections.first().cloned().unwrap_or_default();
        let theirs = mediators_of(&did);
        let mediators = match (given.or(home.mediator()?), &theirs) {
            (Some(choice), _) => choice.all(),
            // Whoever only joined rooms has none of its own. The contact's serves as well, and the contact uses it.
            (None, Ok(theirs)) => theirs.clone(),
            (None, Err(_)) => {
                let message = "this home has no mediator yet, so no answer could reach it";
                return Err(
                    Failure::new(Kind::NoMediator, message).hint("didagent ping --mediator LINK NAME")
                );
            }
        };
        let silent = |mediator: &str| tracing::warn!(host = host_of(mediator), "a mediator does not answer");
        let own_mediator =
            those_that_answer(mediators, None, 1, silent).await.into_iter().next().unwrap_or_default();
        // The own one, if it is one of theirs: it tells when it does not know them.
        let keeper = match theirs.unwrap_or_default() {
            theirs if theirs.contains(&own_mediator) => own_mediator.clone(),
            theirs => {
                let first =
                    those_that_answer(theirs, Some(&own_mediator), 1, silent).await.into_iter().next();
                first.unwrap_or_default()
            }
        };
        let lock = home.lock("ping")?;
        let identity = home.identity_or_new()?;
        let connection = identity.connection(&own_mediator);
        let mut rng = system_rng()?;
        let (to_us, heard) = mpsc::channel(QUEUE);
        let link = websocket::connect(&own_mediator, None, to_us.clone())?;
        let (mailbox, first) = Mailbox::open(connection.clone(), Instant::now(), &mut rng);
        let others = HashMap::new();
        let mut direct = Self {
            identity,
            connection,
            mailbox,
            contact,
            did,
            keeper,
            own_mediator,
            link,
            others,
            heard,
            to_us,
            rng,
            _lock: lock,
        };
        direct.send_to_mediator(first).await?;
        let deadline = tokio::time::Instant::now() + MAILBOX;
        while !direct.mailbox.is_live() {
            let Some(FromMediator { mediator, heard, .. }) = direct.next(deadline).await? else {
                return Err(Failure::new(
                    Kind::MediatorForeign,
                    format!("the mediator did not set up a mailbox within {} s", MAILBOX.as_secs()),
                )
                .hint("check the mediator's link, and whether the mediator still has the same identity"));
            };
            direct.hear(&mediator, heard, None).await?;
        }
        tracing::info!("the mailbox is live");
        Ok(direct)
    }

    /// Sends one trust ping and waits for its answer.
    async fn ping(&mut self, patience: Duration) -> Result<Reply, Failure> {
        let deadline = tokio::time::Instant::now() + patience;
        let id = new_id(&mut self.rng);
        let ping = Ping { response_requested: true }.message(id.clone());
        let post = Post { identity: &self.identity, connection: &self.connection };
        let unusable = |error: &dyn std::fmt::Display| {
            Failure::new(Kind::NoAnswer, format!("{} cannot be written to: {error}", self.contact.shown()))
        };
        let parcel = post
            .to_party_at(ping, &self.did, &self.keeper, unix_now(), &mut self.rng)
            .map_err(|error| unusable(&error))?;
        let link = if parcel.mediator == self.own_mediator {
            &self.link
        } else {
            if !self.others.contains_key(&parcel.mediator) {
                let link =
                    websocket::connect(&parcel.mediator, Some(&self.own_mediator), self.to_us.clone())?;
                self.others.insert(parcel.mediator.clone(), link);
            }
            self.others.get(&parcel.mediator).unwrap_or(&self.link)
        };
        let waiting = Waiting { id, forward: parcel.thread, sent: Instant::now() };
        link.send(parcel.text).await;
        loop {
            let Some(FromMediator { mediator, heard, .. }) = self.next(deadline).await? else {
                return Err(no_answer(self.contact.shown(), patience));
            };
            if let Some(rtt) = self.hear(&mediator, heard, Some(&waiting)).await? {
                return Ok(Reply {
                    name: self.contact.shown().to_owned(),
                    identity: Some(self.contact.identity.clone()),
                    way: Way::Didcomm,
                    via: host_of(&self.keeper),
                    rtt_ms: milliseconds(rtt),
                });
            }
        }
    }

    /// Waits for what a mediator says next, and does meanwhile what the mailbox wants; `None` when the time is over.
    async fn next(&mut self, deadline: tokio::time::Instant) -> Result<Option<FromMediator>, Failure> {
        loop {
            let due = self.mailbox.deadline().map(tokio::time::Instant::from);
            let wake = due.map_or(deadline, |due| due.min(deadline));
            // We hold a sender ourselves, so there is always another message or the deadline.
            if let Ok(heard) = timeout_at(wake, self.heard.recv()).await {
                return Ok(heard);
            }
            if wake >= deadline {
                return Ok(None);
            }
            if let Some(request) = self.mailbox.timeout(wake.into_std(), &mut self.rng) {
                self.send_to_mediator(request).await?;
            }
        }
    }

    /// Takes what a mediator says; returns how long the answer took once it is there.
    async fn hear(
        &mut self,
        mediator: &str,
        heard: Heard,
        waiting: Option<&Waiting>,
    ) -> Result<Option<Duration>, Failure> {
        let text = match heard {
            Heard::Text(text) => text,
            Heard::Unreachable(failure) if mediator == self.own_mediator => return Err(failure),
            Heard::Lost(why) if mediator == self.own_mediator => {
                let message = format!("lost the connection to the mediator: {why}");
                return Err(Failure::new(Kind::MediatorLost, message).hint("check that the mediator runs"));
            }
            Heard::Unreachable(Failure { message, .. }) | Heard::Lost(message) => {
                self.others.remove(mediator);
                let name = self.contact.shown();
                let message = format!("the mediator of {name} cannot be used: {message}");
                return Err(Failure::new(Kind::NoAnswer, message));
            }
        };
        let Some((sender, message)) = self.open_envelope(&text) else { return Ok(None) };
        if sender != mediator {
            return Ok(None);
        }
        if let Ok(report) = ProblemReport::try_from(&message) {
            let thread = message.pthid.as_deref();
            if mediator == self.own_mediator
                && let Some(next) = self.mailbox.refused(&report, thread, Instant::now(), &mut self.rng)?
            {
                self.send_to_mediator(next).await?;
                return Ok(None);
            }
            if waiting.is_some_and(|waiting| thread == Some(&waiting.forward)) {
                let name = self.contact.shown();
                let message = format!("{name} is not online: its mediator does not know it");
                return Err(Failure::new(Kind::NoAnswer, message));
            }
        }
        if mediator != self.own_mediator {
            return Ok(None);
        }
        match self.mailbox.handle(&message, Instant::now(), &mut self.rng)? {
            Step::Send(message) => self.send_to_mediator(message).await?,
            Step::Route(routing) => {
                self.connection = self.identity.connection(&routing);
                let (mailbox, request) =
                    Mailbox::open_routed(self.connection.clone(), Instant::now(), &mut self.rng);
                self.mailbox = mailbox;
                self.send_to_mediator(request).await?;
            }
            Step::Mail { messages, receipt } => {
                let answer = messages
                    .iter()
                    .filter_map(|text| self.open_envelope(text))
                    .find(|one| waiting.is_some_and(|waiting| is_answer(one, &self.did, &waiting.id)));
                self.send_to_mediator(receipt).await?;
                return Ok(answer.and(waiting).map(|waiting| waiting.sent.elapsed()));
            }
            Step::Live | Step::Nothing => {}
        }
        Ok(None)
    }

    /// Opens an envelope and returns its authenticated sender.
    fn open_envelope(&self, text: &str) -> Option<(String, Message)> {
        let post = Post { identity: &self.identity, connection: &self.connection };
        let opened = post.open(text.as_bytes(), unix_now()).ok()?;
        Some((opened.sender?.did, opened.message))
    }

    async fn send_to_mediator(&mut self, message: Message) -> Result<(), Failure> {
        let post = Post { identity: &self.identity, connection: &self.connection };
        let parcel = post
            .to_mediator(message, &self.own_mediator, unix_now(), &mut self.rng)
            .map_err(|error| Failure::new(Kind::Other, format!("a message cannot be sent: {error}")))?;
        self.link.send(parcel.text).await;
        Ok(())
    }
}

fn is_answer((sender, message): &(String, Message), did: &str, id: &str) -> bool {
    sender == did && message.thread() == id && PingResponse::try_from(message).is_ok()
}
