//! What is computed in each group, and how far one person can move it.

use dp::{Centered, ContributionBounds, Granularity, L2Squared};
use serde::Serialize;

use super::{RowExpr, Value};

/// An aggregate over the bounded rows of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// `count(distinct subject_id)`: people.
    CountSubjects,
    /// `count(*)`: rows, at most [`ContributionBounds::rows_per_group`] per person and group, and
    /// [`ContributionBounds::rows_overall`] per person.
    CountRows,
    /// `count(x)`: rows in which it is known, bounded likewise; also a part of averages and variances.
    CountKnown {
        /// What is counted.
        of: RowExpr,
    },
    /// `count(distinct x)`: different values; of each person and group at most as many as rows count.
    CountDistinct {
        /// What is counted.
        of: RowExpr,
    },
    /// `sum(x)`: each person's sum within the group, clamped.
    Sum {
        /// What is summed.
        of: RowExpr,
        /// Lowest and highest sum of one person in one group.
        sums: Grid,
        /// Lowest and highest single value that counts, where single values are clamped as well.
        values: Option<Grid>,
    },
    /// The sum of what each value is above the middle of its range: a part of averages and variances. A
    /// person with more known rows in a group than count has all of them weighed alike.
    CenteredSum {
        /// What is summed.
        of: RowExpr,
        /// Lowest and highest value that counts. Sums are kept in halves of a grid unit, on which every
        /// middle lies.
        values: Grid,
    },
    /// The sum of what each value's squared distance from the middle is above half of what it can be: the
    /// third part of a variance, kept in eighths of a squared grid unit.
    CenteredSquares {
        /// What is summed.
        of: RowExpr,
        /// Lowest and highest value that counts.
        values: Grid,
    },
    /// Percentiles, all by one tree of counts ([`dp::QuantileTree`]).
    Quantiles {
        /// Of what.
        of: RowExpr,
        /// Lowest and highest value that counts.
        values: Grid,
        /// Which, in millionths; sorted, without duplicates.
        at: Vec<u32>,
    },
}

/// A range of numbers that are kept as whole multiples of 1/denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Grid {
    /// The lowest, in grid units.
    pub low: i64,
    /// The highest, in grid units; not below `low`.
    pub high: i64,
    /// Grid units per 1.
    pub denominator: u32,
}

impl Grid {
    /// The ends as numbers.
    #[must_use]
    pub fn ends(&self) -> (f64, f64) {
        #[expect(clippy::cast_precision_loss, reason = "bounds of a contract: far below 2^53")]
        let number = |grid: i64| grid as f64 / f64::from(self.denominator.max(1));
        (number(self.low), number(self.high))
    }

    /// A value in grid units, clamped only to the ends of the numbers; `None` for what is no number.
    fn value(&self, value: &Value) -> Option<i128> {
        match value {
            Value::Integer(x) => Some(i128::from(*x) * i128::from(self.denominator)),
            Value::Float(x) => Granularity::new(self.denominator).ok()?.to_grid(*x, -VALUE_MAX, VALUE_MAX).map(i128::from),
            Value::Null | Value::Boolean(_) | Value::Text(_) | Value::Date(_) | Value::Timestamp(_) => None,
        }
    }

    fn clamp(&self, grid: i128) -> i128 {
        let low = i128::from(self.low);
        grid.clamp(low, i128::from(self.high).max(low))
    }

    /// Values as they are seen from the middle; none where the range has one value only, or is too wide to be
    /// squared.
    #[must_use]
    pub fn centered(&self) -> Option<Centered> {
        Centered::new(self.low, self.high).ok()
    }
}

/// What one person has of an aggregate's expression in one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows in which it is known.
    pub known: u64,
    /// What these add up to, each by [`Aggregate::grid_value`].
    pub sum: i128,
}

impl Aggregate {
    /// What it reads, if it reads anything.
    #[must_use]
    pub const fn of(&self) -> Option<&RowExpr> {
        match self {
            Self::CountSubjects | Self::CountRows => None,
            Self::CountKnown { of } | Self::CountDistinct { of } => Some(of),
            Self::Sum { of, .. } | Self::CenteredSum { of, .. } | Self::CenteredSquares { of, .. } | Self::Quantiles { of, .. } => Some(of),
        }
    }

    /// How many numbers of it are released per group: of percentiles each with the ends of its range.
    #[must_use]
    pub const fn numbers(&self) -> usize {
        match self {
            Self::Quantiles { at, .. } => 3 * at.len(),
            _ => 1,
        }
    }

