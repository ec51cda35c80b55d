//! Lists of parties that are known beforehand: roster files, and what a home remembers of its last run.
//!
//! Specification: `spec/room.md`, section 10.
//!
//! ```text
//! roster file | home/last.json --> PartyList --+--> who we are, where the host is --> core::room::Listing
//! home/rounds.json ---------------- round -----+
//! ```
//!
//! Not its concern: what is in a list (`core::party_list`), how the room is found (`core::room`).

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use didagent_didcomm::did::web;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};

use crate::core::did_document;
use crate::core::identity::Identity;
use crate::core::party_list::{Listed, MAX_FILE_BYTES, PartyList, is_address};
use crate::core::room::roster::Roster;
use crate::failure::{Failure, Kind};
use crate::io::did::{Asking, resolve};
use crate::io::did_web::Hosts;
use crate::io::engine::Web;
use crate::io::home::Home;

/// Lists whose last round a home remembers.
const MAX_ROUNDS: usize = 256;

/// The files in the home.
const LAST: &str = "last.json";
const ROUNDS: &str = "rounds.json";

/// What a home remembers of its last run.
#[derive(Debug, Serialize, Deserialize)]
struct Last {
    /// Our identity in it.
    identity: String,
    parties: Vec<Listed>,
}

/// The last round of a list.
#[derive(Debug, Serialize, Deserialize)]
struct Round {
    list: String,
    round: u32,
}

/// Reads a roster file.
///
/// # Errors
/// [`Kind::RosterFile`].
pub(crate) fn read(path: &Path) -> Result<PartyList, Failure> {
    let shown = path.display();
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::new(Kind::RosterFile, format!("the roster file {shown} cannot be read: {why}"))
            .hint("`didagent run --help` shows what belongs in it")
    };
    let file = File::open(path).map_err(|error| cannot(&error))?;
    let mut bytes = Vec::new();
    // One more than is allowed, so that too much is seen.
    let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| cannot(&"it is not UTF-8"))?;
    PartyList::from_toml(&text)
}

/// Returns the parties of the home's last run, and our identity among them.
///
/// # Errors
/// [`Kind::NothingBefore`], and [`Kind::HomeUnusable`] when the file is damaged.
pub(crate) fn last(home: &Home) -> Result<(PartyList, String), Failure> {
    let last: Option<Last> = home.read_json(LAST)?;
    let last = last.ok_or_else(|| {
        Failure::new(Kind::NothingBefore, "this home has no run that could be repeated")
            .hint("didagent invite --parties 3 -- python vote.py 42")
    })?;
    Ok((PartyList::remembered(last.parties)?, last.identity))
}

/// Remembers the parties of a run that begins, in which we are `identity`.
///
/// # Errors
/// [`Kind::HomeUnusable`].
pub(crate) fn remember(home: &Home, roster: &Roster, identity: &str) -> Result<(), Failure> {
    let list = PartyList::of_roster(roster);
    let last = Last { identity: identity.to_owned(), parties: list.parties().to_vec() };
    home.write_json(LAST, &last)?;
    note_round(home, &list, roster.body().round)
}

/// Returns the last round of a list; 0 for none.
pub(crate) fn round_of(home: &Home, list: &PartyList) -> Result<u32, Failure> {
    let rounds: Vec<Round> = home.read_json(ROUNDS)?.unwrap_or_default();
    Ok(rounds.iter().find(|known| known.list == list.id()).map_or(0, |known| known.round))
}

/// Remembers a round of a list, unless a later one is known.
///
/// # Errors
/// [`Kind::HomeUnusable`].
pub(crate) fn note_round(home: &Home, list: &PartyList, round: u32) -> Result<(), Failure> {
    let mut rounds: Vec<Round> = home.read_json(ROUNDS)?.unwrap_or_default();
    let id = list.id();
    let known = rounds.iter().position(|known| known.list == id).map(|at| rounds.remove(at));
    let round = known.map_or(0, |known| known.round).max(round);
    rounds.push(Round { list: id, round });
    let surplus = rounds.len().saturating_sub(MAX_ROUNDS);
    rounds.drain(..surplus);
    home.write_json(ROUNDS, &rounds)
}

/// Finds which party of the list this home is. A did:web of the list is ours if its document lists our key; `web` then names it.
///
/// # Errors
/// [`Kind::RosterFile`] when the list does not name us.
pub(crate) async fn find_ourselves(
    home: &Home,
    identity: &Identity,
    list: &PartyList,
    web: &mut Web,
) -> Result<usize, Failure> {
    let named = web.did.as_deref().unwrap_or(identity.did());
    if let Some(index) = list.index_of(named) {
        return Ok(index);
    }
    let mut unread = match web.did {
        Some(_) => Vec::new(),
        None => match find_by_key(home, identity, list, web).await {
            Ok((index, did)) => {
                web.did = Some(did);
                return Ok(index);
            }
            Err(unread) => unread,
        },
    };
    let mut message = format!("no party of the list is this home, {named}");
    if !unread.is_empty() {
        unread.sort_unstable();
        let unread: Vec<_> =
            unread.iter().map(|(index, why)| format!("{} ({why})", list.called(*index))).collect();
        message =
            format!("{message}; not looked at, since their documents cannot be had: {}", unread.join(", "));
    }
    Err(Failure::new(Kind::RosterFile, message)
        .hint("`didagent identity show` prints what belongs into the file; --home DIR for another home"))
}

/// Finds the did:web of the list whose document lists our key, and its index; otherwise returns whose documents could not be had, and why.
async fn find_by_key(
    home: &Home,
    identity: &Identity,
    list: &PartyList,
    web: &Web,
) -> Result<(usize, String), Vec<(usize, String)>> {
    let parties = list.parties().iter().map(|party| &party.did).enumerate();
    let elsewhere = parties.filter(|(_, did)| did.starts_with(web::PREFIX));
    // All at once, since each may take until its time is over.
    let lookups = elsewhere.map(async |(index, did)| (index, did, resolve(home, did, asking(web)).await));
    let mut lookups = lookups.collect::<FuturesUnordered<_>>();
    let mut unread = Vec::new();
    while let Some((index, did, found)) = lookups.next().await {
        match found {
            Ok(document) if did_document::key_id_of(&document, identity).is_some() => {
                return Ok((index, did.clone()));
            }
            Ok(_) => {}
            Err(failure) => unread.push((index, failure.message)),
        }
    }
    Err(unread)
}

/// Finds where the first party is written to, unless the list says it: in the document of its did:web.
///
/// # Errors
/// [`Kind::RosterFile`], and those of resolving.
pub(crate) async fn find_host(home: &Home, list: &mut PartyList, web: &Web) -> Result<(), Failure> {
    let Some(host) = list.parties().first().filter(|host| host.at.is_none()) else { return Ok(()) };
    let did = host.did.clone();
    let addresses = match did.starts_with(web::PREFIX) {
        true => resolve(home, &did, asking(web)).await?.also_known_as,
        false => Vec::new(),
    };
    let Some(at) = addresses.iter().find(|at| is_address(at)) else {
        let name = list.called(0);
        let message = format!("nothing says where the first party of the list, {name}, is written to");
        return Err(Failure::new(Kind::RosterFile, message).hint(
            "`didagent identity show --address` on its machine prints what belongs into the file as `at`",
        ));
    };
    list.host_is_at(at);
    Ok(())
}

/// A key or an address may have changed since the document was last fetched.
fn asking(web: &Web) -> Asking {
    Asking { hosts: if web.allow_private_hosts { Hosts::Any } else { Hosts::Public }, fresh: true }
}
