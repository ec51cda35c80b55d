//! Bridge to bridge over one TCP connection, with a session in the middle or with nothing but its AEAD.
//!
//! ```text
//! near --TCP--> hop ==u24 length, record==TCP==> hop --TCP--> far        two processes, two hops, no mediator
//! ```
//!
//! One hop is one thread with one loop ([`hop`]), of the kind that an agent has: what a read of the socket gave is sealed
//! and sent before the next read, and nothing waits to fill a record. Session and bare AEAD run in the same loop at the same
//! place ([`carrier`]), so their ratio is what ratchet, mask, frames, credit and acknowledgements cost.
//!
//! Not its concern: WebSockets, mediators, more than one stream, connections that come back.

pub mod carrier;
pub mod hop;
pub mod measure;
pub mod outgoing;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::Context as _;
use didagent_session::{Established, Initiator, Limits, Params, Responder, StaticSecret, Suite};

use crate::cost::bare::Cipher;
use crate::stateful::system_rng;
use carrier::{Plain, Sealed};

/// What is in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Middle {
    /// A session.
    Session,
    /// The AEAD of a session's suite, one key for each direction.
    Aead,
}

/// Which hop a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Side {
    /// The program connects here.
    Near,
    /// This connects to the other program.
    Far,
}

/// Carries bytes between the socket of a program and that of the other hop until one of the two ends.
///
/// # Errors
/// Whatever ends a socket, and a handshake that fails.
pub fn carry(
    side: Side,
    middle: Middle,
    cipher: Cipher,
    local: TcpStream,
    mut wire: TcpStream,
) -> anyhow::Result<()> {
    for socket in [&local, &wire] {
        socket.set_nodelay(true)?;
    }
    match middle {
        Middle::Aead => hop::run(local, wire, Plain::new(cipher, side)),
        Middle::Session => {
            let established = shake_hands(side, cipher, &mut wire)?;
            let session = established.into_session(Instant::now(), system_rng());
            hop::run(local, wire, Sealed::new(session, side)?)
        }
    }
}

/// The two messages, each after its length as u24. The keys are the same each time: nothing here is secret.
fn shake_hands(side: Side, cipher: Cipher, wire: &mut TcpStream) -> anyhow::Result<Established> {
    let [near, far] = [[1; 32], [2; 32]].map(StaticSecret::from_bytes);
    let [near_public, far_public] = [near.public(), far.public()];
    let suite = match cipher {
        Cipher::ChaChaPoly => Suite::KkChaChaPoly,
        Cipher::AesGcm => Suite::KkAesGcm,
    };
    let limits = Limits { record_size: didagent_session::MAX_RECORD, ..Limits::default() };
    let mut rng = system_rng();
    match side {
        Side::Near => {
            let params = Params { suite, local: &near, remote: &far_public, prologue: b"direct", limits };
            let (initiator, message1) = Initiator::start(params, &mut rng)?;
            write_message(wire, &message1)?;
            initiator.finish(&read_message(wire)?).map_err(|error| anyhow::anyhow!("{error:?}"))
        }
        Side::Far => {
            let params = Params { suite, local: &far, remote: &near_public, prologue: b"direct", limits };
            let (established, message2) = Responder::answer(params, &read_message(wire)?, &mut rng)?;
            write_message(wire, &message2)?;
            Ok(established)
        }
    }
}

fn write_message(wire: &mut TcpStream, message: &[u8]) -> anyhow::Result<()> {
    let [.., a, b, c] = u32::try_from(message.len())?.to_be_bytes();
    Ok(wire.write_all(&[&[a, b, c], message].concat())?)
}

fn read_message(wire: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut length = [0; 3];
    wire.read_exact(&mut length).context("no message of the handshake")?;
    let [a, b, c] = length;
    let mut message = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c]))?];
    wire.read_exact(&mut message)?;
    Ok(message)
}
