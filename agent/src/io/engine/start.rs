//! The start: everything that can fail before anybody else is involved.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::applicants::Asking;
use super::credentials;
use super::desk::{Desk, command_shown};
use super::keeper::{self, Keeper};
use super::links::DIALS;
use super::look::Looked;
use super::lookups::Lookups;
use super::paths::Paths;
use super::{Engine, Entry, MAILBOX, Plan, Role, Web, board};
use crate::core::allowance::Allowance;
use crate::core::clock;
use crate::core::connect::Mailbox;
use crate::core::identity::{ConnectionDid, Identity};
use crate::core::invite::{Invitation, read_mediator_link};
use crate::core::pairing::Policy;
use crate::core::pasted::Pasted;
use crate::core::post::{MAX_MEDIATORS, mediators_of};
use crate::core::room::{Listing, Member, Nonce, ThresholdRule, roster};
use crate::core::seen::Seen;
use crate::core::status::host_of;
use crate::core::who::short;
use crate::failure::{Failure, Kind};
use crate::io::home::{Home, MediatorChoice};
use crate::io::links;
use crate::io::local_api::{self, Shown};
use crate::io::mediator_time::{mediator_time, those_that_answer};
use crate::io::program::Program;
use crate::io::standstill::Standstill;
use crate::io::typed::Typed;
use crate::io::{has_aes_instructions, nonce, one_use, party_lists, system_rng, unix_now, websocket};
use crate::report::{Report, Reporter};

/// Messages of mediators that wait for the engine.
const QUEUE: usize = 64;

/// Questions of other commands that wait for the engine.
const ASKS: usize = 16;

/// How much longer guests of known parties wait than the host, who began at about the same time.
const GRACE: Duration = Duration::from_secs(3);

