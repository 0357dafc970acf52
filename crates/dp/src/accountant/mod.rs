//! From ρ and δ to the (ε, δ) that people know.
//!
//! Budgets are kept in ρ and δ, which simply add up; ε is only shown. Doubles are safe here: every
//! order α gives a valid ε, so that an imperfect search for the best α errs upwards.

pub mod filter;

use crate::mechanism::discrete_gaussian::ParameterError;
use crate::unit::{Cost, Delta, Rho};

/// The ε for which a loss of `cost` is (ε, δ)-differentially private with δ = `at`, rounded up;
/// infinite when `at` does not exceed the cost's own δ.
///
/// Canonne, Kamath & Steinke 2020, Corollary 13:
/// δ(ε) = min over α > 1 of exp((α−1)(αρ−ε) + α·ln(1−1/α)) / (α−1), plus the δ of group selection.
#[must_use]
pub fn epsilon(cost: Cost, at: Delta) -> f64 {
    if cost.rho == Rho::ZERO && cost.delta <= at {
        return 0.0;
    }
    // The difference is taken in whole units: that of two doubles could be too large.
    let Some(room) = at.checked_sub(cost.delta).filter(|room| *room > Delta::ZERO) else {
        return f64::INFINITY;
    };
    let room = room.to_f64();
    #[expect(clippy::cast_precision_loss, reason = "shown to a few digits")]
    let rho = cost.rho.nano() as f64 * 1e-9;
    let ln_room = room.ln();
    // For a given α the condition δ(ε) = room is linear in ε.
    let of_order = |ln_excess: f64| {
        let excess = ln_excess.exp();
        let alpha = 1.0 + excess;
        // ln(1 − 1/α) = −ln(1 + 1/(α − 1)), which loses no digits for large α.
        (alpha * rho) + (-alpha * (1.0 / excess).ln_1p() - ln_excess - ln_room) / excess
    };
    let (mut low, mut high) = (-20.0_f64, 30.0_f64);
    for _ in 0..200 {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if of_order(a) < of_order(b) { high = b } else { low = a }
    }
    let best = of_order((low + high) / 2.0);
    (best * (1.0 + 1e-12)).max(0.0)
}

/// The largest ρ, in whole billionths, whose [`epsilon`] at δ = `at` does not exceed `epsilon_max`.
///
/// # Errors
/// When `epsilon_max` is not a positive finite number or `at` is zero.
pub fn rho_for_epsilon(epsilon_max: f64, at: Delta) -> Result<Rho, ParameterError> {
    if !epsilon_max.is_finite() {
        return Err(ParameterError::NotANumber("ε"));
    }
    if epsilon_max <= 0.0 || at == Delta::ZERO {
        return Err(ParameterError::Zero("ε or δ"));
    }
    let fits = |nano: u64| epsilon(Cost { rho: Rho::from_nano(nano), delta: Delta::ZERO }, at) <= epsilon_max;
    let (mut fitting, mut too_much) = (0_u64, 1_u64 << 50);
    while too_much - fitting > 1 {
        let middle = fitting + (too_much - fitting) / 2;
        if fits(middle) { fitting = middle } else { too_much = middle }
    }
    Ok(Rho::from_nano(fitting))
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
mod tests;
