//! The words about whom this home has met.

use clap::{Args, Subcommand};

/// What is done with the contacts; without a command they are listed.
#[derive(Debug, Args)]
pub(in crate::cli) struct ContactsArgs {
    /// Write one JSON document
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(subcommand)]
    pub(in crate::cli) command: Option<ContactsCommand>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ContactsCommand {
    /// Give somebody a name of your own: it stays whatever that one calls itself, and nobody else can take it
    #[command(after_help = "Examples:
  didagent contacts name ..gJ8XqZ2k bob-of-the-bank
  didagent contacts name bob bobby
  didagent contacts name bobby     takes the name back")]
    Name {
        /// A name, an identity, or the last eight or more characters of one
        who: String,
        /// The name; nothing takes it back
        petname: Option<String>,
    },
    /// Forget somebody: new to you when you meet again
    #[command(after_help = "Examples:
  didagent contacts forget bob
  didagent contacts forget ..gJ8XqZ2k
  didagent --home ~/.work contacts forget bob")]
    Forget {
        /// A name, an identity, or the last eight or more characters of one
        who: String,
    },
}
