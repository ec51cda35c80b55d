//! The engine's side of the local socket.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

use super::{Answer, Ask, Asked, LONGEST_PING, MAX_LINE, PROMPT, Refusal, Reply, Request, Shown, VERSION};
use super::{Way, no_answer, silent};
use crate::core::status::{PartyStatus, SessionState, Status, host_of, milliseconds};
use crate::core::who::{self, Named};
use crate::failure::{Failure, Kind};
use crate::io::home::Home;
use crate::io::os::{self, LocalListener, LocalStream};
use crate::io::peer::Peer;
use crate::io::unix_now;

/// Commands that are answered at a time; one more is turned away. A supervisor does not count.
const MAX_ASKERS: usize = 32;

/// Listens on the home's local socket and answers from `shown` until the task is dropped with the runtime. What only the
/// engine can do goes to `asks`.
///
/// # Errors
/// [`Kind::HomeUnusable`] when the socket cannot be made.
pub(crate) fn serve(
    home: &Home,
    shown: watch::Receiver<Shown>,
    asks: mpsc::Sender<Ask>,
) -> Result<Serving, Failure> {
    let path = os::local_socket_path(home.path());
    let (listener, file) = os::bind_local(&path).map_err(|error| {
        Failure::new(Kind::HomeUnusable, format!("cannot listen on {}: {error}", path.display()))
    })?;
    let desk = Desk { home: home.clone(), shown, asks, askers: Arc::new(Semaphore::new(MAX_ASKERS)) };
    Ok(Serving { accepting: tokio::spawn(accept(listener, desk)), _file: file })
}

/// The serving socket; it closes and its file goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Serving {
    accepting: tokio::task::JoinHandle<()>,
    _file: os::SocketFile,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What every answering task needs.
#[derive(Clone)]
struct Desk {
    home: Home,
    shown: watch::Receiver<Shown>,
    asks: mpsc::Sender<Ask>,
    askers: Arc<Semaphore>,
}

