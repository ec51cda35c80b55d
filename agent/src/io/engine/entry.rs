//! The mailbox is live for the first time, so the room begins: ours, that of a link, or that of parties who are known beforehand.

use super::entrance::Entrance;
use super::share::RoomLink;
use super::{Engine, Opening, now};
use crate::core::clock;
use crate::core::invite::Invitation;
use crate::core::post::websocket_address;
use crate::core::room::{Listing, Member, Room};
use crate::core::share::Sharing;
use crate::failure::{Failure, Kind};
use crate::report::{Report, Reporter, RoomFacts};

/// What is needed to enter the room.
pub(super) struct Entry {
    pub(super) member: Member,
    pub(super) entrance: Entrance,
}

impl Engine {
    /// The mailbox is live: people can answer, so the room begins.
    pub(super) fn enter_room(&mut self, reporter: &mut dyn Reporter) -> Result<(), Failure> {
        let Some(Entry { member, entrance }) = self.entry.take() else { return Ok(()) };
        let now = now();
        let goal = entrance.goal();
        let approval = match &entrance {
            Entrance::Host(opening) => opening.approval,
            Entrance::Guest(_) | Entrance::Listed(..) | Entrance::Resumed(_) => None,
        };
        let mut room = match entrance {
            Entrance::Host(opening) => self.open_room(member, opening, &goal)?,
            Entrance::Guest(invitation) => {
                // Our clock agrees with our mediator's, so one of them in the future is the host's.
                if let Some(created) = invitation.created() {
                    clock::compare_with_host(now.unix, created)?;
                }
                reporter.report(&Report::Joining { room: RoomFacts::of(&member, &invitation) });
                Room::guest(member, invitation, now, &mut self.rng)
            }
            Entrance::Listed(Listing { list, ours, until, .. }, wait) => {
                let (parties, room) = (list.parties().len(), RoomFacts::of_list(&member, &list));
                reporter.report(&Report::Listed { ours, wait, room, list });
                if ours == 0 {
                    // As long as the person said, from the beginning.
                    let left = until.saturating_duration_since(now.instant).as_secs();
                    let expires = now.unix.saturating_add(left);
                    let invitation =
                        Invitation::create(&self.connection, &goal, now.unix, expires, &mut self.rng)?;
                    Room::host(member, invitation, parties)
                } else {
                    Room::of_list(member, now, &mut self.rng)?
                }
            }
            Entrance::Resumed(kept) => self.resume_room(member, *kept)?,
        };
        room.meet_at(&self.own_mediator);
        // Not the whole id: it is a part of the link.
        let id = room.invitation().room();
        tracing::Span::current().record("id", id.get(..8).unwrap_or_default());
        self.room = Some(room);
        self.keep_the_door(approval);
        self.show_own_document();
        Ok(())
    }

    fn open_room(&mut self, member: Member, opening: Opening, goal: &str) -> Result<Room, Failure> {
        let Opening { parties, expires_in, link, require_issuer, .. } = opening;
        let now = now().unix;
        let times = (now, now.saturating_add(expires_in));
        let invitation =
            Invitation::create_requiring(&require_issuer, &self.connection, goal, times, &mut self.rng)?;
        let sharing = Sharing::new(link, &invitation, &self.link_base()?, &mut self.rng)?;
        let facts = RoomFacts::of(&member, &invitation);
        self.room_link = Some(RoomLink { sharing, parties, expires_in, facts, posting: None });
        Ok(Room::host(member, invitation, parties))
    }

    /// Returns the address that stands in front of a room's link: the mediator's own.
    pub(super) fn link_base(&self) -> Result<String, Failure> {
        let address = websocket_address(&self.own_mediator)
            .map_err(|error| Failure::new(Kind::LinkDamaged, error.to_string()))?;
        // ws becomes http, wss becomes https.
        Ok(format!("http{}", address.trim_start_matches("ws")))
    }
}
