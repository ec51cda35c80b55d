//! `status`, `ping` and `message`: what other terminals and other parties are asked.

use clap::Args;

use super::Pause;

/// What a status shows.
#[derive(Debug, Args)]
pub(in crate::cli) struct StatusArgs {
    /// Write one JSON document
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Show the link of the room too; whoever holds it can ask for a seat
    #[arg(long)]
    pub(in crate::cli) link: bool,
}

/// Whom to ask, and how often.
#[derive(Debug, Args)]
pub(in crate::cli) struct PingArgs {
    /// A name, an identity, or the last eight or more characters of one
    pub(in crate::cli) name: String,
    /// How often to ask
    #[arg(long, short = 'c', default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(in crate::cli) count: u32,
    /// Pause between two questions: a number with ms or s
    #[arg(long, short = 'i', default_value = "1s", value_name = "TIME")]
    pub(in crate::cli) interval: Pause,
    /// How long to wait for each answer: a number with ms or s
    #[arg(long, short = 'w', default_value = "10s", value_name = "TIME")]
    pub(in crate::cli) timeout: Pause,
    /// Link of the mediator to use if no didagent runs with this home; of several, the first that answers
    #[arg(long, env = "DIDAGENT_MEDIATOR", value_name = "LINK")]
    pub(in crate::cli) mediator: Vec<String>,
    /// Write events as lines of JSON on stdout
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// What to write to whom.
#[derive(Debug, Args)]
pub(in crate::cli) struct MessageArgs {
    /// A DID, an invitation link, or the name of a contact
    pub(in crate::cli) to: String,
    /// The text
    pub(in crate::cli) text: String,
    /// Link of the mediator at which an answer may reach this home; the home's own if not given
    #[arg(long, env = "DIDAGENT_MEDIATOR", value_name = "LINK")]
    pub(in crate::cli) mediator: Vec<String>,
    /// Write one event as a line of JSON on stdout
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
