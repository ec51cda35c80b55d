//! Which local port stands for which party, and the MPyC arguments that say so.
//!
//! Implements `spec/bridge.md`, "Ports". Party i of MPyC dials every j > i and listens for every j < i, so a bridge
//! needs one listener per j > i and one port on which its own MPyC listens. The entries for j < i are never used, but
//! MPyC counts the entries to learn m.
//!
//! Not its concern: finding free ports ([`crate::io`]).

use std::ffi::{OsStr, OsString};
use std::ops::Range;

/// The ports that a bridge uses, first included, last excluded (`spec/bridge.md`, "Ports").
///
/// Below 32768, where Linux begins to choose source ports: a retry loop to a port in that range can connect to itself.
/// Above 20000, where few services are registered.
pub const PORTS: Range<u16> = 20_000..32_000;

/// The largest number of parties.
///
/// Each later party costs a listener, and the unused entries take the ports 1 to m - 1, which must stay among those
/// that an ordinary user cannot listen on (below 1024).
pub const MAX_PARTIES: usize = 256;

/// A plan that cannot be: the caller's numbers are wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// There are too few or too many parties.
    #[error("{m} parties: a run has 2 to {MAX_PARTIES}")]
    Parties {
        /// The number of parties given.
        m: usize,
    },
    /// The own index is not below the number of parties.
    #[error("party index {me} in a run of {m} parties")]
    Index {
        /// The index given.
        me: usize,
        /// The number of parties.
        m: usize,
    },
    /// The listeners are not exactly one for each later party, in order.
    #[error("the listeners must stand for the parties after {me}, each once, in order")]
    Listeners {
        /// The own index.
        me: usize,
    },
    /// A port is used twice, or lies outside [`PORTS`].
    #[error("port {port} is used twice or lies outside {}..{}", PORTS.start, PORTS.end)]
    Port {
        /// The port in question.
        port: u16,
    },
}

/// The ports of one party's bridge: its MPyC's own port and one listener for each later party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortPlan {
    me: usize,
    m: usize,
    own_port: u16,
    listen: Vec<(usize, u16)>,
}

impl PortPlan {
    /// Puts a plan together: party `me` of `m`, the port its MPyC listens on, and `(peer, port)` of each listener.
    ///
    /// # Errors
    /// [`PlanError`] if a number is out of range, a later party has no listener or two, or a port is used twice.
    pub fn new(me: usize, m: usize, own_port: u16, listen: Vec<(usize, u16)>) -> Result<Self, PlanError> {
        check_parties(me, m)?;
        if !listen.iter().map(|(peer, _)| *peer).eq(me + 1..m) {
            return Err(PlanError::Listeners { me });
        }
        let mut seen = vec![own_port];
        seen.extend(listen.iter().map(|(_, port)| *port));
        for (index, port) in seen.iter().enumerate() {
            if !PORTS.contains(port) || seen.iter().take(index).any(|earlier| earlier == port) {
                return Err(PlanError::Port { port: *port });
            }
        }
        Ok(Self { me, m, own_port, listen })
    }

    /// The own party index, from 0.
    #[must_use]
    pub fn me(&self) -> usize {
        self.me
    }

    /// The number of parties.
    #[must_use]
    pub fn m(&self) -> usize {
        self.m
    }

    /// The port on which the own MPyC listens. Party 0's never does.
    #[must_use]
    pub fn own_port(&self) -> u16 {
        self.own_port
    }

    /// `(peer, port)` of each listener, one for each peer after [`Self::me`], in order.
    #[must_use]
    pub fn listen(&self) -> &[(usize, u16)] {
        &self.listen
    }

