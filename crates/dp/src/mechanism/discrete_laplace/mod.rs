//! The discrete Laplace mechanism on integers. Proof: `proof.md`.

use super::discrete_gaussian::{ParameterError, gcd};
use crate::sampler::{BitSource, NoiseError, sample_discrete_laplace};
use crate::unit::Epsilon;

/// The scale of discrete Laplace noise as an exact fraction in lowest terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaplaceScale {
    numer: u128,
    denom: u128,
}

impl LaplaceScale {
    /// numer / denom.
    ///
    /// # Errors
    /// When either is zero, or the numerator is above 2⁹⁴.
    pub fn new(numer: u128, denom: u128) -> Result<Self, ParameterError> {
        if numer == 0 || denom == 0 {
            return Err(ParameterError::Zero("the scale"));
        }
        let common = gcd(numer, denom);
        let (numer, denom) = (numer / common, denom / common);
        if numer > 1 << 94 { Err(ParameterError::TooLarge("the scale")) } else { Ok(Self { numer, denom }) }
    }

    /// The scale with which a vector of that L1 sensitivity costs ε: Δ₁/ε, exactly. In ρ it costs
    /// [`Epsilon::pure_rho`].
    ///
    /// One person in c groups who changes each by k at most has Δ₁ = c·k.
    ///
    /// # Errors
    /// When the sensitivity or ε is zero.
    pub fn for_cost(sensitivity: u64, epsilon: Epsilon) -> Result<Self, ParameterError> {
        Self::new(u128::from(sensitivity) * 1_000_000_000, u128::from(epsilon.nano()))
    }

    /// The numerator.
    #[must_use]
    pub const fn numer(&self) -> u128 {
        self.numer
    }

    /// The denominator.
    #[must_use]
    pub const fn denom(&self) -> u128 {
        self.denom
    }

    /// The scale as a number: for display, and for tails, which add a margin.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "53 bits for display and for tails with a margin")]
    pub fn scale(&self) -> f64 {
        self.numer as f64 / self.denom as f64
    }

    /// P[Z ≥ m] = qᵐ/(1 + q) for m ≥ 0, where q = exp(−1/scale); for m < 0 as if m were 0.
    pub(crate) fn tail(&self, m: f64) -> f64 {
        let q = (-1.0 / self.scale()).exp();
        (-m.max(0.0) / self.scale()).exp() / (1.0 + q)
    }

    /// The smallest w with P[|Z| ≤ w] ≥ 95 %, or a few billionths more.
    #[must_use]
    pub fn half_width_95(&self) -> u128 {
        // P[|Z| > w] = 2·P[Z ≥ w + 1] ≤ 5 %, solved for w and rounded up.
        let q = (-1.0 / self.scale()).exp();
        let width = -self.scale() * (0.025 * (1.0 + q)).ln() * (1.0 + 1e-12) - 1.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a width that is finite; casts of floats saturate")]
        let width = width.ceil().max(0.0) as u128;
        width
    }
}

/// Adds one draw of discrete Laplace noise to an exact integer.
///
/// # Guarantee
/// Adding independent draws of this scale to each entry of an integer vector with L1 sensitivity Δ₁ is
/// ε-differentially private for ε = Δ₁/scale, and so ε²/2-zCDP. The error depends on the randomness only, never
/// on `value`. The sum saturates at the ends of `i128`, which is post-processing. Proof: `proof.md`.
///
/// # Errors
/// When there is no randomness.
pub fn discrete_laplace(value: i128, scale: &LaplaceScale, bits: &mut dyn BitSource) -> Result<i128, NoiseError> {
    Ok(value.saturating_add(sample_discrete_laplace(bits, scale)?))
}

#[cfg(test)]
mod test;
