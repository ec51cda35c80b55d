//! The words of the command line.

mod asking;
mod contacts;
mod credentials;
mod demo;
mod dids;
mod identity;
mod known;
mod lobby;
mod rooms;
mod taking_part;
#[cfg(test)]
mod tests;
mod times;
mod transcripts;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::core::invite::DEFAULT_EXPIRY_SECONDS;
use crate::core::room::roster::MAX_PARTIES;
pub(super) use asking::{MessageArgs, PingArgs, StatusArgs};
pub(super) use contacts::{ContactsArgs, ContactsCommand};
pub(super) use credentials::{CredentialCommand, IssueArgs, RequireArgs};
pub(super) use demo::DemoArgs;
pub(super) use dids::{DidCommand, ResolveArgs, WebArgs};
pub(super) use identity::{IdentityCommand, Method, SiteArgs};
use known::PrivacyArgs;
pub(super) use known::{AgainArgs, RunArgs};
pub(super) use lobby::{ListArgs, LobbyCommand, NewDidArgs, PostArgs, StrangersArgs};
pub(super) use rooms::{ApproveArgs, ResumeArgs, RoomCommand, WaitArgs};
use taking_part::PatienceArgs;
pub(super) use taking_part::{LinkArgs, RoomArgs};
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
  didagent invite --parties 3 --approve -- python vote.py 42      you decide who gets a seat
  didagent invite --resume -- python vote.py 42   the room of before, after its process was killed
  didagent invite --parties 3 --lobby wages -- python vote.py 42
  didagent invite --parties 3          without a program: start MPyC by hand, see `didagent ports`")]
    Invite {
        /// How many parties take part, this one included
        #[arg(long, short = 'n', required_unless_present = "resume")]
        #[arg(value_parser = clap::value_parser!(u8).range(2..=MAX_PARTIES_ARG))]
        parties: Option<u8>,
        /// How long the link works: seconds, or a number with s, m or h
        #[arg(long, default_value_t = Expiry(DEFAULT_EXPIRY_SECONDS), value_name = "TIME")]
        expires: Expiry,
        #[command(flatten)]
        privacy: PrivacyArgs,
        #[command(flatten)]
        link: LinkArgs,
        #[command(flatten)]
        resume: ResumeArgs,
        #[command(flatten)]
        require: RequireArgs,
        #[command(flatten)]
        approve: ApproveArgs,
        #[command(flatten)]
        post: PostArgs,
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
    /// Open the room of the last run again: the same parties, in the same order, without a link
    ///
    /// Every party gives this command, in any order. Who was party 0 is the host again. A program is not remembered, since its
    /// arguments may be private.
    #[command(after_help = "Examples:
  didagent again -- python vote.py 42
  didagent again --wait 1h -- python vote.py 42
  didagent again       without a program: start MPyC by hand, see `didagent ports`")]
    Again(AgainArgs),
    /// Take part in a run whose parties are known beforehand, without a link and without a question
    ///
    /// Every party gives this command with the same roster file. The order in it is the party index, the first one is the host:
    ///
    ///   name = "monthly-audit"     # optional; tells two runs of the same parties apart{n}
    ///   threshold = 1              # optional; refused if a program runs with another one{n}
    ///   [[party]]{n}
    ///   did = "did:web:alice.example"{n}
    ///   name = "alice"             # optional{n}
    ///   at = "did:peer:2..."       # of the first party, unless its document has it under alsoKnownAs{n}
    ///   [[party]]{n}
    ///   did = "did:key:z6Mk..."
    ///
    /// `didagent identity show` prints a `did`, and with --address an `at`.
    #[command(after_help = "Examples:
  didagent run --roster audit.toml -- python audit.py
  didagent run --roster audit.toml --wait 1h --json -- python audit.py
  didagent --home /var/lib/didagent run --roster /etc/didagent/audit.toml -- python audit.py")]
    Run(RunArgs),
    /// Find rooms of strangers, which hosts post with `invite --lobby`
    #[command(after_help = "Examples:
  didagent lobby list
  didagent lobby join 3f1c9a07 -- python vote.py 17
  didagent invite --parties 3 --lobby wages -- python vote.py 42    posts a room in the lobby")]
    Lobby {
        #[command(subcommand)]
        command: LobbyCommand,
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
    /// Look at this home's rooms, and decide about the one that it hosts, from another terminal
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
    /// Keep the credentials by which an authority vouches for you, or issue them as one
    #[command(after_help = "Examples:
  didagent credential add credential.jwt
  didagent credential issue --to did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK --valid 90d > credential.jwt
  didagent credential revoke 5c0f1a3e")]
    Credential {
        #[command(subcommand)]
        command: CredentialCommand,
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
    /// parties' transcripts of one run are held against each other. Nothing is sent, and no home is needed. Which key a did:web had is
    /// what the party says whose transcript it is, unless its document is given.
    #[command(after_help = "Examples:
  didagent verify ~/.local/share/didagent/runs/20260131T093042Z-3f1c9a07.json
  didagent verify alice.json bob.json carol.json --program vote.py
  didagent verify alice.json --document bank.example.json
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
pub(super) enum MediatorCommand {
    /// Serve as a mediator; the first line on stdout is its link
    #[command(after_help = "Examples:
  didagent mediator serve --listen 127.0.0.1:8080
  didagent mediator serve --listen 127.0.0.1:8080 --public-url https://mediator.example.org --data /var/lib/didagent
  didagent mediator serve --listen 127.0.0.1:0        any free port")]
    Serve(didagent_mediator::ServeArgs),
}

/// As many parties as a roster takes, for the parser's range.
const MAX_PARTIES_ARG: i64 = 16;
const _: () = assert!(MAX_PARTIES == 16);
