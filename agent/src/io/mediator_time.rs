//! Whether a mediator is there, and what time it is at it: a trust ping, by a DID that nobody has seen before or will see again.
//!
//! Its answer says when it was written (RL-02). Not its concern: what follows from it (`core::clock`).

use std::time::Duration;

use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::trust_ping::Ping;
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::websocket::{self, FromMediator, Heard};
use super::{system_rng, unix_now};
use crate::core::identity::Identity;
use crate::core::invite::new_id;
use crate::core::post::Post;

/// Mediators that are asked at the same time.
const ASKED_AT_ONCE: usize = 4;

/// How long the answer may take: somebody waits for a message that is true without it too.
const ANSWER: Duration = Duration::from_secs(5);

/// Returns the time at the mediator with this DID in UTC seconds, if it tells.
pub(super) async fn mediator_time(mediator: &str) -> Option<u64> {
    timeout(ANSWER, ask(mediator, None)).await.ok().flatten().flatten()
}

/// Returns the first `most` of these mediators that answer, in their order, and passes those in front of them that do not to `silent`
/// (RL-63). When they are a stranger's choice, `ours` is the DID of our own. If none answers it is the first, so that the failure is
/// that one's. A single one is not asked.
pub(super) async fn those_that_answer(
    mediators: Vec<String>,
    ours: Option<&str>,
    most: usize,
    mut silent: impl FnMut(&str),
) -> Vec<String> {
    let mut taken = Vec::new();
    if mediators.len() > 1 {
        let ask = |mediator: String| async move {
            let answer = timeout(ANSWER, ask(&mediator, ours)).await;
            (answer.is_ok_and(|answer| answer.is_some()), mediator)
        };
        let mut asked = stream::iter(mediators.clone()).map(ask).buffered(ASKED_AT_ONCE);
        while taken.len() < most
            && let Some((answers, mediator)) = asked.next().await
        {
            match answers {
                true => taken.push(mediator),
                false => silent(&mediator),
            }
        }
    }
    if taken.is_empty() { mediators.into_iter().take(1).collect() } else { taken }
}

/// Returns the time in the mediator's answer, if it has one; `None` if there is no answer.
async fn ask(mediator: &str, ours: Option<&str>) -> Option<Option<u64>> {
    let mut rng = system_rng().ok()?;
    let identity = Identity::generate(&mut rng);
    let connection = identity.connection(mediator);
    let post = Post { identity: &identity, connection: &connection };
    let (heard, mut from_mediator) = mpsc::channel(1);
    let link = websocket::connect(mediator, ours, heard).ok()?;
    let ping = Ping { response_requested: true }.message(new_id(&mut rng));
    link.send(post.to_mediator(ping, mediator, unix_now(), &mut rng).ok()?.text).await;
    let FromMediator { heard: Heard::Text(text), .. } = from_mediator.recv().await? else { return None };
    let answer = post.open(text.as_bytes(), unix_now()).ok()?;
    // Whatever it says, a report that it knows no trust ping among it, it is there.
    let is_theirs = answer.sender.is_some_and(|sender| sender.did == mediator);
    is_theirs.then_some(answer.message.created_time)
}
