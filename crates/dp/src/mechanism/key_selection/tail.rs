//! Exact upper tails of the discrete Gaussian and the discrete Laplace, rounded against the spender.
//!
//! Doubles are safe here: every term is positive and summed from the smallest up, so that the relative
//! error stays below (number of terms) × 2⁻⁵², under 10⁻¹⁰ for the longest series summed; [`MARGIN`]
//! is larger.

use super::super::discrete_gaussian::{SERIES_SIGMA_MAX, Variance, far, gaussian_tail, normalizer};
use super::super::discrete_laplace::LaplaceScale;

/// Factor on every tail, above all rounding in this file.
const MARGIN: f64 = 1.0 + 1e-9;

/// The smallest m with 1 − (1 − P[Z ≥ m])^groups ≤ delta.
pub(super) fn smallest_safe(variance: &Variance, groups: u32, delta: f64) -> i128 {
    if variance.sigma() > SERIES_SIGMA_MAX { bounded(variance, groups, delta) } else { summed(variance, groups, delta) }
}

/// The chance that at least one of `groups` independent draws reaches a tail of probability `tail`.
pub(super) fn any_of(groups: u32, tail: f64) -> f64 {
    if tail >= 1.0 {
        return 1.0;
    }
    -(f64::from(groups) * (-tail).ln_1p()).exp_m1()
}

/// Adds the tail up from far outside until it is too heavy.
fn summed(variance: &Variance, groups: u32, delta: f64) -> i128 {
    let (two_square, total) = (2.0 * variance.square(), normalizer(variance));
    let mut tail = 0.0;
    let mut k = i64::from(far(variance));
    // P[Z ≥ k] for k = far, far − 1, …; stops at the first k that is not safe any more. Below −far
    // everything is in the tail, which is not safe for any δ < 1.
    loop {
        #[expect(clippy::cast_precision_loss, reason = "|k| is at most 39 × 5000 + 2")]
        let term = (-(k as f64).powi(2) / two_square).exp();
        tail += term;
        if any_of(groups, tail / total * MARGIN) > delta || k < -i64::from(far(variance)) {
            return i128::from(k) + 1;
        }
        k -= 1;
    }
}

/// The smallest m ≥ 0 that is safe with discrete Laplace noise, whose tails are geometric.
pub(super) fn smallest_safe_laplace(scale: &LaplaceScale, groups: u32, delta: f64) -> i128 {
    // At 200 scales the tail is below 10⁻⁸⁶: safe for all groups and every δ of at least 10⁻¹⁸.
    smallest(-1.0, (200.0 * scale.scale()).ceil().max(1.0), |m| any_of(groups, scale.tail(m) * MARGIN) <= delta)
}

/// For large σ: P[Z ≥ m] ≤ P[N(0, σ²) ≥ m − 1] (Canonne, Kamath & Steinke 2020, Proposition 25).
fn bounded(variance: &Variance, groups: u32, delta: f64) -> i128 {
    let sigma = variance.sigma();
    smallest(0.0, (60.0 * sigma).ceil(), |m| any_of(groups, gaussian_tail((m - 1.0) / sigma) * MARGIN) <= delta)
}

/// The smallest whole number above `unsafe_m`, up to `safe_m`, that is safe, by halving.
fn smallest(mut unsafe_m: f64, mut safe_m: f64, is_safe: impl Fn(f64) -> bool) -> i128 {
    while safe_m - unsafe_m > 1.0 {
        let middle = ((unsafe_m + safe_m) / 2.0).floor();
        // Where doubles are further apart than 1 there may be none in between.
        if middle <= unsafe_m || middle >= safe_m {
            break;
        }
        if is_safe(middle) { safe_m = middle } else { unsafe_m = middle }
    }
    #[expect(clippy::cast_possible_truncation, reason = "a finite number of people; casts of floats saturate")]
    let m = safe_m.ceil() as i128;
    m
}
