//! The start: everything that can fail before anybody else is involved.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::applicants::Asking;
use super::credentials;
use super::desk::{Desk, command_shown};
use super::entrance::Entrance;
use super::keeper::{self, Keeper};
use super::link::{self, Link};
use super::links::DIALS;
use super::look::Looked;
use super::lookups::Lookups;
use super::paths::Paths;
use super::{Engine, Entry, MAILBOX, Opening, Plan, Role, board};
use crate::core::allowance::Allowance;
use crate::core::connect::Mailbox;
use crate::core::identity::{ConnectionDid, Identity};
use crate::core::invite::read_mediator_link;
use crate::core::pairing::Policy;
use crate::core::post::{MAX_MEDIATORS, mediators_of};
use crate::core::room::{Listing, Member, ThresholdRule, roster};
use crate::core::seen::Seen;
use crate::core::share::LinkForm;
use crate::core::status::host_of;
use crate::core::who::short;
use crate::failure::{Failure, Kind};
use crate::io::home::MediatorChoice;
use crate::io::local_api::{self, Shown};
use crate::io::mediator_time::those_that_answer;
use crate::io::program::Program;
use crate::io::standstill::Standstill;
use crate::io::typed::Typed;
use crate::io::{fetched, has_aes_instructions, one_use, system_rng, unix_now, websocket};
use crate::report::{Report, Reporter};

/// Messages of mediators that wait for the engine.
const QUEUE: usize = 64;

/// Questions of other commands that wait for the engine.
const ASKS: usize = 16;

