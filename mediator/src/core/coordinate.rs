//! Coordinate Mediation 3.0 and 2.0, the mediator's side (RL-56): both are read into the bodies of 3.0, and answered in the
//! version of the request. Who may register what is decided in [`super::accounts`], which knows no versions.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use didagent_didcomm::protocols::coordinate_mediation::{
    Action, MediateDeny, MediateGrant, MediateRequest, Outcome, Pagination, Recipient, RecipientDid,
    RecipientQuery, RecipientUpdate, RecipientUpdateResponse, Update, Updated,
};
use didagent_didcomm::protocols::coordinate_mediation_2 as v2;
use didagent_didcomm::protocols::{Body, BodyError, read_either, write_either};

use super::dispatch::{Answer, Ask};
use super::problem::{self, Problem};
use super::{Mediator, Now, Peer};
use crate::store::MailStore;

/// Changes in one recipient-update: as many as an account may have recipient DIDs. A longer one is malformed as a whole, since
/// an answer repeats every change.
const MAX_UPDATES: usize = 256;

/// Part of all accounts that is evicted at once when there is no room: the search looks at all of them.
const EVICTED_PART: usize = 16;

/// Pause between two searches for accounts to evict.
const EVICTION_PAUSE: Duration = Duration::from_secs(1);

/// Entries in one answer to a recipient-query: 64 DIDs of the longest kind are 128 KiB.
const MAX_PAGE: u32 = 64;

impl<S: MailStore> Mediator<S> {
    pub(super) fn mediate_request(&mut self, ask: &Ask<'_>) -> Answer {
        let (MediateRequest {}, old) = read_either::<_, v2::MediateRequest>(ask.message)?;
        if self.accounts.is_full(&self.limits) && !self.accounts.is_enrolled(&ask.peer.did) {
            self.evict(ask.now);
        }
        let reply = if self.accounts.enrol(&ask.peer.did, ask.now.since_start, &self.limits) {
            write_either::<_, v2::MediateGrant>(
                old,
                MediateGrant { routing_did: vec![self.did.to_string()] },
                "",
            )
        } else {
            write_either::<_, v2::MediateDeny>(old, MediateDeny {}, "")
        };
        Ok(Some(reply))
    }

    pub(super) fn recipient_update(&mut self, ask: &Ask<'_>) -> Answer {
        let (request, old): (RecipientUpdate, _) = read_either::<_, v2::KeylistUpdate>(ask.message)?;
        self.enrolled(ask.peer)?;
        if request.updates.len() > MAX_UPDATES {
            let reason = format!("there are more than {MAX_UPDATES} updates");
            let expected = if old { v2::KeylistUpdate::TYPE } else { RecipientUpdate::TYPE };
            return Err(Problem::from(BodyError::Malformed { expected, reason }));
        }
        if self.accounts.recipients_are_full(&self.limits) {
            self.evict(ask.now);
        }
        let apply = |update: Update| {
            let result = self.apply(ask.peer, &update);
            Updated { recipient_did: update.recipient_did, action: update.action, result }
        };
        let updated = request.updates.into_iter().map(apply).collect();
        Ok(Some(write_either::<_, v2::KeylistUpdateResponse>(old, RecipientUpdateResponse { updated }, "")))
    }

    fn apply(&mut self, peer: &Peer, update: &Update) -> Outcome {
        match update.action {
            Action::Add => self.accounts.add(&peer.did, &update.recipient_did, &self.limits),
            Action::Remove => {
                let outcome = self.accounts.remove(&peer.did, &update.recipient_did);
                if outcome == Outcome::Success {
                    self.mailbox.forget(&update.recipient_did);
                }
                outcome
            }
            Action::Other(_) => Outcome::ClientError,
        }
    }

    /// Makes room for accounts and recipient DIDs: those who are not connected and have no mail make way.
    fn evict(&mut self, now: Now) {
        if now.since_start < self.next_eviction {
            return;
        }
        self.next_eviction = now.since_start + EVICTION_PAUSE;
        let connected: HashSet<&str> =
            self.sockets.values().flat_map(|socket| socket.peers.keys()).map(|did| &**did).collect();
        let (live, mailbox) = (&self.live, &self.mailbox);
        let busy = |did: &str, recipients: &BTreeSet<Arc<str>>| {
            connected.contains(did)
                || live.is_live(did)
                || recipients.iter().any(|recipient| !mailbox.is_empty(recipient))
        };
        let gone = self.accounts.evict((self.limits.accounts / EVICTED_PART).max(1), busy);
        tracing::debug!(recipients = gone.len(), "no room: idle accounts without mail were dropped");
    }

    pub(super) fn recipient_query(&mut self, ask: &Ask<'_>) -> Answer {
        let (request, old): (RecipientQuery, _) = read_either::<_, v2::KeylistQuery>(ask.message)?;
        self.enrolled(ask.peer)?;
        let (limit, offset) =
            request.paginate.map_or((MAX_PAGE, 0), |part| (part.limit.min(MAX_PAGE), part.offset));
        let all = self.accounts.recipients(&ask.peer.did);
        let total = count(all.clone().count());
        let page = all.skip(to_usize(offset)).take(to_usize(limit));
        let dids: Vec<_> = page.map(|did| RecipientDid { recipient_did: did.to_string() }).collect();
        let here = count(dids.len());
        let remaining = total.saturating_sub(offset).saturating_sub(here);
        // Without a request for a part, the list is whole unless it does not fit.
        let pagination = (request.paginate.is_some() || remaining > 0).then_some(Pagination {
            count: here,
            offset,
            remaining,
        });
        Ok(Some(write_either::<_, v2::Keylist>(old, Recipient { dids, pagination }, "")))
    }

    /// Refuses who has no account.
    pub(super) fn enrolled(&self, peer: &Peer) -> Result<(), Problem> {
        if self.accounts.is_enrolled(&peer.did) { Ok(()) } else { Err(problem::NOT_ENROLLED.into()) }
    }
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
