//! The desk: what the engine tells those who ask, and what it answers to anybody's message that is not about a room.
//!
//! ```text
//! engine --Shown--> local socket --> status, ping over a session
//! local socket --Ask--> engine --ping--> mailboxes --> party
//!                       engine <--ping-response-- ...
//! ```
//!
//! Not its concern: the local socket (`io::local_api`), what deserves an answer (`core::courtesy`).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::trust_ping::{Ping, PingResponse};
use tokio::sync::{mpsc, oneshot};

use super::{End, Engine, now, strangers};
use crate::core::connect::showable;
use crate::core::courtesy::{Courtesy, Reaction, Standing};
use crate::core::invite::new_id;
use crate::core::post::{Post, mediators_of};
use crate::core::room::{Input, Room, ThresholdRule, describe, room_name};
use crate::core::status::{
    self, MAX_TEXTS, MediatorStatus, PartyStatus, PathKind, Phase, ProgramStatus, RoomStatus, Status,
    TextStatus, WHY_RELAY, host_of,
};
use crate::core::who;
use crate::failure::{Failure, Kind};
use crate::io::local_api::{Ask, Order};
use crate::io::unix_now;
use crate::report::{Report, Reporter};

/// Trust pings that wait for their answers.
const MAX_PINGS: usize = 16;

/// What the engine keeps for those who ask.
pub(super) struct Desk {
    pub(super) asks: mpsc::Receiver<Ask>,
    /// Whether our mediator answered, and has not gone since.
    pub(super) connected: bool,
    /// The room's link, at a host.
    pub(super) link: Option<String>,
    /// When the program was started, in UTC seconds.
    pub(super) started: Option<u64>,
    pub(super) ending: bool,
    role: status::Role,
    name: String,
    since: u64,
    /// The program without its arguments.
    program: Option<String>,
    courtesy: Courtesy,
    /// How many texts were shown, and the last of them.
    texts: (u64, VecDeque<TextStatus>),
    /// Trust pings that were sent, by their thread.
    pings: HashMap<String, Pending>,
    phase: Option<Phase>,
}

/// A trust ping that was sent.
struct Pending {
    did: String,
    mediator: String,
    /// The thread in which our mediator reports that it cannot deliver.
    forward: String,
    sent: Instant,
    answer: oneshot::Sender<Result<Duration, Failure>>,
}

impl Desk {
    pub(super) fn new(
        asks: mpsc::Receiver<Ask>,
        is_host: bool,
        name: String,
        program: Option<String>,
    ) -> Self {
        Self {
            asks,
            connected: false,
            link: None,
            started: None,
            ending: false,
            role: if is_host { status::Role::Host } else { status::Role::Guest },
            name,
            since: unix_now(),
            program,
            courtesy: Courtesy::default(),
            texts: (0, VecDeque::new()),
            pings: HashMap::new(),
            phase: None,
        }
    }

    /// Tells those who wait for parties of this mediator that it is gone.
    pub(super) fn mediator_gone(&mut self, mediator: &str, why: &str) {
        for (_, pending) in self.pings.extract_if(|_, pending| pending.mediator == mediator) {
            let _ = pending.answer.send(Err(Failure::new(Kind::NoAnswer, why)));
        }
    }

    /// Takes a report that a forward could not be delivered, and says whether it was one of a trust ping.
    pub(super) fn undelivered(&mut self, thread: Option<&str>) -> bool {
        let id = self.pings.iter().find(|(_, pending)| Some(pending.forward.as_str()) == thread);
        let Some(id) = id.map(|(id, _)| id.clone()) else { return false };
        if let Some(pending) = self.pings.remove(&id) {
            let failure = Failure::new(Kind::NoAnswer, "its mediator does not know it: it is not online");
            let _ = pending.answer.send(Err(failure));
        }
        true
    }

    fn answered(&mut self, sender: &str, message: &Message) {
        if self.pings.get(message.thread()).is_none_or(|pending| pending.did != sender) {
            return;
        }
        if let Some(pending) = self.pings.remove(message.thread()) {
            let _ = pending.answer.send(Ok(pending.sent.elapsed()));
        }
    }
}

