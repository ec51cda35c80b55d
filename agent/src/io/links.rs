//! What is behind the links that people paste: read from the link itself, or fetched from whoever keeps it.
//!
//! Specification: `spec/invite.md`, sections 2 to 4.
//!
//! ```text
//! text --> full link: the invitation is in it
//!      --> short link: POST, take --> content --> open: only what the link was made for
//!      --> ?_oobid=:   GET --> the invitation | a redirect to a full link
//! ```
//!
//! Not its concern: what an invitation is for (`core::invite`).

use std::time::Duration;

use didagent_didcomm::protocols::out_of_band::{Invitation as Oob, MAX_INVITATION};
use didagent_didcomm::short_link::{MAX_CONTENT, ShortLink, ShortLinkError};
use hyper::Method;
use tokio::time::{sleep, timeout};
use url::Url;

use crate::core::pasted::{Pasted, link_in};
use crate::failure::{Failure, Kind};
use crate::io::did_web::Hosts;
use crate::io::fetch::{self, Answer, Ask, NoAnswer};

/// How long everything may take, redirects included.
const TOTAL: Duration = Duration::from_secs(10);
/// Most redirects that are followed.
const MAX_REDIRECTS: usize = 3;
/// How often an unknown link is asked for again, and the pause before (IV-11): a host is back within 4 s of its mediator.
const MORE_ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_secs(1);
/// What our mediators answer with.
const BYTES: &str = "application/octet-stream";
/// What software asks for an invitation.
const JSON: &str = "application/didcomm-plain+json, application/json";

/// Returns the bytes of the invitation that a pasted text leads to.
///
/// # Errors
/// One of the `Link...` kinds, and [`Kind::MediatorUnreachable`], [`Kind::MediatorForeign`].
pub(crate) async fn invitation(pasted: &Pasted) -> Result<Vec<u8>, Failure> {
    match pasted {
        Pasted::Full(link) => Oob::from_url(&link_in(link))
            .map(|invitation| invitation.bytes().to_vec())
            .map_err(|error| crate::core::invite::link_failure(&error, crate::io::unix_now())),
        Pasted::Short(link) => open(link).await,
        Pasted::Readable(url) => within(url, follow(url)).await,
    }
}

async fn within<T>(url: &Url, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match timeout(TOTAL, work).await {
        Ok(result) => result,
        Err(_) => Err(unreachable_at(url, &format!("no answer within {} s", TOTAL.as_secs()))),
    }
}

/// Asks again while the mediator knows no such link: after a restart its host may be on the way to bring it again.
async fn open(link: &ShortLink) -> Result<Vec<u8>, Failure> {
    for _ in 0..MORE_ATTEMPTS {
        match open_once(link).await {
            Err(failure) if failure.kind == Kind::LinkUnknown => sleep(PAUSE).await,
            answered => return answered,
        }
    }
    open_once(link).await
}

async fn open_once(link: &ShortLink) -> Result<Vec<u8>, Failure> {
    let url =
        Url::parse(&link.address()).map_err(|error| Failure::new(Kind::LinkNotALink, error.to_string()))?;
    let take = link.take().to_header();
    let ask = Ask {
        method: Method::POST,
        url: &url,
        accept: BYTES,
        authorization: Some(&take),
        hosts: Hosts::Any,
        limit: MAX_CONTENT,
    };
    let host = url.host_str().unwrap_or_default();
    let answer = match within(&url, async { Ok(fetch::ask(&ask).await) }).await? {
        Ok(answer) => answer,
        Err(NoAnswer::TooLong) => return Err(swapped(host)),
        Err(NoAnswer::Local) => return Err(unreachable_at(&url, "it is on a local network")),
        Err(NoAnswer::Unreachable(why)) => return Err(unreachable_at(&url, &why)),
    };
    let ours = answer.content_type == BYTES;
    match answer.status {
        200 if ours => link.open(&answer.body).map_err(|_| swapped(host)),
        403 => Err(crate::core::pasted::short_failure(ShortLinkError::Damaged)),
        410 if answer.link_state.as_deref() == Some("used") => Err(Failure::new(
            Kind::LinkExpired,
            format!("{host} says that the link was for one use, and that somebody has used it"),
        )
        .hint("tell the host if that was not you; ask for a link of your own")),
        status => Err(no_content(&url, status)),
    }
}

