//! A WebSocket whose client is silent, stalls, or sends too much.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{DuplexStream, duplex};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::engine::Engine;
use super::super::keys::{Identity, KeyPair};
use super::*;
use crate::core::limits::Limits;

fn engine() -> Engine {
    let identity = Identity::new(KeyPair::generate(), "ws://127.0.0.1:1/").unwrap();
    Engine::new(identity, "http://127.0.0.1:1/", Limits::default(), (&[], false), [7; 32])
}

/// Serves one WebSocket to a client, until both have ended.
async fn served<R>(client: impl AsyncFnOnce(WebSocketStream<DuplexStream>) -> R) -> R {
    let (ours, theirs) = duplex(4 * MAX_TEXT);
    let server = WebSocketStream::from_raw_socket(theirs, Role::Server, Some(config())).await;
    let ours = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
    let engine = engine();
    tokio::join!(serve(&engine, server, [127, 0, 0, 1].into()), client(ours)).1
}

/// Reads until the server closes: the pings that came, and code and reason of the end.
async fn until_close(client: &mut WebSocketStream<DuplexStream>) -> (usize, Option<(u16, String)>) {
    let mut pings = 0;
    loop {
        match client.next().await {
            Some(Ok(Message::Ping(_))) => pings += 1,
            Some(Ok(Message::Close(frame))) => {
                return (pings, frame.map(|frame| (frame.code.into(), frame.reason.to_string())));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return (pings, None),
        }
    }
}

/// Decides RL-03, RL-23.
#[tokio::test(start_paused = true)]
async fn a_silent_client_is_pinged_and_given_up_after_a_minute() {
    let start = Instant::now();
    let (pings, end) = served(async |mut client: WebSocketStream<DuplexStream>| {
        // It reads nothing, so it answers nothing.
        tokio::time::sleep(Duration::from_secs(61)).await;
        until_close(&mut client).await
    })
    .await;
    assert_eq!(end, Some((1001, "no answer to pings".to_owned())));
    // The last one is due at the end of the minute.
    assert!((2..=3).contains(&pings), "{pings}");
    assert!(start.elapsed() < Duration::from_secs(70), "{:?}", start.elapsed());
}

/// Decides RL-03.
#[tokio::test(start_paused = true)]
async fn a_client_that_answers_pings_stays() {
    served(async |mut client: WebSocketStream<DuplexStream>| {
        let ended = timeout(Duration::from_secs(3600), until_close(&mut client)).await;
        assert!(ended.is_err(), "{ended:?}");
        client.close(None).await.unwrap();
    })
    .await;
}

/// Decides RL-03.
#[tokio::test(start_paused = true)]
async fn a_write_that_takes_a_minute_is_the_last() {
    let start = Instant::now();
    assert_eq!(within_stall(std::future::pending::<Result<(), Error>>()).await, Some(End::Stalled));
    assert_eq!(start.elapsed(), Duration::from_secs(60));
}

/// Decides RL-03, RL-23.
#[tokio::test(start_paused = true)]
async fn the_longest_text_is_read_and_a_longer_one_ends_the_socket() {
    served(async |mut client: WebSocketStream<DuplexStream>| {
        // None of them opens, so sixteen are borne and one more is not.
        for _ in 0..17 {
            client.send(Message::text("x".repeat(MAX_TEXT))).await.unwrap();
        }
        let (_, end) = until_close(&mut client).await;
        assert_eq!(end, Some((1008, "unreadable-messages".to_owned())));
    })
    .await;
    served(async |mut client: WebSocketStream<DuplexStream>| {
        client.send(Message::text("x".repeat(MAX_TEXT + 1))).await.unwrap();
        assert_eq!(until_close(&mut client).await.1, None);
    })
    .await;
}

/// Decides RL-03.
#[tokio::test(start_paused = true)]
async fn a_burst_is_read_at_once_and_then_so_many_messages_a_second() {
    let start = Instant::now();
    let mut allowance = Allowance::new();
    for _ in 0..200 {
        allowance.spend().await;
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    for _ in 0..500 {
        allowance.spend().await;
    }
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    // What was saved up is a burst again, and no more.
    tokio::time::sleep(Duration::from_secs(100)).await;
    let start = Instant::now();
    for _ in 0..250 {
        allowance.spend().await;
    }
    assert_eq!(start.elapsed(), Duration::from_secs(1));
}

/// Decides RL-23.
#[test]
fn every_reason_to_close_has_its_code_and_word() {
    for (closing, code, reason) in [
        (Closing::GoingAway, 1001, "going-away"),
        (Closing::Core(CloseReason::MalformedFrame), 1003, "malformed-frame"),
        (Closing::Core(CloseReason::Unreadable), 1008, "unreadable-messages"),
        (Closing::Core(CloseReason::Overload), 1008, "answers-not-read"),
    ] {
        let frame = close_frame_of(closing);
        assert_eq!((u16::from(frame.code), frame.reason.as_str()), (code, reason));
    }
}
