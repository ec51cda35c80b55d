//! The mailbox: how a party becomes reachable through its mediator.
//!
//! Specification: coordinate-mediation 3.0, messagepickup 3.0.
//!
//! ```text
//! agent                           mediator
//!   mediate-request     ------------>
//!                       <------------  mediate-grant | mediate-deny
//!   recipient-update    ------------>
//!                       <------------  recipient-update-response
//!   live-delivery-change ----------->
//!                       <------------  status            the mailbox is live
//!                       <------------  delivery          again and again, each answered by messages-received
//! ```
//!
//! Not its concern: the socket, encryption (`post`), what the delivered messages say (`room`).

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::coordinate_mediation::{
    Action, MediateDeny, MediateGrant, MediateRequest, Outcome, RecipientUpdate, RecipientUpdateResponse,
    Update,
};
use didagent_didcomm::protocols::pickup::{Delivery, LiveDeliveryChange, MessagesReceived, Status};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use rand_core::CryptoRng;

use crate::core::identity::ConnectionDid;
use crate::core::invite::new_id;
use crate::failure::{Failure, Kind};

/// A mailbox at one mediator.
#[derive(Debug)]
pub struct Mailbox {
    connection: ConnectionDid,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Requesting { thid: String },
    Registering { thid: String },
    GoingLive { thid: String },
    Live,
}

/// What a message from the mediator leads to.
#[derive(Debug)]
pub enum Step {
    /// Send this to the mediator.
    Send(Message),
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
    pub fn open(connection: ConnectionDid, rng: &mut impl CryptoRng) -> (Self, Message) {
        let thid = new_id(rng);
        let request = MediateRequest {}.message(thid.clone());
        (Self { connection, state: State::Requesting { thid } }, request)
    }

    /// Says whether mail arrives.
    pub fn is_live(&self) -> bool {
        self.state == State::Live
    }

    /// Says whether the mediator has answered at least once.
    pub fn is_answered(&self) -> bool {
        !matches!(self.state, State::Requesting { .. })
    }

    /// Takes an authenticated message of the mediator.
    ///
    /// # Errors
    /// [`Kind::MediatorRefused`] when the mediator does not serve this party.
    pub fn handle(&mut self, message: &Message, rng: &mut impl CryptoRng) -> Result<Step, Failure> {
        if let Ok(delivery) = Delivery::try_from(message) {
            let ids = delivery.messages.iter().map(|one| one.id.clone()).collect();
            let receipt =
                MessagesReceived { message_id_list: ids }.message(new_id(rng)).thid(message.thread());
            return Ok(Step::Mail {
                messages: delivery.messages.into_iter().map(|one| one.message).collect(),
                receipt,
            });
        }
        match &self.state {
            State::Requesting { thid } if thid == message.thread() => {
                if MediateDeny::try_from(message).is_ok() {
                    return Err(refused("the mediator does not take new users"));
                }
                if MediateGrant::try_from(message).is_err() {
                    return Ok(Step::Nothing);
                }
                let thid = new_id(rng);
                let update = Update { recipient_did: self.connection.did.clone(), action: Action::Add };
                let update = RecipientUpdate { updates: vec![update] }.message(thid.clone());
                self.state = State::Registering { thid };
                Ok(Step::Send(update))
            }
            State::Registering { thid } if thid == message.thread() => {
                let Ok(response) = RecipientUpdateResponse::try_from(message) else {
                    return Ok(Step::Nothing);
                };
                let accepted = response.updated.iter().any(|updated| {
                    updated.recipient_did == self.connection.did
                        && matches!(updated.result, Outcome::Success | Outcome::NoChange)
                });
                if !accepted {
                    return Err(refused("the mediator does not register this party's DID"));
                }
                let thid = new_id(rng);
                let live = LiveDeliveryChange { live_delivery: true }.message(thid.clone());
                self.state = State::GoingLive { thid };
                Ok(Step::Send(live))
            }
            State::GoingLive { thid } if thid == message.thread() => {
                if Status::try_from(message).is_err() {
                    return Ok(Step::Nothing);
                }
                self.state = State::Live;
                Ok(Step::Live)
            }
            _ => Ok(Step::Nothing),
        }
    }

