//! The mailbox: how a party becomes reachable through its mediator, whichever versions of the protocols that one speaks.
//!
//! Specification: coordinate-mediation 3.0 and 2.0, messagepickup 3.0 and message-pickup 4.0; `spec/relay.md`, section 10.
//!
//! ```text
//! agent                           mediator
//!   mediate-request     ------------>
//!                       <------------  mediate-grant | mediate-deny
//!   recipient-update    ------------>                    or keylist-update, in 2.0
//!                       <------------  recipient-update-response
//!   live-delivery-change ----------->
//!                       <------------  status            the mailbox is live
//!                       <------------  delivery          again and again, each answered by messages-received
//!   delivery-request    ------------>                    where live delivery is refused: again and again
//!                       <------------  delivery | status
//! ```
//!
//! Each step is tried in our own version first; when it is refused or not answered, in the other. Not its concern: the socket,
//! encryption (`post`), what the delivered messages say (`room`).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::coordinate_mediation::{
    Action, MediateDeny, MediateGrant, MediateRequest, Outcome, RecipientUpdate, RecipientUpdateResponse,
    Update,
};
use didagent_didcomm::protocols::pickup::{
    Delivery, DeliveryRequest, LiveDeliveryChange, MessagesReceived, Status,
};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::{coordinate_mediation_2 as v2, pickup_4 as v4, read_either, write_either};
use rand_core::CryptoRng;

use crate::core::identity::ConnectionDid;
use crate::core::invite::new_id;
use crate::core::post::{is_mediator, mediators_of};
use crate::failure::{Failure, Kind};

/// How long a mediator may be silent before the next way is tried. Up to four ways are tried one after the other, and all that must
/// fit into the time that an engine gives its mailbox (15 s); a slow line answers within a second or two.
const SILENCE: Duration = Duration::from_secs(3);

/// Pause before mail is asked for again after some came: what belongs together comes together.
const SHORTEST_POLL: Duration = Duration::from_millis(250);

/// The pause doubles up to this while no mail comes. A room that forms needs about five messages from each party, so more would
/// be felt; less would be a request each second to somebody else's machine, for hours.
const LONGEST_POLL: Duration = Duration::from_secs(2);

/// How long a mediator may take to push what waited when live delivery was switched on, before it is asked for. Ours pushes it at
/// once; the text of the protocol has clients ask.
const BACKLOG: Duration = Duration::from_secs(1);

/// Messages that are asked for at once: what our own mediator delivers at most.
const BATCH: u32 = 16;

/// Ids of delivered messages that are remembered, so that what is delivered again is acknowledged and not read again. More than
/// can be on their way at a time (RL-43).
const REMEMBERED: usize = 128;

/// Part of the codes that say that live delivery is what cannot be; mediators end them in different ways.
const NO_LIVE_MODE: &str = ".live-";

/// Parts of codes that name another reason than an unknown message (DIDComm v2.1, "Descriptors"): another version would not help.
const OTHER_REASONS: [&str; 7] = [".me.", ".req.", ".trust", ".xfer.", ".legal", ".did", ".crypto."];

/// A mailbox at one mediator.
#[derive(Debug)]
pub struct Mailbox {
    connection: ConnectionDid,
    /// A grant may still name another DID for the mail to go to.
    follows: bool,
    state: State,
    /// The mediator speaks Coordinate Mediation 2.0.
    old_coordination: bool,
    /// The mediator speaks Message Pickup 4.0.
    new_pickup: bool,
    /// Threads of the requests of this step: an answer to any of them is one.
    threads: Vec<String>,
    answered: bool,
    /// [`Step::Live`] was returned.
    announced: bool,
    /// When there is something to do without a message.
    due: Option<Instant>,
    /// Messages that wait at the mediator since before the mailbox was live.
    backlog: u64,
    delivered: VecDeque<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Requesting,
    Registering,
    GoingLive,
    /// Asks for mail for the first time; the mediator does not push.
    Trying,
    /// Mail arrives by itself.
    Live,
    /// Mail arrives when it is asked for, after this pause.
    Polling(Duration),
}

