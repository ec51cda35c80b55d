//! `didagent room` and `didagent wait`: what another terminal asks of the room that is open.

use std::time::Duration;

use super::args::{RoomCommand, WaitArgs};
use super::{rooms, status};
use crate::core::status::Phase;
use crate::failure::{Failure, Kind};
use crate::io;
use crate::io::home::Home;
use crate::io::local_api::{self, Order};

/// Does it, and returns what is printed.
///
/// # Errors
/// Those of [`local_api::status`] and [`local_api::order`].
pub(super) async fn run(home: &Home, command: RoomCommand) -> Result<String, Failure> {
    let (order, name) = match command {
        RoomCommand::Show(args) => return status::run(home, &args).await,
        RoomCommand::Ls { json } => return rooms::run(home, json).await,
        RoomCommand::Start => (Order::Start, None),
        RoomCommand::Kick { name } => (Order::Kick, Some(name)),
        RoomCommand::Confirm { no: true, .. } => (Order::Refuse, None),
        RoomCommand::Confirm { words, .. } if words.is_empty() => (Order::Confirm, None),
        RoomCommand::Confirm { words, .. } => (Order::Confirm, Some(words.join(" "))),
        RoomCommand::Approve { name } => (Order::Approve, Some(name)),
        RoomCommand::Refuse { name } => (Order::TurnAway, Some(name)),
        RoomCommand::Close => (Order::Close, None),
    };
    local_api::order(home, order, name).await.map(|()| String::new())
}

/// Waits until enough parties have a seat, or everybody is ready.
///
/// # Errors
/// [`Kind::NotReady`] when the time is over, and those of [`local_api::status`].
pub(super) async fn wait(home: &Home, args: &WaitArgs) -> Result<String, Failure> {
    let seconds = args.timeout.as_secs();
    let enough = async {
        loop {
            let status = local_api::status(home, false).await?;
            let is_enough = match args.parties {
                Some(wanted) => status.parties.len() >= usize::from(wanted),
                None => matches!(status.phase, Phase::Running | Phase::Ending),
            };
            if is_enough {
                return Ok(String::new());
            }
            io::a_moment().await;
        }
    };
    match io::within(Duration::from_secs(seconds), enough).await {
        Some(done) => done,
        None => {
            let what = match args.parties {
                Some(wanted) => format!("{wanted} parties did not come"),
                None => "not everybody was ready".to_owned(),
            };
            Err(Failure::new(Kind::NotReady, format!("{what} within {seconds} s"))
                .hint("didagent status    (shows who is there)"))
        }
    }
}
