//! What expressions over rows look up: columns of tables, and what a subquery made of one person's rows.

use std::fmt;

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

    /// Its value over the values of a person's rows; `rows` of them.
    #[must_use]
    pub fn value(&self, rows: usize, values: &[Value]) -> Value {
        let known = || values.iter().filter(|value| **value != Value::Null);
        let number = |n: usize| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
        let total = || known().filter_map(Value::as_f64).sum::<f64>();
        match self {
            Self::CountRows => number(rows),
            Self::Count(_) => number(known().count()),
            Self::CountDistinct(_) => {
                let mut encoded: Vec<Vec<u8>> = known().map(|value| super::encode_key(std::slice::from_ref(value))).collect();
                encoded.sort_unstable();
                encoded.dedup();
                number(encoded.len())
            }
            Self::Sum(_) | Self::Average(_) | Self::Min(_) | Self::Max(_) if known().next().is_none() => Value::Null,
            Self::Sum(_) => {
                let whole = known().try_fold(0_i64, |sum, value| if let Value::Integer(x) = value { Some(sum.saturating_add(*x)) } else { None });
                whole.map_or_else(|| Value::float(total()), Value::Integer)
            }
            #[expect(clippy::cast_precision_loss, reason = "rows of one person: far below 2^53")]
            Self::Average(_) => Value::float(total() / known().count() as f64),
            Self::Min(_) => known().min_by(|a, b| a.sort_order(b)).cloned().unwrap_or(Value::Null),
            Self::Max(_) => known().max_by(|a, b| a.sort_order(b)).cloned().unwrap_or(Value::Null),
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
            Self::Column(column) => column.table() == TableName::Subject,
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