/// Says whether threshold 0 would come of beginning with so few: nobody has said that this is meant (RM-83).
fn loses_privacy(room: &Room, parties: usize) -> bool {
    let rule = room.member().threshold.unwrap_or(ThresholdRule::Default);
    rule.among(parties) == 0 && room.capacity().is_some_and(|seats| rule.among(seats) > 0)
}

impl Engine {
    /// Publishes what those who ask are told, but for what changes all the time.
    pub(super) fn publish(&mut self) {
        let status = Box::new(self.status());
        if self.desk.phase.replace(status.phase) != Some(status.phase) {
            tracing::info!(phase = ?status.phase, parties = status.parties.len(), "phase");
        }
        let dids: BTreeMap<usize, String> = match (&self.roster, &self.room) {
            (Some(roster), _) => {
                roster.body().parties.iter().map(|party| (party.index, party.did.clone())).collect()
            }
            (None, Some(room)) => {
                room.seats().into_iter().filter_map(|seat| Some((seat.index, seat.did?))).collect()
            }
            (None, None) => BTreeMap::new(),
        };
        self.shown.send_modify(|shown| {
            shown.status = Some(status);
            shown.peers.clone_from(&self.peers);
            shown.dids = dids;
            shown.link.clone_from(&self.desk.link);
        });
    }

    fn status(&self) -> Status {
        Status {
            v: status::VERSION,
            type_: "status".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            home: self.home.path().display().to_string(),
            since: self.desk.since,
            now: unix_now(),
            phase: self.phase(),
            role: self.desk.role,
            name: self.desk.name.clone(),
            identity: self.identity.did().to_owned(),
            mediator: MediatorStatus {
                host: host_of(&self.own_mediator),
                connected: self.desk.connected && self.links.contains_key(&self.own_mediator),
            },
            room: self.room.as_ref().map(|room| RoomStatus {
                id: room.invitation().room().to_owned(),
                name: match &room.member().list {
                    Some(listing) => listing.list.room_name(),
                    None => room_name(room.invitation().room()),
                },
                seats: room.capacity(),
                missing: room.capacity().map(|seats| seats.saturating_sub(self.parties().len())),
                waiting: room.waiting(),
                threshold: self.roster.as_ref().map(|roster| roster.body().threshold),
                link_expires: room.invitation().expires(),
                link: None,
            }),
            parties: self.parties(),
            applicants: self.applicants(),
            ports: self.shown.borrow().ports.clone(),
            program: self
                .desk
                .program
                .clone()
                .map(|command| ProgramStatus { command, since: self.desk.started }),
            texts: self.desk.texts.0,
            messages: self.desk.texts.1.iter().cloned().collect(),
        }
    }

    fn phase(&self) -> Phase {
        match (&self.room, &self.roster, &self.run) {
            _ if self.desk.ending => Phase::Ending,
            (_, _, Some(_)) => Phase::Running,
            (Some(room), Some(_), None) if room.confirming().is_some() => Phase::Confirming,
            (_, Some(_), None) => Phase::Forming,
            (Some(_), None, None) => Phase::Waiting,
            (None, None, None) => Phase::Connecting,
        }
    }

    fn parties(&self) -> Vec<PartyStatus> {
        let seats = match (&self.roster, &self.room) {
            (Some(roster), _) => {
                let parties = roster.body().parties.iter();
                let ours = &self.connection.did;
                parties
                    .map(|party| {
                        let identity = Some(party.identity.clone());
                        (PartyStatus::new(party.index, party.name.clone(), identity), party.did == *ours)
                    })
                    .collect()
            }
            (None, Some(room)) => room
                .seats()
                .into_iter()
                .map(|seat| (PartyStatus::new(seat.index, seat.name, seat.identity), seat.is_us))
                .collect(),
            (None, None) => Vec::new(),
        };
        let relay = self.roster.as_ref().map(|roster| host_of(&roster.body().relay));
        let finish = |(mut party, is_us): (PartyStatus, bool)| {
            if is_us {
                party.path = Some(PathKind::Ourselves);
            } else if self.peers.contains_key(&party.index) {
                party.path = Some(PathKind::Relay);
                party.via.clone_from(&relay);
                party.why = Some(WHY_RELAY.to_owned());
            }
            party
        };
        seats.into_iter().map(finish).collect()
    }

