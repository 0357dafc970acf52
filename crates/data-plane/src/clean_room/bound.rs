//! One person's influence, limited: at most c groups, k rows in each, and clamped sums.
//!
//! # Guarantee
//! What a person contributes is a function of their own rows, the plan and the bounding key alone:
//! other people's rows, the layout of files, batches and threads play no part (a test removes people
//! one by one and compares everything). Its size is within [`domain::question::Aggregate::sensitivity`].

use std::collections::HashMap;
use std::ops::Range;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use datafusion::arrow::row::{RowConverter, Rows, SortField};
use domain::question::{Aggregate, Plan, Value, encode_key};
use domain::{Fault, SubjectId, SubjectSet};
use dp::BoundingKey;

use super::filter::Visitor;

/// What one group gets from bounded people.
#[derive(Clone)]
pub(super) struct Group {
    pub(super) key: Vec<Value>,
    /// The key's bytes, by which groups are ranked and merged.
    pub(super) encoded: Vec<u8>,
    /// Exact values, in the order of the plan's aggregates.
    pub(super) values: Vec<i128>,
    /// Whether somebody counts in it: a group that was only seen is nobody's.
    counted: bool,
}

/// Adds up bounded people of one partition.
pub(super) struct Bounded<'a> {
    plan: &'a Plan,
    key: &'a BoundingKey,
    /// Places of the key columns, and of each aggregate's column, among the scan's columns.
    key_columns: Vec<usize>,
    value_columns: Vec<Option<usize>>,
    converter: Option<RowConverter>,
    group_of: HashMap<Box<[u8]>, usize>,
    groups: Vec<Group>,
    participants: SubjectSet,
    batch: Batch,
    person: Person,
}

/// The current batch.
#[derive(Default)]
struct Batch {
    columns: Vec<ArrayRef>,
    /// The key columns in comparable bytes; none without `GROUP BY`.
    keys: Option<Rows>,
}

/// The current person.
#[derive(Default)]
struct Person {
    subject: Option<SubjectId>,
    rows: u32,
    /// The groups touched, in the order of their first row.
    touched: Vec<Touched>,
    /// For each group known to the partition, its place in `touched` + 1; 0 when not touched.
    place: Vec<usize>,
}

struct Touched {
    group: usize,
    rows: u64,
    /// Sums of the aggregates' columns; `None` while only nulls were seen.
    sums: Vec<Option<i128>>,
}

impl<'a> Bounded<'a> {
    /// Nobody yet. `columns` are the scan's columns.
    pub(super) fn new(plan: &'a Plan, key: &'a BoundingKey, columns: &[String]) -> Result<Self, Fault> {
        let find = |name: &str| columns.iter().position(|c| c == name).ok_or_else(|| Fault::broken("a column that is not scanned"));
        let key_columns = plan.keys.iter().map(|k| find(k)).collect::<Result<_, _>>()?;
        let value_columns = plan.aggregates.iter().map(|a| match a {
            Aggregate::CountSubjects | Aggregate::CountRows => Ok(None),
            Aggregate::Sum { column, .. } => find(column).map(Some),
        });
        let value_columns = value_columns.collect::<Result<_, _>>()?;
        Ok(Self {
            plan,
            key,
            key_columns,
            value_columns,
            converter: None,
            group_of: HashMap::new(),
            groups: Vec::new(),
            participants: SubjectSet::new(),
            batch: Batch::default(),
            person: Person::default(),
        })
    }

    /// The groups and the people in them, after the last row.
    pub(super) fn finish(mut self) -> (Vec<Group>, SubjectSet) {
        self.finish_person();
        // A group that no person's bound left anybody in must not even be a candidate: whether it
        // was seen depends on more groups of a person than the bound allows.
        self.groups.retain(|group| group.counted);
        (self.groups, self.participants)
    }

    /// The group of a row of the current batch.
    fn group(&mut self, row: usize) -> Result<usize, Fault> {
        let Some(keys) = &self.batch.keys else {
            if self.groups.is_empty() {
                self.groups.push(self.new_group(Vec::new()));
            }
            return Ok(0);
        };
        let bytes = keys.row(row);
        let bytes = bytes.as_ref();
        if let Some(&group) = self.group_of.get(bytes) {
            return Ok(group);
        }
        let bytes = Box::from(bytes);
        let key = self.key_columns.iter().map(|&c| self.batch.value(c, row)).collect::<Result<Vec<_>, _>>()?;
        let group = self.groups.len();
        self.groups.push(self.new_group(key));
        self.group_of.insert(bytes, group);
        Ok(group)
    }

    fn new_group(&self, key: Vec<Value>) -> Group {
        Group { encoded: encode_key(&key), key, values: vec![0; self.plan.aggregates.len()], counted: false }
    }

    fn add_row(&mut self, row: usize) -> Result<(), Fault> {
        let group = self.group(row)?;
        let touched = self.person.touch(group, self.plan.aggregates.len());
        let touched = touched.ok_or_else(|| Fault::broken("a group without a place"))?;
        touched.rows += 1;
        for ((aggregate, column), sum) in self.plan.aggregates.iter().zip(&self.value_columns).zip(&mut touched.sums) {
            let Some(column) = column else { continue };
            if let Some(x) = self.batch.grid_value(*column, row, aggregate)? {
                // At most ROWS_AT_SCAN values below 2^63: far from the ends of i128.
                *sum = Some(sum.unwrap_or(0) + x);
            }
        }
        Ok(())
    }

