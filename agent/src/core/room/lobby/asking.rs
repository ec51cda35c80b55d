//! Parties that are known beforehand: guests ask the host for its room, and the host answers with an invitation.
//!
//! Specification: `spec/room.md`, section 10.
//!
//! ```text
//! guest                      host
//!   ask {link, round} ------->           again and again, until there is an answer
//!                     <-------  invitation {invitation} | problem report
//!   join --> ...
//! ```
//!
//! Not its concern: who is in the list (`core::party_list`), what follows from the invitation (`guest`, `host`).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::link;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::room::{Ask, Invited, refusal};
use rand_core::CryptoRng;

use super::closed::refuse;
use super::host::{Context, HostLobby};
use super::told::Told;
use crate::core::clock;
use crate::core::connect::showable;
use crate::core::invite::{Invitation, new_id};
use crate::core::room::{Event, Listing, Member, Now, Output};
use crate::failure::{Failure, Kind};

/// Pause between two questions: machines that are started together find each other fast, and whoever waits for one that starts later
/// costs the mediator little.
const ASK_FAST: Duration = Duration::from_secs(2);
const ASK_SLOWLY: Duration = Duration::from_secs(10);

/// Questions that come fast.
const FAST: u32 = 15;

/// A guest that waits for the host's room.
#[derive(Debug)]
pub(in crate::core::room) struct Asking {
    /// The last questions: the answer to each of them counts.
    thids: VecDeque<String>,
    ask_at: Instant,
    asked: u32,
    /// What the host said instead of an invitation.
    refused: Option<String>,
    /// The room in which we had a seat.
    lost: Option<Lost>,
}

/// A room whose host was lost.
#[derive(Debug)]
pub(in crate::core::room) struct Lost {
    /// Why it is none any more.
    pub(in crate::core::room) why: String,
    /// The hash of its invitation.
    pub(in crate::core::room) room: [u8; 32],
    /// What the host had told of it.
    pub(in crate::core::room) told: Option<Box<Told>>,
}

/// Questions whose answers may still come.
const OPEN: usize = 8;

impl Asking {
    pub(in crate::core::room) fn begin(now: Instant, lost: Option<Lost>) -> Self {
        Self { thids: VecDeque::new(), ask_at: now, asked: 0, refused: None, lost }
    }

    /// Asks, if it is time.
    pub(in crate::core::room) fn ask(
        &mut self,
        member: &Member,
        now: Now,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some(Listing { list, round, .. }) = member.list.as_ref().filter(|_| self.ask_at <= now.instant)
        else {
            return;
        };
        self.asked = self.asked.saturating_add(1);
        self.ask_at = now.instant + if self.asked <= FAST { ASK_FAST } else { ASK_SLOWLY };
        if self.thids.len() >= OPEN {
            self.thids.pop_front();
        }
        let id = new_id(rng);
        self.thids.push_back(id.clone());
        let body = Ask { link: member.identity.link(&member.connection, now.unix), round: *round };
        let host = list.host_at().unwrap_or_default();
        outputs.push_back(Output::send(host, body.message(id).pthid(list.id())));
    }

    /// Asks as soon as possible: our mediator is back.
    pub(in crate::core::room) fn ask_now(&mut self, now: Instant) {
        self.ask_at = now;
    }

    /// Takes a message; returns the invitation once there is one.
    ///
    /// # Errors
    /// [`Kind::ClockWrong`].
    pub(in crate::core::room) fn message(
        &mut self,
        member: &Member,
        sender: &Authenticated,
        message: &Message,
        now: Now,
        outputs: &mut VecDeque<Output>,
    ) -> Result<Option<Invitation>, Failure> {
        let Some(Listing { list, .. }) = &member.list else { return Ok(None) };
        if list.host_at() != Some(&sender.did) {
            return Ok(None);
        }
        if let Ok(report) = ProblemReport::try_from(message) {
            if self.is_refused_by(message) && report.is_error() {
                let text = showable(&report.text());
                if self.refused.as_ref() != Some(&text) {
                    let note = Event::Note {
                        name: list.called(0),
                        text: format!("does not let this party in yet: {text}"),
                    };
                    outputs.push_back(Output::Event(note));
                    self.refused = Some(text);
                }
            }
            return Ok(None);
        }
        let Ok(invited) = Invited::try_from(message) else { return Ok(None) };
        if !self.thids.iter().any(|thid| thid == message.thread()) {
            return Ok(None);
        }
        // One that is over by now is followed by another one, or by none.
        let Ok(invitation) = Invitation::from_message(invited.invitation, now.unix) else { return Ok(None) };
        // Our clock agrees with our mediator's, so one of them in the future is the host's.
        clock::compare_with_host(now.unix, invitation.created().unwrap_or_default())?;
        Ok((invitation.host() == sender.did).then_some(invitation))
    }