pub(super) async fn start(plan: Plan, reporter: &mut dyn Reporter) -> Result<Engine, Failure> {
    let mut rng = system_rng()?;
    plan.name.as_deref().map_or(Ok(()), check_name)?;
    plan.strangers.check_role(&plan.role)?;
    let keeping = plan.keeping.check()?;
    // What a person typed wrong is said before anything is asked of the network.
    let invitation = match &plan.role {
        Role::Guest { link } => Some(Pasted::read(link)?),
        Role::Host { .. } | Role::Listed { .. } | Role::Resume => None,
    };
    let invitation = match invitation {
        Some(Pasted::Full(link)) => Ok(Some(read_invitation(|now| Invitation::read(&link, now)).await?)),
        Some(pasted) => Err(pasted),
        None => Ok(None),
    };
    let given = plan.mediators.iter().map(|link| read_mediator_link(link, unix_now()));
    let given = MediatorChoice::of(given.collect::<Result<_, _>>()?);
    let shown_command = command_shown(&plan.command);
    let program = if plan.command.is_empty() {
        None
    } else {
        Some(Program::check(plan.command, plan.comparing).await?)
    };
    if program.as_ref().is_some_and(|program| !program.is_python()) {
        reporter.report(&Report::Warning(
            "the program is not Python, so nothing keeps a port that it opens from being reached from outside".to_owned(),
        ));
    }
    if didagent_session::NULL_CIPHER {
        reporter.report(&Report::Warning(
            "THIS BUILD ENCRYPTS NOTHING. It exists for a test and never talks to a real didagent."
                .to_owned(),
        ));
    }

    board::program(&plan.strangers, program.as_ref())?;

    // Only now, since a link for one use is used up by this.
    let invitation = match invitation {
        Ok(read) => read,
        Err(pasted) => {
            if matches!(pasted, Pasted::Readable(_)) {
                reporter.report(&Report::Warning(
                    "whoever keeps this kind of link can read the invitation and put another in its place"
                        .to_owned(),
                ));
            }
            let bytes = links::invitation(&pasted).await?;
            Some(read_invitation(|now| Invitation::from_message(bytes.clone(), now)).await?)
        }
    };

    plan.strangers.check(invitation.as_ref())?;

    // The host's own home is held, which would be a true answer and a useless one.
    if let (Some(invitation), Some(identity)) = (&invitation, plan.home.identity()?)
        && identity.connection_of(invitation.mediators()).did == invitation.host()
    {
        return Err(Failure::new(
            Kind::RoomRefused,
            "this link is this home's own invitation, and whoever invites takes part already",
        )
        .hint("send the link to the others; to be one more party on this machine: --home DIR"));
    }

    let lock = plan.home.lock(match plan.role {
        Role::Host { .. } | Role::Resume => "invite",
        Role::Guest { .. } => "join",
        Role::Listed { .. } => "run",
    })?;
    let (identity, again) = match plan.strangers.new_did {
        true => one_use::identity_for(&plan.home, invitation.as_ref(), unix_now(), &mut rng)?,
        false => (plan.home.identity_or_new()?, false),
    };
    one_use::forget_old(&plan.home, unix_now())?;
    let (mut web, mut role) = (plan.web, plan.role);
    let listing = begin_list(&plan.home, &identity, &mut role, &mut web).await?;
    let is_host = match &role {
        Role::Host { .. } | Role::Resume => true,
        Role::Guest { .. } => false,
        Role::Listed { .. } => listing.as_ref().is_some_and(|(_, ours)| *ours == 0),
    };
    let (mut lookups, identity) = Lookups::begin(&plan.home, identity, &web).await?;
    let name = plan.strangers.name(plan.name, identity.did(), again, reporter);
    let contacts = plan.home.contacts()?;
    let host_at = listing.as_ref().and_then(|(listing, _)| listing.list.host_at());
    // Guests look for a host where the list says.
    let of_list = host_at.and_then(|at| mediators_of(at).ok()).unwrap_or_default();
    let (kept, keeper) = match role {
        Role::Resume => (Some(keeper::kept_room_of(&plan.home, &identity)?), Keeper::of_kept_room()),
        // What is kept of a room names who hosts it, and such a host is gone with its process (CN-82).
        Role::Host { .. } if plan.strangers.new_did => (None, Keeper::default()),
        Role::Host { .. } => (None, Keeper::of_new_room(&plan.home, reporter)),
        Role::Guest { .. } | Role::Listed { .. } => (None, Keeper::default()),
    };
    let credential = match (&role, &invitation) {
        (Role::Host { require_issuer, parties, .. }, _) => {
            let own = credentials::fitting(&plan.home, require_issuer, identity.did())?;
            lookups.judge_own((require_issuer, *parties), own.as_deref(), identity.did()).await?;
            own
        }
        (Role::Guest { .. }, Some(invitation)) => {
            credentials::fitting(&plan.home, invitation.issuers(), identity.did())?
        }
        // Others look at it again, so it is not judged here (RM-101).
        (Role::Resume, _) => match &kept {
            Some((kept, _)) => credentials::fitting(&plan.home, kept.invitation.issuers(), identity.did())?,
            None => None,
        },
        _ => None,
    };
    let chosen = plan.home.mediator()?.filter(|_| !is_host || of_list.is_empty());
    let mediators = match (given, chosen, &invitation) {
        // The link leads there, whatever this home uses by now.
        _ if kept.is_some() => kept.iter().flat_map(|(kept, _)| kept.mediators.clone()).collect(),
        (Some(choice), known, _) => {
            if known.as_ref() != Some(&choice) {
                plan.home.write_mediator(&choice)?;
            }
            choice.all()
        }
        (None, Some(choice), _) => choice.all(),
        (None, None, _) if !of_list.is_empty() => of_list,
        (None, None, Some(invitation)) => invitation.mediators().to_vec(),
        (None, None, None) => {
            return Err(Failure::new(Kind::NoMediator, "this home has no mediator yet")
                .hint("didagent invite --mediator LINK ...   (`didagent mediator serve` starts one and prints its link)"));
        }
    };
    // Once people have the link, the room stays with them: this is the last moment to take others.
    let silent = |mediator: &str| {
        let host = host_of(mediator);
        reporter.report(&Report::Warning(format!("the mediator at {host} does not answer")));
    };
    let taken = those_that_answer(mediators.clone(), None, MAX_MEDIATORS, silent).await;
    let own_mediator = taken.first().cloned().unwrap_or_default();
    let (kept, connection, ours) = match kept {
        Some((kept, connection)) => (Some(kept), connection, mediators),
        None => {
            let connection = named(&identity, mediators, &taken);
            let of_did = mediators_of(&connection.did).unwrap_or_default();
            (None, connection, of_did)
        }
    };
    if let Some(at) = host_at.filter(|at| is_host && *at != connection.did) {
        let message = format!(
            "the list says that its first party, this home, is written to at another address: {}",
            short(at)
        );
        return Err(Failure::new(Kind::RosterFile, message).hint(
            "didagent identity show --address    (prints what belongs into the file, or into the document of the did:web)",
        ));
    }
    let spare = ours.into_iter().find(|mediator| *mediator != own_mediator);
    let (sender, shown) = watch::channel(Shown::default());
    let (to_desk, asks) = mpsc::channel(ASKS);
    let serving = local_api::serve(&plan.home, shown, to_desk)?;
    let run_dir = plan.home.fresh_run_dir()?;

    let (to_engine, from_mediators) = mpsc::channel(QUEUE);
    let (to_engine_from_peers, from_peers) = mpsc::unbounded_channel();
    let link = websocket::connect(&own_mediator, None, to_engine.clone())?;
    let (mailbox, request) = match kept {
        // People have this DID, so it stays as it is.
        Some(_) => Mailbox::open_routed(connection.clone(), Instant::now(), &mut rng),
        None => Mailbox::open(connection.clone(), Instant::now(), &mut rng),
    };
    let identity = Arc::new(identity);
    let desk = Desk::new(asks, is_host, name.clone(), shown_command);
    let member = Member {
        identity: Arc::clone(&identity),
        connection: connection.clone(),
        name,
        threshold: threshold_of(program.as_ref(), listing.as_ref().map(|(listing, _)| listing))?,
        nonce: match (&invitation, &listing, &kept) {
            (Some(invitation), ..) => {
                nonce::nonce_for(&plan.home, invitation.hash(), identity.did(), &mut rng)?
            }
            (None, Some((listing, _)), _) if !is_host => {
                nonce::nonce_for(&plan.home, &listing.list.hash(), identity.did(), &mut rng)?
            }
            (None, _, Some(kept)) => kept.nonce.clone(),
            (None, _, None) => Nonce::random(&mut rng),
        },
        confirm: plan.confirm,
        manifest: program.as_ref().map(|program| program.manifest().clone()),
        credential,
        suites: Policy::of_machine(has_aes_instructions()),
        capabilities: plan.strangers.capabilities(&contacts),
        list: listing.map(|(listing, _)| listing),
    };
    let goal = match &role {
        Role::Host { parties, .. } => format!("compute together, {parties} parties"),
        Role::Listed { list, .. } => format!("compute together, {} parties", list.parties().len()),
        Role::Guest { .. } | Role::Resume => String::new(),
    };
    // Whoever has nothing to answer types ahead for the program.
    let listens = plan.asks && (plan.confirm.is_some() || matches!(role, Role::Host { .. } | Role::Resume));
    let mut engine = Engine {
        home: plan.home,
        identity,
        contacts,
        connection,
        links: HashMap::from([(own_mediator.clone(), link)]),
        own_mediator: own_mediator.clone(),
        spare: None,
        lookups,
        mailbox,
        mailbox_by: Some(Instant::now() + MAILBOX),
        outages: HashMap::new(),
        forwards: VecDeque::new(),
        unknown: VecDeque::new(),
        room: None,
        room_link: None,
        keeper,
        asking: Asking::of(plan.asks),
        seen: Seen::default(),
        entry: Some(Entry { member, role, invitation, kept, goal }),
        paths: Paths::default(),
        peers: BTreeMap::new(),
        ended: BTreeSet::new(),
        lost: BTreeSet::new(),
        rtts: BTreeMap::new(),
        early_streams: Vec::new(),
        post_quantum: BTreeSet::new(),
        roster: None,
        record: None,
        keeping,
        full_at: None,
        program,
        looked: Looked::new(),
        capture: plan.capture,
        patience: plan.patience,
        began: false,
        run: None,
        from_mediators,
        to_engine,
        from_peers,
        to_engine_from_peers,
        shown: sender,
        standstill: Standstill::watch(plan.patience),
        notices: Vec::new(),
        desk,
        typed: if listens { Typed::listen() } else { Typed::default() },
        strangers: plan.strangers,
        dials: Allowance::full(DIALS, Instant::now()),
        failed: HashMap::new(),
        reports_shown: 0,
        rng,
        _serving: serving,
        run_dir,
        _lock: lock,
    };
    engine.publish();
    engine.send_to_mediator(request, &own_mediator).await?;
    if let Some(spare) = spare {
        engine.open_spare(spare).await?;
    }
    Ok(engine)
}

