//! The link of a host's room, over the connection to its mediator; what is asked and shown is decided in `core::share`.

use std::time::Instant;

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::report_problem::ProblemReport;

use super::Engine;
use crate::core::posting::Posting;
use crate::core::room::Room;
use crate::core::share::{Sharing, Shown};
use crate::failure::Failure;
use crate::io::unix_now;
use crate::report::{Report, Reporter, RoomFacts};

/// The link, and what people are told with it.
pub(super) struct RoomLink {
    pub(super) sharing: Sharing,
    pub(super) parties: usize,
    pub(super) expires_in: u64,
    pub(super) facts: RoomFacts,
    /// The room on the board, once there is a link to post.
    pub(super) posting: Option<Posting>,
}

impl Engine {
    /// The mailbox is live, for the first time or again: the mediator is to keep the link.
    pub(super) async fn share_link(&mut self, reporter: &mut dyn Reporter) -> Result<(), Failure> {
        let seats = self.room.as_ref().filter(|room| room.is_lobby()).map(|room| Room::seats(room).len());
        let (Some(seats), Some(link)) = (seats, &mut self.room_link) else { return Ok(()) };
        if let Some(posting) = &mut link.posting {
            posting.connected();
        }
        match link.sharing.connected(seats, Instant::now(), unix_now(), &mut self.rng) {
            Ok(request) => {
                let own = self.own_mediator.clone();
                self.send_to_mediator(request, &own).await
            }
            Err(shown) => self.show_link(shown, reporter),
        }
    }

    /// Takes a message of our mediator, and says whether it was about the link.
    pub(super) fn link_answered(
        &mut self,
        message: &Message,
        reporter: &mut dyn Reporter,
    ) -> Result<bool, Failure> {
        if self.post_answered(message, reporter)? {
            return Ok(true);
        }
        let Some(link) = &mut self.room_link else { return Ok(false) };
        let answered = match ProblemReport::try_from(message) {
            Ok(_) => link.sharing.refused(message.pthid.as_deref()),
            Err(_) => link.sharing.answered(message),
        };
        let Some(shown) = answered else { return Ok(false) };
        self.show_link(shown, reporter)?;
        Ok(true)
    }

    pub(super) fn link_due(&self) -> Option<Instant> {
        let sharing = self.room_link.as_ref()?.sharing.deadline();
        sharing.into_iter().chain(self.post_due(Instant::now())).min()
    }

    pub(super) async fn link_timeout(
        &mut self,
        now: Instant,
        reporter: &mut dyn Reporter,
    ) -> Result<(), Failure> {
        let shown = self.room_link.as_mut().and_then(|link| link.sharing.timeout(now));
        self.show_link(shown, reporter)?;
        self.keep_post(now).await
    }

    fn show_link(&mut self, shown: Option<Shown>, reporter: &mut dyn Reporter) -> Result<(), Failure> {
        if let Some(failure) = self.room_link.as_ref().and_then(|link| link.sharing.failure()) {
            return Err(failure);
        }
        let (Some(Shown { link, note }), Some(room_link)) = (shown, &self.room_link) else { return Ok(()) };
        let RoomLink { parties, expires_in, facts, .. } = room_link;
        let posting = self.post_of(&link);
        self.desk.link = Some(link.clone());
        let missing = self.room.as_ref().map_or(0, Room::missing);
        if let Some(note) = note {
            reporter.report(&Report::Warning(note));
        }
        let (parties, expires_in, room) = (*parties, *expires_in, facts.clone());
        self.keep_room(reporter);
        if self.strangers.title.is_some() && posting.is_none() {
            let why = "the room is not in the lobby: its link is too long to be posted";
            reporter.report(&Report::Warning(why.to_owned()));
        }
        if let Some(room_link) = &mut self.room_link {
            room_link.posting = posting;
        }
        reporter.report(&Report::Invitation { link, parties, missing, expires_in, room });
        Ok(())
    }
}