    /// The most that one person can add to, or take from, one group's value, in grid units; for
    /// percentiles, one count of their tree.
    #[must_use]
    pub fn per_group_max(&self, bounds: &ContributionBounds) -> u64 {
        match self {
            Self::CountSubjects => 1,
            Self::Sum { sums, .. } => sums.low.unsigned_abs().max(sums.high.unsigned_abs()),
            _ => self.per_row_max().saturating_mul(u64::from(bounds.rows_in_a_group())),
        }
    }

    /// The most that one row adds to its group's value, or takes from it, in grid units.
    fn per_row_max(&self) -> u64 {
        match self {
            Self::CenteredSum { values, .. } => values.centered().map_or(u64::MAX, |centered| centered.per_row_max()[1]),
            Self::CenteredSquares { values, .. } => values.centered().map_or(u64::MAX, |centered| centered.per_row_max()[2]),
            Self::CountSubjects | Self::Sum { .. } | Self::CountRows | Self::CountKnown { .. } | Self::CountDistinct { .. } | Self::Quantiles { .. } => 1,
        }
    }

    /// The squared L2 sensitivity of the vector of this aggregate over all groups, when one person
    /// comes or goes (`docs/privacy-model.md`, "Sensitivities"): groups × (per-group maximum)² for people and
    /// sums; for what is counted by rows, that of the rows × (a row's maximum)², and percentiles have it once
    /// per level of their tree.
    ///
    /// # Errors
    /// If the product leaves the numbers.
    pub fn sensitivity(&self, bounds: &ContributionBounds) -> Result<L2Squared, dp::BoundsError> {
        match self {
            Self::CountSubjects | Self::Sum { .. } => L2Squared::of_vector(bounds.groups(), self.per_group_max(bounds)),
            Self::Quantiles { values, .. } => tree_shape(values)?.sensitivity(bounds),
            _ => bounds.of_rows()?.scaled(self.per_row_max()),
        }
    }

    /// The grid that its values lie on: they are whole multiples of 1 / this.
    #[must_use]
    pub const fn denominator(&self) -> u32 {
        match self {
            Self::CountSubjects | Self::CountRows | Self::CountKnown { .. } | Self::CountDistinct { .. } => Granularity::ONE.denominator(),
            Self::Sum { sums: grid, .. } | Self::Quantiles { values: grid, .. } => grid.denominator,
            Self::CenteredSum { values, .. } => values.denominator.saturating_mul(2),
            Self::CenteredSquares { values, .. } => values.denominator.saturating_mul(values.denominator).saturating_mul(8),
        }
    }

    /// What one value adds to the sum, in grid units; `None` for what is not known or no number. Values that
    /// are simply summed are not clamped, except where the question clamps them and to the ends of the
    /// numbers: their sum is.
    #[must_use]
    pub fn grid_value(&self, value: &Value) -> Option<i128> {
        match self {
            Self::CountSubjects | Self::CountRows | Self::CountKnown { .. } | Self::CountDistinct { .. } => (*value != Value::Null).then_some(0),
            Self::Sum { sums, values, .. } => sums.value(value).map(|grid| values.map_or(grid, |values| values.clamp(grid))),
            Self::CenteredSum { values, .. } => values.value(value).zip(values.centered()).map(|(grid, centered)| centered.first(grid)),
            Self::CenteredSquares { values, .. } => values.value(value).zip(values.centered()).map(|(grid, centered)| centered.second(grid)),
            Self::Quantiles { values, .. } => values.value(value).map(|grid| values.clamp(grid)),
        }
    }

    /// What a person adds to a group in which they have `rows` rows and `tally` of the expression, and in
    /// which at most `most` rows count. Different values and percentiles are added up apart
    /// ([`Aggregate::is_set`]).
    ///
    /// # Guarantee
    /// Where `most` is within the bounds on rows, the magnitude never exceeds [`Aggregate::per_group_max`],
    /// whatever the rows, and over all groups [`Aggregate::sensitivity`] holds. For the parts of averages and
    /// variances, with n known rows, k that count, and each value at most w from zero: |sum| ≤ n·w. With n ≤ k
    /// that is at most k·w; with n > k the sum is weighed by k/n and rounded towards zero, which gives the same
    /// bound. The count is min(n, k) in both cases, so that sums and count speak of equally many rows, none of
    /// them drawn.
    #[must_use]
    #[inline]
    pub fn contribution(&self, most: u64, rows: u64, tally: Tally) -> i128 {
        match self {
            Self::CountSubjects => i128::from(rows > 0),
            Self::CountRows => i128::from(rows.min(most)),
            Self::CountKnown { .. } => i128::from(tally.known.min(most)),
            Self::Sum { sums, .. } if tally.known > 0 => sums.clamp(tally.sum),
            Self::CenteredSum { .. } | Self::CenteredSquares { .. } => Centered::weighed(most, tally.known, tally.sum),
            Self::Sum { .. } | Self::CountDistinct { .. } | Self::Quantiles { .. } => 0,
        }
    }

