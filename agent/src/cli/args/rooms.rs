//! The words about a room that another terminal holds open.

use clap::{Args, Subcommand};

use super::{Expiry, MAX_PARTIES_ARG};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RoomCommand {
    /// Show the room: its parties, how each is reached, and until when the link works
    #[command(after_help = "Examples:
  didagent room show
  didagent room show --json
  didagent --home ~/.alice room show --link")]
    Show(super::StatusArgs),
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
    #[arg(long, conflicts_with_all = ["parties", "expires", "full", "oobid", "single_use"])]
    pub(in crate::cli) resume: bool,
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
