//! Both ways between three parties.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use super::PARTIES;
use crate::path::process::{Folder, Running, event, first_line, start, taken};

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
    agents: Vec<Running>,
    _mediator: Running,
    _folder: Folder,
    words: [Vec<String>; PARTIES],
}

impl Agents {
    pub(super) fn start(binary: &Path) -> anyhow::Result<Self> {
        let folder = Folder(std::env::temp_dir().join(format!("didagent-mpyc-{}", std::process::id())));
        fs::create_dir_all(&folder.0)?;
        let mut serve = Command::new(binary);
        let (mediator, mut stdout) =
            start(serve.args(["mediator", "serve", "--listen", "127.0.0.1:0"])).context("the mediator")?;
        let link = first_line(&mut stdout)?;
        let party = |name: &str, words: &[&str]| {
            let mut command = Command::new(binary);
            command.arg("--home").arg(folder.0.join(name)).args(words).args(["--name", name, "--json"]);
            start(command.stdin(Stdio::piped()))
        };
        let parties = PARTIES.to_string();
        let (host, mut from_host) = party("p0", &["invite", "--parties", &parties, "--mediator", &link])?;
        let invitation = event(&mut from_host, "room.invitation")?;
        let link = invitation.get("link").and_then(Value::as_str).context("no link")?;
        let (mut agents, mut stdouts) = (vec![host], vec![from_host]);
        for number in 1..PARTIES {
            let (mut guest, stdout) = party(&format!("p{number}"), &["join", "-"])?;
            let mut stdin = guest.0.stdin.take().context("no stdin")?;
            stdin.write_all(format!("{link}\n").as_bytes())?;
            agents.push(guest);
            stdouts.push(stdout);
        }
        let mut words: [Vec<String>; PARTIES] = Default::default();
        for stdout in &mut stdouts {
            let ports = event(stdout, "run.ports")?;
            let given = ports.get("arguments").and_then(Value::as_array).context("no arguments")?;
            let given: Vec<String> =
                given.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect();
            // A guest's number is that of its seat, not of its start.
            let index: usize = given.last().context("no index")?.parse()?;
            *words.get_mut(index).context("an index beyond the parties")? = given;
        }
        Ok(Self { agents, _mediator: mediator, _folder: folder, words })
    }

    pub(super) fn words(&self) -> [&[String]; PARTIES] {
        self.words.each_ref().map(Vec::as_slice)
    }

    /// CPU time of all agents so far, user and system, in microseconds.
    pub(super) fn cpu(&self) -> anyhow::Result<f64> {
        self.agents.iter().map(taken).sum()
    }
}
