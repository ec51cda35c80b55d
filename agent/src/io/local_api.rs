//! The local socket of a home: how other commands on the same home attach to its engine.
//!
//! Specification: `spec/local.md`. One line of JSON is asked, one line of JSON is answered:
//!
//! ```text
//! {"v":1,"request":"ports"}               -> {"v":1,"ports":["-P","127.0.0.1:20007",...]}   once everybody is ready
//! {"v":1,"request":"status"}              -> {"v":1,"status":{...}}
//! {"v":1,"request":"ping","name":"bob"}   -> {"v":1,"reply":{"name":"bob","rtt_ms":18.3,...}}
//! {"v":1,"request":"supervise"}           -> {"v":1,"stop":true}              if the program is to be stopped
//! anything that fails                     -> {"v":1,"error":{"code":"E0801","message":"...","hint":"..."}}
//! ```
//!
//! The connection of a supervisor stays open: when the engine dies, however it dies, the supervisor sees the end of it and
//! stops the program. Only the owner of the home may connect.
//!
//! Who asks is answered by a task of its own from what the engine published last ([`Shown`]), so that nobody who asks can
//! hold up the engine or another asker. Not its concern: how answers look (`cli`).

mod serve;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::core::status::Status;
use crate::failure::{Failure, Kind};
use crate::io::home::Home;
use crate::io::os::{self, LocalStream};
use crate::io::peer::Peer;

pub(crate) use serve::{Serving, serve};

/// Version of this protocol.
const VERSION: u32 = 1;

/// Longest line in bytes, either way: a status with sixteen parties and a link are about 25 KiB.
const MAX_LINE: u64 = 64 * 1024;

/// How long a client may take for its line, an engine for an answer that is ready, and either to read.
const PROMPT: Duration = Duration::from_secs(5);

/// A ping of a party that does not answer ends after this time at the latest, if its asker has more patience.
const LONGEST_PING: Duration = Duration::from_secs(60);

#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    v: u32,
    #[serde(flatten)]
    request: Request,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
enum Request {
    Ports,
    Status {
        #[serde(default)]
        link: bool,
    },
    Ping {
        name: String,
    },
    Address {
        name: String,
    },
    Room {
        #[serde(rename = "do")]
        order: Order,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    Supervise,
}

/// What a person wants done in the room; all but an answer about the words is for the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Take the seat of a party back.
    Kick,
    /// Begin with those who are there.
    Start,
    /// End the room.
    Close,
    /// The words are the same, those that came along if there are any.
    Confirm,
    /// Let somebody in who asks.
    Approve,
    /// Do not let somebody in.
    TurnAway,
    /// The words are not the same.
    Refuse,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Answer {
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ports: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Box<Status>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<Reply>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    did: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    stop: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    done: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Refusal {
    code: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// How one question to a party was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// Its name.
    pub(crate) name: String,
    /// Its identity, if it is known already.
    pub(crate) identity: Option<String>,
    /// The way that question and answer took.
    pub(crate) way: Way,
    /// Host of the mediator on that way: the relay of the session, or the one that keeps the party's mail.
    pub(crate) via: String,
    /// From question to answer, in milliseconds.
    pub(crate) rtt_ms: f64,
}

/// The way of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    /// A ping inside the session, over its path.
    Session,
    /// A DIDComm trust ping, through the mailboxes.
    Didcomm,
}

/// What the engine tells those who attach.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// MPyC's arguments, once everybody is ready.
    pub(crate) ports: Option<Vec<String>>,
    /// The program is to be stopped.
    pub(crate) stop: bool,
    /// What the engine does, but for what changes all the time.
    pub(crate) status: Option<Box<Status>>,
    /// The parties with a session, who know what changes all the time.
    pub(crate) peers: BTreeMap<usize, Peer>,
    /// Connection DIDs of the parties, as far as they are known.
    pub(crate) dids: BTreeMap<usize, String>,
    /// The room's link, at a host.
    pub(crate) link: Option<String>,
}

/// What only the engine can do for those who ask.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A trust ping.
    Ping {
        /// The connection DID to which it goes.
        did: String,
        /// Takes how long the answer took.
        answer: oneshot::Sender<Result<Duration, Failure>>,
    },
    /// Something about the room.
    Room {
        /// What.
        order: Order,
        /// Whose seat, or the words to confirm.
        name: Option<String>,
        /// Takes whether it is done.
        answer: oneshot::Sender<Result<(), Failure>>,
    },
}

/// Asks the engine of `home` for MPyC's arguments; waits until everybody is ready.
///
/// # Errors
/// [`Kind::NoEngine`] when no engine holds the home, or it ends before everybody is ready.
pub(crate) async fn ports(home: &Home) -> Result<Vec<String>, Failure> {
    let answer = ask(home, Request::Ports).await?;
    answer.and_then(|answer| answer.ports).ok_or_else(|| {
        Failure::new(Kind::NoEngine, "the engine of this home ended before everybody was ready")
    })
}

/// Asks the engine of `home` what it does; with `link` also for the link of the room.
///
/// # Errors
/// [`Kind::NoEngine`] when no engine holds the home, [`Kind::EngineSilent`] when it does not answer.
pub(crate) async fn status(home: &Home, link: bool) -> Result<Status, Failure> {
    let answer = timeout(PROMPT, ask(home, Request::Status { link })).await;
    let answer = answer.map_err(|_| silent("it did not answer in time"))??;
    let status = answer.and_then(|answer| answer.status).ok_or_else(|| ended(home))?;
    Ok(*status)
}

