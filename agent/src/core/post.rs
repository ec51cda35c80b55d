//! The post: seals a message for another party and finds the mediator that takes it.
//!
//! ```text
//! message --authcrypt--> --anoncrypt--> for the party --forward--> for its mediator
//! ```
//!
//! The outer layer for the party hides who writes from the party's mediator, since authcrypt alone shows the sender's
//! key id (`spec/connect.md`). A party whose service names routing keys gets one more forward around the message for each of them
//! (RL-62). Not its concern: the connection to that mediator (`connect`, `io::websocket`).

use didagent_didcomm::did::{self, OfflineResolver, Service};
use didagent_didcomm::envelope::{self, ENVELOPE, Envelope as _, Layers};
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::routing::{Forward, PayloadForm};
use rand_core::CryptoRng;

use crate::core::clock::TOLERANCE;
use crate::core::identity::{ConnectionDid, ConnectionSecrets, Identity};
use crate::core::invite::new_id;

/// How long a message to another party is worth delivering, in seconds. Everything in a room is answered in seconds; a
/// longer time would only deliver the leftovers of dead rooms. Two thirds of it are for clocks: each may be wrong by
/// [`TOLERANCE`], in opposite directions.
const PARTY_MESSAGE_SECONDS: u64 = 60 + 2 * TOLERANCE;

/// How long a request to a mediator is valid, in seconds: it bounds how long the mediator must remember its id.
const MEDIATOR_MESSAGE_SECONDS: u64 = 60;

/// Most routing keys of a party: each adds a third to the message, and one is already unusual.
const MAX_ROUTING_KEYS: usize = 4;

/// Mediators of a party that count (RL-64): each gets everything that is written to it.
pub(crate) const MAX_MEDIATORS: usize = 2;

/// A sealed message and the mediator that must get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// DID of the mediator.
    pub mediator: String,
    /// The thread in which the mediator reports that it cannot deliver.
    pub thread: String,
    /// The encrypted message, a JSON text.
    pub text: String,
}

/// Why a message cannot be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// The recipient's DID cannot be resolved.
    #[error("the DID of the recipient cannot be read: {0}")]
    Did(#[from] did::DidError),
    /// The recipient's document has no X25519 key agreement, or not the one that was asked for, or no mediator.
    #[error("the DID of the recipient has no {what}")]
    Incomplete {
        /// What is missing.
        what: &'static str,
    },
    /// The envelope could not be made.
    #[error("the message cannot be sealed: {0}")]
    Pack(#[from] envelope::PackError),
}

/// The post of one connection DID of ours.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// Our keys.
    pub identity: &'a Identity,
    /// The DID that we write as.
    pub connection: &'a ConnectionDid,
}

