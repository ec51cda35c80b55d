//! The words about a room that another terminal holds open.

use clap::{Args, Subcommand, ValueEnum};

use super::{Expiry, MAX_PARTIES_ARG};
use crate::core::room::Approval;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RoomCommand {
    /// Show the room: its parties, how each is reached, and until when the link works
    #[command(after_help = "Examples:
  didagent room show
  didagent room show --json
  didagent --home ~/.alice room show --link")]
    Show(super::StatusArgs),
    /// List the rooms of this home: the one that is open, one that can go on, and what runs left, the newest first
    #[command(after_help = "Examples:
  didagent room ls
  didagent room ls --json
  didagent --home ~/.alice room ls")]
    Ls {
        /// Write one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Begin with those who have a seat, though others were expected; the host only
    #[command(after_help = "Examples:
  didagent room start
  DIDAGENT_HOME=~/.alice didagent room start
  didagent --home ~/.alice room start")]
    Start,
    /// Take somebody's seat back, for somebody else; the host only, and until the room is full
    #[command(after_help = "Examples:
  didagent room kick bob
  didagent room kick ..gJ8XqZ2k     by the end of an identity, where two have one name
  didagent --home ~/.alice room kick bob")]
    Kick {
        /// A name, an identity, or the last eight or more characters of one
        name: String,
    },
    /// Say that the others see the same four words, where `--confirm` was given; nothing starts before
    #[command(after_help = "Examples:
  didagent room confirm
  didagent room confirm tulip anchor seven mango     an error if this party sees other ones
  didagent room confirm --no                         they are not the same: end the room for everybody")]
    Confirm {
        /// The words are not the same
        #[arg(long, conflicts_with = "words")]
        no: bool,
        /// The words that somebody else sees
        words: Vec<String>,
    },
    /// Let somebody in who asks for a seat, in a room that was opened with --approve; seats are given in this order
    #[command(after_help = "Examples:
  didagent room approve bob
  didagent room approve ..gJ8XqZ2k     by the end of an identity, where two have one name
  didagent room approve did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK     before it asks")]
    Approve {
        /// A name, an identity, or the last eight or more characters of one; an identity in full may be one that has not asked yet
        name: String,
    },
    /// Refuse somebody who asks for a seat, and from then on, in a room that was opened with --approve
    #[command(after_help = "Examples:
  didagent room refuse mallory
  didagent room refuse ..gJ8XqZ2k     by the end of an identity, where two have one name
  didagent --home ~/.alice room refuse mallory")]
    Refuse {
        /// A name, an identity, or the last eight or more characters of one
        name: String,
    },
    /// End the room for everybody; the host only
    #[command(after_help = "Examples:
  didagent room close
  DIDAGENT_HOME=~/.alice didagent room close
  didagent --home ~/.alice room close")]
    Close,
}

/// Whether a room of before goes on.
#[derive(Debug, Args)]
pub(in crate::cli) struct ResumeArgs {
    /// Go on with the room of this home whose process was killed, or whose mediator was away: the same link, the same seats, the
    /// same mediators. Guests wait about five minutes for their host
    #[arg(long, conflicts_with_all = ["parties", "expires", "full", "oobid", "single_use", "who"])]
    pub(in crate::cli) resume: bool,
}

/// Whether the host's person decides about each guest.
#[derive(Debug, Args)]
pub(in crate::cli) struct ApproveArgs {
    /// Give nobody a seat before you say yes: at a question here, or with `didagent room approve`. `--approve=strangers` lets those
    /// in by themselves whom this home has met
    #[arg(long = "approve", value_name = "WHO", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    who: Option<Who>,
}

/// About whom the person is asked.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Who {
    /// Everybody.
    All,
    /// Those whom this home has not met.
    Strangers,
}

impl ApproveArgs {
    pub(in crate::cli) fn approval(&self) -> Option<Approval> {
        self.who.map(|who| match who {
            Who::All => Approval::All,
            Who::Strangers => Approval::Strangers,
        })
    }
}

/// For what is waited, and how long.
#[derive(Debug, Args)]
pub(in crate::cli) struct WaitArgs {
    /// Until so many parties have a seat, this one included; without it, until everybody is ready
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=MAX_PARTIES_ARG))]
    pub(in crate::cli) parties: Option<u8>,
    /// How long: seconds, or a number with s, m or h
    #[arg(long, default_value_t = Expiry::of_seconds(3600), value_name = "TIME")]
    pub(in crate::cli) timeout: Expiry,
}