/// Finds out who we are among parties that are known beforehand, and where the first of them is; returns our index too.
async fn begin_list(
    home: &Home,
    identity: &Identity,
    role: &mut Role,
    web: &mut Web,
) -> Result<Option<(Listing, usize)>, Failure> {
    let Role::Listed { list, wait } = role else { return Ok(None) };
    let ours = party_lists::find_ourselves(home, identity, list, web).await?;
    party_lists::find_host(home, list, web).await?;
    let round = party_lists::round_of(home, list)?;
    // The host's time ends first, so that it is the host who says which parties were missing.
    let grace = if ours == 0 { Duration::ZERO } else { GRACE };
    let until = Instant::now() + Duration::from_secs(*wait) + grace;
    Ok(Some((Listing { list: list.clone(), round, until }, ours)))
}

/// Returns the threshold of our program, which a list may know too.
fn threshold_of(
    program: Option<&Program>,
    listing: Option<&Listing>,
) -> Result<Option<ThresholdRule>, Failure> {
    let rule = program.map(Program::threshold);
    let Some((listed, m)) =
        listing.and_then(|Listing { list, .. }| Some((list.threshold()?, list.parties().len())))
    else {
        return Ok(rule);
    };
    match rule.map(|rule| rule.among(m)) {
        Some(ours) if ours != listed => {
            let message =
                format!("threshold differs: the roster file says {listed}, this program runs with {ours}");
            Err(Failure::new(Kind::Agreement, message).hint(format!(
                "-T {listed} behind the program, or another threshold in the file of every party"
            )))
        }
        _ => Ok(Some(ThresholdRule::Fixed(listed))),
    }
}

