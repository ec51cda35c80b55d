//! Whether a mediator is there, and what time it is at it: a trust ping, by a DID that nobody has seen before or will see again.
//!
//! Its answer says when it was written (RL-02). Not its concern: what follows from it (`core::clock`).

use std::time::Duration;

use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::trust_ping::Ping;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::websocket::{self, FromMediator, Heard};
use super::{system_rng, unix_now};
use crate::core::identity::Identity;
use crate::core::invite::new_id;
use crate::core::post::Post;

/// How long the answer may take: somebody waits for a message that is true without it too.
const ANSWER: Duration = Duration::from_secs(5);

/// Returns the time at the mediator with this DID in UTC seconds, if it tells.
pub(super) async fn mediator_time(mediator: &str) -> Option<u64> {
    timeout(ANSWER, ask(mediator)).await.ok().flatten()
}

/// Tells whether the mediator with this DID answers.
pub(super) async fn answers(mediator: &str) -> bool {
    mediator_time(mediator).await.is_some()
}

async fn ask(mediator: &str) -> Option<u64> {
    let mut rng = system_rng().ok()?;
    let identity = Identity::generate(&mut rng);
    let connection = identity.connection(mediator);
    let post = Post { identity: &identity, connection: &connection };
    let (heard, mut from_mediator) = mpsc::channel(1);
    let link = websocket::connect(mediator, None, heard).ok()?;
    let ping = Ping { response_requested: true }.message(new_id(&mut rng));
    link.send(post.to_mediator(ping, mediator, unix_now(), &mut rng).ok()?.text).await;
    let FromMediator { heard: Heard::Text(text), .. } = from_mediator.recv().await? else { return None };
    let answer = post.open(text.as_bytes(), unix_now()).ok()?;
    let is_theirs = answer.sender.is_some_and(|sender| sender.did == mediator);
    answer.message.created_time.filter(|_| is_theirs)
}
