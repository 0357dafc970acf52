use num_bigint::BigUint;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::mechanism::discrete_gaussian::{far, normalizer};
use crate::mechanism::discrete_laplace::LaplaceScale;
use crate::testing::{Seeded, assert_fits, chi_square, counts, two_samples};

#[test]
fn the_discrete_gaussian_has_its_exact_probabilities() {
    for (seed, numer, denom) in [(1, 1, 4), (2, 1, 1), (3, 9, 1), (4, 900, 1), (5, 1_000_000_007, 123_456_789)] {
        let variance = Variance::new(numer, denom).unwrap();
        let mut bits = Seeded::new(seed);
        let samples = 200_000;
        let counts = counts(samples, || sample_discrete_gaussian(&mut bits, &variance).unwrap());
        let (total, two_square) = (normalizer(&variance), 2.0 * variance.square());
        let probability = |x: i128| (-(x as f64).powi(2) / two_square).exp() / total;
        assert_fits(&format!("σ² = {numer}/{denom}"), chi_square(&counts, &probability, i128::from(far(&variance)), samples));
        // The test has teeth: a σ that is 5 % off is found.
        let wrong = |x: i128| (-(x as f64).powi(2) / (two_square * 1.1)).exp();
        let total: f64 = (-i128::from(far(&variance))..=i128::from(far(&variance))).map(wrong).sum();
        if variance.sigma() > 0.9 {
            let (statistic, degrees) = chi_square(&counts, &|x| wrong(x) / total, i128::from(far(&variance)), samples);
            assert!(statistic > 2.0 * degrees, "a wrong σ passes: {statistic} with {degrees}");
        }
    }
}

#[test]
fn the_discrete_laplace_has_its_exact_probabilities() {
    for (seed, numer, denom) in [(11, 1, 1), (12, 3, 1), (13, 20, 1), (14, 1, 2), (15, 7, 3), (16, 1_000_000_000, 123_456_789)] {
        let scale = LaplaceScale::new(numer, denom).unwrap();
        let mut bits = Seeded::new(seed);
        let samples = 200_000;
        let counts = counts(samples, || sample_discrete_laplace(&mut bits, &scale).unwrap());
        let q = (-1.0 / scale.scale()).exp();
        let probability = |x: i128| (1.0 - q) / (1.0 + q) * q.powi(i32::try_from(x.abs()).unwrap());
        assert_fits(&format!("scale {numer}/{denom}"), chi_square(&counts, &probability, 40 * i128::try_from(numer / denom + 1).unwrap(), samples));
    }
}

#[test]
fn opendp_draws_from_the_same_distribution() {
    use opendp::traits::samplers::{sample_discrete_gaussian as theirs, sample_discrete_laplace as their_laplace};
    let samples = 60_000;
    for (seed, sigma) in [(21, 1_u32), (22, 6)] {
        let variance = Variance::new(u128::from(sigma * sigma), 1).unwrap();
        let mut bits = Seeded::new(seed);
        let ours = counts(samples, || sample_discrete_gaussian(&mut bits, &variance).unwrap());
        let theirs = counts(samples, || i128::try_from(theirs(sigma.into()).unwrap()).unwrap());
        assert_fits(&format!("opendp, σ = {sigma}"), two_samples(&ours, &theirs));
    }
    let mut bits = Seeded::new(23);
    let ours = counts(samples, || sample_discrete_laplace(&mut bits, &LaplaceScale::new(9, 2).unwrap()).unwrap());
    let theirs = counts(samples, || i128::try_from(their_laplace(4.5_f64.try_into().unwrap()).unwrap()).unwrap());
    assert_fits("opendp, Laplace", two_samples(&ours, &theirs));
}

/// The acceptance step in machine integers and in big integers spends the same bits the same way.
#[test]
fn machine_and_big_integers_agree() {
    for seed in 100..140_u64 {
        let mut parameters = ChaCha20Rng::seed_from_u64(seed);
        let (numer, denom) = (u128::from(parameters.next_u32()), u128::from(parameters.next_u32() % 1000 + 1));
        for _ in 0..50 {
            let (mut small, mut big) = (Seeded::quiet(seed), Seeded::quiet(seed));
            let a = bernoulli::exp_minus(&mut small, numer, denom << 24).unwrap();
            let b = bernoulli::exp_minus_big(&mut big, &BigUint::from(numer), &BigUint::from(denom << 24)).unwrap();
            // Ranges that are powers of two differ by one bit in width; both are uniform.
            if (denom << 24).is_power_of_two() {
                continue;
            }
            assert_eq!(a, b, "seed {seed}: exp(−{numer}/{})", denom << 24);
        }
    }
}

#[test]
fn huge_variances_work() {
    let variance = Variance::new(1_000_000_007_u128 * 1_000_000_000_000_000, 99_999_999).unwrap();
    let mut bits = Seeded::new(31);
    let n = 300;
    let mean_square = (0..n).map(|_| (sample_discrete_gaussian(&mut bits, &variance).unwrap() as f64).powi(2)).sum::<f64>() / f64::from(n);
    let ratio = mean_square / variance.square();
    assert!((0.6..1.6).contains(&ratio), "variance off by {ratio}");
}

#[test]
fn the_product_draws_from_the_system() {
    let variance = Variance::new(10_000_000_000, 1).unwrap();
    let draws: std::collections::BTreeSet<i128> = (0..50).map(|_| OsNoise.discrete_gaussian(&variance).unwrap()).collect();
    assert!(draws.len() > 45);
}