    /// Takes a problem report of the mediator and says whether it ends the attempt to set up the mailbox.
    pub fn refused(&self, report: &ProblemReport, thread: Option<&str>) -> Option<Failure> {
        let waiting = match &self.state {
            State::Requesting { thid } | State::Registering { thid } | State::GoingLive { thid } => {
                Some(thid.as_str())
            }
            State::Live => None,
        };
        (report.is_error() && waiting.is_some() && waiting == thread)
            .then(|| refused(&format!("the mediator refused: {}", showable(&report.text()))))
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
mod tests {
    use super::*;
    use crate::core::identity::Identity;
    use crate::core::test_rng;
    use didagent_didcomm::protocols::coordinate_mediation::Updated;
    use didagent_didcomm::protocols::pickup::Delivered;

    fn sent(step: Step) -> Message {
        match step {
            Step::Send(message) => message,
            other => panic!("{other:?}"),
        }
    }

    fn registering() -> (Mailbox, Message) {
        let mut rng = test_rng(1);
        let connection = Identity::generate(&mut rng).connection("did:peer:2.Ez6LS");
        let (mut mailbox, request) = Mailbox::open(connection, &mut rng);
        let grant = MediateGrant { routing_did: vec!["did:peer:2.Ez6LS".into()] };
        let update = sent(mailbox.handle(&grant.message("g").thid(request.id), &mut rng).unwrap());
        (mailbox, update)
    }

    fn response(mailbox: &Mailbox, result: Outcome) -> RecipientUpdateResponse {
        let recipient_did = mailbox.connection.did.clone();
        RecipientUpdateResponse { updated: vec![Updated { recipient_did, action: Action::Add, result }] }
    }

    /// Decides RL-41.
    #[test]
    fn grant_registration_and_live_mode_follow_each_other() {
        let (mut mailbox, update) = registering();
        let asked = RecipientUpdate::try_from(&update).unwrap().updates;
        assert_eq!(asked, [Update { recipient_did: mailbox.connection.did.clone(), action: Action::Add }]);
        let mut rng = test_rng(2);
        let reply = response(&mailbox, Outcome::Success).message("r").thid(update.id);
        let live = sent(mailbox.handle(&reply, &mut rng).unwrap());
        assert!(!mailbox.is_live());
        let status = Status::default().message("s").thid(live.id);
        assert!(matches!(mailbox.handle(&status, &mut rng), Ok(Step::Live)));
        assert!(mailbox.is_live());
    }

    #[test]
    fn answers_in_another_thread_move_nothing() {
        let (mut mailbox, _) = registering();
        let reply = response(&mailbox, Outcome::Success).message("r").thid("another");
        assert!(matches!(mailbox.handle(&reply, &mut test_rng(2)), Ok(Step::Nothing)));
    }

    #[test]
    fn a_refused_registration_is_an_error() {
        let (mut mailbox, update) = registering();
        let reply = response(&mailbox, Outcome::ClientError).message("r").thid(update.id);
        assert_eq!(mailbox.handle(&reply, &mut test_rng(2)).unwrap_err().kind, Kind::MediatorRefused);
    }

    #[test]
    fn mail_is_acknowledged_by_its_ids() {
        let (mut mailbox, _) = registering();
        let queued = Delivered { id: "7".into(), message: "{}".into() };
        let delivery = Delivery { recipient_did: None, messages: vec![queued] }.message("d");
        let Ok(Step::Mail { messages, receipt }) = mailbox.handle(&delivery, &mut test_rng(2)) else {
            panic!()
        };
        assert_eq!(messages, ["{}"]);
        assert_eq!(MessagesReceived::try_from(&receipt).unwrap().message_id_list, ["7"]);
    }
}
