//! Subqueries that aggregate per subject: their rows, made of a person's as they come.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int64Array, TimestampMicrosecondArray, UInt32Array};
use datafusion::arrow::datatypes::{Date32Type, Int32Type};
use domain::catalog::ColumnType;
use domain::question::{Fold, Inner, RowExpr, Value};
use domain::{Fault, SubjectId};
use dp::BoundingKey;

use super::computed::Computed;
use super::filter::{BATCH_ROWS, Visitor};
use super::grouping::Grouping;
use super::join::Scanned;
use super::made::{Made, Ranking};
use super::mask::Mask;
use super::person::index;

/// What is made of the rows of a subquery.
#[derive(Debug, Clone)]
pub(super) struct Folds {
    filter: Option<RowExpr>,
    keys: Vec<RowExpr>,
    folds: Vec<Fold>,
    /// Rows of a person that are looked at, at most.
    rows_at_scan: u32,
    /// Rows that are made of a person, at most.
    rows_made: u32,
}

impl Folds {
    /// What is read of a subquery; of one table, `rows_at_scan` rows of a person are looked at.
    pub(super) fn of(inner: &Inner<'_>, rows_at_scan: u32) -> Self {
        let Inner { subquery, folds } = inner;
        // Rows of a join, and of subqueries, were limited before it.
        let one_table = subquery.tables.len() == 1 && subquery.per_subject.is_empty();
        Self {
            filter: subquery.filter.clone(),
            keys: subquery.keys.clone(),
            folds: folds.clone(),
            rows_at_scan: if one_table { rows_at_scan } else { u32::MAX },
            rows_made: subquery.rows.max(1),
        }
    }

    /// Whether a person can have several rows.
    pub(super) const fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Its columns, of the subquery at `place`.
    pub(super) fn columns(&self, place: usize) -> impl Iterator<Item = Scanned> {
        self.folds.iter().map(move |fold| Scanned::Fold(place, fold.clone()))
    }

    /// Nobody yet; `scanned` are the columns of the subquery's scan, and `sink` takes the rows.
    pub(super) fn start<'a>(&'a self, scanned: &[Scanned], secret: &'a BoundingKey, sink: &'a mut dyn Sink) -> Result<People<'a>, Fault> {
        let mask = self.filter.as_ref().map(|filter| Mask::of(filter, scanned)).transpose()?;
        let computed = self.folds.iter().map(|fold| fold.of().map(|of| Computed::of(of, scanned)).transpose()).collect::<Result<_, _>>()?;
        let grouping = Grouping::of(self.keys.iter(), scanned, secret)?;
        let made = vec![Vec::new(); self.folds.len()];
        Ok(People { folds: self, secret, mask, grouping, computed, subject: None, seen: 0, own: Made::new(index(self.rows_made)), owners: Vec::new(), made, sink })
    }
}

/// What takes the rows of a subquery.
pub(super) trait Sink: Send {
    /// Rows of whole people: their owners, ascending from call to call, and a column for each fold.
    fn take(&mut self, owners: UInt32Array, columns: Vec<ArrayRef>) -> Result<(), Fault>;
}

/// The people of one bucket, while their rows are read.
pub(super) struct People<'a> {
    folds: &'a Folds,
    secret: &'a BoundingKey,
    mask: Option<Mask>,
    grouping: Grouping,
    computed: Vec<Option<Computed>>,
    subject: Option<SubjectId>,
    /// Rows of the person that were looked at.
    seen: u32,
    own: Made,
    /// The rows that were made and not yet taken: their owners, and their values by fold.
    owners: Vec<u32>,
    made: Vec<Vec<Value>>,
    sink: &'a mut dyn Sink,
}

impl People<'_> {
    /// The person is done: their rows are made.
    fn finish_person(&mut self) -> Result<(), Fault> {
        let Some(subject) = self.subject.take() else { return Ok(()) };
        for row in self.own.take() {
            self.owners.push(subject.0);
            row.into_iter().zip(&mut self.made).for_each(|(folding, made)| made.push(folding.value()));
        }
        self.seen = 0;
        if self.owners.len() >= BATCH_ROWS { self.hand_over() } else { Ok(()) }
    }

    fn hand_over(&mut self) -> Result<(), Fault> {
        let columns = self.folds.folds.iter().zip(&mut self.made).map(|(fold, made)| array(fold.made(), std::mem::take(made)));
        let columns = columns.collect::<Result<_, _>>()?;
        self.sink.take(std::mem::take(&mut self.owners).into(), columns)
    }

    /// After the last row: the sink gets what it has not got.
    pub(super) fn finish(mut self) -> Result<(), Fault> {
        self.finish_person()?;
        if self.owners.is_empty() { Ok(()) } else { self.hand_over() }
    }
}

/// Values of one type as a column.
fn array(ty: ColumnType, values: Vec<Value>) -> Result<ArrayRef, Fault> {
    fn text(value: &Value) -> Option<&str> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
    let integer = |value: &Value| if let Value::Integer(x) = value { Some(*x) } else { None };
    let date = |value: &Value| if let Value::Date(day) = value { Some(Date32Type::from_naive_date(*day)) } else { None };
    let instant = |value: &Value| if let Value::Timestamp(at) = value { Some(at.timestamp_micros()) } else { None };
    let truth = |value: &Value| if let Value::Boolean(truth) = value { Some(*truth) } else { None };
    Ok(match ty {
        ColumnType::Integer => Arc::new(values.iter().map(integer).collect::<Int64Array>()),
        ColumnType::Float => Arc::new(values.iter().map(Value::as_f64).collect::<Float64Array>()),
        ColumnType::Date => Arc::new(values.iter().map(date).collect::<Date32Array>()),
        ColumnType::Timestamp => Arc::new(values.iter().map(instant).collect::<TimestampMicrosecondArray>()),
        ColumnType::Boolean => Arc::new(values.iter().map(truth).collect::<BooleanArray>()),
        ColumnType::Text => Arc::new(values.iter().map(text).collect::<DictionaryArray<Int32Type>>()),
        ColumnType::Id => return Err(Fault::broken("a subquery that makes an identifier")),
    })
}

/// The rows of a batch: their groups, whether each matches, and what each fold reads of it.
pub(super) struct Read {
    groups: Vec<u32>,
    matches: Option<Vec<bool>>,
    columns: Vec<ArrayRef>,
}

impl Visitor for People<'_> {
    type Batch = Read;

    fn batch(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Read, Fault> {
        let matches = self.mask.as_mut().map(|mask| mask.matches(columns, rows)).transpose()?;
        let groups = self.grouping.groups(columns, rows, self.secret)?;
        Ok(Read { groups, matches, columns: columns.to_vec() })
    }

    fn run(&mut self, batch: &Read, subject: SubjectId, rows: Range<usize>) -> Result<(), Fault> {
        if self.subject != Some(subject) {
            self.finish_person()?;
            self.subject = Some(subject);
        }
        for row in rows {
            if self.seen >= self.folds.rows_at_scan {
                break;
            }
            self.seen += 1;
            if batch.matches.as_ref().is_some_and(|matches| matches.get(row) != Some(&true)) {
                continue;
            }
            let group = batch.groups.get(row).copied().ok_or_else(|| Fault::broken("a row without its group"))?;
            let Some(made) = self.own.row(group, &Ranking { secret: self.secret, subject, grouping: &self.grouping }, &self.folds.folds)? else { continue };
            for (computed, folding) in self.computed.iter().zip(made) {
                folding.add(match computed {
                    Some(computed) => computed.value(&batch.columns, row)?,
                    None => Value::Boolean(true),
                });
            }
        }
        Ok(())
    }
}
