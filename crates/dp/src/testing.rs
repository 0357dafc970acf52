//! What tests of several modules use: seeded randomness, and statistics.

use std::collections::BTreeMap;
use std::sync::Mutex;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::mechanism::discrete_gaussian::Variance;
use crate::sampler::{BitSource, Noise, NoiseError, sample_discrete_gaussian};

/// Bits that a seed repeats.
pub(crate) struct Seeded(ChaCha20Rng);

impl Seeded {
    /// Prints its seed.
    pub(crate) fn new(seed: u64) -> Self {
        eprintln!("seed {seed}");
        Self::quiet(seed)
    }

    /// For whoever prints the seed themselves.
    pub(crate) fn quiet(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// A number below `end`, for parameters.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }
}

impl BitSource for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoiseError> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

/// Noise that a seed repeats, of a variance that is `divided_by` (a fraction) too small: an honest one
/// has 1/1, one that spends 1.25 times what it says has 5/4.
pub(crate) struct SeededNoise {
    bits: Mutex<Seeded>,
    divided_by: (u128, u128),
}

impl SeededNoise {
    pub(crate) fn new(seed: u64) -> Self {
        Self { bits: Mutex::new(Seeded::new(seed)), divided_by: (1, 1) }
    }

    pub(crate) fn overspending(seed: u64, numer: u128, denom: u128) -> Self {
        Self { divided_by: (numer, denom), ..Self::new(seed) }
    }
}

impl Noise for SeededNoise {
    fn discrete_gaussian(&self, variance: &Variance) -> Result<i128, NoiseError> {
        let (numer, denom) = self.divided_by;
        let variance = Variance::new(variance.numer() * denom, variance.denom() * numer).unwrap();
        sample_discrete_gaussian(&mut *self.bits.lock().unwrap(), &variance)
    }
}

/// No noise.
pub(crate) struct Silence;

impl Noise for Silence {
    fn discrete_gaussian(&self, _: &Variance) -> Result<i128, NoiseError> {
        Ok(0)
    }
}

/// χ² of counts against probabilities, pooling cells that expect fewer than 10; and its degrees.
pub(crate) fn chi_square(counts: &BTreeMap<i128, u64>, probability: &dyn Fn(i128) -> f64, reach: i128, samples: u64) -> (f64, f64) {
    let (mut statistic, mut cells) = (0.0, 0.0);
    let (mut pooled_expected, mut pooled_found) = (0.0, 0.0);
    for x in -reach..=reach {
        pooled_expected += probability(x) * samples as f64;
        pooled_found += counts.get(&x).copied().unwrap_or(0) as f64;
        if pooled_expected >= 10.0 {
            statistic += (pooled_found - pooled_expected).powi(2) / pooled_expected;
            cells += 1.0;
            (pooled_expected, pooled_found) = (0.0, 0.0);
        }
    }
    (statistic, cells - 1.0)
}

/// Wilson & Hilferty: χ² with f degrees is about normal after a cube root; 6σ is one in 10⁹.
pub(crate) fn assert_fits(what: &str, (statistic, degrees): (f64, f64)) {
    let spread = 2.0 / (9.0 * degrees);
    let z = ((statistic / degrees).cbrt() - (1.0 - spread)) / spread.sqrt();
    assert!(z < 6.0, "{what}: χ² = {statistic:.1} with {degrees} degrees, z = {z:.1}");
}

pub(crate) fn counts(samples: u64, mut draw: impl FnMut() -> i128) -> BTreeMap<i128, u64> {
    let mut counts = BTreeMap::new();
    for _ in 0..samples {
        *counts.entry(draw()).or_default() += 1;
    }
    counts
}

/// χ² of two samples of one size.
pub(crate) fn two_samples(a: &BTreeMap<i128, u64>, b: &BTreeMap<i128, u64>) -> (f64, f64) {
    let (mut statistic, mut cells) = (0.0, 0.0);
    let (mut x, mut y) = (0.0, 0.0);
    let (low, high) = (*a.keys().chain(b.keys()).min().unwrap(), *a.keys().chain(b.keys()).max().unwrap());
    for value in low..=high {
        x += a.get(&value).copied().unwrap_or(0) as f64;
        y += b.get(&value).copied().unwrap_or(0) as f64;
        if x + y >= 20.0 {
            statistic += (x - y).powi(2) / (x + y);
            cells += 1.0;
            (x, y) = (0.0, 0.0);
        }
    }
    (statistic, cells - 1.0)
}

/// Chance that one certified bound is wrong.
const ALPHA: f64 = 1e-6;

/// A lower and an upper bound on the probability of something seen `seen` times of `runs`, each wrong
/// with probability [`ALPHA`] at most: P[share ≥ p̂] ≤ exp(−runs·KL(p̂, p)) for p ≤ p̂ (Chernoff), and the
/// other way round. Holds for all numbers; a little wider than Clopper & Pearson's.
pub(crate) fn certified(seen: u64, runs: u64) -> (f64, f64) {
    let share = seen as f64 / runs as f64;
    let part = |x: f64, y: f64| if x == 0.0 { 0.0 } else { x * (x / y).ln() };
    let excluded = |p: f64| runs as f64 * (part(share, p) + part(1.0 - share, 1.0 - p)) >= -ALPHA.ln();
    let bisect = |mut inside: f64, mut outside: f64| {
        for _ in 0..60 {
            let middle = f64::midpoint(inside, outside);
            if excluded(middle) { outside = middle } else { inside = middle }
        }
        outside
    };
    (bisect(share, 0.0), bisect(share, 1.0))
}

/// Φ(x) (Marsaglia 2004).
pub(crate) fn normal(x: f64) -> f64 {
    let (mut sum, mut term, mut k) = (x, x, 1.0);
    while f64::abs(term) > 1e-17 {
        k += 2.0;
        term *= x * x / k;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// Φ⁻¹(p), within ± 7.
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-7.0, 7.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if normal(middle) < p { low = middle } else { high = middle }
    }
    low
}

/// A certified lower bound on the ρ that a Gaussian mechanism really spends: what is drawn `runs` times with
/// and without somebody tells the two apart by μ = Φ⁻¹(P[x ≥ t | with]) − Φ⁻¹(P[x ≥ t | without]) at least, and
/// a mechanism that spends ρ allows √(2ρ) at most for every event (Dong, Roth & Su 2022). `t` is chosen on one
/// half of the draws and judged on the other, so that the choice costs no confidence.
pub(crate) fn certified_rho(runs: u64, mut with: impl FnMut() -> f64, mut without: impl FnMut() -> f64) -> f64 {
    let half = |draw: &mut dyn FnMut() -> f64| {
        let mut drawn: Vec<f64> = (0..runs / 2).map(|_| draw()).collect();
        drawn.sort_unstable_by(f64::total_cmp);
        drawn
    };
    let from = |drawn: &[f64], t: f64| (drawn.len() - drawn.partition_point(|x| *x < t)) as u64;
    let bound = |with: &[f64], without: &[f64], t: f64| {
        let runs = with.len() as u64;
        normal_quantile(certified(from(with, t), runs).0) - normal_quantile(certified(from(without, t), runs).1)
    };
    let (with_first, without_first) = (half(&mut with), half(&mut without));
    let tried = (1..40).map(|i| with_first[with_first.len() * i / 40]);
    let best = tried.max_by(|a, b| bound(&with_first, &without_first, *a).total_cmp(&bound(&with_first, &without_first, *b))).unwrap();
    bound(&half(&mut with), &half(&mut without), best).max(0.0).powi(2) / 2.0
}

/// A certified lower bound on ln(P[event | one] / P[event | other]), from how often it was seen of how many.
pub(crate) fn certified_ratio(one: (u64, u64), other: (u64, u64)) -> f64 {
    (certified(one.0, one.1).0 / certified(other.0, other.1).1).ln()
}

/// An honest mechanism is certified to spend most of what it says and no more; one that spends a quarter
/// more is found out. `certify` is given the noise to use, and returns a lower bound.
pub(crate) fn assert_spends(what: &str, rho: f64, seed: u64, certify: impl Fn(&SeededNoise) -> f64) {
    let honest = certify(&SeededNoise::new(seed));
    let overspending = certify(&SeededNoise::overspending(seed + 1, 5, 4));
    eprintln!("{what}: claimed ρ = {rho}, certified {honest:.3}; a quarter more: {overspending:.3}");
    assert!(honest <= rho, "{what} spends {honest} at least, and says {rho}");
    assert!(honest >= 0.8 * rho, "{what}: the bound {honest} of {rho} says nothing");
    assert!(overspending > rho, "{what}: spending a quarter more than {rho} is not noticed: {overspending}");
}

#[test]
fn certified_bounds_are_what_they_say() {
    assert!((normal(1.959_964) - 0.975).abs() < 1e-7 && (normal(-4.0) - 3.167_124_2e-5).abs() < 1e-11);
    let (low, high) = certified(500, 1_000);
    // Clopper & Pearson at 10⁻⁶ a side give 0.4248 … 0.5752.
    assert!((0.415..0.4248).contains(&low) && (0.5752..0.585).contains(&high), "{low} {high}");
    let (low, high) = certified(0, 1_000);
    assert!(low < 1e-12 && (high - (1.0 - ALPHA.powf(1e-3))).abs() < 1e-9);
}
