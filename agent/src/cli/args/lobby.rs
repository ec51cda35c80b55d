//! The words about strangers: the lobby of a mediator, and DIDs for one room.

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use didagent_didcomm::protocols::lobby::{PostId, Title};

use super::RoomArgs;
use crate::io::engine::Strangers;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LobbyCommand {
    /// Show the rooms that hosts have posted at the mediator
    ///
    /// What is shown is what strangers wrote; nobody has checked it.
    #[command(after_help = "Examples:
  didagent lobby list
  didagent lobby list --json
  didagent lobby list --mediator 'https://med.example.org/?_oob=eyJ0eXBlIjoi...'")]
    List(ListArgs),
    /// Join a room of the lobby with a program that this machine has already
    ///
    /// Only if the program is the one that the host posted; nothing is downloaded. Others see a DID and a name that are made for this
    /// room, unless --own-did says otherwise.
    #[command(after_help = "Examples:
  didagent lobby join 3f1c9a07 -- python vote.py 17
  didagent lobby join 3f1c9a07 --strangers --name ada -- python vote.py 17
  didagent lobby join 3f1c9a07 --own-did -- python vote.py 17    as this home's identity")]
    Join {
        /// What `didagent lobby list` calls it
        id: PostId,
        #[command(flatten)]
        consent: StrangersArgs,
        #[command(flatten)]
        room: RoomArgs,
    },
}

/// Whose lobby, and how it is shown.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Link of the mediator; the home's if not given, of several the first that answers
    #[arg(long, env = "DIDAGENT_MEDIATOR", value_name = "LINK")]
    pub(in crate::cli) mediator: Vec<String>,
    /// Write one JSON document
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// How a host's room gets to strangers.
#[derive(Debug, Args)]
pub(in crate::cli) struct PostArgs {
    /// Post the room under this title in the lobby of the mediator, for everybody to read and join. Others see a DID and a name that
    /// are made for this room, unless --own-did says otherwise
    #[arg(long, value_name = "TITLE", conflicts_with_all = ["single_use", "resume"])]
    pub(in crate::cli) lobby: Option<Title>,
    #[command(flatten)]
    pub(in crate::cli) consent: StrangersArgs,
}

/// That strangers are meant.
#[derive(Debug, Args)]
pub(in crate::cli) struct StrangersArgs {
    /// Go on without a question although strangers take part: one person may hold several seats, and with more seats than the
    /// threshold open all inputs
    #[arg(long, env = "DIDAGENT_STRANGERS", value_parser = FalseyValueParser::new())]
    pub(in crate::cli) strangers: bool,
}

/// Under which DIDs one takes part.
#[derive(Debug, Args)]
pub(in crate::cli) struct NewDidArgs {
    /// Take part under DIDs that are made for this room and forgotten when it is over: nobody there sees this home's identity,
    /// and nobody is written into its contacts. What stays: the mediator sees this machine's address, everybody sees which
    /// mediator you use, when you are there, and what program, Python and MPyC you have; a transcript stays in your home
    #[arg(long, env = "DIDAGENT_NEW_DID", value_parser = FalseyValueParser::new(), conflicts_with_all = ["as_did", "own_did"])]
    new_did: bool,
    /// Take part as this home's own identity among strangers too
    #[arg(long)]
    own_did: bool,
}

impl NewDidArgs {
    /// The same for the engine: in a room of the lobby a DID of its own is what people get who say nothing.
    pub(in crate::cli) fn strangers(
        &self,
        is_web: bool,
        title: Option<Title>,
        board: Option<String>,
    ) -> Strangers {
        let is_in_lobby = title.is_some() || board.is_some();
        let new_did = self.new_did || is_in_lobby && !self.own_did && !is_web;
        Strangers { new_did, title, board }
    }
}
