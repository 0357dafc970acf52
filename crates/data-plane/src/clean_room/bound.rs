//! One person's influence, limited: at most c groups, k rows in each, and clamped sums.
//!
//! # Guarantee
//! What a person contributes is a function of their own rows, the plan and the bounding key alone:
//! other people's rows, the layout of files, batches and threads play no part (a test removes people
//! one by one and compares everything). Its size is within [`domain::question::Aggregate::sensitivity`].

use std::ops::Range;

use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::FilterBuilder;
use domain::question::{Plan, Tally, Value};
use domain::{Fault, SubjectId, SubjectSet};
use dp::BoundingKey;
use hashbrown::HashMap;

use super::filter::Visitor;
use super::grouping::Grouping;
use super::join::Scanned;
use super::mask::Mask;
use super::measure::{Added, Measure};
use super::person::{Person, index};
use super::set::{Kept, Set};

/// What one group gets from bounded people.
pub(super) struct Group {
    pub(super) key: Vec<Value>,
    /// The key's bytes, by which groups are merged.
    pub(super) encoded: Vec<u8>,
    /// Exact values, in the order of the plan's aggregates; 0 for those that are sets.
    pub(super) values: Vec<i128>,
    /// The sets, in the order of the plan's aggregates that are some.
    pub(super) kept: Vec<Kept>,
}

/// Adds up bounded people of one partition.
pub(super) struct Bounded<'a> {
    plan: &'a Plan,
    key: &'a BoundingKey,
    mask: Option<Mask>,
    grouping: Grouping,
    measures: Vec<Measure>,
    /// Which of the measures each aggregate reads, if it reads one.
    measured: Vec<Option<usize>>,
    sets: Vec<Set>,
    /// How often each item of a set was kept in each group.
    kept: Vec<HashMap<(u32, u32), u64>>,
    groups: Groups,
    participants: SubjectSet,
    person: Person,
    /// Of a person with too many groups: their ranks.
    ranked: Vec<(u64, u32)>,
    /// The groups in which a person counts, and how many rows in each, at most.
    counted: Vec<(u32, u64)>,
    /// Rows of a person that are looked at, at most. Rows of a join were limited before it.
    rows_max: u32,
}

/// What is added up of each group, by its number.
#[derive(Default)]
struct Groups {
    /// Exact values, `aggregates` per group.
    values: Vec<i128>,
    /// Whether somebody counts in it: a group that was only seen is nobody's.
    counted: Vec<bool>,
}

/// The rows of a batch that match `WHERE`, with the group of each.
pub(super) struct Grouped {
    /// Of each row of the batch, and of its end, how many before it match. None without `WHERE`.
    before: Option<Vec<usize>>,
    groups: Vec<u32>,
    /// What the rows add to each measure.
    added: Vec<Added>,
    /// The item of each row, for each set.
    items: Vec<Vec<u32>>,
}

fn broken() -> Fault {
    Fault::broken("bounding lost count of its groups")
}

impl<'a> Bounded<'a> {
    /// Nobody yet. `scanned` are the scan's columns.
    pub(super) fn new(plan: &'a Plan, key: &'a BoundingKey, scanned: &[Scanned]) -> Result<Self, Fault> {
        let grouping = Grouping::of(plan.keys.iter().map(|k| &k.of), scanned, key)?;
        let (measures, measured) = Measure::all(&plan.aggregates, scanned)?;
        let sets = plan.aggregates.iter().filter_map(|a| Set::of(a, scanned).transpose()).collect::<Result<Vec<_>, _>>()?;
        let mask = plan.row_filter().map(|f| Mask::of(&f, scanned)).transpose()?;
        let kept = sets.iter().map(|_| HashMap::new()).collect();
        let rows_max = if plan.tables.len() == 1 && plan.per_subject.is_empty() { plan.bounds.rows_at_scan() } else { u32::MAX };
        let (groups, participants, person, ranked) = (Groups::default(), SubjectSet::new(), Person::new(measures.len(), sets.len()), Vec::new());
        let mut bounded = Self { plan, key, mask, grouping, measures, measured, sets, kept, groups, participants, person, ranked, counted: Vec::new(), rows_max };
        bounded.make_room();
        Ok(bounded)
    }

