//! The processes of a demo, and all that it must leave behind as it found it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use didagent_bridge::programs::AVERAGE_SOURCE;
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::outcome::failure_of;
use super::{NAMES, Outcome, PartyOutcome, Progress, Tell, Wish, other, program};
use crate::failure::{Failure, Kind};
use crate::io::os;
use crate::io::python_env::python_with_mpyc;
use crate::io::{random_u64, system_rng};

/// How long the mediator may take to print its link, and a party to have its seat.
const FIRST_LINE: Duration = Duration::from_secs(20);

/// How long a process may take to end after it was asked to.
const END: Duration = Duration::from_secs(10);

/// How long the rest of stderr may take after a party ended: something that its program left behind may hold it open.
const REST: Duration = Duration::from_secs(1);

/// Longest line of stderr in bytes; a longer one is handed on in pieces.
const MAX_LINE: u64 = 64 * 1024;

/// Lines of stderr that are kept to be told if the party fails without a word.
const LAST_WORDS: usize = 3;

/// What the parties say that is not yet taken in; then they wait.
const QUEUE: usize = 64;

/// The processes, and their folder.
pub(super) struct Stage {
    folder: PathBuf,
    exe: PathBuf,
    mediator: Option<Child>,
    parties: Vec<Party>,
}

struct Party {
    name: &'static str,
    child: Child,
}

/// What comes out of a party.
enum Said {
    Event(Value),
    Stderr(String),
    /// Its stdout has ended.
    Ended,
}

