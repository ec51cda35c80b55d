//! The words of the command line.

mod contacts;
mod dids;
mod rooms;
mod times;
mod transcripts;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::core::invite::DEFAULT_EXPIRY_SECONDS;
use crate::core::room::roster::MAX_PARTIES;
use crate::core::share::LinkForm;
use crate::io::demo::NAMES;
use crate::io::engine::Comparing;
pub(super) use contacts::{ContactsArgs, ContactsCommand};
pub(super) use dids::{ResolveArgs, WebArgs};
pub(super) use rooms::{RoomCommand, WaitArgs};
pub(super) use times::{Expiry, Pause};
pub(super) use transcripts::{TranscriptArgs, VerifyArgs};

/// Secure multiparty computation between people who share nothing but a chat.
#[derive(Debug, Parser)]
#[command(name = "didagent", version, max_term_width = 100)]
#[command(after_help = "Examples:
  didagent demo                                     three parties on this machine, one real MPyC run
  didagent invite --parties 3 -- python vote.py 42  open a room and print its link
  didagent join 'https://...' -- python vote.py 17  join it from anywhere")]
pub(super) struct Cli {
    /// Folder with the identity and everything that belongs to it
    #[arg(long, global = true, env = "DIDAGENT_HOME", value_name = "DIR")]
    pub(super) home: Option<PathBuf>,
    /// What to log on stderr, for example info or didagent=debug
    #[arg(long, global = true, env = "DIDAGENT_LOG", value_name = "FILTER")]
    pub(super) log: Option<String>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Open a room and print the link that the others need
    #[command(after_help = "Examples:
  didagent invite --parties 3 --mediator 'http://...' -- python vote.py 42
  didagent invite --parties 2 --name alice -- python3 -m millionaires
  didagent invite --parties 2 --single-use --qr -- python vote.py 42
  didagent invite --parties 3          without a program: start MPyC by hand, see `didagent ports`")]
    Invite {
        /// How many parties take part, this one included
        #[arg(long, short = 'n', value_parser = clap::value_parser!(u8).range(2..=MAX_PARTIES_ARG))]
        parties: u8,
        /// How long the link works: seconds, or a number with s, m or h
        #[arg(long, default_value_t = Expiry(DEFAULT_EXPIRY_SECONDS), value_name = "TIME")]
        expires: Expiry,
        /// Go on without a question although each party alone can open all inputs: threshold 0, which MPyC takes for 2 parties
        #[arg(long, env = "DIDAGENT_NO_PRIVACY", value_parser = clap::builder::FalseyValueParser::new())]
        no_privacy: bool,
        #[command(flatten)]
        link: LinkArgs,
        #[command(flatten)]
        room: RoomArgs,
    },
    /// Join the room that a link leads to
    #[command(after_help = "Examples:
  didagent join 'https://...' -- python vote.py 17
  didagent join -- python vote.py 17   asks for the link, so that it is in no list of processes
  didagent join - < link.txt           reads the link from stdin")]
    Join {
        /// The link; `-` or nothing reads it from stdin
        #[arg(env = "DIDAGENT_LINK", hide_env_values = true)]
        link: Option<String>,
        #[command(flatten)]
        room: RoomArgs,
    },
    /// Print MPyC's arguments for the room that another terminal holds open with this home
    ///
    /// Waits until everybody is ready. The screen of `invite` or `join` shows the whole line to start a program by hand: with a
    /// launcher in front of the program, without which MPyC's port is open to other machines.
    #[command(after_help = "Examples:
  didagent ports
  didagent --home ~/.alice ports
  didagent ports > mpyc-arguments.txt")]
    Ports,
    /// Show what the didagent that runs with this home does: room, parties, paths, program
    #[command(after_help = "Examples:
  didagent status
  didagent status --json
  didagent --home ~/.alice status --link   with the link of the room, which lets people join")]
    Status(StatusArgs),
    /// Ask a party of the open room, or a contact, for a sign of life
    #[command(after_help = "Examples:
  didagent ping bob
  didagent ping bob --count 10 --interval 200ms
  didagent ping ..gJ8XqZ2k --json   by the end of an identity, where two have one name")]
    Ping(PingArgs),
    /// Decide about the room that this home hosts, from another terminal
    #[command(after_help = "Examples:
  didagent room show
  didagent room kick bob
  didagent room close")]
    Room {
        #[command(subcommand)]
        command: RoomCommand,
    },
    /// Wait until enough parties have joined the room that is open, or everybody is ready
    #[command(after_help = "Examples:
  didagent wait
  didagent wait --parties 3 --timeout 10m
  didagent --home ~/.alice wait --parties 2")]
    Wait(WaitArgs),
    /// Write a text to somebody: it is shown where that one's didagent runs, or when it runs next
    #[command(after_help = "Examples:
  didagent message bob hello
  didagent message 'https://med.example.org/?_oob=eyJ0eXBlIjoi...' hello
  didagent message did:peer:2.Ez6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc 'hello' --json")]
    Message(MessageArgs),
    /// Show or make this home's identity
    #[command(after_help = "Examples:
  didagent identity show
  didagent identity new
  didagent identity new --method web --domain example.org
  didagent --home ~/.work identity new")]
    Identity {
        #[command(subcommand)]
        command: IdentityCommand,
    },
    /// Look up DIDs, the names by which people, mediators and organisations show their keys
    #[command(after_help = "Examples:
  didagent did resolve did:web:example.org
  didagent did resolve did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK
  didagent did resolve did:web:example.org --json")]
    Did {
        #[command(subcommand)]
        command: DidCommand,
    },
    /// List the parties that this home has met, and give them names of your own
    #[command(after_help = "Examples:
  didagent contacts
  didagent contacts --json
  didagent contacts name bob bob-of-the-bank")]
    Contacts(ContactsArgs),
    /// Check what a run left, offline: who agreed to run what, and what became of it
    ///
    /// A transcript has everybody's signature over parties, program and parameters, and what one party says of its run. Several
    /// parties' transcripts of one run are held against each other. Nothing is sent, and no home is needed.
    #[command(after_help = "Examples:
  didagent verify ~/.local/share/didagent/runs/20260131T093042Z-3f1c9a07.json
  didagent verify alice.json bob.json carol.json --program vote.py
  didagent verify alice.json --json")]
    Verify(VerifyArgs),
    /// Try everything on this machine: a mediator, an invitation, several parties, one real MPyC run
    Demo(DemoArgs),
    /// Run a mediator inside this program
    #[command(after_help = "Examples:
  didagent mediator serve
  didagent mediator serve --listen 127.0.0.1:8080
  didagent mediator serve --help")]
    Mediator {
        #[command(subcommand)]
        command: MediatorCommand,
    },
    /// Describe an error code, offline
    #[command(after_help = "Examples:
  didagent explain E0203
  didagent explain e0401
  didagent explain E0601")]
    Explain {
        /// The code, for example E0203
        code: String,
    },
    /// Watch over a program for an engine; used by the engine itself
    #[command(hide = true)]
    Supervise {
        /// The engine's local socket
        #[arg(long)]
        socket: PathBuf,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum IdentityCommand {
    /// Print the identity, a did:key; makes one if there is none
    #[command(after_help = "Examples:
  didagent identity show
  didagent --home ~/.work identity show
  didagent identity show > my-identity.txt
  didagent identity show --domain example.org > did.json    the document to publish as did:web:example.org")]
    Show {
        #[command(flatten)]
        site: SiteArgs,
    },
    /// Make an identity; fails if there is one
    #[command(after_help = "Examples:
  didagent identity new
  didagent identity new --method web --domain example.org
  didagent identity new --method web --domain example.org --path departments/audit
  DIDAGENT_HOME=~/.work didagent identity new")]
    New {
        /// `key`: a did:key alone. `web`: also the document that an organisation puts on its web site, so that everybody can
        /// see that the key is the organisation's
        #[arg(long, value_enum, default_value_t = Method::Key)]
        method: Method,
        #[command(flatten)]
        site: SiteArgs,
    },
}

/// How an identity is made known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Method {
    Key,
    Web,
}

/// Where an organisation publishes its document.
#[derive(Debug, Args)]
pub(super) struct SiteArgs {
    /// The name of the organisation's web site, with a port if it has one of its own
    #[arg(long, value_name = "HOST")]
    pub(super) domain: Option<String>,
    /// A folder on the web site, for one document among several
    #[arg(long, value_name = "FOLDER", requires = "domain")]
    pub(super) path: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum DidCommand {
    /// Print the document of a DID: its keys, what each is for, and where messages go
    ///
    /// Resolves did:key, did:jwk, did:peer 0, 2 and 4 from the text itself, and did:web by asking the web site that it names, over
    /// https, at most 64 KiB, for at most ten seconds. What came from a web site is remembered for as long as it allows, at most a
    /// day. Shown are the keys and services that DIDComm uses; others in a document are left out, also with --json.
    #[command(after_help = "Examples:
  didagent did resolve did:web:example.org
  didagent did resolve did:web:example.org:departments:audit --json
  didagent did resolve did:web:intranet.example --allow-private-hosts --fresh")]
    Resolve(ResolveArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum MediatorCommand {
    /// Serve as a mediator; the first line on stdout is its link
    #[command(after_help = "Examples:
  didagent mediator serve --listen 127.0.0.1:8080
  didagent mediator serve --listen 127.0.0.1:8080 --public-url https://mediator.example.org --data /var/lib/didagent
  didagent mediator serve --listen 127.0.0.1:0        any free port")]
    Serve(didagent_mediator::ServeArgs),
}

/// What a status shows.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Write one JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// Show the link of the room too; whoever holds it can ask for a seat
    #[arg(long)]
    pub(super) link: bool,
}

/// Whom to ask, and how often.
#[derive(Debug, Args)]
pub(super) struct PingArgs {
    /// A name, an identity, or the last eight or more characters of one
    pub(super) name: String,
    /// How often to ask
    #[arg(long, short = 'c', default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) count: u32,
    /// Pause between two questions: a number with ms or s
    #[arg(long, short = 'i', default_value = "1s", value_name = "TIME")]
    pub(super) interval: Pause,
    /// How long to wait for each answer: a number with ms or s
    #[arg(long, short = 'w', default_value = "10s", value_name = "TIME")]
    pub(super) timeout: Pause,
    /// Link of the mediator to use if no didagent runs with this home; of several, the first that answers
    #[arg(long, env = "DIDAGENT_MEDIATOR", value_name = "LINK")]
    pub(super) mediator: Vec<String>,
    /// Write events as lines of JSON on stdout
    #[arg(long)]
    pub(super) json: bool,
}

/// What to write to whom.
#[derive(Debug, Args)]
pub(super) struct MessageArgs {
    /// A DID, an invitation link, or the name of a contact
    pub(super) to: String,
    /// The text
    pub(super) text: String,
    /// Link of the mediator at which an answer may reach this home; the home's own if not given
    #[arg(long, env = "DIDAGENT_MEDIATOR", value_name = "LINK")]
    pub(super) mediator: Vec<String>,
    /// Write one event as a line of JSON on stdout
    #[arg(long)]
    pub(super) json: bool,
}

/// What kind of link people get.
#[derive(Debug, Args)]
pub(super) struct LinkArgs {
    /// Print the link that contains the whole invitation (`_oob`): it needs no server and works with other DIDComm software.
    /// Without it the mediator keeps the invitation, encrypted with the part of a short link behind #
    #[arg(long)]
    full: bool,
    /// Print a short link for other DIDComm software (`_oobid`): the mediator keeps the invitation readable, and could swap it
    #[arg(long, conflicts_with = "full")]
    oobid: bool,
    /// Let the link work for one guest only: whoever opens it first with didagent
    #[arg(long, conflicts_with_all = ["full", "oobid"])]
    single_use: bool,
    /// Show the link as a QR code too, on stderr
    #[arg(long, conflicts_with = "json")]
    pub(super) qr: bool,
}

impl LinkArgs {
    pub(super) fn form(&self) -> LinkForm {
        match (self.full, self.oobid) {
            (true, _) => LinkForm::Full,
            (_, true) => LinkForm::Readable,
            _ => LinkForm::Short { single_use: self.single_use },
        }
    }
}

/// What host and guests have in common.
#[derive(Debug, Args)]
pub(super) struct RoomArgs {
    /// Name that the others see; the user's name if not given
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Link of the mediator to use from now on; given more than once, two that answer share the work
    #[arg(long, env = "DIDAGENT_MEDIATOR", value_name = "LINK")]
    pub(super) mediator: Vec<String>,
    #[command(flatten)]
    pub(super) web: WebArgs,
    #[command(flatten)]
    pub(super) patience: PatienceArgs,
    #[command(flatten)]
    pub(super) comparing: ComparingArgs,
    #[command(flatten)]
    pub(super) transcripts: TranscriptArgs,
    /// Write events as lines of JSON on stdout, the program's output among them
    #[arg(long)]
    pub(super) json: bool,
    /// The program to run, with its arguments; MPyC's -P arguments are added
    #[arg(last = true, value_name = "CMD")]
    pub(super) command: Vec<OsString>,
}

/// How the programs of the parties are compared before anything starts.
#[derive(Debug, Args)]
pub(super) struct ComparingArgs {
    /// The program's arguments are the same for everybody: tell them to the others and compare them. A program says so by
    /// itself with `# didagent: same-args` at its beginning
    #[arg(long)]
    same_args: bool,
    /// Compare this file too: data, or a module that the program finds while it runs
    #[arg(long, value_name = "FILE")]
    include: Vec<OsString>,
    /// Allow programs that cannot be compared, because they are not Python; every party has to
    #[arg(long, env = "DIDAGENT_ALLOW_UNKNOWN_PROGRAM", value_parser = clap::builder::FalseyValueParser::new())]
    allow_unknown_program: bool,
}

impl From<ComparingArgs> for Comparing {
    fn from(args: ComparingArgs) -> Self {
        let ComparingArgs { same_args, include, allow_unknown_program } = args;
        Self { same_args, include, allow_unknown: allow_unknown_program }
    }
}

/// How long a run waits for what is missing.
#[derive(Debug, Args)]
pub(super) struct PatienceArgs {
    /// How many seconds a run waits for a party or a mediator that is away; whoever comes back in time goes on as if
    /// nothing had been
    #[arg(long = "patience", env = "DIDAGENT_PATIENCE", default_value_t = PATIENCE_SECONDS, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(5..=3600))]
    seconds: u32,
}

impl PatienceArgs {
    pub(super) fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

/// A laptop that is carried to another room, a router or a mediator that is restarted: back within a minute.
const PATIENCE_SECONDS: u32 = 60;

/// A real run between parties on this machine.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  didagent demo
  didagent demo --parties 10
  didagent demo --program vote.py -- --candidates 4    your own program, the same arguments for every party
  didagent demo --json | tail -n 1")]
pub(super) struct DemoArgs {
    /// How many parties
    #[arg(long, short = 'n', default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=MAX_DEMO_ARG))]
    pub(super) parties: u8,
    /// A Python program that uses MPyC, to run in place of the one that comes along; the environment variable
    /// DIDAGENT_PYTHON names the Python, if it is to be another than a python3 that has MPyC
    #[arg(long, value_name = "FILE")]
    pub(super) program: Option<PathBuf>,
    #[command(flatten)]
    pub(super) patience: PatienceArgs,
    /// Write events as lines of JSON on stdout
    #[arg(long)]
    pub(super) json: bool,
    /// The program's arguments, the same for every party
    #[arg(last = true, value_name = "ARGS", requires = "program")]
    pub(super) arguments: Vec<OsString>,
}

/// As many parties as have a name in the demo, for the parser's range.
const MAX_DEMO_ARG: i64 = 10;
const _: () = assert!(NAMES.len() == 10);

/// As many parties as a roster takes, for the parser's range.
const MAX_PARTIES_ARG: i64 = 16;
const _: () = assert!(MAX_PARTIES == 16);

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn patience_has_limits_and_a_default() {
        let parse = |words: &[&str]| {
            let words = [&["didagent", "join", "-"], words].concat();
            let cli = Cli::try_parse_from(words).map_err(drop)?;
            let Command::Join { room, .. } = cli.command else { panic!() };
            Ok(room.patience.duration().as_secs())
        };
        for (seconds, parsed) in
            [("5", Ok(5)), ("3600", Ok(3600)), ("4", Err(())), ("3601", Err(())), ("x", Err(()))]
        {
            assert_eq!(parse(&["--patience", seconds]), parsed, "{seconds}");
        }
        assert_eq!(parse(&[]), Ok(60));
    }

    /// The words of a shell line up to the first redirection, pipe or explanation.
    fn words(line: &str) -> Vec<String> {
        let line = line.split("  ").next().unwrap().split(" | ").next().unwrap();
        let words = line.split(" > ").next().unwrap().split(" < ").next().unwrap().split(' ');
        let words = words.map(|word| word.trim_matches('\''));
        words.skip_while(|word| word.contains('=')).map(str::to_owned).collect()
    }

    fn assert_examples_parse(command: &clap::Command) -> usize {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples = help.lines().map(str::trim).filter(|line| line.contains("didagent"));
        let mut count = 0;
        for line in examples.filter(|line| !line.contains("$(") && !line.contains("didagent-mediator")) {
            let parsed = Cli::try_parse_from(words(line)).map(drop);
            let is_help = |error: &clap::Error| error.kind() == clap::error::ErrorKind::DisplayHelp;
            assert!(parsed.as_ref().is_ok() || parsed.as_ref().is_err_and(is_help), "{line}: {parsed:?}");
            count += 1;
        }
        count + command.get_subcommands().map(assert_examples_parse).sum::<usize>()
    }

    #[test]
    fn the_examples_are_command_lines_of_this_program() {
        assert!(assert_examples_parse(&Cli::command()) >= 30);
    }

    #[test]
    fn everything_after_two_dashes_is_the_program() {
        let cli =
            Cli::try_parse_from(["didagent", "join", "--", "python", "vote.py", "--name", "9"]).unwrap();
        let Command::Join { link, room } = cli.command else { panic!() };
        assert_eq!((link, room.name), (None, None));
        assert_eq!(room.command, ["python", "vote.py", "--name", "9"]);
    }
}
