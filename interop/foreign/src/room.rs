//! The way into a room: the link (`spec/invite.md`), the seat, the roster and the signatures over it (`spec/room.md`).

use rand_core::Rng as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::credential;
use crate::documents::{endpoints, x25519};
use crate::identity::{Identity, identity_of, verify};
use crate::mediator::{Mailbox, is_problem, refusal};
use crate::post::{Received, Threads};
use crate::{BASE, Problem, Result, b64url, from_b64url, now, rng};

const INVITATION: &str = "https://didcomm.org/out-of-band/2.0/invitation";

/// Signed in front of the round hash (RM-21).
const LABEL: &[u8] = b"didagent-roster/1";

/// Longest roster and longest link, in bytes (RM-23, IV-07).
const MAX_ROSTER: usize = 65_536;
const MAX_LINK: usize = 16 * 1024;

/// An invitation to a room.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// The room's id.
    pub room: String,
    /// The invitation hash.
    pub hash: [u8; 32],
    /// The host's connection DID.
    pub host: String,
    /// The DIDs of the host's mediators, at least one.
    pub mediators: Vec<String>,
    /// Everybody shows a credential of one of these (CR-20).
    pub issuers: Vec<String>,
}

impl Invitation {
    /// Reads a link.
    ///
    /// # Errors
    /// If it breaks a rule of `spec/invite.md`, or has ended.
    pub fn read(link: &str) -> Result<Self> {
        let (bytes, invitation) = message_of_link(link, "didagent.room")?;
        if invitation["expires_time"].as_u64().is_some_and(|end| end <= now()) {
            return Err(Problem::broken("the invitation has ended"));
        }
        let host = text(&invitation, "from")?;
        let mut mediators = endpoints(&host)?;
        mediators.retain(|mediator| mediator.starts_with("did:"));
        if mediators.is_empty() {
            return Err(Problem::broken("the host names no mediator"));
        }
        let issuers = texts(&invitation["body"]["require_issuer"]);
        let hash = Sha256::digest(&bytes).into();
        Ok(Self { room: text(&invitation, "id")?, hash, host, mediators, issuers })
    }
}

/// Returns the DID of the mediator that a link shows (IV-05).
///
/// # Errors
/// If the link is for something else.
pub fn mediator_of_link(link: &str) -> Result<String> {
    text(&message_of_link(link, "request-mediate")?.1, "from")
}

/// Returns the bytes of a link's message, and the message.
fn message_of_link(link: &str, goal: &str) -> Result<(Vec<u8>, Value)> {
    let encoded = link.split_once("_oob=").filter(|_| link.len() <= MAX_LINK);
    let (_, encoded) = encoded.ok_or_else(|| Problem::broken("no link of ours"))?;
    let (encoded, check) =
        encoded.split_once("#c=").map_or((encoded, None), |(text, check)| (text, Some(check)));
    if check.is_some_and(|check| b64url(Sha256::digest(encoded)).get(..8) != Some(check)) {
        return Err(Problem::broken("the link was changed on its way"));
    }
    let bytes = from_b64url(encoded)?;
    let message: Value = serde_json::from_slice(&bytes).map_err(Problem::broken)?;
    if message["type"] != INVITATION || message["body"]["goal_code"] != goal {
        return Err(Problem::broken("the link is for something else"));
    }
    Ok((bytes, message))
}

/// The texts in a list that may be absent.
fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn text(value: &Value, name: &str) -> Result<String> {
    let text = value.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| Problem::broken(format!("there is no {name}")))
}

/// Who asks for a seat.
#[derive(Debug)]
pub struct Guest {
    /// Who it is.
    pub identity: Identity,
    /// The name that others see.
    pub name: String,
    /// Says that the identity speaks through the connection DID.
    pub link: String,
    /// Its part of the words that people compare (RM-44).
    pub nonce: [u8; 32],
    /// What an authority says of it.
    pub credential: Option<String>,
}

impl Guest {
    /// A guest of one room, with a nonce of its own.
    pub fn new(identity: Identity, name: &str, link: String) -> Self {
        let mut nonce = [0; 32];
        rng().fill_bytes(&mut nonce);
        Self { identity, name: name.to_owned(), link, nonce, credential: None }
    }
}

/// One party of a roster.
#[derive(Debug, Clone)]
pub struct Party {
    /// The did:key.
    pub identity: String,
    /// The connection DID.
    pub did: String,
    /// The key that it is written to, which is its static key in handshakes.
    pub kid: String,
    /// What it committed to.
    pub commitment: String,
}

/// A roster that was checked.
#[derive(Debug, Clone)]
pub struct Roster {
    /// The round hash.
    pub hash: [u8; 32],
    /// The DID of the mediator on which the circuits meet.
    pub relay: String,
    /// The others, in order of their index. All are lower than that of this party.
    pub others: Vec<Party>,
    /// This party, which came last.
    pub own: Party,
}

impl Roster {
    /// What is signed (RM-21).
    pub fn signed_bytes(&self) -> Vec<u8> {
        [LABEL, &self.hash].concat()
    }
}

/// Returns the commitment to a nonce (RM-44).
pub fn commitment(nonce: &[u8]) -> String {
    b64url(Sha256::new().chain_update("didagent-commit/1").chain_update(nonce).finalize())
}

