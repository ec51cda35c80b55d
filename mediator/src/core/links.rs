//! Short links: the content that clients have kept here for whoever has a link (`spec/relay.md`, section 12).
//!
//! ```text
//! deposit, request-shortened-url --> keep (bounded) --> fetch by id and take, or by a readable id
//!                                         \-> ended, used up, displaced: its name is remembered for a day
//! ```
//!
//! Not its concern: HTTP (`io::http`), what the content is. What it keeps of a short link it cannot read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use didagent_didcomm::short_link::LinkId;

use super::SocketId;
use super::limits::Limits;
use super::replay::Replay;

/// How long the names of links that are over are remembered: people find an old link in a chat within a day, or do not care why
/// it does not work.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// Names that are remembered; 32 bytes each.
const MAX_REMEMBERED: usize = 8192;

/// What a link is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkName {
    /// The id of a short link.
    Short(LinkId),
    /// The random part of an `_oobid`.
    Readable([u8; 16]),
}

/// What is kept.
#[derive(Debug)]
pub(super) enum Content {
    /// For whoever shows what has this SHA-256.
    Sealed { content: Vec<u8>, take_hash: [u8; 32], single_use: bool },
    /// An invitation for everybody.
    Readable(Vec<u8>),
}

#[derive(Debug)]
struct Kept {
    owner: Arc<str>,
    /// Where its owner is connected.
    socket: Option<SocketId>,
    /// UTC seconds.
    expires: u64,
    /// Counts up, so the oldest has the lowest.
    number: u64,
    content: Content,
}

/// Who deposits, and until when.
#[derive(Debug)]
pub(super) struct Depositor {
    pub(super) did: Arc<str>,
    /// Its socket, if it stays.
    pub(super) socket: Option<SocketId>,
    /// UTC seconds.
    pub(super) expires: u64,
}

/// Why a link is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Taken,
    Gone,
    TooMany,
}

/// What came of asking for a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched<T> {
    /// It is here.
    Here(T),
    /// What was shown is not what the link's owner said.
    Wrong,
    /// It has ended.
    Gone,
    /// It was for one use, and somebody used it.
    Used,
    /// There is no such link, or it was so long ago that nobody remembers.
    Unknown,
}

/// All links.
#[derive(Debug)]
pub(super) struct Links {
    kept: HashMap<LinkName, Kept>,
    over: Replay,
    /// Those of them that were used up.
    used: Replay,
    next: u64,
}

impl Default for Links {
    fn default() -> Self {
        let remembered = || Replay::new(REMEMBERED, MAX_REMEMBERED);
        Self { kept: HashMap::new(), over: remembered(), used: remembered(), next: 0 }
    }
}

impl Links {
    /// Keeps content, or puts it in the place of what the same DID kept under this name (RL-70 to RL-72).
    pub(super) fn keep(
        &mut self,
        name: LinkName,
        by: Depositor,
        content: Content,
        since_start: Duration,
        limits: &Limits,
    ) -> Result<(), Refused> {
        if self.is_over(name, since_start) {
            return Err(Refused::Gone);
        }
        match self.kept.get(&name) {
            Some(kept) if kept.owner != by.did => return Err(Refused::Taken),
            Some(_) => {}
            None => self.make_room(&by, since_start, limits)?,
        }
        self.next += 1;
        let kept = Kept { owner: by.did, socket: by.socket, expires: by.expires, number: self.next, content };
        self.kept.insert(name, kept);
        Ok(())
    }

    fn make_room(&mut self, by: &Depositor, since_start: Duration, limits: &Limits) -> Result<(), Refused> {
        let of_did = self.kept.values().filter(|kept| kept.owner == by.did).count();
        let same = |kept: &&Kept| by.socket.is_some() && kept.socket == by.socket;
        let of_socket = self.kept.values().filter(same).count();
        if of_did >= limits.links_per_client || of_socket >= limits.links_per_client {
            return Err(Refused::TooMany);
        }
        if self.kept.len() < limits.links {
            return Ok(());
        }
        let away = self.kept.iter().filter(|(_, kept)| kept.socket.is_none());
        let oldest = away.min_by_key(|(_, kept)| kept.number).map(|(name, _)| *name);
        self.end(oldest.ok_or(Refused::TooMany)?, since_start);
        Ok(())
    }