    /// Whether a person's values, and not only their sum, are kept: for different values and percentiles.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        matches!(self, Self::CountDistinct { .. } | Self::Quantiles { .. })
    }

    /// The lowest and highest single value that counts, for the sum of an average.
    #[must_use]
    pub fn value_range(&self) -> Option<(f64, f64)> {
        match self {
            Self::CenteredSum { values, .. } => Some(values.ends()),
            _ => None,
        }
    }
}

/// The tree of counts by which percentiles of values in `grid` are found.
///
/// # Errors
/// When the range has one value only, or too many to be counted.
pub fn tree_shape(grid: &Grid) -> Result<dp::Shape, dp::BoundsError> {
    dp::Shape::usual(grid.low, grid.high).map_err(|_| dp::BoundsError::TooLarge)
}

/// Largest magnitude of a single fractional value that is summed.
const VALUE_MAX: f64 = 1e9;

impl std::fmt::Display for Aggregate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let middle = |values: &Grid| {
            let (low, high) = values.ends();
            f64::midpoint(low, high)
        };
        match self {
            Self::CountSubjects => f.write_str("count(distinct subject_id)"),
            Self::CountRows => f.write_str("count(*)"),
            Self::CountKnown { of } => write!(f, "count({of})"),
            Self::CountDistinct { of } => write!(f, "count(distinct {of})"),
            Self::Sum { of, .. } => write!(f, "sum({of})"),
            Self::CenteredSum { of, values } => write!(f, "sum({of} - {})", middle(values)),
            Self::CenteredSquares { of, values } => {
                let (low, high) = values.ends();
                write!(f, "sum(power({of} - {}, 2) - {})", middle(values), (high - low) * (high - low) / 8.0)
            }
            Self::Quantiles { of, at, .. } => {
                let levels: Vec<String> = at.iter().map(|level| (f64::from(*level) / 1e6).to_string()).collect();
                write!(f, "percentile_cont(array[{}]) within group (order by {of})", levels.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Table, TableName};
    use crate::question::Field;
    use crate::question::expr::Expr;

    fn parts(low: i64, high: i64) -> [Aggregate; 3] {
        let of = Expr::Leaf(Field::Column(Table::of(TableName::Activity).named(TableName::Activity, "word_count").unwrap()));
        let values = Grid { low, high, denominator: 1 };
        [Aggregate::CountKnown { of: of.clone() }, Aggregate::CenteredSum { of: of.clone(), values }, Aggregate::CenteredSquares { of, values }]
    }

    /// The parts of an average and a variance of `values`, at most `rows` of which count.
    fn average(values: &[i64], rows: u32) -> [i128; 3] {
        parts(0, 25).map(|part| {
            let sum = values.iter().filter_map(|x| part.grid_value(&Value::Integer(*x))).sum();
            let known = values.len() as u64;
            part.contribution(rows.into(), known, Tally { known, sum })
        })
    }

    #[test]
    fn an_average_counts_and_sums_the_same_rows() {
        // In halves, from the middle of 0..25: 2·x − 25.
        // Squares: 2·(2·x − 25)² − 25².
        assert_eq!(average(&[0, 25, 10], 5), [3, -25 + 25 - 5, 625 + 625 + 50 - 625]);
        assert_eq!(average(&[-1_000, 1_000_000], 5), [2, 0, 1_250], "values are clamped one by one");
        assert_eq!(average(&[], 5), [0, 0, 0]);
        // Three of four rows count: all of them, by three quarters, rounded towards zero.
        assert_eq!(average(&[0, 0, 0, 25], 3), [3, -37, 1_875]);
    }

    #[test]
    fn no_rows_lead_beyond_the_declared_maximum() {
        let bounds = ContributionBounds::new(1, 3, 100).unwrap();
        for values in [vec![i64::MAX; 50], vec![i64::MIN; 50], vec![25; 3], vec![0; 4], vec![25, 0, 25, 25, 25]] {
            let most = parts(0, 25).map(|part| i128::from(part.per_group_max(&bounds)));
            let given = average(&values, 3);
            assert!(given.iter().zip(most).all(|(given, most)| given.abs() <= most), "{values:?}");
        }
        assert_eq!(average(&[i64::MAX; 50], 3), [3, 75, 1_875], "the bound is reached");
    }

    #[test]
    fn parts_are_printed_as_what_they_are() {
        let parts = parts(0, 25);
        assert_eq!(parts.each_ref().map(ToString::to_string), ["count(word_count)", "sum(word_count - 12.5)", "sum(power(word_count - 12.5, 2) - 78.125)"]);
        assert_eq!(parts.map(|part| part.denominator()), [1, 2, 8]);
    }
}
