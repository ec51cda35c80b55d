//! What came out of an envelope, and what a message must agree with in the layers that were around it.
//!
//! DIDComm Messaging v2.1, "Message Layer Addressing Consistency"; `spec/connect.md`, section 3. Whoever decrypted the layers
//! fills in a [`Peeled`], and [`Peeled::message`] is the only way to an [`Unpacked`]: so no implementation of the envelope can
//! lack these checks.
//!
//! Not its concern: how a layer is opened (`unpack`).

use super::UnpackError;
use super::jwe::{malformed, unsupported};
use super::prior::{self, Prior};
use crate::did::{Resolver, did_of};
use crate::message::{Message, PLAIN_TYP};

/// What came out of an envelope.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Unpacked {
    /// The message. Its `from` says who sent it only if [`Self::sender`] or [`Self::signer`] does.
    pub message: Message,
    /// The sender whom authcrypt authenticated; `None` when anybody may have sent the message.
    pub sender: Option<Authenticated>,
    /// The DID that signed the message, and the first of its keys that did: anybody may have sent it to us since, but nobody
    /// else wrote it. `None` when it is not signed.
    pub signer: Option<Authenticated>,
    /// The DID whose place the sender takes. Only in an encrypted message, and only if the sender is authenticated or nobody
    /// takes the place.
    pub prior: Option<Prior>,
    /// The key of ours that opened it, named as the sender named it: a reply that is sent from it uses the same name.
    pub recipient_kid: Option<String>,
    /// Whether the outer layer was anonymous, so that whoever carried it did not learn the sender.
    pub anonymous: bool,
    /// Whether it was encrypted at all.
    pub encrypted: bool,
}

/// A sender who proved to have the key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authenticated {
    /// The DID, equal to the message's `from`.
    pub did: String,
    /// The key, as an absolute DID URL: under authcrypt, where a reply is encrypted to.
    pub kid: String,
}

impl Authenticated {
    /// Makes the sender or signer of the key `kid`, an absolute DID URL.
    pub fn by(kid: impl Into<String>) -> Self {
        let kid = kid.into();
        Self { did: did_of(&kid).to_owned(), kid }
    }
}

/// What the layers of an envelope said, when all were taken off.
///
/// The keys are absolute DID URLs, each resolved and found in its DID's document for its use; `did` is the DID of `kid`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peeled {
    /// Whether the outer layer was anonymous.
    pub anonymous: bool,
    /// The key of ours that opened the encrypted layers, as they name it. They are for one DID. `None` if there were none.
    pub recipient_kid: Option<String>,
    /// Whose key encrypted, under authcrypt.
    pub sender: Option<Authenticated>,
    /// Whose key signed.
    pub signer: Option<Authenticated>,
}

impl Peeled {
    /// Reads the message, which is what was within the last layer, and checks it against the layers: CN-11, CN-15, CN-16.
    ///
    /// `now_unix` is the time in UTC seconds, for `expires_time`; `resolver` finds the document of a prior DID.
    ///
    /// # Errors
    /// An [`UnpackError`] when the message is malformed or expired, or says something else than the layers.
    pub fn message(
        self,
        bytes: &[u8],
        resolver: &dyn Resolver,
        now_unix: u64,
    ) -> Result<Unpacked, UnpackError> {
        let Self { anonymous, recipient_kid, sender, signer } = self;
        if recipient_kid.is_none() && (anonymous || sender.is_some()) {
            return Err(malformed("encrypted layer for nobody"));
        }
        let message = read_message(bytes, now_unix)?;
        let from = message.from.as_deref();
        if sender.as_ref().is_some_and(|sender| from != Some(&sender.did)) {
            return Err(UnpackError::SenderMismatch);
        }
        if signer.as_ref().is_some_and(|signer| from != Some(&signer.did)) {
            return Err(UnpackError::SignerMismatch);
        }
        // The specification asks for an error in one place and for a warning in another; an error is what protects a
        // recipient from mail that was meant for somebody else.
        if let Some(kid) = &recipient_kid {
            let named = |to: &Vec<String>| to.iter().any(|to| did_of(to) == did_of(kid));
            // Whoever got a signed message could encrypt it to anybody else, so it must say whom it is for.
            if !message.to.as_ref().map_or(signer.is_none(), named) {
                return Err(UnpackError::RecipientMismatch);
            }
        }
        let encrypted = recipient_kid.is_some();
        let prior = match &message.from_prior {
            Some(jwt) => prior::verify(jwt, from, resolver)?,
            None => None,
        };
        // Whoever saw a rotation could send it again in a message of its own; only its sender's key shows that it is not.
        let prior = prior.filter(|prior| encrypted && (sender.is_some() || prior.successor.is_none()));
        Ok(Unpacked { message, sender, signer, prior, recipient_kid, anonymous, encrypted })
    }
}

