//! What is computed in each group, and how far one person can move it.

use dp::{ContributionBounds, Granularity, L2Squared};
use serde::Serialize;

use super::Value;
use crate::catalog::ColumnName;

/// An aggregate over the bounded rows of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// `count(distinct subject_id)`: people.
    CountSubjects,
    /// `count(*)`: rows, at most [`ContributionBounds::rows_per_group`] per person and group.
    CountRows,
    /// Rows in which the column is known, bounded likewise: one part of an average.
    CountKnown {
        /// The column.
        column: ColumnName,
    },
    /// `sum(column)`: each person's sum within the group, clamped.
    Sum {
        /// The column.
        column: ColumnName,
        /// Lowest and highest sum of one person in one group, in grid units.
        low: i64,
        /// See `low`.
        high: i64,
        /// Grid units per 1.
        denominator: u32,
    },
    /// The sum of what each value is above the middle of its range: the other part of an average. A
    /// person with more known rows in a group than count has all of them weighed alike.
    CenteredSum {
        /// The column.
        column: ColumnName,
        /// Lowest and highest value that counts, in grid units.
        low: i64,
        /// See `low`.
        high: i64,
        /// Grid units per 1. Sums are kept in halves of a grid unit, on which every middle lies.
        denominator: u32,
    },
}

/// What one person has of an aggregate's column in one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows in which it is known.
    pub known: u64,
    /// What these add up to, each by [`Aggregate::grid_value`].
    pub sum: i128,
}

impl Aggregate {
    /// The column that it reads, if it reads one.
    #[must_use]
    pub const fn column(&self) -> Option<ColumnName> {
        match self {
            Self::CountSubjects | Self::CountRows => None,
            Self::CountKnown { column } | Self::Sum { column, .. } | Self::CenteredSum { column, .. } => Some(*column),
        }
    }

    /// The most that one person can add to, or take from, one group's value, in grid units.
    #[must_use]
    pub fn per_group_max(&self, bounds: &ContributionBounds) -> u64 {
        let rows = u64::from(bounds.rows_per_group());
        match self {
            Self::CountSubjects => 1,
            Self::CountRows | Self::CountKnown { .. } => rows,
            Self::Sum { low, high, .. } => low.unsigned_abs().max(high.unsigned_abs()),
            Self::CenteredSum { low, high, .. } => high.abs_diff(*low).saturating_mul(rows),
        }
    }

    /// The squared L2 sensitivity of the vector of this aggregate over all groups, when one person
    /// comes or goes: groups × (per-group maximum)² (`docs/privacy-model.md`, "Sensitivities").
    ///
    /// # Errors
    /// If the product leaves the numbers.
    pub fn sensitivity(&self, bounds: &ContributionBounds) -> Result<L2Squared, dp::BoundsError> {
        L2Squared::of_vector(bounds.groups(), self.per_group_max(bounds))
    }

    /// The grid that its values lie on: they are whole multiples of 1 / this.
    #[must_use]
    pub const fn denominator(&self) -> u32 {
        match self {
            Self::CountSubjects | Self::CountRows | Self::CountKnown { .. } => Granularity::ONE.denominator(),
            Self::Sum { denominator, .. } => *denominator,
            Self::CenteredSum { denominator, .. } => denominator.saturating_mul(2),
        }
    }

    /// What one value of the column adds to the sum, in grid units; `None` for what is no number. Values
    /// that are simply summed are not clamped, except to the ends of the numbers: their sum is.
    #[must_use]
    pub fn grid_value(&self, value: &Value) -> Option<i128> {
        let denominator = match self {
            Self::Sum { denominator, .. } | Self::CenteredSum { denominator, .. } => *denominator,
            Self::CountSubjects | Self::CountRows | Self::CountKnown { .. } => 1,
        };
        let grid = match value {
            Value::Integer(x) => i128::from(*x) * i128::from(denominator),
            Value::Float(x) => Granularity::new(denominator).ok()?.to_grid(*x, -VALUE_MAX, VALUE_MAX).map(i128::from)?,
            Value::Null | Value::Boolean(_) | Value::Text(_) | Value::Date(_) | Value::Timestamp(_) => return None,
        };
        Some(match self {
            Self::CountSubjects | Self::CountRows | Self::CountKnown { .. } => 0,
            Self::Sum { .. } => grid,
            Self::CenteredSum { low, high, .. } => {
                let (low, high) = (i128::from(*low), i128::from(*high).max(i128::from(*low)));
                2 * grid.clamp(low, high) - (low + high)
            }
        })
    }

