//! The words about strangers: DIDs for one room.

use clap::Args;

use crate::io::engine::Strangers;

/// Under which DIDs one takes part.
#[derive(Debug, Args)]
pub(in crate::cli) struct NewDidArgs {
    /// Take part under DIDs that are made for this room and forgotten when it is over: nobody there sees this home's identity,
    /// and nobody is written into its contacts. What stays: the mediator sees this machine's address, everybody sees which
    /// mediator you use, when you are there, and what program, Python and MPyC you have; a transcript stays in your home
    #[arg(long, env = "DIDAGENT_NEW_DID", value_parser = clap::builder::FalseyValueParser::new(), conflicts_with = "as_did")]
    new_did: bool,
}

impl From<NewDidArgs> for Strangers {
    fn from(args: NewDidArgs) -> Self {
        Self { new_did: args.new_did }
    }
}
