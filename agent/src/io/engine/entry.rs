//! The mailbox is live for the first time, so the room begins: ours, that of a link, or that of parties who are known beforehand.

use super::share::RoomLink;
use super::{Engine, Role, now};
use crate::core::clock;
use crate::core::invite::Invitation;
use crate::core::post::websocket_address;
use crate::core::room::kept::KeptRoom;
use crate::core::room::{self, Room};
use crate::core::share::Sharing;
use crate::failure::{Failure, Kind};
use crate::report::{Report, Reporter, RoomFacts};

/// What is needed to enter the room.
pub(super) struct Entry {
    pub(super) member: room::Member,
    pub(super) role: Role,
    /// The invitation that a guest read.
    pub(super) invitation: Option<Invitation>,
    /// The room that goes on.
    pub(super) kept: Option<KeptRoom>,
    /// What a host's invitation says that it is for.
    pub(super) goal: String,
}

impl Engine {
    /// The mailbox is live: people can answer, so the room begins.
    pub(super) fn enter_room(&mut self, reporter: &mut dyn Reporter) -> Result<(), Failure> {
        let Some(mut entry) = self.entry.take() else { return Ok(()) };
        let now = now();
        let (invitation, kept) = (entry.invitation.take(), entry.kept.take());
        let approval = match entry.role {
            Role::Host { approval, .. } => approval,
            _ => None,
        };
        let mut room = match (entry.role.clone(), invitation, kept) {
            (Role::Host { parties, expires_in, link, require_issuer, .. }, ..) => {
                let expires = now.unix.saturating_add(expires_in);
                let invitation = Invitation::create_requiring(
                    &require_issuer,
                    &self.connection,
                    &entry.goal,
                    (now.unix, expires),
                    &mut self.rng,
                )?;
                let sharing = Sharing::new(link, &invitation, &self.link_base()?, &mut self.rng)?;
                let facts = RoomFacts::of(&entry.member, &invitation);
                self.room_link = Some(RoomLink { sharing, parties, expires_in, facts, posting: None });
                Room::host(entry.member, invitation, parties)
            }
            (Role::Guest { .. }, Some(invitation), _) => {
                // Our clock agrees with our mediator's, so one of them in the future is the host's.
                if let Some(created) = invitation.created() {
                    clock::compare_with_host(now.unix, created)?;
                }
                reporter.report(&Report::Joining { room: RoomFacts::of(&entry.member, &invitation) });
                Room::guest(entry.member, invitation, now, &mut self.rng)
            }
            (Role::Listed { list, wait }, ..) => {
                let ours = list.index_of(self.identity.did()).unwrap_or_default();
                let parties = list.parties().len();
                let room = RoomFacts::of_list(&entry.member, &list);
                reporter.report(&Report::Listed { ours, wait, room, list });
                if ours == 0 {
                    // As long as the person said, from the beginning.
                    let until = entry.member.list.as_ref().map(|listing| listing.until);
                    let left = until.map_or(wait, |until| (until - now.instant).as_secs());
                    let expires = now.unix.saturating_add(left);
                    let invitation =
                        Invitation::create(&self.connection, &entry.goal, now.unix, expires, &mut self.rng)?;
                    Room::host(entry.member, invitation, parties)
                } else {
                    Room::of_list(entry.member, now, &mut self.rng)?
                }
            }
            (Role::Resume, _, Some(kept)) => self.resume_room(entry, kept)?,
            (Role::Guest { .. } | Role::Resume, ..) => {
                return Err(Failure::new(Kind::Other, "there is no invitation to the room"));
            }
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

    /// Returns the address that stands in front of a room's link: the mediator's own.
    pub(super) fn link_base(&self) -> Result<String, Failure> {
        let address = websocket_address(&self.own_mediator)
            .map_err(|error| Failure::new(Kind::LinkDamaged, error.to_string()))?;
        // ws becomes http, wss becomes https.
        Ok(format!("http{}", address.trim_start_matches("ws")))
    }
}
