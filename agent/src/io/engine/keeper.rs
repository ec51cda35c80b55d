//! The file from which a host goes on with its room: written while seats are free, gone before the roster is sent.
//!
//! Specification: `spec/room.md`, RM-100 to RM-105.
//!
//! ```text
//! seats change --Output::Keep--> file --> what others are told
//! process killed ... `invite --resume` --> file --> the same room
//! roster written --> file removed --> roster sent          (RM-44: the nonce may be shown from here on)
//! room ended in order --> others told --> file removed
//! ```
//!
//! Not its concern: what is in the file (`core::room::kept`), how seats are kept (`core::room`).

use didagent_didcomm::did::web;

use super::share::RoomLink;
use super::{Engine, now};
use crate::core::clock::{duration, utc};
use crate::core::identity::{ConnectionDid, Identity};
use crate::core::room::kept::KeptRoom;
use crate::core::room::{Member, Room};
use crate::core::share::Sharing;
use crate::failure::{Failure, Kind};
use crate::io::home::Home;
use crate::io::unix_now;
use crate::report::{Report, Reporter, RoomFacts};

/// The file in the home.
const FILE: &str = "room.json";

/// What to type to go on.
const RESUME: &str = "didagent invite --resume -- CMD";

/// What is known of the file.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    /// There is the file of another room, which can go on until somebody sits in this one.
    is_of_another: bool,
    /// The file is this room's.
    is_ours: bool,
    was_warned: bool,
}

/// Reads the room that a home can go on with.
///
/// # Errors
/// [`Kind::NoRoomKept`] when there is none or its invitation has ended, [`Kind::HomeUnusable`] when the file is damaged.
pub(crate) fn kept_room(home: &Home) -> Result<KeptRoom, Failure> {
    let none = |why: String| {
        Failure::new(Kind::NoRoomKept, why).hint("didagent invite --parties 3 -- CMD    opens a new room")
    };
    let path = home.path().join(FILE);
    let Some(bytes) = home.read(FILE)? else {
        return Err(none("this home has no room to go on with".to_owned()));
    };
    let kept = KeptRoom::from_file(&bytes).map_err(|error| {
        let message = format!("the room cannot go on: {} cannot be read: {error}", path.display());
        Failure::new(Kind::HomeUnusable, message)
            .hint("didagent invite --parties 3 -- CMD    opens a new room, and replaces the file")
    })?;
    let now = unix_now();
    match kept.invitation.expires().filter(|_| kept.invitation.is_expired(now)) {
        Some(end) => {
            let (ago, here) = (duration(now.saturating_sub(end)), utc(now));
            Err(none(format!("the invitation to the room expired {ago} ago; here it is {here}")))
        }
        None => Ok(kept),
    }
}

/// Returns the DID to which the invitation of a kept room leads, if `identity` opened it.
///
/// # Errors
/// [`Kind::NoRoomKept`] when another identity did.
pub(super) fn connection_of(kept: &KeptRoom, identity: &Identity) -> Result<ConnectionDid, Failure> {
    kept.connection(identity).ok_or_else(|| {
        let (theirs, ours) = (&kept.identity, identity.did());
        let message = format!("the room was opened as {theirs}, and this is {ours}");
        let hint = match theirs.starts_with(web::PREFIX) {
            true => format!("didagent invite --resume --as {theirs} -- CMD"),
            false => RESUME.to_owned() + "    without --as, and with the home's own identity.json",
        };
        Failure::new(Kind::NoRoomKept, message).hint(hint)
    })
}

impl Keeper {
    /// Looks whether there is a room that could go on in place of a new one, and tells.
    pub(super) fn of_new_room(home: &Home, reporter: &mut dyn Reporter) -> Self {
        // One that is damaged or has ended is as good as none.
        let Ok(kept) = kept_room(home) else { return Self::default() };
        let with = match kept.lobby.guests.iter().map(|guest| guest.party.name.as_str()).collect::<Vec<_>>() {
            names if names.is_empty() => String::new(),
            names => format!(" with {}", names.join(", ")),
        };
        let message =
            format!("a room of this home{with} can go on in place of a new one: Ctrl-C, then {RESUME}");
        reporter.report(&Report::Warning(message));
        Self { is_of_another: true, ..Self::default() }
    }

    /// The file is that of the room that goes on.
    pub(super) fn of_kept_room() -> Self {
        Self { is_ours: true, ..Self::default() }
    }
}

impl Engine {
    /// Writes down how the room goes on, if it can and people have its link.
    pub(super) fn keep_room(&mut self, reporter: &mut dyn Reporter) {
        let Some(kept) = self.kept() else { return };
        if self.keeper.is_of_another && kept.lobby.guests.is_empty() {
            return;
        }
        match self.home.write_file(FILE, &kept.to_file()) {
            Ok(()) => (self.keeper.is_ours, self.keeper.is_of_another) = (true, false),
            Err(failure) if !std::mem::replace(&mut self.keeper.was_warned, true) => {
                let message = format!("the room ends with this command: {}", failure.message);
                reporter.report(&Report::Warning(message));
            }
            Err(_) => {}
        }
    }

    fn kept(&self) -> Option<KeptRoom> {
        let room = self.room.as_ref()?;
        let lobby = room.kept()?;
        let link = self.room_link.as_ref()?.sharing.kept()?;
        let member = room.member();
        let mut mediators = vec![self.own_mediator.clone()];
        mediators.extend(self.spare_mediator().map(str::to_owned));
        Some(KeptRoom {
            invitation: room.invitation().clone(),
            nonce: member.nonce.clone(),
            identity: member.identity.did().to_owned(),
            name: member.name.clone(),
            confirm: member.confirm.map(|limit| limit.as_secs()),
            mediators,
            link,
            lobby,
        })
    }

    /// The room cannot go on later: its roster is about to be sent, or it has ended in order.
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when the file is still there.
    pub(super) fn forget_room(&mut self) -> Result<(), Failure> {
        if std::mem::take(&mut self.keeper.is_ours) {
            self.home.remove(FILE)?;
        }
        Ok(())
    }

    /// This command ends for this reason before a run began. A room whose mediator is lost, or that was not entered again yet, can
    /// still go on, so nobody is told that it is over; any other one ends with this.
    pub(super) fn room_ends(&mut self, failure: Failure, reporter: &mut dyn Reporter) -> Failure {
        let is_lost =
            matches!(failure.kind, Kind::MediatorLost | Kind::MediatorUnreachable | Kind::MediatorForeign);
        if self.keeper.is_ours && (is_lost || self.entry.is_some()) {
            self.room = None;
            return failure;
        }
        if let Err(left) = self.forget_room() {
            reporter.report(&Report::Warning(left.message));
        }
        failure
    }

    /// Says whether the room could go on if this command ended now without a word.
    pub(super) fn can_go_on(&self) -> bool {
        self.keeper.is_ours
    }

    /// Enters the room that was kept.
    ///
    /// # Errors
    /// When its mediator has no address any more.
    pub(super) fn resume_room(&mut self, member: Member, kept: KeptRoom) -> Result<Room, Failure> {
        let KeptRoom { invitation, link, lobby, .. } = kept;
        let now = now();
        let sharing = Sharing::again(&link, &invitation, &self.link_base()?)?;
        let expires_in = invitation.expires().map_or(0, |end| end.saturating_sub(now.unix));
        let (parties, facts) = (lobby.seats, RoomFacts::of(&member, &invitation));
        self.room_link = Some(RoomLink { sharing, parties, expires_in, facts, posting: None });
        Ok(Room::resume(member, invitation, lobby, now, &mut self.rng))
    }
}
