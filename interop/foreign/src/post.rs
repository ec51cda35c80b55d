//! Envelopes, as the `didcomm` crate makes and opens them, and the rules of `spec/connect.md` that it leaves to its caller.
//!
//! ```text
//! to a mediator   authcrypt
//! to a party      anoncrypt(authcrypt), inside a forward that is anoncrypted to the party's mediator
//! ```

use didcomm::{Message, MessageBuilder, PackEncryptedOptions, UnpackOptions};
use serde_json::Value;

use crate::documents::{Connection, Documents, service_at};
use crate::{Problem, Result, new_id, now};

/// How long a message is worth reading, in seconds (RL-05, RM-17).
const SECONDS: u64 = 120;

/// What the other side is told beside the body.
#[derive(Debug, Clone, Default)]
pub struct Threads {
    /// The message's own id; a new one if there is none.
    pub id: Option<String>,
    /// `thid`.
    pub thid: Option<String>,
    /// `pthid`.
    pub pthid: Option<String>,
}

/// A message that was opened.
#[derive(Debug)]
pub struct Received {
    /// What it says.
    pub message: Message,
    /// The id of the key that it was authcrypted with, if it was.
    pub sender: Option<String>,
}

impl Received {
    /// The sender's DID.
    pub fn from(&self) -> Option<&str> {
        self.sender.as_deref().and_then(|kid| kid.split('#').next())
    }

    /// The thread that it belongs to.
    pub fn thread(&self) -> &str {
        self.message.thid.as_deref().unwrap_or(&self.message.id)
    }

    /// A text of the body.
    ///
    /// # Errors
    /// If it is not there.
    pub fn text(&self, name: &str) -> Result<&str> {
        let text = self.message.body.get(name).and_then(Value::as_str);
        text.ok_or_else(|| Problem::broken(format!("{} without {name}", self.message.type_)))
    }
}

/// Encrypts for a mediator, from `own`; also returns the message's id.
///
/// # Errors
/// What the library says.
pub async fn to_mediator(
    own: &Connection,
    mediator: &str,
    type_: &str,
    body: Value,
) -> Result<(String, String)> {
    let (id, message) = build(own, mediator, type_, body, Threads::default());
    let message = message.header("return_route".to_owned(), "all".into()).finalize();
    let options = PackEncryptedOptions { forward: false, ..PackEncryptedOptions::default() };
    let packed = message.pack_encrypted(mediator, Some(&own.did), None, &Documents, own, &options).await;
    Ok((id, packed.map_err(Problem::broken)?.0))
}

/// Seals a message for the key `kid` of a party and wraps it for `mediator`, which is one of the party's; also returns the message's
/// id.
///
/// # Errors
/// What the library says.
pub async fn to_party(
    own: &Connection,
    mediator: &str,
    kid: &str,
    type_: &str,
    body: Value,
    threads: Threads,
) -> Result<(String, String)> {
    let did = kid.split('#').next().unwrap_or_default();
    let (id, message) = build(own, did, type_, body, threads);
    // Without a name the library takes the first of them.
    let options = PackEncryptedOptions {
        protect_sender: true,
        messaging_service: service_at(did, mediator)?,
        ..PackEncryptedOptions::default()
    };
    let packed =
        message.finalize().pack_encrypted(kid, Some(&own.did), None, &Documents, own, &options).await;
    Ok((id, packed.map_err(Problem::broken)?.0))
}

fn build(own: &Connection, to: &str, type_: &str, body: Value, threads: Threads) -> (String, MessageBuilder) {
    let (id, now) = (threads.id.unwrap_or_else(new_id), now());
    let mut message = Message::build(id.clone(), type_.to_owned(), body)
        .from(own.did.clone())
        .to(to.to_owned())
        .created_time(now)
        .expires_time(now + SECONDS);
    if let Some(thid) = threads.thid {
        message = message.thid(thid);
    }
    if let Some(pthid) = threads.pthid {
        message = message.pthid(pthid);
    }
    (id, message)
}

/// Opens an envelope for `own`.
///
/// # Errors
/// What the library says, and what it does not look at: CN-11, CN-15, CN-16.
pub async fn open(own: &Connection, envelope: &str) -> Result<Received> {
    let options = UnpackOptions { unwrap_re_wrapping_forward: false, ..UnpackOptions::default() };
    let unpacked = Message::unpack(envelope, &Documents, own, &options).await;
    let (message, metadata) = unpacked.map_err(Problem::broken)?;
    if !metadata.encrypted {
        return Err(Problem::broken("a message that is not encrypted"));
    }
    let received = Received { message, sender: metadata.encrypted_from_kid };
    let message = &received.message;
    if received.sender.is_some() && message.from.as_deref() != received.from() {
        return Err(Problem::broken("`from` is not who encrypted"));
    }
    if message.to.as_ref().is_some_and(|to| !to.contains(&own.did)) {
        return Err(Problem::broken("a message for somebody else"));
    }
    if message.expires_time.is_some_and(|end| end < now()) {
        return Err(Problem::broken("an expired message"));
    }
    Ok(received)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::identity::Identity;

    const TYPE: &str = "https://example.org/p/1.0/m";

    fn party(seed: u8) -> Connection {
        Connection::new(&Identity::generate().unwrap(), [seed; 32], "did:peer:2.Ez6LSx")
    }

    /// Encrypts for `to` from `own` what the library, asked by `change`, would not question.
    async fn packed(
        own: &Connection,
        to: &Connection,
        change: fn(Message, &Connection) -> Message,
    ) -> String {
        let (_, message) = build(own, &to.did, TYPE, json!({}), Threads::default());
        let message = change(message.finalize(), own);
        let options = PackEncryptedOptions { forward: false, ..PackEncryptedOptions::default() };
        let from = Some(own.did.as_str());
        message.pack_encrypted(&to.did, from, None, &Documents, own, &options).await.unwrap().0
    }

    /// Decides CN-11, CN-15, CN-16, which the library leaves to its caller.
    #[tokio::test]
    async fn a_forged_sender_mail_for_others_and_late_mail_are_refused() {
        let (own, other) = (party(1), party(2));
        let right = packed(&own, &other, |message, _| message).await;
        assert_eq!(open(&other, &right).await.unwrap().sender.as_ref(), Some(&own.kid));
        assert!(open(&party(3), &right).await.is_err());

        // The packing side compares its own members only, so what is forged goes in beside them.
        let forged = packed(&own, &other, |mut message, own| {
            let from = own.did.replace(".E", ".V");
            message.from = None;
            message.extra_headers.insert("from".to_owned(), from.into());
            message
        });
        assert_refused(&other, &forged.await, "`from` is not who encrypted").await;
        let misdirected = packed(&own, &other, |mut message, own| {
            message.to = None;
            message.extra_headers.insert("to".to_owned(), json!([own.did]));
            message
        });
        assert_refused(&other, &misdirected.await, "a message for somebody else").await;
        let late = packed(&own, &other, |mut message, _| {
            message.expires_time = Some(1_700_000_000);
            message
        });
        assert_refused(&other, &late.await, "an expired message").await;
    }

    async fn assert_refused(reader: &Connection, envelope: &str, why: &str) {
        assert_eq!(open(reader, envelope).await.unwrap_err(), Problem::broken(why));
    }
}
