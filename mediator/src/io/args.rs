//! The `serve` command: arguments, runtime, exit codes.

use std::io::Write as _;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;
use tokio::runtime::{Builder, Runtime};

use super::server::{Config, ServeError, Server};
use super::{KeyError, os};
use crate::core::features::Part;

/// Arguments of `didagent-mediator serve` and `didagent mediator serve`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  didagent-mediator serve --listen 127.0.0.1:0
  didagent-mediator serve --listen 127.0.0.1:8080 --public-url https://med.example.org --data /var/lib/didagent-mediator
  DIDAGENT_LOG=debug didagent-mediator serve
  didagent-mediator serve --lobby

TLS is left to a proxy in front that speaks wss to clients and ws to this program.")]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:8080",
        env = "DIDAGENT_MEDIATOR_LISTEN"
    )]
    pub listen: SocketAddr,
    /// URL under which clients reach it (http, https, ws or wss) [default: http:// and the listen address]
    #[arg(long, value_name = "URL", env = "DIDAGENT_MEDIATOR_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Directory for its keys; without it the mediator is another one after each start.
    #[arg(long, value_name = "DIR", env = "DIDAGENT_MEDIATOR_DATA")]
    pub data: Option<PathBuf>,
    /// Threads that carry bytes [default: one for every two cores, since the system's network needs the other]
    #[arg(long, value_name = "N", env = "DIDAGENT_MEDIATOR_THREADS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Leave out a part, as if this mediator did not know it; can be given more than once: coordinate-mediation/2.0,
    /// coordinate-mediation/3.0, messagepickup/3.0, message-pickup/4.0, live-delivery, relay/1.0 (without it, rooms cannot
    /// meet here), short-link/1.0 (without it, links of rooms are long), shorten-url/1.0, lobby/1.0 (without --lobby it is left out).
    #[arg(long, value_name = "PART", env = "DIDAGENT_MEDIATOR_WITHOUT", value_delimiter = ',')]
    pub without: Vec<Part>,
    /// Keep a lobby: a board on which hosts post rooms that strangers may join, for at most a few hours each. What they write there
    /// everybody can read who can reach this mediator, and nobody has checked it. A proxy on this machine must write
    /// X-Forwarded-For, or all clients count as one.
    #[arg(long, env = "DIDAGENT_MEDIATOR_LOBBY", value_parser = clap::builder::FalseyValueParser::new())]
    pub lobby: bool,
}

/// Runs a mediator until SIGTERM or Ctrl-C and returns the exit code: 0 when stopped, 1 for other errors, 2 for unusable
/// arguments, 5 when it cannot listen, 8 when its keys are unusable.
///
/// The first line on stdout is the invitation link; everything else goes to the log. It brings its own runtime, so it is
/// called from outside of one.
pub fn serve_command(args: &ServeArgs) -> u8 {
    match run(args) {
        Ok(()) => 0,
        Err(error) => {
            // The one place that speaks to people: without a log subscriber an error would be lost.
            let mut stderr = std::io::stderr();
            let _ = writeln!(stderr, "error: {error}");
            if let Some(hint) = error.hint() {
                let _ = writeln!(stderr, "  try: {hint}");
            }
            match error {
                ServeError::PublicUrl { .. } | ServeError::PublicUrlNeeded => 2,
                ServeError::Listen { .. } => 5,
                ServeError::Keys(
                    KeyError::Io { .. } | KeyError::Malformed { .. } | KeyError::Readable { .. },
                ) => 8,
                _ => 1,
            }
        }
    }
}

fn run(args: &ServeArgs) -> Result<(), ServeError> {
    runtime(args.threads.map(usize::from)).map_err(ServeError::Runtime)?.block_on(async {
        let config = Config {
            listen: args.listen,
            public_url: args.public_url.clone(),
            data: args.data.clone(),
            without: args.without.clone(),
            lobby: args.lobby,
        };
        // Before the link is out: whoever reads it may stop us at once.
        let stop = os::stop_requested().map_err(ServeError::Runtime)?;
        let server = Server::bind(config).await?;
        let mut stdout = std::io::stdout();
        let _ = writeln!(stdout, "{}", server.invitation_link()).and_then(|()| stdout.flush());
        server.run(stop).await;
        Ok(())
    })
}

/// One thread is not one worker of many: a runtime that knows only one wakes nobody, and carries a message for an eighth less.
fn runtime(threads: Option<usize>) -> std::io::Result<Runtime> {
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    match threads.unwrap_or_else(|| cores() / 2) {
        0 | 1 => Builder::new_current_thread().enable_all().build(),
        workers => Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
    }
}
