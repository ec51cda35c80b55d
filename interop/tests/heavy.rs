//! Peers that are heavy to install, live: they say what their transcripts say.
#![allow(missing_docs)]

use didagent_interop::play::case::all;
use didagent_interop::play::peers::{PEERS, Runs};
use didagent_interop::play::record::Wrote;

/// Set, it has the transcripts written instead of compared.
const WRITE: &str = "DIDAGENT_INTEROP_WRITE";

/// Envelopes differ each time by their keys and nonces; what counts is whether there is one, and whether it can be read.
#[test]
fn live_peers_do_what_their_transcripts_say() {
    for peer in PEERS.iter().filter(|peer| matches!(peer.runs, Runs::Recorded(..))) {
        let live = peer.live();
        if std::env::var_os(WRITE).is_some() {
            let text = serde_json::to_string_pretty(&live).expect("JSON") + "\n";
            std::fs::write(peer.transcript(), text).expect("the transcript can be written");
        }
        let recorded = peer.record();
        assert_eq!(live.versions, recorded.versions, "{}", peer.name);
        for case in all() {
            let name = case.name();
            let (new, old) = (&live.cases[&name], &recorded.cases[&name]);
            assert_eq!(new.read_ours, old.read_ours, "{} {name}", peer.name);
            let read = |wrote: &Wrote| match wrote {
                Wrote::Packed(_) => None,
                Wrote::WroteNot(why) => Some(why.clone()),
            };
            assert_eq!(read(&new.wrote), read(&old.wrote), "{} {name}", peer.name);
            assert_eq!(new.to_us(&case), old.to_us(&case), "{} {name}", peer.name);
        }
    }
}
