//! Messages: from a mediator's websocket to the mailbox and the room, and back.

use std::time::Instant;

use didagent_didcomm::did;
use didagent_didcomm::envelope::Unpacked;
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::relay::{Opened, Refused};
use didagent_didcomm::protocols::report_problem::ProblemReport;

use super::{End, Engine, MAILBOX, now};
use crate::core::clock;
use crate::core::connect::{Step, showable};
use crate::core::post::{Parcel, Post, PostError, mediators_of, websocket_address};
use crate::core::room::{Input, Room};
use crate::failure::{Failure, Kind};
use crate::io::websocket::{FromMediator, Heard};
use crate::io::{fresh_rng, unix_now};
use crate::report::{Report, Reporter};

/// Problem reports of our mediator that are shown in the life of an engine. More of them help nobody.
const MAX_REPORTS: usize = 16;

/// What a mediator reports when nobody is registered under the address of a forward (RL-44).
const NOT_REGISTERED: &str = "e.p.did.not-registered";

/// What a mediator reports when a newer connection of the same DID takes the mail (RL-43).
const LIVE_MOVED: &str = "w.m.live-mode-moved";

/// What a mediator reports about a message that is over by its clock, which it names (RL-44).
const EXPIRED: &str = "e.p.req.time.expired";

/// Messages to parties whose thread is remembered, in case the mediator has a problem with one. It answers at once, so this is
/// more than are ever on their way.
const MAX_FORWARDS: usize = 64;

impl Engine {
    pub(super) async fn on_mediator(
        &mut self,
        FromMediator { mediator, socket, heard }: FromMediator,
        reporter: &mut dyn Reporter,
    ) -> Result<Option<End>, Failure> {
        if self.links.get(&mediator).is_none_or(|link| link.id() != socket) {
            tracing::debug!("an earlier socket was heard");
            return Ok(None);
        }
        let mediator = mediator.as_str();
        match heard {
            Heard::Text(text) => {
                self.desk.connected |= mediator == self.own_mediator;
                if mediator != self.own_mediator {
                    // There is no mailbox to be set up first.
                    self.mediator_back(mediator, reporter);
                }
                self.envelope(mediator, &text, reporter).await?;
            }
            Heard::Unreachable(failure) => {
                self.links.remove(mediator);
                self.dial_failed(mediator);
                self.desk.mediator_gone(mediator, &failure.message);
                let is_needed = mediator == self.own_mediator || self.relay() == Some(mediator);
                let is_retried =
                    self.is_cut_off(mediator) || self.is_spare(mediator) || (self.began && is_needed);
                if is_retried {
                    return self.mediator_lost(mediator, &failure.message, reporter).map(|()| None);
                }
                if is_needed || self.host_is_out_of_reach(mediator) {
                    return Err(failure);
                }
                // Somebody's mediator: whoever it is misses our messages and is missed at the deadline.
                tracing::warn!(message = failure.message, "another party's mediator cannot be reached");
            }
            Heard::Lost(why) => {
                self.links.remove(mediator);
                self.desk.mediator_gone(mediator, &why);
                let is_own = mediator == self.own_mediator;
                if is_own && !self.began && !self.mailbox.is_answered() && !self.is_cut_off(mediator) {
                    return Err(self.no_mediator(&format!("it ended the connection: {why}")));
                }
                if is_own || self.is_spare(mediator) || self.relay() == Some(mediator) {
                    self.mediator_lost(mediator, &why, reporter)?;
                }
            }
        }
        Ok(None)
    }

