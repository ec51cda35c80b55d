//! The command line: words to plans, reports to screens. Thin; what happens is in `core` and `io`.

mod args;
mod contacts;
mod credential;
mod demo;
mod did;
mod identity;
mod json;
mod lobby;
mod message;
mod ping;
mod privacy;
mod qr;
mod room;
mod rooms;
mod screen;
mod status;
mod verify;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use didagent_didcomm::protocols::lobby::Title;

use crate::core::party_list::PartyList;
use crate::failure::{Failure, Kind};
use crate::io::engine::{self, Opening, Plan, Role};
use crate::io::home::Home;
use crate::io::{self, local_api, party_lists, stdout, supervise};
use crate::report::Reporter;
use args::{AgainArgs, Cli, Command, DidCommand, Expiry, MediatorCommand, RoomArgs, RunArgs};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    io::end_with_parent();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors and go to stdout; clap knows.
            let _ = error.print();
            if error.kind() == clap::error::ErrorKind::UnknownArgument && is_a_program(&error) {
                eprintln!("\n  try: `--` in front of the program, and didagent's own options before it:");
                eprintln!("       didagent invite --parties 3 -- python vote.py 42");
            }
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
            ExitCode::from(code)
        }
        Err(failure) => ExitCode::from(fail(&failure)),
    }
}

/// Says whether what was not expected is no option: most likely the program.
fn is_a_program(error: &clap::Error) -> bool {
    use clap::error::{ContextKind, ContextValue};
    let word = error.get(ContextKind::InvalidArg);
    matches!(word, Some(ContextValue::String(word)) if !word.starts_with('-'))
}

async fn dispatch(cli: Cli) -> u8 {
    // These need no home: it may have no default, and the supervisor is told everything by the engine.
    let command = match cli.command {
        Command::Demo(args) => return demo::run(args).await,
        Command::Explain { code } => return data(explain(&code)),
        Command::Verify(args) => return verified(verify::run(&args)),
        Command::Supervise { socket, command } => return supervise::supervise(&socket, &command).await,
        command => command,
    };
    let home = match Home::at(cli.home) {
        Ok(home) => home,
        Err(failure) => return fail(&failure),
    };
    match command {
        Command::Invite { parties: None, privacy, link, room, .. } => {
            match go_on(&home, room, privacy.no_privacy).await {
                Ok(room) => take_part(home, Role::Resume, room, link.qr, (None, None)).await,
                Err((failure, json)) => fail_as(&failure, json),
            }
        }
        Command::Invite {
            parties: Some(parties),
            expires,
            privacy,
            link,
            approve,
            require,
            post,
            room,
            ..
        } => {
            let (parties, expires_in) = (usize::from(parties), expires.as_secs());
            let require_issuer = require.require_issuer;
            let checked = async {
                credential::check_issuers(&require_issuer)?;
                privacy::check(parties, &room, privacy.no_privacy).await?;
                lobby::check_host(parties, &room, &post).await
            };
            if let Err(failure) = checked.await {
                return fail_as(&failure, room.json);
            }
            let approval = approve.approval();
            let role =
                Role::Host(Opening { parties, expires_in, link: link.form(), require_issuer, approval });
            take_part(home, role, room, link.qr, (post.lobby, None)).await
        }
        Command::Join { link, room } => match read_link(link, room.json).await {
            Ok(link) => take_part(home, Role::Guest { link }, room, false, (None, None)).await,
            Err(failure) => fail_as(&failure, room.json),
        },
        Command::Run(RunArgs { roster, wait, privacy, room }) => {
            let list = party_lists::read(&roster).and_then(|list| {
                // Whoever wrote the file knows.
                let is_meant = privacy.no_privacy || list.threshold() == Some(0);
                privacy::check_unasked(list.parties().len(), &room, is_meant)?;
                Ok(list)
            });
            known(home, list, wait, room).await
        }
        Command::Again(AgainArgs { wait, privacy, mut room }) => {
            let last = party_lists::last(&home);
            let list = last.map(|(list, identity)| {
                // The others know this party by it.
                let ours = list.index_of(&identity);
                let called = ours.and_then(|index| list.parties().get(index)?.name.clone());
                room.name = room.name.take().or(called);
                room.web.stay(identity);
                list
            });
            let checked = async {
                let list = list?;
                privacy::check(list.parties().len(), &room, privacy.no_privacy).await?;
                Ok(list)
            };
            let list = checked.await;
            known(home, list, wait, room).await
        }
        Command::Lobby { command } => lobby::run(home, command).await,
        Command::Ports => data(ports(&home).await),
        Command::Status(args) => data(status::run(&home, &args).await),
        Command::Message(args) => message::run(home, args).await,
        Command::Ping(args) => ping::run(home, args).await,
        Command::Room { command } => data(room::run(&home, command).await),
        Command::Wait(args) => data(room::wait(&home, &args).await),
        Command::Identity { command } => data(identity::run(&home, &command)),
        Command::Credential { command } => data(credential::run(&home, command).await),
        Command::Did { command: DidCommand::Resolve(args) } => data(did::resolve(&home, &args).await),
        Command::Contacts(args) => data(contacts::run(&home, args)),
        Command::Demo(_)
        | Command::Explain { .. }
        | Command::Verify(_)
        | Command::Supervise { .. }
        | Command::Mediator { .. } => {
            fail(&Failure::new(Kind::Other, "this command was to be started earlier"))
        }
    }
}

