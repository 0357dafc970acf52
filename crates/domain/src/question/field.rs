//! What expressions over rows look up: columns of tables, and what a subquery made of one person's rows.
//!
//! What a subquery makes is made of expressions over its own rows, which may come from further subqueries.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use serde::{Serialize, Serializer};

use super::expr::{Expr, Range};
use super::{PerSubject, Value};
use crate::catalog::{Calendar, ColumnName, ColumnType};

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

/// What a subquery makes of the rows of one person that have the same keys: one value. Without keys these are
/// all of theirs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// One of the keys, which all of these rows share.
    Key(RowExpr),
    /// `count(*)`
    CountRows,
    /// `count(x)`: rows in which it is known.
    Count(RowExpr),
    /// `count(distinct x)`
    CountDistinct(RowExpr),
    /// `sum(x)`: null where none is known; whole numbers saturate.
    Sum(RowExpr),
    /// `avg(x)`
    Average(RowExpr),
    /// `min(x)`
    Min(RowExpr),
    /// `max(x)`
    Max(RowExpr),
}

impl Fold {
    /// What it reads.
    #[must_use]
    pub const fn of(&self) -> Option<&RowExpr> {
        match self {
            Self::CountRows => None,
            Self::Key(of) | Self::Count(of) | Self::CountDistinct(of) | Self::Sum(of) | Self::Average(of) | Self::Min(of) | Self::Max(of) => Some(of),
        }
    }

    /// What it makes of values of type `ty`; none where it cannot be made.
    #[must_use]
    pub const fn ty(&self, ty: ColumnType) -> Option<ColumnType> {
        match (self, ty) {
            (Self::Key(_), _) => Some(ty),
            (Self::CountRows | Self::Count(_) | Self::CountDistinct(_), _) => Some(ColumnType::Integer),
            (Self::Sum(_), ColumnType::Integer) => Some(ColumnType::Integer),
            (Self::Sum(_) | Self::Average(_), ColumnType::Integer | ColumnType::Float) => Some(ColumnType::Float),
            (Self::Min(_) | Self::Max(_), ColumnType::Integer | ColumnType::Float | ColumnType::Date | ColumnType::Timestamp) => Some(ty),
            _ => None,
        }
    }

    /// The type of its values. What is always null has none: any will do.
    #[must_use]
    pub fn made(&self) -> ColumnType {
        let of = self.of().and_then(|of| of.clone().typed(&Field::ty).ok()?.1);
        self.ty(of.unwrap_or(ColumnType::Integer)).unwrap_or(ColumnType::Integer)
    }

    /// Whether it counts something: it is never null, and has no end.
    #[must_use]
    pub const fn is_count(&self) -> bool {
        matches!(self, Self::CountRows | Self::Count(_) | Self::CountDistinct(_))
    }

    /// Nothing yet of a person.
    #[must_use]
    pub const fn start(&self) -> Folding {
        match self {
            Self::Key(_) => Folding::Same(Value::Null),
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
    /// What all rows have.
    Same(Value),
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
            Self::Same(value) => *value = added,
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
            Self::Same(value) | Self::Extreme { value, .. } => value,
        }
    }
}

impl Field {
    /// Its type.
    #[must_use]
    pub fn ty(&self) -> ColumnType {
        match self {
            Self::Column(column) => column.column().ty,
            Self::Fold(_, fold) => fold.made(),
        }
    }

    /// Its values, when they are public.
    #[must_use]
    pub fn values(&self) -> Option<Vec<Value>> {
        match self {
            Self::Column(column) => column.column().domain.map(crate::catalog::Domain::values),
            Self::Fold(_, fold) => {
                if let Fold::Key(of) = &**fold {
                    of.values(&Self::values)
                } else {
                    None
                }
            }
        }
    }

    /// Whether it can be empty.
    #[must_use]
    pub fn nullable(&self) -> bool {
        match self {
            Self::Column(column) => column.column().nullable,
            Self::Fold(_, fold) => {
                if let Fold::Key(of) = &**fold {
                    of.nullable(&Self::nullable)
                } else {
                    !fold.is_count()
                }
            }
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
            Self::Fold(_, fold) => match &**fold {
                Fold::Key(of) => of.range(&Self::range),
                fold => fold.is_count().then_some(Range { low: 0.0, high: f64::INFINITY }),
            },
        }
    }

    /// Which days it can hold, if it holds days of a calendar.
    #[must_use]
    pub fn calendar(&self) -> Option<Calendar> {
        match self {
            Self::Column(column) => column.column().calendar,
            Self::Fold(_, fold) => {
                if let Fold::Key(Expr::Leaf(field)) = &**fold {
                    field.calendar()
                } else {
                    None
                }
            }
        }
    }

    /// Whether all rows of a person have the same; `per_subject` are the subqueries beside these rows.
    #[must_use]
    pub fn is_of_person(&self, per_subject: &[PerSubject]) -> bool {
        match self {
            Self::Column(column) => column.column().of_person,
            Self::Fold(place, fold) => match (per_subject.get(*place), &**fold) {
                (Some(inner), Fold::Key(of)) if !inner.keys.is_empty() => of.is_of_person(&inner.per_subject),
                (inner, _) => inner.is_some_and(|inner| inner.keys.is_empty()),
            },
        }
    }
}

impl RowExpr {
    /// Whether it is the same in all rows of a person, as [`Field::is_of_person`].
    #[must_use]
    pub fn is_of_person(&self, per_subject: &[PerSubject]) -> bool {
        let mut of_person = true;
        self.leaves(&mut |field| of_person &= field.is_of_person(per_subject));
        of_person
    }

    /// How many nodes it has with those of what it looks up.
    #[must_use]
    pub fn whole_size(&self) -> usize {
        let mut size = self.size();
        self.leaves(&mut |field| {
            if let Field::Fold(_, fold) = field {
                size = size.saturating_add(fold.of().map_or(0, Self::whole_size));
            }
        });
        size
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
        match self {
            Self::Key(of) => write!(f, "{of}"),
            Self::CountRows => f.write_str("count(*)"),
            Self::Count(of) => write!(f, "count({of})"),
            Self::CountDistinct(of) => write!(f, "count(distinct {of})"),
            Self::Sum(of) => write!(f, "sum({of})"),
            Self::Average(of) => write!(f, "avg({of})"),
            Self::Min(of) => write!(f, "min({of})"),
            Self::Max(of) => write!(f, "max({of})"),
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
        assert_eq!((value(&Fold::Min(of()), &mixed), value(&Fold::Max(of()), &mixed)), (half, two.clone()));
        assert_eq!(value(&Fold::Key(of()), &[two.clone(), two.clone()]), two);
        for fold in [Fold::Key(of()), Fold::Sum(of()), Fold::Average(of()), Fold::Min(of()), Fold::Max(of())] {
            assert_eq!(value(&fold, std::slice::from_ref(&null)), Value::Null, "{fold}");
        }
    }
}
