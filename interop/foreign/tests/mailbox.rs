//! Envelopes of the `didcomm` crate at a real mediator: an account, mail that comes, and mail for nobody.
#![allow(missing_docs)]

mod support;

use didagent_foreign::documents::Connection;
use didagent_foreign::identity::Identity;
use didagent_foreign::mediator::Mailbox;
use didagent_foreign::post::Threads;
use didagent_foreign::room::mediator_of_link;
use serde_json::json;
use support::Stage;

fn connection(mediator: &str, seed: u8) -> Connection {
    Connection::new(&Identity::generate().unwrap(), [seed; 32], mediator)
}

/// Decides CN-05, CN-06, RL-40, RL-41, RL-43.
#[tokio::test]
async fn mail_between_two_foreign_parties_goes_through_our_mediator() {
    let stage = Stage::new().await;
    let mediator = mediator_of_link(&stage.link).unwrap();
    let [own, other, absent] = [1, 2, 3].map(|seed| connection(&mediator, seed));
    let (kid, absent_kid) = (other.kid.clone(), absent.kid.clone());
    let mut own = Mailbox::open(own, &mediator).await.unwrap();
    let mut other = Mailbox::open(other, &mediator).await.unwrap();

    let body = json!({"content": "Grüße"});
    let id = own.write(&kid, "https://example.org/p/1.0/m", body.clone(), Threads::default()).await.unwrap();
    let mail = other.mail().await.unwrap();
    assert_eq!((&mail.message.id, &mail.message.body), (&id, &body));
    assert_eq!(mail.sender.as_ref(), Some(&own.own.kid));
    // It was acknowledged when it was read.
    assert_eq!(other.waiting().await.unwrap(), 0);

    // Mail for nobody is not taken, and nobody hears so: the forward is anonymous.
    own.write(&absent_kid, "https://example.org/p/1.0/m", json!({}), Threads::default()).await.unwrap();
    assert_eq!(own.waiting().await.unwrap(), 0);
    let mut late = Mailbox::open(absent, &mediator).await.unwrap();
    assert_eq!(late.waiting().await.unwrap(), 0);
    assert!(late.next_mail().is_none());
}
