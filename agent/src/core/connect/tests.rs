use super::*;
use crate::core::identity::Identity;
use didagent_didcomm::protocols::Body as _;
use didagent_didcomm::protocols::coordinate_mediation::Updated;
use didagent_didcomm::protocols::pickup::Delivered;
use didagent_didcomm::protocols::types;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde_json::json;

/// A mailbox, and the last request that it made.
struct Bench {
    mailbox: Mailbox,
    asked: Message,
    now: Instant,
    rng: ChaCha20Rng,
}

#[expect(
    clippy::disallowed_methods,
    reason = "an instant cannot be made from nothing; only differences count"
)]
fn start() -> Instant {
    Instant::now()
}

impl Bench {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let connection = Identity::generate(&mut rng).connection("did:peer:2.Ez6LS");
        let now = start();
        let (mailbox, asked) = Mailbox::open(connection, now, &mut rng);
        Self { mailbox, asked, now, rng }
    }

    /// The mediator answers the last request.
    fn answer(&mut self, body: Message) -> Result<Step, Failure> {
        let step = self.mailbox.handle(&body.thid(self.asked.thread()), self.now, &mut self.rng)?;
        if let Step::Send(request) = &step {
            self.asked = request.clone();
        }
        Ok(step)
    }

    /// The mediator refuses the last request.
    fn refuse(&mut self, code: &str) -> Result<(), Failure> {
        let report = ProblemReport::new(code, "no");
        let thread = self.asked.id.clone();
        if let Some(next) = self.mailbox.refused(&report, Some(&thread), self.now, &mut self.rng)? {
            self.asked = next;
        }
        Ok(())
    }

    /// Nothing comes until something is due; returns whether that is another request.
    fn silence(&mut self) -> bool {
        let Some(due) = self.mailbox.deadline() else { return false };
        self.now = self.now.max(due);
        let request = self.mailbox.timeout(self.now, &mut self.rng);
        request.map(|request| self.asked = request).is_some()
    }

    fn did(&self) -> String {
        self.mailbox.connection.did.clone()
    }

    fn response(&self, result: Outcome) -> RecipientUpdateResponse {
        let updated = Updated { recipient_did: self.did(), action: Action::Add, result };
        RecipientUpdateResponse { updated: vec![updated] }
    }

    fn granted() -> Self {
        let mut bench = Self::new();
        bench.answer(MediateGrant { routing_did: vec!["did:peer:2.Ez6LS".into()] }.message("g")).unwrap();
        bench
    }

    fn registered() -> Self {
        let mut bench = Self::granted();
        bench.answer(bench.response(Outcome::Success).message("r")).unwrap();
        bench
    }

    fn type_(&self) -> &str {
        &self.asked.type_
    }
}

fn mail(ids: &[&str]) -> Delivery {
    let one = |id: &&str| Delivered { id: (*id).to_owned(), message: format!("{{\"{id}\":0}}") };
    Delivery { recipient_did: None, messages: ids.iter().map(one).collect() }
}

fn received(step: Step) -> (Vec<String>, Message) {
    match step {
        Step::Mail { messages, receipt } => (messages, receipt),
        other => panic!("{other:?}"),
    }
}

/// Decides RL-41.
#[test]
fn grant_registration_and_live_mode_follow_each_other() {
    let mut bench = Bench::granted();
    let asked = RecipientUpdate::try_from(&bench.asked).unwrap().updates;
    assert_eq!(asked, [Update { recipient_did: bench.did(), action: Action::Add }]);
    bench.answer(bench.response(Outcome::Success).message("r")).unwrap();
    assert!(!bench.mailbox.is_live() && LiveDeliveryChange::try_from(&bench.asked).unwrap().live_delivery);
    assert!(matches!(bench.answer(Status::default().message("s")), Ok(Step::Live)));
    assert!(bench.mailbox.is_live() && !bench.silence());
}

#[test]
fn answers_in_another_thread_move_nothing() {
    let mut bench = Bench::granted();
    let reply = bench.response(Outcome::Success).message("r").thid("another");
    assert!(matches!(bench.mailbox.handle(&reply, bench.now, &mut bench.rng), Ok(Step::Nothing)));
}

#[test]
fn a_refused_registration_is_an_error() {
    let mut bench = Bench::granted();
    let reply = bench.response(Outcome::ClientError).message("r");
    assert_eq!(bench.answer(reply).unwrap_err().kind, Kind::MediatorRefused);
    let mut bench = Bench::granted();
    assert_eq!(bench.refuse("e.p.msg.unsupported").unwrap_err().kind, Kind::MediatorRefused);
}