    /// What a person adds to a group in which they have `rows` rows and `tally` of the column.
    ///
    /// # Guarantee
    /// The magnitude never exceeds [`Aggregate::per_group_max`], whatever the rows. For the parts of an
    /// average, with values in a..b, n known rows and k that count: each value is at most b − a halves
    /// of a grid unit from the middle, so |sum| ≤ n·(b − a). With n ≤ k that is at most k·(b − a); with
    /// n > k the sum is weighed by k/n and rounded towards zero, which gives the same bound. The count is
    /// min(n, k) in both cases, so that sum and count speak of equally many rows, none of them drawn.
    #[must_use]
    #[inline]
    pub fn contribution(&self, bounds: &ContributionBounds, rows: u64, tally: Tally) -> i128 {
        let most = u64::from(bounds.rows_per_group());
        match self {
            Self::CountSubjects => i128::from(rows > 0),
            Self::CountRows => i128::from(rows.min(most)),
            Self::CountKnown { .. } => i128::from(tally.known.min(most)),
            Self::Sum { low, high, .. } if tally.known > 0 => tally.sum.clamp(i128::from(*low), i128::from((*high).max(*low))),
            Self::CenteredSum { .. } if tally.known > most => (tally.sum * i128::from(most)).checked_div(i128::from(tally.known)).unwrap_or(0),
            Self::CenteredSum { .. } => tally.sum,
            Self::Sum { .. } => 0,
        }
    }
}

/// Largest magnitude of a single fractional value that is summed.
const VALUE_MAX: f64 = 1e9;

impl Aggregate {
    /// The lowest and highest single value that counts, for the sum of an average.
    #[must_use]
    pub fn value_range(&self) -> Option<(f64, f64)> {
        match self {
            Self::CenteredSum { low, high, denominator, .. } => {
                #[expect(clippy::cast_precision_loss, reason = "bounds of a contract: far below 2^53")]
                let number = |grid: i64| grid as f64 / f64::from(*denominator);
                Some((number(*low), number(*high)))
            }
            Self::CountSubjects | Self::CountRows | Self::CountKnown { .. } | Self::Sum { .. } => None,
        }
    }
}

impl std::fmt::Display for Aggregate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CountSubjects => f.write_str("count(distinct subject_id)"),
            Self::CountRows => f.write_str("count(*)"),
            Self::CountKnown { column } => write!(f, "count({})", column.name()),
            Self::Sum { column, .. } => write!(f, "sum({})", column.name()),
            Self::CenteredSum { column, .. } => {
                let (low, high) = self.value_range().unwrap_or_default();
                write!(f, "sum({} - {})", column.name(), f64::midpoint(low, high))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Table, TableName};

    fn parts(low: i64, high: i64) -> [Aggregate; 2] {
        let column = Table::of(TableName::Activity).named("word_count").unwrap();
        [Aggregate::CountKnown { column }, Aggregate::CenteredSum { column, low, high, denominator: 1 }]
    }

    /// The parts of an average of `values`, at most `rows` of which count.
    fn average(values: &[i64], rows: u32) -> [i128; 2] {
        let bounds = ContributionBounds::new(1, rows, 100).unwrap();
        parts(0, 25).map(|part| {
            let sum = values.iter().filter_map(|x| part.grid_value(&Value::Integer(*x))).sum();
            let known = values.len() as u64;
            part.contribution(&bounds, known, Tally { known, sum })
        })
    }

    #[test]
    fn an_average_counts_and_sums_the_same_rows() {
        // In halves, from the middle of 0..25: 2·x − 25.
        assert_eq!(average(&[0, 25, 10], 5), [3, -25 + 25 - 5]);
        assert_eq!(average(&[-1_000, 1_000_000], 5), [2, 0], "values are clamped one by one");
        assert_eq!(average(&[], 5), [0, 0]);
        // Three of four rows count: all of them, by three quarters, rounded towards zero.
        assert_eq!(average(&[0, 0, 0, 25], 3), [3, -37]);
    }

    #[test]
    fn no_rows_lead_beyond_the_declared_maximum() {
        let bounds = ContributionBounds::new(1, 3, 100).unwrap();
        for values in [vec![i64::MAX; 50], vec![i64::MIN; 50], vec![25; 3], vec![0; 4], vec![25, 0, 25, 25, 25]] {
            let most = parts(0, 25).map(|part| i128::from(part.per_group_max(&bounds)));
            let given = average(&values, 3);
            assert!(given[0].abs() <= most[0] && given[1].abs() <= most[1], "{values:?}");
        }
        assert_eq!(average(&[i64::MAX; 50], 3), [3, 75], "the bound is reached");
    }

    #[test]
    fn parts_are_printed_as_what_they_are() {
        let [count, sum] = parts(0, 25);
        assert_eq!((count.to_string().as_str(), sum.to_string().as_str()), ("count(word_count)", "sum(word_count - 12.5)"));
        assert_eq!(sum.denominator(), 2);
    }
}
