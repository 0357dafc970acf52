//! Rows of several tables, joined within one person.
//!
//! One table is scanned, or the rows of one subquery are made; of the others the rows of the same bucket are held
//! and looked up, row by row. Files of one bucket hold the same people in every table, so that a bucket needs no
//! other.
//!
//! # Guarantee
//! A joined row is made of rows of one person, who is eligible. Which rows of theirs are joined is a
//! function of their own rows and the bounding key alone: the first `rows_at_scan` of the scanned table, in the
//! lake's order, or those that the subquery makes, each with its act, its person, and the first
//! [`INTERESTS_JOINED`] interests of that person. The list of creators is public: what it says of a row follows from
//! that row.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, RecordBatch, UInt32Array};
use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::arrow::compute::{concat, concat_batches, filter_record_batch, take};
use datafusion::arrow::datatypes::UInt32Type;
use datafusion::arrow::error::ArrowError;
use domain::catalog::{ColumnName, INTERESTS_JOINED, TableName};
use domain::question::{Fold, Inner, Plan};
use domain::{CreatorList, Fault, SubjectId, SubjectSet};
use hashbrown::HashMap;

use super::creator::Listed;
use super::fold::{Folds, Sink};
use crate::schema::{ACTIVITY_ID_BYTES, CREATOR, stored};

/// The column by which acts and their hashtags are joined.
pub(super) const ACT: &str = "activity_id";

/// Bytes of an act's id.
type ActId = [u8; ACTIVITY_ID_BYTES as usize];

/// A column of a scan.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scanned {
    /// A stored column of a table.
    Stored(TableName, &'static str),
    /// What the subquery at that place makes of the person.
    Fold(usize, Fold),
}

/// One table of a plan, as it is read.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) table: TableName,
    /// The stored columns that the plan reads, sorted.
    pub(super) columns: Vec<&'static str>,
    /// Whether its rows are tied to those of another table by their act; then the act's id is read too,
    /// right after the owner.
    pub(super) by_act: bool,
}

/// The tables of a plan, or of one of its subqueries.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    /// The one that is scanned: that with the most rows per person, which a join multiplies least. None where
    /// the rows of the first subquery are those that others are joined to: there are subqueries only, or a person
    /// can have several of these rows.
    pub(super) scanned: Option<Read>,
    /// Those whose rows are looked up.
    pub(super) beside: Vec<Read>,
    /// Subqueries, whose rows are made; of all but at most the first, one per person.
    pub(super) subqueries: Vec<Subquery>,
    /// The public list, to which acts are joined.
    creators: Option<Arc<Listed>>,
    /// Rows of a person that are looked at, at most, where a table is scanned.
    rows_at_scan: u32,
}

/// A subquery: its own tables, and what it makes of them.
#[derive(Debug, Clone)]
pub(super) struct Subquery {
    /// By which fields name it.
    place: usize,
    pub(super) tables: Tables,
    pub(super) folds: Folds,
}

fn arrow(error: ArrowError) -> Fault {
    Fault::new("joining rows", error)
}

/// How each of `tables` is read, the one that is scanned first.
fn reads(tables: &[TableName], read: &[ColumnName]) -> Vec<Read> {
    // Fewer rows of a person come later: of partners' tables few.
    let own = [TableName::ActivityTag, TableName::Activity, TableName::SubjectInterest];
    let partners = tables.iter().copied().filter(|table| matches!(table, TableName::Partner(_)));
    let scan_order = own.into_iter().chain(partners).chain([TableName::Subject]);
    let both = tables.contains(&TableName::Activity) && tables.contains(&TableName::ActivityTag);
    let of = |table: TableName| {
        let mut columns: Vec<&'static str> = read.iter().filter(|column| column.table() == table).map(|column| stored(column.column()).0).collect();
        if table == TableName::Activity && tables.contains(&TableName::Creator) {
            columns.push(CREATOR);
        }
        columns.sort_unstable();
        columns.dedup();
        Read { table, columns, by_act: both && matches!(table, TableName::Activity | TableName::ActivityTag) }
    };
    scan_order.filter(|table| tables.contains(table)).map(of).collect()
}

