//! What expressions over rows look up: columns of tables, and what a subquery made of one person's rows.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use serde::{Serialize, Serializer};

use super::Value;
use super::expr::{Expr, Range};
use crate::catalog::{ColumnName, ColumnType, TableName};

/// An expression over one row.
pub type RowExpr = Expr<Field>;

/// What is looked up in a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// A column of a table.
    Column(ColumnName),
    /// What a subquery, by its place in [`super::Plan::per_subject`], made of the person's rows.
    Fold(usize, Box<Fold>),
}

/// What a subquery makes of all rows of one person: one value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// `count(*)`
    CountRows,
    /// `count(x)`: rows in which it is known.
    Count(Expr<ColumnName>),
    /// `count(distinct x)`
    CountDistinct(Expr<ColumnName>),
    /// `sum(x)`: null where none is known; whole numbers saturate.
    Sum(Expr<ColumnName>),
    /// `avg(x)`
    Average(Expr<ColumnName>),
    /// `min(x)`
    Min(Expr<ColumnName>),
    /// `max(x)`
    Max(Expr<ColumnName>),
}

/// A subquery that aggregates per subject: `(SELECT subject_id, … FROM … WHERE … GROUP BY subject_id)`.
///
/// # Guarantee
/// It has at most one row per person, which is a function of that person's rows alone. What a person's
/// rows are joined to, and how often they count afterwards, is bounded after the join like everything else.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PerSubject {
    /// Its tables, in the catalogue's order.
    pub tables: Vec<TableName>,
    /// Which rows.
    pub filter: Option<Expr<ColumnName>>,
}

impl Fold {
    /// What it reads.
    #[must_use]
    pub const fn of(&self) -> Option<&Expr<ColumnName>> {
        match self {
            Self::CountRows => None,
            Self::Count(of) | Self::CountDistinct(of) | Self::Sum(of) | Self::Average(of) | Self::Min(of) | Self::Max(of) => Some(of),
        }
    }

    /// What it makes of values of type `ty`; none where it cannot be made.
    #[must_use]
    pub const fn ty(&self, ty: ColumnType) -> Option<ColumnType> {
        match (self, ty) {
            (Self::CountRows | Self::Count(_) | Self::CountDistinct(_), _) => Some(ColumnType::Integer),
            (Self::Sum(_), ColumnType::Integer) => Some(ColumnType::Integer),
            (Self::Sum(_) | Self::Average(_), ColumnType::Integer | ColumnType::Float) => Some(ColumnType::Float),
            (Self::Min(_) | Self::Max(_), ColumnType::Integer | ColumnType::Float | ColumnType::Date | ColumnType::Timestamp) => Some(ty),
            _ => None,
        }
    }

    /// Nothing yet of a person.
    #[must_use]
    pub const fn start(&self) -> Folding {
        match self {
            Self::CountRows | Self::Count(_) => Folding::Count(0),
            Self::CountDistinct(_) => Folding::Distinct(BTreeSet::new()),
            Self::Sum(_) => Folding::Sum { known: 0, whole: Some(0), total: 0.0, average: false },
            Self::Average(_) => Folding::Sum { known: 0, whole: Some(0), total: 0.0, average: true },
            Self::Min(_) => Folding::Extreme { value: Value::Null, largest: false },
            Self::Max(_) => Folding::Extreme { value: Value::Null, largest: true },
        }
    }
}

/// What a fold has of a person's rows so far: as little as its value needs, however many rows there are.
#[derive(Debug, Clone, PartialEq)]
pub enum Folding {
    /// Rows, or known values.
    Count(u64),
    /// Different values, by 128 bits of their hash: two of one person's are taken for one with a chance below
    /// 2⁻⁷⁰ even among a hundred million (n² / 2¹²⁹).
    Distinct(BTreeSet<(u64, u64)>),
    /// Known values, their sum where all are whole numbers, and as fractions.
    Sum {
        /// How many are known.
        known: u64,
        /// Their saturated sum, where all are whole numbers.
        whole: Option<i64>,
        /// Their sum.
        total: f64,
        /// Whether their average is wanted.
        average: bool,
    },
    /// The smallest or largest known value.
    Extreme {
        /// The value.
        value: Value,
        /// Which.
        largest: bool,
    },
}

