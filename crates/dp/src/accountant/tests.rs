use super::*;

fn check(rho: &str, at: &str, expected: f64) {
    let cost = Cost { rho: rho.parse().unwrap(), delta: Delta::ZERO };
    let found = epsilon(cost, at.parse().unwrap());
    assert!((found - expected).abs() < 6e-4, "ρ = {rho} at {at}: {found}, expected {expected}");
}

#[test]
fn the_conversion_gives_the_published_table() {
    for (rho, at_6, at_9) in [
        ("0.001", 0.183, 0.245),
        ("0.005", 0.430, 0.565),
        ("0.01", 0.622, 0.810),
        ("0.05", 1.472, 1.882),
        ("0.1", 2.142, 2.716),
        ("0.25", 3.542, 4.437),
        ("0.5", 5.222, 6.474),
        ("1", 7.766, 9.522),
    ] {
        check(rho, "1e-6", at_6);
        check(rho, "1e-9", at_9);
    }
    check("0.005", "1e-6", 0.42994);
}

#[test]
fn the_inverse_agrees() {
    for (epsilon_max, at, expected) in [(1.0, "1e-6", 0.02436), (2.0, "1e-6", 0.0882), (4.0, "1e-6", 0.3111), (1.0, "1e-9", 0.01497)] {
        let at: Delta = at.parse().unwrap();
        let rho = rho_for_epsilon(epsilon_max, at).unwrap();
        assert!((rho.nano() as f64 * 1e-9 - expected).abs() < 6e-5 * expected.max(1.0), "{rho}");
        let shown = |rho| epsilon(Cost { rho, delta: Delta::ZERO }, at);
        assert!(shown(rho) <= epsilon_max && shown(Rho::from_nano(rho.nano() + 1)) > epsilon_max);
    }
    assert!(rho_for_epsilon(f64::NAN, Delta::LIFETIME).is_err());
    assert!(rho_for_epsilon(-1.0, Delta::LIFETIME).is_err());
}

#[test]
fn the_delta_of_selection_counts() {
    let cost = Cost { rho: "0.05".parse().unwrap(), delta: Delta::PER_RELEASE };
    assert!(epsilon(cost, Delta::PER_RELEASE).is_infinite());
    assert!(epsilon(cost, Delta::LIFETIME) > epsilon(Cost { delta: Delta::ZERO, ..cost }, Delta::LIFETIME));
}

/// Google's `dp-accounting` on random sequences of Gaussian events: ours lies between its tight
/// value (privacy-loss distributions) and its Rényi accountant.
#[test]
fn the_accountant_agrees_with_dp_accounting() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../tests/vectors/zcdp.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() >= 200);
    for case in cases {
        let rhos = case["rho_nano"].as_array().unwrap().iter().map(|r| Rho::from_nano(r.as_u64().unwrap()));
        let rho = rhos.fold(Rho::ZERO, |sum, r| sum.checked_add(r).unwrap());
        let at: Delta = case["delta"].as_str().unwrap().parse().unwrap();
        let ours = epsilon(Cost { rho, delta: Delta::ZERO }, at);
        let (tight, renyi) = (case["epsilon_pld"].as_f64().unwrap(), case["epsilon_rdp"].as_f64().unwrap());
        assert!(ours >= tight - 1e-9, "ρ = {rho} at {at}: ours {ours} is below the exact {tight}");
        assert!(ours <= renyi * 1.01 + 1e-9, "ρ = {rho} at {at}: ours {ours} is worse than {renyi}");
    }
}

/// ρ from 10⁻⁹ to 100, in steps of a few times.
const RHOS: [u64; 16] =
    [1, 20, 300, 4_000, 50_000, 600_000, 1_000_000, 5_000_000, 10_000_000, 50_000_000, 100_000_000, 500_000_000, 1_000_000_000, 3_000_000_000, 20_000_000_000, 100_000_000_000];
const DELTAS: [&str; 7] = ["1e-3", "1e-5", "1e-6", "1e-9", "1e-12", "1e-15", "1e-18"];

fn pure(nano: u64) -> Cost {
    Cost { rho: Rho::from_nano(nano), delta: Delta::ZERO }
}