impl Post<'_> {
    /// Seals `message` for one key of a party and wraps it for the party's mediator. `to` is the absolute id of the key (HS-03), or the
    /// party's DID: then it is the X25519 key that its document names first. `now` is in UTC seconds.
    ///
    /// # Errors
    /// [`PostError`] when the DID of the party is not usable, or the key is no X25519 key agreement of it.
    pub fn to_party(
        &self,
        message: Message,
        to: &str,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Parcel, PostError> {
        self.to_party_at(message, to, &mediator_of(did::did_of(to))?, now, rng)
    }

    /// Like [`Post::to_party`], for one of the party's mediators ([`mediators_of`]).
    ///
    /// # Errors
    /// Those of [`Post::to_party`], also when the party names other mediators than this one.
    pub fn to_party_at(
        &self,
        message: Message,
        to: &str,
        mediator: &str,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Parcel, PostError> {
        self.carried_to_party(*self, message, (to, mediator), (now, PARTY_MESSAGE_SECONDS), rng)
    }

    /// Like [`Post::to_party_at`], with a forward from `carrier`: when its mediator is the party's, that one answers to it, and does not
    /// learn who wrote. `times` are now, in UTC seconds, and for how many seconds the message is worth delivering.
    ///
    /// # Errors
    /// Those of [`Post::to_party`].
    pub fn carried_to_party(
        &self,
        carrier: Post<'_>,
        message: Message,
        (to, mediator): (&str, &str),
        (now, seconds): (u64, u64),
        rng: &mut impl CryptoRng,
    ) -> Result<Parcel, PostError> {
        let end = now.saturating_add(seconds);
        let (kid, to) = match did::did_of(to) {
            did if did == to => (&*key_agreement_kid(did)?, did),
            did => (to, did),
        };
        if did::resolve_offline(to)?.x25519(kid).is_none() {
            return Err(PostError::Incomplete { what: "X25519 key agreement of that name" });
        }
        let routing_keys = routing_keys_of(to, mediator)?;
        let mediator_kid = key_agreement_kid(mediator)?;

        let message = message.from(&self.connection.did).to(to).times(now, end);
        let sealed = self.pack(&message, &Layers::sealed(&self.connection.kid, &[kid]), rng)?;
        let (mut next, mut packed) = (to.to_owned(), sealed);
        for key in routing_keys.iter().rev() {
            let hop = Forward { expires_time: Some(end), ..Forward::new(next, packed) };
            let kid = key_of_hop(key)?;
            let hop = hop.message(new_id(rng), PayloadForm::Json).to(did::did_of(key));
            packed = self.pack(&hop, &Layers::anoncrypt(&[&kid]), rng)?;
            next = key.clone();
        }
        let mut forward = Forward::new(next, packed);
        forward.expires_time = Some(end);
        let thread = new_id(rng);
        let forward = forward.message(thread.clone(), PayloadForm::Json).to(mediator);
        let ours = mediators_of(&carrier.connection.did).unwrap_or_default();
        let packed = if ours.iter().any(|ours| ours == mediator) {
            // Our own mediator knows this socket's DID anyway, and can then report a wrong address at once (RL-42).
            let forward = forward.from(&carrier.connection.did);
            carrier.pack(&forward, &Layers::authcrypt(&carrier.connection.kid, &[&mediator_kid]), rng)?
        } else {
            self.pack(&forward, &Layers::anoncrypt(&[&mediator_kid]), rng)?
        };
        Ok(Parcel { mediator: mediator.to_owned(), text: packed, thread })
    }

    /// Encrypts `message` for the mediator with the DID `mediator`. `now` is in UTC seconds.
    ///
    /// # Errors
    /// [`PostError`] when the mediator's DID is not usable.
    pub fn to_mediator(
        &self,
        message: Message,
        mediator: &str,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Parcel, PostError> {
        let kid = key_agreement_kid(mediator)?;
        let thread = message.thread().to_owned();
        let message = message
            .from(&self.connection.did)
            .to(mediator)
            .times(now, now + MEDIATOR_MESSAGE_SECONDS)
            .return_route_all();
        let packed = self.pack(&message, &Layers::authcrypt(&self.connection.kid, &[&kid]), rng)?;
        Ok(Parcel { mediator: mediator.to_owned(), text: packed, thread })
    }

    /// Opens an envelope that was sent to this connection DID. `now` is in UTC seconds.
    ///
    /// # Errors
    /// Those of [`envelope::Envelope::unpack`].
    pub fn open(&self, envelope: &[u8], now: u64) -> Result<envelope::Unpacked, envelope::UnpackError> {
        ENVELOPE.unpack(envelope, &self.secrets(), &OfflineResolver, now)
    }

    fn pack(
        &self,
        message: &Message,
        layers: &Layers<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<String, envelope::PackError> {
        let packed = ENVELOPE.pack(message, layers, &self.secrets(), &OfflineResolver, rng)?;
        // It is JSON.
        String::from_utf8(packed).map_err(|_| envelope::PackError::Encoding)
    }

    fn secrets(&self) -> ConnectionSecrets<'_> {
        ConnectionSecrets { identity: self.identity, connection: self.connection }
    }
}

/// Returns the DID of the preferred mediator that keeps the mail of the party `of`.
///
/// # Errors
/// Those of [`mediators_of`].
pub fn mediator_of(of: &str) -> Result<String, PostError> {
    mediators_of(of)?.into_iter().next().ok_or(PostError::Incomplete { what: "mediator" })
}

/// Returns the DIDs of the mediators that keep the mail of the party `of`, the preferred one first; at least one, and no more than
/// count (RL-64).
///
/// # Errors
/// [`PostError`] when the DID cannot be resolved or names no mediator.
pub fn mediators_of(of: &str) -> Result<Vec<String>, PostError> {
    let mediators = mediators_in(did::resolve_offline(of)?.services);
    if mediators.is_empty() { Err(PostError::Incomplete { what: "mediator" }) } else { Ok(mediators) }
}

/// Says whether mail can be sent to a mediator with this DID: it has a key and an address.
pub(crate) fn is_mediator(did: &str) -> bool {
    key_agreement_kid(did).is_ok() && websocket_address(did).is_ok()
}

/// Checks that a party can be written to, at one of its mediators at least (RM-81).
///
/// # Errors
/// [`PostError`] says why not, of its preferred mediator.
pub fn check_reachable(of: &str) -> Result<(), PostError> {
    let check = |mediator: &String| {
        routing_keys_of(of, mediator)?.iter().try_for_each(|key| key_of_hop(key).map(drop))?;
        key_agreement_kid(mediator)?;
        websocket_address(mediator).map(drop)
    };
    let mut checks = mediators_of(of)?.iter().map(check).collect::<Vec<_>>().into_iter();
    let first = checks.next().unwrap_or(Err(PostError::Incomplete { what: "mediator" }));
    first.or_else(|why| if checks.any(|check| check.is_ok()) { Ok(()) } else { Err(why) })
}

/// Returns the mediators in the services of a party's document, the preferred one first, as many as count.
pub(crate) fn mediators_in(services: Vec<Service>) -> Vec<String> {
    let mut mediators: Vec<String> = Vec::new();
    for uri in services.into_iter().map(|service| service.uri).filter(|uri| uri.starts_with("did:")) {
        if mediators.len() < MAX_MEDIATORS && !mediators.contains(&uri) {
            mediators.push(uri);
        }
    }
    mediators
}

/// Returns the keys beyond the mediator that mail of the party `of` passes there, the first one first. A party that names no mediator
/// may be known to any.
fn routing_keys_of(of: &str, mediator: &str) -> Result<Vec<String>, PostError> {
    let services = did::resolve_offline(of)?.services;
    if !services.iter().any(|service| service.uri.starts_with("did:")) {
        return Ok(Vec::new());
    }
    let service = services.into_iter().find(|service| service.uri == mediator);
    let service = service.ok_or(PostError::Incomplete { what: "mediator" })?;
    Some(service.routing_keys)
        .filter(|keys| keys.len() <= MAX_ROUTING_KEYS)
        .ok_or(PostError::Incomplete { what: "route that is short enough" })
}

/// Returns the websocket address of a mediator, from its DID's service.
///
/// # Errors
/// [`PostError`] when the DID cannot be resolved or has no websocket service.
pub fn websocket_address(mediator: &str) -> Result<String, PostError> {
    let document = did::resolve_offline(mediator)?;
    let uris = document.services.into_iter().map(|service| service.uri);
    let mut websockets = uris.filter(|uri| uri.starts_with("ws://") || uri.starts_with("wss://"));
    websockets.next().ok_or(PostError::Incomplete { what: "websocket address" })
}

/// Returns the id of the key of a routing key, which may be named by its DID.
fn key_of_hop(key: &str) -> Result<String, PostError> {
    match did::did_of(key) == key {
        true => key_agreement_kid(key),
        false if did::resolve_offline(did::did_of(key))?.x25519(key).is_some() => Ok(key.to_owned()),
        false => Err(PostError::Incomplete { what: "routing key of that name" }),
    }
}

fn key_agreement_kid(of: &str) -> Result<String, PostError> {
    let document = did::resolve_offline(of)?;
    let kid = document.key_agreement_kids().next().map(str::to_owned);
    kid.ok_or(PostError::Incomplete { what: "X25519 key agreement" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_rng;

    const NOW: u64 = 1_800_000_000;

    fn opened(reader: &Identity, connection: &ConnectionDid, text: &str) -> envelope::Unpacked {
        Post { identity: reader, connection }.open(text.as_bytes(), NOW).unwrap()
    }

    /// Decides CN-06, HS-03, RL-42, RM-17.
    #[test]
    fn the_own_mediator_learns_who_forwards_and_another_one_does_not() {
        let [us, them, mediator, other] = [1, 2, 3, 4].map(|seed| Identity::generate(&mut test_rng(seed)));
        // Any DID with a key can stand for a mediator here.
        let [mediator_did, other_did] =
            [&mediator, &other].map(|keeper| keeper.connection("did:peer:2.Ez6LSx"));
        let ours = us.connection(&mediator_did.did);
        let post = Post { identity: &us, connection: &ours };
        for (keeper, keeper_did, known) in [(&mediator, &mediator_did, true), (&other, &other_did, false)] {
            let theirs = them.connection(&keeper_did.did);
            let message = Message::new("m", "https://example.org/x/1.0/y", serde_json::json!({}));
            let parcel = post.to_party(message, &theirs.did, NOW, &mut test_rng(9)).unwrap();
            assert_eq!(parcel.mediator, keeper_did.did);
            let forward = opened(keeper, keeper_did, &parcel.text);
            let sender = forward.sender.as_ref().map(|sender| sender.did.as_str());
            assert_eq!(sender, known.then_some(ours.did.as_str()));
            let forward = Forward::try_from(&forward.message).unwrap();
            assert_eq!((&forward.next, forward.expires_time), (&theirs.did, Some(NOW + 180)));
            // What is attached shows no sender to whoever carries it.
            let header: serde_json::Value = serde_json::from_str(&forward.payloads[0]).unwrap();
            let protected = didagent_didcomm::protocols::b64url_decode(header["protected"].as_str().unwrap());
            let protected: serde_json::Value = serde_json::from_slice(&protected.unwrap()).unwrap();
            assert_eq!((protected["alg"].as_str(), protected.get("skid")), (Some("ECDH-ES+A256KW"), None));
            // To one key and no other.
            let recipients = header["recipients"].as_array().unwrap();
            assert_eq!((recipients.len(), &recipients[0]["header"]["kid"]), (1, &theirs.kid.clone().into()));
            let inner = opened(&them, &theirs, &forward.payloads[0]);
            assert_eq!(inner.sender.unwrap().did, ours.did);
            assert_eq!(inner.message.expires_time, Some(NOW + 180));
        }
    }

    /// Decides RL-64.
    #[test]
    fn rl_64_a_party_is_written_to_at_either_of_its_mediators_and_at_no_other() {
        let [us, them] = [1, 2].map(|seed| Identity::generate(&mut test_rng(seed)));
        let keepers = [3, 4, 5].map(|seed| Identity::generate(&mut test_rng(seed)));
        let mediators = keepers.each_ref().map(|keeper| keeper.connection("did:peer:2.Ez6LSx"));
        let [first, second, third] = mediators.each_ref().map(|mediator| mediator.did.as_str());
        let ours = us.connection_at(first, Some(second));
        let theirs = them.connection_at(second, Some(third));
        assert_eq!(mediators_of(&theirs.did).unwrap(), [second, third]);
        let post = Post { identity: &us, connection: &ours };
        let message = || Message::new("m", "https://example.org/x/1.0/y", serde_json::json!({}));
        for (at, is_ours) in [(1, true), (2, false)] {
            let mediator = &mediators[at];
            let parcel =
                post.to_party_at(message(), &theirs.kid, &mediator.did, NOW, &mut test_rng(9)).unwrap();
            assert_eq!(parcel.mediator, mediator.did);
            let forward = opened(&keepers[at], mediator, &parcel.text);
            assert_eq!(forward.sender.is_some(), is_ours, "a mediator of ours may know who forwards");
            let forward = Forward::try_from(&forward.message).unwrap();
            assert_eq!(opened(&them, &theirs, &forward.payloads[0]).message.id, "m");
        }
        let refused = post.to_party_at(message(), &theirs.did, first, NOW, &mut test_rng(9));
        assert!(matches!(refused, Err(PostError::Incomplete { what: "mediator" })), "{refused:?}");
        // Whoever names many makes nobody write to many, and one twice is one.
        let service = theirs.did.split(".S").nth(1).unwrap();
        let many = format!("{}.S{service}.S{service}", theirs.did);
        assert_eq!(mediators_of(&many).unwrap(), [second, third]);
        assert_eq!(
            mediators_of(us.did()).unwrap_err().to_string(),
            "the DID of the recipient has no mediator"
        );
    }

    /// Decides RL-62.
    #[test]
    fn rl_62_each_routing_key_gets_a_forward_of_its_own() {
        let [us, them, keeper] = [1, 2, 3].map(|seed| Identity::generate(&mut test_rng(seed)));
        let mediator = keeper.connection("did:peer:2.Ez6LSx");
        let hops = [4, 5].map(|seed| {
            let hop = Identity::generate(&mut test_rng(seed));
            let connection = hop.connection("did:peer:2.Ez6LSx");
            (hop, connection)
        });
        // Their DID with another service: one hop named by its DID, one by its key.
        let theirs = them.connection(&mediator.did);
        let with = |keys: &[&str]| {
            let service =
                serde_json::json!({"t": "dm", "s": {"uri": mediator.did, "a": ["didcomm/v2"], "r": keys}});
            let (keys, _) = theirs.did.split_once(".S").unwrap();
            format!("{keys}.S{}", didagent_didcomm::protocols::b64url_encode(service.to_string()))
        };
        let did = with(&[&hops[0].1.did, &hops[1].1.kid]);
        let ours = us.connection(&mediator.did);
        let post = Post { identity: &us, connection: &ours };
        let message = || Message::new("m", "https://example.org/x/1.0/y", serde_json::json!({}));
        let parcel = post.to_party(message(), &did, NOW, &mut test_rng(9)).unwrap();
        assert_eq!(parcel.mediator, mediator.did);
        let mut text = parcel.text;
        let way = [(&keeper, &mediator, &hops[0].1.did), (&hops[0].0, &hops[0].1, &hops[1].1.kid)];
        for (reader, connection, next) in way.into_iter().chain([(&hops[1].0, &hops[1].1, &did)]) {
            let forward = Forward::try_from(&opened(reader, connection, &text).message).unwrap();
            assert_eq!((&forward.next, forward.expires_time), (next, Some(NOW + 180)));
            text = forward.payloads[0].clone();
        }
        let theirs = ConnectionDid { kid: format!("{did}#key-2"), did, mediator: mediator.did.clone() };
        assert_eq!(opened(&them, &theirs, &text).sender.unwrap().did, ours.did);

        let many = with(&[hops[0].1.did.as_str(); MAX_ROUTING_KEYS + 1]);
        for bad in [many, with(&["did:example:unknown"]), with(&[&format!("{}#key-1", hops[0].1.did)])] {
            assert!(post.to_party(message(), &bad, NOW, &mut test_rng(9)).is_err(), "{bad}");
        }
    }

    /// Decides HS-03.
    #[test]
    fn what_is_for_one_key_is_for_no_other_and_a_key_that_is_none_is_refused() {
        let [us, them, other] = [1, 2, 3].map(|seed| Identity::generate(&mut test_rng(seed)));
        let mediator = us.connection("did:peer:2.Ez6LSx");
        let [ours, theirs, more] = [&us, &them, &other].map(|identity| identity.connection(&mediator.did));
        // Their DID with the other's X25519 key in front of their own.
        let key = more.did.split('.').find(|element| element.starts_with('E')).unwrap();
        let did = theirs.did.replacen(".E", &format!(".{key}.E"), 1);
        let theirs = ConnectionDid { kid: format!("{did}#key-3"), did, mediator: mediator.did.clone() };
        let post = Post { identity: &us, connection: &ours };
        let message = || Message::new("m", "https://example.org/x/1.0/y", serde_json::json!({}));
        for (to, name) in [(&theirs.did, "#key-2"), (&theirs.kid, "#key-3")] {
            let parcel = post.to_party(message(), to, NOW, &mut test_rng(9)).unwrap();
            let forward = Forward::try_from(&opened(&us, &mediator, &parcel.text).message).unwrap();
            assert_eq!(forward.next, theirs.did);
            let header: serde_json::Value = serde_json::from_str(&forward.payloads[0]).unwrap();
            let recipients = header["recipients"].as_array().unwrap();
            let kid = format!("{}{name}", theirs.did);
            assert_eq!((recipients.len(), &recipients[0]["header"]["kid"]), (1, &kid.into()));
            if name == "#key-3" {
                let inner = opened(&them, &theirs, &forward.payloads[0]);
                assert_eq!(
                    (inner.sender.unwrap().did, inner.message.to),
                    (ours.did.clone(), Some(vec![theirs.did.clone()]))
                );
            }
        }
        // One that signs, one that is not there, one without a name.
        for name in ["#key-1", "#key-4", "#"] {
            let refused = post.to_party(message(), &format!("{}{name}", theirs.did), NOW, &mut test_rng(9));
            assert!(matches!(refused, Err(PostError::Incomplete { .. })), "{name}: {refused:?}");
        }
    }
}
