//! The board: rooms that hosts have posted for strangers (`spec/lobby.md`).
//!
//! ```text
//! post --> room for it? --> kept --renew--> kept on --> read by anybody
//!                             \-> withdrawn, ended, its owner away for long, displaced
//! ```
//!
//! It keeps nothing but what hosts want everybody to read, and who may change it. Not its concern: messages (`lobby`), how fast they
//! may come (`rates`), whether anything on it is true.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use didagent_didcomm::protocols::lobby::{Listed, Post, PostId};

use super::limits::Limits;
use super::{Now, SocketId};

/// Who posts or renews, and until when.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) did: Arc<str>,
    /// Its socket, if it stays.
    pub(super) socket: Option<SocketId>,
    /// Where it comes from; that of a post stays the one that it was first posted from.
    pub(super) network: IpAddr,
    /// UTC seconds.
    pub(super) expires: u64,
}

impl Owner {
    /// The same owner, later. Where it is by now does not matter: posts that move with it would make room for others where it was.
    fn again(&self, now: Self) -> Self {
        Self { network: self.network, ..now }
    }
}

#[derive(Debug)]
struct Kept {
    post: Post,
    owner: Owner,
    /// Since when no open socket stands behind it, as time since the start.
    away: Option<Duration>,
    /// Counts up, so the oldest has the lowest.
    number: u64,
}

impl Kept {
    /// Says whether it is shown: its time is not over, and its owner has not been away for long (LB-07).
    fn is_up(&self, now: Now, absence: Duration) -> bool {
        let is_there = |since| now.since_start.saturating_sub(since) < absence;
        self.owner.expires > now.unix && self.away.is_none_or(is_there)
    }
}

/// The owner has no post with this id.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotYours;

/// There is no room for a post.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// All posts.
#[derive(Debug, Default)]
pub(super) struct Board {
    posts: HashMap<PostId, Kept>,
    next: u64,
}

impl Board {
    /// Shows a post under the id that `draw` finds, which is nobody else's (LB-04, LB-06), or in the place of the same owner's with
    /// the same link (LB-05).
    pub(super) fn post(
        &mut self,
        post: Post,
        owner: Owner,
        mut draw: impl FnMut() -> Option<PostId>,
        now: Duration,
        limits: &Limits,
    ) -> Result<PostId, Full> {
        let away = owner.socket.is_none().then_some(now);
        let same = self
            .posts
            .iter_mut()
            .find(|(_, kept)| kept.owner.did == owner.did && kept.post.link == post.link);
        if let Some((id, kept)) = same {
            *kept = Kept { post, owner: kept.owner.again(owner), away, number: kept.number };
            return Ok(id.clone());
        }
        self.make_room(&owner, limits)?;
        // Eight digits are taken once in thirty million.
        let fresh =
            std::iter::repeat_with(&mut draw).take(4).flatten().find(|id| !self.posts.contains_key(id));
        let id = fresh.ok_or(Full)?;
        self.next += 1;
        self.posts.insert(id.clone(), Kept { post, owner, away, number: self.next });
        Ok(id)
    }

    /// Keeps a post on and changes what changes in it; its owner may have another socket by now (LB-05).
    pub(super) fn renew(
        &mut self,
        id: &PostId,
        owner: Owner,
        change: impl FnOnce(&mut Post),
        now: Duration,
    ) -> Result<(), NotYours> {
        let kept = self.posts.get_mut(id).filter(|kept| kept.owner.did == owner.did).ok_or(NotYours)?;
        change(&mut kept.post);
        kept.away = owner.socket.is_none().then_some(now);
        kept.owner = kept.owner.again(owner);
        Ok(())
    }

    /// Takes a post down.
    pub(super) fn withdraw(&mut self, id: &PostId, did: &str) -> Result<(), NotYours> {
        let is_theirs = self.posts.get(id).is_some_and(|kept| &*kept.owner.did == did);
        if is_theirs {
            self.posts.remove(id);
        }
        is_theirs.then_some(()).ok_or(NotYours)
    }

