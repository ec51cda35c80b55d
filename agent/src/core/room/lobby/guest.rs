//! A guest's side of the lobby: asking for a seat, and waiting for the roster.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use didagent_didcomm::envelope::Authenticated;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::room::{Join, Leave, Roster as RosterMessage, Seats, refusal};
use didagent_didcomm::protocols::{Body as _, Digest32};
use rand_core::CryptoRng;

use super::asking::too_late;
use super::told::Told;
use crate::core::connect::showable;
use crate::core::credential::{Evidence, Rule};
use crate::core::invite::{Invitation, new_id};
use crate::core::room::roster::{Expected, Roster, RosterError, RosterIn};
use crate::core::room::{
    Event, HOST_ANSWER, Listing, Member, Now, Output, agreement, credentials, describe_leave, leave,
};
use crate::failure::{Failure, Kind};

/// How long a guest asks again when the host's mediator does not know the host (RM-71). A host that still runs comes back
/// within seconds of a restart.
const HOST_AWAY: Duration = Duration::from_secs(15);

/// Pause before a guest asks again whose host was not known.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Pause before a guest asks again that has no answer yet: the first one may have been lost on its way.
pub(in crate::core::room) const ASK_SOON: Duration = Duration::from_secs(10);

/// How long a guest comes again that the host tells to (RM-111): a web site that is away for a moment is back, and a dozen questions find
/// their way through whatever keeps the host busy.
pub(in crate::core::room) const LATER: Duration = Duration::from_secs(120);

/// How often a guest asks whether the host is still there, and how often in vain until it gives up (RM-19): a host that was
/// killed says nothing. A laptop may be closed for a moment, and its mail then waits at the mediator.
pub(in crate::core::room) const ASK_EVERY: Duration = Duration::from_secs(60);
pub(in crate::core::room) const MAX_UNANSWERED: u32 = 5;

/// The same where the parties are known beforehand (RM-127): nobody sits there who would see that the host is gone, and a host that
/// was started again has another room.
const ASK_LISTED: Duration = Duration::from_secs(10);

/// What helps somebody who is not wanted.
const ASK_WHY: &str = "ask the host why";

/// What the guest's lobby made of a message.
pub(in crate::core::room) enum Guest {
    /// It was for the lobby.
    Taken,
    /// It belongs to a later phase, or to nobody.
    NotOurs,
    /// We would not run what the host would. We end for this reason, and the host hears nothing of it, so that the seat stays ours
    /// (MF-20).
    Differs(Failure),
}

/// A guest's side: waiting for the roster.
#[derive(Debug)]
pub(in crate::core::room) struct GuestLobby {
    thid: String,
    answer_by: Option<Instant>,
    /// When to ask again: soon if the host's mediator did not know the host, else to hear that it is still there.
    ask_at: Option<Instant>,
    /// Questions since the host was last heard. They are counted, not minutes, since either machine may sleep.
    unanswered: u32,
    /// Until when the host's mediator may not know the host, and it is asked for each second.
    away_by: Option<Instant>,
    /// Since when a question waits for its answer, once we have a seat.
    asked: Option<Instant>,
    /// People were told that nothing is heard of the host.
    is_missed: bool,
    /// The host cannot decide yet: until when we come again, and why.
    later: Option<(Instant, String)>,
    /// What the host said last.
    pub(super) told: Option<Box<Told>>,
    /// The most seats that the host spoke of: what our person came to.
    pub(super) promised: usize,
    /// The host's person decides whether we get a seat.
    is_pending: bool,
    /// The parties are known beforehand.
    is_listed: bool,
    /// Our seat is shown again although nothing has changed: after an outage people want to know.
    pub(super) shows_again: bool,
    roster: Option<Roster>,
}

impl GuestLobby {
    pub(in crate::core::room) fn join(
        member: &Member,
        invitation: &Invitation,
        now: Now,
        rng: &mut impl CryptoRng,
    ) -> (Self, Message) {
        let mut lobby = Self {
            thid: String::new(),
            answer_by: None,
            ask_at: None,
            unanswered: 0,
            away_by: None,
            asked: None,
            is_missed: false,
            later: None,
            told: None,
            promised: 0,
            is_pending: false,
            is_listed: member.list.is_some(),
            shows_again: false,
            roster: None,
        };
        lobby.expect_answer(now.instant);
        let message = lobby.ask(member, invitation, now, rng);
        (lobby, message)
    }

