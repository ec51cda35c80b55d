//! A host's room on the board of its mediator, over the connection to it; what is said when is decided in `core::posting`.
//!
//! Specification: `spec/lobby.md`, LB-10.

use std::time::Instant;

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::lobby::{Post, Program as Told, ProgramDigest, ProgramName, RoomLink};

use super::{Engine, Strangers};
use crate::core::posting::{News, Posting};
use crate::core::room::Room;
use crate::core::status::host_of;
use crate::failure::{Failure, Kind};
use crate::io::board::no_lobby;
use crate::io::program::Program;
use crate::io::unix_now;
use crate::report::{Report, Reporter};

/// Fails unless a room that is to be posted has a program that others can compare with theirs.
///
/// # Errors
/// [`Kind::Usage`], [`Kind::ProgramUnclear`].
pub(super) fn program(strangers: &Strangers, program: Option<&Program>) -> Result<(), Failure> {
    match (&strangers.title, program) {
        (Some(_), None) => Err(Failure::new(
            Kind::Usage,
            "a room in the lobby needs its program, so that strangers can compare it with theirs",
        )
        .hint("didagent invite --parties 3 --lobby 'TITLE' -- python vote.py 42")),
        (Some(_), Some(program)) => told(program).map(drop),
        (None, _) => Ok(()),
    }
}

/// Returns what strangers are told of a program.
pub(crate) fn told(program: &Program) -> Result<Told, Failure> {
    let manifest = &program.manifest().program;
    let unclear = |why: &str| {
        Failure::new(Kind::ProgramUnclear, format!("strangers cannot compare this program: {why}"))
            .hint("a room in the lobby needs a Python program that is a file")
    };
    let sha256 = manifest.sha256.clone().and_then(|digest| ProgramDigest::new(digest).ok());
    let name = ProgramName::new(manifest.name.trim());
    Ok(Told {
        sha256: sha256.ok_or_else(|| unclear("it has no SHA-256"))?,
        name: name.map_err(|_| unclear("its name has characters that are not shown"))?,
    })
}

impl Engine {
    /// Prepares the post of our room, whose link works now, if it is to be on a board.
    pub(super) fn post_of(&self, link: &str) -> Option<Posting> {
        let (title, room) = (self.strangers.title.clone()?, self.room.as_ref()?);
        // Both were checked before anybody heard of us.
        let program = told(self.program.as_ref()?).ok()?;
        let seats = room.capacity()?;
        let threshold = room.member().threshold.map(|rule| rule.among(seats));
        Some(Posting::new(Post {
            title,
            program,
            seats: u8::try_from(seats).ok()?,
            free: u8::try_from(room.missing()).ok()?,
            threshold: threshold.and_then(|threshold| u8::try_from(threshold).ok()),
            link: RoomLink::new(link).ok()?,
            expires_time: room.invitation().expires()?,
        }))
    }

    /// Returns when there is something to tell the board.
    pub(super) fn post_due(&self, now: Instant) -> Option<Instant> {
        let posting = self.room_link.as_ref()?.posting.as_ref()?;
        let is_connected = self.mailbox.is_live() && self.links.contains_key(&self.own_mediator);
        // Seats change in many places, so they are looked at here, and told when their time has come.
        let due = match self.free_seats() {
            free if posting.is_told(free) => posting.deadline(now),
            _ => Some(posting.not_before(now)),
        };
        due.filter(|_| is_connected)
    }

    /// Tells the board what has changed.
    pub(super) async fn keep_post(&mut self, now: Instant) -> Result<(), Failure> {
        if self.post_due(now).is_none_or(|due| due > now) {
            return Ok(());
        }
        let free = self.free_seats();
        let posting = self.room_link.as_mut().and_then(|link| link.posting.as_mut());
        let Some(posting) = posting else { return Ok(()) };
        posting.seats(free);
        let request = posting.next(now, &mut self.rng);
        self.tell_board(request).await
    }

    /// Takes a message of our mediator, and says whether it was about the post.
    ///
    /// # Errors
    /// [`Kind::NoLobby`]: nobody would find the room, which is what our person wanted.
    pub(super) fn post_answered(
        &mut self,
        message: &Message,
        reporter: &mut dyn Reporter,
    ) -> Result<bool, Failure> {
        let posting = self.room_link.as_mut().and_then(|link| link.posting.as_mut());
        let Some(posting) = posting else { return Ok(false) };
        let was_posted = posting.was_posted();
        let news = posting.answered(message, Instant::now(), unix_now());
        let host = host_of(&self.own_mediator);
        match news {
            None => return Ok(false),
            Some(News::Nothing) => {}
            Some(News::Posted(id)) => {
                let title = self.strangers.title.as_ref().map(ToString::to_string).unwrap_or_default();
                reporter.report(&Report::Posted { id: id.to_string(), title, mediator: host });
            }
            Some(News::Refused(why)) => reporter.report(&Report::Warning(format!(
                "the room is not in the lobby of {host}: {why}; trying again, and its link works meanwhile"
            ))),
            Some(News::NoBoard) if was_posted => reporter
                .report(&Report::Warning(format!("the room is no longer in a lobby: {host} has none"))),
            Some(News::NoBoard) => {
                return Err(no_lobby(&self.own_mediator, "its operator has not switched one on"));
            }
        }
        Ok(true)
    }

    /// Takes the post down, if there is one: whatever ends here is no room for strangers any more.
    pub(super) async fn take_post_down(&mut self) {
        let posting = self.room_link.as_mut().and_then(|link| link.posting.as_mut());
        let request = posting.and_then(|posting| posting.withdraw(&mut self.rng));
        drop(self.tell_board(request).await);
    }

    async fn tell_board(&mut self, request: Option<Message>) -> Result<(), Failure> {
        let own = self.own_mediator.clone();
        match request {
            Some(request) => self.send_to_mediator(request, &own).await,
            None => Ok(()),
        }
    }

    /// Returns how many seats nobody has; `None` once nobody else is to come.
    fn free_seats(&self) -> Option<u8> {
        let room = self.room.as_ref().filter(|room| Room::is_lobby(room))?;
        u8::try_from(room.missing()).ok()
    }
}
