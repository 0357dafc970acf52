//! The part of a question that is paid for.

use std::collections::BTreeMap;

use dp::{ContributionBounds, Granularity, L2Squared};
use serde::{Deserialize, Serialize};

use super::{Predicate, Value};
use crate::catalog::{Table, TableName};

/// An aggregate over the bounded rows of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// `count(distinct subject_id)`: people.
    CountSubjects,
    /// `count(*)`: rows, at most [`ContributionBounds::rows_per_group`] per person and group.
    CountRows,
    /// `sum(column)`: each person's sum within the group, clamped.
    Sum {
        /// The column.
        column: String,
        /// Lowest and highest sum of one person in one group, in grid units.
        low: i64,
        /// See `low`.
        high: i64,
        /// Grid units per 1.
        denominator: u32,
    },
}

impl Aggregate {
    /// The most that one person can add to, or take from, one group's value, in grid units.
    #[must_use]
    pub fn per_group_max(&self, bounds: &ContributionBounds) -> u64 {
        match self {
            Self::CountSubjects => 1,
            Self::CountRows => u64::from(bounds.rows_per_group()),
            Self::Sum { low, high, .. } => low.unsigned_abs().max(high.unsigned_abs()),
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

    /// The grid that its values lie on.
    #[must_use]
    pub const fn denominator(&self) -> u32 {
        match self {
            Self::CountSubjects | Self::CountRows => Granularity::ONE.denominator(),
            Self::Sum { denominator, .. } => *denominator,
        }
    }

    /// A value of the summed column in grid units; `None` for what is no number. Single values are
    /// not clamped, except to the ends of the numbers: the sum is.
    #[must_use]
    pub fn grid_value(&self, value: &Value) -> Option<i128> {
        let granularity = Granularity::new(self.denominator()).ok()?;
        match value {
            Value::Integer(x) => Some(i128::from(*x) * i128::from(self.denominator())),
            Value::Float(x) => granularity.to_grid(*x, -VALUE_MAX, VALUE_MAX).map(i128::from),
            Value::Null | Value::Boolean(_) | Value::Text(_) | Value::Date(_) | Value::Timestamp(_) => None,
        }
    }

    /// What a person adds to a group in which they have `rows` rows whose values sum up to `sum`
    /// (`None` when all were null).
    ///
    /// # Guarantee
    /// The magnitude never exceeds [`Aggregate::per_group_max`], whatever the rows.
    #[must_use]
    pub fn contribution(&self, bounds: &ContributionBounds, rows: u64, sum: Option<i128>) -> i128 {
        match self {
            Self::CountSubjects => i128::from(rows > 0),
            Self::CountRows => i128::from(rows.min(u64::from(bounds.rows_per_group()))),
            Self::Sum { low, high, .. } => sum.map_or(0, |sum| sum.clamp(i128::from(*low), i128::from((*high).max(*low)))),
        }
    }
}

/// Largest magnitude of a single fractional value that is summed.
const VALUE_MAX: f64 = 1e9;

impl std::fmt::Display for Aggregate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CountSubjects => f.write_str("count(distinct subject_id)"),
            Self::CountRows => f.write_str("count(*)"),
            Self::Sum { column, .. } => write!(f, "sum({column})"),
        }
    }
}

/// Which groups an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// All combinations of public values, whether or not anybody is in them.
    Public,
    /// Those groups that enough people are in, decided with noise.
    Unknown,
}

/// What a question computes from people's rows. Two questions with equal plans are one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this layout; part of the key under which answers are kept.
    pub schema: u32,
    /// The table.
    pub table: TableName,
    /// Which rows.
    pub filter: Option<Predicate>,
    /// Columns grouped by, sorted by name.
    pub keys: Vec<String>,
    /// Which groups.
    pub key_source: KeySource,
    /// What is computed, sorted, without duplicates. With unknown keys it contains
    /// [`Aggregate::CountSubjects`], by which groups are selected.
    pub aggregates: Vec<Aggregate>,
    /// How far one person can count.
    pub bounds: ContributionBounds,
}

impl Plan {
    /// Version of the layout and meaning of plans.
    pub const SCHEMA: u32 = 1;

    /// The plan as the JSON that equal questions share.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, integers and lists of them always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Every group of a plan with public keys, in order; one empty key where there is no `GROUP BY`.
    #[must_use]
    pub fn public_keys(&self) -> Vec<Vec<Value>> {
        let table = Table::of(self.table);
        self.keys.iter().fold(vec![Vec::new()], |prefixes, key| {
            let values = table.column(key).map_or_else(Vec::new, |column| {
                let mut values = column.domain.map_or_else(Vec::new, crate::catalog::Domain::values);
                if column.nullable {
                    values.push(Value::Null);
                }
                values
            });
            prefixes.iter().flat_map(|prefix| values.iter().map(move |value| [prefix.as_slice(), std::slice::from_ref(value)].concat())).collect()
        })
    }

    /// How many groups a plan with public keys has, without listing them.
    #[must_use]
    pub fn public_key_count(table: &Table, keys: &[String]) -> Option<usize> {
        keys.iter().try_fold(1_usize, |product, key| {
            let column = table.column(key)?;
            let values = column.domain?.values().len() + usize::from(column.nullable);
            product.checked_mul(values)
        })
    }

    /// The columns that the plan reads, sorted, without the owner.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let mut columns = self.keys.clone();
        if let Some(filter) = &self.filter {
            filter.columns(&mut columns);
        }
        columns.extend(self.aggregates.iter().filter_map(|a| match a {
            Aggregate::CountSubjects | Aggregate::CountRows => None,
            Aggregate::Sum { column, .. } => Some(column.clone()),
        }));
        columns.sort();
        columns.dedup();
        columns
    }
}

/// Tighter bounds that a question asks for. Wider ones than the contract's are refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Narrowing {
    /// Groups per person.
    pub groups: Option<u32>,
    /// Rows per person and group.
    pub rows_per_group: Option<u32>,
    /// Lowest and highest sum per person and group, by column.
    pub sums: BTreeMap<String, (f64, f64)>,
}

/// How large a question may be.
pub struct PlanLimits;

impl PlanLimits {
    /// Bytes of SQL.
    pub const SQL_BYTES: usize = 20_000;
    /// Columns in `GROUP BY`.
    pub const KEYS: usize = 8;
    /// Different paid aggregates.
    pub const AGGREGATES: usize = 16;
    /// Nodes in `WHERE`.
    pub const PREDICATE_SIZE: usize = 1_000;
    /// Groups of a plan with public keys.
    pub const PUBLIC_KEYS: usize = 10_000;
    /// Columns in the output.
    pub const OUTPUT_COLUMNS: usize = 64;
}