    /// Returns what we were told of the room of this invitation before, if it is the one in which we had a seat.
    pub(in crate::core::room) fn told_of(&mut self, invitation: &Invitation) -> Option<Box<Told>> {
        self.lost.as_mut().filter(|lost| lost.room == *invitation.hash())?.told.take()
    }

    /// Says whether a message is in the thread that a refusal of one of our questions would be in.
    pub(in crate::core::room) fn is_refused_by(&self, message: &Message) -> bool {
        self.thids.iter().any(|thid| message.pthid.as_ref() == Some(thid))
    }

    pub(in crate::core::room) fn deadline(&self, member: &Member) -> Option<Instant> {
        let until = member.list.as_ref().map(|listing| listing.until);
        until.into_iter().chain([self.ask_at]).min()
    }

    /// Returns why nothing came of it.
    pub(in crate::core::room) fn late(&self, member: &Member, now: Instant) -> Option<Failure> {
        let Listing { list, until, .. } = member.list.as_ref()?;
        if *until > now {
            return None;
        }
        let host = list.called(0);
        let failure = match (&self.refused, &self.lost) {
            (Some(why), _) => {
                let message = format!("{host}, the host, did not let this party in: {why}");
                Failure::new(Kind::RoomRefused, message).hint("compare the roster files of both")
            }
            // What ended is told of the host, which has a name here.
            (None, Some(lost)) => {
                let told = lost.why.strip_prefix("the host").map(|rest| format!("{host}, the host,{rest}"));
                Failure::new(Kind::NotReady, told.unwrap_or_else(|| lost.why.clone())).hint(AGAIN)
            }
            (None, None) => Failure::new(
                Kind::HostSilent,
                format!("{host}, the host, has opened no room for these parties in time"),
            )
            .hint("the first party of the list runs the same command, at the same time"),
        };
        Some(failure)
    }
}

/// What helps when not all known parties came in time.
const AGAIN: &str = "all run the same command at the same time; --wait gives them more of it";

/// Why a room of known parties that is not full ends when its time is over.
pub(super) fn too_late(missing: &str) -> Failure {
    Failure::new(Kind::NotReady, format!("not all parties came in time; missing: {missing}")).hint(AGAIN)
}

impl HostLobby {
    /// Answers a guest that asks for the room, and says whether this was such a question.
    pub(in crate::core::room) fn asked(
        &mut self,
        context: Context<'_>,
        sender: &Authenticated,
        message: &Message,
        rng: &mut impl CryptoRng,
        outputs: &mut VecDeque<Output>,
    ) -> bool {
        let Ok(ask) = Ask::try_from(message) else { return false };
        let Some(Listing { list, .. }) = &context.member.list else { return true };
        let refused = match link::verify_with(&ask.link, &sender.did, context.documents) {
            Err(_) => Some((refusal::DENIED, "the link between identity and DID does not verify")),
            Ok(verified) if list.index_of(&verified.identity).is_none() => {
                Some((refusal::DENIED, "the host's list of parties does not name it"))
            }
            Ok(_) if message.pthid.as_deref() != Some(&*list.id()) => {
                Some((refusal::UNKNOWN, "the host's list has another name, other parties, or another order"))
            }
            Ok(_) => None,
        };
        if let Some((code, comment)) = refused {
            outputs.push_back(refuse(&sender.did, message, code, comment, rng));
            return true;
        }
        // A host that has lost its memory goes on counting where the others are.
        self.round = self.round.max(ask.round.min(u32::MAX - 1));
        let body = Invited { invitation: context.invitation.bytes().to_vec() };
        let answer = body.message(new_id(rng)).thid(&message.id).pthid(list.id());
        outputs.push_back(Output::send(sender.did.clone(), answer));
        true
    }
}