    /// Reports how a party is reached, or that it is not reached any more.
    pub(super) fn report_path(&self, index: usize, up: bool, reporter: &mut dyn Reporter) {
        let Some(roster) = &self.roster else { return };
        let Some(party) = roster.party(index) else { return };
        reporter.report(&Report::Path {
            index,
            name: party.name.clone(),
            identity: party.identity.clone(),
            via: host_of(&roster.body().relay),
            rtt: self.peers.get(&index).and_then(|peer| peer.facts().rtt).filter(|_| up),
            up,
        });
    }

    /// Does what a command asks for, and says whether that ends everything.
    pub(super) async fn ask(&mut self, ask: Ask, reporter: &mut dyn Reporter) -> Option<End> {
        match ask {
            Ask::Ping { did, answer } => {
                self.ask_party(did, answer).await;
                None
            }
            Ask::Room { order, name, answer } => {
                let done = self.order(order, name.as_deref());
                self.ask_person(reporter);
                let is_end = order == Order::Close && done.is_ok();
                let _ = answer.send(done);
                is_end.then_some(End::Interrupted)
            }
        }
    }

    /// Does what the person of a host wants done in the room.
    fn order(&mut self, order: Order, name: Option<&str>) -> Result<(), Failure> {
        let not_now = |why: &str| Failure::new(Kind::NotNow, why);
        match order {
            Order::Confirm => return self.answer_for_us(true, name),
            Order::Refuse => return self.answer_for_us(false, None),
            Order::Kick | Order::Start | Order::Close | Order::Approve | Order::TurnAway => {}
        }
        let room = self.room.as_mut().ok_or_else(|| not_now("no room is open yet"))?;
        if self.desk.role != status::Role::Host {
            return Err(not_now("this party is a guest; only the host decides about the room")
                .hint("Ctrl-C where `didagent join` runs gives this party's seat back"));
        }
        if order == Order::Close {
            return Ok(());
        }
        if !room.is_lobby() {
            return Err(
                not_now("the room is full, and its seats are not given again").hint("didagent room close")
            );
        }
        if matches!(order, Order::Approve | Order::TurnAway) {
            return self.decide(order, name.unwrap_or_default());
        }
        let seats = room.seats();
        let input = match order {
            Order::Kick => {
                let found = who::find(name.unwrap_or_default(), &seats);
                let index = found.map_err(|failure| who::hinting(failure, "room kick"))?.index;
                if index == 0 {
                    return Err(not_now("the host has its own seat").hint("didagent room close"));
                }
                Input::Kick(index)
            }
            Order::Start if room.member().list.is_some() => {
                return Err(not_now("who takes part is known beforehand, and some are missing"));
            }
            Order::Start if seats.len() < 2 => return Err(not_now("nobody else is there yet")),
            Order::Start if loses_privacy(room, seats.len()) => {
                return Err(not_now(
                    "with two parties each alone could open all inputs, and everybody came to a larger room",
                )
                .hint("wait for one more; or didagent room close, and invite --parties 2 --no-privacy"));
            }
            Order::Start
            | Order::Close
            | Order::Confirm
            | Order::Refuse
            | Order::Approve
            | Order::TurnAway => Input::Start,
        };
        room.handle(input, now(), &mut self.rng);
        Ok(())
    }

