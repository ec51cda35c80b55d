//! One bridge between sockets that stand for MPyC and streams that stand for the other party.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod common;

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::Duration;

use common::{CAPACITY, ManualMesh, OpenRequest, TestStream, stream_pair};
use didagent_bridge::io::{Bridge, BridgeEvent, BridgeOptions, Failure, MAX_SILENT, MAX_WAITING, Origin};
use didagent_bridge::plan::PortPlan;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Longer than anything here takes on a busy machine: only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long something must not happen to count as not happening.
const A_WHILE: Duration = Duration::from_millis(150);

struct Rig {
    bridge: Bridge,
    plan: PortPlan,
    events: mpsc::Receiver<BridgeEvent>,
    requests: mpsc::UnboundedReceiver<OpenRequest>,
}

async fn rig(me: usize, m: usize, options: BridgeOptions) -> Rig {
    // The port of the test's listener makes parallel tests begin their search at different places.
    let seed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    let (plan, listeners) = Bridge::bind(me, m, &[], seed.into()).await.unwrap();
    let (mesh, requests) = ManualMesh::new();
    let mut bridge = Bridge::start_with(listeners, mesh, options);
    let events = bridge.events();
    Rig { bridge, plan, events, requests }
}

/// Party 0 of 2: its MPyC dials party 1.
async fn dialler() -> Rig {
    rig(0, 2, BridgeOptions::default()).await
}

/// Party 1 of 2: party 0 dials its MPyC.
async fn listener() -> Rig {
    rig(1, 2, BridgeOptions::default()).await
}

impl Rig {
    async fn dial(&self) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.plan.listen()[0].1)).await.unwrap()
    }

    /// A local connection that said the right pid.
    async fn mpyc(&self) -> TcpStream {
        let mut local = self.dial().await;
        local.write_all(&[0, 0]).await.unwrap();
        local
    }

    async fn request(&mut self) -> OpenRequest {
        within(self.requests.recv()).await.expect("the bridge is gone")
    }

    async fn event(&mut self) -> BridgeEvent {
        within(self.events.recv()).await.expect("the bridge is gone")
    }

    /// A connection that stands, from the side of party 0: MPyC's end and the far end, the pid read.
    async fn connected(&mut self) -> (TcpStream, TestStream) {
        let local = self.mpyc().await;
        let request = self.request().await;
        assert_eq!(request.peer, 1);
        let mut far = request.accept();
        assert_eq!(read(&mut far, 2).await, [0, 0]);
        assert!(matches!(self.event().await, BridgeEvent::Connected { peer: 1 }));
        (local, far)
    }

    /// The port of the own MPyC, where it listens, as MPyC does.
    async fn own_mpyc(&self) -> TcpListener {
        TcpListener::bind((Ipv4Addr::LOCALHOST, self.plan.own_port())).await.unwrap()
    }

    /// Gives the bridge a stream of party 0 that begins with these bytes.
    async fn stream(&self, start: &[u8]) -> TestStream {
        let (near, mut far) = stream_pair();
        far.write_all(start).await.unwrap();
        self.bridge.incoming(0, near).await;
        far
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it did not happen")
}

async fn never<T>(future: impl Future<Output = T>) {
    assert!(tokio::time::timeout(A_WHILE, future).await.is_err(), "it happened");
}

async fn read(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    within(stream.read_exact(&mut bytes)).await.unwrap();
    bytes
}

async fn assert_fin(stream: &mut (impl AsyncRead + Unpin)) {
    assert_eq!(within(stream.read(&mut [0; 8])).await.unwrap(), 0);
}

async fn assert_reset(stream: &mut (impl AsyncRead + Unpin)) {
    let error = within(stream.read(&mut [0; 8])).await.expect_err("the end was orderly");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
}

#[tokio::test]
async fn br_07_nothing_is_opened_before_the_whole_pid_has_come() {
    let mut rig = dialler().await;
    let mut local = rig.dial().await;
    never(rig.requests.recv()).await;
    local.write_all(&[0]).await.unwrap();
    never(rig.requests.recv()).await;
    local.write_all(&[0, 9]).await.unwrap();
    let mut far = rig.request().await.accept();
    assert_eq!(read(&mut far, 3).await, [0, 0, 9]);
}

