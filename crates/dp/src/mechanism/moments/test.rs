use std::num::NonZeroU32;

use super::*;
use crate::mechanism::discrete_gaussian::{Variance, discrete_gaussian};
use crate::sampler::Noise;
use crate::testing::{Seeded, SeededNoise, assert_spends, certified_rho};

fn centered(low: i64, high: i64) -> Centered {
    Centered::new(low, high).unwrap()
}

fn bounds(groups: u32, rows: u32) -> ContributionBounds {
    ContributionBounds::new(groups, rows, 100_000).unwrap()
}

/// What one person adds to a group in which `most` of their values count: their number, and the two sums.
fn contribution(centered: &Centered, most: u32, values: &[i64]) -> [i128; 3] {
    let known = values.len() as u64;
    let sum = |of: fn(&Centered, i128) -> i128| Centered::weighed(most.into(), known, values.iter().map(|value| of(centered, (*value).into())).sum());
    [known.min(most.into()).into(), sum(Centered::first), sum(Centered::second)]
}

fn exactly(value: i128) -> Part {
    Part { value, half_width: 0 }
}

/// Count and sums over people.
fn sums(centered: &Centered, people: &[Vec<i64>]) -> [i128; 3] {
    people.iter().map(|values| contribution(centered, 3, values)).fold([0; 3], |[a, b, c], [x, y, z]| [a + x, b + y, c + z])
}

#[test]
fn without_noise_moments_are_those_of_the_values() {
    let mut bits = Seeded::new(40);
    for _ in 0..300 {
        let low = bits.below(2_000) as i64 - 1_000;
        let centered = centered(low, low + 1 + bits.below(5_000) as i64);
        let span = (centered.high - centered.low) as u64;
        let people: Vec<Vec<i64>> = (0..2 + bits.below(30)).map(|_| (0..1 + bits.below(3)).map(|_| low + bits.below(span + 1) as i64).collect()).collect();
        let values: Vec<f64> = people.iter().flatten().map(|x| *x as f64).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        let [count, first, second] = sums(&centered, &people).map(exactly);
        let moments = NoisyMoments { centered: &centered, count, first, second };
        for (found, expected) in [
            (moments.mean(), mean),
            (moments.variance(Divisor::Population), squares / n),
            (moments.variance(Divisor::Sample), squares / (n - 1.0)),
            (moments.standard_deviation(Divisor::Sample), (squares / (n - 1.0)).sqrt()),
        ] {
            let near = 1e-8 * (span * span) as f64;
            assert!((found.value.unwrap() - expected).abs() <= near, "{values:?}: {found:?}, expected {expected}");
            assert!(found.low <= expected + near && expected - near <= found.high, "{values:?}: {found:?}, expected {expected}");
        }
    }
}

#[test]
fn no_values_lead_beyond_the_sensitivity() {
    let mut bits = Seeded::new(41);
    for _ in 0..2_000 {
        let rows = 1 + bits.below(6) as u32;
        let low = [0, -50, i64::from(i32::MIN), -3][bits.below(4) as usize];
        let centered = centered(low, low + 1 + bits.below(100_000) as i64);
        let nasty = [i64::MIN, i64::MAX, 0, -1, centered.low, centered.high, i64::midpoint(centered.low, centered.high)];
        let values: Vec<i64> = (0..bits.below(20)).map(|_| nasty[bits.below(7) as usize]).collect();
        for (moved, most) in contribution(&centered, rows, &values).into_iter().zip(centered.per_row_max()) {
            assert!(moved.unsigned_abs() <= u128::from(most) * u128::from(rows), "{centered:?}: {values:?} move by {moved}");
        }
    }
    let full = centered(-5, 20);
    assert_eq!(contribution(&full, 3, &[20; 9]).map(|x| x as u64), full.per_row_max().map(|max| 3 * max), "the bound is reached");
    assert_eq!(full.sensitivities(&bounds(4, 3)).unwrap().map(L2Squared::get), [4 * 9, 4 * 75 * 75, 4 * 1_875 * 1_875]);
}

#[test]
fn what_could_overflow_is_refused_before_data_is_seen() {
    assert!(Centered::new(0, 0).is_err());
    assert!(Centered::new(i64::MIN, i64::MAX).is_err());
    let widest = Centered::new(0, i64::from(u32::MAX)).unwrap();
    assert!(widest.sensitivities(&bounds(1, 1)).is_ok() && widest.sensitivities(&bounds(1, 2)).is_err());
    assert_eq!(contribution(&widest, 1, &[i64::MAX; 1_000]).map(|x| x as u64), widest.per_row_max());
}

#[test]
fn of_too_few_nothing_is_known_but_the_range() {
    let centered = centered(10, 30);
    let part = |value| Part { value, half_width: 5 };
    for count in [-4, 0, 4] {
        let moments = NoisyMoments { centered: &centered, count: part(count), first: part(1_000), second: part(-9) };
        let mean = moments.mean();
        assert_eq!((mean.value.is_some(), mean.low, mean.high), (count > 0, 10.0, 30.0));
        let (population, sample) = (moments.variance(Divisor::Population), moments.variance(Divisor::Sample));
        assert_eq!((population.low, population.high, sample.low, sample.high), (0.0, 100.0, 0.0, 200.0));
        assert!(population.value.is_none_or(|v| (0.0..=100.0).contains(&v)) && sample.value.is_none_or(|v| (0.0..=200.0).contains(&v)));
    }
}