    /// Bounds what the current person touched and adds it up.
    fn finish_person(&mut self) {
        let Some(subject) = self.person.subject.take() else { return };
        self.person.rows = 0;
        let mut touched = std::mem::take(&mut self.person.touched);
        for t in &touched {
            if let Some(place) = self.person.place.get_mut(t.group) {
                *place = 0;
            }
        }
        if touched.is_empty() {
            return;
        }
        self.participants.insert(subject);
        let groups_max = usize::try_from(self.plan.bounds.groups()).unwrap_or(usize::MAX);
        if touched.len() > groups_max {
            // Which groups survive is drawn by a keyed hash of person and group, ties by the key.
            touched.sort_by_cached_key(|t| {
                let encoded = self.groups.get(t.group).map_or_else(Vec::new, |g| g.encoded.clone());
                (self.key.rank(subject.0, &encoded), encoded)
            });
            touched.truncate(groups_max);
        }
        for t in touched {
            let Some(group) = self.groups.get_mut(t.group) else { continue };
            group.counted = true;
            for ((aggregate, value), sum) in self.plan.aggregates.iter().zip(&mut group.values).zip(t.sums) {
                *value += aggregate.contribution(&self.plan.bounds, t.rows, sum);
            }
        }
    }
}

impl Visitor for Bounded<'_> {
    fn batch(&mut self, columns: &[ArrayRef]) -> Result<(), Fault> {
        self.batch.columns = columns.to_vec();
        if self.key_columns.is_empty() {
            return Ok(());
        }
        let keys: Vec<ArrayRef> = self.key_columns.iter().filter_map(|&c| columns.get(c).cloned()).collect();
        let fault = |e| Fault::new("reading the keys of groups", e);
        let converter = match &mut self.converter {
            Some(converter) => converter,
            none => none.insert(RowConverter::new(keys.iter().map(|k| SortField::new(k.data_type().clone())).collect()).map_err(fault)?),
        };
        self.batch.keys = Some(converter.convert_columns(&keys).map_err(fault)?);
        Ok(())
    }

    fn run(&mut self, subject: SubjectId, rows: Range<usize>) -> Result<(), Fault> {
        if self.person.subject != Some(subject) {
            self.finish_person();
            self.person.subject = Some(subject);
        }
        for row in rows {
            // The lake's order of a person's rows is a function of those rows, so that "the first"
            // means the same whatever else the lake holds.
            if self.person.rows >= self.plan.bounds.rows_at_scan() {
                break;
            }
            self.person.rows += 1;
            self.add_row(row)?;
        }
        Ok(())
    }
}

impl Person {
    fn touch(&mut self, group: usize, aggregates: usize) -> Option<&mut Touched> {
        if self.place.len() <= group {
            self.place.resize(group + 1, 0);
        }
        let place = self.place.get_mut(group)?;
        if *place == 0 {
            self.touched.push(Touched { group, rows: 0, sums: vec![None; aggregates] });
            *place = self.touched.len();
        }
        self.touched.get_mut(*place - 1)
    }
}

impl Batch {
    fn column(&self, column: usize) -> Result<&ArrayRef, Fault> {
        self.columns.get(column).ok_or_else(|| Fault::broken("a column that is not in the batch"))
    }

    /// One value as the rest of the system knows it.
    fn value(&self, column: usize, row: usize) -> Result<Value, Fault> {
        let array = self.column(column)?;
        if array.is_null(row) {
            return Ok(Value::Null);
        }
        let unknown = || Fault::broken("a key of a type that cannot be one");
        Ok(match array.data_type() {
            DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).to_owned()),
            DataType::Int64 => Value::Integer(array.as_primitive::<Int64Type>().value(row)),
            DataType::Date32 => Value::Date(Date32Type::to_naive_date_opt(array.as_primitive::<Date32Type>().value(row)).ok_or_else(unknown)?),
            DataType::Timestamp(..) => Value::Timestamp(domain::Timestamp::from_timestamp_micros(array.as_primitive::<TimestampMicrosecondType>().value(row)).ok_or_else(unknown)?),
            _ => return Err(unknown()),
        })
    }

    /// One value of a summed column in grid units; `None` for null.
    fn grid_value(&self, column: usize, row: usize, aggregate: &Aggregate) -> Result<Option<i128>, Fault> {
        let array = self.column(column)?;
        if array.is_null(row) {
            return Ok(None);
        }
        match array.data_type() {
            DataType::Int64 => Ok(aggregate.grid_value(&Value::Integer(array.as_primitive::<Int64Type>().value(row)))),
            DataType::Float64 => Ok(aggregate.grid_value(&Value::Float(array.as_primitive::<Float64Type>().value(row)))),
            _ => Err(Fault::broken("a sum over something that is no number")),
        }
    }
}