#[tokio::test]
async fn br_10_a_local_connection_is_held_until_the_far_side_is_there() {
    let mut rig = dialler().await;
    let mut local = rig.mpyc().await;
    local.write_all(b"keys").await.unwrap();
    let request = rig.request().await;
    never(local.read(&mut [0])).await;
    let mut far = request.accept();
    assert_eq!(read(&mut far, 6).await, b"\0\0keys");
    far.write_all(b"answer").await.unwrap();
    assert_eq!(read(&mut local, 6).await, b"answer");
}

#[tokio::test]
async fn br_02_what_is_sent_during_the_hold_arrives_in_order() {
    let mut rig = dialler().await;
    let local = rig.mpyc().await;
    let sent: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let (_reader, mut writer) = local.into_split();
    let bytes = sent.clone();
    let task = tokio::spawn(async move {
        writer.write_all(&bytes).await.unwrap();
        writer
    });
    let request = rig.request().await;
    tokio::time::sleep(A_WHILE).await;
    let mut far = request.accept();
    assert_eq!(read(&mut far, 2).await, [0, 0]);
    assert!(read(&mut far, sent.len()).await == sent);
    drop(within(task).await.unwrap());
    assert_fin(&mut far).await;
}

#[tokio::test]
async fn br_03_fin_passes_in_each_direction_by_itself() {
    let mut rig = dialler().await;
    let (mut local, mut far) = rig.connected().await;
    local.write_all(b"last words").await.unwrap();
    local.shutdown().await.unwrap();
    assert_eq!(read(&mut far, 10).await, b"last words");
    assert_fin(&mut far).await;
    far.write_all(b"reply").await.unwrap();
    assert_eq!(read(&mut local, 5).await, b"reply");
    never(local.read(&mut [0])).await;
    far.shutdown().await.unwrap();
    assert_fin(&mut local).await;
    assert!(matches!(rig.event().await, BridgeEvent::Finished { peer: 1, bytes_up: 12, bytes_down: 5 }));

    let (mut local, mut far) = rig.connected().await;
    far.shutdown().await.unwrap();
    assert_fin(&mut local).await;
    local.write_all(b"reply").await.unwrap();
    assert_eq!(read(&mut far, 5).await, b"reply");
    never(far.read(&mut [0])).await;
    local.shutdown().await.unwrap();
    assert_fin(&mut far).await;
    assert!(matches!(rig.event().await, BridgeEvent::Finished { bytes_up: 7, bytes_down: 0, .. }));
    let counts = rig.bridge.counts(1);
    assert_eq!((counts.connections, counts.bytes_up, counts.bytes_down), (2, 19, 5));
    assert_eq!(rig.bridge.counts(0), rig.bridge.counts(7));
}

#[tokio::test]
async fn br_03_a_local_reset_resets_the_stream() {
    let mut rig = dialler().await;
    let (local, mut far) = rig.connected().await;
    reset(local);
    assert_reset(&mut far).await;
    assert!(matches!(rig.event().await, BridgeEvent::Broken { peer: 1, error: Failure::Local(_) }));
}

#[tokio::test]
async fn br_03_a_reset_stream_resets_the_local_connection() {
    let mut rig = dialler().await;
    let (mut local, far) = rig.connected().await;
    drop(far);
    assert_reset(&mut local).await;
    assert!(matches!(rig.event().await, BridgeEvent::Broken { peer: 1, error: Failure::Remote(_) }));

    // After a FIN in that direction it is the next write that finds out.
    let (mut local, mut far) = rig.connected().await;
    far.shutdown().await.unwrap();
    assert_fin(&mut local).await;
    drop(far);
    local.write_all(b"anybody there?").await.unwrap();
    assert!(matches!(rig.event().await, BridgeEvent::Broken { peer: 1, error: Failure::Remote(_) }));
    assert!(within(local.write_all(&[0; 1 << 24])).await.is_err());
}