pub(super) async fn start(plan: Plan, reporter: &mut dyn Reporter) -> Result<Engine, Failure> {
    let mut rng = system_rng()?;
    plan.name.as_deref().map_or(Ok(()), check_name)?;
    plan.strangers.check_role(&plan.role)?;
    let keeping = plan.keeping.check()?;
    // What a person typed wrong is said before anything is asked of the network.
    let asks = plan.strangers.chose_mediators();
    let link = match &plan.role {
        Role::Guest { link } => Some(Link::read(link, asks).await?),
        Role::Host(_) | Role::Listed { .. } | Role::Resume => None,
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

    // The host's own home is held, which would be a true answer and a useless one.
    if let Some(link) = &link
        && link.is_own(&plan.home).await
    {
        return Err(link::own());
    }
    let command = match plan.role {
        Role::Host(_) | Role::Resume => "invite",
        Role::Guest { .. } => "join",
        Role::Listed { .. } => "run",
    };
    // A home that is not there is held by nobody, and a link that cannot be used leaves none behind.
    let lock = plan.home.path().exists().then(|| plan.home.lock(command)).transpose()?;
    // Only now, since a link for one use is used up by this.
    let key = link.as_ref().and_then(Link::key);
    let invitation = match link {
        Some(link) => {
            let invitation = link.invitation(&plan.home, asks, reporter).await?;
            plan.strangers.check(&invitation)?;
            link::refuse_own(&invitation, &plan.home)?;
            Some(invitation)
        }
        None => None,
    };
    let lock = match lock {
        Some(lock) => lock,
        None => plan.home.lock(command)?,
    };
    if let (Some(key), Some(invitation)) = (&key, &invitation) {
        fetched::keep(&plan.home, key, invitation)?;
    }
    let (identity, again) = match plan.strangers.new_did {
        true => one_use::identity_for(&plan.home, invitation.as_ref(), unix_now(), &mut rng)?,
        false => (plan.home.identity_or_new()?, false),
    };
    one_use::forget_old(&plan.home, unix_now())?;
    let mut web = plan.web;
    let entrance = Entrance::of(plan.role, invitation, &plan.home, &identity, &mut web).await?;
    let (is_host, listing) = (entrance.is_host(), entrance.listing());
    let threshold = threshold_of(program.as_ref(), listing)?;
    let (mut lookups, identity) = Lookups::begin(&plan.home, identity, &web).await?;
    let kept = entrance.kept().map(|kept| keeper::connection_of(kept, &identity)).transpose()?;
    let name = plan.strangers.name(plan.name, identity.did(), again, reporter);
    let contacts = plan.home.contacts()?;
    let keeper = match &entrance {
        Entrance::Resumed(_) => Keeper::of_kept_room(),
        // What is kept of a room names who hosts it, and a host of one use is gone with its process (CN-82).
        Entrance::Host(_) if !plan.strangers.new_did => Keeper::of_new_room(&plan.home, reporter),
        Entrance::Host(_) | Entrance::Guest(_) | Entrance::Listed(..) => Keeper::default(),
    };
    let credential = credentials::fitting(&plan.home, entrance.issuers(), identity.did())?;
    if let Some(seats) = entrance.own_seats() {
        lookups.judge_own((entrance.issuers(), seats), credential.as_deref(), identity.did()).await?;
    }
    if let Entrance::Host(Opening { link: LinkForm::Short { single_use: true }, parties: 3.., .. }) =
        &entrance
    {
        let fewer = "the link lets one guest in, and the room has seats for more: they stay free, and `didagent room start` begins without";
        reporter.report(&Report::Warning(fewer.to_owned()));
    }
    let mediators = entrance.mediators(&plan.home, given)?;
    // Once people have the link, the room stays with them: this is the last moment to take others.
    let silent = |mediator: &str| {
        let host = host_of(mediator);
        reporter.report(&Report::Warning(format!("the mediator at {host} does not answer")));
    };
    let taken = those_that_answer(mediators.clone(), None, MAX_MEDIATORS, silent).await;
    let own_mediator = taken.first().cloned().unwrap_or_default();
    // People have the DID of a room that goes on, so it stays as it is.
    let is_fixed = kept.is_some();
    let (connection, ours) = match kept {
        Some(connection) => (connection, mediators),
        None => {
            let connection = named(&identity, mediators, &taken);
            let of_did = mediators_of(&connection.did).unwrap_or_default();
            (connection, of_did)
        }
    };
    check_address(listing, &connection)?;
    let spare = ours.into_iter().find(|mediator| *mediator != own_mediator);
    let (sender, shown) = watch::channel(Shown::default());
    let (to_desk, asks) = mpsc::channel(ASKS);
    let serving = local_api::serve(&plan.home, shown, to_desk)?;
    let run_dir = plan.home.fresh_run_dir()?;

    let (to_engine, from_mediators) = mpsc::channel(QUEUE);
    let (to_engine_from_peers, from_peers) = mpsc::unbounded_channel();
    let link = websocket::connect(&own_mediator, None, to_engine.clone())?;
    let (mailbox, request) = match is_fixed {
        true => Mailbox::open_routed(connection.clone(), Instant::now(), &mut rng),
        false => Mailbox::open(connection.clone(), Instant::now(), &mut rng),
    };
    let identity = Arc::new(identity);
    let desk = Desk::new(asks, is_host, name.clone(), shown_command);
    let member = Member {
        identity: Arc::clone(&identity),
        connection: connection.clone(),
        name,
        threshold,
        nonce: entrance.nonce(&plan.home, identity.did(), &mut rng)?,
        confirm: plan.confirm,
        manifest: program.as_ref().map(|program| program.manifest().clone()),
        credential,
        suites: Policy::of_machine(has_aes_instructions()),
        capabilities: plan.strangers.capabilities(&contacts),
        list: listing.cloned(),
    };
    // Whoever has nothing to answer types ahead for the program.
    let has_questions = matches!(entrance, Entrance::Host(_) | Entrance::Resumed(_));
    let listens = plan.asks && (plan.confirm.is_some() || has_questions);
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
        entry: Some(Entry { member, entrance }),
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

/// Fails if the first party of a list, this home, is not where the list says.
fn check_address(listing: Option<&Listing>, connection: &ConnectionDid) -> Result<(), Failure> {
    let Some(at) = listing.filter(|listing| listing.ours == 0).and_then(|listing| listing.list.host_at())
    else {
        return Ok(());
    };
    if at == connection.did {
        return Ok(());
    }
    let message = format!(
        "the list says that its first party, this home, is written to at another address: {}",
        short(at)
    );
    Err(Failure::new(Kind::RosterFile, message).hint(
        "didagent identity show --address    (prints what belongs into the file, or into the document of the did:web)",
    ))
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
