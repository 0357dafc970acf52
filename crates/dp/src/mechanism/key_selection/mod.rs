//! Which groups with unknown keys may be shown. Proof: `proof.md`.

mod tail;

use super::discrete_gaussian::{ParameterError, Variance};
use crate::unit::Delta;

/// From which noisy number of people a group may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyThreshold(i128);

impl KeyThreshold {
    /// The threshold in people.
    #[must_use]
    pub const fn threshold(&self) -> i128 {
        self.0
    }

    /// Whether a group with this noisy number of people may be shown.
    #[must_use]
    pub const fn keeps(&self, noisy: i128) -> bool {
        noisy >= self.0
    }
}

/// The smallest threshold that is safe for people who count in at most `groups` groups.
///
/// `variance` is that of the noise on the numbers of people. A group of fewer than `minimum_cohort`
/// people is treated like a group of none: the threshold is shifted, so that no exact number decides.
///
/// # Guarantee
/// If one person is added who is alone in all of their at most `groups` groups, the probability that
/// any of those groups is shown is at most `delta`. Together with the noise, selecting and showing the
/// noisy counts is (ρ, δ) approximate zCDP. The errors depend on the parameters only. Proof: `proof.md`.
///
/// # Errors
/// When a parameter is zero.
pub fn key_threshold(variance: &Variance, groups: u32, delta: Delta, minimum_cohort: u32) -> Result<KeyThreshold, ParameterError> {
    if groups == 0 || minimum_cohort == 0 {
        return Err(ParameterError::Zero("a bound"));
    }
    if delta == Delta::ZERO {
        return Err(ParameterError::Zero("δ"));
    }
    let least = tail::smallest_safe(variance, groups, delta.to_f64());
    // A lone person's count is 1 + Z, which reaches T when Z ≥ T − 1.
    Ok(KeyThreshold(least + 1 + i128::from(minimum_cohort - 1)))
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "small numbers")]
mod test;