/// Decides RL-59.
#[test]
fn mail_is_acknowledged_by_its_ids_in_its_version_and_read_once() {
    let mut bench = Bench::granted();
    let (messages, receipt) = received(bench.answer(mail(&["7"]).message("d")).unwrap());
    assert_eq!(messages, ["{\"7\":0}"]);
    assert_eq!(MessagesReceived::try_from(&receipt).unwrap().message_id_list, ["7"]);
    let again = v4::Delivery(mail(&["7", "8"])).message("e");
    let (messages, receipt) = received(bench.answer(again).unwrap());
    assert_eq!(messages, ["{\"8\":0}"]);
    assert_eq!(v4::MessagesReceived::try_from(&receipt).unwrap().0.message_id_list, ["7", "8"]);
}

/// Decides RL-59.
#[test]
fn a_mediator_that_speaks_2_only_is_asked_in_2() {
    for refuses in [true, false] {
        let mut bench = Bench::new();
        let first = bench.asked.clone();
        if refuses {
            bench.refuse("e.p.msg.unsupported").unwrap()
        } else {
            assert!(bench.silence())
        }
        assert_eq!(bench.type_(), types::MEDIATE_REQUEST_2);
        // What comes late from the first way changes nothing.
        let late = ProblemReport::new("e.p.x", "no");
        assert!(bench.mailbox.refused(&late, Some(&first.id), bench.now, &mut bench.rng).unwrap().is_none());
        let grant = v2::MediateGrant { routing_did: "did:peer:2.Ez6LS".into() };
        bench.answer(grant.message("g")).unwrap();
        assert_eq!(
            v2::KeylistUpdate::try_from(&bench.asked).unwrap().0.updates[0].recipient_did,
            bench.did()
        );
        let response = v2::KeylistUpdateResponse(bench.response(Outcome::NoChange));
        bench.answer(response.message("r")).unwrap();
        assert_eq!(bench.type_(), types::LIVE_DELIVERY_CHANGE);
        bench.answer(Status::default().message("s")).unwrap();
        assert!(bench.mailbox.is_live());
    }
    assert_eq!(Bench::new().refuse("e.p.me.res.storage").unwrap_err().kind, Kind::MediatorRefused);
    let mut bench = Bench::new();
    bench.refuse("e.p.msg.unsupported").unwrap();
    assert_eq!(bench.refuse("e.p.msg.unsupported").unwrap_err().kind, Kind::MediatorRefused);
}

#[test]
fn a_late_grant_of_the_first_way_counts() {
    let mut bench = Bench::new();
    let first = bench.asked.clone();
    assert!(bench.silence());
    let grant = MediateGrant { routing_did: vec!["did:peer:2.Ez6LS".into()] }.message("g").thid(first.id);
    let Ok(Step::Send(update)) = bench.mailbox.handle(&grant, bench.now, &mut bench.rng) else { panic!() };
    assert!(RecipientUpdate::try_from(&update).is_ok());
}

/// Decides RL-59.
#[test]
fn a_mediator_without_live_mode_is_polled() {
    for (version, code) in [
        (3, "e.m.live-mode-not-supported"),
        (3, "e.m.live-delivery-not-supported"),
        (4, "e.m.live-mode-not-supported"),
    ] {
        let mut bench = Bench::registered();
        if version == 4 {
            bench.refuse("e.p.msg.unsupported").unwrap();
            assert_eq!(bench.type_(), types::LIVE_DELIVERY_CHANGE_4);
        }
        bench.refuse(code).unwrap();
        let request = if version == 4 { types::DELIVERY_REQUEST_4 } else { types::DELIVERY_REQUEST };
        let delivery = |ids: &[&str]| match version {
            4 => v4::Delivery(mail(ids)).message("d"),
            _ if ids.is_empty() => Status::default().message("d"),
            _ => mail(ids).message("d"),
        };
        assert_eq!(bench.type_(), request);
        // Old mail first: there is no room yet.
        received(bench.answer(delivery(&["1"])).unwrap());
        assert!(!bench.mailbox.is_live() && bench.silence() && bench.type_() == request);
        assert!(matches!(bench.answer(delivery(&[])), Ok(Step::Live)));
        // Less and less often while nothing comes, and never not at all.
        let mut last = bench.now;
        for _ in 0..6 {
            assert!(bench.silence() && bench.type_() == request);
            let pause = bench.now - last;
            assert!((SHORTEST_POLL..=LONGEST_POLL).contains(&pause), "{pause:?}");
            last = bench.now;
            assert!(matches!(bench.answer(delivery(&[])), Ok(Step::Nothing)));
        }
        assert!(bench.silence());
        assert_eq!(bench.now - last, LONGEST_POLL);
        received(bench.answer(delivery(&["2"])).unwrap());
        last = bench.now;
        assert!(bench.silence() && bench.now - last == SHORTEST_POLL, "what belongs together comes together");
        // An answer that does not come is asked for again.
        assert!(bench.silence() && bench.type_() == request);
    }
}

