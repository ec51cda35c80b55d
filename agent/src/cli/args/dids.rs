//! The words of the command line that are about DIDs whose documents are on web sites.

use clap::{Args, Subcommand};

use crate::io::did_web::Hosts;
use crate::io::engine::Web;

/// Which document, and how it may be got.
#[derive(Debug, Args)]
pub(in crate::cli) struct ResolveArgs {
    /// The DID
    pub(in crate::cli) did: String,
    /// Write the document as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Ask the web site again, even if its document is remembered
    #[arg(long)]
    pub(in crate::cli) fresh: bool,
    #[command(flatten)]
    hosts: HostsArgs,
}

impl ResolveArgs {
    /// The hosts that may be asked.
    pub(in crate::cli) fn hosts(&self) -> Hosts {
        if self.hosts.allow_private_hosts { Hosts::Any } else { Hosts::Public }
    }
}

/// As whom one takes part in a room.
#[derive(Debug, Args)]
pub(in crate::cli) struct WebArgs {
    /// Take part as this did:web, whose document must list this home's key; as the home's did:key if not given
    #[arg(long = "as", value_name = "DID")]
    as_did: Option<String>,
    #[command(flatten)]
    hosts: HostsArgs,
}

impl WebArgs {
    /// Says whether it is a did:web.
    pub(in crate::cli) fn is_web(&self) -> bool {
        self.as_did.is_some()
    }

    /// Keeps the identity of an earlier run, if it was a did:web and none is given now.
    pub(in crate::cli) fn stay(&mut self, identity: String) {
        if identity.starts_with("did:web:") {
            self.as_did.get_or_insert(identity);
        }
    }

    /// The same for the engine.
    pub(in crate::cli) fn into_web(self) -> Web {
        Web { did: self.as_did, allow_private_hosts: self.hosts.allow_private_hosts }
    }
}

#[derive(Debug, Args)]
struct HostsArgs {
    /// Also ask hosts with addresses of this machine or of a local network. A DID comes from a stranger: allow it for DIDs of
    /// your own network only
    #[arg(long, env = "DIDAGENT_ALLOW_PRIVATE_HOSTS", value_parser = clap::builder::FalseyValueParser::new())]
    allow_private_hosts: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DidCommand {
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