/// What a status other than success means for a person.
fn no_content(url: &Url, status: u16) -> Failure {
    let host = url.host_str().unwrap_or_default();
    match status {
        404 => Failure::new(
            Kind::LinkUnknown,
            format!("{host} knows no such link: it was damaged, or its mediator was restarted and the host is away"),
        )
        .hint("ask the host whether `didagent invite` still runs, and for the link again"),
        410 => Failure::new(
            Kind::LinkExpired,
            format!("{host} says that the link does not work any more: its time is over"),
        )
        .hint("ask the host to run `didagent invite` again"),
        429 | 500..=599 => unreachable_at(url, &format!("the server there cannot serve it now: HTTP status {status}")),
        _ => Failure::new(
            Kind::MediatorForeign,
            format!("what answers at {host} is not a mediator that keeps links: HTTP status {status}"),
        )
        .hint("ask for the link again; the host can make one that needs no server: didagent invite --full"),
    }
}

fn swapped(host: &str) -> Failure {
    Failure::new(
        Kind::LinkSwapped,
        format!("what {host} gave for this link is not what the host of the room stored there"),
    )
    .hint("do not trust that mediator; ask the host for a link that does not need it: didagent invite --full")
}

fn unreachable_at(url: &Url, why: &str) -> Failure {
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Failure::new(Kind::MediatorUnreachable, format!("cannot ask {host} what the link leads to: {why}"))
        .hint("check that the mediator runs and that this machine may connect to it")
}

/// Fetches what is behind an `_oobid`.
async fn follow(first: &Url) -> Result<Vec<u8>, Failure> {
    let mut url = first.clone();
    for _ in 0..=MAX_REDIRECTS {
        // The person chose the first host; wherever that one leads is a stranger's choice.
        let hosts = if same_host(&url, first) { Hosts::Any } else { Hosts::Public };
        let ask = Ask {
            method: Method::GET,
            url: &url,
            accept: JSON,
            authorization: None,
            hosts,
            limit: MAX_INVITATION,
        };
        let answer = fetch::ask(&ask).await.map_err(|no_answer| match no_answer {
            NoAnswer::TooLong => too_long(),
            NoAnswer::Local => unreachable_at(&url, "it is on a local network, where a link may not lead"),
            NoAnswer::Unreachable(why) => unreachable_at(&url, &why),
        })?;
        match turn(first, &url, answer)? {
            Turn::Message(bytes) => return Ok(bytes),
            Turn::To(next) => url = next,
        }
    }
    Err(Failure::new(Kind::MediatorForeign, "the link sends people on and on to other places")
        .hint("ask for the whole link, with `_oob=` in it"))
}

enum Turn {
    Message(Vec<u8>),
    To(Url),
}

fn turn(first: &Url, url: &Url, answer: Answer) -> Result<Turn, Failure> {
    match answer.status {
        200 => Ok(Turn::Message(answer.body)),
        301 | 302 | 303 | 307 | 308 => {
            let to = answer.location.and_then(|location| url.join(&location).ok());
            let to = to.filter(|to| to.scheme() == "https" || to.scheme() == first.scheme());
            let to = to.filter(|to| to.has_host() && to.username().is_empty() && to.password().is_none());
            let Some(to) = to else {
                return Err(Failure::new(
                    Kind::MediatorForeign,
                    "the link leads to something that is no web address",
                )
                .hint("ask for the whole link, with `_oob=` in it"));
            };
            if to.query_pairs().any(|(name, _)| name == "_oob") {
                let invitation = Oob::from_url(to.as_str())
                    .map_err(|error| crate::core::invite::link_failure(&error, crate::io::unix_now()))?;
                return Ok(Turn::Message(invitation.bytes().to_vec()));
            }
            Ok(Turn::To(to))
        }
        status => Err(no_content(url, status)),
    }
}

fn same_host(url: &Url, other: &Url) -> bool {
    url.host() == other.host() && url.port_or_known_default() == other.port_or_known_default()
}

fn too_long() -> Failure {
    let limit = MAX_INVITATION / 1024;
    Failure::new(
        Kind::LinkForeign,
        format!("what the link leads to is longer than {limit} KiB, so no invitation"),
    )
    .hint("ask for the whole link, with `_oob=` in it")
}
