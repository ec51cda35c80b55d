//! Clients that take more than their share: of reply memory, of the store, of accounts.

use super::*;

const A: &str = "did:example:a";

impl Bench {
    /// Returns which sockets are to be closed for not reading.
    fn overloaded(&mut self) -> Vec<u64> {
        let outputs = std::iter::from_fn(|| match self.mediator.poll() {
            Output::Timeout(_) => None,
            output => Some(output),
        });
        let closed = outputs.filter_map(|output| match output {
            Output::Close(SocketId(socket), CloseReason::Overload) => Some(socket),
            _ => None,
        });
        closed.collect()
    }

    fn reply_weight(&self) -> usize {
        self.mediator.sockets.values().map(|socket| socket.replies.weight()).sum()
    }

    /// Registers `recipients` for `did`.
    fn register(&mut self, socket: u64, did: &str, recipients: &[&str]) -> Vec<Outcome> {
        let update =
            |recipient: &&str| Update { recipient_did: (*recipient).to_owned(), action: Action::Add };
        let updates = recipients.iter().map(update).collect();
        let answer: RecipientUpdateResponse = self.ask(socket, did, &RecipientUpdate { updates });
        answer.updated.into_iter().map(|updated| updated.result).collect()
    }

    /// Tells whether `did` gets an account.
    fn gets_account(&mut self, socket: u64, did: &str) -> bool {
        self.send(socket, did, &MediateRequest {});
        MediateGrant::try_from(&self.inbox(socket)[0]).is_ok()
    }

    fn is_enrolled(&self, did: &str) -> bool {
        self.mediator.accounts.is_enrolled(did)
    }

    fn queued(&self, did: &str) -> usize {
        let recipient: Arc<str> = did.into();
        self.mediator.mailbox.totals(std::iter::once(&recipient)).messages
    }

    fn reconnect(&mut self, socket: u64) {
        self.mediator.handle(Input::SocketClosed(SocketId(socket)), self.now);
        self.mediator.handle(Input::SocketOpened(SocketId(socket)), self.now);
    }
}

fn updates(count: usize, bytes: usize) -> RecipientUpdate {
    let update = |_| Update { recipient_did: "x".repeat(bytes), action: Action::Add };
    RecipientUpdate { updates: (0..count).map(update).collect() }
}

/// Decides RL-41.
#[test]
fn an_update_that_is_too_long_is_refused_as_a_whole() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, A);
    let add = |n| Update { recipient_did: format!("did:example:{n}"), action: Action::Add };
    let long = RecipientUpdate { updates: (0..257).map(add).collect() };
    assert_eq!(bench.problem(1, A, &long), problem::MALFORMED.code);
    assert_eq!(bench.mediator.accounts.recipients(A).count(), 1, "nothing was applied");
    let fits = RecipientUpdate { updates: (0..256).map(add).collect() };
    let answer: RecipientUpdateResponse = bench.ask(1, A, &fits);
    assert_eq!(answer.updated.len(), 256);
    bench.send(1, A, &updates(30_000, 1));
    assert!(bench.reply_weight() < 8 * 1024, "the refusal repeats nothing");
}

/// Decides RL-25.
#[test]
fn replies_that_are_not_read_are_bounded_by_their_bytes() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, A);
    let limit = bench.mediator.limits.reply_bytes_per_socket;
    for _ in 0..60 {
        bench.send(1, A, &updates(256, 3000));
        assert!(bench.reply_weight() <= limit);
    }
    assert_eq!(bench.overloaded(), [1]);
    assert_eq!(bench.reply_weight(), 0);
    bench.enrol(2, "did:example:b");
    for _ in 0..60 {
        bench.send(2, "did:example:b", &updates(256, 3000));
        assert_eq!(bench.inbox(2).len(), 1);
    }
    assert!(bench.overloaded().is_empty(), "who reads may ask on");
}

/// Decides RL-25.
#[test]
fn all_replies_together_are_bounded_and_those_who_read_stay() {
    let limits = Limits { reply_bytes_per_socket: 100_000, reply_bytes: 150_000, ..Limits::default() };
    let mut bench = Bench::new(limits);
    bench.send(3, "did:example:c", &Ping { response_requested: true });
    for (socket, pings) in [(1, 50), (2, 50)] {
        for _ in 0..pings {
            bench.send(socket, A, &Ping { response_requested: true });
            assert!(bench.reply_weight() <= 150_000);
        }
    }
    assert_eq!(bench.overloaded().len(), 1);
    for _ in 0..20 {
        bench.send(3, "did:example:c", &Ping { response_requested: true });
    }
    assert_eq!(bench.inbox(3).len(), 21);
}

