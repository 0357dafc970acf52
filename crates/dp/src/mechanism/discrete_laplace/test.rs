use super::*;
use crate::testing::{Seeded, certified_ratio};
use crate::unit::Rho;

#[test]
fn the_scale_is_exact() {
    let scale = LaplaceScale::for_cost(80, "1".parse().unwrap()).unwrap();
    assert_eq!((scale.numer(), scale.denom()), (80, 1));
    let odd = LaplaceScale::for_cost(7, "0.3".parse().unwrap()).unwrap();
    assert_eq!((odd.numer(), odd.denom()), (70, 3));
    assert!(LaplaceScale::for_cost(0, "1".parse().unwrap()).is_err());
    assert!(LaplaceScale::for_cost(1, Epsilon::ZERO).is_err());
    assert!(LaplaceScale::for_cost(u64::MAX, Epsilon::from_nano(1)).is_ok());
    assert!(LaplaceScale::new(1 << 95, 1).is_err());
}

#[test]
fn the_range_holds_95_percent_and_no_less() {
    for (numer, denom) in [(1, 4), (1, 1), (7, 2), (100, 1), (12_345, 1)] {
        let scale = LaplaceScale::new(numer, denom).unwrap();
        let q = (-1.0 / scale.scale()).exp();
        let inside = |w: i32| 1.0 - 2.0 * q.powi(w + 1) / (1.0 + q);
        let width = i32::try_from(scale.half_width_95()).unwrap();
        assert!(inside(width) >= 0.95 && (width == 0 || inside(width - 1) < 0.95), "scale {numer}/{denom}: {width}");
    }
}

#[test]
fn tails_are_sums_of_probabilities() {
    for (numer, denom) in [(1, 3), (1, 1), (9, 2), (40, 1)] {
        let scale = LaplaceScale::new(numer, denom).unwrap();
        let q = (-1.0 / scale.scale()).exp();
        for m in [0, 1, 2, 5, 30] {
            let sum: f64 = (m..m + 4_000).rev().map(|k| (1.0 - q) / (1.0 + q) * q.powi(k)).sum();
            assert!((scale.tail(f64::from(m)) - sum).abs() <= 1e-12 * sum, "scale {numer}/{denom}, m = {m}");
        }
    }
}

/// What one person can change: a number by 3, at ε = 1.
#[test]
fn laplace_noise_spends_what_it_says() {
    let epsilon: Epsilon = "1".parse().unwrap();
    let certify = |scale: &LaplaceScale, seed| {
        let mut bits = Seeded::new(seed);
        let mut draws = |value: i128| -> Vec<i128> { (0..300_000).map(|_| discrete_laplace(value, scale, &mut bits).unwrap()).collect() };
        let (with, without) = (draws(3), draws(0));
        let reached = |drawn: &[i128]| drawn.iter().filter(|x| **x >= 3).count() as u64;
        certified_ratio((reached(&with), 300_000), (reached(&without), 300_000))
    };
    let honest = certify(&LaplaceScale::for_cost(3, epsilon).unwrap(), 30);
    // A ρ that is a quarter too large is an ε that is √1.25 times too large.
    let spent = Epsilon::for_pure_rho(Rho::from_nano(625_000_000));
    let overspending = certify(&LaplaceScale::for_cost(3, spent).unwrap(), 31);
    eprintln!("discrete Laplace: claimed ε = 1, certified {honest:.3}; a quarter more ρ: {overspending:.3}");
    assert!((0.9..=1.0).contains(&honest), "{honest}");
    assert!(overspending > 1.0, "a quarter more is not noticed: {overspending}");
}
