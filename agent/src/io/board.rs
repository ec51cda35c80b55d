//! The board of a mediator, as a guest reads it.
//!
//! Specification: `spec/lobby.md`, LB-09 and LB-11.
//!
//! ```text
//! a DID that nobody has seen       mediator
//!   list {id?} -------------->
//!                   <--------------  posts | problem report
//! ```
//!
//! It needs no mailbox and so no lock: an engine of the same home is not disturbed. Not its concern: what follows from a post
//! (`core::board`), a host's post (`io::engine`).

use std::time::Duration;

use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::lobby::{List, Listed, PostId, Posts, refusal};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::core::connect::showable;
use crate::core::identity::Identity;
use crate::core::invite::{new_id, read_mediator_link};
use crate::core::post::Post;
use crate::core::status::host_of;
use crate::failure::{Failure, Kind};
use crate::io::home::{Home, MediatorChoice};
use crate::io::mediator_time::those_that_answer;
use crate::io::websocket::{self, FromMediator, Heard};
use crate::io::{system_rng, unix_now};

/// How long the mediator may take to answer, the connection included.
const ANSWER: Duration = Duration::from_secs(20);

/// Most posts that are taken from a mediator: ours show 128.
const MAX_POSTS: usize = 1024;

/// What is on a board.
#[derive(Debug)]
pub(crate) struct Board {
    /// The DID of the mediator that has it.
    pub(crate) mediator: String,
    /// The posts, the newest first.
    pub(crate) posts: Vec<Listed>,
}

/// Reads the board of the first of these mediators that answers, given as links; without any, of the home's. With an `id` only that
/// post.
///
/// # Errors
/// [`Kind::NoMediator`], [`Kind::NoLobby`], [`Kind::MediatorRefused`], [`Kind::LobbyBroken`], and what keeps from reaching a mediator.
pub(crate) async fn read(home: &Home, links: &[String], id: Option<PostId>) -> Result<Board, Failure> {
    let given = links.iter().map(|link| read_mediator_link(link, unix_now()));
    let given = MediatorChoice::of(given.collect::<Result<_, _>>()?);
    let Some(mediators) = given.or(home.mediator()?).map(MediatorChoice::all) else {
        return Err(Failure::new(Kind::NoMediator, "this home has no mediator yet, so no lobby")
            .hint("didagent lobby list --mediator LINK"));
    };
    let silent = |mediator: &str| tracing::warn!(host = host_of(mediator), "a mediator does not answer");
    let taken = those_that_answer(mediators, None, 1, silent).await;
    let mediator = taken.into_iter().next().unwrap_or_default();
    match timeout(ANSWER, ask(&mediator, List { id })).await {
        Ok(posts) => Ok(Board { posts: posts?, mediator }),
        Err(_) => {
            let (host, seconds) = (host_of(&mediator), ANSWER.as_secs());
            Err(Failure::new(
                Kind::MediatorUnreachable,
                format!("{host} did not say within {seconds} s what is in its lobby"),
            )
            .hint("the same again"))
        }
    }
}

async fn ask(mediator: &str, list: List) -> Result<Vec<Listed>, Failure> {
    let mut rng = system_rng()?;
    // Whoever looks around is nobody in particular.
    let nobody = Identity::generate(&mut rng);
    let connection = nobody.connection(mediator);
    let post = Post { identity: &nobody, connection: &connection };
    let (to_us, mut heard) = mpsc::channel(1);
    let link = websocket::connect(mediator, None, to_us)?;
    let request = list.message(new_id(&mut rng));
    let thread = request.id.clone();
    let parcel = post
        .to_mediator(request, mediator, unix_now(), &mut rng)
        .map_err(|error| Failure::new(Kind::Other, format!("a message cannot be sent: {error}")))?;
    link.send(parcel.text).await;
    let answer = loop {
        match heard.recv().await {
            Some(FromMediator { heard: Heard::Text(text), .. }) => {
                let Ok(opened) = post.open(text.as_bytes(), unix_now()) else { continue };
                if opened.sender.is_some_and(|sender| sender.did == mediator)
                    && let Some(answer) = answered(&opened.message, &thread, mediator)
                {
                    break answer;
                }
            }
            Some(FromMediator { heard: Heard::Unreachable(failure), .. }) => break Err(failure),
            Some(FromMediator { heard: Heard::Lost(why), .. }) => {
                let message = format!("lost the connection to {}: {why}", host_of(mediator));
                break Err(Failure::new(Kind::MediatorLost, message).hint("the same again"));
            }
            None => {
                let message = format!("lost the connection to {}", host_of(mediator));
                break Err(Failure::new(Kind::MediatorLost, message).hint("the same again"));
            }
        }
    };
    link.close().await;
    answer
}

/// Reads an answer; `None` if it is one to something else.
fn answered(message: &Message, thread: &str, mediator: &str) -> Option<Result<Vec<Listed>, Failure>> {
    if let Ok(report) = ProblemReport::try_from(message) {
        return (message.pthid.as_deref() == Some(thread)).then(|| Err(refused(&report, mediator)));
    }
    if message.thread() != thread {
        return None;
    }
    let broken = |why: &str| {
        let message = format!("what {} gave is no lobby: {why}", host_of(mediator));
        Failure::new(Kind::LobbyBroken, message)
    };
    Some(match Posts::try_from(message) {
        Ok(posts) if posts.posts.len() <= MAX_POSTS => Ok(posts.posts),
        Ok(_) => Err(broken("it is endless")),
        Err(error) => Err(broken(&error.to_string())),
    })
}

fn refused(report: &ProblemReport, mediator: &str) -> Failure {
    let host = host_of(mediator);
    match report.code.as_str() {
        refusal::TOO_FAST => Failure::new(
            Kind::MediatorRefused,
            format!("{host} is asked for its lobby too often from this network"),
        )
        .hint("the same again in a minute"),
        _ => no_lobby(mediator, &showable(&report.text())),
    }
}

/// What a person is told where there is no board.
pub(crate) fn no_lobby(mediator: &str, why: &str) -> Failure {
    let host = host_of(mediator);
    Failure::new(Kind::NoLobby, format!("the mediator at {host} has no lobby: {why}"))
        .hint("ask its operator for `--lobby`, or use another one: --mediator LINK")
}
