//! A lost mediator: connect again, set up the mailbox again, ask again.
//!
//! Specification: `spec/room.md`, section 7. A lobby has nothing that a new connection could not bring back: the host
//! knows who has a seat, and a guest asks for its seat again. In a run the sessions outlive their circuits, so the same holds; only
//! between the two, while the room forms, messages that nobody repeats are lost with the mediator, and the room ends.
//!
//! Not its concern: new circuits (`paths`), parties that stay away (`io::peer`).

use std::time::{Duration, Instant};

use super::{Engine, MAILBOX, now};
use crate::core::backoff::{Outage, RETRY};
use crate::core::connect::Mailbox;
use crate::core::post::websocket_address;
use crate::core::room::{Input, Room};
use crate::failure::{Failure, Kind};
use crate::io::{random_u64, websocket};
use crate::report::{Report, Reporter};

/// Our own mediator is tried for the whole run if the circuits are elsewhere, and the second one always: nothing needs it before
/// the end.
pub(super) const AS_LONG_AS_IT_TAKES: Duration = Duration::from_secs(365 * 24 * 3600);

impl Engine {
    /// A mediator without which nothing goes on is gone, and why. In a lobby and in a run we try again.
    pub(super) fn mediator_lost(
        &mut self,
        mediator: &str,
        why: &str,
        reporter: &mut dyn Reporter,
    ) -> Result<(), Failure> {
        if mediator == self.own_mediator {
            // After this it is the second one.
            self.go_on_with_spare(why, reporter);
        }
        if self.is_spare(mediator) && self.relay() != Some(mediator) {
            self.spare_lost(mediator, why);
            return Ok(());
        }
        let is_lobby = self.room.as_ref().is_some_and(Room::is_lobby);
        if !is_lobby && !self.began {
            return Err(self.lost_while_forming(why));
        }
        let now = now();
        let limit = match (is_lobby, self.relay() == Some(mediator)) {
            (true, _) => RETRY,
            (false, true) => self.patience,
            (false, false) => AS_LONG_AS_IT_TAKES,
        };
        if mediator == self.own_mediator {
            self.mailbox_by = None;
            self.forwards.clear();
        }
        if self.relay() == Some(mediator) {
            self.paths.socket_lost();
        }
        let before = self.outages.remove(mediator);
        let lasted = before.as_ref().is_some_and(Outage::lasts);
        let mut outage = Outage::begin(before, now.instant, limit);
        let again = outage.plan(now.instant, random_u64(&mut self.rng));
        let attempts = outage.attempts();
        self.outages.insert(mediator.to_owned(), outage);
        // A lobby waits for people anyway. A run ends at the minute.
        if is_lobby && !again {
            return Err(self.not_back(mediator, why));
        }
        // In a run most are back at the first attempt, before anybody could read of it.
        if if is_lobby { !lasted } else { attempts == 2 } {
            let retry = if is_lobby { RETRY } else { self.patience };
            reporter.report(&Report::MediatorLost { why: why.to_owned(), retry });
        }
        tracing::info!(why, attempts, "lost a mediator");
        if is_lobby && let Some(room) = &mut self.room {
            room.handle(Input::MediatorLost, now, &mut self.rng);
        }
        Ok(())
    }

    /// Returns when to connect again, or to give a mediator up.
    pub(super) fn reconnect_at(&self) -> Option<Instant> {
        let ends = self.relay_outage().filter(|_| self.began).map(Outage::end);
        self.outages.values().filter_map(Outage::next).chain(ends).min()
    }

    /// Says whether a mediator was lost and is not back.
    pub(super) fn is_cut_off(&self, mediator: &str) -> bool {
        self.outages.get(mediator).is_some_and(Outage::lasts)
    }

    /// Returns the failure of a run whose circuits cannot come back because the mediator does not.
    pub(super) fn relay_is_away(&self) -> Option<Failure> {
        let relay = self.relay().filter(|relay| self.is_cut_off(relay))?;
        Some(self.not_back(relay, "the run needs it"))
    }