/// Decides RL-59.
#[test]
fn ways_to_get_mail_are_tried_in_turn_and_in_time() {
    let mut bench = Bench::registered();
    let began = bench.now;
    let mut ways = vec![bench.type_().to_owned()];
    while bench.silence() {
        ways.push(bench.type_().to_owned());
    }
    let all = [
        types::LIVE_DELIVERY_CHANGE,
        types::LIVE_DELIVERY_CHANGE_4,
        types::DELIVERY_REQUEST,
        types::DELIVERY_REQUEST_4,
    ];
    assert_eq!(ways, all);
    assert!(!bench.mailbox.is_live() && bench.now - began <= Duration::from_secs(12));
    // One that says off, though it was to be on.
    let mut bench = Bench::registered();
    bench.answer(Status { live_delivery: Some(false), ..Status::default() }.message("s")).unwrap();
    assert_eq!(bench.type_(), types::DELIVERY_REQUEST);
}

/// Decides RL-59.
#[test]
fn what_waited_before_live_mode_is_asked_for_unless_it_is_pushed() {
    let live = || {
        let mut bench = Bench::registered();
        let status = Status { message_count: 2, ..Status::default() };
        assert!(matches!(bench.answer(status.message("s")), Ok(Step::Live)));
        bench
    };
    let mut pushed = live();
    let push = mail(&["1", "2"]).message("p");
    received(pushed.mailbox.handle(&push, pushed.now, &mut pushed.rng).unwrap());
    assert!(!pushed.silence());

    let mut asked = live();
    assert!(asked.silence() && asked.type_() == types::DELIVERY_REQUEST);
    let ids: Vec<String> = (0..16).map(|id| id.to_string()).collect();
    let full: Vec<&str> = ids.iter().map(String::as_str).collect();
    received(asked.answer(mail(&full).message("d")).unwrap());
    let before = asked.now;
    assert!(asked.silence() && asked.now == before, "more may wait");
    assert!(matches!(asked.answer(Status::default().message("n")), Ok(Step::Nothing)));
    assert!(!asked.silence());
    // Only messages that can be read count, also of a version that nobody asked for.
    let odd = Message::new("o", types::DELIVERY_4, json!([]));
    assert!(matches!(asked.answer(odd), Ok(Step::Nothing)));
}

/// Decides RL-66.
#[test]
fn rl_66_mail_goes_to_the_did_that_the_grant_names() {
    let did =
        |seed: u8, uri: &str| Identity::generate(&mut ChaCha20Rng::from_seed([seed; 32])).connection(uri).did;
    let (usable, own) = (did(2, "wss://mail.example/"), "did:peer:2.Ez6LS".to_owned());
    let (no_address, no_key) = (did(3, "https://mail.example/"), "did:web:mail.example".to_owned());
    for (granted, is_2, followed) in [
        (vec![usable.clone()], false, true),
        (vec![usable.clone()], true, true),
        (vec![no_key.clone(), no_address.clone(), usable.clone()], false, true),
        // Its own one is among them, or none is usable, or none is named.
        (vec![usable.clone(), own.clone()], false, false),
        (vec![no_address.clone(), no_key.clone()], false, false),
        (vec![], false, false),
    ] {
        let mut bench = Bench::new();
        let grant = MediateGrant { routing_did: granted.clone() };
        let grant = || write_either::<_, v2::MediateGrant>(is_2, grant.clone(), "g".to_owned());
        let step = bench.answer(grant()).unwrap();
        let Step::Route(routing) = step else {
            assert!(!followed && matches!(step, Step::Send(_)), "{granted:?}");
            continue;
        };
        assert!(followed && routing == usable, "{granted:?}");
        // With a DID that names it, or with any other: never twice.
        for uri in [usable.as_str(), "did:peer:2.Ez6LSother"] {
            let connection = Identity::generate(&mut ChaCha20Rng::from_seed([1; 32])).connection(uri);
            (bench.mailbox, bench.asked) = Mailbox::open_routed(connection, bench.now, &mut bench.rng);
            assert!(matches!(bench.answer(grant()), Ok(Step::Send(_))));
        }
    }
}
