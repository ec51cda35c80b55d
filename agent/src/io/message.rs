//! `message`: one text for a person, over the mediator of that person.
//!
//! Specification: `spec/room.md`, RM-64.
//!
//! ```text
//! us                                     mediator of the recipient
//!   forward {sealed text} -------------->              from a DID that is made for this and forgotten
//!   trust ping            -------------->
//!                         <--------------  ping-response: it has taken the forward | problem-report: it has not
//! ```
//!
//! It needs no mailbox and so no lock: an engine of the same home is not disturbed. Not its concern: whether the text is ever read;
//! Basic Message has no receipts.

use std::time::Duration;

use didagent_didcomm::did::{self, web};
use didagent_didcomm::message::Message;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::basic_message::{BasicMessage, MAX_CONTENT};
use didagent_didcomm::protocols::report_problem::ProblemReport;
use didagent_didcomm::protocols::trust_ping::{Ping, PingResponse};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::core::connect::showable;
use crate::core::identity::Identity;
use crate::core::invite::{new_id, read_any_message, read_mediator_link};
use crate::core::pasted::Pasted;
use crate::core::post::{Post, PostError, mediators_of};
use crate::core::status::host_of;
use crate::core::who;
use crate::failure::{Failure, Kind};
use crate::io::home::{Home, MediatorChoice};
use crate::io::mediator_time::those_that_answer;
use crate::io::websocket::{self, FromMediator, Heard, MediatorLink};
use crate::io::{SystemRng, system_rng, unix_now};
use crate::io::{links, local_api};

/// How long the mediator may take to say that it took the message.
const TAKEN: Duration = Duration::from_secs(10);

/// How long a text is worth delivering, in seconds: as long as our mediators keep mail (RL-45).
const WEEK: u64 = 7 * 24 * 3600;

/// Messages of the mediator that wait for us.
const QUEUE: usize = 16;

/// What is to be sent.
#[derive(Debug)]
pub(crate) struct Request {
    /// The home.
    pub(crate) home: Home,
    /// A DID, an invitation, or the name of a contact.
    pub(crate) to: String,
    /// The text.
    pub(crate) text: String,
    /// Links of the mediators at which answers may reach us; otherwise the home's.
    pub(crate) mediators: Vec<String>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The message's id.
    pub(crate) id: String,
    /// Host of the mediator that was given the message.
    pub(crate) via: String,
    /// Whether the mediator says that it took the message. Whether anybody read it is never known.
    pub(crate) taken: bool,
}

/// Sends the text.
///
/// # Errors
/// When the recipient is not known or cannot be written to, or its mediator cannot be reached or refuses.
pub(crate) async fn run(request: Request) -> Result<Sent, Failure> {
    let Request { home, to, text, mediators } = request;
    if text.trim().is_empty() || text.len() > MAX_CONTENT {
        let message = format!("the text must have 1 to {MAX_CONTENT} bytes, and not only spaces");
        return Err(Failure::new(Kind::Usage, message).hint("didagent message bob 'I am a minute late'"));
    }
    let given = mediators.iter().map(|link| read_mediator_link(link, unix_now()));
    let given = MediatorChoice::of(given.collect::<Result<_, _>>()?);
    check_identity(&home).await?;
    let did = recipient(&home, &to).await?;
    let theirs = mediators_of(&did).map_err(|error| unusable(&error))?;
    let own = given.or(home.mediator()?).map_or_else(|| theirs.clone(), MediatorChoice::all);
    let silent = |mediator: &str| tracing::warn!(host = host_of(mediator), "a mediator does not answer");
    let keeper = those_that_answer(theirs, None, 1, silent).await.into_iter().next().unwrap_or_default();
    let identity = home.identity_or_new()?;
    let connection = identity.connection_of(&own);
    let mut rng = system_rng()?;
    let nobody = Identity::generate(&mut rng);
    let carrier = nobody.connection(&keeper);
    let (us, carrier) = (
        Post { identity: &identity, connection: &connection },
        Post { identity: &nobody, connection: &carrier },
    );

    let id = new_id(&mut rng);
    let message = BasicMessage { content: text }.message(id.clone());
    let parcel = us
        .carried_to_party(carrier, message, (&did, &keeper), (unix_now(), WEEK), &mut rng)
        .map_err(|error| unusable(&error))?;
    let (to_us, heard) = mpsc::channel(QUEUE);
    let link = websocket::connect(&keeper, None, to_us)?;
    link.send(parcel.text).await;
    let mut waiting =
        Waiting { carrier, keeper: &keeper, forward: parcel.thread, ping: new_id(&mut rng), heard };
    let taken = waiting.wait(&link, &mut rng).await;
    link.close().await;
    Ok(Sent { id, via: host_of(&keeper), taken: taken? })
}

