//! `identity`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum IdentityCommand {
    /// Print the identity, a did:key; makes one if there is none
    #[command(after_help = "Examples:
  didagent identity show
  didagent --home ~/.work identity show
  didagent identity show > my-identity.txt
  didagent identity show --domain example.org > did.json    the document to publish as did:web:example.org")]
    Show {
        /// Print the did:peer at which this home is written to: what a roster file has as `at`. It changes with the home's mediators
        #[arg(long, conflicts_with_all = ["domain", "path"])]
        address: bool,
        /// Link of the mediator that keeps the mail; the home's own if not given
        #[arg(long, env = "DIDAGENT_MEDIATOR", value_name = "LINK")]
        mediator: Vec<String>,
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
pub(in crate::cli) enum Method {
    Key,
    Web,
}

/// Where an organisation publishes its document.
#[derive(Debug, Args)]
pub(in crate::cli) struct SiteArgs {
    /// The name of the organisation's web site, with a port if it has one of its own
    #[arg(long, value_name = "HOST")]
    pub(in crate::cli) domain: Option<String>,
    /// A folder on the web site, for one document among several
    #[arg(long, value_name = "FOLDER", requires = "domain")]
    pub(in crate::cli) path: Option<String>,
}
