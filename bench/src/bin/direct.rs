//! One hop of a path without a mediator: `direct near` takes the program and dials `direct far`, which dials the other program.
//!
//! ```text
//! direct far session aes 127.0.0.1:0 <the far program>        prints where it listens
//! direct near session aes 127.0.0.1:0 <where far listens>
//! ```

use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use didagent_bench::cost::bare::Cipher;
use didagent_bench::direct::{Middle, Side, carry};

/// One hop of a path without a mediator.
#[derive(Parser)]
struct Arguments {
    /// Which hop.
    side: Side,
    /// What is in the middle.
    middle: Middle,
    /// Its cipher.
    cipher: Name,
    /// Where to listen; with port 0 the system chooses, and the choice is printed.
    listen: SocketAddr,
    /// The next hop.
    next: SocketAddr,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    Chacha,
    Aes,
}

fn main() -> anyhow::Result<()> {
    let Arguments { side, middle, cipher, listen, next } = Arguments::parse();
    let cipher = match cipher {
        Name::Chacha => Cipher::ChaChaPoly,
        Name::Aes => Cipher::AesGcm,
    };
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    println!("listening on {}", listener.local_addr()?);
    let (from, _) = listener.accept().context("cannot accept")?;
    let to = TcpStream::connect(next).with_context(|| format!("cannot reach {next}"))?;
    let (local, wire) = match side {
        Side::Near => (from, to),
        Side::Far => (to, from),
    };
    carry(side, middle, cipher, local, wire)
}
