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
    let (heard, _events) = mpsc::channel(1);
    let (out, _queue) = mpsc::channel(1);
    let (reader, stream, _sink) = reader(&address, heard, &out, false).await;
    let reading = tokio::spawn(reader.run(stream));
    let sent = flood.await.unwrap();
    assert!(sent < UNREAD + BUFFERS, "{sent} of {total} bytes were taken in");
    reading.abort();
}

async fn reader(
    address: &str,
    heard: mpsc::Sender<FromMediator>,
    out: &mpsc::Sender<Message>,
    in_run: bool,
) -> (Reader, SplitStream<Socket>, SplitSink<Socket, Message>) {
    let meter = Meter::new();
    let socket = dial(address, None, WebSocketConfig::default(), &meter).await.unwrap();
    let (sink, stream) = socket.split();
    let reader = Reader {
        mediator: String::new(),
        id: SocketId::next(),
        heard,
        circuits: Arc::default(),
        in_run: Arc::new(AtomicBool::new(in_run)),
        pings: out.downgrade(),
        meter,
    };
    (reader, stream, sink)
}

/// Decides RM-76.
#[tokio::test]
async fn a_mediator_that_falls_silent_in_a_run_is_pinged_and_given_up_soon() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/", listener.local_addr().unwrap());
    // It accepts, and then reads and writes nothing.
    let accepting = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        tokio_tungstenite::accept_async(stream).await.unwrap()
    });
    let (heard, mut events) = mpsc::channel(4);
    let (out, mut queue) = mpsc::channel(4);
    let (reader, stream, _sink) = reader(&address, heard, &out, true).await;
    let _silent = accepting.await.unwrap();
    let begin = Instant::now();
    let reading = tokio::spawn(reader.run(stream));
    let Heard::Lost(why) = events.recv().await.unwrap().heard else { panic!() };
    assert!(why.contains("nothing was heard"), "{why}");
    assert!(begin.elapsed() >= SILENCE_IN_RUN && begin.elapsed() < SILENCE);
    assert!(matches!(queue.try_recv(), Ok(Message::Ping(_))));
    reading.await.unwrap();
}