    /// MPyC's arguments: `-P 127.0.0.1:PORT` once per party in party order, then `-I <me>`.
    ///
    /// They belong directly after the program's name ([`crate::launch::rewrite_with`]): behind a `--` of the
    /// program's own arguments MPyC would not see them. The host is the literal address, as `localhost` may resolve to
    /// `::1` first.
    ///
    /// ```
    /// use didagent_bridge::plan::PortPlan;
    ///
    /// let plan = PortPlan::new(1, 3, 20_007, vec![(2, 20_009)])?;
    /// let expected = ["-P", "127.0.0.1:1", "-P", "127.0.0.1:20007", "-P", "127.0.0.1:20009", "-I", "1"];
    /// assert_eq!(plan.mpyc_arguments(), expected);
    /// # Ok::<(), didagent_bridge::plan::PlanError>(())
    /// ```
    #[must_use]
    pub fn mpyc_arguments(&self) -> Vec<String> {
        // MPyC never dials an earlier party. Ports 1 to 255 are valid, differ from all of ours, and no ordinary user
        // can listen there to be dialled by mistake.
        let earlier = (1..=u16::MAX).take(self.me);
        let ports = earlier.chain([self.own_port]).chain(self.listen.iter().map(|(_, port)| *port));
        let mut arguments: Vec<String> =
            ports.flat_map(|port| ["-P".to_owned(), format!("127.0.0.1:{port}")]).collect();
        arguments.extend(["-I".to_owned(), self.me.to_string()]);
        arguments
    }
}

/// MPyC's long options that would undo a [`PortPlan`]: other addresses, another index, TLS in place of the pid.
const LONG_OPTIONS: [&str; 4] = ["index", "base-port", "config", "ssl"];

/// The same for its short options: addresses, index, base port, configuration file.
const SHORT_OPTIONS: [char; 4] = ['P', 'I', 'B', 'C'];

/// The first of a program's arguments that MPyC would read as an option that belongs to the bridge.
///
/// MPyC takes its options from anywhere before a `--`, abbreviated too, and the last `-I` wins. A run with one of these
/// would hang or be refused for its pid, so it is better not started.
///
/// ```
/// use didagent_bridge::plan::conflicting_argument;
///
/// let arguments = |line: &str| line.split(' ').map(Into::into).collect::<Vec<std::ffi::OsString>>();
/// assert_eq!(conflicting_argument(&arguments("5 --ind=2")), Some("--ind=2".as_ref()));
/// assert_eq!(conflicting_argument(&arguments("-T 1 -K40 -- -I")), None);
/// ```
#[must_use]
pub fn conflicting_argument(arguments: &[OsString]) -> Option<&OsStr> {
    let conflicts = |argument: &str| match argument.strip_prefix("--") {
        Some(long) => {
            let name = long.split_once('=').map_or(long, |(name, _)| name);
            !name.is_empty() && LONG_OPTIONS.iter().any(|option| option.starts_with(name))
        }
        None => argument.strip_prefix('-').is_some_and(|short| short.starts_with(SHORT_OPTIONS)),
    };
    let before = arguments.iter().take_while(|argument| *argument != "--");
    before.map(OsString::as_os_str).find(|argument| conflicts(&argument.to_string_lossy()))
}

/// Checks that `me` is a party of a run of `m`.
pub(crate) fn check_parties(me: usize, m: usize) -> Result<(), PlanError> {
    if !(2..=MAX_PARTIES).contains(&m) {
        return Err(PlanError::Parties { m });
    }
    if me >= m {
        return Err(PlanError::Index { me, m });
    }
    Ok(())
}

/// The endless sequence of ports to try, all in [`PORTS`], determined by a seed.
///
/// Two bridges on one machine with different seeds rarely want the same port. Nothing secret hangs on it. The generator
/// is SplitMix64.
pub(crate) struct Candidates(u64);

