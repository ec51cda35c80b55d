//! Both ways between three parties.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::PARTIES;
use crate::path::process::{Running, first_line, start, taken};
use crate::room::Room;

/// Two relays for each pair. They stay for all runs: a relay dials anew for each connection.
pub(super) struct Relays {
    _running: Vec<Running>,
    words: [Vec<String>; PARTIES],
}

impl Relays {
    pub(super) fn start(binary: &Path) -> anyhow::Result<Self> {
        // All at once, so that no two are the same; MPyC takes them again as soon as they are free here.
        let listeners = [(); PARTIES].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let mut own = Vec::new();
        for listener in listeners {
            own.push(listener?.local_addr()?.to_string());
        }
        let mut running = Vec::new();
        let mut words: [Vec<String>; PARTIES] = Default::default();
        for (party, words) in words.iter_mut().enumerate() {
            for (peer, address) in own.iter().enumerate() {
                let mut next = address.clone();
                // MPyC dials the parties after it.
                for _ in 0..if peer > party { 2 } else { 0 } {
                    let (relay, mut stdout) = start(Command::new(binary).args(["127.0.0.1:0", &next]))?;
                    let line = first_line(&mut stdout)?;
                    next =
                        line.strip_prefix("listening on ").context("the relay does not listen")?.to_owned();
                    running.push(relay);
                }
                words.extend(["-P".to_owned(), next]);
            }
            words.extend(["-I".to_owned(), party.to_string()]);
        }
        Ok(Self { _running: running, words })
    }

    pub(super) fn words(&self) -> [&[String]; PARTIES] {
        self.words.each_ref().map(Vec::as_slice)
    }
}

/// A mediator and an agent for each party, without programs of their own; the sessions stand.
pub(super) struct Agents {
    room: Room,
    words: [Vec<String>; PARTIES],
}

impl Agents {
    pub(super) fn start(binary: &Path) -> anyhow::Result<Self> {
        let mut room = Room::of(binary, PARTIES)?;
        let mut words: [Vec<String>; PARTIES] = Default::default();
        for given in std::mem::take(&mut room.words) {
            // A guest's number is that of its seat, not of its start.
            let index: usize = given.last().context("no index")?.parse()?;
            *words.get_mut(index).context("an index beyond the parties")? = given;
        }
        Ok(Self { room, words })
    }

    pub(super) fn words(&self) -> [&[String]; PARTIES] {
        self.words.each_ref().map(Vec::as_slice)
    }

    /// CPU time of all agents so far, user and system, in microseconds.
    pub(super) fn cpu(&self) -> anyhow::Result<f64> {
        self.room.agents.iter().map(taken).sum()
    }
}