    /// Opens one envelope from a mediator's socket.
    async fn envelope(
        &mut self,
        mediator: &str,
        text: &str,
        reporter: &mut dyn Reporter,
    ) -> Result<(), Failure> {
        let opened = match self.post().open(text.as_bytes(), unix_now()) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::warn!(%error, "an envelope from the mediator was refused");
                // Nobody else can write to us before the mailbox stands.
                return match mediator == self.own_mediator && !self.mailbox.is_answered() {
                    true => Err(self.no_mediator("its answer is no message for us")),
                    false => Ok(()),
                };
            }
        };
        // Only the mediator itself talks to us here; other parties' messages come inside its deliveries, or as they are (RL-65).
        if opened.sender.as_ref().is_none_or(|sender| sender.did != mediator) {
            if self.mailbox_at(mediator).is_some_and(|mailbox| mailbox.is_live()) {
                return self.opened_mail(&opened, reporter).await;
            }
            tracing::warn!("a message on the mediator's socket is not from the mediator");
            return Ok(());
        }
        self.mediator_message(mediator, &opened.message, reporter).await
    }

    async fn mediator_message(
        &mut self,
        mediator: &str,
        message: &Message,
        reporter: &mut dyn Reporter,
    ) -> Result<(), Failure> {
        if mediator == self.own_mediator && !self.mailbox.is_live() {
            // Its answers say when they were written. Later ones may have waited somewhere; the first ones did not.
            let theirs = message.created_time.unwrap_or_else(unix_now);
            clock::compare_with_mediator(unix_now(), theirs)?;
        }
        if mediator == self.own_mediator && self.link_answered(message, reporter)? {
            return Ok(());
        }
        if let Ok(opened) = Opened::try_from(message) {
            return self.circuit_opened(mediator, message.thread(), &opened);
        }
        if let Ok(refused) = Refused::try_from(message) {
            return self.circuit_refused(message.thread(), &refused);
        }
        if let Ok(report) = ProblemReport::try_from(message) {
            if self.desk.undelivered(message.pthid.as_deref()) {
                return Ok(());
            }
            let thread = message.pthid.as_deref();
            let mut rng = fresh_rng();
            let next = self
                .mailbox_at(mediator)
                .map_or(Ok(None), |mailbox| mailbox.refused(&report, thread, Instant::now(), &mut rng));
            match next {
                Ok(Some(next)) => return self.send_to_mediator(next, mediator).await,
                Ok(None) => {}
                Err(failure) if mediator == self.own_mediator => return Err(failure),
                Err(failure) => {
                    self.spare_refused(&failure);
                    return Ok(());
                }
            }
            if report.is_error() && self.circuit_unknown(mediator, thread)? {
                return Ok(());
            }
            if self.party_unregistered(mediator, &report, message.pthid.as_deref()) {
                return Ok(());
            }
            let comment = showable(&report.text());
            if mediator != self.own_mediator {
                // Chosen by some party, perhaps a stranger a moment ago: its words are not for our person.
                tracing::info!(code = report.code, comment, "another party's mediator reports a problem");
                return Ok(());
            }
            if !self.began {
                self.ends_waiting(&report)?;
            }
            if self.reports_shown < MAX_REPORTS {
                self.reports_shown += 1;
                reporter.report(&Report::Warning(format!("the mediator reports: {comment}")));
            }
            return Ok(());
        }
        let mut rng = fresh_rng();
        let Some(mailbox) = self.mailbox_at(mediator) else { return Ok(()) };
        let step = match mailbox.handle(message, Instant::now(), &mut rng) {
            Err(failure) if mediator != self.own_mediator => {
                self.spare_refused(&failure);
                return Ok(());
            }
            step => step?,
        };
        match step {
            Step::Send(message) => self.send_to_mediator(message, mediator).await?,
            Step::Route(routing) if mediator == self.own_mediator && self.entry.is_some() => {
                self.route_by(&routing).await?;
            }
            Step::Route(_) => {
                let why = "it wants mail to go to another DID than its own";
                self.spare_refused(&Failure::new(Kind::MediatorRefused, why));
            }
            Step::Live if mediator != self.own_mediator => self.spare_live(reporter),
            Step::Live => {
                self.mailbox_by = None;
                self.mediator_back(mediator, reporter);
                self.enter_room(reporter)?;
                self.share_link(reporter).await?;
            }
            Step::Mail { messages, receipt } => {
                for text in messages {
                    self.mail(&text, reporter).await?;
                }
                self.send_to_mediator(receipt, mediator).await?;
            }
            Step::Nothing => {}
        }
        Ok(())
    }

    /// Notes that a mediator of ours does not know a party to which we wrote; `false` if that means nothing any more.
    fn party_unregistered(&mut self, mediator: &str, report: &ProblemReport, thread: Option<&str>) -> bool {
        let at = self.forwards.iter().position(|(forward, _)| Some(forward.as_str()) == thread);
        let Some((_, did)) = at.and_then(|at| self.forwards.remove(at)) else { return false };
        if report.code != NOT_REGISTERED || !self.room.as_ref().is_some_and(Room::is_lobby) {
            return false;
        }
        if self.unknown.len() >= MAX_FORWARDS {
            self.unknown.pop_front();
        }
        self.unknown.push_back((did.clone(), mediator.to_owned()));
        // It may be at another one (RL-64).
        let is_known = |at: &String| {
            !self.is_cut_off(at) && !self.unknown.iter().any(|(party, by)| *party == did && by == at)
        };
        if mediators_of(&did).unwrap_or_default().iter().any(is_known) {
            return true;
        }
        let Some(room) = &mut self.room else { return false };
        room.handle(Input::Unregistered(&did), now(), &mut self.rng);
        true
    }

    /// Problems after which nothing arrives any more, though the connection stands.
    fn ends_waiting(&mut self, report: &ProblemReport) -> Result<(), Failure> {
        match report.code.as_str() {
            LIVE_MOVED => {
                // Our goodbye would be taken for that of the other one, which has the seat now.
                self.room = None;
                Err(Failure::new(
                    Kind::HomeHeld,
                    "another didagent with this home's identity connected to the mediator and takes the mail",
                )
                .hint("end one of the two; a copy of a home cannot be used at the same time: --home DIR"))
            }
            EXPIRED => match report.args.first().and_then(|theirs| theirs.parse().ok()) {
                Some(theirs) => clock::compare_with_mediator(unix_now(), theirs),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// What answers at our mediator's address is not our mediator, and why.
    fn no_mediator(&self, why: &str) -> Failure {
        let address = websocket_address(&self.own_mediator).unwrap_or_default();
        let message = format!("what answers at {address} is not the mediator of the link: {why}");
        Failure::new(Kind::MediatorForeign, message)
            .hint("ask for the link again, or check who runs the mediator")
    }

    /// The mailbox was not set up in time.
    pub(super) fn no_mailbox(&self) -> Failure {
        let address = websocket_address(&self.own_mediator).unwrap_or_default();
        let seconds = MAILBOX.as_secs();
        if self.mailbox.is_answered() {
            let message =
                format!("the mediator at {address} is too slow: it set up no mailbox within {seconds} s");
            return Failure::new(Kind::MediatorUnreachable, message)
                .hint("the same again on a better connection");
        }
        let message = format!(
            "what answers at {address} set up no mailbox within {seconds} s: it is another mediator than before \
             or than the link says, or very slow"
        );
        // The usual reason: it was restarted.
        let data = "a mediator stays the same only if it is started with --data DIR";
        let then = match self.is_cut_off(&self.own_mediator) {
            true => self.after_outage(),
            false => "ask for its link again".to_owned(),
        };
        Failure::new(Kind::MediatorForeign, message).hint(format!("{then}; {data}"))
    }

    /// Opens one party's message and gives it to the room.
    async fn mail(&mut self, text: &str, reporter: &mut dyn Reporter) -> Result<(), Failure> {
        let opened = match self.post().open(text.as_bytes(), unix_now()) {
            Ok(opened) => opened,
            // Old mail of a room that is over, or garbage: anybody may write to a mailbox.
            Err(error) => {
                tracing::info!(%error, "a message was refused");
                return Ok(());
            }
        };
        self.opened_mail(&opened, reporter).await
    }

    async fn opened_mail(&mut self, opened: &Unpacked, reporter: &mut dyn Reporter) -> Result<(), Failure> {
        let Some(sender) = &opened.sender else { return Ok(()) };
        self.unknown.retain(|(party, _)| *party != sender.did);
        // What only asks for an answer changes nothing here: it may come twice, and others need not say when it ends.
        if self.courtesy(sender, &opened.message, reporter).await? {
            return Ok(());
        }
        let Some(room) = self.room.as_mut().filter(|room| room.concerns(&opened.message)) else {
            return Ok(());
        };
        let is_party = room.has_seat(&sender.did);
        if !self.seen.is_new(&sender.did, is_party, &opened.message, unix_now())
            && !room.answers_again(&sender.did, &opened.message)
        {
            tracing::info!("a message came twice");
            return Ok(());
        }
        room.handle(Input::Message(sender, &opened.message), now(), &mut self.rng);
        Ok(())
    }

    /// Seals a message for a party, named by its DID or by one key of it, and sends it to that party's mediator. Somebody's unusable DID or full queue is not our
    /// failure: whoever it is misses the message, and is missed at the deadline.
    ///
    /// # Errors
    /// [`Kind::LinkDamaged`] when it is the host, whom a guest cannot do without.
    pub(super) async fn send_to_party(&mut self, message: Message, to: &str) -> Result<(), Failure> {
        let mut failure = None;
        let mut is_sent = false;
        let mediators = match mediators_of(did::did_of(to)) {
            Ok(mediators) => mediators,
            Err(error) => return self.cannot_write(&error),
        };
        for mediator in mediators.clone() {
            if self.rests(&mediator, &mediators) {
                continue;
            }
            let Some(parcel) = self.sealed_for(message.clone(), to, &mediator)? else { continue };
            if let Err(unusable) = self.link_to(&mediator) {
                failure = Some(unusable);
                continue;
            }
            match self.links.get(&mediator) {
                Some(link) if mediator == self.own_mediator || self.is_spare(&mediator) => {
                    if self.forwards.len() >= MAX_FORWARDS {
                        self.forwards.pop_front();
                    }
                    self.forwards.push_back((parcel.thread, did::did_of(to).to_owned()));
                    link.send(parcel.text).await;
                    is_sent = true;
                }
                Some(link) if link.send_if_room(parcel.text) => is_sent = true,
                _ => {}
            }
        }
        if !is_sent {
            tracing::warn!("a message to a party was dropped: its mediator is away or takes no more");
        }
        failure.filter(|_| !is_sent).map_or(Ok(()), Err)
    }

    /// Says whether a guest that waits has no way left to its host, after this mediator could not be reached: one of ours comes back
    /// or ends the room by itself.
    fn host_is_out_of_reach(&self, mediator: &str) -> bool {
        let Some(room) = self.room.as_ref().filter(|room| room.waits_for_host()) else { return false };
        let hosts = room.host_mediators();
        let is_way =
            |one: &String| *one == self.own_mediator || self.is_spare(one) || self.links.contains_key(one);
        hosts.iter().any(|one| one == mediator) && !hosts.iter().any(is_way)
    }

    /// Refuses somebody's request to join. No connection is made for that: a stranger could name any address.
    pub(super) fn refuse_stranger(&mut self, message: Message, to: &str) {
        // Whoever names none may be known to ours (RM-81).
        let mediators = mediators_of(did::did_of(to)).unwrap_or_else(|_| vec![self.own_mediator.clone()]);
        let linked = mediators.iter().find(|mediator| self.links.contains_key(*mediator));
        if let Some(mediator) = linked
            && let Ok(Some(parcel)) = self.sealed_for(message, to, mediator)
            && let Some(link) = self.links.get(mediator)
        {
            link.send_if_room(parcel.text);
        }
    }

    fn sealed_for(&mut self, message: Message, to: &str, mediator: &str) -> Result<Option<Parcel>, Failure> {
        let post = Post { identity: &self.identity, connection: &self.connection };
        match post.to_party_at(message, to, mediator, unix_now(), &mut self.rng) {
            Ok(parcel) => Ok(Some(parcel)),
            Err(error) => self.cannot_write(&error).map(|()| None),
        }
    }

    fn cannot_write(&self, error: &PostError) -> Result<(), Failure> {
        if self.room.as_ref().is_some_and(Room::waits_for_host) {
            return Err(Failure::new(Kind::LinkDamaged, format!("the host cannot be written to: {error}")));
        }
        tracing::warn!(%error, "a message to a party was dropped");
        Ok(())
    }

    pub(super) async fn send_to_mediator(&mut self, message: Message, mediator: &str) -> Result<(), Failure> {
        let post = Post { identity: &self.identity, connection: &self.connection };
        let parcel = post
            .to_mediator(message, mediator, unix_now(), &mut self.rng)
            .map_err(|error| Failure::new(Kind::Other, format!("a message cannot be sent: {error}")))?;
        if let Some(link) = self.links.get(mediator) {
            link.send(parcel.text).await;
        }
        Ok(())
    }

    fn post(&self) -> Post<'_> {
        Post { identity: &self.identity, connection: &self.connection }
    }
}
