//! Which rows of a batch match `WHERE`.
//!
//! The meaning of a condition is [`Predicate::evaluate`] and nothing else: it is asked once per
//! different value of a column where there are few, and once per row where there are many.

use datafusion::arrow::array::ArrayRef;
use domain::Fault;
use domain::question::{Predicate, Truth, Value};

use super::column::{Coder, Column};
use super::join::StoredColumn;

/// A condition over batches of one scan.
pub(super) enum Mask {
    Constant(Truth),
    /// A leaf over a column with few values, and its truth for each of them.
    Narrow {
        leaf: Predicate,
        coder: Box<Coder>,
        truths: Vec<Truth>,
    },
    /// A leaf over a column with many values.
    Wide {
        leaf: Predicate,
        column: Column,
    },
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
}

impl Mask {
    /// The condition over the stored columns `scanned`.
    pub(super) fn of(predicate: &Predicate, scanned: &[StoredColumn]) -> Result<Self, Fault> {
        let all = |parts: &[Predicate]| parts.iter().map(|p| Self::of(p, scanned)).collect::<Result<_, _>>();
        Ok(match predicate {
            Predicate::Constant(truth) => Self::Constant(*truth),
            Predicate::And(parts) => Self::And(all(parts)?),
            Predicate::Or(parts) => Self::Or(all(parts)?),
            Predicate::Not(inner) => Self::Not(Box::new(Self::of(inner, scanned)?)),
            Predicate::Compare { column, .. } | Predicate::In { column, .. } | Predicate::IsNull { column } | Predicate::Like { column, .. } => {
                let column = Column::find(*column, scanned)?;
                if column.is_wide() {
                    Self::Wide { leaf: predicate.clone(), column }
                } else {
                    Self::Narrow { leaf: predicate.clone(), coder: Box::new(Coder::new(column)), truths: Vec::new() }
                }
            }
        })
    }

    /// Whether each of the batch's rows matches: unknown does not.
    pub(super) fn matches(&mut self, batch: &[ArrayRef], rows: usize) -> Result<Vec<bool>, Fault> {
        Ok(self.truths(batch, rows)?.into_iter().map(|truth| truth == Some(true)).collect())
    }

    fn truths(&mut self, batch: &[ArrayRef], rows: usize) -> Result<Vec<Truth>, Fault> {
        match self {
            Self::Constant(truth) => Ok(vec![*truth; rows]),
            Self::Wide { leaf, column } => (0..rows).map(|row| column.value(batch, row).map(|value| truth(leaf, &value))).collect(),
            Self::Narrow { leaf, coder, truths } => {
                let codes = coder.codes(batch)?;
                for value in coder.values().iter().skip(truths.len()) {
                    truths.push(truth(leaf, value));
                }
                Ok(codes.into_iter().map(|code| usize::try_from(code).ok().and_then(|c| truths.get(c)).copied().flatten()).collect())
            }
            Self::And(parts) => combine(parts, Some(true), and, batch, rows),
            Self::Or(parts) => combine(parts, Some(false), or, batch, rows),
            Self::Not(inner) => Ok(inner.truths(batch, rows)?.into_iter().map(|t| t.map(|t| !t)).collect()),
        }
    }
}

fn truth(leaf: &Predicate, value: &Value) -> Truth {
    leaf.evaluate(&|_| value.clone())
}

fn combine(parts: &mut [Mask], neutral: Truth, op: fn(Truth, Truth) -> Truth, batch: &[ArrayRef], rows: usize) -> Result<Vec<Truth>, Fault> {
    let mut all = vec![neutral; rows];
    for part in parts {
        let truths = part.truths(batch, rows)?;
        all.iter_mut().zip(truths).for_each(|(a, b)| *a = op(*a, b));
    }
    Ok(all)
}

const fn and(a: Truth, b: Truth) -> Truth {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

const fn or(a: Truth, b: Truth) -> Truth {
    match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}