#[tokio::test]
async fn br_08_br_09_connections_follow_one_another_and_who_hung_up_is_left_out() {
    let mut rig = dialler().await;
    let (mut first, mut far) = rig.connected().await;
    drop(rig.mpyc().await);
    let mut second = rig.mpyc().await;
    second.write_all(b"2nd").await.unwrap();
    never(rig.requests.recv()).await;
    first.write_all(b"1st").await.unwrap();
    assert_eq!(read(&mut far, 3).await, b"1st");
    drop(first);
    assert_fin(&mut far).await;
    far.shutdown().await.unwrap();
    assert!(matches!(rig.event().await, BridgeEvent::Finished { .. }));
    within(rig.request().await.answer.closed()).await;
    let mut far = rig.request().await.accept();
    assert_eq!(read(&mut far, 5).await, b"\0\x002nd");
}

#[tokio::test]
async fn br_08_waiting_connections_are_bounded() {
    let mut rig = dialler().await;
    let (_first, _far) = rig.connected().await;
    let mut waiting = Vec::new();
    for _ in 0..=MAX_WAITING {
        waiting.push(rig.mpyc().await);
    }
    let event = rig.event().await;
    assert!(matches!(event, BridgeEvent::Broken { error: Failure::TooMany(Origin::Local), .. }));
    let ends = waiting
        .iter_mut()
        .map(|local| async { tokio::time::timeout(A_WHILE, local.read(&mut [0])).await.is_ok() });
    let mut refused = 0;
    for end in ends {
        refused += usize::from(end.await);
    }
    assert_eq!(refused, 1);
}

#[tokio::test]
async fn br_06_a_local_stranger_with_another_pid_is_turned_away_and_disturbs_nobody() {
    let mut rig = dialler().await;
    for pid in [1_u16, 2, 256] {
        let mut stranger = rig.dial().await;
        stranger.write_all(&pid.to_le_bytes()).await.unwrap();
        assert_reset(&mut stranger).await;
        let event = rig.event().await;
        let BridgeEvent::WrongPid { peer: 1, got, origin: Origin::Local } = event else {
            panic!("{event:?}")
        };
        assert_eq!(got, pid);
    }
    assert!(rig.requests.try_recv().is_err());
    let (mut local, mut far) = rig.connected().await;
    let mut stranger = rig.dial().await;
    stranger.write_all(&[7, 7, 7]).await.unwrap();
    assert!(matches!(rig.event().await, BridgeEvent::WrongPid { got: 0x0707, .. }));
    local.write_all(b"on").await.unwrap();
    assert_eq!(read(&mut far, 2).await, b"on");
}

#[tokio::test]
async fn br_12_silent_strangers_do_not_keep_mpyc_out() {
    let mut rig = dialler().await;
    let mut silent = Vec::new();
    for _ in 0..MAX_SILENT * 3 {
        let mut stranger = rig.dial().await;
        stranger.write_all(&[0]).await.unwrap();
        silent.push(stranger);
    }
    let (mut local, mut far) = rig.connected().await;
    local.write_all(b"on").await.unwrap();
    assert_eq!(read(&mut far, 2).await, b"on");
    // The ones that were silent longest are gone, and only as many are kept as promised.
    assert_reset(&mut silent[0]).await;
    let mut kept = 0;
    for stranger in &mut silent {
        kept += usize::from(
            tokio::time::timeout(Duration::from_millis(10), stranger.read(&mut [0])).await.is_err(),
        );
    }
    assert!((1..=MAX_SILENT).contains(&kept), "{kept}");
}

#[tokio::test]
async fn br_10_mpyc_that_hangs_up_while_it_is_held_gives_way_to_the_next() {
    let mut rig = dialler().await;
    let local = rig.mpyc().await;
    let mut request = rig.request().await;
    drop(local);
    within(request.answer.closed()).await;
    let event = rig.event().await;
    assert!(matches!(event, BridgeEvent::Broken { peer: 1, error: Failure::HungUp(Origin::Local) }));
    rig.connected().await;
}

