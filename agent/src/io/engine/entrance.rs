//! As what a party enters its room, once it is known who it is: what that means for the mediators, the nonce and the invitation.
//!
//! Specification: `spec/room.md`, RM-44, RM-100, section 10.
//!
//! ```text
//! Plan: Role --+--> Entrance --> Entry --mailbox is live--> Room
//! link, list --+
//! ```
//!
//! Not its concern: what happens in the room (`core::room`).

use std::time::{Duration, Instant};

use super::{Opening, Role, Web, keeper};
use crate::core::identity::Identity;
use crate::core::invite::Invitation;
use crate::core::party_list::PartyList;
use crate::core::post::mediators_of;
use crate::core::room::kept::KeptRoom;
use crate::core::room::{Listing, Nonce};
use crate::failure::{Failure, Kind};
use crate::io::home::{Home, MediatorChoice};
use crate::io::{SystemRng, nonce, party_lists};

/// How much longer guests of known parties wait than the host, who began at about the same time.
const GRACE: Duration = Duration::from_secs(3);

/// As what a party enters its room.
#[derive(Debug)]
pub(super) enum Entrance {
    /// As the host of a new one.
    Host(Opening),
    /// As a guest.
    Guest(Invitation),
    /// As one of the parties that are known beforehand; and how long they are waited for, in seconds.
    Listed(Listing, u64),
    /// As the host of one that goes on.
    Resumed(Box<KeptRoom>),
}

impl Entrance {
    /// Puts together what a role asks for. A did:web of a list that lists the key of `identity` is named in `web`.
    ///
    /// # Errors
    /// [`Kind::RosterFile`] when we are not in the list or nothing says where its host is, and those of [`keeper::kept_room`].
    pub(super) async fn of(
        role: Role,
        invitation: Option<Invitation>,
        home: &Home,
        identity: &Identity,
        web: &mut Web,
    ) -> Result<Self, Failure> {
        Ok(match role {
            Role::Host(opening) => Self::Host(opening),
            Role::Guest { .. } => Self::Guest(
                invitation.ok_or_else(|| Failure::new(Kind::Other, "there is no invitation to the room"))?,
            ),
            Role::Listed { mut list, wait } => {
                let ours = party_lists::find_ourselves(home, identity, &list, web).await?;
                party_lists::find_host(home, &mut list, web).await?;
                let round = party_lists::round_of(home, &list)?;
                // The host's time ends first, so that it is the host who says which parties were missing.
                let grace = if ours == 0 { Duration::ZERO } else { GRACE };
                let until = Instant::now() + Duration::from_secs(wait) + grace;
                Self::Listed(Listing { list, ours, round, until }, wait)
            }
            Role::Resume => Self::Resumed(Box::new(keeper::kept_room(home)?)),
        })
    }

    pub(super) fn is_host(&self) -> bool {
        match self {
            Self::Host(_) | Self::Resumed(_) => true,
            Self::Guest(_) => false,
            Self::Listed(listing, _) => listing.ours == 0,
        }
    }

    /// The parties, if they are known beforehand.
    pub(super) fn listing(&self) -> Option<&Listing> {
        match self {
            Self::Listed(listing, _) => Some(listing),
            _ => None,
        }
    }

    /// The room, if it goes on.
    pub(super) fn kept(&self) -> Option<&KeptRoom> {
        match self {
            Self::Resumed(kept) => Some(kept),
            _ => None,
        }
    }

    /// The issuers of one of which everybody must show a credential.
    pub(super) fn issuers(&self) -> &[String] {
        match self {
            Self::Host(opening) => &opening.require_issuer,
            Self::Guest(invitation) => invitation.issuers(),
            Self::Listed(..) => &[],
            Self::Resumed(kept) => kept.invitation.issuers(),
        }
    }

    /// The seats of the room that we open, or go on with, for those who have its link.
    pub(super) fn own_seats(&self) -> Option<usize> {
        match self {
            Self::Host(opening) => Some(opening.parties),
            Self::Resumed(kept) => Some(kept.lobby.seats),
            Self::Guest(_) | Self::Listed(..) => None,
        }
    }

    /// What our own invitation says that it is for.
    pub(super) fn goal(&self) -> String {
        let parties = match self {
            Self::Host(opening) => opening.parties,
            Self::Listed(listing, _) => listing.list.parties().len(),
            Self::Guest(_) | Self::Resumed(_) => return String::new(),
        };
        format!("compute together, {parties} parties")
    }

    /// Chooses our mediators, the preferred one first: those that were given, which the home then remembers, the home's, or those where
    /// the room is.
    ///
    /// # Errors
    /// [`Kind::NoMediator`], and [`Kind::HomeUnusable`] when the choice cannot be read or kept.
    pub(super) fn mediators(
        &self,
        home: &Home,
        given: Option<MediatorChoice>,
    ) -> Result<Vec<String>, Failure> {
        let of_room = match self {
            // The link leads there, whatever this home uses by now.
            Self::Resumed(kept) => return Ok(kept.mediators.clone()),
            Self::Host(_) => Vec::new(),
            Self::Guest(invitation) => invitation.mediators().to_vec(),
            Self::Listed(listing, _) => host_mediators(&listing.list),
        };
        let known = home.mediator()?;
        if let Some(choice) = given {
            if known.as_ref() != Some(&choice) {
                home.write_mediator(&choice)?;
            }
            return Ok(choice.all());
        }
        let known = known.map(|choice| choice.all()).unwrap_or_default();
        // A host must be where its list says that it is.
        let (first, second) = if self.is_host() { (of_room, known) } else { (known, of_room) };
        let chosen = if first.is_empty() { second } else { first };
        if chosen.is_empty() {
            return Err(Failure::new(Kind::NoMediator, "this home has no mediator yet")
                .hint("didagent invite --mediator LINK ...   (`didagent mediator serve` starts one and prints its link)"));
        }
        Ok(chosen)
    }

    /// Returns our part of the words: for a room that we may have entered before, the same as then (RM-44).
    ///
    /// # Errors
    /// [`Kind::HomeUnusable`] when it cannot be kept.
    pub(super) fn nonce(&self, home: &Home, did: &str, rng: &mut SystemRng) -> Result<Nonce, Failure> {
        match self {
            Self::Guest(invitation) => nonce::nonce_for(home, invitation.hash(), did, rng),
            Self::Listed(listing, _) if listing.ours != 0 => {
                nonce::nonce_for(home, &listing.list.hash(), did, rng)
            }
            Self::Resumed(kept) => Ok(kept.nonce.clone()),
            Self::Host(_) | Self::Listed(..) => Ok(Nonce::random(rng)),
        }
    }
}

/// The mediators at which a list says that its host is.
fn host_mediators(list: &PartyList) -> Vec<String> {
    list.host_at().and_then(|at| mediators_of(at).ok()).unwrap_or_default()
}
