//! Two relays in a row carry both directions and pass the end of each on.
#![allow(missing_docs)]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// One relay process, ended with the test.
struct Hop {
    process: Child,
    address: SocketAddr,
}

impl Hop {
    fn to(next: SocketAddr) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_didagent-baseline"))
            .args(["127.0.0.1:0", &next.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().parse().unwrap();
        Self { process, address }
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Both ends of a connection through two hops, and the hops.
async fn through_two_hops() -> (TcpStream, TcpStream, [Hop; 2]) {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = Hop::to(server.local_addr().unwrap());
    let first = Hop::to(second.address);
    let client = TcpStream::connect(first.address).await.unwrap();
    let (server, _) = server.accept().await.unwrap();
    (client, server, [first, second])
}

/// Bytes that say where they belong, more than every buffer on the way holds.
fn bytes(seed: u32) -> Vec<u8> {
    (0..4 * 1024 * 1024_u32).map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 24) as u8).collect()
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), future).await.expect("within 30 seconds")
}

#[tokio::test]
async fn bytes_go_both_ways_at_once_and_each_end_is_passed_on_alone() {
    let (mut client, mut server, _hops) = soon(through_two_hops()).await;
    let (up, down) = (bytes(1), bytes(2));
    let (mut client_read, mut client_write) = client.split();
    let (mut server_read, mut server_write) = server.split();
    let (mut got_up, mut got_down) = (Vec::new(), vec![0; down.len()]);

    soon(async {
        let send_up = async {
            client_write.write_all(&up).await.unwrap();
            client_write.shutdown().await.unwrap();
        };
        let send_down = async { server_write.write_all(&down).await.unwrap() };
        let receive_up = async { server_read.read_to_end(&mut got_up).await.unwrap() };
        let receive_down = async { client_read.read_exact(&mut got_down).await.unwrap() };
        tokio::join!(send_up, send_down, receive_up, receive_down)
    })
    .await;
    assert!(got_up == up && got_down == down);

    // The client's FIN arrived; the other direction still carries, until the server ends it.
    soon(server_write.write_all(b"after the end of the other direction")).await.unwrap();
    soon(server_write.shutdown()).await.unwrap();
    let mut rest = Vec::new();
    soon(client_read.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"after the end of the other direction");
}

#[tokio::test]
async fn a_hop_that_nobody_listens_on_ends_the_connection() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let hop = Hop::to(unused);
    let mut client = soon(TcpStream::connect(hop.address)).await.unwrap();
    // An end or a reset, but not silence.
    let outcome = soon(client.read(&mut [0; 1])).await;
    assert!(matches!(outcome, Ok(0) | Err(_)), "{outcome:?}");
}