/// Asks for a seat and waits until the room is full: for the roster.
///
/// # Errors
/// [`Problem::Refused`] if the host refuses, another one if the roster must be refused (RM-22).
pub async fn join(mailbox: &mut Mailbox, guest: &Guest, invitation: &Invitation) -> Result<Roster> {
    let mut body = json!({
        "name": guest.name,
        "link": guest.link,
        "invitation_hash": b64url(invitation.hash),
        "commitment": commitment(&guest.nonce),
    });
    if let Some(credential) = guest.credential.as_ref().filter(|_| !invitation.issuers.is_empty()) {
        body["credential"] = json!(credential);
    }
    let kid = key_of(&invitation.host)?;
    let threads = Threads { pthid: Some(invitation.room.clone()), ..Threads::default() };
    let id = mailbox.write(&kid, &format!("{BASE}/room/1.0/join"), body, threads).await?;
    loop {
        let mail = mailbox.mail().await?;
        if mail.from() != Some(&invitation.host) {
            continue;
        }
        if is_problem(&mail) && mail.message.pthid.as_deref() == Some(&id) {
            return Err(refusal(&mail));
        }
        // `seats` is for people to look at.
        if is_of(&mail, "roster", invitation) {
            let bytes = from_b64url(mail.text("roster")?)?;
            let signature = from_b64url(mail.text("signature")?)?;
            credentials(&bytes, &texts(&mail.message.body["credentials"]), invitation).await?;
            return roster(&bytes, &signature, &mailbox.own.did, guest, invitation).await;
        }
    }
}

/// Checks what everybody shows: CR-24.
async fn credentials(bytes: &[u8], shown: &[String], invitation: &Invitation) -> Result<()> {
    let json: Value = serde_json::from_slice(bytes).map_err(Problem::broken)?;
    if texts(&json["require_issuer"]) != invitation.issuers {
        return Err(Problem::broken("the roster requires credentials of others"));
    }
    let entries = json["parties"].as_array().map(Vec::as_slice).unwrap_or_default();
    if invitation.issuers.is_empty() {
        return Ok(());
    }
    if shown.len() != entries.len() {
        return Err(Problem::broken("not as many credentials as parties"));
    }
    for (entry, text) in entries.iter().zip(shown) {
        let identity = entry["identity"].as_str().unwrap_or_default();
        credential::check(text, &entry["credential"], &invitation.issuers, identity).await?;
    }
    Ok(())
}

/// Says whether this is a message of the room of this name.
pub(crate) fn is_of(mail: &Received, name: &str, invitation: &Invitation) -> bool {
    mail.message.type_ == format!("{BASE}/room/1.0/{name}")
        && mail.message.pthid.as_ref() == Some(&invitation.room)
}

/// Checks a roster: RM-22, and that this party is the last, since it knows how to be no other.
async fn roster(
    bytes: &[u8],
    signature: &[u8],
    own: &str,
    guest: &Guest,
    invitation: &Invitation,
) -> Result<Roster> {
    let wrong = |what: &str| Problem::broken(format!("the roster is refused: {what}"));
    let json: Value = serde_json::from_slice(bytes).map_err(Problem::broken)?;
    let entries = json["parties"].as_array().map(Vec::as_slice).unwrap_or_default();
    let m = entries.len();
    // The last is MPyC's default, with which the program will run.
    let right = bytes.len() <= MAX_ROSTER
        && (2..=16).contains(&m)
        && json["v"] == 1
        && json["m"] == m
        && json["threshold"] == (m - 1) / 2;
    if !right {
        return Err(wrong("size, version, parties or threshold"));
    }
    if json["room"] != invitation.room || json["invitation"] != b64url(invitation.hash) {
        return Err(wrong("another room"));
    }
    // The one with which the host goes on when the room is full, not always the first (RM-80).
    let relay = text(&json, "relay")?;
    if !invitation.mediators.contains(&relay) {
        return Err(wrong("another relay"));
    }
    let mut others: Vec<Party> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let party = party(entry, index).await?;
        if others.iter().any(|other| other.identity == party.identity || other.did == party.did) {
            return Err(wrong("one party twice"));
        }
        others.push(party);
    }
    let last = others.pop().filter(|last| {
        (last.did.as_str(), last.identity.as_str()) == (own, guest.identity.did())
            && last.commitment == commitment(&guest.nonce)
    });
    let own = last.ok_or_else(|| wrong("this party is not the last"))?;
    let host = others.first().filter(|host| host.did == invitation.host);
    let host = host.ok_or_else(|| wrong("another host"))?.identity.clone();
    let roster = Roster { hash: Sha256::digest(bytes).into(), relay, others, own };
    verify(&host, &roster.signed_bytes(), signature).await?;
    Ok(roster)
}

async fn party(entry: &Value, index: usize) -> Result<Party> {
    let (identity, did, kid) = (text(entry, "identity")?, text(entry, "did")?, text(entry, "kid")?);
    let right = entry["index"] == index
        && kid.split('#').next() == Some(&did)
        && x25519(&kid).is_ok()
        && identity_of(&text(entry, "link")?, &did).await? == identity;
    let commitment = text(entry, "commitment")?;
    if !right {
        return Err(Problem::broken("an entry of the roster"));
    }
    Ok(Party { identity, did, kid, commitment })
}

/// The key for mail to somebody of whom only the DID is known.
fn key_of(did: &str) -> Result<String> {
    let kid = crate::documents::document(did)?.key_agreement.into_iter().next();
    kid.ok_or_else(|| Problem::broken("the DID has no key for mail"))
}