async fn accept(listener: LocalListener, desk: Desk) {
    loop {
        match listener.accept().await {
            Ok(stream) => {
                tokio::spawn(desk.clone().answer(stream));
            }
            // Out of file descriptors or the like: others may free some.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

impl Desk {
    async fn answer(mut self, mut stream: LocalStream) {
        let (read, mut write) = stream.split();
        let mut lines = BufReader::new(read).take(MAX_LINE).lines();
        let Ok(Ok(Some(line))) = timeout(PROMPT, lines.next_line()).await else { return };
        let request = match read_request(&line) {
            Ok(request) => request,
            Err(failure) => return say(&mut write, refused(&failure)).await,
        };
        tracing::trace!(?request, "asked on the local socket");
        if matches!(request, Request::Supervise) {
            tokio::select! {
                stopped = self.shown.wait_for(|shown| shown.stop) => if stopped.is_err() { return },
                // The supervisor hung up: the program has ended.
                _ = lines.next_line() => return,
            }
            say(&mut write, Answer { stop: true, ..Answer::default() }).await;
            // Held open: its end is what tells the supervisor that the engine died.
            let _ = lines.next_line().await;
            return;
        }
        let askers = Arc::clone(&self.askers);
        let Ok(_permit) = askers.try_acquire() else {
            return say(&mut write, refused(&silent("too many ask at once"))).await;
        };
        let answer = tokio::select! {
            answer = self.respond(request) => answer,
            // Whoever asked is gone, so nothing is left to do for it.
            _ = lines.next_line() => return,
        };
        say(&mut write, answer).await;
    }

    async fn respond(&mut self, request: Request) -> Answer {
        match request {
            Request::Ports => match self.shown.wait_for(|shown| shown.ports.is_some()).await {
                Ok(shown) => Answer { ports: shown.ports.clone(), ..Answer::default() },
                Err(_) => Answer::default(),
            },
            Request::Status { link } => {
                Answer { status: self.status(link).map(Box::new), ..Answer::default() }
            }
            Request::Ping { name } => match self.ping(&name).await {
                Ok(reply) => Answer { reply: Some(reply), ..Answer::default() },
                Err(failure) => refused(&failure),
            },
            Request::Address { name } => match self.target(&name).and_then(|target| target.address(&name)) {
                Ok(did) => Answer { did: Some(did), ..Answer::default() },
                Err(failure) => refused(&failure),
            },
            Request::Room { order, name } => {
                let (answer, answered) = oneshot::channel();
                let asked = self.asks.try_send(Ask::Room { order, name, answer });
                match (asked, answered.await) {
                    (Ok(()), Ok(Ok(()))) => Answer { done: true, ..Answer::default() },
                    (Ok(()), Ok(Err(failure))) => refused(&failure),
                    _ => refused(&silent("it is busy")),
                }
            }
            // Answered where the connection is at hand.
            Request::Supervise => Answer::default(),
        }
    }

    fn status(&self, link: bool) -> Option<Status> {
        let shown = self.shown.borrow();
        let mut status = shown.status.as_deref()?.clone();
        status.now = unix_now();
        for party in &mut status.parties {
            if let Some(peer) = shown.peers.get(&party.index) {
                add_facts(party, peer);
            }
        }
        if let Some(room) = status.room.as_mut().filter(|_| link) {
            room.link = shown.link.clone();
        }
        Some(status)
    }

    async fn ping(&self, name: &str) -> Result<Reply, Failure> {
        let target = self.target(name)?;
        if let Some(peer) = target.peer.as_ref().filter(|peer| peer.facts().up) {
            // A session that ends meanwhile leaves the way through the mailboxes.
            if let Some(rtt) = peer.ping().await {
                return Ok(Reply {
                    name: target.name,
                    identity: target.identity,
                    way: Way::Session,
                    via: target.relay.unwrap_or_default(),
                    rtt_ms: milliseconds(rtt),
                });
            }
        }
        let did = target.address(name)?;
        let via = crate::core::post::mediator_of(&did).map_or_else(|_| host_of(&did), |did| host_of(&did));
        let (answer, answered) = oneshot::channel();
        let busy = || silent("it is busy");
        self.asks.try_send(Ask::Ping { did, answer }).map_err(|_| busy())?;
        match timeout(LONGEST_PING, answered).await {
            Ok(Ok(Ok(rtt))) => Ok(Reply {
                name: target.name,
                identity: target.identity,
                way: Way::Didcomm,
                via,
                rtt_ms: milliseconds(rtt),
            }),
            Ok(Ok(Err(failure))) => Err(failure),
            Ok(Err(_)) => Err(busy()),
            Err(_) => Err(no_answer(name, LONGEST_PING)),
        }
    }

    /// Finds a party of the room, or else a contact.
    fn target(&self, name: &str) -> Result<Target, Failure> {
        let mut known: Vec<Target> = Vec::new();
        {
            let shown = self.shown.borrow();
            let parties = shown.status.iter().flat_map(|status| &status.parties);
            known.extend(parties.map(|party| Target {
                name: party.name.clone(),
                identity: party.identity.clone(),
                is_us: party.path == Some(crate::core::status::PathKind::Ourselves),
                did: shown.dids.get(&party.index).cloned(),
                peer: shown.peers.get(&party.index).cloned(),
                relay: party.via.clone(),
            }));
        }
        let others: Vec<&Target> = known.iter().filter(|one| !one.is_us).collect();
        let found = match who::find(name, &known) {
            Ok(target) => Ok(target),
            // What it suggests must not be ourselves.
            Err(_) => who::find(name, &others).copied(),
        };
        let target = match found {
            Err(failure) if failure.kind == Kind::NameUnknown => {
                let contacts = self.home.contacts()?.contacts;
                let in_room = |identity: &str| known.iter().any(|one| one.identity() == Some(identity));
                // By the name that our person gave it.
                let named = contacts.iter().find(|contact| contact.petname.as_deref() == Some(name.trim()));
                let here = named.and_then(|named| {
                    known.iter().find(|one| one.identity() == Some(named.identity.as_str()))
                });
                if let Some(here) = here {
                    return Ok(here.clone());
                }
                let others = contacts.into_iter().filter(|contact| !in_room(&contact.identity));
                let others: Vec<_> = others
                    .map(|contact| Target {
                        did: contact.connections.first().cloned(),
                        name: contact.shown().to_owned(),
                        identity: Some(contact.identity),
                        is_us: false,
                        peer: None,
                        relay: None,
                    })
                    .collect();
                who::find(name, &others).cloned().map_err(|other| match other.kind {
                    // Its hint names contacts only; the first one names those who are here.
                    Kind::NameUnknown if !known.is_empty() => failure,
                    _ => other,
                })?
            }
            found => found.cloned()?,
        };
        if target.is_us {
            return Err(Failure::new(Kind::Usage, format!("{name} is this party itself")));
        }
        Ok(target)
    }
}

/// Whom a ping is for.
#[derive(Debug, Clone)]
struct Target {
    name: String,
    identity: Option<String>,
    is_us: bool,
    did: Option<String>,
    peer: Option<Peer>,
    /// Host of the relay of its session.
    relay: Option<String>,
}

impl Target {
    fn address(&self, name: &str) -> Result<String, Failure> {
        self.did.clone().ok_or_else(|| {
            let why = "only the host knows its address until the room is full";
            Failure::new(Kind::NoAnswer, format!("{name} cannot be reached yet: {why}"))
        })
    }
}

impl Named for Target {
    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }
}

fn add_facts(party: &mut PartyStatus, peer: &Peer) {
    let facts = peer.facts();
    party.session = Some(match (facts.up, facts.over) {
        (_, true) => SessionState::Ended,
        (true, false) if facts.away => SessionState::Reconnecting,
        (true, false) => SessionState::Up,
        (false, false) => SessionState::Opening,
    });
    party.rtt_ms = facts.rtt.map(milliseconds);
    party.last_contact_ms = u64::try_from(facts.silent.as_millis()).ok();
    party.streams = Some(facts.streams);
    party.bytes_up = Some(facts.bytes_up);
    party.bytes_down = Some(facts.bytes_down);
}

fn read_request(line: &str) -> Result<Request, Failure> {
    let value: serde_json::Value =
        serde_json::from_str(line).map_err(|_| silent("the question is not JSON"))?;
    if value.get("v").and_then(serde_json::Value::as_u64) != Some(u64::from(VERSION)) {
        return Err(silent(&format!("it speaks version {VERSION} of the local protocol")));
    }
    let asked: Asked =
        serde_json::from_value(value).map_err(|_| silent("it does not know what was asked"))?;
    Ok(asked.request)
}

fn refused(failure: &Failure) -> Answer {
    Answer { error: Some(Refusal::new(failure)), ..Answer::default() }
}

/// Answers with one line. Who does not read it is left.
async fn say(write: &mut (impl tokio::io::AsyncWrite + Unpin), mut answer: Answer) {
    answer.v = VERSION;
    let mut line = serde_json::to_vec(&answer).unwrap_or_default();
    line.push(b'\n');
    let _ = timeout(PROMPT, write.write_all(&line)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides LP-03.
    #[test]
    fn requests_of_this_version_are_read_and_no_others() {
        assert!(matches!(read_request(r#"{"v":1,"request":"ports"}"#), Ok(Request::Ports)));
        assert!(matches!(read_request(r#"{"v":1,"request":"supervise"}"#), Ok(Request::Supervise)));
        let status = |text| match read_request(text) {
            Ok(Request::Status { link }) => Some(link),
            _ => None,
        };
        assert_eq!(status(r#"{"v":1,"request":"status"}"#), Some(false));
        assert_eq!(status(r#"{"v":1,"request":"status","link":true,"later":1}"#), Some(true));
        let whole = r#"{"v":1,"request":"ping","name":"bob"}"#;
        assert!(matches!(read_request(whole), Ok(Request::Ping { name }) if name == "bob"));
        for end in 0..whole.len() {
            assert_eq!(read_request(&whole[..end]).unwrap_err().kind, Kind::EngineSilent, "{end}");
        }
        for bad in [
            "[]",
            "1",
            r#"{"request":"ports"}"#,
            r#"{"v":2,"request":"ports"}"#,
            r#"{"v":"1","request":"ports"}"#,
            r#"{"v":1,"request":"open"}"#,
            r#"{"v":1,"request":"ping"}"#,
            r#"{"v":1,"request":"ping","name":7}"#,
            r#"{"v":1,"request":"ports"} more"#,
        ] {
            assert_eq!(read_request(bad).unwrap_err().kind, Kind::EngineSilent, "{bad}");
        }
    }

    /// Decides LP-04.
    #[test]
    fn a_failure_survives_the_way_over_the_socket() {
        let failure = Failure::new(Kind::NameAmbiguous, "two").hint("try");
        let line = serde_json::to_string(&refused(&failure)).unwrap();
        let answer: Answer = serde_json::from_str(&line).unwrap();
        let back = answer.error.unwrap().into_failure();
        assert_eq!((back.kind, back.message, back.hint), (failure.kind, failure.message, failure.hint));
        let unknown = Refusal { code: "E9999".into(), message: "later".into(), hint: None }.into_failure();
        assert_eq!((unknown.kind, unknown.message.as_str()), (Kind::Other, "later"));
    }
}
