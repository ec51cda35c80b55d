//! What a record, a message and a handshake cost, beside what nobody can do without and beside other people's channels.
//!
//! ```text
//! 64 bytes    bare AEAD + chain steps | session | session, many in a record | snow, boringtun, Olm | envelopes
//! 64 KiB      bare AEAD | session in place | session with a copy at each end
//! handshake   every suite | snow
//! envelopes   ours | didcomm | Affinidi
//! ```
//!
//! Everything of one table is measured in turns ([`paired`]), and the ratios are those within a turn. Both ends run in one
//! thread; nothing lies between them but the copy that a socket would make, and the bare AEAD has it too.
//!
//! Not its concern: sockets and processes ([`path`](crate::path), [`direct`](crate::direct)).

pub mod affinidi;
pub mod bare;
pub mod envelopes;
pub mod figure;
pub mod neighbours;
pub mod paired;

use std::fmt::Write as _;
use std::hint::black_box;

use didagent_session::Suite;
use serde::Serialize;

use crate::run::Run;
use crate::stateful::{Handshake, Pair};
use crate::{payload, stateless};
use bare::Cipher;
use figure::{Figure, Limit};
use paired::{Amount, Contestant, Middle, Race};

/// Bytes of a small message.
const SMALL: usize = 64;

/// Bytes of bulk in one record: with its headers it fills 64 KiB but for a few bytes.
const BULK: usize = 65_536 - 128;

/// Small messages that a party under load joins into one record.
const JOINED: u32 = 200;

/// The time of one contestant.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Who.
    pub name: String,
    /// Nanoseconds for one message, sent and received.
    pub nanoseconds: Middle,
}

/// Contestants that were measured in turns.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// What is measured.
    pub title: String,
    /// In the order in which they ran.
    pub rows: Vec<Row>,
}

/// All that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The machine and the conditions.
    pub run: Run,
    /// The times.
    pub tables: Vec<Table>,
    /// The ratios, beside what they must be.
    pub figures: Vec<Figure>,
}

impl Table {
    fn of(title: String, race: &Race) -> Self {
        let rows = race.names().map(|name| Row { name: name.to_owned(), nanoseconds: race.time(name) });
        Self { title, rows: rows.collect() }
    }
}

impl Report {
    /// Measures everything.
    ///
    /// # Errors
    /// If the conditions of the run cannot be told.
    pub fn measure(amount: Amount) -> anyhow::Result<Self> {
        let mut report = Self { run: Run::begin()?, tables: Vec::new(), figures: Vec::new() };
        for (cipher, suite) in [(Cipher::ChaChaPoly, Suite::KkChaChaPoly), (Cipher::AesGcm, Suite::KkAesGcm)]
        {
            report.small(cipher, suite, amount);
            report.bulk(cipher, suite, amount);
        }
        report.handshakes(amount);
        report.envelopes(amount);
        Ok(report)
    }

    fn envelopes(&mut self, amount: Amount) {
        for size in envelopes::SIZES {
            let race = envelopes::race(size, amount);
            self.figures.extend(envelopes::figures(size, &race));
            self.tables.push(Table::of(format!("Envelope of {size} B"), &race));
        }
    }

