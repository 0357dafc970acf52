//! The person whose rows are being read: their rows in each group, and what these add up to.

use std::ops::Range;

use domain::question::Tally;
use domain::{Fault, SubjectId};

use super::measure::Added;
use super::set::NOTHING;

/// The current person.
pub(super) struct Person {
    pub(super) subject: Option<SubjectId>,
    /// Rows of theirs that were looked at.
    pub(super) rows: u32,
    touched: Touched,
    /// By measure and group.
    tallies: Vec<Vec<Tally>>,
    /// By set: groups, and an item in each.
    items: Vec<Vec<(u32, u32)>>,
}

/// Rows by group.
struct Touched {
    /// For each group, this person's rows in it; 0 when not touched.
    counts: Vec<u64>,
    /// The groups touched, in the order of their first row: `length` of them, and room for one more.
    order: Vec<u32>,
    length: usize,
}

/// The place of a number.
pub(super) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Touched {
    /// Counts rows by their groups, and does `also` with the group and the `rest` of each row.
    #[inline]
    fn count<R>(&mut self, groups: &[u32], rest: impl Iterator<Item = R>, mut also: impl FnMut(usize, R) -> Option<()>) -> Option<()> {
        let (counts, order) = (self.counts.as_mut_slice(), self.order.as_mut_slice());
        let mut length = self.length;
        for (group, rest) in groups.iter().zip(rest) {
            let count = counts.get_mut(index(*group))?;
            // The group is written every time, and stays if it is new: a branch would be guessed wrongly
            // about once per person and group, which costs more than their rows.
            *order.get_mut(length)? = *group;
            length += usize::from(*count == 0);
            *count += 1;
            also(index(*group), rest)?;
        }
        self.length = length;
        Some(())
    }
}

/// Adds what a row adds to a measure in its group.
///
/// A person has at most 2^32 rows, and values are below 2^63: sums are far from the ends of i128.
#[inline]
fn add(tallies: &mut [Tally], group: usize, (value, known): (&i64, &bool)) -> Option<()> {
    let tally = tallies.get_mut(group)?;
    tally.sum += i128::from(*value);
    tally.known += u64::from(*known);
    Some(())
}

impl Person {
    /// Nobody, in no groups.
    pub(super) fn new(measures: usize, sets: usize) -> Self {
        let touched = Touched { counts: Vec::new(), order: vec![0], length: 0 };
        Self { subject: None, rows: 0, touched, tallies: vec![Vec::new(); measures], items: vec![Vec::new(); sets] }
    }

    /// There is one more group.
    pub(super) fn new_group(&mut self) {
        self.touched.counts.push(0);
        self.touched.order.push(0);
        self.tallies.iter_mut().for_each(|tallies| tallies.push(Tally::default()));
    }

    /// Adds the rows `rows` of a batch: the group of each, what they add to each measure, and their item for
    /// each set.
    pub(super) fn add(&mut self, groups: &[u32], added: &[Added], items: &[Vec<u32>], rows: Range<usize>) -> Result<(), Fault> {
        self.try_add(groups, added, items, rows).ok_or_else(|| Fault::broken("bounding lost count of its groups"))
    }

    fn try_add(&mut self, groups: &[u32], added: &[Added], items: &[Vec<u32>], rows: Range<usize>) -> Option<()> {
        let groups = groups.get(rows.clone())?;
        let mut measures = self.tallies.iter_mut().zip(added);
        // The first measure is added in the pass that counts rows: most of a pass is to find the groups.
        match measures.next() {
            None => self.touched.count(groups, std::iter::repeat(()), |_, ()| Some(()))?,
            Some((tallies, added)) => self.touched.count(groups, added.rows(&rows)?, |group, added| add(tallies, group, added))?,
        }
        for (tallies, added) in measures {
            groups.iter().zip(added.rows(&rows)?).try_for_each(|(group, added)| add(tallies, index(*group), added))?;
        }
        for (of_person, items) in self.items.iter_mut().zip(items) {
            let known = groups.iter().zip(items.get(rows.clone())?).filter(|(_, item)| **item != NOTHING);
            of_person.extend(known.map(|(group, item)| (*group, *item)));
        }
        Some(())
    }

    /// The groups touched, in the order of their first row.
    pub(super) fn touched(&self) -> &[u32] {
        self.touched.order.get(..self.touched.length).unwrap_or_default()
    }

    /// The person's rows in `group`.
    pub(super) fn rows_in(&self, group: u32) -> u64 {
        self.touched.counts.get(index(group)).copied().unwrap_or_default()
    }

    /// What a measure is in `group`.
    pub(super) fn tally(&self, measure: usize, group: u32) -> Tally {
        self.tallies.get(measure).and_then(|tallies| tallies.get(index(group))).copied().unwrap_or_default()
    }

    /// The groups and items of one set.
    pub(super) fn take_items(&mut self, set: usize) -> Vec<(u32, u32)> {
        self.items.get_mut(set).map(std::mem::take).unwrap_or_default()
    }

    /// The person is done; the next has touched nothing.
    pub(super) fn leave(&mut self) {
        let Touched { counts, order, length } = &mut self.touched;
        for group in order.iter().take(std::mem::take(length)) {
            counts.get_mut(index(*group)).into_iter().for_each(|count| *count = 0);
            for tallies in &mut self.tallies {
                tallies.get_mut(index(*group)).into_iter().for_each(|tally| *tally = Tally::default());
            }
        }
        self.items.iter_mut().for_each(Vec::clear);
        (self.subject, self.rows) = (None, 0);
    }
}
