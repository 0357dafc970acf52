//! Which rows a question looks at. Every predicate is total: no row can make it fail.

use std::cmp::Ordering;

use serde::Serialize;

use super::Value;
use crate::catalog::ColumnName;

crate::words! {
    /// How a column is compared with a constant.
    pub enum Comparison("comparison") {
        /// Equal.
        Eq = "=",
        /// Not equal.
        Ne = "<>",
        /// Less.
        Lt = "<",
        /// Less or equal.
        Le = "<=",
        /// Greater.
        Gt = ">",
        /// Greater or equal.
        Ge = ">=",
    }
}

impl Comparison {
    /// Whether two values that compare as `ordering` satisfy it.
    #[must_use]
    pub const fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
        }
    }

    /// The comparison that holds exactly when this one does not (nulls aside).
    #[must_use]
    pub const fn negate(self) -> Self {
        match self {
            Self::Eq => Self::Ne,
            Self::Ne => Self::Eq,
            Self::Lt => Self::Ge,
            Self::Le => Self::Gt,
            Self::Gt => Self::Le,
            Self::Ge => Self::Lt,
        }
    }

    /// The comparison with its sides swapped.
    #[must_use]
    pub const fn flip(self) -> Self {
        match self {
            Self::Eq => Self::Eq,
            Self::Ne => Self::Ne,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
        }
    }
}

/// SQL's three-valued truth: `None` is unknown.
pub type Truth = Option<bool>;

/// A condition on one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Predicate {
    /// Always this.
    Constant(Truth),
    /// A column against a constant; unknown when the column is null.
    Compare {
        /// The column.
        column: ColumnName,
        /// How.
        op: Comparison,
        /// With what; of the column's type, never null.
        value: Value,
    },
    /// The column is one of these; unknown when the column is null.
    In {
        /// The column.
        column: ColumnName,
        /// The constants; of the column's type, never null.
        values: Vec<Value>,
    },
    /// The column is null.
    IsNull {
        /// The column.
        column: ColumnName,
    },
    /// The text column matches a pattern of `%` (any run) and `_` (any one character); unknown when the column is null.
    Like {
        /// The column.
        column: ColumnName,
        /// The pattern.
        pattern: String,
    },
    /// All of these.
    And(Vec<Self>),
    /// At least one of these.
    Or(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
}

impl Predicate {
    /// The same condition in the one form that equal questions share: flat, sorted, without
    /// double negation, duplicates or one-element lists.
    #[must_use]
    pub fn canonical(self) -> Self {
        match self {
            Self::And(parts) => Self::canonical_list(parts, true),
            Self::Or(parts) => Self::canonical_list(parts, false),
            Self::Not(inner) => match inner.canonical() {
                Self::Not(twice) => *twice,
                Self::Constant(truth) => Self::Constant(truth.map(|t| !t)),
                Self::Compare { column, op, value } => Self::Compare { column, op: op.negate(), value },
                other => Self::Not(Box::new(other)),
            },
            Self::In { column, mut values } => {
                values.sort_by(Value::sort_order);
                values.dedup();
                match <[Value; 1]>::try_from(values) {
                    Ok([value]) => Self::Compare { column, op: Comparison::Eq, value },
                    Err(values) => Self::In { column, values },
                }
            }
            leaf => leaf,
        }
    }

    fn canonical_list(parts: Vec<Self>, all: bool) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match (part.canonical(), all) {
                (Self::And(inner), true) | (Self::Or(inner), false) => flat.extend(inner),
                (Self::Constant(Some(truth)), _) if truth == all => {}
                (other, _) => flat.push(other),
            }
        }
        flat.sort_by_cached_key(|p| serde_json::to_string(p).unwrap_or_default());
        flat.dedup();
        match <[Self; 1]>::try_from(flat) {
            Ok([only]) => only,
            Err(flat) if flat.is_empty() => Self::Constant(Some(all)),
            Err(flat) if all => Self::And(flat),
            Err(flat) => Self::Or(flat),
        }
    }

    /// The columns it reads.
    pub fn columns(&self, into: &mut Vec<ColumnName>) {
        match self {
            Self::Constant(_) => {}
            Self::Compare { column, .. } | Self::In { column, .. } | Self::IsNull { column } | Self::Like { column, .. } => into.push(*column),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|p| p.columns(into)),
            Self::Not(inner) => inner.columns(into),
        }
    }

    /// How many nodes it has.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::In { values, .. } => values.len(),
            Self::And(parts) | Self::Or(parts) => 1 + parts.iter().map(Self::size).sum::<usize>(),
            Self::Not(inner) => 1 + inner.size(),
            Self::Constant(_) | Self::Compare { .. } | Self::IsNull { .. } | Self::Like { .. } => 1,
        }
    }
}
