//! The processes on the way, and the two ends of it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::Cpu;
use crate::room::Room;

/// The system counts CPU time in hundredths of a second, on every Linux.
const TICK: f64 = 10_000.0;

/// One way, standing.
#[derive(Debug)]
pub struct Processes {
    /// Where the test programs sit.
    pub near: TcpStream,
    /// The other end.
    pub far: TcpStream,
    ends: Vec<Running>,
    mediator: Option<Running>,
    folder: Option<Folder>,
}

/// A process that ends with this program.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

/// A folder that goes with this program.
#[derive(Debug)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Processes {
    /// Two relays in a row.
    ///
    /// # Errors
    /// If they cannot be started or do not carry.
    pub fn relays(binary: &Path) -> anyhow::Result<Self> {
        Self::hops([(); 2].map(|()| Command::new(binary)))
    }

    /// Two processes in a row, the far one first; each is told where to listen and where the next hop is, after the words
    /// that it has already.
    ///
    /// # Errors
    /// If they cannot be started or do not carry.
    pub(crate) fn hops(commands: [Command; 2]) -> anyhow::Result<Self> {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut next = server.local_addr()?;
        let mut ends = Vec::new();
        for mut command in commands {
            let (running, mut stdout) = start(command.args(["127.0.0.1:0", &next.to_string()]))?;
            let line = first_line(&mut stdout)?;
            let address = line.strip_prefix("listening on ").context("the relay does not listen")?;
            next = address.parse::<SocketAddr>()?;
            ends.push(running);
        }
        let near = TcpStream::connect(next)?;
        let (far, _) = server.accept()?;
        prepared(Self { near, far, ends, mediator: None, folder: None })
    }

    /// Two agents, each started by hand without a program, and a mediator.
    ///
    /// # Errors
    /// If they cannot be started or do not come together.
    pub fn agents(binary: &Path) -> anyhow::Result<Self> {
        let Room { agents, words, mediator, folder } = Room::of(binary, 2)?;
        let [near_ports, far_ports] = words.as_slice() else { bail!("not two parties") };
        let (near_ports, far_ports) = (ports(near_ports)?, ports(far_ports)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, far_ports[1]))?;
        let mut near = TcpStream::connect((Ipv4Addr::LOCALHOST, near_ports[1]))?;
        // As MPyC begins: with its own index.
        near.write_all(&[0, 0])?;
        let (mut far, _) = listener.accept()?;
        let mut pid = [1; 2];
        far.read_exact(&mut pid)?;
        anyhow::ensure!(pid == [0, 0], "the connection begins with {pid:?}");
        prepared(Self { near, far, ends: agents, mediator: Some(mediator), folder: Some(folder) })
    }

    /// CPU time that the processes have taken, in microseconds.
    ///
    /// # Errors
    /// If one of them is gone.
    pub fn cpu(&self) -> anyhow::Result<Cpu> {
        let mut cpu = Cpu::default();
        for end in &self.ends {
            cpu.ends += taken(end)?;
        }
        if let Some(mediator) = &self.mediator {
            cpu.mediator = taken(mediator)?;
        }
        Ok(cpu)
    }

    /// Where the homes are.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_ref().map(|folder| folder.0.as_path())
    }
}

fn prepared(processes: Processes) -> anyhow::Result<Processes> {
    // As MPyC's event loop does.
    processes.near.set_nodelay(true)?;
    processes.far.set_nodelay(true)?;
    Ok(processes)
}

pub(crate) fn start(command: &mut Command) -> anyhow::Result<(Running, BufReader<ChildStdout>)> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot be started")?;
    let stdout = child.stdout.take().context("no stdout")?;
    Ok((Running(child), BufReader::new(stdout)))
}

pub(crate) fn first_line(stdout: &mut BufReader<ChildStdout>) -> anyhow::Result<String> {
    let mut line = String::new();
    anyhow::ensure!(stdout.read_line(&mut line)? > 0, "it ended");
    Ok(line.trim_end().to_owned())
}

/// Waits for an event of this type.
pub(crate) fn event(stdout: &mut BufReader<ChildStdout>, wanted: &str) -> anyhow::Result<Value> {
    loop {
        let line = first_line(stdout).with_context(|| format!("no {wanted}"))?;
        let event: Value = serde_json::from_str(&line).context("a line that is no event")?;
        match event.get("type").and_then(Value::as_str) {
            Some(found) if found == wanted => return Ok(event),
            Some("error") => bail!("{event}"),
            _ => {}
        }
    }
}

/// The ports in `-P 127.0.0.1:PORT ... -I INDEX`, by party index.
fn ports(words: &[String]) -> anyhow::Result<[u16; 2]> {
    let ports = words.iter().filter_map(|word| word.strip_prefix("127.0.0.1:")?.parse().ok());
    let ports: Vec<u16> = ports.collect();
    ports.try_into().ok().context("not two ports")
}

pub(crate) fn taken(process: &Running) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.0.id())).context("it has ended")?;
    ticks(&stat).map(|ticks| ticks * TICK).context("/proc/PID/stat is not as it should be")
}

/// User and system time in a line of `/proc/PID/stat`: fields 14 and 15, counted from the name in parentheses, which may
/// hold anything.
fn ticks(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(f64::from(user) + f64::from(system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ticks_past_a_strange_name() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 700 65 0 0 20 0 3 0";
        assert_eq!(ticks(stat), Some(765.0));
        assert_eq!(ticks("42 (a) S 1 2"), None);
    }

    #[test]
    fn reads_ports_in_order() {
        let words = ["-P", "127.0.0.1:25055", "-P", "127.0.0.1:1", "-I", "0"].map(str::to_owned);
        assert_eq!(ports(&words).unwrap(), [25055, 1]);
        assert!(ports(&words[..2]).is_err());
    }
}
