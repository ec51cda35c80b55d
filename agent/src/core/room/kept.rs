//! A host's room as its home keeps it, so that the room goes on when its process was killed (RM-100).
//!
//! Specification: `spec/room.md`, RM-100 to RM-105.
//!
//! ```text
//! HostLobby --keep--> KeptRoom --to_file--> bytes --from_file--> KeptRoom --Room::resume--> HostLobby
//! ```
//!
//! The nonce in it is a secret until the roster is written, and the file must be gone by then (RM-44). Not its concern: when it is
//! written and where (`io::engine::keeper`), whether the invitation has ended meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use didagent_bridge::manifest::Manifest;
use didagent_didcomm::did;
use didagent_didcomm::protocols::Digest32;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::core::identity::{ConnectionDid, Identity};
use crate::core::invite::Invitation;
use crate::core::room::roster::{MAX_PARTIES, Party, is_showable};
use crate::core::room::{Approval, Nonce};
use crate::core::share::KeptLink;

/// Version of the file's layout.
const FILE_VERSION: u32 = 1;

/// Own mediators at most: the connection DID names no more.
const MAX_OWN_MEDIATORS: usize = 2;

/// A room that can go on.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(PartialEq))]
pub struct KeptRoom {
    /// The invitation, byte for byte.
    pub invitation: Invitation,
    /// Our part of the words, which was shown to nobody.
    pub nonce: Nonce,
    /// The identity as which the room was opened.
    pub identity: String,
    /// The name that the others see.
    pub name: String,
    /// Our person compares the words before anything starts, and takes at most so many seconds for it.
    pub confirm: Option<u64>,
    /// Our mediators, the one that keeps our mail first.
    pub mediators: Vec<String>,
    /// The link that people have.
    pub link: KeptLink,
    /// Who sits where.
    pub lobby: KeptLobby,
}

/// Who sits where, and who never will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptLobby {
    /// Number of seats, ours included.
    pub seats: usize,
    /// Those who have one, in order of their index, which begins with 1.
    pub guests: Vec<KeptGuest>,
    /// Identities that our person does not want.
    pub unwanted: BTreeSet<String>,
    /// How often each identity has come with another DID than before.
    pub moves: BTreeMap<String, u32>,
    /// About whom our person is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// Identities that our person let in.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub admitted: BTreeSet<String>,
}

/// Somebody who has a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptGuest {
    /// Its entry.
    pub party: Party,
    /// The key of its identity.
    pub key: Digest32,
    /// What it would run.
    pub manifest: Option<Manifest>,
    /// The credential that it showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// It would have run something else, so it has ended (MF-20).
    pub has_ended: bool,
}

/// Why a file is no room that can go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeptRoomError {
    /// Cut off, changed, or never such a file.
    #[error("it is cut off or was changed")]
    Damaged,
    /// Of another version of the program.
    #[error("its layout has version {got}, this program reads version {FILE_VERSION}")]
    Version {
        /// The version in the file.
        got: u32,
    },
    /// Something in it cannot be.
    #[error("{0}")]
    Impossible(&'static str),
}

