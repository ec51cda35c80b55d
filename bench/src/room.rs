//! A mediator and agents that came together in a room, without programs of their own.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use crate::path::process::{Folder, Running, event, first_line, start};

/// The processes, and what each agent says of its local ports.
pub(crate) struct Room {
    /// The host first, then the guests in the order of their start; a guest's number in the room may be another.
    pub(crate) agents: Vec<Running>,
    /// The words for MPyC, `-P 127.0.0.1:PORT ... -I INDEX`, of each agent.
    pub(crate) words: Vec<Vec<String>>,
    pub(crate) mediator: Running,
    /// Where the homes are.
    pub(crate) folder: Folder,
}

impl Room {
    /// Starts a mediator and so many agents, and waits until all have their ports. Their stdout is read no more after that,
    /// and they write nothing more until they end.
    ///
    /// # Errors
    /// If they cannot be started or do not come together.
    pub(crate) fn of(binary: &Path, parties: usize) -> anyhow::Result<Self> {
        let folder = Folder(std::env::temp_dir().join(format!("didagent-bench-{}", std::process::id())));
        fs::create_dir_all(&folder.0)?;
        let mut serve = Command::new(binary);
        let (mediator, mut stdout) =
            start(serve.args(["mediator", "serve", "--listen", "127.0.0.1:0"])).context("the mediator")?;
        let link = first_line(&mut stdout)?;
        let party = |number: usize, words: &[&str]| {
            let name = format!("p{number}");
            let mut command = Command::new(binary);
            command.arg("--home").arg(folder.0.join(&name)).args(words).args(["--name", &name, "--json"]);
            start(command.stdin(Stdio::piped()))
        };
        let count = parties.to_string();
        let (host, mut from_host) =
            party(0, &["invite", "--no-privacy", "--parties", &count, "--mediator", &link])?;
        let invitation = event(&mut from_host, "room.invitation")?;
        let link = invitation.get("link").and_then(Value::as_str).context("no link")?;
        let (mut agents, mut stdouts) = (vec![host], vec![from_host]);
        for number in 1..parties {
            let (mut guest, stdout) = party(number, &["join", "-"])?;
            let mut stdin = guest.0.stdin.take().context("no stdin")?;
            stdin.write_all(format!("{link}\n").as_bytes())?;
            agents.push(guest);
            stdouts.push(stdout);
        }
        let mut words = Vec::new();
        for stdout in &mut stdouts {
            let ports = event(stdout, "run.ports")?;
            let given = ports.get("arguments").and_then(Value::as_array).context("no arguments")?;
            words.push(given.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect());
        }
        Ok(Self { agents, words, mediator, folder })
    }
}
