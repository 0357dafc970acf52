//! Mean, variance and standard deviation from a count and two sums about the middle of a range. Proof:
//! `proof.md`.
//!
//! Sums about the middle move half as far with one person as sums about zero can, and the middle is public.

mod noisy;

pub use noisy::{Divisor, MomentEstimate, NoisyMoments, Part};

use super::discrete_gaussian::ParameterError;
use crate::bounds::{BoundsError, ContributionBounds, L2Squared};

/// The values that count, `low ..= high` in grid units, seen from their middle, and how many of one person
/// count in a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Centered {
    low: i64,
    high: i64,
    groups: u32,
    rows: u32,
    /// `rows` × width².
    square_max: u64,
}

impl Centered {
    /// Sums of values in `low ..= high`.
    ///
    /// # Errors
    /// When `low` is not below `high`, or rows per group × (high − low)² is 2⁶⁴ or more: with less, no sum over
    /// 2³² people can leave `i128`.
    pub fn new(low: i64, high: i64, bounds: &ContributionBounds) -> Result<Self, ParameterError> {
        if low >= high {
            return Err(ParameterError::OutOfRange("the range of values"));
        }
        let (width, rows) = (u128::from(high.abs_diff(low)), bounds.rows_per_group());
        let square_max = width.checked_mul(width).and_then(|square| square.checked_mul(rows.into())).and_then(|max| u64::try_from(max).ok());
        let square_max = square_max.ok_or(ParameterError::TooLarge("the square of the range"))?;
        Ok(Self { low, high, groups: bounds.groups(), rows, square_max })
    }

    /// How far a value, which is clamped first, is above the middle, in halves of a grid unit: y = 2x − (low + high).
    /// At most high − low in magnitude.
    #[must_use]
    pub fn first(&self, value: i64) -> i128 {
        2 * i128::from(value.clamp(self.low, self.high)) - (i128::from(self.low) + i128::from(self.high))
    }

    /// The square of that, about the middle of what squares can be: 2y² − (high − low)², in eighths of a squared
    /// grid unit. At most (high − low)² in magnitude.
    #[must_use]
    pub fn second(&self, value: i64) -> i128 {
        let (y, width) = (self.first(value), i128::from(self.high) - i128::from(self.low));
        2 * y * y - width * width
    }

    /// What one person adds to a group's sum who has `known` values there that add up to `sum`. With more values
    /// than count, all of them weigh alike: their sum is weighed by rows/known and rounded towards zero.
    #[must_use]
    pub fn weighed(&self, known: u64, sum: i128) -> i128 {
        if known <= u64::from(self.rows) { sum } else { sum.saturating_mul(self.rows.into()).checked_div(known.into()).unwrap_or(0) }
    }

    /// What one person adds to a group, of values `values`: their number, and the two sums.
    #[must_use]
    pub fn contribution(&self, values: &[i64]) -> [i128; 3] {
        let known = values.len() as u64;
        let sum = |of: fn(&Self, i64) -> i128| self.weighed(known, values.iter().map(|value| of(self, *value)).sum());
        [known.min(self.rows.into()).into(), sum(Self::first), sum(Self::second)]
    }

    /// The most that one person adds to, or takes from, a group's count, first and second sum: k, k·w and k·w²
    /// with w = high − low.
    #[must_use]
    pub fn per_group_max(&self) -> [u64; 3] {
        // k·w ≤ k·w² fits, as w ≥ 1.
        [self.rows.into(), self.high.abs_diff(self.low).saturating_mul(self.rows.into()), self.square_max]
    }

    /// The squared L2 sensitivities of count, first and second sum over all groups.
    ///
    /// # Guarantee
    /// Whatever a person's values, [`Centered::contribution`] moves each of the three by no more than this.
    /// With noise of [`Variance::for_shared_cost`](crate::Variance::for_shared_cost) in three parts (two, without the
    /// second sum) they cost ρ together. Proof: `proof.md`.
    ///
    /// # Errors
    /// When one cannot be counted.
    pub fn sensitivities(&self) -> Result<[L2Squared; 3], BoundsError> {
        let [count, first, second] = self.per_group_max();
        Ok([L2Squared::of_vector(self.groups, count)?, L2Squared::of_vector(self.groups, first)?, L2Squared::of_vector(self.groups, second)?])
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "small numbers")]
mod test;