#[derive(Serialize, Deserialize)]
struct File {
    v: u32,
    invitation: String,
    nonce: String,
    identity: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirm: Option<u64>,
    mediators: Vec<String>,
    link: KeptLink,
    lobby: KeptLobby,
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

impl KeptRoom {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// [`KeptRoomError`] says what is wrong; nothing is repaired.
    pub fn from_file(bytes: &[u8]) -> Result<Self, KeptRoomError> {
        let Versioned { v } = serde_json::from_slice(bytes).map_err(|_| KeptRoomError::Damaged)?;
        if v != FILE_VERSION {
            return Err(KeptRoomError::Version { got: v });
        }
        let mut file: File = serde_json::from_slice(bytes).map_err(|_| KeptRoomError::Damaged)?;
        let text = Zeroizing::new(std::mem::take(&mut file.nonce));
        let nonce = URL_SAFE_NO_PAD.decode(text.as_bytes()).map(Zeroizing::new);
        let nonce = nonce.ok().and_then(|nonce| <[u8; 32]>::try_from(nonce.as_slice()).ok());
        let nonce = nonce.ok_or(KeptRoomError::Damaged)?;
        let invitation = URL_SAFE_NO_PAD.decode(&file.invitation).map_err(|_| KeptRoomError::Damaged)?;
        // At this time no invitation has ended; whether this one has now is for whoever opens the room.
        let invitation = Invitation::from_message(invitation, 0).map_err(|_| KeptRoomError::Damaged)?;
        file.lobby.check()?;
        if !is_showable(&file.name) {
            return Err(KeptRoomError::Impossible("the host's name cannot be shown"));
        }
        if !(1..=MAX_OWN_MEDIATORS).contains(&file.mediators.len()) {
            return Err(KeptRoomError::Impossible("it names no mediator, or more than two"));
        }
        Ok(Self {
            invitation,
            nonce: Nonce::from_bytes(nonce),
            identity: file.identity,
            name: file.name,
            confirm: file.confirm,
            mediators: file.mediators,
            link: file.link,
            lobby: file.lobby,
        })
    }

    /// Returns the bytes of a file. They are secret.
    pub fn to_file(&self) -> Zeroizing<Vec<u8>> {
        let mut file = File {
            v: FILE_VERSION,
            invitation: URL_SAFE_NO_PAD.encode(self.invitation.bytes()),
            nonce: URL_SAFE_NO_PAD.encode(self.nonce.bytes()),
            identity: self.identity.clone(),
            name: self.name.clone(),
            confirm: self.confirm,
            mediators: self.mediators.clone(),
            link: self.link.clone(),
            lobby: self.lobby.clone(),
        };
        // Texts, numbers and lists of them always serialise.
        let bytes = Zeroizing::new(serde_json::to_vec_pretty(&file).unwrap_or_default());
        file.nonce.zeroize();
        bytes
    }