/// What a message from the mediator leads to.
#[derive(Debug)]
pub enum Step {
    /// Send this to the mediator.
    Send(Message),
    /// The mediator wants mail to go to this DID, which the connection DID does not name: begin anew with one that does (RL-66).
    Route(String),
    /// The mailbox is live now: mail arrives.
    Live,
    /// Sealed messages arrived, oldest first. After they were read, send `receipt` to the mediator.
    Mail {
        /// The encrypted messages, JSON texts.
        messages: Vec<String>,
        /// Says that they may be deleted.
        receipt: Message,
    },
    /// Nothing to do.
    Nothing,
}

impl Mailbox {
    /// Begins to set up the mailbox of `connection`; the message goes to the mediator.
    pub fn open(connection: ConnectionDid, now: Instant, rng: &mut impl CryptoRng) -> (Self, Message) {
        let mut mailbox = Self {
            connection,
            follows: true,
            state: State::Requesting,
            old_coordination: false,
            new_pickup: false,
            threads: Vec::new(),
            answered: false,
            announced: false,
            due: None,
            backlog: 0,
            delivered: VecDeque::new(),
        };
        let request = mailbox.ask(now, rng);
        (mailbox, request)
    }

    /// Begins anew with a connection DID whose service names the DID of [`Step::Route`]; another one is not followed.
    pub fn open_routed(connection: ConnectionDid, now: Instant, rng: &mut impl CryptoRng) -> (Self, Message) {
        let (mailbox, request) = Self::open(connection, now, rng);
        (Self { follows: false, ..mailbox }, request)
    }

    /// Says whether mail arrives.
    pub fn is_live(&self) -> bool {
        self.announced
    }

    /// Says whether the mediator has answered at least once.
    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// Returns when [`Mailbox::timeout`] is to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Does what is due; the message goes to the mediator.
    pub fn timeout(&mut self, now: Instant, rng: &mut impl CryptoRng) -> Option<Message> {
        self.due.take_if(|due| *due <= now)?;
        match self.state {
            State::Live if self.backlog == 0 => return None,
            // An answer that did not come is asked for again.
            State::Live | State::Polling(_) => self.threads.clear(),
            State::Requesting | State::Registering | State::GoingLive | State::Trying => {
                if !self.try_other_way() {
                    return None;
                }
            }
        }
        Some(self.ask(now, rng))
    }

    /// Takes an authenticated message of the mediator.
    ///
    /// # Errors
    /// [`Kind::MediatorRefused`] when the mediator does not serve this party.
    pub fn handle(
        &mut self,
        message: &Message,
        now: Instant,
        rng: &mut impl CryptoRng,
    ) -> Result<Step, Failure> {
        let is_answer = self.threads.iter().any(|thread| thread == message.thread());
        if let Ok((delivery, is_4)) = read_either::<Delivery, v4::Delivery>(message) {
            return Ok(self.delivery(delivery, is_4, (message.thread(), is_answer), now, rng));
        }
        if !is_answer {
            return Ok(Step::Nothing);
        }
        match self.state {
            State::Requesting => {
                if read_either::<MediateDeny, v2::MediateDeny>(message).is_ok() {
                    return Err(refused("the mediator does not take new users"));
                }
                let Ok((grant, is_2)) = read_either::<MediateGrant, v2::MediateGrant>(message) else {
                    return Ok(Step::Nothing);
                };
                self.old_coordination = is_2;
                if let Some(routing) = self.route_of(grant) {
                    self.answered = true;
                    return Ok(Step::Route(routing));
                }
                Ok(self.advance(State::Registering, now, rng))
            }
            State::Registering => {
                let read = read_either::<RecipientUpdateResponse, v2::KeylistUpdateResponse>(message);
                let Ok((response, _)) = read else { return Ok(Step::Nothing) };
                let accepted = response.updated.iter().any(|updated| {
                    updated.recipient_did == self.connection.did
                        && matches!(updated.result, Outcome::Success | Outcome::NoChange)
                });
                if !accepted {
                    return Err(refused("the mediator does not register this party's DID"));
                }
                Ok(self.advance(State::GoingLive, now, rng))
            }
            State::GoingLive | State::Trying | State::Live | State::Polling(_) => {
                match read_either::<Status, v4::Status>(message) {
                    Ok((status, is_4)) => Ok(self.status(&status, is_4, now, rng)),
                    Err(_) => Ok(Step::Nothing),
                }
            }
        }
    }