impl Tables {
    /// Which table of `plan` is scanned, which are looked up, and what is read of each.
    pub(super) fn of(plan: &Plan, creators: &CreatorList) -> Self {
        let public = plan.creators.is_some().then(|| Arc::new(Listed::of(creators)));
        Self::read(&plan.tables, &plan.columns(), &plan.inner(), public.as_ref(), plan.bounds.rows_at_scan())
    }

    fn read(tables: &[TableName], columns: &[ColumnName], inner: &[Inner<'_>], public: Option<&Arc<Listed>>, rows_at_scan: u32) -> Self {
        let subquery = |(place, inner): (usize, &Inner<'_>)| Subquery {
            place,
            tables: Self::read(&inner.subquery.tables, &inner.columns(), &inner.inner(), public, rows_at_scan),
            folds: Folds::of(inner, rows_at_scan),
        };
        let mut subqueries: Vec<Subquery> = inner.iter().enumerate().map(subquery).collect();
        subqueries.sort_by_key(|subquery| !subquery.folds.has_keys());
        let made = subqueries.first().is_some_and(|first| first.folds.has_keys());
        let mut reads = reads(tables, columns).into_iter();
        let creators = public.filter(|_| tables.contains(&TableName::Creator)).cloned();
        Self { scanned: if made { None } else { reads.next() }, beside: reads.collect(), subqueries, creators, rows_at_scan }
    }

    /// Whether rows are joined to others.
    pub(super) fn are_several(&self) -> bool {
        self.creators.is_some() || self.beside.len() + self.subqueries.len() + usize::from(self.scanned.is_some()) > 1
    }

    /// The columns of joined rows after the owner, in order.
    pub(super) fn columns(&self) -> Vec<Scanned> {
        let listed = self.creators.iter().flat_map(|_| Listed::COLUMNS).map(|column| Scanned::Stored(TableName::Creator, column));
        self.private_columns().into_iter().chain(listed).collect()
    }

    /// The same without those of the public list.
    fn private_columns(&self) -> Vec<Scanned> {
        let of = |read: &Read| read.columns.iter().map(|column| Scanned::Stored(read.table, column)).collect::<Vec<_>>();
        let made = |subquery: &Subquery| subquery.folds.columns(subquery.place).collect::<Vec<_>>();
        let (first, others) = self.subqueries.split_at(usize::from(self.scanned.is_none()).min(self.subqueries.len()));
        let scanned = self.scanned.iter().flat_map(of).chain(first.iter().flat_map(made));
        scanned.chain(self.beside.iter().flat_map(of)).chain(others.iter().flat_map(made)).collect()
    }

    /// The table by whose files a scan is cut into partitions.
    pub(super) fn leading(&self) -> Result<&Read, Fault> {
        match (&self.scanned, self.subqueries.first()) {
            (Some(scanned), _) => Ok(scanned),
            (None, Some(first)) => first.tables.leading(),
            (None, None) => Err(Fault::broken("a plan without a table")),
        }
    }
}

/// The rows of one bucket of a table that is looked up: those of eligible people.
pub(super) struct Held {
    columns: Vec<ArrayRef>,
    index: Index,
}

/// Where a person's rows are.
enum Index {
    /// By the person; people's rows lie together.
    Person(HashMap<u32, Range<u32>>),
    /// By the person and the act.
    Act(HashMap<(u32, ActId), u32>),
}

impl Held {
    /// The rows of `batches` that belong to eligible people.
    pub(super) fn of(read: &Read, batches: &[RecordBatch], eligible: &SubjectSet) -> Result<Self, Fault> {
        let mut kept = Vec::with_capacity(batches.len());
        for batch in batches {
            let mut last = None;
            let eligible: BooleanArray = owners(batch.columns())?.iter().map(|subject| Some(remembered(&mut last, *subject, eligible))).collect();
            kept.push(filter_record_batch(batch, &eligible).map_err(arrow)?);
        }
        let Some(first) = kept.first() else { return Ok(Self { columns: Vec::new(), index: Index::Person(HashMap::new()) }) };
        let rows = concat_batches(&first.schema(), &kept).map_err(arrow)?;
        let owners = owners(rows.columns())?;
        let (index, keys) = if read.by_act {
            let acts = acts(rows.columns())?;
            let number = |row: usize| u32::try_from(row).map_err(|e| Fault::new("numbering rows of a bucket", e));
            (Index::Act((0..rows.num_rows()).zip(owners.iter()).map(|(row, subject)| Ok(((*subject, act(acts, row)?), number(row)?))).collect::<Result<_, Fault>>()?), 2)
        } else {
            (Index::Person(people(&owners)?), 1)
        };
        Ok(Self { columns: rows.columns().iter().skip(keys).cloned().collect(), index })
    }

