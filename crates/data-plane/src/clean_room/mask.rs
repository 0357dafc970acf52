//! Which rows of a batch match `WHERE`.

use datafusion::arrow::array::ArrayRef;
use domain::Fault;
use domain::question::expr::{Expr, Function};
use domain::question::{RowExpr, Value};

use super::column::Coder;
use super::computed::Computed;
use super::join::Scanned;

/// SQL's three-valued truth: `None` is unknown.
type Truth = Option<bool>;

/// A condition over batches of one scan.
pub(super) enum Mask {
    Constant(Truth),
    /// An expression of one column with few values, and its truth for each of them.
    Narrow {
        expr: Computed,
        coder: Box<Coder>,
        truths: Vec<Truth>,
    },
    /// Any other expression.
    Wide(Computed),
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
}

impl Mask {
    /// The condition over the columns `scanned`.
    pub(super) fn of(expr: &RowExpr, scanned: &[Scanned]) -> Result<Self, Fault> {
        let computed = Computed::of(expr, scanned)?;
        if let Some(column) = computed.narrow() {
            return Ok(Self::Narrow { expr: computed, coder: Box::new(Coder::new(column)), truths: Vec::new() });
        }
        let all = |parts: &[RowExpr]| parts.iter().map(|p| Self::of(p, scanned)).collect::<Result<_, _>>();
        Ok(match expr {
            Expr::Constant(value) => Self::Constant(truth(value)),
            Expr::Call(Function::And, parts) => Self::And(all(parts)?),
            Expr::Call(Function::Or, parts) => Self::Or(all(parts)?),
            Expr::Call(Function::Not, parts) if let [inner] = parts.as_slice() => Self::Not(Box::new(Self::of(inner, scanned)?)),
            _ => Self::Wide(computed),
        })
    }

    /// Whether each of the batch's rows matches: unknown does not.
    pub(super) fn matches(&mut self, batch: &[ArrayRef], rows: usize) -> Result<Vec<bool>, Fault> {
        Ok(self.truths(batch, rows)?.into_iter().map(|truth| truth == Some(true)).collect())
    }

    fn truths(&mut self, batch: &[ArrayRef], rows: usize) -> Result<Vec<Truth>, Fault> {
        match self {
            Self::Constant(truth) => Ok(vec![*truth; rows]),
            Self::Wide(expr) => (0..rows).map(|row| expr.value(batch, row).map(|value| truth(&value))).collect(),
            Self::Narrow { expr, coder, truths } => {
                let codes = coder.codes(batch)?;
                for value in coder.values().iter().skip(truths.len()) {
                    truths.push(truth(&expr.of_value(value)));
                }
                Ok(codes.into_iter().map(|code| usize::try_from(code).ok().and_then(|c| truths.get(c)).copied().flatten()).collect())
            }
            Self::And(parts) => combine(parts, Some(true), and, batch, rows),
            Self::Or(parts) => combine(parts, Some(false), or, batch, rows),
            Self::Not(inner) => Ok(inner.truths(batch, rows)?.into_iter().map(|t| t.map(|t| !t)).collect()),
        }
    }
}

const fn truth(value: &Value) -> Truth {
    match value {
        Value::Boolean(truth) => Some(*truth),
        _ => None,
    }
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
