//! Circuits under pressure: a mediator process, real WebSockets, and receivers that are slow or read nothing.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "tests use clocks, sockets and processes, and fail by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use didagent_didcomm::protocols::relay::{
    CircuitId, Frame, Join, MAX_RECORD, MAX_WINDOW, Open, Opened, Token,
};
use support::{Client, Identity, Process};

/// How much the mediator may grow while one receiver reads nothing, in KiB: a window, the buffers of ten sockets, and what an
/// allocator keeps.
const GROWTH_KIB: u64 = 16 * 1024;

async fn circuit(from: &mut Client, to: &mut Client, token: u8) -> (CircuitId, CircuitId) {
    let token = Token::new([token; 32]);
    let a: Opened = from.ask(&Open { token, window: MAX_WINDOW }).await;
    let b: Opened = to.ask(&Join { token, window: MAX_WINDOW }).await;
    for (client, circuit) in [(from, a.circuit), (to, b.circuit)] {
        assert_eq!(client.next_frame().await, Frame::Credit { circuit, bytes: MAX_WINDOW }.encode());
    }
    (a.circuit, b.circuit)
}

/// Sends as much as its credit allows, on circuits in the order in which they prefer to go.
struct Sender {
    client: Client,
    credit: BTreeMap<CircuitId, usize>,
    sent: BTreeMap<CircuitId, usize>,
}

impl Sender {
    fn new(client: Client, circuits: &[CircuitId]) -> Self {
        let window = usize::try_from(MAX_WINDOW).unwrap();
        let credit = circuits.iter().map(|id| (*id, window)).collect();
        Self { client, credit, sent: BTreeMap::new() }
    }

    /// Sends a record if there is credit for it.
    async fn try_send(&mut self, circuit: CircuitId, length: usize) -> bool {
        let credit = self.credit.get_mut(&circuit).unwrap();
        if *credit < length {
            return false;
        }
        *credit -= length;
        *self.sent.entry(circuit).or_default() += length;
        self.client.send_record(circuit, &vec![7; length]).await;
        true
    }