    /// Returns to which DID mail is to go, if our connection DID names none of those that are granted (RL-66).
    fn route_of(&self, grant: MediateGrant) -> Option<String> {
        let ours = mediators_of(&self.connection.did).unwrap_or_default();
        if !self.follows || grant.routing_did.iter().any(|granted| ours.iter().any(|uri| uri == granted)) {
            return None;
        }
        let is_granted = !grant.routing_did.is_empty();
        let usable = grant.routing_did.into_iter().find(|granted| is_mediator(granted));
        if is_granted && usable.is_none() {
            tracing::warn!("the mediator names no DID for mail that can be used; its own one is tried");
        }
        usable
    }

    /// Takes a problem report of the mediator; the message, if any, tries another way and goes to the mediator.
    ///
    /// # Errors
    /// [`Kind::MediatorRefused`] when it ends the attempt to set up the mailbox.
    pub fn refused(
        &mut self,
        report: &ProblemReport,
        thread: Option<&str>,
        now: Instant,
        rng: &mut impl CryptoRng,
    ) -> Result<Option<Message>, Failure> {
        // Only the last way counts: one that was silent may still be refused later.
        let is_last = thread.is_some() && self.threads.last().map(String::as_str) == thread;
        if !is_last || !report.is_error() || self.is_live() {
            return Ok(None);
        }
        self.answered = true;
        if self.state == State::GoingLive && report.code.contains(NO_LIVE_MODE) {
            // It knows the question, so this is its version.
            self.set(State::Trying);
        } else if OTHER_REASONS.iter().any(|part| report.code.contains(part)) || !self.try_other_way() {
            return Err(refused(&format!("the mediator refused: {}", showable(&report.text()))));
        }
        tracing::info!("the mediator does not serve this; another way is tried");
        Ok(Some(self.ask(now, rng)))
    }

    /// Turns to the next way to do a step; `false` if there is none.
    fn try_other_way(&mut self) -> bool {
        match self.state {
            State::Requesting if !self.old_coordination => self.old_coordination = true,
            State::GoingLive | State::Trying if !self.new_pickup => self.new_pickup = true,
            State::GoingLive => {
                self.new_pickup = false;
                self.state = State::Trying;
            }
            _ => return false,
        }
        true
    }

    fn set(&mut self, state: State) {
        self.state = state;
        self.threads.clear();
        self.due = None;
    }

    fn advance(&mut self, state: State, now: Instant, rng: &mut impl CryptoRng) -> Step {
        self.answered = true;
        self.set(state);
        Step::Send(self.ask(now, rng))
    }