/// Lets the engine of `home` ping the party or contact called `name` once.
///
/// # Errors
/// [`Kind::NoEngine`] when no engine holds the home, [`Kind::NoAnswer`] when the party did not answer within `patience`, and
/// what the engine says: the name is unknown or ambiguous.
pub(crate) async fn ping(home: &Home, name: &str, patience: Duration) -> Result<Reply, Failure> {
    let asking = timeout(patience, ask(home, Request::Ping { name: name.to_owned() })).await;
    let answer = asking.map_err(|_| no_answer(name, patience))??;
    answer.and_then(|answer| answer.reply).ok_or_else(|| ended(home))
}

/// Asks the engine of `home` at which connection DID the party or contact called `name` is written to.
///
/// # Errors
/// [`Kind::NoEngine`] when no engine holds the home, [`Kind::NoAnswer`] when the engine does not know it yet, and what it says of the name.
pub(crate) async fn address(home: &Home, name: &str) -> Result<String, Failure> {
    let answer = timeout(PROMPT, ask(home, Request::Address { name: name.to_owned() })).await;
    let answer = answer.map_err(|_| silent("it did not answer in time"))??;
    answer.and_then(|answer| answer.did).ok_or_else(|| ended(home))
}

/// Lets the engine of `home` do something about the room that it is in; `name` says whose seat, or which words.
///
/// # Errors
/// [`Kind::NoEngine`] when no engine holds the home, [`Kind::NotNow`] when it hosts no room in which people are waited for, and
/// what it says of the name.
pub(crate) async fn order(home: &Home, order: Order, name: Option<String>) -> Result<(), Failure> {
    let answer = timeout(PROMPT, ask(home, Request::Room { order, name })).await;
    let answer = answer.map_err(|_| silent("it did not answer in time"))??;
    answer.filter(|answer| answer.done).map(drop).ok_or_else(|| ended(home))
}

/// Says whether an engine listens on the home's local socket.
pub(crate) async fn is_served(home: &Home) -> bool {
    os::connect_local(&os::local_socket_path(home.path())).await.is_ok()
}

/// Returns the failure of a ping that was not answered.
pub(crate) fn no_answer(name: &str, patience: Duration) -> Failure {
    Failure::new(Kind::NoAnswer, format!("{name} did not answer within {} s", patience.as_secs_f64()))
        .hint("ask them whether their `didagent invite` or `didagent join` runs")
}

fn no_engine(home: &Home) -> Failure {
    let path = home.path().display();
    Failure::new(Kind::NoEngine, format!("no didagent is running with the home {path}"))
        .hint("start `didagent invite` or `didagent join` first, with the same --home")
}

fn ended(home: &Home) -> Failure {
    let path = home.path().display();
    Failure::new(Kind::NoEngine, format!("the didagent with the home {path} ended while it was asked"))
}

fn silent(why: &str) -> Failure {
    Failure::new(Kind::EngineSilent, format!("the didagent that holds this home cannot be asked: {why}"))
        .hint("end that command and start it again")
}

/// The supervisor's end of the local socket.
#[derive(Debug)]
pub(crate) struct Supervision(BufReader<LocalStream>);

impl Supervision {
    /// Attaches to the engine whose local socket is at `path`.
    pub(crate) async fn attach(path: &std::path::Path) -> std::io::Result<Self> {
        let mut stream = os::connect_local(path).await?;
        send(&mut stream, Request::Supervise).await?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Waits until the engine wants the program stopped. Returns `false` when the engine is gone instead.
    pub(crate) async fn stop_wanted(&mut self) -> bool {
        let mut line = String::new();
        match (&mut self.0).take(MAX_LINE).read_line(&mut line).await {
            Ok(_) => serde_json::from_str::<Answer>(&line).is_ok_and(|answer| answer.stop),
            Err(_) => false,
        }
    }
}

/// Asks the engine of `home`; `None` when it hung up without an answer.
async fn ask(home: &Home, request: Request) -> Result<Option<Answer>, Failure> {
    let mut stream =
        os::connect_local(&os::local_socket_path(home.path())).await.map_err(|_| no_engine(home))?;
    if send(&mut stream, request).await.is_err() {
        return Ok(None);
    }
    let mut lines = BufReader::new(stream).take(MAX_LINE).lines();
    let Some(line) = lines.next_line().await.ok().flatten() else { return Ok(None) };
    let answer = serde_json::from_str::<Answer>(&line).map_err(|_| silent("it speaks in another way"))?;
    match answer.error {
        Some(refusal) => Err(refusal.into_failure()),
        None => Ok(Some(answer)),
    }
}

impl Refusal {
    fn new(failure: &Failure) -> Self {
        let Failure { kind, message, hint } = failure;
        Self { code: kind.code().to_owned(), message: message.clone(), hint: hint.clone() }
    }

    fn into_failure(self) -> Failure {
        let kind = Kind::ALL.iter().find(|kind| kind.code() == self.code);
        let failure = Failure::new(kind.copied().unwrap_or(Kind::Other), self.message);
        match self.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

async fn send(stream: &mut LocalStream, request: Request) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(&Asked { v: VERSION, request })?;
    line.push(b'\n');
    stream.write_all(&line).await
}
