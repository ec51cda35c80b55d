//! `didagent lobby`, and what hosts and guests are asked before they meet strangers.
//!
//! Schema of the list: `spec/schemas/lobby.schema.json`.

use didagent_bridge::launch;
use didagent_didcomm::protocols::lobby::{Listed, PostId};
use serde_json::json;

use super::args::{ListArgs, LobbyCommand, PostArgs, RoomArgs, StrangersArgs};
use super::json::JsonLines;
use super::{data, fail_as, take_part};
use crate::core::board::{check_link, check_program, warning};
use crate::core::clock::duration;
use crate::core::room::ThresholdRule;
use crate::core::status::host_of;
use crate::failure::{Failure, Kind};
use crate::io::board::{self, Board};
use crate::io::engine::{Comparing, Role, told};
use crate::io::home::Home;
use crate::io::program::Program;
use crate::io::{self, unix_now};
use crate::report::{Report, Reporter as _};

/// Runs a command about the lobby.
pub(super) async fn run(home: Home, command: LobbyCommand) -> u8 {
    match command {
        LobbyCommand::List(args) => data(list(&home, &args).await),
        LobbyCommand::Join { id, consent, room } => match found(&home, id, &consent, &room).await {
            Ok((link, mediator)) => {
                take_part(home, Role::Guest { link }, room, false, (None, Some(mediator))).await
            }
            Err(failure) => fail_as(&failure, room.json),
        },
    }
}

/// Asks the person of a host whether strangers are meant, if its room is to be posted.
///
/// # Errors
/// [`Kind::Strangers`] without a yes.
pub(super) async fn check_host(parties: usize, room: &RoomArgs, post: &PostArgs) -> Result<(), Failure> {
    match post.lobby {
        Some(_) => ask(parties, room, &post.consent, "Post the room").await,
        None => Ok(()),
    }
}

/// Finds a room in the lobby; returns its link and the mediator.
async fn found(
    home: &Home,
    id: PostId,
    consent: &StrangersArgs,
    room: &RoomArgs,
) -> Result<(String, String), Failure> {
    if room.command.is_empty() {
        return Err(Failure::new(Kind::Usage, "a room of the lobby is joined with its program")
            .hint(format!("didagent lobby join {id} -- python vote.py 17")));
    }
    let ours = told(&Program::check(room.command.clone(), Comparing::default()).await?)?;
    let Board { mediator, posts } = board::read(home, &room.mediator, Some(id.clone())).await?;
    let post = posts.into_iter().find(|post| post.id == id);
    let post = post.ok_or_else(|| {
        let host = host_of(&mediator);
        Failure::new(
            Kind::LobbyPostUnknown,
            format!("there is no room {id} in the lobby of {host}: it is full or over, or was never there"),
        )
        .hint("didagent lobby list")
    })?;
    check_program(&post, ours.sha256.as_str())?;
    let link = post.link.clone().ok_or_else(|| {
        Failure::new(Kind::LobbyBroken, format!("{} gave no link of the room", host_of(&mediator)))
    })?;
    check_link(&link, &mediator)?;
    if !room.json {
        eprintln!("  {} · {} parties, {} free", post.title, post.seats, post.free);
    }
    ask(usize::from(post.seats), room, consent, "Ask for a seat").await?;
    Ok((link.as_str().to_owned(), mediator))
}

/// Says what strangers can do, and asks for a yes unless one was given.
async fn ask(
    parties: usize,
    room: &RoomArgs,
    consent: &StrangersArgs,
    question: &str,
) -> Result<(), Failure> {
    let command = didagent_bridge::io::resolve(&room.command);
    let rule = launch::threshold(&command).map_or(ThresholdRule::Default, ThresholdRule::Fixed);
    let what = warning(parties, rule.among(parties));
    if consent.strangers {
        match room.json {
            true => JsonLines::new().report(&Report::Warning(what)),
            false => eprintln!("warning: {what}"),
        }
        return Ok(());
    }
    if !room.json && io::can_ask() {
        eprint!("  {what}. {question} all the same? [y/N] ");
        if io::says_yes().await {
            return Ok(());
        }
    }
    Err(Failure::new(Kind::Strangers, what)
        .hint("a link for people whom you know, or --strangers if that is meant"))
}

/// Returns what is in the lobby.
async fn list(home: &Home, args: &ListArgs) -> Result<String, Failure> {
    let Board { mediator, posts } = board::read(home, &args.mediator, None).await?;
    let (host, now) = (host_of(&mediator), unix_now());
    if args.json {
        let posts: Vec<_> = posts.iter().map(|post| document(post, now)).collect();
        return Ok(json!({"v": 1, "mediator": host, "posts": posts}).to_string());
    }
    if posts.is_empty() {
        eprintln!("  no rooms in the lobby of {host}");
        return Ok(String::new());
    }
    eprintln!("  lobby of {host}; what stands there is what strangers wrote");
    Ok(posts.iter().map(|post| line(post, now)).collect::<Vec<_>>().join("\n"))
}

fn line(post: &Listed, now: u64) -> String {
    let Listed { id, title, program, seats, free, expires_time, .. } = post;
    let digest = didagent_bridge::manifest::short_digest(Some(program.sha256.as_str()));
    let ends = duration(expires_time.saturating_sub(now));
    format!("{id}  {free} of {seats} free  {} {digest}  {ends}  {title}", program.name)
}

fn document(post: &Listed, now: u64) -> serde_json::Value {
    json!({
        "id": post.id,
        "title": post.title,
        "program": post.program,
        "seats": post.seats,
        "free": post.free,
        "threshold": post.threshold,
        "expires_in_seconds": post.expires_time.saturating_sub(now),
    })
}
