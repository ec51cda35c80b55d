//! A guest's link: what can be said of it without asking anybody, and the invitation behind it.
//!
//! Specification: `spec/invite.md`. Not its concern: how a link is fetched (`io::links`).

use crate::core::clock;
use crate::core::invite::Invitation;
use crate::core::pasted::Pasted;
use crate::failure::{Failure, Kind};
use crate::io::home::Home;
use crate::io::mediator_time::mediator_time;
use crate::io::{fetched, links, local_api, unix_now};
use crate::report::{Report, Reporter};

/// A link that was looked at.
pub(super) enum Link {
    /// All of the invitation is in it.
    Full(Box<Invitation>),
    /// Somebody keeps the invitation.
    Kept(Pasted),
}

impl Link {
    /// Reads what a person pasted; nobody keeps anything of a link that can be read at once. `asks` says whether the mediator that an
    /// expired invitation names may be asked for the time: not if a stranger chose it (LB-13).
    ///
    /// # Errors
    /// Those of [`Pasted::read`] and of [`Invitation::read`].
    pub(super) async fn read(text: &str, asks: bool) -> Result<Self, Failure> {
        match Pasted::read(text)? {
            Pasted::Full(link) => {
                let invitation = read_invitation(|now| Invitation::read(&link, now), asks).await?;
                Ok(Self::Full(Box::new(invitation)))
            }
            pasted @ (Pasted::Short(_) | Pasted::Readable(_)) => Ok(Self::Kept(pasted)),
        }
    }

    /// Returns the invitation: the one that `home` has kept of this link, or else a link for one use is used up by this. `asks` as for [`Link::read`].
    ///
    /// # Errors
    /// When it cannot be had, is damaged or has expired.
    pub(super) async fn invitation(
        self,
        home: &Home,
        asks: bool,
        reporter: &mut dyn Reporter,
    ) -> Result<Invitation, Failure> {
        let pasted = match self {
            Self::Full(invitation) => return Ok(*invitation),
            Self::Kept(pasted) => pasted,
        };
        if matches!(pasted, Pasted::Readable(_)) {
            let risk = "whoever keeps this kind of link can read the invitation and put another in its place";
            reporter.report(&Report::Warning(risk.to_owned()));
        }
        let kept = key_of(&pasted).and_then(|key| fetched::find(home, &key));
        let bytes = match kept {
            Some(bytes) => bytes,
            None => links::invitation(&pasted).await?,
        };
        read_invitation(|now| Invitation::from_message(bytes.clone(), now), asks).await
    }

    /// Returns by what its invitation is kept, if a second time it may lead nowhere.
    pub(super) fn key(&self) -> Option<fetched::Key> {
        match self {
            Self::Full(_) => None,
            Self::Kept(pasted) => key_of(pasted),
        }
    }

    /// Says whether this is the link of the room that `home` hosts now, as far as that is known without fetching anything.
    pub(super) async fn is_own(&self, home: &Home) -> bool {
        match self {
            Self::Full(invitation) => leads_home(invitation, home).is_ok_and(|leads| leads),
            Self::Kept(Pasted::Short(link)) => {
                let status = local_api::status(home, true).await;
                let own = status.ok().and_then(|status| status.room?.link);
                own.is_some_and(|own| own == *link.text())
            }
            Self::Kept(_) => false,
        }
    }
}

fn key_of(pasted: &Pasted) -> Option<fetched::Key> {
    match pasted {
        Pasted::Short(link) => Some(fetched::Key::of(link)),
        Pasted::Full(_) | Pasted::Readable(_) => None,
    }
}

/// Fails for an invitation of `home` itself: its host is there already.
///
/// # Errors
/// [`Kind::RoomRefused`], and [`Kind::HomeUnusable`] when the identity cannot be read.
pub(super) fn refuse_own(invitation: &Invitation, home: &Home) -> Result<(), Failure> {
    if leads_home(invitation, home)? { Err(own()) } else { Ok(()) }
}

/// What is said of a home's own link.
pub(super) fn own() -> Failure {
    Failure::new(
        Kind::RoomRefused,
        "this link is this home's own invitation, and whoever invites takes part already",
    )
    .hint("send the link to the others; to be one more party on this machine: --home DIR")
}

fn leads_home(invitation: &Invitation, home: &Home) -> Result<bool, Failure> {
    let identity = home.identity()?;
    Ok(identity
        .is_some_and(|identity| identity.connection_of(invitation.mediators()).did == invitation.host()))
}

/// Reads a room's invitation. One that has expired only by a clock of ours that is wrong is told from an old one by the mediator's, if
/// that may be asked.
async fn read_invitation(
    read_at: impl Fn(u64) -> Result<Invitation, Failure>,
    asks: bool,
) -> Result<Invitation, Failure> {
    let now = unix_now();
    match read_at(now) {
        Err(failure) if failure.kind == Kind::LinkExpired && asks => {
            // At this time no link has expired.
            let theirs = mediator_time(read_at(0)?.mediator()).await;
            clock::compare_with_mediator(now, theirs.unwrap_or(now))?;
            Err(failure)
        }
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use didagent_didcomm::did::peer2::{ServiceSpec, encode_with};
    use tokio::time::timeout;

    use super::*;
    use crate::core::identity::Identity;
    use crate::core::test_rng;

    /// Decides LB-13.
    #[tokio::test]
    async fn an_expired_invitation_that_a_stranger_posted_makes_nobody_ask_for_the_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let service =
            ServiceSpec { uri: format!("ws://{address}/"), accept: Vec::new(), routing_keys: Vec::new() };
        let keys = Identity::generate(&mut test_rng(2));
        let mediator = encode_with(&keys.public(), &keys.agreement().public(), [&service].into_iter());
        let host = Identity::generate(&mut test_rng(1)).connection(&mediator);
        let invitation = Invitation::create(&host, "MPyC", 1, 2, &mut test_rng(3)).unwrap();
        let link = invitation.link(&format!("http://{address}/")).unwrap();
        let refused = Link::read(&link, false).await.err().unwrap();
        assert_eq!(refused.kind, Kind::LinkExpired);
        assert!(listener.accept().is_err(), "somebody dialled");
        // A person's own link does: its clock may be wrong. Nobody answers here.
        let _ = timeout(Duration::from_secs(2), Link::read(&link, true)).await;
        assert!(listener.accept().is_ok(), "nobody dialled");
    }
}
