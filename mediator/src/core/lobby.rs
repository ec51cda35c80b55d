//! Lobby 1.0, the DIDComm part; what is kept is in [`super::board`].
//!
//! Specification: `spec/lobby.md`. What hosts write is for everybody to read, and still no line of a log: titles are strangers' words.

use didagent_didcomm::protocols::lobby::{List, Post, PostId, Posted, Posts, Renew, Withdraw, Withdrawn};
use didagent_didcomm::protocols::{Body, BodyError};
use url::Url;

use super::board::{Board, Owner};
use super::dispatch::{Answer, Ask};
use super::problem::{self, Problem};
use super::rates::{Rate, Rates};
use super::{Mediator, Now};
use crate::store::MailStore;

/// Posts, renewals and withdrawals of one network: a room of 16 fills up, twice, and somebody comes or goes every other second.
const WRITING: Rate = Rate { burst: 32, each_millis: 2000 };

/// How often a network may read the board: an answer has up to 100 KB.
const READING: Rate = Rate { burst: 20, each_millis: 1000 };

/// The board, and how fast it is written and read.
#[derive(Debug)]
pub(super) struct Lobby {
    pub(super) board: Board,
    writing: Rates,
    reading: Rates,
}

impl Default for Lobby {
    fn default() -> Self {
        Self { board: Board::default(), writing: Rates::of(WRITING), reading: Rates::of(READING) }
    }
}

impl<S: MailStore> Mediator<S> {
    pub(super) fn lobby_post(&mut self, ask: &Ask<'_>) -> Answer {
        self.may_write(ask)?;
        let post = Post::try_from(ask.message)?;
        if !post.is_a_room() || !self.leads_here(&post) {
            return Err(malformed::<Post>("seats, threshold or link are not those of a room here"));
        }
        let owner = self.owner(ask, post.expires_time)?;
        let (expires_time, now) = (owner.expires, ask.now.since_start);
        let ids = &mut self.ids;
        let draw = || PostId::new(ids.make().get(..8)?).ok();
        let id = self.lobby.board.post(post, owner, draw, now, &self.limits);
        let id = id.map_err(|_full| problem::LOBBY_FULL)?;
        tracing::debug!(socket = ask.socket.0, "a room was posted");
        Ok(Some(Posted { id, expires_time }.message("")))
    }

    pub(super) fn lobby_renew(&mut self, ask: &Ask<'_>) -> Answer {
        self.may_write(ask)?;
        let Renew { id, free, expires_time } = Renew::try_from(ask.message)?;
        let owner = self.owner(ask, expires_time)?;
        let expires_time = owner.expires;
        // A room has at least its host, however often that is told otherwise.
        let change = |post: &mut Post| post.free = free.min(post.seats.saturating_sub(1));
        let renewed = self.lobby.board.renew(&id, owner, change, ask.now.since_start);
        renewed.map_err(|_| problem::NO_SUCH_POST)?;
        Ok(Some(Posted { id, expires_time }.message("")))
    }

    pub(super) fn lobby_withdraw(&mut self, ask: &Ask<'_>) -> Answer {
        self.may_write(ask)?;
        let Withdraw { id } = Withdraw::try_from(ask.message)?;
        self.lobby.board.withdraw(&id, &ask.peer.did).map_err(|_| problem::NO_SUCH_POST)?;
        Ok(Some(Withdrawn { id }.message("")))
    }

    pub(super) fn lobby_list(&mut self, ask: &Ask<'_>) -> Answer {
        if !self.lobby.reading.take(self.network_of(ask.socket), ask.now.since_start) {
            return Err(problem::LOBBY_TOO_FAST.into());
        }
        let posts = match List::try_from(ask.message)?.id {
            Some(id) => self.lobby.board.one(&id, ask.now, self.limits.post_absence).into_iter().collect(),
            None => self.lobby.board.all(ask.now, self.limits.post_absence),
        };
        Ok(Some(Posts { posts }.message("")))
    }

    /// Takes down what nobody stands behind any more.
    pub(super) fn expire_posts(&mut self, now: Now) {
        self.lobby.board.expire(now, self.limits.post_absence);
    }

    fn may_write(&mut self, ask: &Ask<'_>) -> Result<(), Problem> {
        match self.lobby.writing.take(self.network_of(ask.socket), ask.now.since_start) {
            true => Ok(()),
            false => Err(problem::LOBBY_TOO_FAST.into()),
        }
    }

    /// Says whether the link of a post is one of this mediator: a board that showed others would send strangers anywhere.
    fn leads_here(&self, post: &Post) -> bool {
        let place = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port());
        let link = Url::parse(post.link.as_str()).ok();
        link.zip(self.base.as_ref()).is_some_and(|(link, base)| place(&link) == place(base))
    }

    fn owner(&self, ask: &Ask<'_>, expires: u64) -> Result<Owner, Problem> {
        self.enrolled(ask.peer)?;
        let unix = ask.now.unix;
        if expires <= unix {
            return Err(Problem::with(problem::EXPIRED, unix));
        }
        Ok(Owner {
            did: ask.peer.did.clone(),
            socket: self.stays(ask.socket).then_some(ask.socket),
            network: self.network_of(ask.socket),
            expires: expires.min(unix.saturating_add(self.limits.post_seconds)),
        })
    }
}

fn malformed<B: Body>(reason: &str) -> Problem {
    BodyError::Malformed { expected: B::TYPE, reason: reason.to_owned() }.into()
}
