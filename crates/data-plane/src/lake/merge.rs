//! One bucket: what is there and what arrives, per owner and native key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, RecordBatch, StringDictionaryBuilder, UInt8Array, UInt32Array};
use datafusion::arrow::compute::{SortColumn, concat_batches, filter_record_batch, lexsort_to_indices, rank, take_record_batch};
use datafusion::arrow::datatypes::{Date32Type, Int32Type, TimestampMicrosecondType, UInt8Type, UInt32Type, UInt64Type};
use datafusion::arrow::error::ArrowError;
use domain::Fault;
use domain::catalog::{ROWS_AT_SCAN, TableName};
use domain::lake::LakeFile;
use domain::record::{ActivityKind, Counts};
use domain::subject::{AgeBand, FollowersBand};
use hashbrown::{HashMap, HashSet};

use super::append::{ORDINAL, REMOVED};
use super::files::{self, Part};
use super::order::by_subject;
use super::spill::Spill;
use super::store::Store;
use crate::schema::schema;

/// Files of a bucket before they are made one.
const FILES_MAX: usize = 4;

/// So many times as many rows must be there as arrive for the arrivals to get a file of their own.
const APPEND_RATIO: u64 = 4;

/// An act as its bucket knows it: owner and id.
pub(super) type ActKey = (u32, [u8; 16]);

/// One bucket of an import.
pub(super) struct Bucket<'a> {
    pub(super) store: &'a Store,
    pub(super) number: u32,
    pub(super) spill: &'a Spill,
    /// Its files now, by table.
    pub(super) base: &'a dyn Fn(TableName) -> Vec<LakeFile>,
}

/// A bucket's files after an import, by table; tables that did not change are not there.
pub(super) type Merged = BTreeMap<TableName, Vec<LakeFile>>;

fn arrow(error: ArrowError) -> Fault {
    Fault::new("building rows for the lake", error)
}

