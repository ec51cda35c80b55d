//! Both ways between three parties.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context as _;

use super::PARTIES;
use crate::path::process::{Running, first_line, start, taken};
use crate::room::Room;

/// What MPyC is told where its connections go.
pub(super) type Words = [Vec<String>; PARTIES];

/// Hops in a row for each pair, one after the other on the way to the party that is dialled.
pub(super) struct Hops {
    running: Vec<Running>,
    words: Words,
}

impl Hops {
    /// Plain relays, so many in a row.
    pub(super) fn relays(binary: &Path, hops: usize) -> anyhow::Result<Self> {
        let commands = || std::iter::repeat_with(|| Command::new(binary)).take(hops).collect();
        Self::start(commands)
    }

    /// Two hops with a session between them, each for one connection.
    pub(super) fn sessions(binary: &Path) -> anyhow::Result<Self> {
        let hop = |side: &str| {
            let mut command = Command::new(binary);
            command.args([side, "session", "aes"]);
            command
        };
        Self::start(|| vec![hop("far"), hop("near")])
    }

    /// `commands` gives those of one way, the one that dials the party first.
    fn start(commands: impl Fn() -> Vec<Command>) -> anyhow::Result<Self> {
        let own = [(); PARTIES].map(|()| free_port().map(|port| format!("127.0.0.1:{port}")));
        let mut running = Vec::new();
        let mut words = Words::default();
        for (party, words) in words.iter_mut().enumerate() {
            for (peer, address) in own.iter().enumerate() {
                let mut next = address.clone().context("no port is free")?;
                // MPyC dials the parties after it.
                for mut command in if peer > party { commands() } else { Vec::new() } {
                    let (hop, mut stdout) = start(command.args(["127.0.0.1:0", &next]))?;
                    let line = first_line(&mut stdout)?;
                    next = line.strip_prefix("listening on ").context("a hop does not listen")?.to_owned();
                    running.push(hop);
                }
                words.extend(["-P".to_owned(), next]);
            }
            words.extend(["-I".to_owned(), party.to_string()]);
        }
        Ok(Self { running, words })
    }

    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    /// CPU time of all hops so far, user and system, in microseconds.
    pub(super) fn cpu(&self) -> anyhow::Result<f64> {
        self.running.iter().map(taken).sum()
    }
}

/// A port that MPyC can take. None of those that the system gives to whoever connects, or one might do so before MPyC listens.
fn free_port() -> Option<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const BELOW: u16 = 32_768;
    const FROM: u16 = 16_384;
    // Another one of these programs starts elsewhere.
    let first = u16::try_from(std::process::id() * 97 % u32::from(BELOW - FROM)).ok()?;
    let any = || FROM + first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (BELOW - FROM);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    std::iter::repeat_with(any).take(1000).find(is_free)
}

/// A mediator and an agent for each party, without programs of their own; the sessions stand.
pub(super) struct Agents {
    room: Room,
    words: Words,
}

impl Agents {
    pub(super) fn start(binary: &Path) -> anyhow::Result<Self> {
        let mut room = Room::of(binary, PARTIES)?;
        let mut words = Words::default();
        for given in std::mem::take(&mut room.words) {
            // A guest's number is that of its seat, not of its start.
            let index: usize = given.last().context("no index")?.parse()?;
            *words.get_mut(index).context("an index beyond the parties")? = given;
        }
        Ok(Self { room, words })
    }

    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    /// CPU time of all agents so far, user and system, in microseconds.
    pub(super) fn cpu(&self) -> anyhow::Result<f64> {
        self.room.agents.iter().map(taken).sum()
    }
}
