//! Which of the program's connections stand, from the bridge's news.

use std::collections::BTreeSet;

use didagent_bridge::io::{BridgeEvent, Failure};

/// How often people are told of a wrong index. Whoever causes one can cause 65535.
const MAX_TOLD: usize = 16;

/// The program's connections in one run.
#[derive(Debug, Default)]
pub(super) struct Connections {
    /// Parties with which one stands; the bridge carries one at a time with each.
    standing: BTreeSet<usize>,
    met: bool,
    finished: usize,
    /// With which party, and which other one a connection named: of what people were told.
    wrong: BTreeSet<(usize, u16)>,
}

impl Connections {
    /// Takes in what the bridge tells.
    pub(super) fn count(&mut self, event: &BridgeEvent) {
        match event {
            BridgeEvent::Connected { peer } => {
                self.met = true;
                self.standing.insert(*peer);
            }
            BridgeEvent::Finished { peer, .. } => {
                self.standing.remove(peer);
                self.finished += 1;
            }
            BridgeEvent::Broken { peer, error: Failure::Local(_) | Failure::Remote(_) } => {
                self.standing.remove(peer);
            }
            // One that never stood, while another one may.
            _ => {}
        }
    }

    /// Says whether any stands.
    pub(super) fn stand(&self) -> bool {
        !self.standing.is_empty()
    }

    /// Says whether any has stood, now or before.
    pub(super) fn met(&self) -> bool {
        self.met
    }

    /// Says whether people should be told that a connection with this party named another one: once for each, and not for ever.
    pub(super) fn is_news(&mut self, peer: usize, named: u16) -> bool {
        self.wrong.len() < MAX_TOLD && self.wrong.insert((peer, named))
    }

    /// Returns how many ended with a FIN in each direction.
    pub(super) fn finished(&self) -> usize {
        self.finished
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use didagent_bridge::io::Origin;

    use super::*;

    #[test]
    fn a_wrong_index_is_told_once_and_many_are_not_told_for_ever() {
        let mut connections = Connections::default();
        assert!(connections.is_news(1, 2) && connections.is_news(1, 7) && connections.is_news(2, 7));
        assert!(!connections.is_news(1, 7));
        assert_eq!((100..200).filter(|named| connections.is_news(1, *named)).count(), MAX_TOLD - 3);
    }

    #[test]
    fn one_that_never_stood_does_not_end_one_that_does() {
        let mut connections = Connections::default();
        assert!(!connections.met());
        let broken = |error| BridgeEvent::Broken { peer: 1, error };
        connections.count(&BridgeEvent::Connected { peer: 1 });
        connections.count(&broken(Failure::TooMany(Origin::Local)));
        connections.count(&broken(Failure::HungUp(Origin::Remote)));
        connections.count(&broken(Failure::Unexpected));
        assert!(connections.stand());
        connections.count(&broken(Failure::Remote(io::ErrorKind::ConnectionReset.into())));
        assert!(!connections.stand() && connections.met());
        connections.count(&BridgeEvent::Connected { peer: 2 });
        connections.count(&BridgeEvent::Finished { peer: 2, bytes_up: 0, bytes_down: 0 });
        assert!(!connections.stand());
        assert_eq!(connections.finished(), 1);
    }
}