#[test]
fn no_noise_leads_out_of_what_can_be() {
    let mut bits = Seeded::new(42);
    let centered = centered(-7, 93);
    for _ in 0..5_000 {
        let mut part = || {
            let size = [3, 1_000, 1_000_000_000, u64::MAX][bits.below(4) as usize];
            let value = i128::from(bits.below(size)) * [1, -1, 1 << 63][bits.below(3) as usize];
            Part { value, half_width: bits.below(size).into() }
        };
        let moments = NoisyMoments { centered: &centered, count: part(), first: part(), second: part() };
        for (found, low, high) in [
            (moments.mean(), -7.0, 93.0),
            (moments.variance(Divisor::Population), 0.0, 2_500.0),
            (moments.variance(Divisor::Sample), 0.0, 5_000.0),
            (moments.standard_deviation(Divisor::Population), 0.0, 50.0),
        ] {
            assert!(low <= found.low && found.low <= found.high && found.high <= high, "{moments:?}: {found:?}");
            assert!(found.value.is_none_or(|v| low <= v && v <= high), "{moments:?}: {found:?}");
        }
    }
}

/// The ends of a range are found by going through the whole box of what the parts can be.
#[test]
fn ranges_are_those_of_the_box() {
    let mut bits = Seeded::new(43);
    for _ in 0..200 {
        let centered = centered(0, 1 + bits.below(40) as i64);
        let w = i128::from(centered.high);
        let n = 12 + i128::from(bits.below(30));
        let part = |value, half: u64| Part { value, half_width: half.into() };
        let count = part(n, bits.below(9));
        let first = part(i128::from(bits.below(1_000)) * n * w / 500 - n * w, bits.below(40));
        let second = part(i128::from(bits.below(1_000)) * n * w * w / 500 - n * w * w, bits.below(400));
        let moments = NoisyMoments { centered: &centered, count, first, second };
        let steps = |part: Part| (0..=8).map(move |i| part.value as f64 + part.half_width as f64 * (f64::from(i) / 4.0 - 1.0));
        let (mean, population, sample) = (moments.mean(), moments.variance(Divisor::Population), moments.variance(Divisor::Sample));
        for c in steps(count) {
            for s1 in steps(first) {
                let here = (centered.high as f64 / 2.0 + s1 / c / 2.0).clamp(0.0, centered.high as f64);
                assert!(mean.low <= here + 1e-9 && here <= mean.high + 1e-9, "{moments:?}: {here} not in {mean:?}");
                for s2 in steps(second) {
                    let here = (((s2 / c + (w * w) as f64) / 2.0 - (s1 / c).powi(2)) / 4.0).clamp(0.0, (w * w) as f64 / 4.0);
                    assert!(population.low <= here + 1e-9 && here <= population.high + 1e-9, "{moments:?}: {here} not in {population:?}");
                    let here = here * c / (c - 1.0);
                    assert!(sample.low <= here + 1e-9 && here <= sample.high + 1e-9, "{moments:?}: {here} not in {sample:?}");
                }
            }
        }
    }
}

fn variances(centered: &Centered, rho: &str) -> [Variance; 3] {
    let parts = NonZeroU32::new(3).unwrap();
    centered.sensitivities(&bounds(1, 2)).unwrap().map(|of| Variance::for_shared_cost(of, rho.parse().unwrap(), parts).unwrap())
}

fn release(exact: [i128; 3], variances: &[Variance; 3], noise: &dyn Noise) -> [i128; 3] {
    [0, 1, 2].map(|i| discrete_gaussian(exact[i], &variances[i], noise).unwrap())
}

#[test]
fn ranges_hold_the_moments_19_times_out_of_20() {
    let noise = SeededNoise::new(44);
    let mut bits = Seeded::new(45);
    let centered = centered(0, 200);
    let variances = variances(&centered, "0.1");
    let widths = [0, 1, 2].map(|i: usize| variances[i].half_width_95_of(NonZeroU32::new(3).unwrap()));
    let (mut missed, runs) = ([0_u32; 2], 1_000);
    for _ in 0..runs {
        let people: Vec<Vec<i64>> = (0..200 + bits.below(2_000)).map(|_| vec![bits.below(60) as i64, bits.below(30) as i64 + 20]).collect();
        let exact = sums(&centered, &people);
        let noisy = release(exact, &variances, &noise);
        let part = |i: usize, value: i128, half_width| Part { value, half_width: if half_width { widths[i] } else { 0 } };
        let of = |values: [i128; 3], ranges| NoisyMoments {
            centered: &centered,
            count: part(0, values[0], ranges),
            first: part(1, values[1], ranges),
            second: part(2, values[2], ranges),
        };
        let (truth, found) = (of(exact, false), of(noisy, true));
        let outside = |truth: MomentEstimate, found: MomentEstimate| !(found.low..=found.high).contains(&truth.value.unwrap());
        missed[0] += u32::from(outside(truth.mean(), found.mean()));
        missed[1] += u32::from(outside(truth.variance(Divisor::Sample), found.variance(Divisor::Sample)));
    }
    assert!(missed.iter().all(|n| f64::from(*n) <= 0.05 * f64::from(runs)), "{missed:?} of {runs} ranges miss");
}

/// One person's two values at the end of the range, which move all three parts as far as can be.
#[test]
fn moments_spend_what_they_say() {
    let centered = centered(0, 100);
    let variances = variances(&centered, "0.5");
    let most = contribution(&centered, 2, &[100, 100]);
    assert_spends("count and two sums", 0.5, 46, |noise| {
        // What tells best: each part by its effect over its variance.
        let seen = |exact: [i128; 3]| (0..3).zip(release(exact, &variances, noise)).map(|(i, noisy)| noisy as f64 * most[i] as f64 / variances[i].square()).sum();
        certified_rho(300_000, || seen(most), || seen([0; 3]))
    });
}
