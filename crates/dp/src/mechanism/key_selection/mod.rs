//! Which groups with unknown keys may be shown. Proof: `proof.md`.

mod tail;

use super::discrete_gaussian::{ParameterError, Variance};
use super::discrete_laplace::LaplaceScale;
use crate::unit::Delta;

/// From which noisy number of people a group may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyThreshold {
    threshold: i128,
    minimum_cohort: u32,
}

impl KeyThreshold {
    /// The threshold in people.
    #[must_use]
    pub const fn threshold(&self) -> i128 {
        self.threshold
    }

    /// Whether a group of this exact number of people may be looked at further.
    ///
    /// # Guarantee
    /// Only together with [`KeyThreshold::keeps`] does this exact number decide privately: the threshold is
    /// shifted by the smallest cohort (`proof.md`). With both, a group of fewer people is never shown.
    #[must_use]
    pub const fn considers(&self, people: u64) -> bool {
        people >= self.minimum_cohort as u64
    }

    /// Whether a group with this noisy number of people may be shown.
    #[must_use]
    pub const fn keeps(&self, noisy: i128) -> bool {
        noisy >= self.threshold
    }
}

/// The smallest threshold that is safe for people who count in at most `groups` groups.
///
/// `variance` is that of the noise on the numbers of people. A group of fewer than `minimum_cohort`
/// people is treated like a group of none: the threshold is shifted, so that no exact number decides alone.
///
/// # Guarantee
/// If one person is added who is alone in all of their at most `groups` groups, the probability that
/// any of those groups is shown is at most `delta`. Together with the noise, selecting and showing the
/// noisy counts is (ρ, δ) approximate zCDP. The errors depend on the parameters only. Proof: `proof.md`.
///
/// # Errors
/// When a parameter is zero.
pub fn key_threshold(variance: &Variance, groups: u32, delta: Delta, minimum_cohort: u32) -> Result<KeyThreshold, ParameterError> {
    threshold(groups, delta, minimum_cohort, |delta| tail::smallest_safe(variance, groups, delta))
}

/// The same for numbers of people with discrete Laplace noise of that scale.
///
/// # Guarantee
/// As [`key_threshold`]: selecting and showing the noisy counts is (ε, δ)-differentially private with
/// ε = groups/scale, and (ε²/2, δ) approximate zCDP. Proof: `proof.md`.
///
/// # Errors
/// When a parameter is zero.
pub fn key_threshold_laplace(scale: &LaplaceScale, groups: u32, delta: Delta, minimum_cohort: u32) -> Result<KeyThreshold, ParameterError> {
    threshold(groups, delta, minimum_cohort, |delta| tail::smallest_safe_laplace(scale, groups, delta))
}

fn threshold(groups: u32, delta: Delta, minimum_cohort: u32, smallest_safe: impl FnOnce(f64) -> i128) -> Result<KeyThreshold, ParameterError> {
    if groups == 0 || minimum_cohort == 0 {
        return Err(ParameterError::Zero("a bound"));
    }
    if delta == Delta::ZERO {
        return Err(ParameterError::Zero("δ"));
    }
    // A lone person's count is 1 + Z, which reaches T when Z ≥ T − 1.
    let alone = smallest_safe(delta.to_f64()).saturating_add(1);
    Ok(KeyThreshold { threshold: alone.saturating_add(i128::from(minimum_cohort - 1)), minimum_cohort })
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "small numbers")]
mod test;
