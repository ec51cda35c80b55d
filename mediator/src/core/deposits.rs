//! Short Link 1.0 and Shorten URL 1.0, the DIDComm part; what is kept is in [`super::links`].

use didagent_didcomm::protocols::out_of_band::Invitation;
use didagent_didcomm::protocols::short_link::{Deposit, Deposited};
use didagent_didcomm::protocols::shorten_url::{
    GOAL_OOB_2, InvalidateShortenedUrl, RequestShortenedUrl, ShortenedUrl,
};
use didagent_didcomm::protocols::{Body, BodyError, b64url_decode, b64url_encode};
use didagent_didcomm::short_link::{LinkId, MAX_CONTENT};
use url::Url;

use super::dispatch::{Answer, Ask};
use super::links::{Content, Depositor, Fetched, LinkName, Refused};
use super::problem::{self, Problem};
use super::{Mediator, Now};
use crate::store::MailStore;

/// Parameter that names an invitation which is kept readable (DIDComm v2.1, "Short URL Message Retrieval").
const OOBID: &str = "_oobid";

impl<S: MailStore> Mediator<S> {
    /// Tells under which http or https address clients reach this mediator; without it no URL is shortened.
    #[must_use]
    pub fn at(mut self, base: &str) -> Self {
        self.base = Url::parse(base).ok();
        self
    }

    /// Returns the content of a short link to whoever shows what `take_hash` is the SHA-256 of.
    pub fn take_link(&mut self, id: LinkId, take_hash: &[u8; 32], now: Now) -> Fetched<Vec<u8>> {
        self.links.take(id, take_hash, now.unix, now.since_start)
    }

    /// Returns the invitation behind an `_oobid`.
    pub fn readable_link(&mut self, id: [u8; 16], now: Now) -> Fetched<Vec<u8>> {
        self.links.readable(id, now.unix, now.since_start)
    }

    /// Tells whether a link works.
    pub fn link_state(&mut self, name: LinkName, now: Now) -> Fetched<()> {
        self.links.state(name, now.unix, now.since_start)
    }

    pub(super) fn deposit(&mut self, ask: &Ask<'_>) -> Answer {
        let Deposit { id, content, take_hash, expires_time, single_use } = Deposit::try_from(ask.message)?;
        if content.is_empty() || content.len() > MAX_CONTENT {
            return Err(malformed::<Deposit>("the content is empty or too long"));
        }
        let expires = self.end_of_link(expires_time, ask.now)?;
        let content = Content::Sealed { content, take_hash: take_hash.0, single_use };
        self.keep(ask, LinkName::Short(id), content, expires)?;
        Ok(Some(Deposited { expires_time: expires }.message("")))
    }

    pub(super) fn shorten(&mut self, ask: &Ask<'_>) -> Answer {
        let request = RequestShortenedUrl::try_from(ask.message)?;
        if request.goal_code != GOAL_OOB_2 {
            return Err(problem::INVALID_GOAL_CODE.into());
        }
        if request.short_url_slug.is_some_and(|slug| !slug.is_empty()) {
            return Err(problem::NO_SLUGS.into());
        }
        let longest = self.limits.link_seconds;
        let seconds = match request.requested_validity_seconds {
            0 => longest,
            wanted if wanted > longest => return Err(Problem::with(problem::VALIDITY, longest)),
            wanted => wanted,
        };
        let invitation = Invitation::from_url(&request.url).ok();
        let invitation = invitation.filter(|invitation| invitation.bytes().len() <= MAX_CONTENT);
        let (Some(invitation), Some(mut url)) = (invitation, self.base.clone()) else {
            return Err(problem::INVALID_URL.into());
        };
        let id = self.ids.draw();
        let content = Content::Readable(invitation.bytes().to_vec());
        let expires = ask.now.unix.saturating_add(seconds);
        self.keep(ask, LinkName::Readable(id), content, expires)?;
        url.query_pairs_mut().append_pair(OOBID, &b64url_encode(id));
        Ok(Some(ShortenedUrl { shortened_url: url.into(), expires_time: Some(expires) }.message("")))
    }

    pub(super) fn invalidate(&mut self, ask: &Ask<'_>) -> Answer {
        let InvalidateShortenedUrl { shortened_url } = InvalidateShortenedUrl::try_from(ask.message)?;
        let url = Url::parse(&shortened_url).ok();
        let id = url.and_then(|url| id_in_query(url.query()?));
        let forgotten = id
            .is_some_and(|id| self.links.forget(LinkName::Readable(id), &ask.peer.did, ask.now.since_start));
        if forgotten { Ok(None) } else { Err(problem::SHORT_URL_INVALID.into()) }
    }

    fn keep(&mut self, ask: &Ask<'_>, name: LinkName, content: Content, expires: u64) -> Result<(), Problem> {
        self.enrolled(ask.peer)?;
        let socket = self.stays(ask.socket).then_some(ask.socket);
        let by = Depositor { did: ask.peer.did.clone(), socket, expires };
        self.links.keep(name, by, content, ask.now.since_start, &self.limits).map_err(|refused| {
            match refused {
                Refused::Taken => problem::LINK_TAKEN,
                Refused::Gone => problem::LINK_GONE,
                Refused::TooMany => problem::LINKS_FULL,
            }
            .into()
        })
    }

    /// When a link ends whose owner wants `expires`: no later than is allowed.
    fn end_of_link(&self, expires: u64, now: Now) -> Result<u64, Problem> {
        if expires <= now.unix {
            return Err(Problem::with(problem::EXPIRED, now.unix));
        }
        Ok(expires.min(now.unix.saturating_add(self.limits.link_seconds)))
    }
}

/// Finds the id in the query of a URL, if it is one of ours.
pub(crate) fn id_in_query(query: &str) -> Option<[u8; 16]> {
    b64url_decode(oobid_in(query)?)?.try_into().ok()
}

/// Finds the value of `_oobid` in the query of a URL.
pub(crate) fn oobid_in(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix(OOBID)?.strip_prefix('='))
}

fn malformed<B: Body>(reason: &str) -> Problem {
    BodyError::Malformed { expected: B::TYPE, reason: reason.to_owned() }.into()
}
