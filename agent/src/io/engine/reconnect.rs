//! A lost mediator, while people wait for each other: connect again, set up the mailbox again, ask again.
//!
//! Specification: `spec/room.md`, section 7. A lobby has nothing that a new connection could not bring back: the host
//! knows who has a seat, and a guest asks for its seat again. Once the room is full, sessions and circuits are lost
//! with the connection, and the room ends.

use std::time::Instant;

use super::{Engine, MAILBOX, now};
use crate::core::backoff::{Outage, RETRY};
use crate::core::connect::Mailbox;
use crate::core::post::websocket_address;
use crate::core::room::{Input, Room};
use crate::failure::{Failure, Kind};
use crate::io::{random_u64, websocket};
use crate::report::{Report, Reporter};

impl Engine {
    /// Our own mediator is gone, and why. In a lobby we try again.
    pub(super) fn own_mediator_lost(
        &mut self,
        why: &str,
        reporter: &mut dyn Reporter,
    ) -> Result<(), Failure> {
        if !self.room.as_ref().is_some_and(Room::is_lobby) {
            return Err(
                lost(why).hint("check that the mediator runs; then the host runs `didagent invite` again")
            );
        }
        let now = now();
        let news = self.outage.as_ref().is_none_or(|outage| !outage.lasts());
        self.mailbox_by = None;
        self.forwards.clear();
        let mut outage = Outage::begin(self.outage.take(), now.instant);
        let again = outage.plan(now.instant, random_u64(&mut self.rng));
        self.outage = Some(outage);
        if !again {
            return Err(self.not_back(why));
        }
        if news {
            reporter.report(&Report::MediatorLost { why: why.to_owned(), retry: RETRY });
        }
        if let Some(room) = &mut self.room {
            room.handle(Input::MediatorLost, now, &mut self.rng);
        }
        Ok(())
    }

    /// Returns when to connect again.
    pub(super) fn reconnect_at(&self) -> Option<Instant> {
        self.outage.as_ref().and_then(Outage::next)
    }

    /// Says whether our mediator was lost and is not back.
    pub(super) fn is_cut_off(&self) -> bool {
        self.outage.as_ref().is_some_and(Outage::lasts)
    }

    /// Connects again if it is time.
    pub(super) async fn reconnect(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        if !self.outage.as_mut().is_some_and(|outage| outage.attempt(now)) {
            return Ok(());
        }
        let own = self.own_mediator.clone();
        let link = websocket::connect(&own, None, self.to_engine.clone())?;
        self.links.insert(own.clone(), link);
        // A mediator forgets accounts when it restarts, and a new socket needs live delivery anyway (RL-40).
        let (mailbox, request) = Mailbox::open(self.connection.clone(), &mut self.rng);
        self.mailbox = mailbox;
        self.mailbox_by = Some(now + MAILBOX);
        self.send_to_mediator(request, &own).await
    }

    /// The mailbox is live again.
    pub(super) fn mediator_back(&mut self, reporter: &mut dyn Reporter) {
        if !self.is_cut_off() {
            return;
        }
        let now = now();
        if let Some(outage) = &mut self.outage {
            outage.over(now.instant);
        }
        reporter.report(&Report::MediatorBack);
        if let Some(room) = &mut self.room {
            room.handle(Input::MediatorBack, now, &mut self.rng);
        }
    }

    fn not_back(&self, why: &str) -> Failure {
        let address = websocket_address(&self.own_mediator).unwrap_or_default();
        let seconds = RETRY.as_secs();
        let failure = lost(&format!("{address} did not come back within {seconds} s; {why}"));
        failure.hint(self.after_outage())
    }

    /// Returns what to try when the mediator did not come back as it was.
    pub(super) fn after_outage(&self) -> &'static str {
        match self.room.as_ref().is_some_and(|room| room.expires_in(0).is_some()) {
            true => "check that the mediator runs, then run `didagent invite` again and send the new link",
            false => "ask the host whether the room still stands, then join again",
        }
    }
}

fn lost(why: &str) -> Failure {
    Failure::new(Kind::MediatorLost, format!("lost the connection to the mediator: {why}"))
}
