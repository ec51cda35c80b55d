//! Every case of the matrix with every peer, in both directions, and the chapter that says so.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

use didagent_interop::play::case::all;
use didagent_interop::play::driver::Refusal;
use didagent_interop::play::expected::{Expected, Known};
use didagent_interop::play::forge::Stage;
use didagent_interop::play::ours;
use didagent_interop::play::peers::{PEERS, expected};
use didagent_interop::play::record::Record;
use didagent_interop::play::round::Way;
use didagent_interop::play::table::{Column, markdown};
use didagent_interop::play::verdict::{Verdict, Verdicts};

/// Set, it has the chapter written instead of compared.
const WRITE: &str = "DIDAGENT_INTEROP_WRITE";

#[test]
fn each_peer_and_ours_read_each_other_but_for_what_is_known() {
    let records: Vec<(Record, Option<Verdicts>)> = thread::scope(|scope| {
        let running: Vec<_> =
            PEERS.iter().map(|peer| scope.spawn(|| (peer.record(), peer.verdicts()))).collect();
        running.into_iter().map(|record| record.join().expect("a peer that answers")).collect()
    });
    let known_of_ours = expected("ours");
    let peers: Vec<_> = PEERS.iter().map(|peer| peer.expected()).collect();
    let mut faults = Vec::new();
    let mut columns = Vec::new();
    for (expected, (record, verdicts)) in peers.iter().zip(records) {
        if expected.versions != record.versions {
            faults.push(format!("{}: these versions run: {:?}", expected.title, record.versions));
        }
        columns.push(Column {
            expected,
            found: judge(&known_of_ours, expected, &record, &mut faults),
            verdicts,
        });
    }
    let uses = |known: &Known| {
        columns.iter().any(|column| column.found.values().flatten().any(|used| std::ptr::eq(*used, known)))
    };
    for (of, known) in
        [&known_of_ours].into_iter().chain(&peers).flat_map(|of| of.not.iter().map(move |known| (of, known)))
    {
        if !uses(known) {
            faults.push(format!("{}: nothing says {:?} any more", of.title, known.says));
        }
    }
    assert!(faults.is_empty(), "{} surprises:\n{}", faults.len(), faults.join("\n"));

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/interop.md");
    let stage = Stage::default();
    let of_ours = Verdicts::by(&stage, |packed| ours::unpack(packed, stage.reader(), &stage.known()));
    assert!(of_ours.of.iter().all(|verdict| *verdict == Verdict::Refused), "{of_ours:?}");
    let text = markdown(&columns, &of_ours);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &text).expect("the chapter can be written");
    }
    let stands = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stands == text, "spec/interop.md is not up to date: {WRITE}=1 cargo xtask test --only interop");
}

/// Which entry explains what, and what nobody expected.
fn judge<'a>(
    ours: &'a Expected,
    peer: &'a Expected,
    record: &Record,
    faults: &mut Vec<String>,
) -> BTreeMap<(Way, String), Option<&'a Known>> {
    let mut found = BTreeMap::new();
    for case in all() {
        let name = case.name();
        let Some(answers) = record.cases.get(&name) else {
            faults.push(format!("{}: {name} was not played", peer.title));
            continue;
        };
        for (way, outcome) in [(Way::ToThem, answers.to_them()), (Way::ToUs, answers.to_us(&case))] {
            match explain(ours, peer, way, &name, &outcome) {
                Ok(known) => drop(found.insert((way, name.clone()), known)),
                Err(fault) => faults.push(format!("{}: {fault}", peer.title)),
            }
        }
    }
    found
}

/// What ours does not do hides what the peer would.
fn explain<'a>(
    ours: &'a Expected,
    peer: &'a Expected,
    way: Way,
    case: &str,
    outcome: &Result<(), Refusal>,
) -> Result<Option<&'a Known>, String> {
    let own = ours.judge(way, case, outcome);
    let (of, index) = match own {
        Ok(Some(index)) => (ours, Some(index)),
        Err(fault) if outcome.is_ok() => return Err(fault),
        _ => (peer, peer.judge(way, case, outcome)?),
    };
    Ok(index.and_then(|index| of.not.get(index)))
}
