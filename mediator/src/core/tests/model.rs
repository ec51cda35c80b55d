//! The mailbox against a small reference model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Forward { to: usize },
    Fetch { socket: u64, limit: u32 },
    Acknowledge { socket: u64, count: usize },
    Live { socket: u64, on: bool },
    Reconnect { socket: u64 },
    Remove { did: usize },
    Add { did: usize },
}

/// One account with two recipient DIDs on two sockets.
const OWNER: &str = "did:example:a";
const RECIPIENTS: [&str; 2] = [OWNER, "did:example:x"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_usize..2).prop_map(|to| Step::Forward { to }),
        3 => (1_u64..=2, 0_u32..6).prop_map(|(socket, limit)| Step::Fetch { socket, limit }),
        4 => (1_u64..=2, 0_usize..5).prop_map(|(socket, count)| Step::Acknowledge { socket, count }),
        2 => (1_u64..=2, any::<bool>()).prop_map(|(socket, on)| Step::Live { socket, on }),
        1 => (1_u64..=2).prop_map(|socket| Step::Reconnect { socket }),
        1 => (0_usize..2).prop_map(|did| Step::Remove { did }),
        2 => (0_usize..2).prop_map(|did| Step::Add { did }),
    ]
}

proptest! {
    /// The reference: a list of what was accepted and not acknowledged. Deliveries never show anything else, and a socket that
    /// switches live delivery on and acknowledges what it gets sees all of it, in order.
    #[test]
    fn mailbox_agrees_with_its_model(steps in proptest::collection::vec(step(), 1..120)) {
        let mut bench = Bench::new(Limits { live_messages: 4, batch_messages: 3, queue_messages: 12, ..Limits::default() });
        bench.enrol(1, OWNER);
        let mut registered = [true, false];
        // Content by order of arrival, with the recipient; ids as the sockets learn them.
        let mut waiting: BTreeMap<u64, usize> = BTreeMap::new();
        let mut known: HashMap<u64, Vec<(String, u64)>> = HashMap::new();
        let mut number = 0;
        for step in steps {
            match step {
                Step::Forward { to } => {
                    number += 1;
                    bench.forward(RECIPIENTS[to], &number.to_string());
                    let full = waiting.values().filter(|at| **at == to).count() >= 12;
                    if registered[to] && !full { waiting.insert(number, to); }
                }
                Step::Fetch { socket, limit } => {
                    bench.send(socket, OWNER, &DeliveryRequest { limit, recipient_did: None });
                    let inbox = bench.inbox(socket);
                    let fetched = inbox.iter().filter(|message| message.thid.is_some());
                    let got = contents(&fetched.cloned().collect::<Vec<_>>());
                    let limit = usize::try_from(limit).unwrap().min(3);
                    let expected: Vec<_> = waiting.keys().take(limit).map(u64::to_string).collect();
                    prop_assert_eq!(got, expected);
                    let mail = delivered(&inbox).into_iter().map(|(id, content)| (id, content.parse().unwrap()));
                    known.entry(socket).or_default().extend(mail);
                }
                Step::Acknowledge { socket, count } => {
                    let known = known.entry(socket).or_default();
                    let count = count.min(known.len());
                    let list: Vec<_> = known.drain(..count).collect();
                    for (_, number) in &list { waiting.remove(number); }
                    let message_id_list = list.into_iter().map(|(id, _)| id).collect();
                    bench.send(socket, OWNER, &MessagesReceived { message_id_list });
                }
                Step::Live { socket, on } => bench.send(socket, OWNER, &LiveDeliveryChange { live_delivery: on }),
                Step::Reconnect { socket } => {
                    bench.mediator.handle(Input::SocketClosed(SocketId(socket)), bench.now);
                    bench.mediator.handle(Input::SocketOpened(SocketId(socket)), bench.now);
                    known.remove(&socket);
                }
                Step::Remove { did } | Step::Add { did } => {
                    let add = matches!(step, Step::Add { .. });
                    let action = if add { Action::Add } else { Action::Remove };
                    let update = Update { recipient_did: RECIPIENTS[did].into(), action };
                    bench.send(2, OWNER, &RecipientUpdate { updates: vec![update] });
                    registered[did] = add;
                    if !add { waiting.retain(|_, at| *at != did); }
                }
            }
            for socket in 1..=2 {
                for (id, content) in delivered(&bench.inbox(socket)) {
                    let number = content.parse().unwrap();
                    prop_assert!(waiting.contains_key(&number), "{content} was acknowledged or never accepted");
                    known.entry(socket).or_default().push((id, number));
                }
            }
            let status: Status = bench.ask(3, OWNER, &StatusRequest::default());
            prop_assert_eq!(usize::try_from(status.message_count).unwrap(), waiting.len());
        }
        let mut seen = Vec::new();
        let mut inbox = bench.live(1, OWNER, true);
        while seen.len() < waiting.len() {
            let mail = delivered(&inbox);
            prop_assert!(!mail.is_empty(), "stranded: {:?} of {:?}", seen, waiting);
            let message_id_list = mail.iter().map(|(id, _)| id.clone()).collect();
            seen.extend(mail.into_iter().map(|(_, content)| content.parse::<u64>().unwrap()));
            bench.send(1, OWNER, &MessagesReceived { message_id_list });
            inbox = bench.inbox(1);
        }
        prop_assert_eq!(seen, waiting.into_keys().collect::<Vec<_>>());
    }
}
