use super::*;
use crate::bounds::L2Squared;
use crate::sampler::sample_discrete_gaussian;
use crate::testing::{Seeded, certified};

fn variance(groups: u32, rho: &str) -> Variance {
    Variance::for_cost(L2Squared::of_vector(groups, 1).unwrap(), rho.parse().unwrap()).unwrap()
}

#[test]
fn thresholds_are_those_of_the_privacy_model() {
    for (delta, expected) in [("1e-6", [17, 34, 48, 99]), ("1e-9", [21, 41, 59, 119])] {
        for (groups, threshold) in [1, 4, 8, 32].into_iter().zip(expected) {
            let found = key_threshold(&variance(groups, "0.05"), groups, delta.parse().unwrap(), 1).unwrap();
            assert_eq!(found.threshold(), threshold, "δ = {delta}, c = {groups}");
        }
    }
}

#[test]
fn thresholds_with_laplace_noise_are_those_of_the_privacy_model() {
    for (delta, expected) in [("1e-6", [15, 60, 124, 533]), ("1e-9", [22, 88, 179, 754])] {
        for (groups, threshold) in [1_u32, 4, 8, 32].into_iter().zip(expected) {
            let scale = LaplaceScale::for_cost(groups.into(), "1".parse().unwrap()).unwrap();
            let found = key_threshold_laplace(&scale, groups, delta.parse().unwrap(), 1).unwrap();
            assert_eq!(found.threshold(), threshold, "δ = {delta}, c = {groups}");
        }
    }
    assert!(key_threshold_laplace(&LaplaceScale::new(1, 1).unwrap(), 1, Delta::ZERO, 1).is_err());
    let huge = key_threshold_laplace(&LaplaceScale::new(1 << 94, 1).unwrap(), u32::MAX, Delta::from_atto(1), u32::MAX).unwrap();
    assert!(huge.threshold() > 1 << 99);
}

/// P[Z ≥ m] summed plainly, as an oracle for the threshold.
fn plain_tail(variance: &Variance, m: i64) -> f64 {
    let two_square = 2.0 * variance.square();
    let weight = |k: i64| (-(k as f64).powi(2) / two_square).exp();
    let reach = (45.0 * variance.sigma()) as i64 + 5;
    let total: f64 = (-reach..=reach).map(weight).sum();
    (m..=reach.max(m)).rev().map(weight).sum::<f64>() / total
}

/// Whether a threshold keeps δ for a person who is alone in all their groups.
fn is_safe(variance: &Variance, groups: u32, delta: f64, threshold: i128) -> bool {
    tail::any_of(groups, plain_tail(variance, i64::try_from(threshold).unwrap() - 1)) <= delta
}

#[test]
fn the_threshold_is_the_smallest_safe_one() {
    for (numer, denom) in [(1_u128, 9_u128), (1, 1), (10, 1), (81, 1), (12_345, 7), (1_000_000, 1)] {
        for groups in [1, 4, 8, 100] {
            for delta in ["1e-2", "1e-6", "1e-9"] {
                let variance = Variance::new(numer, denom).unwrap();
                let delta: Delta = delta.parse().unwrap();
                let threshold = key_threshold(&variance, groups, delta, 1).unwrap().threshold();
                assert!(is_safe(&variance, groups, delta.to_f64(), threshold), "σ² = {numer}/{denom}, c = {groups}, δ = {delta}");
                assert!(!is_safe(&variance, groups, delta.to_f64() * 0.999_999, threshold - 1), "not the smallest: σ² = {numer}/{denom}, c = {groups}, δ = {delta}");
            }
        }
    }
}

/// OpenDP's issue 2922: the tail from T instead of T − 1.
#[test]
fn a_threshold_that_is_one_too_low_is_caught() {
    for groups in [1, 4, 8] {
        // σ = 1, where one step of the threshold matters most.
        let variance = Variance::new(1, 1).unwrap();
        let delta: Delta = "1e-2".parse().unwrap();
        let ours = key_threshold(&variance, groups, delta, 1).unwrap().threshold();
        let mistaken = (1..).find(|t| tail::any_of(groups, plain_tail(&variance, *t)) <= delta.to_f64()).unwrap();
        assert_eq!(i128::from(mistaken), ours - 1);
        assert!(!is_safe(&variance, groups, delta.to_f64(), i128::from(mistaken)));
        let (released, runs) = simulate(&variance, groups, mistaken.into(), 1_000 + u64::from(groups));
        assert!(f64::from(released) / f64::from(runs) > delta.to_f64() * 1.05, "the simulation misses the mistake at c = {groups}: {released} of {runs}");
    }
}

#[test]
fn simulated_releases_of_a_lone_person_stay_within_delta() {
    for groups in [1, 4, 8] {
        let variance = variance(groups, "0.5");
        let delta: Delta = "1e-2".parse().unwrap();
        let threshold = key_threshold(&variance, groups, delta, 1).unwrap().threshold();
        let (released, runs) = simulate(&variance, groups, threshold, 2_000 + u64::from(groups));
        let expected = delta.to_f64() * f64::from(runs);
        // Five standard deviations above δ: a false alarm once in millions of runs.
        assert!(f64::from(released) <= expected + 5.0 * expected.sqrt(), "c = {groups}: {released} of {runs}");
    }
}

