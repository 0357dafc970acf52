//! Discrete Laplace and discrete Gaussian (Canonne, Kamath & Steinke 2020, Algorithms 2 and 3).

use num_bigint::BigUint;

use super::bernoulli::{exp_minus, exp_minus_big};
use super::uniform::below;
use super::{BitSource, NoiseError};
use crate::mechanism::discrete_gaussian::Variance;
use crate::mechanism::discrete_laplace::LaplaceScale;

/// One draw with P[X = x] ∝ exp(−|x|/scale), scale = numer/denom.
///
/// # Errors
/// When there is no randomness.
pub fn sample_discrete_laplace(bits: &mut dyn BitSource, scale: &LaplaceScale) -> Result<i128, NoiseError> {
    laplace(bits, scale.numer(), scale.denom())
}

/// The same with the two parts of the scale, neither of which may be zero.
fn laplace(bits: &mut dyn BitSource, numer: u128, denom: u128) -> Result<i128, NoiseError> {
    loop {
        // U + numer·V with U uniform, kept with exp(−U/numer), and V geometric, is geometric with exp(−1/numer).
        // Every run of denom numbers of it together is geometric with exp(−denom/numer).
        let u = below(bits, numer)?;
        if !exp_minus(bits, u, numer)? {
            continue;
        }
        let mut v: u128 = 0;
        while exp_minus(bits, 1, 1)? {
            v += 1;
        }
        let negative = below(bits, 2)? == 1;
        let magnitude = v.checked_mul(numer).and_then(|x| x.checked_add(u)).and_then(|x| i128::try_from(x / denom).ok()).ok_or(NoiseError)?;
        // Zero has one sign only.
        if negative && magnitude == 0 {
            continue;
        }
        return Ok(if negative { -magnitude } else { magnitude });
    }
}

/// One draw with P[Z = z] ∝ exp(−z²/2σ²), σ² = numer/denom.
///
/// # Errors
/// When there is no randomness.
pub fn sample_discrete_gaussian(bits: &mut dyn BitSource, variance: &Variance) -> Result<i128, NoiseError> {
    let scale = floor_sqrt(variance.numer() / variance.denom()) + 1;
    loop {
        let y = laplace(bits, scale, 1)?;
        if accept(bits, y.unsigned_abs(), scale, variance)? {
            return Ok(y);
        }
    }
}

/// Keeps |y| with probability exp(−(|y| − σ²/t)²/2σ²), where t is the Laplace scale. With σ² = n/d
/// the exponent is (|y|·d·t − n)² / (2·n·d·t²).
fn accept(bits: &mut dyn BitSource, y: u128, t: u128, variance: &Variance) -> Result<bool, NoiseError> {
    let (n, d) = (variance.numer(), variance.denom());
    if let Some((numer, denom)) = exponent(y, t, n, d) {
        return exp_minus(bits, numer, denom);
    }
    let (y, t, n, d) = (BigUint::from(y), BigUint::from(t), BigUint::from(n), BigUint::from(d));
    let shifted = &y * &d * &t;
    let distance = if shifted > n { shifted - &n } else { &n - shifted };
    exp_minus_big(bits, &(&distance * &distance), &(BigUint::from(2_u32) * &n * &d * &t * &t))
}

/// The exponent as a fraction of `u128`, where it fits.
fn exponent(y: u128, t: u128, n: u128, d: u128) -> Option<(u128, u128)> {
    let distance = y.checked_mul(d)?.checked_mul(t)?.abs_diff(n);
    let denom = n.checked_mul(2)?.checked_mul(d)?.checked_mul(t)?.checked_mul(t)?;
    Some((distance.checked_mul(distance)?, denom))
}

/// ⌊√x⌋.
const fn floor_sqrt(x: u128) -> u128 {
    x.isqrt()
}