    /// Asks for a seat, or once more for the one that we may have (RM-12).
    pub(in crate::core::room) fn ask(
        &mut self,
        member: &Member,
        invitation: &Invitation,
        now: Now,
        rng: &mut impl CryptoRng,
    ) -> Message {
        // A new id each time: an id counts once (RM-17), and the host must answer.
        self.thid = new_id(rng);
        if self.later.is_some() && self.answer_by.is_none() && !self.is_awaited() {
            self.expect_answer(now.instant);
        }
        let pause = if self.answer_by.is_some() { ASK_SOON } else { pause(member) };
        self.ask_at = Some(now.instant + pause);
        self.unanswered += 1;
        if self.is_awaited() {
            self.asked.get_or_insert(now.instant);
        }
        let join = Join {
            name: member.name.clone(),
            link: member.identity.link(&member.connection, now.unix),
            invitation_hash: Digest32(*invitation.hash()),
            manifest: agreement::tell(member.manifest.as_ref()),
            commitment: member.nonce.commitment(),
            confirm: member.confirm.is_some(),
            credential: member.credential.clone().filter(|_| !invitation.issuers().is_empty()),
        };
        join.message(self.thid.clone()).pthid(invitation.room())
    }

    /// The host must answer soon: it has not done so yet, or something is just being put right.
    pub(in crate::core::room) fn expect_answer(&mut self, now: Instant) {
        self.answer_by = Some(now + HOST_ANSWER);
    }

    /// The connection to our mediator is gone: until it is back, no answer can come.
    pub(in crate::core::room) fn mediator_lost(&mut self) {
        (self.answer_by, self.ask_at, self.away_by, self.asked) = (None, None, None, None);
        self.shows_again = true;
    }

    /// The host's mediator does not know the host: it was restarted and the host is not back yet, or the host has gone.
    pub(in crate::core::room) fn host_unregistered(&mut self, now: Instant) -> Result<(), Failure> {
        let by = *self.away_by.get_or_insert(now + HOST_AWAY);
        self.answer_by = None;
        if by <= now {
            if self.is_awaited() {
                // Its process has ended, and may be started again. It writes to us then; so we ask each minute (RM-103).
                return Ok(());
            }
            return Err(Failure::new(
                Kind::HostSilent,
                "the host is not at its mediator: its command has ended",
            )
            .hint("ask the host for a new invitation"));
        }
        self.unanswered = 0;
        self.ask_at = Some(now + ASK_AGAIN);
        Ok(())
    }

    /// Says whether it is time to ask again.
    pub(in crate::core::room) fn asks_again(&self, now: Instant) -> bool {
        self.ask_at.is_some_and(|at| at <= now)
    }

    /// Says whether the host's mediator did not know the host when we last wrote, and it may be on its way.
    pub(in crate::core::room) fn host_is_away(&self, now: Instant) -> bool {
        self.away_by.is_some_and(|by| now < by)
    }

    /// Says whether the host has answered: we have a seat, or wait for one. Such a guest has patience (RM-103).
    fn is_awaited(&self) -> bool {
        // One of known parties looks for its host instead.
        !self.is_listed && (self.told.is_some() || self.is_pending)
    }

    /// Notes that the host was heard.
    fn heard(&mut self, outputs: &mut VecDeque<Output>) {
        (self.unanswered, self.asked) = (0, None);
        if std::mem::take(&mut self.is_missed) {
            self.shows_again = true;
            outputs.push_back(Output::Event(Event::HostBack));
        }
    }

    /// Says whether a host of known parties is looked for again: it left a question unanswered.
    pub(in crate::core::room) fn misses_host(&self, member: &Member) -> bool {
        member.list.is_some() && self.unanswered > 0
    }

    fn answered(&mut self, member: &Member, now: Instant) {
        (self.answer_by, self.away_by, self.later) = (None, None, None);
        self.ask_at = Some(now + pause(member));
    }

