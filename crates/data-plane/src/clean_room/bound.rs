//! One person's influence, limited: at most c groups, k rows in each, and clamped sums.
//!
//! # Guarantee
//! What a person contributes is a function of their own rows, the plan and the bounding key alone:
//! other people's rows, the layout of files, batches and threads play no part (a test removes people
//! one by one and compares everything). Its size is within [`domain::question::Aggregate::sensitivity`].

use std::ops::Range;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{Float64Type, UInt32Type};
use domain::catalog::Table;
use domain::question::{Aggregate, Plan, Value, encode_key};
use domain::{Fault, SubjectId, SubjectSet};
use dp::{BoundingKey, GroupTag};
use hashbrown::HashMap;

use super::column::{Coder, Column};
use super::filter::Visitor;
use super::mask::Mask;

/// What one group gets from bounded people.
pub(super) struct Group {
    pub(super) key: Vec<Value>,
    /// The key's bytes, by which groups are merged and, equal tags aside, ranked.
    pub(super) encoded: Vec<u8>,
    /// Exact values, in the order of the plan's aggregates.
    pub(super) values: Vec<i128>,
}

/// Adds up bounded people of one partition.
pub(super) struct Bounded<'a> {
    plan: &'a Plan,
    key: &'a BoundingKey,
    mask: Option<Mask>,
    coders: Vec<Coder>,
    /// The column that each aggregate sums, if it does.
    summed: Vec<Option<Column>>,
    /// Groups by pairs of numbers: that of the columns before, and that of the next.
    pairs: Vec<HashMap<(u32, u32), u32>>,
    groups: Groups,
    participants: SubjectSet,
    person: Person,
}

/// The groups that were seen, each with a number from 0.
#[derive(Default)]
struct Groups {
    /// The numbers of each group's values, one per key column.
    codes: Vec<Vec<u32>>,
    encoded: Vec<Vec<u8>>,
    tags: Vec<GroupTag>,
    /// Exact values, `aggregates` per group.
    values: Vec<i128>,
    /// Whether somebody counts in it: a group that was only seen is nobody's.
    counted: Vec<bool>,
}

/// A batch with the group of each row.
pub(super) struct Grouped {
    /// None without `WHERE`.
    matches: Option<Vec<bool>>,
    /// Empty without `GROUP BY`: all rows are in group 0.
    groups: Vec<u32>,
    sums: Vec<Option<Summed>>,
}

/// A summed column of a batch.
enum Summed {
    Counts(ArrayRef),
    Floats(ArrayRef),
}

/// The current person.
#[derive(Default)]
struct Person {
    subject: Option<SubjectId>,
    rows: u32,
    /// The groups touched, in the order of their first row, and how many rows each has.
    touched: Vec<(u32, u64)>,
    /// Sums of the aggregates' columns, `aggregates` per touched group; `None` while only nulls were seen.
    sums: Vec<Option<i128>>,
    /// For each group, its place in `touched` + 1; 0 when not touched.
    places: Vec<u32>,
}

fn broken() -> Fault {
    Fault::broken("bounding lost count of its groups")
}