    /// Sends a trust ping for a command that asks for it.
    async fn ask_party(&mut self, did: String, answer: oneshot::Sender<Result<Duration, Failure>>) {
        self.desk.pings.retain(|_, pending| !pending.answer.is_closed());
        let refuse = |answer: oneshot::Sender<_>, why: String| {
            let _ = answer.send(Err(Failure::new(Kind::NoAnswer, why)));
        };
        if self.keeps_apart_from(&did) {
            return refuse(answer, strangers::APART.to_owned());
        }
        if self.desk.pings.len() >= MAX_PINGS {
            return refuse(answer, "too many pings are on their way".to_owned());
        }
        let id = new_id(&mut self.rng);
        let ping = Ping { response_requested: true }.message(id.clone());
        let post = Post { identity: &self.identity, connection: &self.connection };
        let mediators = mediators_of(&did).unwrap_or_default();
        let linked = mediators.iter().find(|mediator| self.links.contains_key(*mediator));
        let mediator = linked.or(mediators.first()).map_or("", String::as_str);
        let parcel = match post.to_party_at(ping, &did, mediator, unix_now(), &mut self.rng) {
            Ok(parcel) => parcel,
            Err(error) => return refuse(answer, format!("it cannot be written to: {error}")),
        };
        // The address is that of a contact or of a party of this room, and our own person asks.
        let linked = self.link_to(&parcel.mediator);
        let sent = self
            .links
            .get(&parcel.mediator)
            .is_some_and(|link| linked.is_ok() && link.send_if_room(parcel.text));
        if !sent {
            return refuse(answer, "its mediator cannot be connected to".to_owned());
        }
        let (mediator, forward, sent) = (parcel.mediator, parcel.thread, Instant::now());
        self.desk.pings.insert(id, Pending { did, mediator, forward, sent, answer });
    }

    /// Takes a message that may not be about a room, and says whether it was taken.
    pub(super) async fn courtesy(
        &mut self,
        sender: &Authenticated,
        message: &Message,
        reporter: &mut dyn Reporter,
    ) -> Result<bool, Failure> {
        if PingResponse::try_from(message).is_ok() {
            self.desk.answered(&sender.did, message);
            return Ok(true);
        }
        if self.room.as_ref().is_some_and(|room| room.is_refused_by(message)) {
            return Ok(false);
        }
        let who = self.whom_we_know(&sender.did);
        let standing = if who.is_some() { Standing::Known } else { Standing::Stranger };
        match self.desk.courtesy.handle(&sender.did, standing, message, Instant::now(), &mut self.rng) {
            Reaction::NotOurs => return Ok(false),
            Reaction::Ignore => tracing::debug!("a message was not answered"),
            Reaction::Tell(words) => {
                let who = who.unwrap_or_default();
                reporter.report(&Report::Warning(format!("{who} reports a problem: {words}")));
            }
            Reaction::Text(text) => {
                let (count, last) = &mut self.desk.texts;
                *count += 1;
                if last.len() >= MAX_TEXTS {
                    last.pop_front();
                }
                last.push_back(TextStatus {
                    from: who.clone(),
                    did: sender.did.clone(),
                    text: showable(&text),
                    at: unix_now(),
                });
                reporter.report(&Report::Message { from: who, did: sender.did.clone(), text })
            }
            Reaction::Answer(answer) => {
                tracing::debug!(?standing, answer = answer.type_, "a message is answered");
                match standing {
                    Standing::Known => self.send_to_party(*answer, &sender.did).await?,
                    Standing::Stranger => self.refuse_stranger(*answer, &sender.did),
                }
            }
        }
        Ok(true)
    }

    /// Describes the party of our room or the contact with this connection DID.
    fn whom_we_know(&self, did: &str) -> Option<String> {
        if let Some(roster) = &self.roster
            && let Some(party) = roster.party_of(did)
        {
            return Some(describe(roster, party.index));
        }
        let seats = self.room.as_ref().map(Room::seats).unwrap_or_default();
        if let Some(seat) = seats.into_iter().find(|seat| seat.did.as_deref() == Some(did)) {
            return Some(format!("party {} ({})", seat.index, seat.name));
        }
        // Who is answered tells whom we have met.
        let contacts = (!self.strangers.new_did).then_some(&self.contacts);
        contacts?.met_as(did).map(|contact| contact.shown().to_owned())
    }
}

/// Returns the command as a status shows it: without arguments, which may be a party's input.
pub(super) fn command_shown(command: &[std::ffi::OsString]) -> Option<String> {
    let first = command.first()?;
    let script = didagent_bridge::launch::script_of(command);
    let words = [Some(first.as_os_str()), script];
    let words: Vec<_> = words.into_iter().flatten().map(|word| word.to_string_lossy()).collect();
    Some(didagent_didcomm::showable(&words.join(" "), 200))
}