fn read_message(bytes: &[u8], now_unix: u64) -> Result<Message, UnpackError> {
    let message: Message = serde_json::from_slice(bytes).map_err(|_| malformed("message"))?;
    if message.typ.as_deref().is_some_and(|typ| typ != PLAIN_TYP) {
        return Err(unsupported("typ of the message"));
    }
    if !message.attachments.iter().all(|attachment| attachment.data.is_complete()) {
        return Err(malformed("attachment"));
    }
    match message.expires_time {
        Some(expires_time) if expires_time < now_unix => Err(UnpackError::Expired { expires_time }),
        _ => Ok(message),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::did::OfflineResolver;

    const ALICE: &str = "did:example:alice#key-2";
    const BOB: &str = "did:example:bob#key-2";

    fn read(peeled: Peeled, from: &str, to: &str, now: u64) -> Result<Unpacked, UnpackError> {
        let message =
            Message::new("1", "https://example.com/p/1.0/m", json!({})).from(from).to(to).times(7, 9);
        peeled.message(json!(message).to_string().as_bytes(), &OfflineResolver, now)
    }

    /// Decides CN-11, CN-15, CN-16.
    #[test]
    fn a_message_must_say_what_its_layers_say_whoever_opened_them() {
        let [alice, bob] = [ALICE, BOB].map(did_of);
        let by_alice = || Some(Authenticated::by(ALICE));
        let to_bob = || Some(BOB.to_owned());
        let authcrypt = || Peeled { recipient_kid: to_bob(), sender: by_alice(), ..Peeled::default() };
        let signed = || Peeled { signer: by_alice(), ..Peeled::default() };

        let unpacked = read(authcrypt(), alice, bob, 9).unwrap();
        assert_eq!((unpacked.sender, unpacked.signer), (by_alice(), None));
        assert!(unpacked.encrypted && !unpacked.anonymous);
        let unpacked = read(signed(), alice, bob, 9).unwrap();
        assert_eq!((unpacked.sender, unpacked.signer), (None, by_alice()));
        assert!(!unpacked.encrypted);
        assert_eq!(read(Peeled::default(), alice, bob, 9).unwrap().sender, None);

        assert_eq!(read(authcrypt(), bob, bob, 9), Err(UnpackError::SenderMismatch));
        assert_eq!(read(signed(), bob, bob, 9), Err(UnpackError::SignerMismatch));
        assert_eq!(read(authcrypt(), alice, alice, 9), Err(UnpackError::RecipientMismatch));
        assert_eq!(read(authcrypt(), alice, bob, 10), Err(UnpackError::Expired { expires_time: 9 }));
        // What no reader of ours says, and another might.
        for peeled in
            [Peeled { recipient_kid: None, ..authcrypt() }, Peeled { anonymous: true, ..Peeled::default() }]
        {
            assert_eq!(read(peeled, alice, bob, 9), Err(malformed("encrypted layer for nobody")));
        }
    }
}
