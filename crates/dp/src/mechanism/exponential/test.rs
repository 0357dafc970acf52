use super::*;
use crate::testing::{Seeded, assert_fits, certified_ratio, chi_square, counts, two_samples};

fn candidates(of: &[(u64, i64)]) -> Vec<Candidate> {
    of.iter().map(|(weight, score)| Candidate { weight: *weight, score: *score }).collect()
}

fn choice(sensitivity: u64, epsilon: &str) -> Exponential {
    Exponential::new(sensitivity, epsilon.parse().unwrap()).unwrap()
}

/// Seed, sensitivity, ε, and candidates as weights and scores.
type Case<'a> = (u64, u64, &'a str, &'a [(u64, i64)]);

#[test]
fn candidates_are_chosen_with_their_exact_probabilities() {
    let cases: [Case<'_>; 4] = [
        (50, 1, "1", &[(1, 0), (1, 1), (1, 2), (1, 5)]),
        (51, 3, "0.7", &[(5, -4), (1, 10), (0, 99), (2, 9), (7, 1)]),
        (52, 1_000, "2", &[(1, i64::MIN), (3, 5_000), (1, 4_000), (1, 6_500)]),
        (53, 1, "0.000000001", &[(1, 0), (2, 7), (3, -7)]),
    ];
    for (seed, sensitivity, epsilon, of) in cases {
        let (mut bits, samples) = (Seeded::new(seed), 100_000);
        let (choice, candidates) = (choice(sensitivity, epsilon), candidates(of));
        let found = counts(samples, || i128::try_from(choice.choose(&candidates, &mut bits).unwrap().unwrap()).unwrap());
        let best = of.iter().filter(|(weight, _)| *weight > 0).map(|(_, score)| *score).max().unwrap();
        let rate = epsilon.parse::<f64>().unwrap() / 2.0 / sensitivity as f64;
        let weights: Vec<f64> = of.iter().map(|(weight, score)| *weight as f64 * if *weight == 0 { 0.0 } else { (rate * (*score as f64 - best as f64)).exp() }).collect();
        let total: f64 = weights.iter().sum();
        let probability = |i: i128| usize::try_from(i).ok().and_then(|i| weights.get(i)).map_or(0.0, |weight| weight / total);
        assert_fits(&format!("{of:?}"), chi_square(&found, &probability, 10, samples));
        assert!(found.keys().all(|i| probability(*i) > 0.0));
    }
}

/// OpenDP's noisy maximum with Gumbel noise of scale 2Δ/ε chooses like the exponential mechanism.
#[test]
fn opendp_chooses_with_the_same_probabilities() {
    use opendp::domains::{AtomDomain, VectorDomain};
    use opendp::measurements::make_noisy_max;
    use opendp::measures::ZeroConcentratedDivergence;
    use opendp::metrics::LInfDistance;
    let scores = [3_i64, 0, 5, 4, 1];
    let space = (VectorDomain::new(AtomDomain::<i64>::default()), LInfDistance::<i64>::default());
    let theirs = make_noisy_max::<ZeroConcentratedDivergence, i64>(space.0, space.1, ZeroConcentratedDivergence, 2.0, false).unwrap();
    // Scale 2 = 2Δ/ε: ε = 1 for scores that move by 1. Scores that may move in both directions have range 2·d_in,
    // and OpenDP's map says the same ρ = ε²/8.
    assert!((theirs.map(&1).unwrap() - choice(1, "1").epsilon.bounded_range_rho().unwrap().nano() as f64 * 1e-9).abs() < 1e-9);
    let (ours, mut bits, samples) = (choice(1, "1"), Seeded::new(54), 30_000);
    let candidates = candidates(&scores.map(|score| (1, score)));
    let found = counts(samples, || i128::try_from(ours.choose(&candidates, &mut bits).unwrap().unwrap()).unwrap());
    let expected = counts(samples, || i128::try_from(theirs.invoke(&scores.to_vec()).unwrap()).unwrap());
    assert_fits("opendp, noisy maximum", two_samples(&found, &expected));
}

#[test]
fn what_cannot_be_chosen_from_is_said() {
    let mut bits = Seeded::new(55);
    assert_eq!(choice(1, "1").choose(&[], &mut bits), Ok(None));
    assert_eq!(choice(1, "1").choose(&candidates(&[(0, 5), (0, 6)]), &mut bits), Ok(None));
    assert!(Exponential::new(0, Epsilon::from_nano(1)).is_err() && Exponential::new(1, Epsilon::ZERO).is_err());
    let extreme = Exponential::new(1, Epsilon::MAX).unwrap();
    assert_eq!(extreme.choose(&candidates(&[(u64::MAX, i64::MIN), (u64::MAX, i64::MAX)]), &mut bits), Ok(Some(1)));
    assert!(Exponential::new(u64::MAX, Epsilon::from_nano(1)).unwrap().choose(&candidates(&[(1, i64::MIN), (1, i64::MAX)]), &mut bits).unwrap().is_some());
}

/// The worst pair: one person raises half of the scores and lowers the others.
#[test]
fn a_choice_spends_what_it_says() {
    let certify = |epsilon: Epsilon, seed| {
        let (mut bits, choice, runs) = (Seeded::new(seed), Exponential::new(1, epsilon).unwrap(), 200_000);
        let mut first = |of: &[(u64, i64)]| {
            let candidates = candidates(of);
            (0..runs).filter(|_| choice.choose(&candidates, &mut bits).unwrap() == Some(0)).count() as u64
        };
        let (with, without) = (first(&[(1, 1), (1, 0)]), first(&[(1, 0), (1, 1)]));
        // The range: from the largest ratio to the smallest.
        certified_ratio((with, runs), (without, runs)) + certified_ratio((runs - without, runs), (runs - with, runs))
    };
    // Scores 0 and 1 and the other way round, each of which moves by 1.
    let epsilon: Epsilon = "1".parse().unwrap();
    let honest = certify(epsilon, 56);
    let more = Epsilon::for_bounded_range_rho(crate::Rho::from_nano(epsilon.bounded_range_rho().unwrap().nano() / 4 * 5));
    let overspending = certify(more, 57);
    eprintln!("exponential: claimed ε = 1, certified {honest:.3}; a quarter more ρ: {overspending:.3}");
    assert!((0.9..=1.0).contains(&honest), "{honest}");
    assert!(overspending > 1.0, "a quarter more is not noticed: {overspending}");
}
