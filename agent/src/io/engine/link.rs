//! A guest's link: what can be said of it without asking anybody, and the invitation behind it.
//!
//! Specification: `spec/invite.md`. Not its concern: how a link is fetched (`io::links`).

use crate::core::clock;
use crate::core::invite::Invitation;
use crate::core::pasted::Pasted;
use crate::failure::{Failure, Kind};
use crate::io::mediator_time::mediator_time;
use crate::io::{links, unix_now};
use crate::report::{Report, Reporter};

/// A link that was looked at.
pub(super) enum Link {
    /// All of the invitation is in it.
    Full(Box<Invitation>),
    /// Somebody keeps the invitation.
    Kept(Pasted),
}

impl Link {
    /// Reads what a person pasted; nobody keeps anything of a link that can be read at once.
    ///
    /// # Errors
    /// Those of [`Pasted::read`] and of [`Invitation::read`].
    pub(super) async fn read(text: &str) -> Result<Self, Failure> {
        match Pasted::read(text)? {
            Pasted::Full(link) => {
                let invitation = read_invitation(|now| Invitation::read(&link, now)).await?;
                Ok(Self::Full(Box::new(invitation)))
            }
            pasted @ (Pasted::Short(_) | Pasted::Readable(_)) => Ok(Self::Kept(pasted)),
        }
    }

    /// Returns the invitation; a link for one use is used up by this.
    ///
    /// # Errors
    /// When it cannot be had, is damaged or has expired.
    pub(super) async fn invitation(self, reporter: &mut dyn Reporter) -> Result<Invitation, Failure> {
        let pasted = match self {
            Self::Full(invitation) => return Ok(*invitation),
            Self::Kept(pasted) => pasted,
        };
        if matches!(pasted, Pasted::Readable(_)) {
            let risk = "whoever keeps this kind of link can read the invitation and put another in its place";
            reporter.report(&Report::Warning(risk.to_owned()));
        }
        let bytes = links::invitation(&pasted).await?;
        read_invitation(|now| Invitation::from_message(bytes.clone(), now)).await
    }
}

/// Reads a room's invitation. One that has expired only by a clock of ours that is wrong is told from an old one by the mediator's.
async fn read_invitation(
    read_at: impl Fn(u64) -> Result<Invitation, Failure>,
) -> Result<Invitation, Failure> {
    let now = unix_now();
    match read_at(now) {
        Err(failure) if failure.kind == Kind::LinkExpired => {
            // At this time no link has expired.
            let theirs = mediator_time(read_at(0)?.mediator()).await;
            clock::compare_with_mediator(now, theirs.unwrap_or(now))?;
            Err(failure)
        }
        read => read,
    }
}