    /// Returns the content of a short link to whoever shows `take_hash`'s source (RL-73).
    pub(super) fn take(
        &mut self,
        id: LinkId,
        take_hash: &[u8; 32],
        unix: u64,
        since_start: Duration,
    ) -> Fetched<Vec<u8>> {
        let name = LinkName::Short(id);
        let (content, single_use) = match self.look(name, unix, since_start) {
            Fetched::Here(Content::Sealed { content, take_hash: right, single_use }) => {
                if right != take_hash {
                    return Fetched::Wrong;
                }
                (content.clone(), *single_use)
            }
            Fetched::Gone => return Fetched::Gone,
            Fetched::Used => return Fetched::Used,
            _ => return Fetched::Unknown,
        };
        if single_use {
            self.end(name, since_start);
            let _ = self.used.first_time(&[&bytes_of(name)], since_start);
        }
        Fetched::Here(content)
    }

    /// Returns the invitation behind an `_oobid` (RL-78).
    pub(super) fn readable(&mut self, id: [u8; 16], unix: u64, since_start: Duration) -> Fetched<Vec<u8>> {
        match self.look(LinkName::Readable(id), unix, since_start) {
            Fetched::Here(Content::Readable(message)) => Fetched::Here(message.clone()),
            Fetched::Gone => Fetched::Gone,
            _ => Fetched::Unknown,
        }
    }

    /// Tells whether a link works, and changes nothing that anybody could notice (RL-74).
    pub(super) fn state(&mut self, name: LinkName, unix: u64, since_start: Duration) -> Fetched<()> {
        match self.look(name, unix, since_start) {
            Fetched::Here(_) => Fetched::Here(()),
            Fetched::Gone => Fetched::Gone,
            Fetched::Used => Fetched::Used,
            _ => Fetched::Unknown,
        }
    }

    /// Forgets a link of `owner`; `false` when it has none of this name.
    pub(super) fn forget(&mut self, name: LinkName, owner: &str, since_start: Duration) -> bool {
        let is_theirs = self.kept.get(&name).is_some_and(|kept| &*kept.owner == owner);
        if is_theirs {
            self.end(name, since_start);
        }
        is_theirs
    }

    pub(super) fn socket_closed(&mut self, socket: SocketId) {
        for kept in self.kept.values_mut().filter(|kept| kept.socket == Some(socket)) {
            kept.socket = None;
        }
    }

    pub(super) fn expire(&mut self, unix: u64, since_start: Duration) {
        let ended = self.kept.iter().filter(|(_, kept)| kept.expires <= unix);
        let ended: Vec<_> = ended.map(|(name, _)| *name).collect();
        for name in ended {
            self.end(name, since_start);
        }
    }

    fn look(&mut self, name: LinkName, unix: u64, since_start: Duration) -> Fetched<&Content> {
        if self.is_over(name, since_start) {
            let was_used = self.used.contains(&[&bytes_of(name)], since_start);
            return if was_used { Fetched::Used } else { Fetched::Gone };
        }
        match self.kept.get(&name) {
            Some(kept) if kept.expires <= unix => Fetched::Gone,
            Some(kept) => Fetched::Here(&kept.content),
            None => Fetched::Unknown,
        }
    }

    fn end(&mut self, name: LinkName, since_start: Duration) {
        if self.kept.remove(&name).is_some() {
            let _ = self.over.first_time(&[&bytes_of(name)], since_start);
        }
    }

    fn is_over(&mut self, name: LinkName, since_start: Duration) -> bool {
        self.over.contains(&[&bytes_of(name)], since_start)
    }
}

fn bytes_of(name: LinkName) -> Vec<u8> {
    match name {
        LinkName::Short(id) => id.to_string().into_bytes(),
        LinkName::Readable(id) => id.to_vec(),
    }
}