type FromParty = (&'static str, Said);

impl Stage {
    pub(super) fn set() -> Result<Self, Failure> {
        let exe = std::env::current_exe().map_err(|error| other("find this program", &error))?;
        let folder =
            std::env::temp_dir().join(format!("didagent-demo-{:016x}", random_u64(&mut system_rng()?)));
        os::create_private_dir(&folder).map_err(|error| other("make a temporary folder", &error))?;
        Ok(Self { folder, exe, mediator: None, parties: Vec::new() })
    }

    /// Everything from the mediator's start to the end of the last party.
    pub(super) async fn play(&mut self, wish: &Wish, tell: Tell<'_>) -> Result<Outcome, Failure> {
        let python = python_with_mpyc(&mut |text| tell(Progress::Preparing(text.to_owned()))).await?;
        tell(Progress::Python(python.clone()));
        let (command, shown) = match &wish.program {
            Some(file) => {
                let command = program::command(&python, file, &wish.arguments).await?;
                let words = command.iter().skip(1).map(|word| word.to_string_lossy());
                let shown = words.fold("python".to_owned(), |line, word| line + " " + &word);
                (command, shown)
            }
            None => {
                let file = self.folder.join("average.py");
                std::fs::write(&file, AVERAGE_SOURCE)
                    .map_err(|error| other(&format!("write {}", file.display()), &error))?;
                (vec![python.into_os_string(), file.into_os_string()], "python average.py".to_owned())
            }
        };

        let begun = Instant::now();
        let mediator = self.start_mediator(tell).await?;
        let (says, mut said) = mpsc::channel(QUEUE);
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let count = wish.parties.to_string();
        let mut outcomes: Vec<PartyOutcome> =
            NAMES.iter().take(wish.parties).map(|name| PartyOutcome::new(name)).collect();
        // What the program that comes along writes on stderr is of no interest unless it fails.
        let with_stderr = wish.program.is_some();
        let mut heard = Hearing { outcomes: &mut outcomes, with_stderr, tell };

        let patience = wish.patience.as_secs().to_string();
        let host = words(&[
            "invite",
            "--no-privacy",
            "--parties",
            &count,
            "--mediator",
            &mediator,
            "--patience",
            &patience,
        ]);
        (heard.tell)(Progress::Started(format!(
            "didagent invite --parties {count} --mediator LINK -- {shown}"
        )));
        self.start_party(NAMES[0], host, &command, None, &says).await?;
        let link = heard.first(&mut said, "room.invitation").await?;
        let link = link.get("link").and_then(Value::as_str).unwrap_or_default().to_owned();
        for name in NAMES.iter().take(wish.parties).skip(1) {
            (heard.tell)(Progress::Started(format!("didagent join - -- {shown}")));
            let guest = words(&["join", "-", "--patience", &patience]);
            self.start_party(name, guest, &command, Some(&link), &says).await?;
            heard.first(&mut said, "party.joined").await?;
        }
        drop(says);

        let mut running = self.parties.len();
        while running > 0
            && let Some((party, said)) = said.recv().await
        {
            running -= usize::from(matches!(said, Said::Ended));
            heard.take(party, said);
        }
        while let Ok(Some((party, said))) = timeout(REST, said.recv()).await {
            heard.take(party, said);
        }
        for (party, outcome) in self.parties.iter_mut().zip(&mut outcomes) {
            let status = party.child.wait().await.map_err(|error| other("wait for a party", &error))?;
            outcome.code = os::shell_code(status);
        }
        let elapsed = begun.elapsed();
        outcomes.sort_by_key(|outcome| outcome.index);
        let outcome = Outcome { parties: outcomes, elapsed };
        let own_program_failed = wish.program.is_some() && outcome.culprit().is_some();
        match outcome.failure() {
            Some(failure) if !own_program_failed => Err(failure),
            _ => Ok(outcome),
        }
    }

    async fn start_mediator(&mut self, tell: Tell<'_>) -> Result<String, Failure> {
        let arguments = ["mediator", "serve", "--listen", "127.0.0.1:0"];
        tell(Progress::Started(format!("didagent {}", arguments.join(" "))));
        // In groups of their own: Ctrl-C is for the demo, which ends them in order.
        let mut command = Command::new(&self.exe);
        os::own_group(&mut command);
        let mut child = command
            .args(arguments)
            .env(os::END_WITH, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| other("start the mediator", &error))?;
        let stdout = child.stdout.take();
        self.mediator = Some(child);
        let stdout = stdout.ok_or_else(|| Failure::new(Kind::Other, "the mediator has no stdout"))?;
        let mut lines = BufReader::new(stdout).lines();
        match timeout(FIRST_LINE, lines.next_line()).await {
            Ok(Ok(Some(link))) => Ok(link),
            _ => Err(Failure::new(Kind::MediatorUnreachable, "the demo's mediator did not start")
                .hint("didagent mediator serve --listen 127.0.0.1:0")),
        }
    }

    async fn start_party(
        &mut self,
        name: &'static str,
        arguments: Vec<OsString>,
        command: &[OsString],
        link: Option<&str>,
        says: &mpsc::Sender<FromParty>,
    ) -> Result<(), Failure> {
        let mut party = Command::new(&self.exe);
        os::own_group(&mut party);
        let mut child = party
            .arg("--home")
            .arg(self.folder.join(name))
            .args(arguments)
            .args(["--name", name, "--json", "--"])
            .args(command)
            // However the demo ends, they end too.
            .env(os::END_WITH, std::process::id().to_string())
            // The guests' mediator is the one that the invitation names.
            .env_remove("DIDAGENT_MEDIATOR")
            // Lines come when they are printed, as they do on a terminal.
            .env("PYTHONUNBUFFERED", "1")
            .stdin(if link.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| other("start a party", &error))?;
        if let (Some(mut stdin), Some(link)) = (child.stdin.take(), link) {
            // A party that has ended already says why itself.
            let _ = stdin.write_all(format!("{link}\n").as_bytes()).await;
        }
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(read_events(BufReader::new(stdout), name, says.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(read_stderr(BufReader::new(stderr), name, says.clone()));
        }
        self.parties.push(Party { name, child });
        Ok(())
    }

    /// Ends every process and removes the folder.
    pub(super) async fn clear(mut self) {
        // All at once: each may wait for others before it goes.
        for party in &self.parties {
            tracing::debug!(party = party.name, "is asked to end");
            let _ = party.child.id().map(os::ask_to_end);
        }
        for party in &mut self.parties {
            end(&mut party.child).await;
        }
        if let Some(mediator) = &mut self.mediator {
            let _ = mediator.id().map(os::ask_to_end);
            end(mediator).await;
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Takes in what the parties say.
struct Hearing<'a> {
    outcomes: &'a mut [PartyOutcome],
    with_stderr: bool,
    tell: Tell<'a>,
}

impl Hearing<'_> {
    fn take(&mut self, party: &'static str, said: Said) {
        let outcome = self.outcomes.iter_mut().find(|outcome| outcome.name == party);
        match (said, outcome) {
            (Said::Event(event), Some(outcome)) => {
                outcome.note(&event);
                (self.tell)(Progress::Event { party, event });
            }
            (Said::Stderr(line), Some(outcome)) => {
                if !line.trim().is_empty() {
                    if outcome.last_words.len() == LAST_WORDS {
                        outcome.last_words.remove(0);
                    }
                    outcome.last_words.push(line.trim().to_owned());
                }
                if self.with_stderr {
                    (self.tell)(Progress::Stderr { party, line });
                }
            }
            _ => {}
        }
    }

    /// Waits for the first event of a type; an error of any party ends the wait.
    async fn first(&mut self, heard: &mut mpsc::Receiver<FromParty>, wanted: &str) -> Result<Value, Failure> {
        let waiting = async {
            while let Some((party, said)) = heard.recv().await {
                let event = match &said {
                    Said::Event(event) => Some(event.clone()),
                    Said::Stderr(_) | Said::Ended => None,
                };
                let ended = matches!(said, Said::Ended);
                self.take(party, said);
                let type_ = event.as_ref().and_then(|event| event.get("type")).and_then(Value::as_str);
                match (event.as_ref(), type_) {
                    (Some(event), Some(type_)) if type_ == wanted => return Ok(event.clone()),
                    (Some(event), Some("error")) => {
                        let failure = failure_of(event);
                        return Err(failure.unwrap_or_else(|| failed(&format!("{party} failed"))));
                    }
                    _ if ended => return Err(failed(&format!("{party} ended early"))),
                    _ => {}
                }
            }
            Err(failed("the parties ended early"))
        };
        match timeout(FIRST_LINE, waiting).await {
            Ok(result) => result,
            Err(_) => Err(failed(&format!("no {wanted} within {} s", FIRST_LINE.as_secs()))),
        }
    }
}

fn failed(why: &str) -> Failure {
    Failure::new(Kind::Other, why)
}

async fn read_events(stdout: impl AsyncBufRead + Unpin, party: &'static str, says: mpsc::Sender<FromParty>) {
    let mut lines = stdout.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(event) = serde_json::from_str(&line)
            && says.send((party, Said::Event(event))).await.is_err()
        {
            return;
        }
    }
    let _ = says.send((party, Said::Ended)).await;
}

async fn read_stderr(
    mut stderr: impl AsyncBufRead + Unpin,
    party: &'static str,
    says: mpsc::Sender<FromParty>,
) {
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut stderr).take(MAX_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                if says.send((party, Said::Stderr(text))).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Waits for a process that was asked to end, and kills it if it does not.
async fn end(child: &mut Child) {
    if child.id().is_some() && timeout(END, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
