//! The responder's side of the session handshake (`spec/handshake.md`): a party with a higher index waits for `propose`.

use std::collections::BTreeMap;

use didagent_session::{Established, Limits, Params, Responder, StaticPublic, Suite, prologue};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::documents::x25519;
use crate::identity::identity_of;
use crate::mediator::Mailbox;
use crate::post::{Received, Threads};
use crate::room::{Invitation, Party, Roster};
use crate::{BASE, Problem, Result, b64url, from_b64url, rng};

/// Waits for `propose` of every other party and answers it; returns what came of it, in their order.
///
/// Nobody says `ready` meanwhile: for that the circuits must stand, and this party makes them afterwards.
///
/// # Errors
/// If one breaks a rule, or does not authenticate.
pub async fn answer(
    mailbox: &mut Mailbox,
    invitation: &Invitation,
    roster: &Roster,
) -> Result<Vec<Established>> {
    let mut answered = BTreeMap::new();
    while answered.len() < roster.others.len() {
        let mail = mailbox.mail().await?;
        let is_propose = mail.message.type_ == format!("{BASE}/session/1.0/propose")
            && mail.message.pthid.as_ref() == Some(&invitation.room);
        // RM-30: from the key that the roster names, and no other.
        let peer = roster.others.iter().position(|party| mail.sender.as_ref() == Some(&party.kid));
        if let Some(peer) = peer.filter(|peer| is_propose && !answered.contains_key(peer)) {
            let established = complete(mailbox, &mail, invitation, &roster.others[peer], &roster.own).await?;
            answered.insert(peer, established);
        }
    }
    Ok(answered.into_values().collect())
}

async fn complete(
    mailbox: &mut Mailbox,
    propose: &Received,
    invitation: &Invitation,
    peer: &Party,
    own: &Party,
) -> Result<Established> {
    let body = &propose.message.body;
    if identity_of(propose.text("link")?, &peer.did).await? != peer.identity {
        return Err(Problem::broken("the link of the proposal is another identity's"));
    }
    let offered = body["suites"].as_array().into_iter().flatten();
    let suites: Vec<u8> = offered.filter_map(|id| u8::try_from(id.as_u64()?).ok()).collect();
    // HS-13: every suite is supported here, so it is the first that exists.
    let suite = suites.iter().find_map(|id| Suite::from_id(*id));
    let suite = suite.filter(|suite| body["suite"] == suite.id());
    let suite = suite.ok_or_else(|| Problem::broken("another suite than the first"))?;

    let thid = &propose.message.id;
    let values: [(&str, &[u8]); 9] = [
        ("initiator", peer.did.as_bytes()),
        ("responder", own.did.as_bytes()),
        ("initiator_kid", peer.kid.as_bytes()),
        ("responder_kid", own.kid.as_bytes()),
        ("thid", thid.as_bytes()),
        ("pthid", invitation.room.as_bytes()),
        ("invitation", &invitation.hash),
        ("suites", &suites),
        ("context", invitation.room.as_bytes()),
    ];
    let fields: Map<String, Value> = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), b64url(Sha256::digest(value)).into()))
        .collect();
    if let Some((name, _)) = fields.iter().find(|(name, hash)| body["fields"][name.as_str()] != **hash) {
        return Err(Problem::broken(format!("the two sides differ in {name}")));
    }
    let prologue =
        prologue::encode(prologue::LABEL, &values.map(|(_, value)| value)).map_err(Problem::broken)?;
    let params = Params {
        suite,
        local: &mailbox.own.secret(),
        remote: &StaticPublic::from_bytes(x25519(&peer.kid)?),
        prologue: &prologue,
        limits: Limits::default(),
    };
    let answered = Responder::answer(params, &from_b64url(propose.text("noise")?)?, &mut rng());
    let (established, noise) = answered.map_err(Problem::broken)?;

    let threads =
        Threads { thid: Some(thid.clone()), pthid: Some(invitation.room.clone()), ..Threads::default() };
    let accept = json!({"suite": suite.id(), "noise": b64url(noise), "fields": fields});
    mailbox.write(&peer.kid, &format!("{BASE}/session/1.0/accept"), accept, threads).await?;
    Ok(established)
}
