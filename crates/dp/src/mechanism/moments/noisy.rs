//! From noisy sums to mean and variance: post-processing.
//!
//! Doubles are safe here: they work on numbers that are noisy already; ranges add a margin above their
//! rounding.

use super::Centered;

/// A noisy number, and half the width of the range that holds the exact one. For a range of a mean take that of two
/// parts, of a variance that of three ([`Variance::half_width_95_of`](crate::Variance::half_width_95_of)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The noisy number.
    pub value: i128,
    /// Half the width of its range.
    pub half_width: u128,
}

/// What the squared distances are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Divisor {
    /// The number of values: `var_pop`, `stddev_pop`.
    Population,
    /// One less: `var_samp`, `stddev_samp`. Of a single value there is none.
    Sample,
}

/// Noisy count and sums of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoisyMoments<'a> {
    /// By what the sums were made.
    pub centered: &'a Centered,
    /// Values that count.
    pub count: Part,
    /// Σ [`Centered::first`].
    pub first: Part,
    /// Σ [`Centered::second`]; not looked at by [`NoisyMoments::mean`].
    pub second: Part,
}

/// A noisy number with its range, in grid units (of variances: squared).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MomentEstimate {
    /// The estimate; none where there seem to be too few values for one.
    pub value: Option<f64>,
    /// The exact number of the bounded values is at least this and at most `high` when each part is in its range.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

/// Margin of ranges, relative to all that a number can be, above all rounding in this file.
const MARGIN: f64 = 1e-12;

impl NoisyMoments<'_> {
    /// The mean, within the range of values.
    #[must_use]
    pub fn mean(&self) -> MomentEstimate {
        let width = self.width();
        let middle = f64::midpoint(number(self.centered.low.into()), number(self.centered.high.into()));
        // In grid units, from the mean of y, which is in halves.
        let clamped = |mean: f64| middle + mean.clamp(-width, width) / 2.0;
        let ((first_low, first_high), inverse) = (ends(self.first), self.inverse_counts(1.0));
        let value = self.counted(1.0).map(|count| clamped(number(self.first.value) / count));
        let Some((least, most)) = inverse else { return MomentEstimate { value, low: clamped(-width), high: clamped(width) } };
        let margin = width * MARGIN;
        // first · inverse is smallest and largest at ends.
        let low = (first_low * least).min(first_low * most) - margin;
        let high = (first_high * least).max(first_high * most) + margin;
        MomentEstimate { value, low: clamped(low), high: clamped(high) }
    }

    /// The variance, not below zero and not above what values in the range can have.
    #[must_use]
    pub fn variance(&self, divisor: Divisor) -> MomentEstimate {
        let (square, fewest) = (self.width() * self.width(), divisor.fewest());
        let value = self.counted(fewest).map(|count| {
            let found = self.about(number(self.first.value), number(self.second.value), 1.0 / count);
            found.clamp(0.0, square) * divisor.factor(1.0 / count) / 4.0
        });
        // Of the fewest values with one, the factor is largest.
        let most = square * divisor.factor(1.0 / fewest) / 4.0;
        let Some((least_inverse, most_inverse)) = self.inverse_counts(fewest) else { return MomentEstimate { value, low: 0.0, high: most } };
        let ((first_low, first_high), (second_low, second_high)) = (ends(self.first), ends(self.second));
        let farthest = first_low.abs().max(first_high.abs());
        let nearest = if first_low <= 0.0 && first_high >= 0.0 { 0.0 } else { first_low.abs().min(first_high.abs()) };
        // It rises with the second sum, falls with the first one's distance from 0, and is concave in the inverse
        // of the count: smallest at an end of it, largest at its peak s₂ / 4·s₁² or the end next to that.
        let low = self.about(farthest, second_low, least_inverse).min(self.about(farthest, second_low, most_inverse));
        let peak = second_high / (4.0 * nearest * nearest);
        let peak = if peak.is_nan() { most_inverse } else { peak.clamp(least_inverse, most_inverse) };
        let high = self.about(nearest, second_high, peak);
        let margin = square * MARGIN;
        let low = (low - margin).clamp(0.0, square) * divisor.factor(least_inverse) / 4.0;
        let high = (high + margin).clamp(0.0, square) * divisor.factor(most_inverse) / 4.0;
        MomentEstimate { value, low, high: high.min(most) }
    }

    /// The standard deviation: the root of the variance, and of its range.
    #[must_use]
    pub fn standard_deviation(&self, divisor: Divisor) -> MomentEstimate {
        let MomentEstimate { value, low, high } = self.variance(divisor);
        MomentEstimate { value: value.map(f64::sqrt), low: low.sqrt(), high: high.sqrt() }
    }

    /// The variance of y, dividing by the count: E y² − (E y)², where E y² = (second / count + w²) / 2.
    fn about(&self, first: f64, second: f64, inverse_count: f64) -> f64 {
        let (square, mean) = (self.width() * self.width(), first * inverse_count);
        f64::midpoint(second * inverse_count, square) - mean * mean
    }

    /// The noisy count, if it is not below `fewest`.
    fn counted(&self, fewest: f64) -> Option<f64> {
        let count = number(self.count.value);
        (count >= fewest).then_some(count)
    }

    /// The smallest and largest inverse of a count in its range, if that has no counts below `fewest`.
    fn inverse_counts(&self, fewest: f64) -> Option<(f64, f64)> {
        let (least, most) = ends(self.count);
        (least >= fewest).then(|| (1.0 / most, 1.0 / least))
    }

    fn width(&self) -> f64 {
        number(i128::from(self.centered.high) - i128::from(self.centered.low))
    }
}

impl Divisor {
    /// The fewest values that have a variance.
    const fn fewest(self) -> f64 {
        match self {
            Self::Population => 1.0,
            Self::Sample => 2.0,
        }
    }

    /// Count / divisor, by the inverse of the count.
    fn factor(self, inverse_count: f64) -> f64 {
        match self {
            Self::Population => 1.0,
            Self::Sample => 1.0 / (1.0 - inverse_count),
        }
    }
}

fn ends(part: Part) -> (f64, f64) {
    let half = i128::try_from(part.half_width).unwrap_or(i128::MAX);
    (number(part.value.saturating_sub(half)), number(part.value.saturating_add(half)))
}

#[expect(clippy::cast_precision_loss, reason = "noisy numbers and widths, see above")]
const fn number(x: i128) -> f64 {
    x as f64
}