    /// The rows that are joined to a row of that person and act.
    fn matches(&self, subject: u32, act: Option<&ActId>) -> Range<u32> {
        match (&self.index, act) {
            (Index::Person(people), _) => people.get(&subject).map_or(0..0, |rows| rows.start..rows.end.min(rows.start.saturating_add(INTERESTS_JOINED))),
            (Index::Act(acts), Some(act)) => acts.get(&(subject, *act)).map_or(0..0, |row| *row..*row + 1),
            (Index::Act(_), None) => 0..0,
        }
    }
}

/// The rows that a subquery makes of the people of one bucket, to be looked up: one per person.
#[derive(Default)]
pub(super) struct Collected {
    owners: Vec<u32>,
    /// By batch, and column.
    batches: Vec<Vec<ArrayRef>>,
}

impl Sink for Collected {
    fn take(&mut self, owners: UInt32Array, columns: Vec<ArrayRef>) -> Result<(), Fault> {
        self.owners.extend(owners.values());
        self.batches.push(columns);
        Ok(())
    }
}

impl Collected {
    /// The rows, once all are there.
    pub(super) fn held(self) -> Result<Held, Fault> {
        let mut columns = Vec::new();
        for column in 0..self.batches.first().map_or(0, Vec::len) {
            let parts: Vec<&dyn Array> = self.batches.iter().filter_map(|batch| batch.get(column).map(|part| &**part as &dyn Array)).collect();
            columns.push(concat(&parts).map_err(arrow)?);
        }
        Ok(Held { columns, index: Index::Person(people(&self.owners)?) })
    }
}

/// Each person's rows.
fn people(owners: &[u32]) -> Result<HashMap<u32, Range<u32>>, Fault> {
    let mut people = HashMap::new();
    let mut start = 0_u32;
    for run in owners.chunk_by(|a, b| a == b) {
        let end = u32::try_from(run.len()).ok().and_then(|length| start.checked_add(length)).ok_or_else(|| Fault::broken("a bucket with too many rows"))?;
        // INVARIANT (clustered): otherwise the first rows of a person would depend on files.
        if run.first().is_some_and(|subject| people.insert(*subject, start..end).is_some()) {
            return Err(Fault::broken("the lake's rows are not clustered by person"));
        }
        start = end;
    }
    Ok(people)
}

/// What a lane of the scan knows of the person whose rows it reads: how many it has read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    subject: Option<u32>,
    rows: u32,
}

/// A bucket's rows that are looked up, and for whom.
pub(super) struct Widening<'a> {
    pub(super) tables: &'a Tables,
    pub(super) held: &'a [Held],
    pub(super) eligible: &'a SubjectSet,
}

