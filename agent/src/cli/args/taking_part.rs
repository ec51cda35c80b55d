//! What those who open or join a room say about it and about their program.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use super::times::Answer;
use super::{NewDidArgs, TranscriptArgs, WebArgs};
use crate::core::share::LinkForm;
use crate::io::engine::Comparing;

/// What kind of link people get.
#[derive(Debug, Args)]
pub(in crate::cli) struct LinkArgs {
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
    pub(in crate::cli) qr: bool,
}

impl LinkArgs {
    pub(in crate::cli) fn form(&self) -> LinkForm {
        match (self.full, self.oobid) {
            (true, _) => LinkForm::Full,
            (_, true) => LinkForm::Readable,
            _ => LinkForm::Short { single_use: self.single_use },
        }
    }
}

/// What host and guests have in common.
#[derive(Debug, Args)]
pub(in crate::cli) struct RoomArgs {
    /// Name that the others see; the user's name if not given, or a made-up one with --new-did
    #[arg(long)]
    pub(in crate::cli) name: Option<String>,
    /// Link of the mediator to use from now on; given more than once, two that answer share the work
    #[arg(long, env = "DIDAGENT_MEDIATOR", value_name = "LINK")]
    pub(in crate::cli) mediator: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) web: WebArgs,
    #[command(flatten)]
    pub(in crate::cli) new_did: NewDidArgs,
    #[command(flatten)]
    pub(in crate::cli) patience: PatienceArgs,
    #[command(flatten)]
    pub(in crate::cli) confirm: ConfirmArgs,
    #[command(flatten)]
    pub(in crate::cli) comparing: ComparingArgs,
    #[command(flatten)]
    pub(in crate::cli) transcripts: TranscriptArgs,
    /// Write events as lines of JSON on stdout, the program's output among them
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// The program to run, with its arguments; MPyC's -P arguments are added
    #[arg(last = true, value_name = "CMD")]
    pub(in crate::cli) command: Vec<OsString>,
}

/// How the programs of the parties are compared before anything starts.
#[derive(Debug, Args)]
pub(in crate::cli) struct ComparingArgs {
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

/// Whether the person compares the words before anything starts.
#[derive(Debug, Args)]
pub(in crate::cli) struct ConfirmArgs {
    /// Start nothing, at any party, before you have said that the others see the same four words. You are asked at the terminal;
    /// without one, `didagent room confirm` says it from another one
    #[arg(long, env = "DIDAGENT_CONFIRM", value_parser = clap::builder::FalseyValueParser::new())]
    confirm: bool,
    /// How long you may take for that, 5s to 1h; then the room ends
    #[arg(long, env = "DIDAGENT_CONFIRM_WITHIN", default_value_t = Answer(600), value_name = "TIME")]
    confirm_within: Answer,
}

impl ConfirmArgs {
    pub(in crate::cli) fn limit(&self) -> Option<Duration> {
        self.confirm.then(|| Duration::from_secs(self.confirm_within.0))
    }

    /// The words are compared within so many seconds, unless the command line says it too.
    pub(in crate::cli) fn as_before(&mut self, seconds: Option<u64>) {
        if let Some(seconds) = seconds.filter(|_| !self.confirm) {
            *self = Self { confirm: true, confirm_within: Answer(seconds) };
        }
    }
}

/// How long a run waits for what is missing.
#[derive(Debug, Args)]
pub(in crate::cli) struct PatienceArgs {
    /// How many seconds a run waits for a party or a mediator that is away; whoever comes back in time goes on as if
    /// nothing had been
    #[arg(long = "patience", env = "DIDAGENT_PATIENCE", default_value_t = PATIENCE_SECONDS, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(5..=3600))]
    seconds: u32,
}

impl PatienceArgs {
    pub(in crate::cli) fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

/// A machine that sleeps for a minute, a laptop that is carried to another room, a router or a mediator that is restarted: all are
/// back within it, with time for new connections. Much longer would keep people waiting for somebody who is gone.
const PATIENCE_SECONDS: u32 = 120;
