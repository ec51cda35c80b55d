//! The loop of a hop: two sockets, one thread, and a carrier between them.

use std::io::{self, ErrorKind};
use std::net::TcpStream as StdStream;
use std::time::Instant;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::time::sleep_until;

use super::carrier::{Carrier, LENGTH, MOST};
use super::outgoing::{Incoming, Outgoing};

/// Room for records that are read: several of the largest, so that a piece of one is seldom moved to the front.
const INBOX: usize = 8 * (LENGTH + MOST);

/// Runs until one of the sockets ends.
pub(super) fn run(local: StdStream, wire: StdStream, mut carrier: impl Carrier) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    // Timers of this loop's own runtime would cost it a timer of the kernel for each message; an agent's stand apart too.
    let timers = Builder::new_current_thread().enable_time().build()?;
    let clock = timers.handle().clone();
    std::thread::spawn(move || timers.block_on(std::future::pending::<()>()));
    runtime.block_on(async {
        let [local, wire] = [local, wire].map(|socket| {
            socket.set_nonblocking(true)?;
            TcpStream::from_std(socket)
        });
        turn(&mut local?, &mut wire?, &mut carrier, &clock).await
    })
}

async fn turn(
    local: &mut TcpStream,
    wire: &mut TcpStream,
    carrier: &mut impl Carrier,
    clock: &Handle,
) -> anyhow::Result<()> {
    let ((from_local, to_local), (from_wire, to_wire)) = (local.split(), wire.split());
    let (mut local, mut wire) = (Incoming::new(from_local), Incoming::new(from_wire));
    let (mut to_local, mut to_wire) = (Outgoing::new(to_local), Outgoing::new(to_wire));
    let mut inbox = Inbox::new();
    // A deadline that moved away is found out when the timer fires: most move with every message.
    let mut armed = None;
    let timer = {
        let _entered = clock.enter();
        sleep_until(Instant::now().into())
    };
    tokio::pin!(timer);
    loop {
        carrier.send(Instant::now(), &mut to_wire)?;
        if let Some(deadline) = carrier.deadline()
            && armed.is_none_or(|armed| deadline < armed)
        {
            armed = Some(deadline);
            timer.as_mut().reset(deadline.into());
        }
        let takes = carrier.takes() && to_wire.is_empty();
        tokio::select! {
            biased;
            ready = wire.readable(), if to_local.is_empty() => {
                ready?;
                if !inbox.fill(&mut wire)? {
                    return Ok(());
                }
                let now = Instant::now();
                while let Some(record) = inbox.next() {
                    carrier.open(record, now, &mut to_local)?;
                }
            }
            ready = local.readable(), if takes => {
                ready?;
                match carrier.take(&mut local, &mut to_wire) {
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
            ready = to_wire.writable(), if !to_wire.is_empty() => {
                ready?;
                to_wire.flush()?;
            }
            ready = to_local.writable(), if !to_local.is_empty() => {
                ready?;
                to_local.flush()?;
            }
            () = timer.as_mut(), if armed.is_some() => {
                armed = None;
                carrier.tick(Instant::now());
            }
        }
    }
}

/// Records as they come, opened where they lie.
struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    fn new() -> Self {
        Self { bytes: vec![0; INBOX], start: 0, end: 0 }
    }

    /// Reads once; `false` if the connection ended.
    fn fill(&mut self, wire: &mut Incoming<'_>) -> io::Result<bool> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.bytes.len() - self.end < LENGTH + MOST {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        match wire.read(&mut self.bytes[self.end..]) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.end += count;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The next record that is there in full.
    fn next(&mut self) -> Option<&mut [u8]> {
        let there = &mut self.bytes[self.start..self.end];
        let (length, rest) = there.split_first_chunk_mut::<LENGTH>()?;
        let [a, b, c] = *length;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
        let record = rest.get_mut(..length)?;
        self.start += LENGTH + length;
        Some(record)
    }
}
