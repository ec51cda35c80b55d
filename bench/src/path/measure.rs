//! What is done with one way, and what is counted.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::{Amount, BALLS, Bounce, Cpu, Processes, Way};

/// Round trips before anything counts.
const WARM_UP: usize = 500;

/// Bytes of a write of bulk.
pub(crate) const PIECE: usize = 64 * 1024;

/// Bytes of a message in a row: a share of 4 bytes and MPyC's header.
const MESSAGE: usize = 16;

/// What was counted on one way.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// Round trips in nanoseconds, by size.
    bounces: [Vec<u64>; BALLS.len()],
    /// Millions of bytes a second.
    bulk: Vec<f64>,
    answered: Vec<Cpu>,
    streamed: Vec<Cpu>,
    idle: Cpu,
}

impl Samples {
    /// One turn.
    pub(super) fn take(
        &mut self,
        processes: &mut Processes,
        amount: Amount,
        first: bool,
    ) -> anyhow::Result<()> {
        if first {
            bounce(processes, BALLS[0], WARM_UP)?;
        }
        let before = processes.cpu()?;
        for (size, bounces) in BALLS.into_iter().zip(&mut self.bounces) {
            bounces.extend(bounce(processes, size, amount.bounces)?);
        }
        // Each round trip is two messages.
        self.answered.push(per(processes.cpu()?, before, 2 * BALLS.len() * amount.bounces));

        let took = push(processes, amount.bulk, PIECE)?;
        self.bulk.push(as_f64(amount.bulk) / 1e6 / took.as_secs_f64());

        let before = processes.cpu()?;
        push(processes, MESSAGE * amount.messages, MESSAGE)?;
        self.streamed.push(per(processes.cpu()?, before, amount.messages));
        Ok(())
    }

    /// Watches the processes do nothing.
    pub(super) fn rest(&mut self, processes: &Processes, seconds: u64) -> anyhow::Result<()> {
        let before = processes.cpu()?;
        thread::sleep(Duration::from_secs(seconds));
        self.idle = per(processes.cpu()?, before, usize::try_from(seconds)?);
        Ok(())
    }

    pub(super) fn way(mut self, name: &str) -> Way {
        let bounces = BALLS.into_iter().zip(&mut self.bounces).map(|(bytes, nanoseconds)| {
            nanoseconds.sort_unstable();
            Bounce { bytes, p50: quantile(nanoseconds, 50), p99: quantile(nanoseconds, 99) }
        });
        Way {
            name: name.to_owned(),
            bounces: bounces.collect(),
            megabytes_per_second: median(&mut self.bulk),
            answered: middle(&self.answered),
            streamed: middle(&self.streamed),
            idle: self.idle,
        }
    }
}

/// Sends a message and waits for the same one to come back, again and again; returns the round trips in nanoseconds.
pub(crate) fn bounce(processes: &mut Processes, size: usize, times: usize) -> anyhow::Result<Vec<u64>> {
    let far = processes.far.try_clone()?;
    let echo = thread::spawn(move || echo(far, size, times));
    let mut taken = Vec::with_capacity(times);
    let (mut ball, mut back) = (vec![0; size], vec![0; size]);
    for number in 0..times {
        let mark = number.to_le_bytes();
        ball[..4].copy_from_slice(&mark[..4]);
        let thrown = Instant::now();
        processes.near.write_all(&ball)?;
        processes.near.read_exact(&mut back)?;
        taken.push(u64::try_from(thrown.elapsed().as_nanos())?);
        anyhow::ensure!(ball == back, "another message came back");
    }
    echo.join().ok().context("the echo ended")??;
    Ok(taken)
}

fn echo(mut far: TcpStream, size: usize, times: usize) -> std::io::Result<()> {
    let mut ball = vec![0; size];
    for _ in 0..times {
        far.read_exact(&mut ball)?;
        far.write_all(&ball)?;
    }
    Ok(())
}

/// Sends so many bytes one way, in writes of this size; returns the time until the other end had them all.
pub(crate) fn push(processes: &mut Processes, bytes: usize, write: usize) -> anyhow::Result<Duration> {
    let mut far = processes.far.try_clone()?;
    let reader = thread::spawn(move || {
        let mut piece = vec![0; PIECE];
        let mut left = bytes;
        while left > 0 {
            let most = left.min(piece.len());
            match far.read(&mut piece[..most])? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                count => left -= count,
            }
        }
        far.write_all(&[1])
    });
    let piece = vec![7; write];
    let begun = Instant::now();
    let mut left = bytes;
    while left > 0 {
        let now = left.min(write);
        processes.near.write_all(&piece[..now])?;
        left -= now;
    }
    processes.near.read_exact(&mut [0])?;
    let took = begun.elapsed();
    reader.join().ok().context("the reader ended")??;
    Ok(took)
}

/// What each of so many cost.
fn per(after: Cpu, before: Cpu, count: usize) -> Cpu {
    let count = as_f64(count);
    Cpu { ends: (after.ends - before.ends) / count, mediator: (after.mediator - before.mediator) / count }
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// The value below which so many percent of sorted nanoseconds lie, in microseconds.
pub(crate) fn quantile(sorted: &[u64], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    // More than four seconds are as good as four.
    sorted.get(at).map_or(f64::NAN, |time| f64::from(u32::try_from(*time).unwrap_or(u32::MAX)) / 1000.0)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn middle(cpus: &[Cpu]) -> Cpu {
    let of = |part: fn(&Cpu) -> f64| median(&mut cpus.iter().map(part).collect::<Vec<_>>());
    Cpu { ends: of(|cpu| cpu.ends), mediator: of(|cpu| cpu.mediator) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_sorted_row() {
        let row: Vec<u64> = (1..=1000).map(|value| value * 1000).collect();
        assert_eq!((quantile(&row, 50), quantile(&row, 99)), (501.0, 991.0));
        assert_eq!(quantile(&[5000], 99), 5.0);
        assert!(quantile(&[], 50).is_nan());
    }

    #[test]
    fn cpu_is_divided_by_the_count() {
        let (before, after) = (Cpu { ends: 100.0, mediator: 0.0 }, Cpu { ends: 300.0, mediator: 50.0 });
        assert_eq!(per(after, before, 100), Cpu { ends: 2.0, mediator: 0.5 });
        assert_eq!(middle(&[after, before, before]), before);
    }
}
