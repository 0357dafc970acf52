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