/// Fails while the home takes part in a room under a DID that was made for it: whoever reads the text would learn who that is (CN-81).
async fn check_identity(home: &Home) -> Result<(), Failure> {
    // Without an engine there is no room.
    let Ok(status) = local_api::status(home, false).await else { return Ok(()) };
    let own = home.identity_or_new()?;
    // A did:web is no secret of its key, nor the key of it.
    if status.identity == own.did() || status.identity.starts_with(web::PREFIX) {
        return Ok(());
    }
    let message = "this home takes part in a room under a DID that was made for it, and a message would show its own identity";
    Err(Failure::new(Kind::NotNow, message)
        .hint("wait until the room is over; or --home DIR for another home"))
}

/// Finds the DID that is meant.
async fn recipient(home: &Home, to: &str) -> Result<String, Failure> {
    let to = to.trim();
    if to.starts_with("did:") {
        return Ok(did::did_of(to).to_owned());
    }
    if to.contains("://") {
        return read_any_message(links::invitation(&Pasted::read(to)?).await?, unix_now());
    }
    let named = match local_api::address(home, to).await {
        // Nobody sits in a room here, so it is somebody from an earlier one.
        Err(failure) if matches!(failure.kind, Kind::NoEngine | Kind::EngineSilent) => {
            let contacts = home.contacts()?;
            let contact = who::find(to, &contacts.contacts);
            contact.map(|contact| contact.connections.first().cloned().unwrap_or_default())
        }
        answered => answered,
    };
    named.map_err(|failure| who::hinting(failure, "message"))
}

fn unusable(error: &PostError) -> Failure {
    Failure::new(Kind::LinkDamaged, format!("the recipient cannot be written to: {error}"))
        .hint("ask for the DID or the link again")
}

/// The forward that may be refused, and the ping behind it: a mediator takes the messages of a socket in their order.
struct Waiting<'a> {
    carrier: Post<'a>,
    keeper: &'a str,
    forward: String,
    ping: String,
    heard: mpsc::Receiver<FromMediator>,
}

impl Waiting<'_> {
    /// Returns whether the mediator says that it took the forward; `false` when it says nothing.
    async fn wait(&mut self, link: &MediatorLink, rng: &mut SystemRng) -> Result<bool, Failure> {
        let ping = Ping { response_requested: true }.message(self.ping.clone());
        let parcel =
            self.carrier.to_mediator(ping, self.keeper, unix_now(), rng).map_err(|error| unusable(&error))?;
        link.send(parcel.text).await;
        let deadline = Instant::now() + TAKEN;
        while let Ok(Some(FromMediator { heard, .. })) = timeout_at(deadline, self.heard.recv()).await {
            match heard {
                Heard::Unreachable(failure) => return Err(failure),
                Heard::Lost(why) => {
                    let message =
                        format!("lost the connection to the mediator before it took the message: {why}");
                    return Err(Failure::new(Kind::MediatorLost, message).hint("the same again"));
                }
                Heard::Text(text) => {
                    let Some(message) = self.opened(&text) else { continue };
                    if PingResponse::try_from(&message).is_ok() && message.thread() == self.ping {
                        return Ok(true);
                    }
                    if let Ok(report) = ProblemReport::try_from(&message)
                        && message.pthid.as_deref() == Some(&self.forward)
                    {
                        let message =
                            format!("the mediator did not take the message: {}", showable(&report.text()));
                        return Err(Failure::new(Kind::MediatorRefused, message)
                            .hint("ask the recipient for a link or DID that is in use now"));
                    }
                }
            }
        }
        Ok(false)
    }

    fn opened(&self, text: &str) -> Option<Message> {
        let opened = self.carrier.open(text.as_bytes(), unix_now()).ok()?;
        opened.sender.is_some_and(|sender| sender.did == self.keeper).then_some(opened.message)
    }
}