    /// Returns the connection DID to which the invitation leads, if it is one of `identity`.
    pub fn connection(&self, identity: &Identity) -> Option<ConnectionDid> {
        let named = crate::core::post::mediators_of(self.invitation.host()).ok()?;
        let connection = identity.connection_of(&named);
        (self.identity == identity.did() && connection.did == self.invitation.host()).then_some(connection)
    }
}

impl KeptLobby {
    fn check(&self) -> Result<(), KeptRoomError> {
        use KeptRoomError::Impossible;
        if !(2..=MAX_PARTIES).contains(&self.seats) || self.guests.len() >= self.seats {
            return Err(Impossible("it has another number of seats than a room can have"));
        }
        let mut names = BTreeSet::new();
        for KeptGuest { party, manifest, .. } in &self.guests {
            let document = did::resolve_offline(&party.did);
            if !document.is_ok_and(|document| document.x25519(&party.kid).is_some()) {
                return Err(Impossible("the DID of a guest is none, or lacks the key that is named"));
            }
            if !is_showable(&party.name) || manifest.as_ref().is_some_and(|one| one.check().is_err()) {
                return Err(Impossible("the name of a guest, or what it would run, cannot be"));
            }
            if !names.insert(&party.identity) || !names.insert(&party.did) {
                return Err(Impossible("somebody has two seats"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(in crate::core) mod tests {
    use super::*;
    use crate::core::invite::tests::{NOW, mediator};
    use crate::core::test_rng;

    pub(in crate::core) fn identity() -> Identity {
        Identity::generate(&mut test_rng(1))
    }

    fn guest(seed: u8) -> KeptGuest {
        let identity = Identity::generate(&mut test_rng(seed));
        let connection = identity.connection(&mediator());
        let party = Party {
            index: 0,
            name: format!("guest {seed}"),
            identity: identity.did().to_owned(),
            did: connection.did.clone(),
            kid: connection.kid.clone(),
            link: identity.link(&connection, NOW),
            program: didagent_bridge::manifest::ProgramKind::ByHand,
            commitment: Digest32([seed; 32]),
            confirm: seed == 2,
            credential: None,
        };
        KeptGuest {
            party,
            key: Digest32(identity.public()),
            manifest: None,
            credential: None,
            has_ended: seed == 3,
        }
    }

    fn kept() -> KeptRoom {
        let host = identity().connection(&mediator());
        let invitation = Invitation::create(&host, "MPyC", NOW, NOW + 60, &mut test_rng(3)).unwrap();
        KeptRoom {
            invitation,
            nonce: Nonce::random(&mut test_rng(4)),
            identity: identity().did().to_owned(),
            name: "alice".to_owned(),
            confirm: Some(600),
            mediators: vec![mediator()],
            link: KeptLink::of_text("https://mediator.example/r/abc#def"),
            lobby: KeptLobby {
                seats: 4,
                guests: vec![guest(2), guest(3)],
                unwanted: BTreeSet::from(["did:key:zMallory".to_owned()]),
                moves: BTreeMap::from([("did:key:zBob".to_owned(), 2)]),
                approval: Some(Approval::Strangers),
                admitted: BTreeSet::from(["did:key:zCarol".to_owned()]),
            },
        }
    }

    /// Decides RM-100.
    #[test]
    fn a_file_reads_back_as_the_same_room_with_the_bytes_of_its_invitation() {
        let kept = kept();
        let read = KeptRoom::from_file(&kept.to_file()).unwrap();
        assert_eq!(read, kept);
        assert_eq!(
            (read.invitation.bytes(), read.invitation.hash()),
            (kept.invitation.bytes(), kept.invitation.hash())
        );
        assert_eq!(read.connection(&identity()).unwrap().did, kept.invitation.host());
        let other = Identity::generate(&mut test_rng(9));
        assert_eq!(read.connection(&other), None, "another home's room");
    }

    /// Decides RM-104.
    #[test]
    fn every_truncation_and_what_follows_the_end_is_refused() {
        let file = kept().to_file();
        for length in 0..file.len() {
            assert_eq!(KeptRoom::from_file(&file[..length]), Err(KeptRoomError::Damaged), "{length} bytes");
        }
        let longer = [&file[..], b"x"].concat();
        assert_eq!(KeptRoom::from_file(&longer), Err(KeptRoomError::Damaged));
    }

    /// Decides RM-104.
    #[test]
    fn a_file_of_another_version_or_of_something_else_says_so() {
        let changed = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut value: serde_json::Value = serde_json::from_slice(&kept().to_file()).unwrap();
            change(&mut value);
            KeptRoom::from_file(&serde_json::to_vec(&value).unwrap()).unwrap_err()
        };
        let newer = changed(&|value| *value = serde_json::json!({"v": 2, "rooms": []}));
        assert_eq!(newer, KeptRoomError::Version { got: 2 });
        assert_eq!(KeptRoom::from_file(b"{\"did\": \"did:peer:2\"}"), Err(KeptRoomError::Damaged));
        let impossible: [&dyn Fn(&mut serde_json::Value); 8] = [
            &|value| value["lobby"]["seats"] = 1.into(),
            &|value| value["lobby"]["seats"] = 17.into(),
            &|value| value["lobby"]["seats"] = 2.into(),
            &|value| value["lobby"]["guests"][1] = value["lobby"]["guests"][0].clone(),
            &|value| value["lobby"]["guests"][0]["party"]["kid"] = "did:peer:2#key-9".into(),
            &|value| value["lobby"]["guests"][0]["party"]["name"] = "\u{1b}[2J".into(),
            &|value| value["name"] = "".into(),
            &|value| value["mediators"] = serde_json::json!([]),
        ];
        for (at, change) in impossible.into_iter().enumerate() {
            assert!(matches!(changed(change), KeptRoomError::Impossible(_)), "change {at}");
        }
        for member in ["nonce", "invitation"] {
            assert_eq!(changed(&|value| value[member] = "AAAA".into()), KeptRoomError::Damaged, "{member}");
        }
    }

    /// Decides SC-03.
    #[test]
    fn debug_shows_neither_nonce_nor_link() {
        let shown = format!("{:?}", kept());
        assert!(
            !shown.contains(&URL_SAFE_NO_PAD.encode(kept().nonce.bytes())) && !shown.contains("#def"),
            "{shown}"
        );
    }
}