    /// The groups and the people in them, after the last row.
    pub(super) fn finish(mut self) -> Result<(Vec<Group>, SubjectSet), Fault> {
        self.finish_person()?;
        let width = self.plan.aggregates.len();
        let mut kept: HashMap<u32, Vec<Kept>> = HashMap::new();
        for (place, (set, items)) in self.sets.iter().zip(&self.kept).enumerate() {
            for ((group, item), count) in items {
                let of_group = kept.entry(*group).or_insert_with(|| self.sets.iter().map(Set::nothing).collect());
                set.keep(of_group.get_mut(place).ok_or_else(broken)?, *item, *count)?;
            }
        }
        let mut groups = Vec::new();
        for (place, group) in (0..self.grouping.len()).zip(0..) {
            // A group that no person's bound left anybody in must not even be a candidate: whether it
            // was seen depends on more groups of a person than the bound allows.
            if self.groups.counted.get(place) == Some(&true) {
                let encoded = self.grouping.encoded(group).ok_or_else(broken)?.to_vec();
                let values = self.groups.values.get(place * width..(place + 1) * width).ok_or_else(broken)?.to_vec();
                let kept = kept.remove(&group).unwrap_or_else(|| self.sets.iter().map(Set::nothing).collect());
                groups.push(Group { key: self.grouping.key(group)?, encoded, values, kept });
            }
        }
        Ok((groups, self.participants))
    }

    /// There may be more groups than before.
    fn make_room(&mut self) {
        let groups = self.grouping.len();
        for _ in self.groups.counted.len()..groups {
            self.person.new_group();
        }
        self.groups.values.resize(groups * self.plan.aggregates.len(), 0);
        self.groups.counted.resize(groups, false);
    }

    /// The groups of matching rows, and what they add.
    fn grouped(&mut self, columns: &[ArrayRef], rows: usize, before: Option<Vec<usize>>) -> Result<Grouped, Fault> {
        let groups = self.grouping.groups(columns, rows, self.key)?;
        self.make_room();
        let added = self.measures.iter().map(|measure| measure.added(columns, rows)).collect::<Result<_, _>>()?;
        let items = self.sets.iter_mut().map(|set| set.items(columns, rows, self.key)).collect::<Result<_, _>>()?;
        Ok(Grouped { before, groups, added, items })
    }

    /// Bounds what the current person touched and adds it up.
    fn finish_person(&mut self) -> Result<(), Fault> {
        let Some(subject) = self.person.subject else { return Ok(()) };
        let bounds = &self.plan.bounds;
        let touched = self.person.touched();
        if !touched.is_empty() {
            self.participants.insert(subject);
        }
        let (groups_max, rows_max) = (index(bounds.groups()), u64::from(bounds.rows_per_group()));
        self.counted.clear();
        if touched.len() > groups_max || bounds.rows_overall().is_some() {
            // Which groups survive, and which have room for rows, is drawn by a keyed hash of person and
            // group, ties by the key.
            self.ranked.clear();
            for group in touched {
                self.ranked.push((self.key.rank(subject.0, self.grouping.tag(*group)?), *group));
            }
            let order = |a: &(u64, u32), b: &(u64, u32)| a.0.cmp(&b.0).then_with(|| self.grouping.encoded(a.1).cmp(&self.grouping.encoded(b.1)));
            if bounds.rows_overall().is_some() {
                self.ranked.sort_unstable_by(order);
            } else {
                self.ranked.select_nth_unstable_by(groups_max - 1, order);
            }
            let mut room = bounds.rows_overall().map_or(u64::MAX, u64::from);
            for (_, group) in self.ranked.iter().take(groups_max) {
                let most = rows_max.min(room);
                room -= most.min(self.person.rows_in(*group));
                self.counted.push((*group, most));
            }
        } else {
            self.counted.extend(touched.iter().map(|group| (*group, rows_max)));
        }
        for (group, most) in &self.counted {
            self.groups.add(*group, *most, self.plan, &self.measured, &self.person)?;
        }
        self.keep_items(subject)?;
        self.person.leave();
        Ok(())
    }