/// The ε that is shown is the smallest for which `cdp_delta` of OpenDP is within δ: never below it, and not a
/// millionth above.
#[test]
fn the_conversion_is_that_of_opendp_and_never_under() {
    use opendp::combinators::make_zCDP_to_approxDP;
    use opendp::domains::AtomDomain;
    use opendp::measurements::make_gaussian;
    use opendp::measures::ZeroConcentratedDivergence;
    use opendp::metrics::AbsoluteDistance;
    let mut compared = 0;
    for nano in RHOS {
        // A shift of 1 in Gaussian noise with σ² = 1/2ρ.
        let scale = (0.5 / (nano as f64 * 1e-9)).sqrt();
        let gaussian = make_gaussian::<_, _, ZeroConcentratedDivergence>(AtomDomain::<i64>::default(), AbsoluteDistance::<f64>::default(), scale, None).unwrap();
        let profile = make_zCDP_to_approxDP(gaussian).unwrap().map(&1.0).unwrap();
        for at in DELTAS {
            let at: Delta = at.parse().unwrap();
            let ours = epsilon(pure(nano), at);
            let (here, below) = (profile.delta(ours).unwrap(), profile.delta(ours * (1.0 - 1e-6)).unwrap());
            assert!(here <= at.to_f64() * (1.0 + 1e-7), "ρ = {nano}e-9 at {at}: ε = {ours} is too small: δ = {here:e}");
            assert!(ours == 0.0 || below > at.to_f64() * (1.0 - 1e-9), "ρ = {nano}e-9 at {at}: ε = {ours} is too large: δ = {below:e} below it");
            compared += 1;
        }
    }
    assert_eq!(compared, 112);
}

/// In logarithms, with every order α of a fine grid and without the search: none is better.
#[test]
fn no_order_gives_a_smaller_epsilon() {
    for nano in RHOS {
        for at in DELTAS {
            let at: Delta = at.parse().unwrap();
            let (rho, ln_room) = (nano as f64 * 1e-9, at.to_f64().ln());
            let least = (-800..1_600).map(|i| {
                let excess = (f64::from(i) / 80.0).exp();
                (1.0 + excess) * rho + (-(1.0 + excess) * (1.0 / excess).ln_1p() - excess.ln() - ln_room) / excess
            });
            let (least, ours) = (least.fold(f64::INFINITY, f64::min).max(0.0), epsilon(pure(nano), at));
            assert!(ours <= least * (1.0 + 1e-11), "ρ = {nano}e-9 at {at}: {ours}, but an order gives {least}");
        }
    }
}

#[test]
fn more_loss_is_never_shown_as_less() {
    for at in DELTAS {
        let at: Delta = at.parse().unwrap();
        let mut last = 0.0;
        let mut nano = 1_u64;
        while nano < 100_000_000_000 {
            let shown = epsilon(pure(nano), at);
            assert!(shown >= last && shown.is_finite(), "{nano} at {at}: {shown} after {last}");
            (last, nano) = (shown, nano + nano / 50 + 1);
        }
    }
    for nano in RHOS {
        let shown: Vec<f64> = DELTAS.iter().map(|at| epsilon(pure(nano), at.parse().unwrap())).collect();
        assert!(shown.windows(2).all(|pair| pair[0] <= pair[1]), "a smaller δ is shown with a smaller ε: {shown:?}");
    }
    assert!(epsilon(pure(u64::MAX), Delta::from_atto(1)).is_finite());
    assert!(epsilon(Cost { rho: Rho::ZERO, delta: Delta::from_atto(2) }, Delta::from_atto(1)).is_infinite());
}

/// Losses are sums of whole units: their order plays no part, shares never exceed the whole, and what several
/// releases cost together is shown as no less than any of them, and no more than all of them one by one.
#[test]
fn losses_compose() {
    let mut bits = crate::testing::Seeded::new(70);
    for _ in 0..200 {
        let costs: Vec<Cost> =
            (0..2 + bits.below(8)).map(|_| Cost { rho: Rho::from_nano(1 + bits.below(300_000_000)), delta: Delta::from_atto(bits.below(1_000_000_000)) }).collect();
        let sum = |costs: &mut dyn Iterator<Item = &Cost>| costs.fold(Cost::ZERO, |all, cost| all.checked_add(*cost).unwrap());
        let all = sum(&mut costs.iter());
        assert_eq!(all, sum(&mut costs.iter().rev()));
        let at = Delta::LIFETIME;
        let (together, each): (f64, Vec<f64>) = (epsilon(all, at), costs.iter().map(|cost| epsilon(*cost, at)).collect());
        assert!(each.iter().all(|one| *one <= together), "{costs:?}");
        // Each at its own share of δ adds up to δ: basic composition, which ours must not exceed.
        let parts = std::num::NonZeroU32::new(u32::try_from(costs.len()).unwrap()).unwrap();
        let one_by_one: f64 = costs.iter().map(|cost| epsilon(*cost, at.split(parts))).sum();
        assert!(together <= one_by_one * (1.0 + 1e-9), "{costs:?}: {together}, one by one {one_by_one}");
        let shares = all.rho.split(parts).checked_mul(parts.get().into()).unwrap();
        assert!(epsilon(Cost { rho: shares, ..all }, at) <= together);
    }
}