    /// Returns all posts, the newest first, without their links.
    pub(super) fn all(&self, now: Now, absence: Duration) -> Vec<Listed> {
        let mut all: Vec<_> = self.posts.iter().filter(|(_, kept)| kept.is_up(now, absence)).collect();
        all.sort_unstable_by_key(|(_, kept)| std::cmp::Reverse(kept.number));
        all.into_iter().map(|(id, kept)| listed(id, kept, false)).collect()
    }

    /// Returns one post with its link.
    pub(super) fn one(&self, id: &PostId, now: Now, absence: Duration) -> Option<Listed> {
        let kept = self.posts.get(id).filter(|kept| kept.is_up(now, absence))?;
        Some(listed(id, kept, true))
    }

    /// Notes that nobody stands behind the posts of a socket any more.
    pub(super) fn socket_closed(&mut self, socket: SocketId, now: Duration) {
        for kept in self.posts.values_mut().filter(|kept| kept.owner.socket == Some(socket)) {
            kept.owner.socket = None;
            kept.away = Some(now);
        }
    }

    /// Takes down what nobody is shown any more.
    pub(super) fn expire(&mut self, now: Now, absence: Duration) {
        self.posts.retain(|_, kept| kept.is_up(now, absence));
    }

    fn make_room(&mut self, owner: &Owner, limits: &Limits) -> Result<(), Full> {
        let count = |is_theirs: &dyn Fn(&Owner) -> bool| {
            self.posts.values().filter(|kept| is_theirs(&kept.owner)).count()
        };
        let is_taken = |other: &Owner| other.socket.is_some() && other.socket == owner.socket;
        if count(&|other| other.did == owner.did) >= limits.posts_per_client
            || count(&is_taken) >= limits.posts_per_client
            || count(&|other| other.network == owner.network) >= limits.posts_per_network
            || count(&|other| site_of(other.network) == site_of(owner.network)) >= limits.posts_per_site
        {
            return Err(Full);
        }
        if self.posts.len() < limits.posts {
            return Ok(());
        }
        let away = self.posts.iter().filter(|(_, kept)| kept.away.is_some());
        let oldest_away = away.min_by_key(|(_, kept)| kept.number);
        let of_many = || {
            let of_site = self.newest_of_many(owner, site_of);
            of_site.or_else(|| self.newest_of_many(owner, |network| network))
        };
        let leaves = oldest_away.or_else(of_many).map(|(id, _)| id.clone());
        self.posts.remove(&leaves.ok_or(Full)?);
        Ok(())
    }

    /// Returns the newest post of the group of networks with most, if that one still has as many as the newcomer's group then. So whoever
    /// fills the board makes way for those who have less on it, and nobody can take turns with somebody else.
    fn newest_of_many(
        &self,
        newcomer: &Owner,
        group_of: impl Fn(IpAddr) -> IpAddr,
    ) -> Option<(&PostId, &Kept)> {
        let mut groups: HashMap<IpAddr, usize> = HashMap::new();
        for kept in self.posts.values() {
            *groups.entry(group_of(kept.owner.network)).or_default() += 1;
        }
        let own = groups.get(&group_of(newcomer.network)).copied().unwrap_or_default();
        let (group, most) = groups.into_iter().max_by_key(|(group, count)| (*count, *group))?;
        if most < own + 2 {
            return None;
        }
        let of_group = self.posts.iter().filter(|(_, kept)| group_of(kept.owner.network) == group);
        of_group.max_by_key(|(_, kept)| kept.number)
    }
}

/// Returns what one customer may have: an IPv4 address, or 48 bits of IPv6, in which there are 65,536 networks.
fn site_of(network: IpAddr) -> IpAddr {
    match network {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 80 << 80)),
        v4 => v4,
    }
}

fn listed(id: &PostId, kept: &Kept, with_link: bool) -> Listed {
    let Post { title, program, seats, free, threshold, link, .. } = kept.post.clone();
    Listed {
        id: id.clone(),
        title,
        program,
        seats,
        free,
        threshold,
        link: with_link.then_some(link),
        expires_time: kept.owner.expires,
    }
}