/// Decides RL-44.
#[test]
fn long_threads_are_refused_and_not_repeated() {
    let mut bench = Bench::new(Limits::default());
    bench.enrol(1, A);
    let long = "t".repeat(257);
    let live = || LiveDeliveryChange { live_delivery: true }.message("l");
    let deliver = || DeliveryRequest { limit: 1, recipient_did: None }.message("d");
    for message in [
        live().thid(long.clone()),
        deliver().thid(long.clone()),
        Ping { response_requested: true }.message("p").pthid(long.clone()),
        Ping { response_requested: true }.message(long.clone()),
        Forward::new("did:example:nobody", "{}").message("f", PayloadForm::Json).thid(long.clone()),
    ] {
        bench.deliver(1, Some(A), message);
        let inbox = bench.inbox(1);
        assert_eq!((inbox.len(), &*inbox[0].type_), (1, types::PROBLEM_REPORT));
        assert_eq!(inbox[0].body["code"], problem::MALFORMED.code);
        assert!(!serde_json::to_string(&inbox[0]).unwrap().contains(&long[..100]), "{:?}", inbox[0]);
    }
    assert!(!bench.mediator.live.is_live(A));
    bench.deliver(1, Some(A), ProblemReport::new("e.p.x", "").message("z").thid(long));
    assert!(bench.inbox(1).is_empty(), "a report is never answered");
    bench.deliver(1, Some(A), deliver().thid("t".repeat(256)));
    assert_eq!(bench.inbox(1)[0].thid.as_deref().map(str::len), Some(256));
}

#[test]
fn switching_live_delivery_again_and_again_schedules_one_push() {
    let mut bench = Bench::new(Limits { replies_per_socket: 1000, ..Limits::default() });
    bench.enrol(1, A);
    for _ in 0..100 {
        for on in [true, false] {
            bench.send(1, A, &LiveDeliveryChange { live_delivery: on });
        }
    }
    assert_eq!(bench.mediator.sockets[&SocketId(1)].mail.len(), 1);
    bench.send(1, A, &LiveDeliveryChange { live_delivery: true });
    bench.forward(A, "mail");
    assert_eq!(contents(&bench.inbox(1)), ["mail"]);
}

/// Decides RL-47.
#[test]
fn a_full_store_takes_from_the_fullest_queue() {
    let mail = "x".repeat(1000 - crate::store::MAIL_OVERHEAD);
    let mut bench = Bench::new(Limits { store_bytes: 10_000, ..Limits::default() });
    let (flooded, quiet) = ("did:example:flooded", "did:example:quiet");
    bench.enrol(1, flooded);
    bench.enrol(2, quiet);
    for _ in 0..12 {
        bench.forward(flooded, &mail);
    }
    assert_eq!(bench.queued(flooded), 10, "the fullest queue gets no more");
    bench.forward(quiet, "first");
    bench.forward(quiet, &mail);
    assert_eq!((bench.queued(flooded), bench.queued(quiet)), (8, 2));
    assert!(bench.mediator.load().1 <= 10_000);
    for _ in 0..20 {
        bench.forward(quiet, &mail);
        bench.forward(flooded, &mail);
    }
    let (flooded, quiet) = (bench.queued(flooded), bench.queued(quiet));
    assert!(flooded.abs_diff(quiet) <= 3 && flooded + quiet >= 9, "{flooded} {quiet}");
    bench.send(2, "did:example:quiet", &DeliveryRequest { limit: 1, recipient_did: None });
    assert_eq!(contents(&bench.inbox(2)), ["first"], "the oldest mail stays");
}

/// Decides RL-45.
#[test]
fn short_messages_cost_what_they_take() {
    let mut bench = Bench::new(Limits { store_bytes: 10_000, ..Limits::default() });
    bench.enrol(1, A);
    for _ in 0..100 {
        bench.forward(A, "x");
    }
    assert!(bench.queued(A) < 40, "{}", bench.queued(A));
}

