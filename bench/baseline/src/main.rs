//! A plain TCP relay: every connection to the first address is copied to the second and back.
//!
//! ```text
//! client --TCP--> baseline A --TCP--> baseline B --TCP--> server       two processes, two hops
//! ```
//!
//! It is the yardstick for everything that carries bytes through two agents: no encryption, no streams, no flow control but
//! TCP's own. It is frozen: a change here makes every number that was measured against it incomparable.
//!
//! Not its concern: names, retries, limits. A hop that cannot be dialled ends the connection.

use std::env;
use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};

/// Bytes of the buffer of each direction of a connection.
const BUFFER: usize = 64 * 1024;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let (Some(listen), Some(next), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: didagent-baseline <address to listen on> <address of the next hop>");
    };
    let next: SocketAddr = next.parse().with_context(|| format!("{next} is not an address with a port"))?;
    let listener = TcpListener::bind(&listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    // With port 0 the system chooses: whoever started this reads the choice here.
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, peer) = listener.accept().await.context("cannot accept")?;
        tokio::spawn(async move {
            if let Err(error) = relay(socket, next).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// Copies both directions until both ended. An end of one direction is passed on and leaves the other one open.
async fn relay(mut from: TcpStream, next: SocketAddr) -> std::io::Result<()> {
    from.set_nodelay(true)?;
    let mut to = TcpStream::connect(next).await?;
    to.set_nodelay(true)?;
    copy_bidirectional_with_sizes(&mut from, &mut to, BUFFER, BUFFER).await?;
    Ok(())
}