/// Takes part in the room of parties that are known beforehand.
async fn known(home: Home, list: Result<PartyList, Failure>, wait: Expiry, room: RoomArgs) -> u8 {
    match list {
        Ok(list) => {
            take_part(home, Role::Listed { list, wait: wait.as_secs() }, room, false, (None, None)).await
        }
        Err(failure) => fail_as(&failure, room.json),
    }
}

/// Looks at the room that is to go on before anything is asked of the network, and takes from it the host's name, and whether its
/// person compares the words.
async fn go_on(home: &Home, mut room: RoomArgs, no_privacy: bool) -> Result<RoomArgs, (Failure, bool)> {
    let json = room.json;
    let kept = engine::kept_room(home).map_err(|failure| (failure, json))?;
    room.name.get_or_insert(kept.name);
    room.confirm.as_before(kept.confirm);
    match privacy::check(kept.lobby.seats, &room, no_privacy).await {
        Ok(()) => Ok(room),
        Err(failure) => Err((failure, json)),
    }
}

/// `lobby` is a host's title there, and for a guest the mediator whose lobby the link is from.
async fn take_part(
    home: Home,
    role: Role,
    room: RoomArgs,
    qr: bool,
    lobby: (Option<Title>, Option<String>),
) -> u8 {
    let plan = Plan {
        home,
        name: room.name,
        role,
        mediators: room.mediator,
        patience: room.patience.duration(),
        confirm: room.confirm.limit(),
        command: room.command,
        comparing: room.comparing.into(),
        keeping: room.transcripts.into(),
        capture: room.json,
        asks: !room.json && io::can_ask(),
        strangers: room.new_did.strangers(room.web.is_web(), lobby.0, lobby.1),
        web: room.web.into_web(),
    };
    let mut reporter: Box<dyn Reporter> = match room.json {
        true => Box::new(json::JsonLines::new()),
        false => {
            Box::new(screen::Screen::new(plan.name.clone().unwrap_or_else(io::user_name), qr, plan.asks))
        }
    };
    engine::run(plan, reporter.as_mut()).await
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

/// Waits for MPyC's arguments, and says so unless they are there at once.
async fn ports(home: &Home) -> Result<String, Failure> {
    let mut asking = std::pin::pin!(local_api::ports(home));
    let ports = tokio::select! {
        ports = &mut asking => ports,
        () = io::a_moment() => {
            eprintln!("  waiting until everybody is ready ...");
            asking.await
        }
    };
    Ok(ports?.join(" "))
}

fn explain(code: &str) -> Result<String, Failure> {
    let is_it = |kind: &&Kind| {
        let digits = kind.code().trim_start_matches('E');
        kind.code().eq_ignore_ascii_case(code) || digits == code
    };
    let Some(kind) = Kind::ALL.iter().find(is_it) else {
        return Err(Failure::new(Kind::Usage, format!("there is no error code {code}"))
            .hint("a code looks like E0405, as it stands in `error[E0405]: ...`"));
    };
    let stopped = if kind.can_stop_a_program() { ", or 125 if a program was stopped for it" } else { "" };
    Ok(format!("{} (exit code {}{stopped}): {}", kind.code(), kind.exit(), kind.about()))
}

/// Prints a command's data on stdout, or its failure on stderr.
fn data(result: Result<String, Failure>) -> u8 {
    match result {
        Ok(text) => {
            let written = if text.is_empty() { Ok(()) } else { writeln!(std::io::stdout(), "{text}") };
            match written {
                // A closed pipe is the reader's choice, not a failure.
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    fail(&Failure::new(Kind::Other, format!("stdout cannot be written: {error}")))
                }
                _ => 0,
            }
        }
        Err(failure) => fail(&failure),
    }
}

/// Prints what became of a verification, which may be text of a failure too.
fn verified(result: Result<(String, u8), Failure>) -> u8 {
    match result {
        Ok((text, code)) => data(Ok(text)).max(code),
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> u8 {
    eprintln!("{}", failure.screen());
    failure.kind.exit()
}

fn fail_as(failure: &Failure, json: bool) -> u8 {
    if json {
        json::JsonLines::new().report(&crate::report::Report::Failed(failure.clone()));
        return failure.kind.exit();
    }
    fail(failure)
}
