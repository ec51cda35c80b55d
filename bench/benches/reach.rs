//! The price of one payload, sent and received: in a session, and as an envelope of its own by two libraries.
//!
//! `DIDAGENT_BENCH_MODE=quick` takes under a minute; the table with the ratios is printed at the end.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use anyhow::Result;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, measurement::WallTime};
use didagent_bench::report::Report;
use didagent_bench::run::{Mode, Run, criterion_home};
use didagent_bench::{GROUP, SIZES, Way, payload, stateful, stateless};

fn main() -> Result<()> {
    let home = criterion_home();
    let run = Run::begin()?;
    let mut criterion = configured(run.mode).output_directory(&home).configure_from_args();
    // Without it cargo only tries whether the bench runs, and nothing is measured.
    let measures = std::env::args().any(|argument| argument == "--bench");
    if measures {
        run.save(&home)?;
    }

    let mut group = criterion.benchmark_group(GROUP);
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        measure(&mut group, size);
    }
    group.finish();
    criterion.final_summary();

    if measures {
        match Report::load(&home) {
            Ok(report) => println!("{}", report.markdown()),
            // A filter leaves a part out on purpose.
            Err(error) => println!("no table: {error:#}"),
        }
    }
    Ok(())
}

/// All three ways of one size, one directly after the other, so that a change of the machine's clock hits all.
fn measure(group: &mut BenchmarkGroup<'_, WallTime>, size: usize) {
    let payload = payload(size);

    // A session of its own for each size: it ends after 2^24 records, which no measurement here reaches.
    let mut session = stateful::Pair::new();
    group.bench_function(BenchmarkId::new(Way::Session.name(), size), |b| {
        b.iter(|| session.carry(black_box(&payload)));
    });

    let identities = stateless::Pair::generate();
    group.bench_function(BenchmarkId::new(Way::Ours.name(), size), |b| {
        b.iter(|| identities.we_unpack(&identities.we_pack(black_box(&payload))));
    });
    group.bench_function(BenchmarkId::new(Way::Theirs.name(), size), |b| {
        b.iter(|| identities.they_unpack(&identities.they_pack(black_box(&payload))));
    });
}

fn configured(mode: Mode) -> Criterion {
    let criterion = Criterion::default();
    match mode {
        Mode::Quick => criterion
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1))
            .sample_size(20)
            .nresamples(10_000),
        Mode::Full => criterion
            .warm_up_time(Duration::from_secs(3))
            .measurement_time(Duration::from_secs(8))
            .sample_size(100),
    }
}
