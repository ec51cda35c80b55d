use std::time::Duration;

use didagent_didcomm::protocols::relay::MAX_RECORD;
use tokio::net::TcpListener;

use super::*;

/// What the sockets of both ends and the websocket's own buffers may hold besides.
const BUFFERS: usize = 16 * 1024 * 1024;

/// A mediator that ignores credit and names circuits that nobody waits for.
async fn flood(listener: TcpListener, total: usize) -> usize {
    let (stream, _) = listener.accept().await.unwrap();
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    let record = vec![7; MAX_RECORD];
    let mut sent = 0;
    for circuit in (1..=200).cycle() {
        if sent >= total {
            break;
        }
        let frame = Frame::Data { circuit: CircuitId(circuit), record: &record }.encode();
        match timeout(Duration::from_secs(2), socket.send(Message::binary(frame))).await {
            Ok(sent_one) => sent_one.unwrap(),
            Err(_) => return sent,
        }
        sent += record.len();
    }
    sent
}

#[tokio::test]
async fn a_mediator_that_ignores_credit_is_read_no_faster_than_its_records_are_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/", listener.local_addr().unwrap());
    let total = 4 * (UNREAD + BUFFERS);
    let flood = tokio::spawn(flood(listener, total));
    let socket = dial(&address, None, WebSocketConfig::default()).await.unwrap();
    let (_sink, stream) = socket.split();
    let (heard, _events) = mpsc::channel(1);
    let circuits = Arc::new(Mutex::new(Circuits::default()));
    let reading = tokio::spawn(read(stream, String::new(), heard, Arc::clone(&circuits)));
    let sent = flood.await.unwrap();
    assert!(sent < UNREAD + BUFFERS, "{sent} of {total} bytes were taken in");
    reading.abort();
}
