//! Expressions over the columns of a scan.
//!
//! The meaning of an expression is [`Expr::evaluate`] and nothing else: it is asked once per different
//! value where it reads one column of few values, and once per row otherwise.

use std::cell::RefCell;

use datafusion::arrow::array::ArrayRef;
use domain::Fault;
use domain::question::expr::{Expr, Function, List};
use domain::question::{RowExpr, Value, encode_key};
use hashbrown::HashMap;

use super::column::{Coder, Column};
use super::join::Scanned;

/// An expression whose columns were found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Computed(Expr<Leaf>);

/// What is looked up in a row.
#[derive(Debug, Clone, PartialEq)]
enum Leaf {
    Column(Column),
    /// An expression, in a list.
    Listed(Box<(Expr<Self>, List)>),
}

/// The same expression over the columns `scanned`. Lists of constants become lookups.
fn found(expr: &RowExpr, scanned: &[Scanned]) -> Result<Expr<Leaf>, Fault> {
    let all = |parts: &[RowExpr]| parts.iter().map(|part| found(part, scanned)).collect::<Result<Vec<_>, Fault>>();
    Ok(match expr {
        Expr::Leaf(field) => Expr::Leaf(Leaf::Column(Column::find(field, scanned)?)),
        Expr::Constant(value) => Expr::Constant(value.clone()),
        Expr::Call(Function::In, args)
            if let [of, list @ ..] = args.as_slice()
                && let Some(list) = constants(list) =>
        {
            Expr::Leaf(Leaf::Listed(Box::new((found(of, scanned)?, list))))
        }
        Expr::Call(function, args) => Expr::Call(*function, all(args)?),
        Expr::Case { branches, otherwise } => {
            let branches = branches.iter().map(|(condition, result)| Ok((found(condition, scanned)?, found(result, scanned)?)));
            Expr::Case { branches: branches.collect::<Result<_, Fault>>()?, otherwise: Box::new(found(otherwise, scanned)?) }
        }
    })
}

/// The list, where it has constants only.
fn constants(list: &[RowExpr]) -> Option<List> {
    let values = list.iter().map(|item| if let Expr::Constant(value) = item { Some(value.clone()) } else { None });
    List::of(values.collect::<Option<_>>()?)
}

/// The value of an expression where `column` looks up columns.
fn evaluate(expr: &Expr<Leaf>, column: &impl Fn(&Column) -> Value) -> Value {
    expr.evaluate(&|leaf| match leaf {
        Leaf::Column(of) => column(of),
        Leaf::Listed(listed) => listed.1.has(&evaluate(&listed.0, column)),
    })
}

/// The columns that an expression reads.
fn columns(expr: &Expr<Leaf>, into: &mut Vec<Column>) {
    expr.leaves(&mut |leaf| match leaf {
        Leaf::Column(column) => into.push(*column),
        Leaf::Listed(listed) => columns(&listed.0, into),
    });
}

impl Computed {
    /// The expression over the columns `scanned`.
    pub(super) fn of(expr: &RowExpr, scanned: &[Scanned]) -> Result<Self, Fault> {
        found(expr, scanned).map(Self)
    }

    /// The column, where it is nothing else.
    pub(super) const fn column(&self) -> Option<Column> {
        match self.0 {
            Expr::Leaf(Leaf::Column(column)) => Some(column),
            _ => None,
        }
    }

    /// The only column that it reads, if that has few values.
    pub(super) fn narrow(&self) -> Option<Column> {
        let mut read = Vec::new();
        columns(&self.0, &mut read);
        read.dedup();
        match read.as_slice() {
            [only] if !only.is_wide() => Some(*only),
            _ => None,
        }
    }

    /// Its value where its only column has `value`.
    pub(super) fn of_value(&self, value: &Value) -> Value {
        evaluate(&self.0, &|_| value.clone())
    }

    /// Its value in one row.
    pub(super) fn value(&self, batch: &[ArrayRef], row: usize) -> Result<Value, Fault> {
        let failed = RefCell::new(None);
        let value = evaluate(&self.0, &|column| {
            column.value(batch, row).unwrap_or_else(|fault| {
                failed.replace(Some(fault));
                Value::Null
            })
        });
        failed.into_inner().map_or(Ok(value), Err)
    }
}

/// Numbers the values of an expression in the order in which they are seen.
pub(super) enum Coded {
    /// Of a column.
    Column(Box<Coder>),
    /// Of an expression of one column with few values: by the numbers of those.
    Narrow {
        expr: Computed,
        coder: Box<Coder>,
        /// The number for each of the column's.
        numbers: Vec<u32>,
        seen: Seen,
    },
    /// Of any expression.
    Wide { expr: Computed, seen: Seen },
}

/// Values with numbers from 0.
#[derive(Default)]
pub(super) struct Seen {
    values: Vec<Value>,
    numbers: HashMap<Vec<u8>, u32>,
}

impl Seen {
    fn number(&mut self, value: Value) -> Result<u32, Fault> {
        let next = u32::try_from(self.values.len()).ok().filter(|next| *next < u32::MAX).ok_or_else(|| Fault::broken("too many different values"))?;
        let number = *self.numbers.entry(encode_key(std::slice::from_ref(&value))).or_insert(next);
        if number == next {
            self.values.push(value);
        }
        Ok(number)
    }
}

impl Coded {
    /// Of an expression over the columns `scanned`.
    pub(super) fn of(expr: &RowExpr, scanned: &[Scanned]) -> Result<Self, Fault> {
        let expr = Computed::of(expr, scanned)?;
        Ok(match (expr.column(), expr.narrow()) {
            (Some(column), _) if column.has_codes() => Self::Column(Box::new(Coder::new(column))),
            (_, Some(column)) => Self::Narrow { expr, coder: Box::new(Coder::new(column)), numbers: Vec::new(), seen: Seen::default() },
            _ => Self::Wide { expr, seen: Seen::default() },
        })
    }

    /// The value of each number.
    pub(super) fn values(&self) -> &[Value] {
        match self {
            Self::Column(coder) => coder.values(),
            Self::Narrow { seen, .. } | Self::Wide { seen, .. } => &seen.values,
        }
    }

    /// The number of each row's value.
    pub(super) fn codes(&mut self, batch: &[ArrayRef], rows: usize) -> Result<Vec<u32>, Fault> {
        match self {
            Self::Column(coder) => coder.codes(batch),
            Self::Narrow { expr, coder, numbers, seen } => {
                let mut codes = coder.codes(batch)?;
                for value in coder.values().iter().skip(numbers.len()) {
                    numbers.push(seen.number(expr.of_value(value))?);
                }
                for code in &mut codes {
                    *code = usize::try_from(*code).ok().and_then(|place| numbers.get(place)).copied().ok_or_else(|| Fault::broken("a value without its number"))?;
                }
                Ok(codes)
            }
            Self::Wide { expr, seen } => (0..rows).map(|row| seen.number(expr.value(batch, row)?)).collect(),
        }
    }
}
