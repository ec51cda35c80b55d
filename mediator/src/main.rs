//! `didagent-mediator`: runs a mediator.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use didagent_mediator::{ServeArgs, serve_command};
use tracing_subscriber::EnvFilter;

/// DIDComm mailbox and blind relay of session records.
#[derive(Debug, Parser)]
#[command(name = "didagent-mediator", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until stopped; the first line on stdout is the invitation link.
    Serve(ServeArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("DIDAGENT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match cli.command {
        Command::Serve(args) => serve_command(&args).into(),
    }
}
