//! Mean, variance and standard deviation from a count and two sums about the middle of a range. Proof:
//! `proof.md`.
//!
//! Sums about the middle move half as far with one person as sums about zero can, and the middle is public.

mod noisy;

pub use noisy::{Divisor, MomentEstimate, NoisyMoments, Part};

use super::discrete_gaussian::ParameterError;
use crate::bounds::{BoundsError, ContributionBounds, L2Squared};

/// The values that count, `low ..= high` in grid units, seen from their middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Centered {
    low: i64,
    high: i64,
    /// (high − low)².
    square: u64,
}

impl Centered {
    /// Sums of values in `low ..= high`.
    ///
    /// # Errors
    /// When `low` is not below `high`, or (high − low)² is 2⁶⁴ or more.
    pub fn new(low: i64, high: i64) -> Result<Self, ParameterError> {
        if low >= high {
            return Err(ParameterError::OutOfRange("the range of values"));
        }
        let width = high.abs_diff(low);
        let square = width.checked_mul(width).ok_or(ParameterError::TooLarge("the square of the range"))?;
        Ok(Self { low, high, square })
    }

    /// How far a value, which is clamped first, is above the middle, in halves of a grid unit: y = 2x − (low + high).
    /// At most high − low in magnitude.
    #[must_use]
    #[inline]
    pub fn first(&self, value: i128) -> i128 {
        2 * value.clamp(self.low.into(), self.high.into()) - (i128::from(self.low) + i128::from(self.high))
    }

    /// The square of that, about the middle of what squares can be: 2y² − (high − low)², in eighths of a squared
    /// grid unit. At most (high − low)² in magnitude.
    #[must_use]
    #[inline]
    pub fn second(&self, value: i128) -> i128 {
        let y = self.first(value);
        2 * y * y - i128::from(self.square)
    }

    /// What one person adds to a group's sum who has `known` values there that add up to `sum`, where `most` count.
    /// With more values than count, all of them weigh alike: their sum is weighed by most/known and rounded towards
    /// zero.
    #[must_use]
    #[inline]
    pub fn weighed(most: u64, known: u64, sum: i128) -> i128 {
        if known <= most { sum } else { sum.saturating_mul(most.into()).checked_div(known.into()).unwrap_or(0) }
    }

    /// The most that one row adds to, or takes from, a group's count, first and second sum: 1, w and w² with
    /// w = high − low.
    #[must_use]
    pub const fn per_row_max(&self) -> [u64; 3] {
        [1, self.high.abs_diff(self.low), self.square]
    }

    /// The squared L2 sensitivities of count, first and second sum over all groups.
    ///
    /// # Guarantee
    /// Whatever a person's values, each of the three moves by no more than this, when of every group's values
    /// as many count as the bounds say, by [`Centered::weighed`]. With noise of
    /// [`Variance::for_shared_cost`](crate::Variance::for_shared_cost) in three parts (two, without the second sum) they
    /// cost ρ together. No sum over 2³² people leaves `i128` where this can be counted. Proof: `proof.md`.
    ///
    /// # Errors
    /// When one cannot be counted.
    pub fn sensitivities(&self, bounds: &ContributionBounds) -> Result<[L2Squared; 3], BoundsError> {
        let rows = bounds.of_rows()?;
        let [count, first, second] = self.per_row_max();
        Ok([rows.scaled(count)?, rows.scaled(first)?, rows.scaled(second)?])
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "small numbers")]
mod test;