impl Bucket<'_> {
    /// Writes what changes, and counts by source what was new.
    pub(super) fn merge(&self, counts: &mut HashMap<u32, Counts>) -> Result<Merged, Fault> {
        let mut merged = Merged::new();
        if let Some(rows) = self.spill.rows(TableName::Activity, self.number)? {
            let base = (self.base)(TableName::Activity);
            let changes = self.changes(&base, &rows, counts)?;
            if let Some(files) = self.write(TableName::Activity, base, self.plain(TableName::Activity, rows, &changes)?, &changes.gone)? {
                merged.insert(TableName::Activity, files);
            }
            let tags = match self.spill.rows(TableName::ActivityTag, self.number)? {
                Some(rows) => self.plain(TableName::ActivityTag, rows, &changes)?,
                None => RecordBatch::new_empty(schema(TableName::ActivityTag)),
            };
            if let Some(files) = self.write(TableName::ActivityTag, (self.base)(TableName::ActivityTag), tags, &changes.gone)? {
                merged.insert(TableName::ActivityTag, files);
            }
        }
        for (table, merge) in [(TableName::Subject, merge_subjects as fn(_, _) -> _), (TableName::SubjectInterest, merge_interests)] {
            let Some(rows) = self.spill.rows(table, self.number)? else { continue };
            let old = self.all(table, &(self.base)(table))?;
            if let Some(all) = merge(old, rows)? {
                merged.insert(table, vec![files::write(self.store, self.part(table, 0), &all)?]);
            }
        }
        Ok(merged)
    }

    /// What of the arriving acts is new, and what of the acts that are there goes.
    fn changes(&self, base: &[LakeFile], rows: &RecordBatch, counts: &mut HashMap<u32, Counts>) -> Result<Changes, Fault> {
        let mut there: Vec<ActKey> = Vec::new();
        for file in base {
            for batch in files::columns(self.store, file, TableName::Activity, &["subject_id", "activity_id"])? {
                there.extend(keys(&batch)?);
            }
        }
        let (sources, kinds) = (column(rows, "source")?.as_primitive::<UInt32Type>(), column(rows, "kind")?.as_primitive::<UInt8Type>());
        let (ordinals, removed) = (column(rows, ORDINAL)?.as_primitive::<UInt64Type>(), column(rows, REMOVED)?.as_boolean());
        let kind = |row: usize| ActivityKind::ALL.get(usize::from(kinds.value(row))).copied().ok_or_else(|| Fault::broken("an act of no kind"));
        // By act, each with what was there (0) before what arrives, in the order of arrival.
        let there = there.into_iter().map(|key| entry(key, 0));
        let arriving = keys(rows)?.into_iter().zip(1_u32..).map(|(key, place)| entry(key, place));
        let all = by_subject(there.chain(arriving).collect());
        let mut changes = Changes::default();
        let mut added = 0;
        for act in all.chunk_by(|(a, (a_high, a_low, _)), (b, (b_high, b_low, _))| (a, a_high, a_low) == (b, b_high, b_low)) {
            let Some(&(subject, (high, low, first))) = act.first() else { continue };
            let was_there = first == 0;
            let mut stays = was_there;
            let mut new = None;
            for row in act.iter().filter_map(|(_, (.., place))| usize::try_from(*place).ok()?.checked_sub(1)) {
                let counts = counts.entry(sources.value(row)).or_default();
                if removed.value(row) {
                    counts.deleted += 1;
                    (stays, new) = (false, None);
                } else if stays || new.is_some() {
                    counts.duplicates += 1;
                } else {
                    new = Some(row);
                }
            }
            if was_there && !stays {
                changes.gone.insert((subject, (u128::from(high) << 64 | u128::from(low)).to_be_bytes()));
            }
            if let Some(row) = new {
                added += 1;
                changes.added.push(ordinals.value(row));
                counts.entry(sources.value(row)).or_default().count(kind(row)?);
            }
        }
        changes.everything = added == rows.num_rows();
        if !changes.everything {
            changes.added.sort_unstable();
        }
        Ok(changes)
    }

    /// The added rows in the shape of the lake.
    fn plain(&self, table: TableName, rows: RecordBatch, changes: &Changes) -> Result<RecordBatch, Fault> {
        let rows = if changes.everything {
            rows
        } else {
            let ordinals = column(&rows, ORDINAL)?.as_primitive::<UInt64Type>();
            let wanted: BooleanArray = ordinals.values().iter().map(|o| Some(changes.added.binary_search(o).is_ok())).collect();
            filter_record_batch(&rows, &wanted).map_err(arrow)?
        };
        let kept: Vec<usize> = (0..schema(table).fields().len()).collect();
        rows.project(&kept).map_err(arrow)
    }

    /// The files of a table after rows were added and acts went; none when nothing changes.
    ///
    /// Few rows beside many get a file of their own. A bucket in which one person has more rows than a
    /// question looks at stays in one file: which of them are looked at must not depend on how they
    /// came in (`clean_room`, row cap).
    fn write(&self, table: TableName, base: Vec<LakeFile>, new: RecordBatch, gone: &HashSet<ActKey>) -> Result<Option<Vec<LakeFile>>, Fault> {
        if new.num_rows() == 0 && gone.is_empty() {
            return Ok(None);
        }
        let there: u64 = base.iter().map(|f| f.rows).sum();
        let small = gone.is_empty() && !base.is_empty() && base.len() < FILES_MAX && there / APPEND_RATIO > new.num_rows() as u64;
        if small && self.nobody_exceeds_the_cap(table, &base, &new)? {
            let file = files::write(self.store, self.part(table, 0), &sort(table, &new)?)?;
            return Ok(Some([base, vec![file]].concat()));
        }
        let mut all = self.all(table, &base)?;
        if !gone.is_empty() {
            let kept: BooleanArray = keys(&all)?.into_iter().map(|key| Some(!gone.contains(&key))).collect();
            let filtered = filter_record_batch(&all, &kept).map_err(arrow)?;
            if filtered.num_rows() == all.num_rows() && new.num_rows() == 0 {
                return Ok(None);
            }
            all = filtered;
        }
        // Rows that arrive have no features yet.
        let features = if new.num_rows() == 0 { features(&base) } else { 0 };
        let all = if all.num_rows() == 0 { new } else { concat_batches(&schema(table), [&all, &new]).map_err(arrow)? };
        if all.num_rows() == 0 {
            return Ok(Some(Vec::new()));
        }
        files::write(self.store, self.part(table, features), &sort(table, &all)?).map(|file| Some(vec![file]))
    }

    /// Whether everybody's rows together are no more than a question looks at.
    fn nobody_exceeds_the_cap(&self, table: TableName, base: &[LakeFile], new: &RecordBatch) -> Result<bool, Fault> {
        let mut parts = vec![new.clone()];
        for file in base {
            parts.extend(files::columns(self.store, file, table, &["subject_id"])?);
        }
        let mut rows: HashMap<u32, u32> = HashMap::new();
        for part in &parts {
            for subject in column(part, "subject_id")?.as_primitive::<UInt32Type>().values() {
                *rows.entry(*subject).or_default() += 1;
            }
        }
        Ok(rows.into_values().all(|rows| rows <= ROWS_AT_SCAN))
    }

    const fn part(&self, table: TableName, features: u32) -> Part {
        Part { table, bucket: self.number, features }
    }

    /// All rows of a bucket's files.
    fn all(&self, table: TableName, base: &[LakeFile]) -> Result<RecordBatch, Fault> {
        let mut parts = Vec::new();
        for file in base {
            parts.extend(files::read(self.store, file, table)?);
        }
        concat_batches(&schema(table), &parts).map_err(arrow)
    }
}

