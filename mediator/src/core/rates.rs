//! How fast each address may do something: post messages over HTTP, write on the board, read it.
//!
//! A WebSocket that sends too fast is read later; a POST is alone on its connection, so the address has to do. Many people can
//! share one, as behind one router, which is why it may send as much as a socket.
//!
//! Not its concern: proxies (the caller knows whose address it is), WebSockets.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::limits::{MESSAGE_BURST, MESSAGES_PER_SECOND};

/// Addresses that are remembered. One is forgotten when it may send a whole burst again, after four seconds with messages.
const MAX_ADDRESSES: usize = 4096;

/// How often addresses are forgotten when there are too many: the search looks at all of them.
const SWEEP: Duration = Duration::from_secs(1);

/// How much at once, and how fast after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// The pause in which one more is earned, in milliseconds; not 0.
    pub each_millis: u32,
}

impl Default for Rate {
    /// That of DIDComm messages.
    fn default() -> Self {
        Self { burst: MESSAGE_BURST, each_millis: 1000 / MESSAGES_PER_SECOND }
    }
}

impl Rate {
    fn each(self) -> u64 {
        u64::from(self.each_millis.max(1))
    }

    fn full(self) -> u64 {
        u64::from(self.burst) * self.each()
    }
}

/// A token bucket for each address.
#[derive(Debug, Default)]
pub struct Rates {
    rate: Rate,
    buckets: HashMap<IpAddr, Bucket>,
    next_sweep: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// In milliseconds, since fractions of a message are earned.
    tokens: u64,
    filled: Duration,
}

impl Bucket {
    fn fill(&mut self, rate: Rate, now: Duration) {
        let elapsed = u64::try_from(now.saturating_sub(self.filled).as_millis()).unwrap_or(u64::MAX);
        self.tokens = self.tokens.saturating_add(elapsed).min(rate.full());
        self.filled = now;
    }

    fn is_full(&self, rate: Rate) -> bool {
        self.tokens == rate.full()
    }
}

impl Rates {
    /// Rates of this size.
    pub fn of(rate: Rate) -> Self {
        Self { rate, ..Self::default() }
    }

    /// Counts a message from `address`; `false` when it comes too early. `now` is the time since the start.
    pub fn take(&mut self, address: IpAddr, now: Duration) -> bool {
        let mut address = network_of(address);
        if !self.buckets.contains_key(&address) && self.buckets.len() >= MAX_ADDRESSES {
            self.sweep(now);
            if self.buckets.len() >= MAX_ADDRESSES {
                // Those that do not fit share one bucket: memory is bounded, and whoever has one of its own keeps it.
                address = Ipv4Addr::UNSPECIFIED.into();
            }
        }
        let rate = self.rate;
        let full = Bucket { tokens: rate.full(), filled: now };
        let bucket = self.buckets.entry(address).or_insert(full);
        bucket.fill(rate, now);
        match bucket.tokens.checked_sub(rate.each()) {
            Some(left) => {
                bucket.tokens = left;
                true
            }
            None => false,
        }
    }

    fn sweep(&mut self, now: Duration) {
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP;
            let rate = self.rate;
            self.buckets.retain(|_, bucket| {
                bucket.fill(rate, now);
                !bucket.is_full(rate)
            });
        }
    }
}

/// Returns what one client has: an IPv4 address, or the first half of an IPv6 address, whose other half it chooses freely.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn v4(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(number))
    }

    fn taken(rates: &mut Rates, address: IpAddr, now: Duration) -> u32 {
        (0..10_000).map(|_| u32::from(rates.take(address, now))).sum()
    }

    /// Decides RL-53.
    #[test]
    fn a_burst_and_then_so_many_per_second() {
        let mut rates = Rates::default();
        assert_eq!(taken(&mut rates, v4(1), SECOND), MESSAGE_BURST);
        assert_eq!(taken(&mut rates, v4(1), 2 * SECOND), MESSAGES_PER_SECOND);
        assert_eq!(taken(&mut rates, v4(1), 2 * SECOND + SECOND / 10), MESSAGES_PER_SECOND / 10);
        assert_eq!(taken(&mut rates, v4(2), 2 * SECOND), MESSAGE_BURST, "others are not concerned");
        assert_eq!(taken(&mut rates, v4(1), 9000 * SECOND), MESSAGE_BURST);
    }

    /// Decides RL-53.
    #[test]
    fn an_ipv6_client_has_one_network_and_a_mapped_address_is_ipv4() {
        let mut rates = Rates::default();
        assert_eq!(taken(&mut rates, "2001:db8::1".parse().unwrap(), SECOND), MESSAGE_BURST);
        assert_eq!(taken(&mut rates, "2001:db8::ffff:2".parse().unwrap(), SECOND), 0);
        assert_eq!(taken(&mut rates, "2001:db8:0:1::1".parse().unwrap(), SECOND), MESSAGE_BURST);
        assert_eq!(taken(&mut rates, "::ffff:1.2.3.4".parse().unwrap(), SECOND), MESSAGE_BURST);
        assert_eq!(taken(&mut rates, "1.2.3.4".parse().unwrap(), SECOND), 0);
    }

    /// Decides RL-53.
    #[test]
    fn addresses_are_bounded_and_forgotten() {
        let mut rates = Rates::default();
        for address in 1..10_000 {
            rates.take(v4(address), SECOND);
            assert!(rates.buckets.len() <= MAX_ADDRESSES + 1);
        }
        assert_eq!(taken(&mut rates, v4(1), SECOND), MESSAGE_BURST - 1, "who came first keeps its bucket");
        assert_eq!(taken(&mut rates, v4(20_000), SECOND), 0, "the rest share one");
        assert_eq!(taken(&mut rates, v4(20_000), 20 * SECOND), MESSAGE_BURST);
        assert_eq!(rates.buckets.len(), 1);
    }
}