/// How often a person alone in `groups` groups is shown in at least one.
fn simulate(variance: &Variance, groups: u32, threshold: i128, seed: u64) -> (u32, u32) {
    let mut bits = Seeded::new(seed);
    let rule = KeyThreshold { threshold, minimum_cohort: 1 };
    let runs = 100_000;
    let shown = (0..runs).filter(|_| (0..groups).fold(false, |any, _| rule.keeps(1 + sample_discrete_gaussian(&mut bits, variance).unwrap()) | any));
    (u32::try_from(shown.count()).unwrap(), runs)
}

#[test]
fn large_sigmas_use_a_bound_that_is_close() {
    let variance = Variance::new(6_000 * 6_000, 1).unwrap();
    let delta: Delta = "1e-6".parse().unwrap();
    let threshold = key_threshold(&variance, 4, delta, 1).unwrap().threshold();
    assert!(is_safe(&variance, 4, delta.to_f64(), threshold));
    assert!(!is_safe(&variance, 4, delta.to_f64(), threshold * 99 / 100));
    let million = Variance::new(10_u128.pow(12), 1).unwrap();
    assert!(key_threshold(&million, 100_000, Delta::PER_RELEASE, 1).unwrap().threshold() > 7_000_000);
    // Where doubles are further apart than people.
    let huge = Variance::new(1 << 126, 1).unwrap();
    assert!(key_threshold(&huge, u32::MAX, Delta::from_atto(1), 1).unwrap().threshold() > 1 << 66);
}

#[test]
fn a_minimum_cohort_shifts_the_threshold() {
    let one = key_threshold(&variance(4, "0.05"), 4, Delta::PER_RELEASE, 1).unwrap();
    let twenty = key_threshold(&variance(4, "0.05"), 4, Delta::PER_RELEASE, 20).unwrap();
    assert_eq!(twenty.threshold(), one.threshold() + 19);
    assert!(key_threshold(&variance(4, "0.05"), 0, Delta::PER_RELEASE, 1).is_err());
}

/// How often at least one of `groups` groups with `others` people and one more is shown.
fn shown(rule: &KeyThreshold, groups: u32, variance: &Variance, others: u32, seed: u64) -> (u64, u64) {
    let mut bits = Seeded::new(seed);
    let runs = 100_000;
    let people = u64::from(others) + 1;
    let mut group = || rule.considers(people) && rule.keeps(i128::from(people) + sample_discrete_gaussian(&mut bits, variance).unwrap());
    let shown = (0..runs).filter(|_| (0..groups).fold(false, |any, _| group() | any)).count() as u64;
    (shown, runs)
}

/// Somebody makes four groups of 19 people into groups of 20, the smallest that may be shown. Without them
/// these are never shown; with them as often as δ allows, and no more.
#[test]
fn a_minimum_cohort_spends_the_delta_that_it_says() {
    let (variance, groups, delta) = (variance(4, "0.5"), 4, "1e-2".parse::<Delta>().unwrap());
    let shifted = key_threshold(&variance, groups, delta, 20).unwrap();
    assert_eq!(shown(&shifted, groups, &variance, 18, 60).0, 0, "fewer than the smallest cohort are shown");
    let (seen, runs) = shown(&shifted, groups, &variance, 19, 61);
    assert!(certified(seen, runs).0 <= delta.to_f64(), "{seen} of {runs}");
    assert!(certified(seen, runs).1 > delta.to_f64() / 4.0, "the shift is larger than it need be: {seen} of {runs}");
}

/// The same cohort as a hard test of the exact number, with the threshold of a lone person: not private.
/// Whether the twentieth person is there is seen nearly always.
#[test]
fn a_hard_minimum_cohort_without_the_shift_is_not_private() {
    let (variance, groups, delta) = (variance(4, "0.5"), 4, "1e-2".parse::<Delta>().unwrap());
    let alone = key_threshold(&variance, groups, delta, 1).unwrap();
    let hard = KeyThreshold { threshold: alone.threshold(), minimum_cohort: 20 };
    assert_eq!(shown(&hard, groups, &variance, 18, 62).0, 0);
    let (seen, runs) = shown(&hard, groups, &variance, 19, 63);
    assert!(certified(seen, runs).0 > 0.99, "the counter-example shows nothing: {seen} of {runs}");
}

/// The threshold for a quarter more δ is found out where it is lower.
#[test]
fn a_threshold_that_spends_more_is_noticed() {
    let (variance, groups, delta) = (variance(1, "0.0002"), 1, "1e-2".parse::<Delta>().unwrap());
    let honest = key_threshold(&variance, groups, delta, 5).unwrap();
    let more = key_threshold(&variance, groups, Delta::from_atto(delta.atto() / 4 * 5), 5).unwrap();
    assert!(more.threshold() < honest.threshold());
    let of = |rule: &KeyThreshold, seed| {
        let (seen, runs) = shown(rule, groups, &variance, 4, seed);
        certified(seen, runs).0
    };
    let (honest, more) = (of(&honest, 64), of(&more, 65));
    eprintln!("key selection: claimed δ = 0.01, certified {honest:.4}; with a quarter more: {more:.4}");
    assert!((0.007..=0.01).contains(&honest) && more > 0.01, "{honest}, {more}");
}