impl<'a> Bounded<'a> {
    /// Nobody yet. `scanned` are the scan's stored columns.
    pub(super) fn new(plan: &'a Plan, key: &'a BoundingKey, scanned: &[&'static str]) -> Result<Self, Fault> {
        let table = Table::of(plan.table);
        let find = |name: &str| Column::find(table, name, scanned);
        let coders = plan.keys.iter().map(|k| find(k).map(Coder::new)).collect::<Result<Vec<_>, _>>()?;
        let summed = plan.aggregates.iter().map(|a| match a {
            Aggregate::CountSubjects | Aggregate::CountRows => Ok(None),
            Aggregate::Sum { column, .. } => find(column).map(Some),
        });
        let summed = summed.collect::<Result<_, _>>()?;
        let mask = plan.filter.as_ref().map(|f| Mask::of(f, table, scanned)).transpose()?;
        let pairs = plan.keys.iter().map(|_| HashMap::new()).collect();
        let mut bounded = Self { plan, key, mask, coders, summed, pairs, groups: Groups::default(), participants: SubjectSet::new(), person: Person::default() };
        if plan.keys.is_empty() {
            bounded.new_group(Vec::new())?;
        }
        Ok(bounded)
    }

    /// The groups and the people in them, after the last row.
    pub(super) fn finish(mut self) -> Result<(Vec<Group>, SubjectSet), Fault> {
        self.finish_person()?;
        let width = self.plan.aggregates.len();
        let mut groups = Vec::new();
        for (place, encoded) in self.groups.encoded.into_iter().enumerate() {
            // A group that no person's bound left anybody in must not even be a candidate: whether it
            // was seen depends on more groups of a person than the bound allows.
            if self.groups.counted.get(place) == Some(&true) {
                let codes = self.groups.codes.get(place).ok_or_else(broken)?;
                let values = self.groups.values.get(place * width..(place + 1) * width).ok_or_else(broken)?.to_vec();
                groups.push(Group { key: key_of(&self.coders, codes)?, encoded, values });
            }
        }
        Ok((groups, self.participants))
    }

    fn new_group(&mut self, codes: Vec<u32>) -> Result<u32, Fault> {
        let number = u32::try_from(self.groups.encoded.len()).map_err(|_| broken())?;
        let encoded = encode_key(&key_of(&self.coders, &codes)?);
        self.groups.tags.push(self.key.tag(&encoded));
        self.groups.encoded.push(encoded);
        self.groups.codes.push(codes);
        self.groups.values.resize(self.groups.values.len() + self.plan.aggregates.len(), 0);
        self.groups.counted.push(false);
        self.person.places.push(0);
        Ok(number)
    }

    /// The group of each row of a batch.
    fn groups_of(&mut self, columns: &[ArrayRef]) -> Result<Vec<u32>, Fault> {
        let mut codes = self.coders.iter_mut().map(|coder| coder.codes(columns)).collect::<Result<Vec<_>, _>>()?;
        if let [only] = codes.as_mut_slice() {
            // Numbers of one column become groups as they come.
            let seen = self.coders.first().map_or(0, |c| c.values().len());
            for code in self.groups.encoded.len()..seen {
                self.new_group(vec![u32::try_from(code).map_err(|_| broken())?])?;
            }
            return Ok(std::mem::take(only));
        }
        let rows = codes.first().map_or(0, Vec::len);
        let mut groups = Vec::with_capacity(rows);
        let last = codes.len().saturating_sub(1);
        for row in 0..rows {
            let mut group = 0;
            for column in 0..codes.len() {
                let code = codes.get(column).and_then(|c| c.get(row)).copied().ok_or_else(broken)?;
                let pairs = self.pairs.get_mut(column).ok_or_else(broken)?;
                let next = u32::try_from(pairs.len()).map_err(|_| broken())?;
                let number = *pairs.entry((group, code)).or_insert(next);
                if number == next && column == last {
                    let all = codes.iter().map(|c| c.get(row).copied().ok_or_else(broken)).collect::<Result<_, _>>()?;
                    if self.groups.encoded.len() == usize::try_from(next).map_err(|_| broken())? {
                        self.new_group(all)?;
                    }
                }
                group = number;
            }
            groups.push(group);
        }
        Ok(groups)
    }

    /// Bounds what the current person touched and adds it up.
    fn finish_person(&mut self) -> Result<(), Fault> {
        let Some(subject) = self.person.subject.take() else { return Ok(()) };
        self.person.rows = 0;
        if self.person.touched.is_empty() {
            return Ok(());
        }
        self.participants.insert(subject);
        let width = self.plan.aggregates.len();
        for &(group, _) in &self.person.touched {
            *self.person.places.get_mut(index(group)).ok_or_else(broken)? = 0;
        }
        let mut kept: Vec<usize> = (0..self.person.touched.len()).collect();
        let groups_max = usize::try_from(self.plan.bounds.groups()).unwrap_or(usize::MAX);
        if kept.len() > groups_max {
            // Which groups survive is drawn by a keyed hash of person and group, ties by the key.
            let group = |place: &usize| self.person.touched.get(*place).map_or(0, |t| index(t.0));
            let rank = |place: &usize| self.groups.tags.get(group(place)).map(|tag| self.key.rank(subject.0, *tag));
            let encoded = |place: &usize| self.groups.encoded.get(group(place));
            let mut ranked: Vec<(Option<u64>, usize)> = kept.iter().map(|place| (rank(place), *place)).collect();
            ranked.select_nth_unstable_by(groups_max - 1, |a, b| a.0.cmp(&b.0).then_with(|| encoded(&a.1).cmp(&encoded(&b.1))));
            ranked.truncate(groups_max);
            kept = ranked.into_iter().map(|(_, place)| place).collect();
        }
        for place in kept {
            let &(group, rows) = self.person.touched.get(place).ok_or_else(broken)?;
            let group = index(group);
            *self.groups.counted.get_mut(group).ok_or_else(broken)? = true;
            let values = self.groups.values.get_mut(group * width..(group + 1) * width).ok_or_else(broken)?;
            let sums = self.person.sums.get(place * width..(place + 1) * width).ok_or_else(broken)?;
            for ((aggregate, value), sum) in self.plan.aggregates.iter().zip(values).zip(sums) {
                *value += aggregate.contribution(&self.plan.bounds, rows, *sum);
            }
        }
        self.person.touched.clear();
        self.person.sums.clear();
        Ok(())
    }

    fn add_row(&mut self, batch: &Grouped, row: usize) -> Result<(), Fault> {
        let width = self.summed.len();
        let group = if batch.groups.is_empty() { 0 } else { *batch.groups.get(row).ok_or_else(broken)? };
        let place = self.person.places.get_mut(index(group)).ok_or_else(broken)?;
        if *place == 0 {
            self.person.touched.push((group, 0));
            self.person.sums.resize(self.person.sums.len() + width, None);
            *place = u32::try_from(self.person.touched.len()).map_err(|_| broken())?;
        }
        let place = index(*place) - 1;
        self.person.touched.get_mut(place).ok_or_else(broken)?.1 += 1;
        for (at, (aggregate, summed)) in self.plan.aggregates.iter().zip(&batch.sums).enumerate() {
            let Some(x) = summed.as_ref().and_then(|s| s.grid_value(row, aggregate)) else { continue };
            let sum = self.person.sums.get_mut(place * width + at).ok_or_else(broken)?;
            // At most ROWS_AT_SCAN values below 2^63: far from the ends of i128.
            *sum = Some(sum.unwrap_or(0) + x);
        }
        Ok(())
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn key_of(coders: &[Coder], codes: &[u32]) -> Result<Vec<Value>, Fault> {
    coders.iter().zip(codes).map(|(coder, code)| coder.values().get(index(*code)).cloned().ok_or_else(broken)).collect()
}

impl Visitor for Bounded<'_> {
    type Batch = Grouped;

    fn batch(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Grouped, Fault> {
        let matches = self.mask.as_mut().map(|mask| mask.matches(columns, rows)).transpose()?;
        let groups = if self.plan.keys.is_empty() { Vec::new() } else { self.groups_of(columns)? };
        let sums = self.summed.iter().map(|column| column.map(|c| Summed::of(c.array(columns)?)).transpose()).collect::<Result<_, _>>()?;
        Ok(Grouped { matches, groups, sums })
    }

    fn run(&mut self, batch: &Grouped, subject: SubjectId, rows: Range<usize>) -> Result<(), Fault> {
        if self.person.subject != Some(subject) {
            self.finish_person()?;
            self.person.subject = Some(subject);
        }
        for row in rows {
            if batch.matches.as_ref().is_some_and(|m| m.get(row) != Some(&true)) {
                continue;
            }
            // The lake's order of a person's rows is a function of those rows, so that "the first"
            // means the same whatever else the lake holds.
            if self.person.rows >= self.plan.bounds.rows_at_scan() {
                break;
            }
            self.person.rows += 1;
            self.add_row(batch, row)?;
        }
        Ok(())
    }
}

impl Summed {
    fn of(array: &ArrayRef) -> Result<Self, Fault> {
        if array.as_primitive_opt::<UInt32Type>().is_some() {
            Ok(Self::Counts(array.clone()))
        } else if array.as_primitive_opt::<Float64Type>().is_some() {
            Ok(Self::Floats(array.clone()))
        } else {
            Err(Fault::broken("a sum over something that is no number"))
        }
    }

    /// One value in grid units; `None` for null.
    fn grid_value(&self, row: usize, aggregate: &Aggregate) -> Option<i128> {
        match self {
            Self::Counts(array) if array.is_valid(row) => Some(i128::from(array.as_primitive::<UInt32Type>().value(row)) * i128::from(aggregate.denominator())),
            Self::Floats(array) if array.is_valid(row) => aggregate.grid_value(&Value::Float(array.as_primitive::<Float64Type>().value(row))),
            Self::Counts(_) | Self::Floats(_) => None,
        }
    }
}