impl Candidates {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Iterator for Candidates {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let offset = mixed % u64::from(PORTS.end - PORTS.start);
        // The offset is below 12000, so both steps succeed.
        u16::try_from(offset).ok().and_then(|offset| PORTS.start.checked_add(offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides BR-16.
    #[test]
    fn arguments_have_one_entry_per_party_in_order_and_no_port_twice() {
        for m in 2..=10 {
            for me in 0..m {
                let listen = (me + 1..m).zip(20_100..).collect();
                let plan = PortPlan::new(me, m, 20_000, listen).unwrap();
                let arguments = plan.mpyc_arguments();
                assert_eq!(arguments.len(), 2 * m + 2);
                let mut ports: Vec<u16> = arguments
                    .chunks_exact(2)
                    .take(m)
                    .map(|pair| {
                        assert_eq!(pair[0], "-P");
                        pair[1].strip_prefix("127.0.0.1:").unwrap().parse().unwrap()
                    })
                    .collect();
                assert_eq!(ports[me], 20_000);
                // Never dialled; nobody can listen there.
                assert!((0..me).all(|peer| usize::from(ports[peer]) == peer + 1));
                assert!(ports.iter().all(|port| *port > 0));
                for (peer, port) in plan.listen() {
                    assert_eq!(ports[*peer], *port);
                }
                ports.sort_unstable();
                ports.dedup();
                assert_eq!(ports.len(), m, "a port is used twice");
                assert_eq!(arguments[2 * m..], ["-I".to_owned(), me.to_string()]);
            }
        }
    }

    /// Decides BR-15, BR-18.
    #[test]
    fn rejects_impossible_plans() {
        let port = |port| Err(PlanError::Port { port });
        assert_eq!(PortPlan::new(0, 1, 20_000, vec![]), Err(PlanError::Parties { m: 1 }));
        assert_eq!(PortPlan::new(0, 257, 20_000, vec![]), Err(PlanError::Parties { m: 257 }));
        assert_eq!(PortPlan::new(2, 2, 20_000, vec![]), Err(PlanError::Index { me: 2, m: 2 }));
        let listeners = Err(PlanError::Listeners { me: 0 });
        assert_eq!(PortPlan::new(0, 3, 20_000, vec![(1, 20_001)]), listeners);
        assert_eq!(PortPlan::new(0, 3, 20_000, vec![(2, 20_001), (1, 20_002)]), listeners);
        assert_eq!(PortPlan::new(0, 3, 20_000, vec![(1, 20_001), (1, 20_002)]), listeners);
        assert_eq!(PortPlan::new(0, 2, 20_000, vec![(1, 20_000)]), port(20_000));
        assert_eq!(PortPlan::new(0, 3, 20_000, vec![(1, 20_001), (2, 20_001)]), port(20_001));
        assert_eq!(PortPlan::new(0, 2, 20_000, vec![(1, 32_768)]), port(32_768));
        assert_eq!(PortPlan::new(1, 2, 80, vec![]), port(80));
    }

    /// Decides BR-17.
    #[test]
    fn options_of_the_bridge_are_found_in_every_spelling() {
        let conflict = |argument: &str| {
            let arguments: Vec<OsString> = ["1".into(), argument.into()].into();
            conflicting_argument(&arguments).is_some()
        };
        for argument in [
            "-P",
            "-P:1",
            "-I",
            "-I0",
            "-B",
            "-B9000",
            "-C",
            "-Cparty.ini",
            "--index",
            "--index=1",
            "--i",
            "--base-port",
            "--ba",
            "--config=x",
            "--conf",
            "--ssl",
            "--ss",
        ] {
            assert!(conflict(argument), "{argument}");
        }
        // MPyC's other options, and words that are no options.
        for argument in [
            "-T",
            "-M3",
            "-K40",
            "-L64",
            "-W1",
            "-V",
            "-h",
            "-i",
            "-p",
            "-b",
            "--threshold",
            "--no-prss",
            "--bit-length",
            "--sec-param",
            "--indexes",
            "--ssl-mode=x",
            "--=x",
            "-",
            "-1",
            "P",
            "index",
            "",
        ] {
            assert!(!conflict(argument), "{argument}");
        }
    }

    /// Decides BR-15.
    #[test]
    fn candidates_stay_in_range_and_spread() {
        assert_eq!(PORTS, 20_000..32_000);
        let mut ports: Vec<u16> = Candidates::new(7).take(4000).collect();
        assert_eq!(ports.len(), 4000);
        assert!(ports.iter().all(|port| PORTS.contains(port)));
        assert_ne!(ports[..8], Candidates::new(8).take(8).collect::<Vec<_>>()[..]);
        ports.sort_unstable();
        ports.dedup();
        // 12000 * (1 - e^(-1/3)) = 3402 expected.
        assert!(ports.len() > 3300, "{}", ports.len());
    }
}
