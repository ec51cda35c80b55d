//! An authcrypt envelope by Affinidi's library, which resolves no DID: whoever calls it brings the keys.
//!
//! So its number lacks two resolutions that [`stateless`](crate::stateless) has; the message and the algorithms are the same.

use affinidi_messaging_didcomm::identity::PrivateIdentity;
use affinidi_messaging_didcomm::message::{forward, pack, unpack};
use affinidi_messaging_didcomm::{Message, SenderKey, UnpackResult};

use crate::stateless::{NOW, TYPE, body, payload_of};

/// A sender and a recipient.
pub struct Pair {
    sender: PrivateIdentity,
    recipient: PrivateIdentity,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

impl Pair {
    /// Two identities, under names as long as a did:peer:2 with two keys.
    pub fn generate() -> Self {
        let named = |mark: &str| {
            let keys = [mark; 50].concat();
            PrivateIdentity::generate(format!("did:peer:2.Vz{keys}.Ez{keys}"))
        };
        Self { sender: named("a"), recipient: named("b") }
    }

    /// Packs `payload`.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn pack(&self, payload: &[u8]) -> String {
        let message = Message::build("b2f5c6a0", TYPE, body(payload))
            .from(self.sender.did.clone())
            .to(self.recipient.did.clone())
            .created_time(NOW)
            .expires_time(NOW + 60)
            .finalize();
        let (kid, public) = (&self.recipient.key_agreement_kid, self.recipient.public_key_agreement());
        let (sender, secret) = (&self.sender.key_agreement_kid, &self.sender.key_agreement_private);
        pack::pack_encrypted_authcrypt(&message, sender, secret, &[(kid, &public)]).expect("an envelope")
    }

    /// Unpacks and returns the payload.
    ///
    /// # Panics
    /// If the library refuses, or takes the message for another one than it is.
    pub fn unpack(&self, envelope: &str) -> Vec<u8> {
        let (sender, public) = (&self.sender.key_agreement_kid, self.sender.public_key_agreement());
        let (kid, secret) = (&self.recipient.key_agreement_kid, &self.recipient.key_agreement_private);
        let from = SenderKey::new(sender, &public);
        let unpacked = unpack::unpack_bound(envelope, Some(kid), Some(secret), Some(from), None);
        match unpacked.expect("an envelope for the recipient") {
            UnpackResult::Encrypted { message, authenticated: true, .. } => payload_of(&message.body),
            _ => panic!("the sender is not authenticated"),
        }
    }
}

/// Anonymous envelopes, and forwards in them. The recipient is whoever opens them: a party or a mediator.
impl Pair {
    /// Packs `payload` anonymously.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn anoncrypt(&self, payload: &[u8]) -> String {
        let message = Message::build("b2f5c6a0", TYPE, body(payload))
            .to(self.recipient.did.clone())
            .created_time(NOW)
            .expires_time(NOW + 60)
            .finalize();
        self.seal(&message)
    }

    fn seal(&self, message: &Message) -> String {
        let (kid, public) = (&self.recipient.key_agreement_kid, self.recipient.public_key_agreement());
        pack::pack_encrypted_anoncrypt(message, &[(kid, &public)]).expect("an envelope")
    }

    /// Opens an anonymous envelope and returns the payload.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn open(&self, envelope: &str) -> Vec<u8> {
        payload_of(&self.read(envelope).body)
    }

    fn read(&self, envelope: &str) -> Message {
        let (kid, secret) = (&self.recipient.key_agreement_kid, &self.recipient.key_agreement_private);
        let unpacked = unpack::unpack_bound(envelope, Some(kid), Some(secret), None, None);
        match unpacked.expect("an envelope for the recipient") {
            UnpackResult::Encrypted { message, authenticated: false, .. } => message,
            _ => panic!("not anonymous"),
        }
    }

    /// Wraps `envelope` in a forward for the recipient as a mediator.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn forward(&self, envelope: &str) -> String {
        self.seal(&forward::wrap_in_forward(&self.sender.did, envelope).expect("a forward"))
    }

    /// Takes the next hop and the envelope for it out of a forward. The library's own function finds no attachment in a message
    /// that it has read, so this does what that one would.
    ///
    /// # Panics
    /// If the library refuses.
    pub fn take_out(&self, forward: &str) -> (String, String) {
        let message = self.read(forward);
        let next = message.body["next"].as_str().expect("a next hop").to_owned();
        let attachment = message.attachments.as_deref().and_then(<[_]>::first).expect("an attachment");
        (next, serde_json::to_string(attachment.data.json.as_ref().expect("JSON")).expect("JSON"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::payload;

    #[test]
    fn what_is_packed_unpacks_with_the_algorithms_of_the_others() {
        let pair = Pair::generate();
        let envelope = pair.pack(&payload(64));
        assert_eq!(pair.unpack(&envelope), payload(64));
        assert_eq!(pair.open(&pair.anoncrypt(b"x")), b"x");
        let (next, text) = pair.take_out(&pair.forward(&envelope));
        assert_eq!((next, pair.unpack(&text)), (pair.sender.did.clone(), payload(64)));
        let jwe: Value = serde_json::from_str(&envelope).unwrap();
        let protected = jwe["protected"].as_str().unwrap();
        let protected = didagent_didcomm::protocols::b64url_decode(protected).unwrap();
        let protected: Value = serde_json::from_slice(&protected).unwrap();
        assert_eq!(
            (&protected["alg"], &protected["enc"]),
            (&"ECDH-1PU+A256KW".into(), &"A256CBC-HS512".into())
        );
    }
}