impl Folding {
    /// Adds a row with its value; of [`Fold::CountRows`], which reads nothing, any that is known.
    pub fn add(&mut self, added: Value) {
        if added == Value::Null {
            return;
        }
        match self {
            Self::Count(count) => *count = count.saturating_add(1),
            Self::Distinct(seen) => {
                let encoded = super::encode_key(&[added]);
                let hash = |salt: u8| {
                    let mut hasher = DefaultHasher::new();
                    hasher.write_u8(salt);
                    hasher.write(&encoded);
                    hasher.finish()
                };
                seen.insert((hash(0), hash(1)));
            }
            Self::Sum { known, whole, total, average: _ } => {
                *known = known.saturating_add(1);
                *whole = match (*whole, &added) {
                    (Some(sum), Value::Integer(x)) => Some(sum.saturating_add(*x)),
                    _ => None,
                };
                *total += added.as_f64().unwrap_or_default();
            }
            Self::Extreme { value, largest } => {
                let better = if *largest { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
                if *value == Value::Null || added.sort_order(value) == better {
                    *value = added;
                }
            }
        }
    }

    /// The fold's value.
    #[must_use]
    pub fn value(self) -> Value {
        let number = |n: u64| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
        match self {
            Self::Count(count) => number(count),
            Self::Distinct(seen) => number(seen.len() as u64),
            Self::Sum { known: 0, .. } => Value::Null,
            #[expect(clippy::cast_precision_loss, reason = "rows of one person: far below 2^53")]
            Self::Sum { known, total, average: true, .. } => Value::float(total / known as f64),
            Self::Sum { whole: Some(whole), .. } => Value::Integer(whole),
            Self::Sum { total, .. } => Value::float(total),
            Self::Extreme { value, .. } => value,
        }
    }
}

impl Field {
    /// Its values, when they are public.
    #[must_use]
    pub fn values(&self) -> Option<Vec<Value>> {
        match self {
            Self::Column(column) => column.column().domain.map(crate::catalog::Domain::values),
            Self::Fold(..) => None,
        }
    }

    /// Whether it can be empty.
    #[must_use]
    pub fn nullable(&self) -> bool {
        match self {
            Self::Column(column) => column.column().nullable,
            Self::Fold(_, fold) => !matches!(**fold, Fold::CountRows | Fold::Count(_) | Fold::CountDistinct(_)),
        }
    }

    /// Between which numbers it is for sure; a count has no end.
    #[must_use]
    pub fn range(&self) -> Option<Range> {
        match self {
            Self::Column(column) => match column.column().domain {
                #[expect(clippy::cast_precision_loss, reason = "public lists of small numbers")]
                Some(crate::catalog::Domain::Range(low, high)) => Some(Range { low: low as f64, high: high as f64 }),
                _ => None,
            },
            Self::Fold(_, fold) => matches!(**fold, Fold::CountRows | Fold::Count(_) | Fold::CountDistinct(_)).then_some(Range { low: 0.0, high: f64::INFINITY }),
        }
    }

    /// Whether all rows of a person have the same.
    #[must_use]
    pub fn is_of_person(&self) -> bool {
        match self {
            Self::Column(column) => column.column().of_person,
            Self::Fold(..) => true,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(column) => f.write_str(column.name()),
            Self::Fold(_, fold) => write!(f, "{fold}"),
        }
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |f: &mut fmt::Formatter<'_>, name: &str, of: &Expr<ColumnName>| write!(f, "{name}{})", of.clone().map(&mut |column| Expr::Leaf(Field::Column(column))));
        match self {
            Self::CountRows => f.write_str("count(*)"),
            Self::Count(of) => names(f, "count(", of),
            Self::CountDistinct(of) => names(f, "count(distinct ", of),
            Self::Sum(of) => names(f, "sum(", of),
            Self::Average(of) => names(f, "avg(", of),
            Self::Min(of) => names(f, "min(", of),
            Self::Max(of) => names(f, "max(", of),
        }
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Column(column) => column.serialize(serializer),
            Self::Fold(table, fold) => (table, fold).serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_those_of_sql() {
        let of = || Expr::Constant(Value::Null);
        let value = |fold: &Fold, values: &[Value]| {
            let mut folding = fold.start();
            values.iter().for_each(|value| folding.add(value.clone()));
            folding.value()
        };
        let (one, two, half, null) = (Value::Integer(1), Value::Integer(2), Value::Float(0.5), Value::Null);
        let mixed = [one.clone(), null.clone(), two.clone(), one.clone(), half.clone()];
        assert_eq!(value(&Fold::Count(of()), &mixed), Value::Integer(4));
        assert_eq!(value(&Fold::CountDistinct(of()), &mixed), Value::Integer(3));
        assert_eq!(value(&Fold::Sum(of()), &mixed), Value::Float(4.5));
        assert_eq!(value(&Fold::Sum(of()), &[Value::Integer(i64::MAX), two.clone()]), Value::Integer(i64::MAX), "whole numbers saturate");
        assert_eq!(value(&Fold::Average(of()), &[one.clone(), null.clone(), two.clone()]), Value::Float(1.5));
        assert_eq!((value(&Fold::Min(of()), &mixed), value(&Fold::Max(of()), &mixed)), (half, two));
        for fold in [Fold::Sum(of()), Fold::Average(of()), Fold::Min(of()), Fold::Max(of())] {
            assert_eq!(value(&fold, std::slice::from_ref(&null)), Value::Null, "{fold}");
        }
    }
}