/// Returns the connection DID at the mediators that were taken, and, if they are fewer than it can name, at those that may come back:
/// so it is the same the next time, when they answer (RL-63).
fn named(identity: &Identity, mut mediators: Vec<String>, taken: &[String]) -> ConnectionDid {
    let others: Vec<String> = mediators.iter().filter(|one| !taken.contains(one)).cloned().collect();
    let places = MAX_MEDIATORS.saturating_sub(taken.len());
    let added = others.get(..places.min(others.len())).unwrap_or_default();
    mediators.retain(|mediator| taken.contains(mediator) || added.contains(mediator));
    let connection = identity.connection_of(&mediators);
    let is_named =
        |mediator: &String| mediators_of(&connection.did).is_ok_and(|named| named.contains(mediator));
    match taken.first() {
        Some(own) if !is_named(own) => identity.connection(own),
        _ => connection,
    }
}

/// Reads a room's invitation. One that has expired only by a clock of ours that is wrong is told from an old one by the mediator's.
async fn read_invitation(
    read_at: impl Fn(u64) -> Result<Invitation, Failure>,
) -> Result<Invitation, Failure> {
    let now = unix_now();
    match read_at(now) {
        Err(failure) if failure.kind == Kind::LinkExpired => {
            // At this time no link has expired.
            let theirs = mediator_time(read_at(0)?.mediator()).await;
            clock::compare_with_mediator(now, theirs.unwrap_or(now))?;
            Err(failure)
        }
        read => read,
    }
}

fn check_name(name: &str) -> Result<(), Failure> {
    if roster::is_showable(name) {
        return Ok(());
    }
    let limit = roster::MAX_NAME_CHARS;
    Err(Failure::new(
        Kind::Usage,
        format!("the name must have 1 to {limit} characters and no control characters"),
    )
    .hint("--name alice"))
}