/// The version of features that all rows of `files` have: the lowest.
pub(super) fn features(files: &[LakeFile]) -> u32 {
    files.iter().map(|f| f.features).min().unwrap_or(0)
}

/// What an import changes in a bucket.
#[derive(Default)]
struct Changes {
    /// Ordinals of the acts that are new; ascending, unless everything is.
    added: Vec<u64>,
    /// Whether every row that arrives is a new act.
    everything: bool,
    /// Acts that were there and go.
    gone: HashSet<ActKey>,
}

/// The acts that rows belong to.
pub(super) fn keys(rows: &RecordBatch) -> Result<Vec<ActKey>, Fault> {
    let subjects = column(rows, "subject_id")?.as_primitive::<UInt32Type>();
    let ids = column(rows, "activity_id")?.as_fixed_size_binary();
    let key = |(subject, id): (&u32, Option<&[u8]>)| Ok((*subject, id.unwrap_or_default().try_into().map_err(|e| Fault::new("reading an act's id", e))?));
    subjects.values().iter().zip(ids.iter()).map(key).collect()
}

/// A column of the lake.
pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, Fault> {
    batch.column_by_name(name).ok_or_else(|| Fault::broken(format!("the lake has no column {name}")))
}

/// Rows by person, then by all leading columns that tell rows apart.
pub(super) fn sort(table: TableName, rows: &RecordBatch) -> Result<RecordBatch, Fault> {
    match table {
        TableName::Activity => sort_acts(rows, column(rows, "at")?.as_primitive::<TimestampMicrosecondType>().iter().map(|at| at.unwrap_or(i64::MIN))),
        TableName::ActivityTag => {
            let tags = column(rows, "tag")?.as_dictionary_opt::<Int32Type>().ok_or_else(|| Fault::broken("tags that are no dictionary"))?;
            let ranks = rank(tags.values(), None).map_err(arrow)?;
            let ranks = tags.keys().iter().map(|key| key.and_then(|k| usize::try_from(k).ok()).and_then(|k| ranks.get(k)).map_or(0, |r| i64::from(*r)));
            sort_acts(rows, ranks)
        }
        TableName::Subject => sort_by(rows, &["subject_id"]),
        TableName::SubjectInterest => sort_by(rows, &["subject_id", "interest", "origin"]),
    }
}

/// Rows by person, then `second`, then act. Sorted as numbers: comparing columns row by row, as
/// [`sort_by`] does, takes several times as long.
fn sort_acts(rows: &RecordBatch, second: impl Iterator<Item = i64>) -> Result<RecordBatch, Fault> {
    let order = keys(rows)?.into_iter().zip(second).zip(0_u32..).map(|((key, second), row)| {
        let (subject, (high, low, row)) = entry(key, row);
        (subject, (second, high, low, row))
    });
    let order = by_subject(order.collect());
    take_record_batch(rows, &UInt32Array::from_iter_values(order.into_iter().map(|(_, (.., row))| row))).map_err(arrow)
}

/// An act as numbers that compare fast: its owner, its id in two halves, and a place.
fn entry((subject, id): ActKey, place: u32) -> (u32, (u64, u64, u32)) {
    let id = u128::from_be_bytes(id);
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    let halves = ((id >> 64) as u64, id as u64);
    (subject, (halves.0, halves.1, place))
}

fn sort_by(rows: &RecordBatch, order: &[&str]) -> Result<RecordBatch, Fault> {
    let order = order.iter().map(|name| column(rows, name).map(|c| SortColumn { values: Arc::clone(c), options: None })).collect::<Result<Vec<_>, _>>()?;
    let indices = lexsort_to_indices(&order, None).map_err(arrow)?;
    take_record_batch(rows, &indices).map_err(arrow)
}

