//! Room 1.0: parties meet at a host, who seats them and signs the roster.
//!
//! Specification: `spec/room.md`. Refusals (room full, expired, seat taken) are problem reports whose `pthid` is the thread of
//! the `join`; their codes are [`refusal`].
//!
//! ```text
//! guest                     host
//!   ask    ----------------->
//!          <-----------------  invitation      (only where the parties are known beforehand)
//!   join   ----------------->
//!          <-----------------  seats           (again whenever somebody joins or leaves)
//!          <-----------------  roster          (once, when the room is full)
//!   ready  <----------------> ready            (each party to each)
//!   confirmed  <------------> confirmed        (whoever wanted to compare the words first, to each)
//!   leave  <----------------> leave
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Digest32, b64url, body, types};

/// Codes of problem reports that refuse a `join`.
pub mod refusal {
    /// All seats are taken.
    pub const FULL: &str = "e.p.room.full";
    /// The invitation has ended.
    pub const EXPIRED: &str = "e.p.room.expired";
    /// This identity already has a seat under another DID, or the name is taken.
    pub const DUPLICATE: &str = "e.p.room.duplicate";
    /// The host does not know the invitation.
    pub const UNKNOWN: &str = "e.p.room.unknown";
    /// The host does not want this identity.
    pub const DENIED: &str = "e.p.room.denied";
    /// No credential that the invitation requires, or none that counts.
    pub const CREDENTIAL: &str = "e.p.room.credential";
    /// No refusal: the host cannot decide yet, since something is to be looked up elsewhere. The guest asks again.
    pub const LATER: &str = "w.m.room.later";
}

/// Asks the first party of a list whether it has a room for them; `pthid` is the id of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Signed link (compact JWS) between the guest's identity and the DID that it uses here.
    pub link: String,
    /// The last round of these parties whose roster the sender knows; 0 for none.
    pub round: u32,
}
body!(Ask, types::ROOM_ASK);

/// The room for the parties of a list is open; in the thread of an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// Bytes of the invitation.
    #[serde(with = "b64url::bytes")]
    pub invitation: Vec<u8>,
}
body!(Invited, types::ROOM_INVITATION);

/// Asks the host for a seat; `pthid` is the id of the invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Name that the guest wants to be shown under.
    pub name: String,
    /// Signed link (compact JWS) between the guest's identity and the DID that it uses here.
    pub link: String,
    /// SHA-256 of the invitation as the guest received it.
    pub invitation_hash: Digest32,
    /// What the guest would run, `spec/manifest.md`; nothing if its person starts the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Value>,
    /// Commitment to the nonce of the sender's `ready`.
    pub commitment: Digest32,
    /// The guest's person wants to compare the words before anything starts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirm: bool,
    /// The credential that the invitation requires, `spec/credentials.md`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}
body!(Join, types::ROOM_JOIN);

/// Who has a seat so far: the answer to a `join`, for people to look at. Nothing is decided from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seats {
    /// Number of seats in the room.
    pub seats: u32,
    /// Names of the parties so far, in order of their index.
    pub names: Vec<String>,
    /// What the host would run, `spec/manifest.md`; nothing if its person starts the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Value>,
    /// The parties that would run something else than the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<Differs>,
    /// The indices so far of parties that have a seat and are not there at the moment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub away: Vec<u32>,
    /// The host was started again and wants to hear who is still there: whoever reads this sends its `join` again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Whoever reads this has no seat yet: the host's person decides. Nobody is named then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
}
body!(Seats, types::ROOM_SEATS);

/// A party that would run something else than the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differs {
    /// Its index so far.
    pub index: u32,
    /// What differs, by name.
    pub items: Vec<String>,
}

/// The roster as the host signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Bytes of the roster, exactly as signed.
    #[serde(with = "b64url::bytes")]
    pub roster: Vec<u8>,
    /// Host's signature over them.
    #[serde(with = "b64url::bytes")]
    pub signature: Vec<u8>,
    /// The credentials whose hashes the roster has, in order of the index; nothing if none is required.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<String>,
}
body!(Roster, types::ROOM_ROSTER);

/// One party is ready to run what all agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Hash over roster, threshold, manifest and round.
    pub hash: Digest32,
    /// Sender's party index.
    pub index: u32,
    /// Sender's signature over the hash.
    #[serde(with = "b64url::bytes")]
    pub signature: Vec<u8>,
    /// What the sender had committed to.
    pub nonce: Digest32,
}
body!(Ready, types::ROOM_READY);

/// The sender's person has compared the words, and they are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// Hash of the roster that the words belong to.
    pub hash: Digest32,
}
body!(Confirmed, types::ROOM_CONFIRMED);

/// The sender leaves, or the host ends the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// Why, for machines.
    pub code: String,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Exit code of the sender's program, when it ran and ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}
body!(Leave, types::ROOM_LEAVE);