/// Decides RL-47.
#[test]
fn unused_accounts_make_way_oldest_first_and_used_ones_do_not() {
    let mut bench = Bench::new(Limits { accounts: 5, ..Limits::default() });
    let [mail, old, young, idle] = ["mail", "old", "young", "idle"].map(|name| format!("did:example:{name}"));
    for did in [&mail, &old, &young] {
        bench.now.since_start += Duration::from_secs(2);
        bench.enrol(2, did);
    }
    bench.now.since_start += Duration::from_secs(2);
    assert!(bench.gets_account(2, &idle), "without a recipient DID");
    bench.forward(&mail, "waits");
    bench.reconnect(2);
    bench.enrol(1, A);

    assert!(bench.gets_account(1, "did:example:new-1"));
    assert!(!bench.is_enrolled(&idle), "who can get no mail goes first");
    bench.now.since_start += Duration::from_secs(2);
    assert!(bench.gets_account(1, "did:example:new-2"));
    assert!(!bench.is_enrolled(&old) && bench.is_enrolled(&young));
    assert!(bench.mediator.accounts.owner_of(&old).is_none());
    assert!(!bench.gets_account(1, "did:example:new-3"), "the search has its pause");
    bench.now.since_start += Duration::from_secs(2);
    assert!(bench.gets_account(1, "did:example:new-3"));
    bench.now.since_start += Duration::from_secs(2);
    assert!(!bench.gets_account(1, "did:example:new-4"), "the others are connected or have mail");
    assert!(bench.is_enrolled(A) && bench.is_enrolled(&mail) && !bench.is_enrolled(&young));
    assert_eq!(bench.queued(&mail), 1);
}

/// Decides RL-47.
#[test]
fn recipient_dids_of_unused_accounts_make_way_too() {
    let mut bench = Bench::new(Limits { recipients: 3, ..Limits::default() });
    bench.enrol(2, "did:example:idle");
    bench.register(2, "did:example:idle", &["did:example:1", "did:example:2"]);
    bench.now.since_start += Duration::from_secs(2);
    assert!(bench.gets_account(1, A));
    assert_eq!(bench.register(1, A, &[A]), [Outcome::ServerError], "its owner is connected");
    bench.reconnect(2);
    bench.now.since_start += Duration::from_secs(2);
    assert_eq!(bench.register(1, A, &[A]), [Outcome::Success]);
}

/// Decides RL-24.
#[test]
fn mail_and_records_share_a_socket_by_bytes() {
    use relay_bodies::{CircuitId, Frame, Join, MAX_RECORD, Open, Token};

    let mut bench = Bench::new(Limits { live_messages: 1000, live_bytes: 8 << 20, ..Limits::default() });
    let (a, b) = (A, "did:example:b");
    bench.enrol(2, b);
    let token = Token::new([1; 32]);
    let open = Open { token, window: MAX_WINDOW }.message("o").times(1_000_000, 1_000_100);
    let join = Join { token, window: MAX_WINDOW }.message("j").times(1_000_000, 1_000_100);
    bench.deliver(1, Some(a), open);
    bench.deliver(2, Some(b), join);
    bench.inbox(1);
    bench.live(2, b, true);
    // Records that are small and many, or long and few, against deliveries of some 130 kB.
    for length in [100, MAX_RECORD] {
        for _ in 0..8 {
            bench.forward(b, &"x".repeat(100_000));
        }
        let (mut mail, mut records, mut gap, mut waiting) = (0_usize, 0_usize, 0_usize, 0);
        while mail < 6 * 133_000 {
            // Always one that waits, and never more than the credit.
            while waiting < 2 {
                let frame = Frame::Data { circuit: CircuitId(1), record: &vec![1; length] }.encode();
                bench.mediator.handle(Input::Frame { socket: SocketId(1), bytes: &frame }, bench.now);
                waiting += 1;
            }
            // The sender takes its credit.
            while bench.mediator.next_for(SocketId(1), bench.now).is_some() {}
            match bench.mediator.next_for(SocketId(2), bench.now).unwrap() {
                Outgoing::Frame(frame) => {
                    records += frame.len() + TURN;
                    (gap, waiting) = (0, waiting - 1);
                }
                Outgoing::Message { message, .. } => {
                    gap += 1;
                    assert!(gap < 2, "two deliveries follow each other while records wait");
                    mail += message
                        .attachments
                        .iter()
                        .map(|a| a.data.base64.as_ref().unwrap().len())
                        .sum::<usize>();
                }
            }
        }
        assert!(records * 5 > mail * 3 && records * 3 < mail * 5, "{length}: {records} and {mail}");
        let rest = bench.inbox(2);
        let list = delivered(&rest).into_iter().map(|(id, _)| id).collect();
        bench.send(2, b, &MessagesReceived { message_id_list: list });
        bench.inbox(2);
    }
}
