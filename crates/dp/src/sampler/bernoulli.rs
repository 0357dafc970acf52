//! Coins with probability p/q and exp(−p/q), exactly (Canonne, Kamath & Steinke 2020, Algorithm 1).

use num_bigint::BigUint;

use super::uniform::{below, below_big};
use super::{BitSource, NoiseError};

/// True with probability exp(−numer/denom); `denom` must not be zero.
pub(crate) fn exp_minus(bits: &mut dyn BitSource, numer: u128, denom: u128) -> Result<bool, NoiseError> {
    // exp(−γ) = exp(−1)^⌊γ⌋ · exp(−(γ − ⌊γ⌋))
    for _ in 0..numer / denom {
        if !exp_minus_fraction(bits, 1, 1)? {
            return Ok(false);
        }
    }
    exp_minus_fraction(bits, numer % denom, denom)
}

/// The same for numer ≤ denom: count how long coins of γ/1, γ/2, γ/3 … come up true; the chance that
/// the count is even is exp(−γ).
fn exp_minus_fraction(bits: &mut dyn BitSource, numer: u128, denom: u128) -> Result<bool, NoiseError> {
    let mut k: u128 = 1;
    loop {
        // A coin of γ/k: one of γ and, independently, one of 1/k, so that no product can overflow.
        if !(below(bits, denom)? < numer && below(bits, k)? == 0) {
            return Ok(k % 2 == 1);
        }
        k += 1;
    }
}

/// True with probability exp(−numer/denom), for numbers of any size.
pub(super) fn exp_minus_big(bits: &mut dyn BitSource, numer: &BigUint, denom: &BigUint) -> Result<bool, NoiseError> {
    let mut whole = numer / denom;
    let rest = numer % denom;
    let zero = BigUint::ZERO;
    while whole > zero {
        if !exp_minus_fraction(bits, 1, 1)? {
            return Ok(false);
        }
        whole -= 1_u32;
    }
    let mut k: u128 = 1;
    loop {
        if !(below_big(bits, denom)? < rest && below(bits, k)? == 0) {
            return Ok(k % 2 == 1);
        }
        k += 1;
    }
}
