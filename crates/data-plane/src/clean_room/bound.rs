//! One person's influence, limited: at most c groups, k rows in each, and clamped sums.
//!
//! # Guarantee
//! What a person contributes is a function of their own rows, the plan and the bounding key alone:
//! other people's rows, the layout of files, batches and threads play no part (a test removes people
//! one by one and compares everything). Its size is within [`domain::question::Aggregate::sensitivity`].

use std::ops::Range;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::buffer::{NullBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{Float64Type, UInt32Type};
use domain::question::{Aggregate, Plan, Tally, Value, encode_key};
use domain::{Fault, SubjectId, SubjectSet};
use dp::{BoundingKey, GroupTag};
use hashbrown::HashMap;

use super::column::{Coder, Column};
use super::filter::Visitor;
use super::join::StoredColumn;
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
    /// The column that each aggregate reads, if it reads one.
    summed: Vec<Option<Column>>,
    /// Groups by pairs of numbers: that of the columns before, and that of the next.
    pairs: Vec<HashMap<(u32, u32), u32>>,
    groups: Groups,
    participants: SubjectSet,
    person: Person,
    /// Rows of a person that are looked at, at most. Rows of a join were limited before it.
    rows_max: u32,
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
    /// Summed columns with the place of their aggregate.
    sums: Vec<(usize, Summed)>,
}

/// A summed column of a batch, in grid units.
enum Summed {
    /// Whole numbers that are simply added.
    Counts {
        values: ScalarBuffer<u32>,
        known: Option<NullBuffer>,
        denominator: i128,
    },
    Integers {
        values: ScalarBuffer<u32>,
        known: Option<NullBuffer>,
        aggregate: Aggregate,
    },
    Floats {
        values: ScalarBuffer<f64>,
        known: Option<NullBuffer>,
        aggregate: Aggregate,
    },
}

/// The current person.
#[derive(Default)]
struct Person {
    subject: Option<SubjectId>,
    rows: u32,
    /// The groups touched, in the order of their first row.
    touched: Vec<u32>,
    /// For each group, this person's rows in it; 0 when not touched.
    counts: Vec<u64>,
    /// Tallies of the aggregates' columns, `aggregates` per group.
    tallies: Vec<Tally>,
    /// Rows of a run that match.
    matching: Vec<usize>,
}

fn broken() -> Fault {
    Fault::broken("bounding lost count of its groups")
}

impl<'a> Bounded<'a> {
    /// Nobody yet. `scanned` are the scan's stored columns.
    pub(super) fn new(plan: &'a Plan, key: &'a BoundingKey, scanned: &[StoredColumn]) -> Result<Self, Fault> {
        let coders = plan.keys.iter().map(|k| Column::find(k.column, scanned).map(Coder::new)).collect::<Result<Vec<_>, _>>()?;
        let summed = plan.aggregates.iter().map(|a| a.column().map(|c| Column::find(c, scanned)).transpose()).collect::<Result<_, _>>()?;
        let mask = plan.row_filter().map(|f| Mask::of(&f, scanned)).transpose()?;
        let pairs = plan.keys.iter().map(|_| HashMap::new()).collect();
        let rows_max = if plan.tables.len() > 1 { u32::MAX } else { plan.bounds.rows_at_scan() };
        let (groups, participants, person) = (Groups::default(), SubjectSet::new(), Person::default());
        let mut bounded = Self { plan, key, mask, coders, summed, pairs, groups, participants, person, rows_max };
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
        self.person.counts.push(0);
        self.person.tallies.resize(self.groups.values.len(), Tally::default());
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
        let touched = std::mem::take(&mut self.person.touched);
        let groups_max = usize::try_from(self.plan.bounds.groups()).unwrap_or(usize::MAX);
        if touched.len() > groups_max {
            // Which groups survive is drawn by a keyed hash of person and group, ties by the key.
            let rank = |group: &u32| self.groups.tags.get(index(*group)).map(|tag| self.key.rank(subject.0, *tag));
            let encoded = |group: &u32| self.groups.encoded.get(index(*group));
            let mut ranked: Vec<(Option<u64>, u32)> = touched.iter().map(|group| (rank(group), *group)).collect();
            ranked.select_nth_unstable_by(groups_max - 1, |a, b| a.0.cmp(&b.0).then_with(|| encoded(&a.1).cmp(&encoded(&b.1))));
            for (_, group) in ranked.iter().take(groups_max) {
                self.add_group(*group, width)?;
            }
        } else {
            for group in &touched {
                self.add_group(*group, width)?;
            }
        }
        for group in &touched {
            let group = index(*group);
            *self.person.counts.get_mut(group).ok_or_else(broken)? = 0;
            self.person.tallies.get_mut(group * width..(group + 1) * width).ok_or_else(broken)?.fill(Tally::default());
        }
        self.person.touched = touched;
        self.person.touched.clear();
        Ok(())
    }