    /// Keeps what a person's sets have in the groups in which they count.
    fn keep_items(&mut self, subject: SubjectId) -> Result<(), Fault> {
        for (place, (set, kept)) in self.sets.iter().zip(&mut self.kept).enumerate() {
            let mut of_person = self.person.take_items(place);
            of_person.sort_unstable();
            for of_group in of_person.chunk_by(|a, b| a.0 == b.0) {
                let group = of_group.first().map(|(group, _)| *group);
                let Some((group, most)) = self.counted.iter().find(|(counted, _)| Some(*counted) == group) else { continue };
                let mut items: Vec<u32> = of_group.iter().map(|(_, item)| *item).collect();
                set.bound(&mut items, usize::try_from(*most).unwrap_or(usize::MAX), self.key, subject);
                for item in items {
                    *kept.entry((*group, item)).or_default() += 1;
                }
            }
        }
        Ok(())
    }
}

impl Groups {
    /// Adds what a person has in a group, of whose rows there at most `most` count.
    fn add(&mut self, group: u32, most: u64, plan: &Plan, measured: &[Option<usize>], person: &Person) -> Result<(), Fault> {
        let (place, width, rows) = (index(group), plan.aggregates.len(), person.rows_in(group));
        *self.counted.get_mut(place).ok_or_else(broken)? = true;
        let values = self.values.get_mut(place * width..(place + 1) * width).ok_or_else(broken)?;
        for ((aggregate, value), measure) in plan.aggregates.iter().zip(values).zip(measured) {
            let tally = measure.map_or_else(Tally::default, |measure| person.tally(measure, group));
            *value += aggregate.contribution(most, rows, tally);
        }
        Ok(())
    }
}

impl Visitor for Bounded<'_> {
    type Batch = Grouped;

    fn batch(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Grouped, Fault> {
        let Some(mask) = &mut self.mask else { return self.grouped(columns, rows, None) };
        let matches = mask.matches(columns, rows)?;
        let before = std::iter::once(false).chain(matches.iter().copied()).scan(0, |before, matches| {
            *before += usize::from(matches);
            Some(*before)
        });
        let before: Vec<usize> = before.collect();
        let matching = before.last().copied().unwrap_or_default();
        let matches = BooleanBuffer::collect_bool(rows, |row| matches.get(row) == Some(&true));
        let filter = FilterBuilder::new(&BooleanArray::new(matches, None)).optimize().build();
        let columns = columns.iter().map(|column| filter.filter(column)).collect::<Result<Vec<_>, _>>().map_err(|e| Fault::new("picking the rows that match", e))?;
        self.grouped(&columns, matching, Some(before))
    }

    fn run(&mut self, batch: &Grouped, subject: SubjectId, rows: Range<usize>) -> Result<(), Fault> {
        if self.person.subject != Some(subject) {
            self.finish_person()?;
            self.person.subject = Some(subject);
        }
        // The lake's order of a person's rows is a function of those rows, so that "the first" means the
        // same whatever else the lake holds.
        let room = index(self.rows_max.saturating_sub(self.person.rows));
        let rows = rows.start..rows.end.min(rows.start.saturating_add(room));
        self.person.rows = self.person.rows.saturating_add(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        let matching = match &batch.before {
            None => rows,
            Some(before) => before.get(rows.start).zip(before.get(rows.end)).map(|(start, end)| *start..*end).ok_or_else(broken)?,
        };
        self.person.add(&batch.groups, &batch.added, &batch.items, matching)
    }
}