    /// Connects again where it is time.
    ///
    /// # Errors
    /// [`Kind::MediatorLost`] when a run's relay has been away for too long.
    pub(super) async fn reconnect(&mut self, reporter: &mut dyn Reporter) -> Result<(), Failure> {
        let now = Instant::now();
        let is_over = |outage: &Outage| outage.end() <= now;
        if self.began && self.relay_outage().is_some_and(is_over) {
            return self.relay_is_away().map_or(Ok(()), Err);
        }
        let due: Vec<String> = self
            .outages
            .iter_mut()
            .filter_map(|(mediator, outage)| outage.attempt(now).then(|| mediator.clone()))
            .collect();
        for mediator in due {
            if self.is_spare(&mediator) {
                self.open_spare(mediator.clone()).await?;
                self.mediator_back(&mediator, reporter);
                continue;
            }
            // The relay is one of the host's, whom a board's guest knows no better than anybody.
            let is_strangers = !self.strangers.chose_mediators() && mediator != self.own_mediator;
            let ours = is_strangers.then_some(self.own_mediator.as_str());
            let link = websocket::connect(&mediator, ours, self.to_engine.clone())?;
            if self.began {
                link.watch_closely();
            }
            if let Some(old) = self.links.insert(mediator.clone(), link) {
                tokio::spawn(old.close());
            }
            if mediator == self.own_mediator {
                // A mediator forgets accounts when it restarts, and a new socket needs live delivery anyway (RL-40).
                // Others know our DID by now, so it stays as it is.
                let (mailbox, request) = Mailbox::open_routed(self.connection.clone(), now, &mut self.rng);
                self.mailbox = mailbox;
                self.mailbox_by = Some(now + MAILBOX);
                self.send_to_mediator(request, &mediator).await?;
            } else {
                // It has nothing to tell us before we ask for a circuit.
                self.mediator_back(&mediator, reporter);
            }
        }
        Ok(())
    }

    /// A mediator that we connected to again set up no mailbox: in a run that is one more attempt that came to nothing.
    pub(super) fn no_mailbox_again(&mut self, reporter: &mut dyn Reporter) -> Result<(), Failure> {
        self.mailbox_by = None;
        let own = self.own_mediator.clone();
        if let Some(link) = self.links.remove(&own) {
            tokio::spawn(link.close());
        }
        self.mediator_lost(&own, "it set up no mailbox", reporter)
    }

    /// The mailbox is live again, or the relay connected.
    pub(super) fn mediator_back(&mut self, mediator: &str, reporter: &mut dyn Reporter) {
        if !self.is_cut_off(mediator) {
            return;
        }
        let now = now();
        let attempts = self.outages.get(mediator).map_or(0, Outage::attempts);
        if let Some(outage) = self.outages.get_mut(mediator) {
            outage.over(now.instant);
        }
        let is_needed = mediator == self.own_mediator || self.relay() == Some(mediator);
        if is_needed && (!self.began || attempts >= 2) {
            reporter.report(&Report::MediatorBack { in_run: self.began });
        }
        if let Some(room) = self.room.as_mut().filter(|_| mediator == self.own_mediator) {
            room.handle(Input::MediatorBack, now, &mut self.rng);
        }
    }

    /// A room that is full and not ready yet ends with its mediator, and its link with it. What helps depends on who one is.
    fn lost_while_forming(&self, why: &str) -> Failure {
        if self.roster.is_none() {
            return lost(why).hint("check that the mediator runs, then the same command again");
        }
        let failure =
            lost(&format!("{why}; the room was full and not ready yet, so it is over for everybody"));
        if self.is_listed() {
            return failure.hint(self.after_outage());
        }
        failure.hint(match self.room.as_ref().is_some_and(|room| room.invitation().host() == self.connection.did) {
            true => {
                "once the mediator runs again, `didagent invite` with a new link; --mediator twice: a second one takes over"
            }
            false => "ask the host for a new invitation: this link leads nowhere any more",
        })
    }

    fn relay_outage(&self) -> Option<&Outage> {
        self.relay().and_then(|relay| self.outages.get(relay)).filter(|outage| outage.lasts())
    }

    fn not_back(&self, mediator: &str, why: &str) -> Failure {
        let address = websocket_address(mediator).unwrap_or_default();
        let seconds = if self.began { self.patience } else { RETRY }.as_secs();
        let failure = lost(&format!("{address} did not come back within {seconds} s; {why}"));
        failure.hint(self.after_outage())
    }

    /// Returns what to try when the mediator did not come back as it was.
    pub(super) fn after_outage(&self) -> String {
        if self.began || self.is_listed() {
            return format!("check that the mediator runs; then {}", self.anew());
        }
        if self.can_go_on() {
            return "once the mediator runs again: didagent invite --resume -- CMD    (the link and the seats stay)".to_owned();
        }
        let hint = match self.room.as_ref().is_some_and(|room| room.expires_in(0).is_some()) {
            true => "check that the mediator runs, then run `didagent invite` again and send the new link",
            false => "ask the host whether the room still stands, then join again",
        };
        hint.to_owned()
    }
}

fn lost(why: &str) -> Failure {
    Failure::new(Kind::MediatorLost, format!("lost the connection to the mediator: {why}"))
}
