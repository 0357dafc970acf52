use super::*;
use crate::testing::{assert_spends, certified_rho};

#[test]
fn the_variance_is_exact() {
    let sensitivity = L2Squared::of_vector(8, 10).unwrap();
    let variance = Variance::for_cost(sensitivity, "0.05".parse().unwrap()).unwrap();
    assert_eq!((variance.numer(), variance.denom()), (8_000, 1));
    assert!((variance.sigma() - 89.44).abs() < 0.01);
}

#[test]
fn the_range_holds_95_percent_and_no_less() {
    for (numer, denom) in [(1, 4), (1, 1), (10, 1), (1_000, 1), (1_000_000, 1)] {
        let variance = Variance::new(numer, denom).unwrap();
        let (total, two_square) = (normalizer(&variance), 2.0 * variance.square());
        let inside = |w: i64| (-w..=w).map(|k| (-(k as f64).powi(2) / two_square).exp()).sum::<f64>() / total;
        let width = i64::try_from(variance.half_width_95()).unwrap();
        assert!(inside(width) >= 0.95 && (width == 0 || inside(width - 1) < 0.95), "σ² = {numer}/{denom}: {width}");
    }
    assert!(Variance::new(10_u128.pow(12), 1).unwrap().half_width_95() >= 1_959_964);
}

#[test]
fn ranges_of_several_parts_hold_together() {
    for parts in [1, 2, 3, 10].map(|n| NonZeroU32::new(n).unwrap()) {
        for (numer, denom) in [(1, 4), (10, 1), (1_000_000, 1)] {
            let variance = Variance::new(numer, denom).unwrap();
            let (total, two_square) = (normalizer(&variance), 2.0 * variance.square());
            let width = i64::try_from(variance.half_width_95_of(parts)).unwrap();
            let inside = (-width..=width).map(|k| (-(k as f64).powi(2) / two_square).exp()).sum::<f64>() / total;
            assert!(1.0 - inside <= 0.05 / f64::from(parts.get()) + 1e-12, "σ² = {numer}/{denom}, {parts}: {width}");
        }
    }
    // z of 1 − 0.05/3 on both sides is 2.394.
    let large = Variance::new(10_u128.pow(12), 1).unwrap().half_width_95_of(NonZeroU32::new(3).unwrap());
    assert!((2_393_980..2_470_000).contains(&large), "{large}");
}

#[test]
fn parts_share_the_price_exactly() {
    let (rho, parts) = (Rho::from_nano(50_000_001), NonZeroU32::new(3).unwrap());
    let variance = Variance::for_shared_cost(L2Squared::of_vector(8, 10).unwrap(), rho, parts).unwrap();
    // 3 · Δ² / 2σ² = ρ
    assert_eq!(3 * 800 * variance.denom() * 1_000_000_000, 2 * variance.numer() * 50_000_001);
}

#[test]
fn zero_and_overflow_are_errors() {
    assert!(Variance::new(0, 1).is_err());
    assert!(Variance::for_cost(L2Squared::of_vector(1, 1).unwrap(), Rho::ZERO).is_err());
    assert!(L2Squared::of_vector(u32::MAX, u64::MAX).is_err());
    let large = L2Squared::of_vector(1, 1 << 62).unwrap();
    assert!(Variance::for_cost(large, Rho::from_nano(1)).is_err());
}

/// Four groups that one person changes by 5 each.
#[test]
fn gaussian_noise_spends_what_it_says() {
    let variance = Variance::for_cost(L2Squared::of_vector(4, 5).unwrap(), "0.5".parse().unwrap()).unwrap();
    assert_spends("the discrete Gaussian", 0.5, 80, |noise| {
        let seen = |value: i128| (0..4).map(|_| discrete_gaussian(value, &variance, noise).unwrap()).sum::<i128>() as f64;
        certified_rho(300_000, || seen(5), || seen(0))
    });
}