    fn small(&mut self, cipher: Cipher, suite: Suite, amount: Amount) {
        let payload = payload(SMALL);
        let mut buffer = [0; SMALL + bare::TAG];
        let mut number = 0_u64;
        let (mut chain, mut mirror) = ([1; 32], [1; 32]);
        let (mut lean_chain, mut lean_mirror) = ([1; 32], [1; 32]);
        let (mut session, mut joined) = (Pair::of(suite), Pair::of(suite));
        let mut noise = neighbours::Noise::new(cipher);
        let identities = stateless::Pair::generate();
        let affinidi = affinidi::Pair::generate();
        let (mut olm, mut tunnel) = (neighbours::Olm::new(), neighbours::Tunnel::new());
        let packet = neighbours::ip_packet(64);
        let mut random = [0; 4];

        let mut contestants = vec![
            Contestant::new(BARE, || {
                number += 1;
                let mut key = [9; 32];
                key[..8].copy_from_slice(&number.to_be_bytes());
                cipher.key(black_box(&key)).seal(number, &mut buffer);
                black_box(cipher.key(black_box(&key)).open(number, &mut buffer));
            }),
            Contestant::new(STEPS, || {
                black_box(bare::chain_step(&mut chain));
                black_box(bare::chain_step(&mut mirror));
            }),
            Contestant::new(LEAN_STEPS, || {
                black_box(bare::lean_chain_step(&mut lean_chain));
                black_box(bare::lean_chain_step(&mut lean_mirror));
            }),
            Contestant::new(SESSION, || {
                black_box(session.carry(black_box(&payload)));
            }),
            Contestant::of_many(SESSION_JOINED, JOINED, || {
                black_box(joined.carry_joined(black_box(&payload), JOINED));
            }),
            Contestant::new(NOISE, || {
                black_box(noise.carry(black_box(&payload)));
            }),
        ];
        if cipher == Cipher::ChaChaPoly {
            contestants.extend([
                Contestant::new(RANDOM, || {
                    getrandom::fill(black_box(&mut random)).expect("a generator");
                }),
                Contestant::new(TUNNEL, || {
                    black_box(tunnel.carry(black_box(&packet)));
                }),
                Contestant::new(OLM, || {
                    black_box(olm.carry(black_box(&payload)));
                }),
                Contestant::new(OURS, || {
                    black_box(identities.we_unpack(&identities.we_pack(black_box(&payload))));
                }),
                Contestant::new(AFFINIDI, || {
                    black_box(affinidi.unpack(&affinidi.pack(black_box(&payload))));
                }),
                Contestant::new(DIDCOMM, || {
                    black_box(identities.they_unpack(&identities.they_pack(black_box(&payload))));
                }),
            ]);
        }
        let race = Race::run(contestants, amount);

        let name = cipher.name();
        let floor = race.ratio(SESSION, &[BARE, STEPS]);
        self.figures.push(Figure::times(
            format!(
                "64 B sealed and opened, {name}, against the bare AEAD with fresh keys and two chain steps"
            ),
            floor,
            Limit::AtMost(1.5),
        ));
        if cipher == Cipher::ChaChaPoly {
            let cheaper = |what: &str, dear, cheap, limit| {
                Figure::times(format!("64 B, {what}"), race.ratio(dear, &[cheap]), limit)
            };
            self.figures.extend([
                cheaper("cheaper than `didcomm`'s authcrypt", DIDCOMM, SESSION, Limit::AtLeast(200.0)),
                cheaper(
                    "many in a record, cheaper than `didcomm`'s authcrypt",
                    DIDCOMM,
                    SESSION_JOINED,
                    Limit::AtLeast(1000.0),
                ),
                cheaper("cheaper than our own envelope", OURS, SESSION, Limit::None),
                cheaper("cheaper than Affinidi's envelope", AFFINIDI, SESSION, Limit::None),
                cheaper("cheaper than Olm, which has a ratchet too", OLM, SESSION, Limit::AtLeast(1.0)),
                cheaper("cheaper than `boringtun`, which has none", TUNNEL, SESSION, Limit::None),
            ]);
        }
        self.figures.push(Figure::times(
            format!("64 B, {name}, cheaper than `snow`, which has no ratchet"),
            race.ratio(NOISE, &[SESSION]),
            Limit::None,
        ));
        self.tables.push(Table::of(format!("64 B sent and received, {name}"), &race));
    }

