//! Envelopes of three libraries: authcrypt and anoncrypt packed and unpacked, and a forward taken out of its envelope.
//!
//! All write the same message with the same algorithms, X25519 and A256CBC-HS512, the only ones that all of them have; the two
//! that have XC20P are measured with it too. A forward carries an authcrypt envelope as JSON, and taking it out ends with the
//! text for the next hop. Each library reads what it wrote itself.
//!
//! Affinidi's library resolves no DID ([`affinidi`](super::affinidi)), so its numbers lack what the other two do on every call.

use std::hint::black_box;

use super::affinidi;
use super::figure::{Figure, Limit};
use super::paired::{Amount, Contestant, Race};
use crate::payload;
use crate::stateless::{Anonymous, Pair};

/// Bytes of the payloads: a share, a row of them, and bulk.
pub const SIZES: [usize; 3] = [64, 1024, 64 * 1024];

/// What is done, and by which of ours and theirs: names of contestants.
const CONTESTS: [(&str, &str, &[&str]); 7] = [
    (
        "authcrypt, packed",
        "authcrypt packed: ours",
        &["authcrypt packed: `didcomm`", "authcrypt packed: Affinidi"],
    ),
    (
        "authcrypt, unpacked",
        "authcrypt unpacked: ours",
        &["authcrypt unpacked: `didcomm`", "authcrypt unpacked: Affinidi"],
    ),
    (
        "anoncrypt, packed",
        "anoncrypt packed: ours",
        &["anoncrypt packed: `didcomm`", "anoncrypt packed: Affinidi"],
    ),
    (
        "anoncrypt, unpacked",
        "anoncrypt unpacked: ours",
        &["anoncrypt unpacked: `didcomm`", "anoncrypt unpacked: Affinidi"],
    ),
    (
        "forward, taken out",
        "forward taken out: ours",
        &["forward taken out: `didcomm`", "forward taken out: Affinidi"],
    ),
    ("anoncrypt with XC20P, packed", "XC20P packed: ours", &["XC20P packed: `didcomm`"]),
    ("anoncrypt with XC20P, unpacked", "XC20P unpacked: ours", &["XC20P unpacked: `didcomm`"]),
];

/// Lets the libraries run in turns with payloads of `size` bytes.
pub fn race(size: usize, amount: Amount) -> Race {
    let payload = &payload(size);
    let (pair, affinidi) = (&Pair::generate(), &affinidi::Pair::generate());
    let [cbc, xc20p] = [Anonymous::Cbc, Anonymous::Xc20p];
    // What is read is written once.
    let (auth_ours, auth_theirs, auth_affinidi) =
        (&pair.we_pack(payload), &pair.they_pack(payload), &affinidi.pack(payload));
    let (anon_ours, anon_theirs, anon_affinidi) =
        (&pair.we_anoncrypt(payload, cbc), &pair.they_anoncrypt(payload, cbc), &affinidi.anoncrypt(payload));
    let (xc20p_ours, xc20p_theirs) =
        (&pair.we_anoncrypt(payload, xc20p), &pair.they_anoncrypt(payload, xc20p));
    let (forward_ours, forward_theirs, forward_affinidi) =
        (&pair.we_forward(auth_ours), &pair.they_forward(auth_ours), &affinidi.forward(auth_affinidi));

    let runs: [Vec<Box<dyn FnMut() + '_>>; 7] = [
        vec![
            run(|| pair.we_pack(black_box(payload))),
            run(|| pair.they_pack(black_box(payload))),
            run(|| affinidi.pack(black_box(payload))),
        ],
        vec![
            run(|| pair.we_unpack(black_box(auth_ours))),
            run(|| pair.they_unpack(black_box(auth_theirs))),
            run(|| affinidi.unpack(black_box(auth_affinidi))),
        ],
        vec![
            run(move || pair.we_anoncrypt(black_box(payload), cbc)),
            run(move || pair.they_anoncrypt(black_box(payload), cbc)),
            run(|| affinidi.anoncrypt(black_box(payload))),
        ],
        vec![
            run(|| pair.we_open(black_box(anon_ours))),
            run(|| pair.they_open(black_box(anon_theirs))),
            run(|| affinidi.open(black_box(anon_affinidi))),
        ],
        vec![
            run(|| pair.we_take_out(black_box(forward_ours))),
            run(|| pair.they_take_out(black_box(forward_theirs))),
            run(|| affinidi.take_out(black_box(forward_affinidi))),
        ],
        vec![
            run(move || pair.we_anoncrypt(black_box(payload), xc20p)),
            run(move || pair.they_anoncrypt(black_box(payload), xc20p)),
        ],
        vec![run(|| pair.we_open(black_box(xc20p_ours))), run(|| pair.they_open(black_box(xc20p_theirs)))],
    ];
    let contestants = CONTESTS.iter().zip(runs).flat_map(|((_, ours, theirs), runs)| {
        let names = std::iter::once(*ours).chain(theirs.iter().copied());
        names.zip(runs).map(|(name, run)| Contestant::new(name, run)).collect::<Vec<_>>()
    });
    Race::run(contestants.collect(), amount)
}

fn run<'a, T>(mut once: impl FnMut() -> T + 'a) -> Box<dyn FnMut() + 'a> {
    Box::new(move || {
        black_box(once());
    })
}

/// For each contest, how many times ours the faster of the others costs.
pub fn figures(size: usize, race: &Race) -> Vec<Figure> {
    let named = if size < 1024 { format!("{size} B") } else { format!("{} KiB", size / 1024) };
    let figure = |(what, ours, theirs): &(&str, &str, &[&str])| {
        let ratios = theirs.iter().map(|theirs| race.ratio(theirs, &[ours]));
        let value = ratios.min_by(|a, b| a.median.total_cmp(&b.median)).expect("one of the others");
        let what = format!("{named} {what}: the faster of the other libraries against ours");
        Figure::times(what, value, Limit::AtLeast(1.0))
    };
    CONTESTS.iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contest_has_its_figure() {
        let race = race(64, Amount::TRIAL);
        let figures = figures(64, &race);
        assert_eq!(figures.len(), CONTESTS.len());
        assert!(
            figures.iter().all(|figure| figure.value.median.is_finite() && figure.what.starts_with("64 B "))
        );
        assert_eq!(race.names().count(), 5 * 3 + 2 * 2);
    }
}