/// A dictionary's text in one row.
pub(super) fn text(array: &ArrayRef, row: usize) -> Option<String> {
    let array = array.as_dictionary_opt::<Int32Type>()?;
    let key = array.key(row)?;
    array.values().as_string_opt::<i32>().map(|texts| texts.value(key).to_owned())
}

pub(super) fn texts<'a>(each: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    each.for_each(|text| builder.append_option(text));
    Arc::new(builder.finish())
}

/// One person's attributes. A later source fills in and corrects; what it does not know stays.
#[derive(Clone, Default, PartialEq)]
struct Attributes {
    country: Option<String>,
    region: Option<String>,
    age_band: Option<u8>,
    language: Option<String>,
    joined_month: Option<i32>,
    followers_band: Option<u8>,
}

/// The place of "unknown" in the public lists.
fn unknown() -> (Option<u8>, Option<u8>) {
    let place = |at: Option<usize>| at.and_then(|p| u8::try_from(p).ok());
    (place(AgeBand::ALL.iter().position(|a| *a == AgeBand::Unknown)), place(FollowersBand::ALL.iter().position(|f| *f == FollowersBand::Unknown)))
}

fn learn(people: &mut BTreeMap<u32, Attributes>, rows: &RecordBatch) -> Result<(), Fault> {
    fn overwrite<T>(old: &mut Option<T>, new: Option<T>) {
        if new.is_some() {
            *old = new;
        }
    }
    let subjects = column(rows, "subject_id")?.as_primitive::<UInt32Type>();
    let (country, region, language) = (column(rows, "country")?, column(rows, "region")?, column(rows, "language")?);
    let (ages, followers) = (column(rows, "age_band")?.as_primitive::<UInt8Type>(), column(rows, "followers_band")?.as_primitive::<UInt8Type>());
    let months = column(rows, "joined_month")?.as_primitive::<Date32Type>();
    let (no_age, no_followers) = unknown();
    for (row, subject) in subjects.values().iter().enumerate() {
        let person = people.entry(*subject).or_default();
        overwrite(&mut person.country, text(country, row));
        overwrite(&mut person.region, text(region, row));
        overwrite(&mut person.age_band, Some(ages.value(row)).filter(|a| Some(*a) != no_age));
        overwrite(&mut person.language, text(language, row));
        overwrite(&mut person.joined_month, months.is_valid(row).then(|| months.value(row)));
        overwrite(&mut person.followers_band, Some(followers.value(row)).filter(|f| Some(*f) != no_followers));
    }
    Ok(())
}

fn merge_subjects(old: RecordBatch, new: RecordBatch) -> Result<Option<RecordBatch>, Fault> {
    let mut people = BTreeMap::new();
    learn(&mut people, &old)?;
    let before = people.clone();
    learn(&mut people, &new)?;
    if people == before {
        return Ok(None);
    }
    let (no_age, no_followers) = unknown();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(people.keys().copied())),
        texts(people.values().map(|p| p.country.as_deref())),
        texts(people.values().map(|p| p.region.as_deref())),
        Arc::new(people.values().map(|p| p.age_band.or(no_age)).collect::<UInt8Array>()),
        texts(people.values().map(|p| p.language.as_deref())),
        Arc::new(people.values().map(|p| p.joined_month).collect::<Date32Array>()),
        Arc::new(people.values().map(|p| p.followers_band.or(no_followers)).collect::<UInt8Array>()),
    ];
    RecordBatch::try_new(schema(TableName::Subject), columns).map(Some).map_err(arrow)
}

fn merge_interests(old: RecordBatch, new: RecordBatch) -> Result<Option<RecordBatch>, Fault> {
    let mut interests: BTreeSet<(u32, String, u8)> = BTreeSet::new();
    let mut before = 0;
    for rows in [&old, &new] {
        before = interests.len();
        let subjects = column(rows, "subject_id")?.as_primitive::<UInt32Type>();
        let (topics, origins) = (column(rows, "interest")?, column(rows, "origin")?.as_primitive::<UInt8Type>());
        for (row, subject) in subjects.values().iter().enumerate() {
            interests.insert((*subject, text(topics, row).unwrap_or_default(), origins.value(row)));
        }
    }
    if interests.len() == before {
        return Ok(None);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(interests.iter().map(|(s, ..)| *s))),
        texts(interests.iter().map(|(_, topic, _)| Some(topic.as_str()))),
        Arc::new(UInt8Array::from_iter_values(interests.iter().map(|(.., origin)| *origin))),
    ];
    RecordBatch::try_new(schema(TableName::SubjectInterest), columns).map(Some).map_err(arrow)
}
