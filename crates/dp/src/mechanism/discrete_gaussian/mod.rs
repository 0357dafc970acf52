//! The discrete Gaussian mechanism on integers. Proof: `proof.md`.

use std::num::NonZeroU32;

use crate::bounds::L2Squared;
use crate::sampler::{Noise, NoiseError};
use crate::unit::Rho;

/// Parameters from which no mechanism can be made. Depends on public parameters only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// A variance, budget or bound of zero.
    #[error("{0} must be greater than zero")]
    Zero(&'static str),
    /// A number that cannot be counted.
    #[error("{0} is too large")]
    TooLarge(&'static str),
    /// A number that is no number.
    #[error("{0} must be a number")]
    NotANumber(&'static str),
    /// A number outside what it can be.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
}

/// The variance parameter σ² as an exact fraction in lowest terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variance {
    numer: u128,
    denom: u128,
}

/// Above this σ, tails are bounded instead of summed.
pub(crate) const SERIES_SIGMA_MAX: f64 = 5_000.0;

impl Variance {
    /// σ² = numer / denom.
    ///
    /// # Errors
    /// When either is zero.
    pub fn new(numer: u128, denom: u128) -> Result<Self, ParameterError> {
        if numer == 0 || denom == 0 {
            return Err(ParameterError::Zero("the variance"));
        }
        let common = gcd(numer, denom);
        Ok(Self { numer: numer / common, denom: denom / common })
    }

    /// The variance with which a vector of that sensitivity costs ρ: σ² = Δ₂² / (2ρ), exactly.
    ///
    /// # Errors
    /// When ρ is zero or the fraction cannot be counted.
    pub fn for_cost(sensitivity: L2Squared, rho: Rho) -> Result<Self, ParameterError> {
        if rho == Rho::ZERO {
            return Err(ParameterError::Zero("the price"));
        }
        let numer = sensitivity.get().checked_mul(1_000_000_000).ok_or(ParameterError::TooLarge("the sensitivity"))?;
        Self::new(numer, 2 * u128::from(rho.nano()))
    }

    /// The variance for one of `parts` numbers that share ρ equally: σ² = Δ₂²·parts / (2ρ), exactly.
    ///
    /// # Errors
    /// When ρ is zero or the fraction cannot be counted.
    pub fn for_shared_cost(sensitivity: L2Squared, rho: Rho, parts: NonZeroU32) -> Result<Self, ParameterError> {
        Self::for_cost(sensitivity.repeated(parts.get()).map_err(|_| ParameterError::TooLarge("the sensitivity"))?, rho)
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

    /// σ as a number: for display, and for tails, which add a margin.
    #[must_use]
    pub fn sigma(&self) -> f64 {
        self.square().sqrt()
    }

    /// σ² as a number, likewise.
    #[expect(clippy::cast_precision_loss, reason = "53 bits for display and for tails with a margin")]
    pub(crate) fn square(&self) -> f64 {
        self.numer as f64 / self.denom as f64
    }

    /// The smallest w with P[|Z| ≤ w] ≥ 95 %; for large σ a w that is at most 2 larger.
    #[must_use]
    pub fn half_width_95(&self) -> u128 {
        self.half_width_95_of(NonZeroU32::MIN)
    }

    /// The smallest w with P[|Z| > w] ≤ 5 % / `parts`: ranges of that width around `parts` noisy numbers hold
    /// all of them together 19 times out of 20. For large σ up to 3 % larger.
    #[must_use]
    pub fn half_width_95_of(&self, parts: NonZeroU32) -> u128 {
        let (sigma, missed) = (self.sigma(), 0.05 / f64::from(parts.get()));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a finite positive width; casts of floats saturate")]
        if sigma > SERIES_SIGMA_MAX {
            let widths = if parts == NonZeroU32::MIN { 1.96 } else { normal_width(missed) };
            return (widths * sigma).ceil() as u128 + 1;
        }
        let (two_square, total) = (2.0 * self.square(), normalizer(self));
        let mut inside = 1.0;
        let mut width = 0_u32;
        while inside < (1.0 - missed) * total && width < far(self) {
            width += 1;
            inside += 2.0 * (-f64::from(width).powi(2) / two_square).exp();
        }
        u128::from(width)
    }
}

/// A z with P[|N(0,1)| > z] ≤ `missed`, by halving.
fn normal_width(missed: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if 2.0 * gaussian_tail(middle) <= missed { high = middle } else { low = middle }
    }
    high
}

/// An upper bound on P[N(0,1) ≥ x]: the asymptotic series cut after a positive term is above it.
pub(crate) fn gaussian_tail(x: f64) -> f64 {
    if x < 2.0 {
        return if x <= 0.0 { 1.0 } else { 0.5 * (-x * x / 2.0).exp() };
    }
    let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let square = x * x;
    density / x * (1.0 - 1.0 / square + 3.0 / (square * square))
}

/// Σ exp(−k²/2σ²) over all integers, summed from the far tail inwards.
pub(crate) fn normalizer(variance: &Variance) -> f64 {
    let two_square = 2.0 * variance.square();
    let half: f64 = (1..=far(variance)).rev().map(|k| (-f64::from(k).powi(2) / two_square).exp()).sum();
    1.0 + 2.0 * half
}

/// Beyond 39 σ no double is left: exp(−39²/2) < 10⁻³³⁰.
pub(crate) fn far(variance: &Variance) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "σ is at most SERIES_SIGMA_MAX here; casts of floats saturate")]
    let far = (39.0 * variance.sigma()).ceil() as u32;
    far.saturating_add(2)
}

pub(crate) const fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Adds one draw of discrete Gaussian noise to an exact integer.
///
/// # Guarantee
/// Adding independent draws of this variance to each entry of an integer vector with squared L2
/// sensitivity Δ₂² is Δ₂²/(2σ²)-zCDP. The error depends on the system's randomness only, never on
/// `value`. The sum saturates at the ends of `i128`, which is post-processing. Proof: `proof.md`.
///
/// # Errors
/// When the system has no randomness to give.
pub fn discrete_gaussian(value: i128, variance: &Variance, noise: &dyn Noise) -> Result<i128, NoiseError> {
    Ok(value.saturating_add(noise.discrete_gaussian(variance)?))
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
mod test;
