//! What reaches a port that strangers know, and a stop in the middle of everything: a mediator process and real sockets.
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

use std::process::Command;
use std::time::{Duration, Instant};

use didagent_didcomm::protocols::relay::{
    CloseCode, Frame, Join, MAX_RECORD, MAX_WINDOW, Open, Opened, Token,
};
use didagent_didcomm::protocols::trust_ping::{Ping, PingResponse};
use support::{Client, Got, Identity, Process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How much the mediator may grow while strangers send garbage, in KiB.
const GROWTH_KIB: u64 = 24 * 1024;

/// Sends bytes and returns what came until the mediator closed.
async fn talk(mediator: &Process, bytes: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect(mediator.address()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut answer = Vec::new();
    let sending = async {
        // What is refused is not read to its end.
        let _ = writer.write_all(bytes).await;
    };
    let reading = async {
        let _ = reader.read_to_end(&mut answer).await;
    };
    let both = async { tokio::join!(sending, reading) };
    tokio::time::timeout(Duration::from_secs(60), both).await.expect("the mediator does not close");
    answer
}

fn post(length: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: m\r\nContent-Type: application/didcomm-encrypted+json\r\n{length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn garbage_is_answered_or_closed_with_little_memory() {
    let mediator = Process::start(&[]);
    let mut client = Client::connect(&mediator.link, Identity::new()).await;
    let start = mediator.resident_kib();
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    let endless = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 16 << 20]].concat();
    let fields = [b"GET / HTTP/1.1\r\n".to_vec(), b"a: b\r\n".repeat(1 << 20)].concat();
    let chunks = post("Transfer-Encoding: chunked", &b"1;xxxxxxxx\r\na\r\n".repeat(1 << 20));
    let upgrade = b"GET / HTTP/1.1\r\nHost: m\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    for (bytes, status) in [
        (hello, "400"),
        (b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(), "400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), "400"),
        (vec![0; 1 << 20], "400"),
        (vec![b'A'; 16 << 20], "431"),
        (endless, "431"),
        (fields, "431"),
        (chunks, "413"),
        (post("Content-Length: 99999999999999999999", &[b'x'; 100]), "413"),
    ] {
        // Many at once, as scanners come.
        let all = (0..8).map(|_| talk(&mediator, &bytes));
        for answer in futures_util::future::join_all(all).await {
            let answer = String::from_utf8_lossy(&answer);
            // A client that sends on and on can lose the answer to the reset of its connection.
            let lost = answer.is_empty() && bytes.len() > 4 << 20;
            assert!(lost || answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
        }
    }
    // An upgrade without its key ends too, whatever is said about it.
    talk(&mediator, upgrade).await;
    let _: PingResponse = client.ask(&Ping { response_requested: true }).await;
    let growth = mediator.resident_kib().saturating_sub(start);
    println!("{growth} KiB more in use");
    assert!(growth < GROWTH_KIB, "{growth} KiB");
}

#[tokio::test]
async fn a_stop_ends_within_seconds_and_tells_those_who_listen() {
    let mut mediator = Process::start(&[]);
    let mut alice = Client::connect(&mediator.link, Identity::new()).await;
    let mut deaf = Client::connect_narrow(&mediator.link, Identity::new()).await;
    let token = Token::new([1; 32]);
    let opened: Opened = alice.ask(&Open { token, window: MAX_WINDOW }).await;
    let _: Opened = deaf.ask(&Join { token, window: MAX_WINDOW }).await;
    let circuit = opened.circuit;
    assert_eq!(alice.next_frame().await, Frame::Credit { circuit, bytes: MAX_WINDOW }.encode());
    // One reads nothing, one has sent half a request, one nothing at all.
    for _ in 0..3 {
        alice.send_record(circuit, &[7; MAX_RECORD]).await;
    }
    let mut slow = TcpStream::connect(mediator.address()).await.unwrap();
    slow.write_all(&post("Content-Length: 100", b"{")).await.unwrap();
    let mut silent = TcpStream::connect(mediator.address()).await.unwrap();

    let start = Instant::now();
    let status =
        Command::new("kill").args(["-s", "TERM", &mediator.child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let told = async {
        loop {
            match alice.next().await {
                Got::Frame(frame) => match Frame::decode(&frame).unwrap() {
                    Frame::Credit { .. } => {}
                    other => assert_eq!(other, Frame::Close { circuit, code: CloseCode::GOING_AWAY }),
                },
                Got::Close(reason) => break reason,
                Got::Message(message) => panic!("{message:?}"),
            }
        }
    };
    assert_eq!(told.await, Some((1001, "going-away".to_owned())));
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("the mediator stops"), "{answer}");
    assert_eq!(silent.read(&mut [0; 10]).await.unwrap_or_default(), 0);
    let code = tokio::task::spawn_blocking(move || mediator.child.wait().unwrap().code()).await.unwrap();
    println!("stopped after {:?}", start.elapsed());
    assert_eq!(code, Some(0));
    // Twice three seconds for goodbyes, and a busy machine.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