impl Widening<'_> {
    /// The joined rows of a batch of the scanned table: their owners, and their columns in the order of
    /// [`Tables::columns`].
    pub(super) fn widen(&self, batch: &[ArrayRef], reading: &mut Reading) -> Result<(ScalarBuffer<u32>, Vec<ArrayRef>), Fault> {
        let scanned = owners(batch)?;
        let table = self.tables.scanned.as_ref();
        let by_act = table.is_some_and(|table| table.by_act);
        // Rows that a subquery made were limited there.
        let rows_max = table.map_or(u32::MAX, |_| self.tables.rows_at_scan);
        let (acts, keys) = if by_act { (Some(acts(batch)?), 2) } else { (None, 1) };
        let mut picks: Vec<Vec<u32>> = vec![Vec::new(); self.held.len() + 1];
        let mut matches: Vec<Range<u32>> = Vec::with_capacity(self.held.len());
        let (mut last, mut matched) = (None, None);
        for (row, &subject) in (0_u32..).zip(scanned.iter()) {
            if !remembered(&mut last, subject, self.eligible) {
                continue;
            }
            if reading.subject != Some(subject) {
                *reading = Reading { subject: Some(subject), rows: 0 };
            }
            if reading.rows >= rows_max {
                continue;
            }
            reading.rows += 1;
            let act = acts.map(|acts| act(acts, usize::try_from(row).unwrap_or(usize::MAX))).transpose()?;
            // All rows of a person match the same, except by their acts.
            if act.is_some() || matched != Some(subject) {
                matches.clear();
                matches.extend(self.held.iter().map(|held| held.matches(subject, act.as_ref())));
                matched = Some(subject);
            }
            pair(&mut picks, row, &matches);
        }
        let mut picks = picks.into_iter().map(UInt32Array::from);
        let of_scan = picks.next().ok_or_else(|| Fault::broken("a join without a scanned table"))?;
        let mut columns = Vec::new();
        for column in batch.iter().skip(keys) {
            columns.push(take(column, &of_scan, None).map_err(arrow)?);
        }
        for (held, picks) in self.held.iter().zip(picks) {
            for column in &held.columns {
                columns.push(take(column, &picks, None).map_err(arrow)?);
            }
        }
        let owner = batch.first().ok_or_else(|| Fault::broken("a batch without an owner"))?;
        let owner = take(owner, &of_scan, None).map_err(arrow)?;
        let Some(creators) = &self.tables.creators else { return Ok((owners(&[owner])?, columns)) };
        let account = Scanned::Stored(TableName::Activity, CREATOR);
        let account = self.tables.private_columns().iter().position(|column| *column == account).and_then(|place| columns.get(place)).cloned();
        let account = account.ok_or_else(|| Fault::broken("a list of creators without acts"))?;
        let mut columns = creators.join(&account, std::iter::once(owner).chain(columns).collect())?;
        let owner = columns.remove(0);
        Ok((owners(&[owner])?, columns))
    }
}

/// Adds every combination of a scanned row with the rows that match it.
fn pair(picks: &mut [Vec<u32>], row: u32, matches: &[Range<u32>]) {
    let Some((of_scan, of_held)) = picks.split_first_mut() else { return };
    let length = |range: &Range<u32>| range.end.saturating_sub(range.start);
    let combinations = matches.iter().map(length).product::<u32>();
    for combination in 0..combinations {
        of_scan.push(row);
        let mut rest = combination;
        for (picks, range) in of_held.iter_mut().zip(matches) {
            // No combinations are made where a length is 0.
            picks.push(range.start + rest % length(range).max(1));
            rest /= length(range).max(1);
        }
    }
}

/// Whether `subject` is eligible, asked once per run of their rows.
fn remembered(last: &mut Option<(u32, bool)>, subject: u32, eligible: &SubjectSet) -> bool {
    match *last {
        Some((same, answer)) if same == subject => answer,
        _ => {
            let answer = eligible.contains(SubjectId(subject));
            *last = Some((subject, answer));
            answer
        }
    }
}

/// The owners of rows: their first column.
pub(super) fn owners(columns: &[ArrayRef]) -> Result<ScalarBuffer<u32>, Fault> {
    let owner = columns.first().ok_or_else(|| Fault::broken("a batch without an owner"))?;
    Ok(owner.as_primitive_opt::<UInt32Type>().ok_or_else(|| Fault::broken("an owner that is no id"))?.values().clone())
}

/// The acts of rows: their second column.
fn acts(columns: &[ArrayRef]) -> Result<&FixedSizeBinaryArray, Fault> {
    columns.get(1).and_then(|column| column.as_fixed_size_binary_opt()).ok_or_else(|| Fault::broken("rows without their act"))
}

fn act(acts: &FixedSizeBinaryArray, row: usize) -> Result<ActId, Fault> {
    if row >= acts.len() {
        return Err(Fault::broken("an act beyond its batch"));
    }
    acts.value(row).try_into().map_err(|e| Fault::new("reading an act's id", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_paired_with_all_that_match() {
        let mut picks = vec![Vec::new(); 3];
        pair(&mut picks, 7, &[4..5, 10..13]);
        pair(&mut picks, 8, &[4..5, 0..0]);
        assert_eq!(picks, [vec![7, 7, 7], vec![4, 4, 4], vec![10, 11, 12]]);
    }

    #[test]
    fn a_person_whose_rows_lie_apart_is_a_fault() {
        assert_eq!(people(&[3, 3, 5]).unwrap().get(&3), Some(&(0..2)));
        people(&[3, 5, 3]).unwrap_err();
    }
}