    fn bulk(&mut self, cipher: Cipher, suite: Suite, amount: Amount) {
        let payload = payload(BULK);
        let key = cipher.key(&[9; 32]);
        let (mut number, mut sealed, mut received) =
            (0_u64, vec![0; BULK + bare::TAG], vec![0; BULK + bare::TAG]);
        let [mut in_place, mut copied, mut written] = [(); 3].map(|()| Pair::with_large_records(suite));
        let race = Race::run(
            vec![
                Contestant::new(BARE_BULK, || {
                    number += 1;
                    key.seal(number, black_box(&mut sealed));
                    // What a socket does between the ends, and a session's record too.
                    received.copy_from_slice(black_box(&sealed));
                    black_box(key.open(number, &mut received));
                }),
                Contestant::new(IN_PLACE, || {
                    black_box(in_place.carry_in_place(BULK));
                }),
                Contestant::new(COPIED, || {
                    black_box(copied.carry_copied(black_box(&payload)));
                }),
                Contestant::new(WRITTEN, || {
                    black_box(written.carry(black_box(&payload)));
                }),
            ],
            amount,
        );
        let name = cipher.name();
        let copy_limit = if cipher == Cipher::AesGcm { Limit::AtLeast(70.0) } else { Limit::None };
        let share = |what: &str, way, limit| {
            let what = format!("64 KiB records, {name}, {what}: of the bare AEAD's throughput");
            Figure::percent(what, race.ratio(BARE_BULK, &[way]), limit)
        };
        self.figures.extend([
            share("in place", IN_PLACE, Limit::AtLeast(90.0)),
            share("a copy at each end", COPIED, copy_limit),
            share("`write` and no copy out", WRITTEN, Limit::None),
        ]);
        self.tables.push(Table::of(format!("{BULK} B sent and received in one record, {name}"), &race));
    }

    fn handshakes(&mut self, amount: Amount) {
        let suites = Suite::ALL.map(|suite| (suite.noise_name(), Handshake::new(suite)));
        let snow = [("`snow`, KK, ChaChaPoly", Cipher::ChaChaPoly), ("`snow`, KK, AESGCM", Cipher::AesGcm)]
            .map(|(name, cipher)| (name, neighbours::StaticKeys::generate(cipher)));
        let ours = suites.iter().map(|(name, handshake)| {
            Contestant::new(name, || {
                black_box(handshake.run());
            })
        });
        let theirs = snow.iter().map(|(name, keys)| {
            Contestant::new(name, || {
                black_box(neighbours::Noise::handshake(keys));
            })
        });
        let race = Race::run(ours.chain(theirs).collect(), amount);
        self.tables.push(Table::of("Handshake, both ends".to_owned(), &race));
    }

    /// The tables, as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = figure::markdown(&self.figures);
        for Table { title, rows } in &self.tables {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n| {title} | median | 95 % interval |\n|---|--:|--:|\n");
            for Row { name, nanoseconds: Middle { median, lower, upper } } in rows {
                let [median, lower, upper] = [median, lower, upper].map(|time| time / 1000.0);
                let _ = writeln!(text, "| {name} | {median:.3} us | {lower:.3} to {upper:.3} us |");
            }
        }
        text
    }
}

const BARE_BULK: &str = "bare AEAD, one key";
const IN_PLACE: &str = "session, in place";
const COPIED: &str = "session, a copy at each end";
const WRITTEN: &str = "session, `write` and no copy out";
const BARE: &str = "bare AEAD, a fresh key to seal and one to open";
const STEPS: &str = "two chain steps of the `hmac` crate";
const LEAN_STEPS: &str = "two chain steps without it";
const SESSION: &str = "session";
const SESSION_JOINED: &str = "session, 200 messages in a record, each";
const NOISE: &str = "`snow` transport";
const RANDOM: &str = "four random bytes of the operating system, which a record above 1 KiB takes";
const TUNNEL: &str = "`boringtun` packet";
const OLM: &str = "Olm of `vodozemac`";
const OURS: &str = "our own envelope";
const AFFINIDI: &str = "Affinidi's envelope, keys at hand";
const DIDCOMM: &str = "`didcomm`'s envelope";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_and_figure_is_there() {
        let report = Report::measure(Amount::TRIAL).unwrap();
        let text = report.markdown();
        for part in [
            "| two chain steps without it |",
            "| Handshake, both ends |",
            "at most 1.5 times",
            "at least 200 times",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(serde_json::to_string(&report).unwrap().contains("\"figures\""));
    }
}