    /// Adds what the current person has in one group.
    fn add_group(&mut self, group: u32, width: usize) -> Result<(), Fault> {
        let group = index(group);
        let rows = *self.person.counts.get(group).ok_or_else(broken)?;
        *self.groups.counted.get_mut(group).ok_or_else(broken)? = true;
        let values = self.groups.values.get_mut(group * width..(group + 1) * width).ok_or_else(broken)?;
        let tallies = self.person.tallies.get(group * width..(group + 1) * width).ok_or_else(broken)?;
        for ((aggregate, value), tally) in self.plan.aggregates.iter().zip(values).zip(tallies) {
            *value += aggregate.contribution(&self.plan.bounds, rows, *tally);
        }
        Ok(())
    }

    /// Counts rows of the current person, column by column.
    fn add_rows(&mut self, batch: &Grouped, rows: impl Iterator<Item = usize> + Clone) -> Result<(), Fault> {
        let width = self.summed.len();
        let group_of = |row: usize| if batch.groups.is_empty() { 0 } else { batch.groups.get(row).map_or(usize::MAX, |g| index(*g)) };
        for row in rows.clone() {
            let group = group_of(row);
            let count = self.person.counts.get_mut(group).ok_or_else(broken)?;
            if *count == 0 {
                self.person.touched.push(u32::try_from(group).map_err(|_| broken())?);
            }
            *count += 1;
        }
        for (place, summed) in &batch.sums {
            for row in rows.clone() {
                let Some(x) = summed.grid_value(row) else { continue };
                let tally = self.person.tallies.get_mut(group_of(row) * width + place).ok_or_else(broken)?;
                // At most ROWS_AT_SCAN · INTERESTS_JOINED values below 2^65: far from the ends of i128.
                tally.sum += x;
                tally.known += 1;
            }
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
        let summed = self.summed.iter().zip(&self.plan.aggregates).enumerate();
        let sums = summed.filter_map(|(place, (column, aggregate))| Some((place, (*column)?, aggregate)));
        let sums = sums.map(|(place, column, aggregate)| Ok((place, Summed::of(column.array(columns)?, aggregate)?))).collect::<Result<_, Fault>>()?;
        Ok(Grouped { matches, groups, sums })
    }

    fn run(&mut self, batch: &Grouped, subject: SubjectId, rows: Range<usize>) -> Result<(), Fault> {
        if self.person.subject != Some(subject) {
            self.finish_person()?;
            self.person.subject = Some(subject);
        }
        // The lake's order of a person's rows is a function of those rows, so that "the first" means the
        // same whatever else the lake holds.
        let room = index(self.rows_max.saturating_sub(self.person.rows));
        let rows = rows.take(room);
        self.person.rows = self.person.rows.saturating_add(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        match &batch.matches {
            None => self.add_rows(batch, rows),
            Some(matches) => {
                let mut matching = std::mem::take(&mut self.person.matching);
                matching.clear();
                matching.extend(rows.filter(|row| matches.get(*row) == Some(&true)));
                let added = self.add_rows(batch, matching.iter().copied());
                self.person.matching = matching;
                added
            }
        }
    }
}

impl Summed {
    fn of(array: &ArrayRef, aggregate: &Aggregate) -> Result<Self, Fault> {
        let known = array.nulls().cloned();
        if let Some(array) = array.as_primitive_opt::<UInt32Type>() {
            let values = array.values().clone();
            Ok(match aggregate {
                Aggregate::Sum { denominator, .. } => Self::Counts { values, known, denominator: i128::from(*denominator) },
                _ => Self::Integers { values, known, aggregate: aggregate.clone() },
            })
        } else if let Some(array) = array.as_primitive_opt::<Float64Type>() {
            Ok(Self::Floats { values: array.values().clone(), known, aggregate: aggregate.clone() })
        } else {
            Err(Fault::broken("a sum over something that is no number"))
        }
    }

    /// One value in grid units; `None` for null.
    #[inline]
    fn grid_value(&self, row: usize) -> Option<i128> {
        let (Self::Counts { known, .. } | Self::Integers { known, .. } | Self::Floats { known, .. }) = self;
        if known.as_ref().is_some_and(|known| known.is_null(row)) {
            return None;
        }
        match self {
            Self::Counts { values, denominator, .. } => values.get(row).map(|x| i128::from(*x) * denominator),
            Self::Integers { values, aggregate, .. } => values.get(row).and_then(|x| aggregate.grid_value(&Value::Integer(i64::from(*x)))),
            Self::Floats { values, aggregate, .. } => values.get(row).and_then(|x| aggregate.grid_value(&Value::Float(*x))),
        }
    }
}