    /// Waits for credit.
    async fn wait(&mut self) {
        let frame = self.client.next_frame().await;
        match Frame::decode(&frame).unwrap() {
            Frame::Credit { circuit, bytes } => {
                *self.credit.get_mut(&circuit).unwrap() += usize::try_from(bytes).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }

    /// Sends without end.
    async fn flood(&mut self, circuit: CircuitId, length: usize) {
        loop {
            if !self.try_send(circuit, length).await {
                self.wait().await;
            }
        }
    }
}

/// Reads one record; returns its circuit and length.
async fn record(client: &mut Client) -> (CircuitId, usize) {
    let frame = client.next_frame().await;
    match Frame::decode(&frame).unwrap() {
        Frame::Data { circuit, record } => (circuit, record.len()),
        other => panic!("{other:?}"),
    }
}

/// Reads a record as a link of some 15 MB/s would let it.
async fn slow_record(client: &mut Client) -> (CircuitId, usize) {
    let (circuit, length) = record(client).await;
    if length > 4096 {
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    (circuit, length)
}

#[tokio::test]
async fn one_receiver_that_stalls_holds_up_nobody_else_and_takes_little_memory() {
    const RECORDS: usize = 40;
    let mediator = Process::start(&[]);
    let mut alice = Client::connect(&mediator.link, Identity::new()).await;
    let mut stalled = Client::connect_narrow(&mediator.link, Identity::new()).await;
    let (to_stalled, _) = circuit(&mut alice, &mut stalled, 0).await;
    let (mut circuits, mut receivers) = (vec![to_stalled], Vec::new());
    for token in 1..9 {
        let mut client = Client::connect(&mediator.link, Identity::new()).await;
        circuits.push(circuit(&mut alice, &mut client, token).await.0);
        receivers.push(tokio::spawn(async move {
            for _ in 0..RECORDS {
                record(&mut client).await;
            }
            client
        }));
    }
    let mut sender = Sender::new(alice, &circuits);
    // The stalled one first, until all buffers on its way are full: nothing comes back for a while, and credit is short.
    let start = mediator.resident_kib();
    while sender.try_send(to_stalled, MAX_RECORD).await
        || tokio::time::timeout(Duration::from_secs(1), sender.wait()).await.is_ok()
    {}
    let before = sender.sent[&to_stalled];
    loop {
        let mut progress = false;
        for circuit in &circuits {
            let done = sender.sent.get(circuit).copied().unwrap_or_default() >= RECORDS * MAX_RECORD;
            progress |= !(done && *circuit != to_stalled) && sender.try_send(*circuit, MAX_RECORD).await;
        }
        let done = |id: &CircuitId| sender.sent.get(id).copied().unwrap_or_default() >= RECORDS * MAX_RECORD;
        if circuits[1..].iter().all(done) {
            break;
        }
        if !progress {
            sender.wait().await;
        }
    }
    for receiver in receivers {
        receiver.await.unwrap();
    }
    assert!(sender.sent[&to_stalled] <= before + MAX_RECORD, "the one that stalls got on");
    let growth = mediator.resident_kib().saturating_sub(start);
    println!("{before} bytes for the receiver that stalls, {growth} KiB more in use");
    assert!(growth < GROWTH_KIB, "{growth} KiB");

    // It reads again, and nothing was lost.
    let mut read = 0;
    while read < sender.sent[&to_stalled] {
        read += record(&mut stalled).await.1;
    }
    assert_eq!(read, sender.sent[&to_stalled]);
}

#[tokio::test]
async fn senders_of_long_and_of_short_records_share_a_receiver() {
    const MIB: usize = 1 << 20;
    let mediator = Process::start(&[]);
    let mut alice = Client::connect(&mediator.link, Identity::new()).await;
    let mut carol = Client::connect(&mediator.link, Identity::new()).await;
    let mut bob = Client::connect_narrow(&mediator.link, Identity::new()).await;
    let (a, at_a) = circuit(&mut alice, &mut bob, 1).await;
    let (c, at_c) = circuit(&mut carol, &mut bob, 2).await;
    let (mut alice, mut carol) = (Sender::new(alice, &[a]), Sender::new(carol, &[c]));
    let reading = async {
        let mut got = BTreeMap::from([(at_a, 0), (at_c, 0)]);
        let mut read = async |until: usize| {
            while got.values().sum::<usize>() < until {
                let (circuit, length) = slow_record(&mut bob).await;
                *got.get_mut(&circuit).unwrap() += length;
            }
            (got[&at_a], got[&at_c])
        };
        // What filled the buffers before both were there says nothing.
        let start = read(6 * MIB).await;
        let end = read(14 * MIB).await;
        (end.0 - start.0, end.1 - start.1)
    };
    let (long, short) = tokio::select! {
        shares = reading => shares,
        () = alice.flood(a, MAX_RECORD) => panic!("a flood ends"),
        () = carol.flood(c, 4000) => panic!("a flood ends"),
    };
    println!("long records {long}, short records {short} bytes");
    assert!(long < 2 * short && short < 2 * long, "{long} and {short} bytes");
}

#[tokio::test]
async fn a_small_record_overtakes_a_flood_between_the_same_sockets() {
    let mediator = Process::start(&[]);
    let mut alice = Client::connect(&mediator.link, Identity::new()).await;
    let mut bob = Client::connect_narrow(&mediator.link, Identity::new()).await;
    let (flood, _) = circuit(&mut alice, &mut bob, 1).await;
    let (small, at_small) = circuit(&mut alice, &mut bob, 2).await;
    let mut alice = Sender::new(alice, &[flood, small]);
    let read = AtomicUsize::new(0);
    let sent_at = AtomicUsize::new(0);
    let sending = async {
        while read.load(Ordering::Relaxed) < 50 {
            if !alice.try_send(flood, MAX_RECORD).await {
                alice.wait().await;
            }
        }
        sent_at.store(read.load(Ordering::Relaxed), Ordering::Relaxed);
        assert!(alice.try_send(small, 40).await);
        alice.flood(flood, MAX_RECORD).await;
    };
    let reading = async {
        while slow_record(&mut bob).await.0 != at_small {
            read.fetch_add(1, Ordering::Relaxed);
        }
        read.load(Ordering::Relaxed) - sent_at.load(Ordering::Relaxed)
    };
    let overtook = tokio::select! {
        overtook = reading => overtook,
        () = sending => panic!("a flood ends"),
    };
    // What the flood may have in the kernel's send buffer, its window, and what is in the buffers of the two ends.
    let buffers = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_wmem").unwrap();
    let send_buffer: usize = buffers.split_whitespace().last().unwrap().parse().unwrap();
    let bound = send_buffer / MAX_RECORD + 8;
    println!("{overtook} records came before the small one; at most {bound}");
    assert!(overtook <= bound, "{overtook} of {bound} records came before it");
}
