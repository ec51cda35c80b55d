//! Lobby 1.0: a board at a mediator on which hosts post rooms that strangers may join.
//!
//! Specification: `spec/lobby.md`.
//!
//! ```text
//! host                              mediator                          stranger
//!   post {title, program, ..} ---->
//!                             <---- posted {id, expires_time}
//!                                             <---- list {}
//!                                             posts {posts} ---->
//!   renew {id, free, ..}      ---->
//!                             <---- posted
//!                                             <---- list {id}
//!                                             posts {one, with its link} ---->
//!   withdraw {id}             ---->
//!                             <---- withdrawn {id}
//! ```
//!
//! What strangers wrote is read into types that have its limits, so a post that was read can be shown. Not its concern: who may post
//! how much (mediator), whether any of it is true (nobody knows).

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{body, types};
use crate::showable::is_invisible;

/// Longest title, in characters (Unicode scalar values): one line of a terminal.
pub const MAX_TITLE: usize = 80;

/// Longest name of a program, in characters; a manifest tells as many.
pub const MAX_PROGRAM_NAME: usize = 100;

/// Longest link, in bytes: a full one whose host names two mediators has about 1500.
pub const MAX_LINK: usize = 2048;

/// Most parties of a room.
pub const MAX_SEATS: u8 = 16;

/// Length of an id, in characters.
const ID: usize = 8;

/// Length of a digest, in characters.
const DIGEST: usize = 64;

/// A text is not what its member takes. It repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a text is too long, empty, or has characters that it must not have")]
pub struct UnfitText;

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $fits:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads it.
            ///
            /// # Errors
            /// [`UnfitText`] if it is none.
            pub fn new(text: impl Into<String>) -> Result<Self, UnfitText> {
                let text = text.into();
                let fits: fn(&str) -> bool = $fits;
                if fits(&text) { Ok(Self(text)) } else { Err(UnfitText) }
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnfitText;

            fn try_from(text: String) -> Result<Self, UnfitText> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnfitText;

            fn from_str(text: &str) -> Result<Self, UnfitText> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text!(
    /// What a post is called: one line of 1 to [`MAX_TITLE`] characters, without outer spaces and without characters that a terminal
    /// obeys, that turn text around or that cannot be seen.
    Title,
    |text| is_line(text, MAX_TITLE)
);

text!(
    /// The file name of a program, with the limits of a [`Title`] but [`MAX_PROGRAM_NAME`] characters.
    ProgramName,
    |text| is_line(text, MAX_PROGRAM_NAME)
);

text!(
    /// SHA-256 of a program as manifests write it: 64 lower-case hexadecimal digits.
    ProgramDigest,
    |text| text.len() == DIGEST && is_hex(text)
);

text!(
    /// What a mediator calls a post: 8 lower-case hexadecimal digits.
    PostId,
    |text| text.len() == ID && is_hex(text)
);

text!(
    /// The link of a room: at most [`MAX_LINK`] visible ASCII characters that begin with `http://` or `https://`.
    RoomLink,
    |text| {
        let is_address = text.starts_with("https://") || text.starts_with("http://");
        is_address && text.len() <= MAX_LINK && text.bytes().all(|byte| byte.is_ascii_graphic())
    }
);

fn is_line(text: &str, most: usize) -> bool {
    // Four bytes make a character at most, so a long text is not counted to its end.
    !text.is_empty()
        && text.len() <= 4 * most
        && text.chars().count() <= most
        && text.trim() == text
        && !text.chars().any(is_invisible)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What a room would run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its file name.
    pub name: ProgramName,
    /// Its digest, as in the manifest of the room.
    pub sha256: ProgramDigest,
}

/// Asks the mediator to show a room on its board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// What the host calls it.
    pub title: Title,
    /// What it would run.
    pub program: Program,
    /// Number of parties, the host included.
    pub seats: u8,
    /// Seats that nobody has yet.
    pub free: u8,
    /// How many parties together learn nothing, if the host knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u8>,
    /// The link of the room.
    pub link: RoomLink,
    /// When it is to be taken down, UTC seconds.
    pub expires_time: u64,
}
body!(Post, types::LOBBY_POST);

impl Post {
    /// Says whether its numbers are those of a room: 2 to 16 seats, the host's not free, a threshold that leaves a majority.
    pub fn is_a_room(&self) -> bool {
        (2..=MAX_SEATS).contains(&self.seats)
            && self.free < self.seats
            && self.threshold.is_none_or(|threshold| u16::from(threshold) * 2 < u16::from(self.seats))
    }
}

/// The post is on the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// What it is called there.
    pub id: PostId,
    /// Until when, UTC seconds.
    pub expires_time: u64,
}
body!(Posted, types::LOBBY_POSTED);

/// Says that a post is meant still, and how many seats are free by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    /// Which post.
    pub id: PostId,
    /// Seats that nobody has yet.
    pub free: u8,
    /// When it is to be taken down, UTC seconds.
    pub expires_time: u64,
}
body!(Renew, types::LOBBY_RENEW);

/// Takes a post down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdraw {
    /// Which post.
    pub id: PostId,
}
body!(Withdraw, types::LOBBY_WITHDRAW);

/// The post is taken down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// Which post.
    pub id: PostId,
}
body!(Withdrawn, types::LOBBY_WITHDRAWN);

/// Asks what is on the board.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// This post alone, with its link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PostId>,
}
body!(List, types::LOBBY_LIST);

/// A post as strangers read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What it is called.
    pub id: PostId,
    /// What the host calls it.
    pub title: Title,
    /// What it would run.
    pub program: Program,
    /// Number of parties, the host included.
    pub seats: u8,
    /// Seats that nobody has yet.
    pub free: u8,
    /// How many parties together learn nothing, if the host told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u8>,
    /// The link of the room, for whoever asked for this post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<RoomLink>,
    /// When it is taken down, UTC seconds.
    pub expires_time: u64,
}

/// What is on the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posts {
    /// The posts, the newest first.
    pub posts: Vec<Listed>,
}
body!(Posts, types::LOBBY_POSTS);

/// Codes of the problem reports of a board (LB-01, LB-04).
pub mod refusal {
    /// There is no board: its operator has not switched it on.
    pub const OFF: &str = "e.p.req.lobby.off";
    /// The sender has no post with this id.
    pub const UNKNOWN: &str = "e.p.req.lobby.unknown";
    /// There is no room for another post.
    pub const FULL: &str = "e.p.me.res.lobby.full";
    /// Too many requests about the board.
    pub const TOO_FAST: &str = "e.p.me.res.lobby.rate";
}