    /// The host cannot decide yet (RM-111).
    fn comes_again(&mut self, why: String, member: &Member, now: Instant, outputs: &mut VecDeque<Output>) {
        (self.answer_by, self.away_by, self.ask_at) = (None, None, Some(now + ASK_SOON));
        let until = self.later.as_ref().map_or(now + LATER, |(until, _)| *until);
        if self.later.as_ref().is_none_or(|(_, before)| *before != why) {
            let name = member.list.as_ref().map_or("the host".to_owned(), |listing| listing.list.called(0));
            let text = format!("can give no seat yet: {why}; asking again");
            outputs.push_back(Output::Event(Event::Note { name, text }));
        }
        self.later = Some((until, why));
    }

    pub(in crate::core::room) fn message(
        &mut self,
        (member, invitation, evidence): (&Member, &Invitation, Evidence<'_>),
        sender: &Authenticated,
        message: &Message,
        now: Now,
        outputs: &mut VecDeque<Output>,
    ) -> Result<Guest, Failure> {
        if sender.did != invitation.host() {
            return Ok(Guest::NotOurs);
        }
        self.heard(outputs);
        if let Ok(seats) = Seats::try_from(message) {
            self.answered(member, now.instant);
            if seats.pending {
                self.told = None;
                if !std::mem::replace(&mut self.is_pending, true) || std::mem::take(&mut self.shows_again) {
                    outputs.push_back(Output::Event(Event::Pending));
                }
                return Ok(Guest::Taken);
            }
            self.is_pending = false;
            if seats.again {
                self.ask_at = Some(now.instant);
            }
            if let Err(failure) = self.told(member, seats, outputs) {
                return match failure.kind {
                    Kind::Agreement => Ok(Guest::Differs(failure)),
                    _ => Err(failure),
                };
            }
        } else if let Ok(roster) = RosterMessage::try_from(message) {
            self.answered(member, now.instant);
            let roster = verify(member, invitation, evidence, roster, now.unix)?;
            self.check_privacy(member, &roster)?;
            self.roster = Some(roster);
        } else if let Ok(report) = ProblemReport::try_from(message) {
            if self.is_refused_by(message) && report.code == refusal::LATER {
                self.comes_again(showable(&report.text()), member, now.instant, outputs);
            } else if self.is_refused_by(message) && report.is_error() {
                let comment = showable(&report.text());
                if report.code.as_str() == refusal::CREDENTIAL {
                    return Err(Failure::new(
                        Kind::CredentialRefused,
                        format!("the host refused: {comment}"),
                    )
                    .hint("didagent credential list, and ask the issuer for one that counts"));
                }
                let hint = match report.code.as_str() {
                    refusal::DENIED => ASK_WHY,
                    _ => "ask the host for a new invitation",
                };
                return Err(
                    Failure::new(Kind::RoomRefused, format!("the host refused: {comment}")).hint(hint)
                );
            }
        } else if let Ok(body) = Leave::try_from(message) {
            if body.code == leave::KICKED {
                let message = "the host does not want this party in this room";
                return Err(Failure::new(Kind::RoomRefused, message).hint(ASK_WHY));
            }
            return Err(Failure::new(Kind::PeerLost, describe_leave("the host", &body))
                .hint("ask the host for a new invitation"));
        } else {
            return Ok(Guest::NotOurs);
        }
        Ok(Guest::Taken)
    }

    /// Says whether a message is in the thread that a refusal of our `join` would be in.
    pub(in crate::core::room) fn is_refused_by(&self, message: &Message) -> bool {
        message.pthid.as_deref() == Some(&self.thid)
    }

    /// Returns the failure of a room of known parties whose time is over.
    pub(in crate::core::room) fn too_late(&self, member: &Member, now: Instant) -> Option<Failure> {
        let Listing { list, .. } = member.list.as_ref().filter(|listing| listing.until <= now)?;
        let m = list.parties().len();
        let names = self.told.as_ref().map(|told| told.names.join(", ")).unwrap_or_default();
        let there = if names.is_empty() { "nobody".to_owned() } else { names };
        Some(too_late(&format!("all of the {m} but {there}")))
    }

    pub(in crate::core::room) fn take_roster(&mut self) -> Option<Roster> {
        self.roster.take()
    }

    pub(in crate::core::room) fn deadline(&self) -> Option<Instant> {
        let missed = self.asked.filter(|_| !self.is_missed).map(|asked| asked + ASK_SOON);
        let is_patient = self.is_awaited() || self.is_listed;
        let later = self.later.as_ref().filter(|_| !is_patient).map(|(until, _)| *until);
        [self.answer_by, self.ask_at, missed, later].into_iter().flatten().min()
    }

    /// Does what is due, and says why the guest gives up, if it does.
    pub(in crate::core::room) fn late(
        &mut self,
        invitation: &Invitation,
        now: Now,
        outputs: &mut VecDeque<Output>,
    ) -> Option<Failure> {
        if self.is_pending && invitation.is_expired(now.unix) {
            let message = "the invitation expired before the host decided who gets a seat";
            return Some(Failure::new(Kind::LinkExpired, message).hint("ask the host for a new invitation"));
        }
        if self.is_awaited() {
            if !self.is_missed && self.asked.is_some_and(|asked| asked + ASK_SOON <= now.instant) {
                self.is_missed = true;
                outputs.push_back(Output::Event(Event::HostAway { patience: MAX_UNANSWERED * ASK_EVERY }));
            }
            if self.answer_by.take_if(|by| *by <= now.instant).is_some() {
                // Whoever has an answer waits for minutes, and they are counted from here (RM-103).
                self.unanswered = 0;
            }
        }
        // Parties that are known beforehand have a time of their own.
        let is_patient = self.is_awaited() || self.is_listed;
        if let Some((_, why)) = self.later.as_ref().filter(|(until, _)| !is_patient && *until <= now.instant)
        {
            let message = format!("the host could give no seat in {} s: {why}", LATER.as_secs());
            return Some(
                Failure::new(Kind::RoomRefused, message).hint("join again with the same link, in a while"),
            );
        }
        if self.asks_again(now.instant) && self.unanswered >= MAX_UNANSWERED {
            let minutes = u64::from(MAX_UNANSWERED) * ASK_EVERY.as_secs() / 60;
            let why = "its command has ended, or its machine sleeps";
            let message = format!("nothing was heard of the host for {minutes} minutes: {why}");
            return Some(Failure::new(Kind::HostSilent, message).hint("ask the host for a new invitation"));
        }
        self.answer_by.filter(|deadline| *deadline <= now.instant).map(|_| {
            let seconds = HOST_ANSWER.as_secs();
            Failure::new(Kind::HostSilent, format!("the host did not answer within {seconds} s"))
                .hint("ask the host whether `didagent invite` still runs, then join again with the same link")
        })
    }
}

fn pause(member: &Member) -> Duration {
    if member.list.is_some() { ASK_LISTED } else { ASK_EVERY }
}

fn verify(
    member: &Member,
    invitation: &Invitation,
    evidence: Evidence<'_>,
    message: RosterMessage,
    now: u64,
) -> Result<Roster, Failure> {
    let refused = |why: &dyn std::fmt::Display| {
        Failure::new(Kind::RosterRefused, format!("the host's roster is refused: {why}"))
    };
    let signature =
        <[u8; 64]>::try_from(message.signature).map_err(|_| refused(&"its signature is not 64 bytes"))?;
    let roster = RosterIn::new(message.roster);
    let m = roster.claimed_parties();
    let expected = Expected {
        room: invitation.room(),
        invitation: invitation.hash(),
        host: invitation.host(),
        mediators: invitation.mediators(),
        identity: member.identity.did(),
        did: &member.connection.did,
        threshold: member.threshold.map(|rule| rule.among(m)),
        manifest: member.manifest.as_ref(),
        commitment: member.nonce.commitment(),
        list: member.list.as_ref().map(|listing| (&listing.list, listing.round)),
        confirm: member.confirm.is_some(),
        documents: evidence.documents,
    };
    let roster = roster.verify(&expected, &signature).map_err(|error| match error {
        RosterError::Threshold { host, ours } => Failure::new(
            Kind::Agreement,
            format!("threshold differs: party 0 (the host) runs with {host}, this party with {ours}"),
        )
        .hint("give the same -T to the program at every party"),
        RosterError::Manifest(failure) => failure,
        error => refused(&error),
    })?;
    credentials::admit(roster, message.credentials, &evidence, now, Rule::Now)
}