    /// Makes the request of this step, in the version that is tried now.
    fn ask(&mut self, now: Instant, rng: &mut impl CryptoRng) -> Message {
        let id = new_id(rng);
        self.threads.push(id.clone());
        // What has no other way is asked once; a backlog that is not delivered is the mediator's affair.
        let once = matches!(self.state, State::Registering | State::Live);
        self.due = (!once).then(|| now + SILENCE);
        match self.state {
            State::Requesting => {
                write_either::<_, v2::MediateRequest>(self.old_coordination, MediateRequest {}, id)
            }
            State::Registering => {
                let update = Update { recipient_did: self.connection.did.clone(), action: Action::Add };
                let update = RecipientUpdate { updates: vec![update] };
                write_either::<_, v2::KeylistUpdate>(self.old_coordination, update, id)
            }
            State::GoingLive => {
                let change = LiveDeliveryChange { live_delivery: true };
                write_either::<_, v4::LiveDeliveryChange>(self.new_pickup, change, id)
            }
            State::Trying | State::Live | State::Polling(_) => {
                let request = DeliveryRequest { limit: BATCH, recipient_did: None };
                write_either::<_, v4::DeliveryRequest>(self.new_pickup, request, id)
            }
        }
    }

    /// Takes a status that answers a request: live delivery is on or off, or nothing waits.
    fn status(&mut self, status: &Status, is_4: bool, now: Instant, rng: &mut impl CryptoRng) -> Step {
        self.new_pickup = is_4;
        match self.state {
            State::GoingLive if status.live_delivery == Some(false) => self.advance(State::Trying, now, rng),
            State::GoingLive => {
                self.set(State::Live);
                self.announced = true;
                self.backlog = status.message_count;
                self.due = (self.backlog > 0).then(|| now + BACKLOG);
                Step::Live
            }
            _ => self.nothing_waits(now),
        }
    }

    fn nothing_waits(&mut self, now: Instant) -> Step {
        self.backlog = 0;
        let pause = match self.state {
            State::Polling(pause) => (pause * 2).min(LONGEST_POLL),
            State::Trying => SHORTEST_POLL,
            other => {
                self.set(other);
                return Step::Nothing;
            }
        };
        self.set(State::Polling(pause));
        self.due = Some(now + pause);
        if std::mem::replace(&mut self.announced, true) { Step::Nothing } else { Step::Live }
    }

    fn delivery(
        &mut self,
        delivery: Delivery,
        is_4: bool,
        (thread, is_answer): (&str, bool),
        now: Instant,
        rng: &mut impl CryptoRng,
    ) -> Step {
        if delivery.messages.is_empty() {
            // Nothing to acknowledge; in 4.0 that is how a mediator says that nothing waits.
            self.new_pickup |= is_4 && is_answer;
            return if is_answer { self.nothing_waits(now) } else { Step::Nothing };
        }
        let is_full = delivery.messages.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
        let ids: Vec<String> = delivery.messages.iter().map(|one| one.id.clone()).collect();
        let mut messages = Vec::new();
        for one in delivery.messages {
            if self.delivered.contains(&one.id) {
                continue;
            }
            if self.delivered.len() >= REMEMBERED {
                self.delivered.pop_front();
            }
            self.delivered.push_back(one.id);
            self.backlog = self.backlog.saturating_sub(1);
            messages.push(one.message);
        }
        if is_answer {
            // Until nothing more waits, the mailbox is not called live: there may be no room yet that the mail could go to.
            let polls = matches!(self.state, State::Trying | State::Polling(_));
            self.set(if polls { State::Polling(SHORTEST_POLL) } else { self.state });
            self.backlog = self.backlog.max(1);
            self.due = Some(if is_full { now } else { now + SHORTEST_POLL });
            self.new_pickup = is_4;
        }
        let receipt = MessagesReceived { message_id_list: ids };
        let receipt = write_either::<_, v4::MessagesReceived>(is_4, receipt, new_id(rng)).thid(thread);
        Step::Mail { messages, receipt }
    }
}

fn refused(why: &str) -> Failure {
    Failure::new(Kind::MediatorRefused, why)
        .hint("ask who runs the mediator, or use another one: --mediator LINK")
}

/// Makes a stranger's sentence fit for a screen: one line, nothing invisible, at most 200 characters.
pub(crate) fn showable(text: &str) -> String {
    didagent_didcomm::showable(text, 200)
}

#[cfg(test)]
mod tests;
