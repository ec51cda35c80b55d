//! The command line: words to plans, reports to screens. Thin; what happens is in `core` and `io`.

mod args;
mod demo;
mod json;
mod ping;
mod screen;
mod status;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::failure::{Failure, Kind};
use crate::io::engine::{self, Plan, Role};
use crate::io::home::Home;
use crate::io::{self, local_api, stdout, supervise};
use crate::report::Reporter;
use args::{Cli, Command, IdentityCommand, MediatorCommand, RoomArgs};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors and go to stdout; clap knows.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Kind::Usage.exit() } else { 0 });
        }
    };
    if let Err(failure) = io::logging::start(cli.log.as_deref()) {
        return ExitCode::from(fail(&failure));
    }
    // The mediator brings a runtime of its own.
    if let Command::Mediator { command: MediatorCommand::Serve(args) } = &cli.command {
        return ExitCode::from(didagent_mediator::serve_command(args));
    }
    match io::runtime() {
        Ok(runtime) => {
            let code = runtime.block_on(async {
                let code = dispatch(cli).await;
                stdout::flushed().await;
                code
            });
            // A blocked read of stdin would hold the process for ever.
            runtime.shutdown_background();
            ExitCode::from(code)
        }
        Err(failure) => ExitCode::from(fail(&failure)),
    }
}

async fn dispatch(cli: Cli) -> u8 {
    // These need no home: it may have no default, and the supervisor is told everything by the engine.
    let command = match cli.command {
        Command::Demo(args) => return demo::run(args).await,
        Command::Explain { code } => return data(explain(&code)),
        Command::Supervise { socket, command } => return supervise::supervise(&socket, &command).await,
        command => command,
    };
    let home = match Home::at(cli.home) {
        Ok(home) => home,
        Err(failure) => return fail(&failure),
    };
    match command {
        Command::Invite { parties, expires, room } => {
            let role = Role::Host { parties: usize::from(parties), expires_in: expires.as_secs() };
            take_part(home, role, room).await
        }
        Command::Join { link, room } => match read_link(link, room.json).await {
            Ok(link) => take_part(home, Role::Guest { link }, room).await,
            Err(failure) => fail_as(&failure, room.json),
        },
        Command::Ports => data(local_api::ports(&home).await.map(|ports| ports.join(" "))),
        Command::Status(args) => data(status::run(&home, &args).await),
        Command::Ping(args) => ping::run(home, args).await,
        Command::Identity { command } => data(identity(&home, &command)),
        Command::Contacts { json } => data(contacts(&home, json)),
        Command::Demo(_) | Command::Explain { .. } | Command::Supervise { .. } | Command::Mediator { .. } => {
            fail(&Failure::new(Kind::Other, "this command was to be started earlier"))
        }
    }
}

async fn take_part(home: Home, role: Role, room: RoomArgs) -> u8 {
    let name = match room.name {
        Some(name) => name,
        None => io::user_name(),
    };
    let plan = Plan { home, name, role, mediator: room.mediator, command: room.command, capture: room.json };
    let mut reporter = reporter(room.json);
    engine::run(plan, reporter.as_mut()).await
}

fn reporter(json: bool) -> Box<dyn Reporter> {
    if json { Box::new(json::JsonLines::new()) } else { Box::new(screen::Screen::new()) }
}

/// Takes the link from the command line, or from stdin: arguments show in the list of processes.
async fn read_link(argument: Option<String>, json: bool) -> Result<String, Failure> {
    match argument {
        Some(link) if link != "-" => Ok(link),
        given => {
            if given.is_none() && !json {
                eprintln!("paste the invitation link:");
            }
            io::read_link_from_stdin().await
        }
    }
}

fn identity(home: &Home, command: &IdentityCommand) -> Result<String, Failure> {
    match command {
        IdentityCommand::Show => Ok(home.identity_or_new()?.did().to_owned()),
        IdentityCommand::New => {
            if let Some(identity) = home.identity()? {
                let message = format!("this home has an identity already: {}", identity.did());
                return Err(Failure::new(Kind::Usage, message).hint("use another home with --home DIR"));
            }
            Ok(home.identity_or_new()?.did().to_owned())
        }
    }
}

fn contacts(home: &Home, json: bool) -> Result<String, Failure> {
    let contacts = home.contacts()?;
    if json {
        return serde_json::to_string(&contacts).map_err(|error| {
            Failure::new(Kind::Other, format!("contacts cannot be written as JSON: {error}"))
        });
    }
    let lines: Vec<_> =
        contacts.contacts.iter().map(|contact| format!("{}  {}", contact.name, contact.identity)).collect();
    Ok(lines.join("\n"))
}

fn explain(code: &str) -> Result<String, Failure> {
    let known = Kind::ALL.iter().find(|kind| kind.code().eq_ignore_ascii_case(code));
    known
        .map(|kind| format!("{} (exit code {}): {}", kind.code(), kind.exit(), kind.about()))
        .ok_or_else(|| Failure::new(Kind::Usage, format!("there is no error code {code}")))
}

/// Prints a command's data on stdout, or its failure on stderr.
fn data(result: Result<String, Failure>) -> u8 {
    match result {
        Ok(text) => {
            // A closed pipe is the reader's choice, not a failure.
            let _ = if text.is_empty() { Ok(()) } else { writeln!(std::io::stdout(), "{text}") };
            0
        }
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> u8 {
    eprintln!("{}", failure.screen());
    failure.kind.exit()
}

fn fail_as(failure: &Failure, json: bool) -> u8 {
    reporter(json).report(&crate::report::Report::Failed(failure.clone()));
    failure.kind.exit()
}