#[tokio::test]
async fn a_stream_that_cannot_be_opened_resets_the_local_connection() {
    let mut rig = dialler().await;
    let mut local = rig.mpyc().await;
    let request = rig.request().await;
    request.answer.send(Err(ErrorKind::HostUnreachable.into())).ok().unwrap();
    assert_reset(&mut local).await;
    let BridgeEvent::Broken { peer: 1, error: Failure::Open(error) } = rig.event().await else { panic!() };
    assert_eq!(error.kind(), ErrorKind::HostUnreachable);
}

#[tokio::test]
async fn br_11_a_stream_is_carried_to_mpyc_once_it_listens() {
    let mut rig = listener().await;
    let mut far = rig.stream(b"\0\0keys").await;
    never(rig.events.recv()).await;
    // Twice: a program may start MPyC again, which listens anew each time.
    for _ in 0..2 {
        let mpyc = rig.own_mpyc().await;
        let (mut local, _) = within(mpyc.accept()).await.unwrap();
        drop(mpyc);
        assert_eq!(read(&mut local, 6).await, b"\0\0keys");
        assert!(matches!(rig.event().await, BridgeEvent::Connected { peer: 0 }));
        let mut next = rig.stream(b"\0\0keys").await;
        local.write_all(b"reply").await.unwrap();
        assert_eq!(read(&mut far, 5).await, b"reply");
        far.shutdown().await.unwrap();
        assert_fin(&mut local).await;
        drop(local);
        assert_fin(&mut far).await;
        assert!(matches!(rig.event().await, BridgeEvent::Finished { peer: 0, bytes_up: 5, bytes_down: 6 }));
        std::mem::swap(&mut far, &mut next);
    }
    assert_eq!(rig.bridge.counts(0).connections, 2);
}

#[tokio::test]
async fn br_03_resets_pass_in_both_directions_of_an_incoming_stream() {
    let mut rig = listener().await;
    let mpyc = rig.own_mpyc().await;
    let mut far = rig.stream(&[0, 0]).await;
    let (local, _) = within(mpyc.accept()).await.unwrap();
    assert!(matches!(rig.event().await, BridgeEvent::Connected { .. }));
    reset(local);
    assert_reset(&mut far).await;
    assert!(matches!(rig.event().await, BridgeEvent::Broken { error: Failure::Local(_), .. }));

    let far = rig.stream(&[0, 0]).await;
    let (mut local, _) = within(mpyc.accept()).await.unwrap();
    assert_eq!(read(&mut local, 2).await, [0, 0]);
    drop(far);
    assert_reset(&mut local).await;
}

#[tokio::test]
async fn br_05_a_stream_with_another_pid_never_reaches_mpyc() {
    let mut rig = listener().await;
    let mpyc = rig.own_mpyc().await;
    for pid in [1_u16, 2, 256] {
        let mut far = rig.stream(&pid.to_le_bytes()).await;
        assert_reset(&mut far).await;
        let event = rig.event().await;
        let BridgeEvent::WrongPid { peer: 0, got, origin: Origin::Remote } = event else {
            panic!("{event:?}")
        };
        assert_eq!(got, pid);
    }
    never(mpyc.accept()).await;
    let mut far = rig.stream(&[0]).await;
    never(mpyc.accept()).await;
    far.write_all(&[0]).await.unwrap();
    within(mpyc.accept()).await.unwrap();
}

#[tokio::test]
async fn br_11_a_stream_that_ends_before_mpyc_listens_gives_way_to_the_next() {
    let mut rig = listener().await;
    for start in [&[][..], &[0], &[0, 0], &[0, 0, 1]] {
        let mut far = rig.stream(start).await;
        far.shutdown().await.unwrap();
        let event = rig.event().await;
        assert!(
            matches!(event, BridgeEvent::Broken { error: Failure::HungUp(Origin::Remote), .. }),
            "{event:?}"
        );
        assert_reset(&mut far).await;
    }
    let mpyc = rig.own_mpyc().await;
    let _far = rig.stream(b"\0\0x").await;
    let (mut local, _) = within(mpyc.accept()).await.unwrap();
    assert_eq!(read(&mut local, 3).await, b"\0\0x");
}

