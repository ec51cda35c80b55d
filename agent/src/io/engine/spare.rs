//! The second mailbox: kept beside the own one, so that the loss of a mediator is the loss of nothing.
//!
//! Specification: `spec/relay.md`, RL-64; `spec/room.md`, RM-80.
//!
//! ```text
//! own mediator lost    --> the second one is the own one from now on, the lost one is the second
//! second mediator lost --> tried again, and nobody is told: nothing needs it
//! ```
//!
//! Not its concern: what mail says (`mail`), who else writes to which mediator (`core::post`), the circuits of a run, which stay
//! at the relay (`paths`, `reconnect`).

use std::time::Instant;

use super::{Engine, MAILBOX, now};
use crate::core::backoff::Outage;
use crate::core::connect::Mailbox;
use crate::core::room::{Input, Room};
use crate::core::status::host_of;
use crate::failure::Failure;
use crate::io::{random_u64, websocket};
use crate::report::{Report, Reporter};

use super::reconnect::AS_LONG_AS_IT_TAKES;

/// A mailbox beside the own one.
#[derive(Debug)]
pub(super) struct Spare {
    mediator: String,
    mailbox: Mailbox,
    /// Until when it must be set up.
    by: Option<Instant>,
}

impl Engine {
    /// Says whether this mediator keeps our second mailbox.
    pub(super) fn is_spare(&self, mediator: &str) -> bool {
        self.spare.as_ref().is_some_and(|spare| spare.mediator == mediator)
    }

    /// Returns the mediator that keeps our second mailbox.
    pub(super) fn spare_mediator(&self) -> Option<&str> {
        self.spare.as_ref().map(|spare| spare.mediator.as_str())
    }

    /// Connects to the second mediator and begins to set up the mailbox there.
    ///
    /// # Errors
    /// When its DID has no address.
    pub(super) async fn open_spare(&mut self, mediator: String) -> Result<(), Failure> {
        let link = websocket::connect(&mediator, None, self.to_engine.clone())?;
        if self.began {
            link.watch_closely();
        }
        if let Some(old) = self.links.insert(mediator.clone(), link) {
            tokio::spawn(old.close());
        }
        let now = Instant::now();
        let (mailbox, request) = Mailbox::open(self.connection.clone(), now, &mut self.rng);
        self.spare = Some(Spare { mediator: mediator.clone(), mailbox, by: Some(now + MAILBOX) });
        self.send_to_mediator(request, &mediator).await
    }

    /// The own mediator wants mail to go to another DID than its own: nobody knows our DID yet, so it becomes one that says so (RL-66).
    pub(super) async fn route_by(&mut self, routing: &str) -> Result<(), Failure> {
        let spare = self.spare.take().map(|spare| spare.mediator);
        self.connection = self.identity.connection_at(routing, spare.as_deref());
        if let Some(entry) = &mut self.entry {
            entry.member.connection = self.connection.clone();
        }
        let (mailbox, request) = Mailbox::open_routed(self.connection.clone(), Instant::now(), &mut self.rng);
        self.mailbox = mailbox;
        let own = self.own_mediator.clone();
        self.send_to_mediator(request, &own).await?;
        match spare {
            Some(spare) => self.open_spare(spare).await,
            None => Ok(()),
        }
    }

    /// Returns our mailbox at this mediator, if it is one of ours.
    pub(super) fn mailbox_at(&mut self, mediator: &str) -> Option<&mut Mailbox> {
        if mediator == self.own_mediator {
            return Some(&mut self.mailbox);
        }
        let spare = self.spare.as_mut().filter(|spare| spare.mediator == mediator)?;
        Some(&mut spare.mailbox)
    }

    /// Returns when a mailbox wants something.
    pub(super) fn mailbox_deadline(&self) -> Option<Instant> {
        let spare = self.spare.as_ref().filter(|spare| self.links.contains_key(&spare.mediator));
        let spare = spare.and_then(|spare| spare.by.into_iter().chain(spare.mailbox.deadline()).min());
        self.mailbox.deadline().into_iter().chain(spare).min()
    }

    /// Does what is due for the mailboxes.
    pub(super) async fn mailboxes_due(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        if let Some(request) = self.mailbox.timeout(now, &mut self.rng) {
            let own = self.own_mediator.clone();
            self.send_to_mediator(request, &own).await?;
        }
        let Some(spare) = self.spare.as_mut().filter(|spare| self.links.contains_key(&spare.mediator)) else {
            return Ok(());
        };
        let mediator = spare.mediator.clone();
        if spare.by.take_if(|by| *by <= now).is_some() {
            if let Some(link) = self.links.remove(&mediator) {
                tokio::spawn(link.close());
            }
            self.spare_lost(&mediator, "it set up no mailbox");
            return Ok(());
        }
        match spare.mailbox.timeout(now, &mut self.rng) {
            Some(request) => self.send_to_mediator(request, &mediator).await,
            None => Ok(()),
        }
    }

    /// The second mailbox stands. If the own one is missing, it is the own one from now on.
    pub(super) fn spare_live(&mut self, reporter: &mut dyn Reporter) {
        if let Some(spare) = &mut self.spare {
            spare.by = None;
            tracing::info!(host = host_of(&spare.mediator), "the second mailbox is live");
        }
        if self.is_cut_off(&self.own_mediator) && self.go_on_with_spare("it is not back", reporter) {
            reporter.report(&Report::MediatorBack { in_run: self.began });
        }
    }

    /// The connection to the second mediator broke, or was never made.
    pub(super) fn spare_lost(&mut self, mediator: &str, why: &str) {
        tracing::info!(host = host_of(mediator), why, "lost the second mediator");
        let now = Instant::now();
        let mut outage = Outage::begin(self.outages.remove(mediator), now, AS_LONG_AS_IT_TAKES);
        outage.plan(now, random_u64(&mut self.rng));
        self.outages.insert(mediator.to_owned(), outage);
    }

    /// The second mediator does not serve us: there is nothing to be tried again.
    pub(super) fn spare_refused(&mut self, failure: &Failure) {
        tracing::warn!(why = failure.message, "there is no second mailbox");
        self.spare = None;
    }

    /// Exchanges the own mediator, which was lost, with the second one (RM-80); `false` if that one is not there either.
    pub(super) fn go_on_with_spare(&mut self, why: &str, reporter: &mut dyn Reporter) -> bool {
        if self.entry.is_some() {
            // The room is entered where its link leads first.
            return false;
        }
        let links = &self.links;
        let is_up = |spare: &mut Spare| spare.mailbox.is_live() && links.contains_key(&spare.mediator);
        let Some(Spare { mediator, mailbox, .. }) = self.spare.take_if(is_up) else { return false };
        let lost = std::mem::replace(&mut self.own_mediator, mediator);
        let mailbox = std::mem::replace(&mut self.mailbox, mailbox);
        self.mailbox_by = None;
        self.outages.remove(&self.own_mediator);
        let (old, new) = (host_of(&lost), host_of(&self.own_mediator));
        tracing::info!(old, new, why, "the second mediator takes the place of the own one");
        reporter
            .report(&Report::Warning(format!("lost the mediator at {old}: {why}; {new} takes its place")));
        self.spare = Some(Spare { mediator: lost, mailbox, by: None });
        if let Some(room) = &mut self.room {
            room.meet_at(&self.own_mediator);
            if Room::is_lobby(room) {
                room.handle(Input::MediatorBack, now(), &mut self.rng);
            }
        }
        true
    }
}
