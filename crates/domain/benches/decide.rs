//! Decisions per second and core: from packed facts to bits, and one by one with every reason; and how long it
//! takes to make the law of a day and the table of a use.
//!
//! `cargo bench -p domain --bench decide`.

#![expect(clippy::expect_used, reason = "a benchmark stops when something is wrong")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use domain::Purpose;
use domain::consent::{AgreementStanding, Consent, ConsentState, Facts, LimitKind, Limits, PackedFacts, Strength, compile, decide};
use domain::law::{Law, Residence, Sensitivity, Use, shipped};
use domain::subject::{AgeBand, SubjectStatus};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const PEOPLE: usize = 1_000_000;
const USE: Use = Use { purpose: Purpose::TargetedAdvertising, sensitivity: Sensitivity::Quasi };

/// People of everywhere and every age, two in three of whom agreed.
fn people() -> Vec<Facts> {
    let mut rng = ChaCha8Rng::seed_from_u64(20_261_125);
    let places: Vec<Residence> = Residence::all().collect();
    (0..PEOPLE)
        .map(|_| {
            let state = if rng.random_ratio(2, 3) { ConsentState::Given } else { *ConsentState::ALL.choose(&mut rng).expect("a state") };
            let strength = Strength::from_bits(rng.random_range(0..8));
            let limits = if rng.random_ratio(1, 10) { Limits::NONE.with(LimitKind::OptOut) } else { Limits::NONE };
            Facts {
                status: SubjectStatus::Active,
                age: *AgeBand::ALL.choose(&mut rng).expect("an age"),
                residence: *places.choose(&mut rng).expect("a place"),
                consent: Consent { state, strength, by_class: rng.random_ratio(1, 10), superseded: false },
                limits,
            }
        })
        .collect()
}

fn decisions(c: &mut Criterion) {
    let packs = shipped().expect("packs");
    let day = "2026-11-25".parse().expect("a day");
    let law = Law::new(packs.clone(), day).expect("a law");
    let requirement = law.requirement(USE).expect("a table");
    let people = people();

    let mut group = c.benchmark_group("decisions");
    group.sample_size(20);
    group.throughput(Throughput::Elements(PEOPLE as u64));
    let packed: Vec<PackedFacts> = people.iter().map(PackedFacts::new).collect();
    group.bench_function("packed facts to bits", |b| b.iter(|| compile(black_box(&packed), &requirement)));
    group.bench_function("facts to bits", |b| b.iter(|| compile(&people.iter().map(PackedFacts::new).collect::<Vec<_>>(), &requirement)));
    group.bench_function("explained", |b| {
        b.iter(|| {
            let explained = people.iter().filter(|facts| {
                let asked = requirement.asked(facts.residence, facts.age).expect("all are in the table");
                black_box(decide(facts, asked, &AgreementStanding::Covers)).permit
            });
            explained.count()
        });
    });
    group.finish();

    let mut group = c.benchmark_group("law");
    group.bench_function("packs from text", |b| b.iter(|| shipped().expect("packs")));
    group.bench_function("law of a day", |b| b.iter(|| Law::new(black_box(packs.clone()), day).expect("a law")));
    group.bench_function("table of a use", |b| b.iter(|| law.requirement(black_box(USE)).expect("a table")));
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