#[tokio::test]
async fn a_deadline_ends_the_dialling() {
    let mut rig = rig(1, 2, BridgeOptions::default().with_dial_deadline(A_WHILE)).await;
    let mut far = rig.stream(&[0, 0]).await;
    assert!(matches!(rig.event().await, BridgeEvent::Broken { error: Failure::NotListening, .. }));
    assert_reset(&mut far).await;
}

#[tokio::test]
async fn br_01_streams_beyond_the_bound_or_of_a_wrong_party_are_dropped() {
    let mut rig = rig(1, 3, BridgeOptions::default()).await;
    for peer in [1, 2, 3] {
        let (near, mut far) = stream_pair();
        rig.bridge.incoming(peer, near).await;
        assert_reset(&mut far).await;
        assert!(matches!(rig.event().await, BridgeEvent::Broken { error: Failure::Unexpected, .. }));
    }
    let mut streams = vec![rig.stream(&[0, 0]).await];
    // The first one leaves the queue when the bridge begins to serve it.
    tokio::task::yield_now().await;
    for _ in 0..MAX_WAITING {
        streams.push(rig.stream(&[0, 0]).await);
    }
    never(rig.events.recv()).await;
    let mut last = rig.stream(&[0, 0]).await;
    assert_reset(&mut last).await;
    assert!(matches!(rig.event().await, BridgeEvent::Broken { error: Failure::TooMany(Origin::Remote), .. }));
}

/// Writes until nothing more is taken for a while; returns how much was.
async fn fill(writer: &mut (impl tokio::io::AsyncWrite + Unpin)) -> usize {
    let chunk = vec![7; 64 * 1024];
    let mut total = 0;
    while let Ok(written) = tokio::time::timeout(A_WHILE, writer.write(&chunk)).await {
        total += written.unwrap();
        assert!(total < 64 << 20, "nothing stops the writer");
    }
    total
}

#[tokio::test]
async fn br_04_a_stalled_reader_stops_the_writer() {
    let mut rig = dialler().await;
    let (mut local, mut far) = rig.connected().await;
    // Up: what the bridge has passed on is what the stream holds; the rest waits in the sockets and one buffer.
    let sent = fill(&mut local).await;
    let passed = rig.bridge.counts(1).bytes_up;
    assert!(passed <= u64::try_from(CAPACITY + 2).unwrap(), "{passed}");
    assert_eq!(read(&mut far, sent).await.len(), sent);
    never(far.read(&mut [0])).await;
    // Down: the socket's own buffers, one buffer of the bridge, and the stream.
    let sent = fill(&mut far).await;
    let passed = usize::try_from(rig.bridge.counts(1).bytes_down).unwrap();
    let held = sent - passed;
    assert!(held <= CAPACITY + 64 * 1024, "{held} bytes are neither in the stream nor in the socket");
    assert_eq!(read(&mut local, sent).await.len(), sent);
}

#[tokio::test]
async fn br_10_a_stalled_hold_stops_the_writer() {
    let mut rig = dialler().await;
    let mut local = rig.mpyc().await;
    let request = rig.request().await;
    let sent = fill(&mut local).await;
    let mut far = request.accept();
    assert_eq!(read(&mut far, sent + 2).await.len(), sent + 2);
}

#[tokio::test]
async fn shutdown_resets_everything_and_frees_the_ports() {
    let mut rig = rig(1, 3, BridgeOptions::default()).await;
    let mpyc = rig.own_mpyc().await;
    let mut far = rig.stream(&[0, 0]).await;
    let (mut local, _) = within(mpyc.accept()).await.unwrap();
    assert_eq!(read(&mut local, 2).await, [0, 0]);
    let mut held = rig.dial().await;
    held.write_all(&[1, 0]).await.unwrap();
    let mut request = rig.request().await;
    let ports: Vec<u16> = rig.plan.listen().iter().map(|(_, port)| *port).collect();
    drop(mpyc);
    rig.bridge.shutdown().await;
    for port in ports {
        let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    assert_reset(&mut local).await;
    assert_reset(&mut held).await;
    assert_reset(&mut far).await;
    within(request.answer.closed()).await;
}
