//! Subqueries that aggregate per subject: one row per person, made of all of theirs as they come.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, TimestampMicrosecondArray, UInt32Array};
use datafusion::arrow::datatypes::Date32Type;
use domain::catalog::{ColumnName, ColumnType};
use domain::question::expr::Expr;
use domain::question::{Field, Fold, Folding, Plan, RowExpr, Value};
use domain::{Fault, SubjectId};

use super::column::fold_type;
use super::computed::Computed;
use super::filter::Visitor;
use super::join::Scanned;
use super::mask::Mask;

/// What a plan makes of a subquery.
#[derive(Debug, Clone)]
pub(super) struct Folds {
    filter: Option<RowExpr>,
    folds: Vec<Fold>,
    rows_max: u32,
}

/// The same over rows that have no subqueries beside them.
fn own(expr: &Expr<ColumnName>) -> RowExpr {
    expr.clone().map(&mut |column| Expr::Leaf(Field::Column(column)))
}

impl Folds {
    /// What `plan` makes of the subquery at `place`.
    pub(super) fn of(plan: &Plan, place: usize) -> Result<Self, Fault> {
        let inner = plan.per_subject.get(place).ok_or_else(|| Fault::broken("a subquery that is not there"))?;
        // Rows of a join were limited before it.
        let rows_max = if inner.tables.len() > 1 { u32::MAX } else { plan.bounds.rows_at_scan() };
        Ok(Self { filter: inner.filter.as_ref().map(own), folds: plan.folds(place), rows_max })
    }

    /// Its columns, of the subquery at `place`.
    pub(super) fn columns(&self, place: usize) -> impl Iterator<Item = Scanned> {
        self.folds.iter().map(move |fold| Scanned::Fold(place, fold.clone()))
    }

    /// Nobody yet; `scanned` are the columns of the subquery's scan.
    pub(super) fn start(&self, scanned: &[Scanned]) -> Result<People<'_>, Fault> {
        let mask = self.filter.as_ref().map(|filter| Mask::of(filter, scanned)).transpose()?;
        let of = |fold: &Fold| fold.of().map(|of| Computed::of(&own(of), scanned)).transpose();
        let computed = self.folds.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        let values = self.folds.iter().map(Fold::start).collect();
        Ok(People { folds: self, mask, computed, subject: None, seen: 0, rows: 0, values, owners: Vec::new(), made: vec![Vec::new(); self.folds.len()] })
    }
}

/// The people of one bucket, while their rows are read.
pub(super) struct People<'a> {
    folds: &'a Folds,
    mask: Option<Mask>,
    computed: Vec<Option<Computed>>,
    subject: Option<SubjectId>,
    /// Rows of the person that were looked at, and those that match.
    seen: u32,
    rows: u64,
    /// What each fold has of the person.
    values: Vec<Folding>,
    owners: Vec<u32>,
    /// What was made, by fold and person.
    made: Vec<Vec<Value>>,
}

impl People<'_> {
    fn finish_person(&mut self) {
        let Some(subject) = self.subject.take() else { return };
        if self.rows > 0 {
            self.owners.push(subject.0);
            let values = self.folds.folds.iter().zip(&mut self.values).zip(&mut self.made);
            values.for_each(|((fold, folding), made)| made.push(std::mem::replace(folding, fold.start()).value()));
        }
        (self.seen, self.rows) = (0, 0);
    }

    /// The people, ascending, and a column for each fold.
    pub(super) fn finish(mut self) -> Result<(UInt32Array, Vec<ArrayRef>), Fault> {
        self.finish_person();
        let columns = self.folds.folds.iter().zip(self.made).map(|(fold, made)| array(fold_type(fold)?, made));
        Ok((self.owners.into(), columns.collect::<Result<_, _>>()?))
    }
}

/// Values of one type as a column.
fn array(ty: ColumnType, values: Vec<Value>) -> Result<ArrayRef, Fault> {
    let values = values.into_iter();
    Ok(match ty {
        ColumnType::Integer => Arc::new(values.map(|value| if let Value::Integer(x) = value { Some(x) } else { None }).collect::<Int64Array>()),
        ColumnType::Float => Arc::new(values.map(|value| value.as_f64()).collect::<Float64Array>()),
        ColumnType::Date => Arc::new(values.map(|value| if let Value::Date(day) = value { Some(Date32Type::from_naive_date(day)) } else { None }).collect::<Date32Array>()),
        ColumnType::Timestamp => {
            Arc::new(values.map(|value| if let Value::Timestamp(at) = value { Some(at.timestamp_micros()) } else { None }).collect::<TimestampMicrosecondArray>())
        }
        ColumnType::Id | ColumnType::Text | ColumnType::Boolean => return Err(Fault::broken("a subquery that makes no number")),
    })
}

/// The rows of a batch: whether each matches, and what each fold reads of it.
pub(super) struct Read {
    matches: Option<Vec<bool>>,
    columns: Vec<ArrayRef>,
}

impl Visitor for People<'_> {
    type Batch = Read;

    fn batch(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Read, Fault> {
        let matches = self.mask.as_mut().map(|mask| mask.matches(columns, rows)).transpose()?;
        Ok(Read { matches, columns: columns.to_vec() })
    }

    fn run(&mut self, batch: &Read, subject: SubjectId, rows: Range<usize>) -> Result<(), Fault> {
        if self.subject != Some(subject) {
            self.finish_person();
            self.subject = Some(subject);
        }
        for row in rows {
            if self.seen >= self.folds.rows_max {
                break;
            }
            self.seen += 1;
            if batch.matches.as_ref().is_some_and(|matches| matches.get(row) != Some(&true)) {
                continue;
            }
            self.rows += 1;
            for (computed, folding) in self.computed.iter().zip(&mut self.values) {
                folding.add(match computed {
                    Some(computed) => computed.value(&batch.columns, row)?,
                    None => Value::Boolean(true),
                });
            }
        }
        Ok(())
    }
}
