//! One bucket: what is there and what arrives, per owner and native key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, RecordBatch, StringDictionaryBuilder, UInt8Array, UInt32Array};
use datafusion::arrow::compute::{SortColumn, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch};
use datafusion::arrow::datatypes::{Date32Type, Int32Type, TimestampMicrosecondType, UInt8Type, UInt32Type};
use datafusion::arrow::error::ArrowError;
use domain::Fault;
use domain::catalog::{ROWS_AT_SCAN, TableName};
use domain::lake::LakeFile;
use domain::record::Counts;
use domain::subject::{AgeBand, FollowersBand};
use hashbrown::{HashMap, HashSet};

use super::arrivals::{Arrivals, tags};
use super::complete::{Sources, all_taken};
use super::files::{self, Part, Writer};
use super::order::by_subject;
use super::spill::Spill;
use super::store::Store;
use crate::schema::{NO_TEXT, PLACE, schema};

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
    pub(super) fn merge(&self, spill: &mut Spill, known: &Sources, counts: &mut HashMap<u32, Counts>) -> Result<Merged, Fault> {
        let mut merged = Merged::new();
        let base = (self.base)(TableName::Activity);
        let mut arrivals = Arrivals::new(self.there(&base, spill)?, counts);
        let acts = self.add(TableName::Activity, &base, spill, |rows| arrivals.acts(rows, known))?;
        let Arrivals { left_out, gone, .. } = arrivals;
        merged.extend(self.finish(TableName::Activity, base, acts, &gone)?.map(|files| (TableName::Activity, files)));
        let base = (self.base)(TableName::ActivityTag);
        let tags = self.add(TableName::ActivityTag, &base, spill, |rows| sort(TableName::ActivityTag, &tags(rows, &left_out)?))?;
        merged.extend(self.finish(TableName::ActivityTag, base, tags, &gone)?.map(|files| (TableName::ActivityTag, files)));
        for (table, merge) in [(TableName::Subject, merge_subjects as fn(_, _) -> _), (TableName::SubjectInterest, merge_interests)] {
            let Some(rows) = spill.rows(table, &spill.people(self.number))? else { continue };
            let old = self.all(table, &(self.base)(table))?;
            if let Some(all) = merge(old, known.kept(rows)?)? {
                merged.insert(table, vec![files::write(self.store, self.part(table, 0), &all)?]);
            }
        }
        Ok(merged)
    }

    /// The acts that are there, in case some arrive.
    fn there(&self, base: &[LakeFile], spill: &Spill) -> Result<Vec<(u32, u128)>, Fault> {
        let mut there = Vec::new();
        if !spill.windows(TableName::Activity, self.number).is_empty() {
            for file in base {
                for batch in files::columns(self.store, file, TableName::Activity, &["subject_id", "activity_id"])? {
                    there.extend(keys(&batch)?.into_iter().map(|(subject, id)| (subject, u128::from_be_bytes(id))));
                }
            }
        }
        Ok(by_subject(there))
    }

    /// What `each` makes of the rows that arrive, a few people's at a time. Where nothing is there, it is
    /// written at once, so that memory does not grow with the bucket.
    fn add(&self, table: TableName, base: &[LakeFile], spill: &mut Spill, mut each: impl FnMut(RecordBatch) -> Result<RecordBatch, Fault>) -> Result<Added, Fault> {
        let (mut writer, mut waiting) = (None, Vec::new());
        for people in spill.windows(table, self.number) {
            let Some(rows) = spill.rows(table, &people)? else { continue };
            let rows = each(rows)?;
            if rows.num_rows() == 0 {
                continue;
            }
            if base.is_empty() {
                let writer = match &mut writer {
                    Some(writer) => writer,
                    none => none.insert(Writer::begin(self.store, self.part(table, 0))?),
                };
                writer.write(&rows)?;
            } else {
                waiting.push(rows);
            }
        }
        Ok(match writer {
            Some(writer) => Added::Written(writer.finish()?),
            None => Added::Waiting(concat_batches(&schema(table), &waiting).map_err(arrow)?),
        })
    }

    fn finish(&self, table: TableName, base: Vec<LakeFile>, added: Added, gone: &HashSet<ActKey>) -> Result<Option<Vec<LakeFile>>, Fault> {
        match added {
            Added::Written(file) => Ok(Some(vec![file])),
            Added::Waiting(rows) => self.write(table, base, rows, gone),
        }
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

/// What [`Bucket::add`] led to.
enum Added {
    /// The only file of the bucket.
    Written(LakeFile),
    /// Sorted rows beside which others are there.
    Waiting(RecordBatch),
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
        TableName::Activity => {
            let at = column(rows, "at")?.as_primitive::<TimestampMicrosecondType>();
            sort_acts(rows, |row| if at.is_null(row) { i64::MIN } else { at.value(row) })
        }
        TableName::ActivityTag => {
            let tags = column(rows, "tag")?.as_dictionary_opt::<Int32Type>().ok_or_else(|| Fault::broken("tags that are no dictionary"))?;
            let texts = tags.values().as_string_opt::<i32>().ok_or_else(|| Fault::broken("tags that are no texts"))?;
            sort_acts(rows, |row| tags.key(row).map(|key| texts.value(key)))
        }
        TableName::Subject => sort_by(rows, &["subject_id"]),
        TableName::SubjectInterest => sort_by(rows, &["subject_id", "interest", "origin"]),
        TableName::Creator => Err(Fault::broken("a public table has no rows in the lake")),
        TableName::Partner(_) => sort_by(rows, &["subject_id", PLACE]),
    }
}

/// Rows by person, then by `second`, then by act. Each person's rows are sorted by themselves: comparing
/// columns row by row, as [`sort_by`] does, takes several times as long.
fn sort_acts<K: Ord>(rows: &RecordBatch, second: impl Fn(usize) -> K) -> Result<RecordBatch, Fault> {
    let keys = keys(rows)?;
    let by_person = by_subject(keys.iter().zip(0_u32..).map(|((subject, _), row)| (*subject, row)).collect());
    let (mut order, mut person) = (Vec::with_capacity(keys.len()), Vec::new());
    for rows in by_person.chunk_by(|a, b| a.0 == b.0) {
        person.clear();
        for (_, row) in rows {
            let place = usize::try_from(*row).map_err(|e| Fault::new("numbering rows", e))?;
            person.push((second(place), keys.get(place).map(|(_, id)| u128::from_be_bytes(*id)), *row));
        }
        person.sort_unstable();
        order.extend(person.iter().map(|(.., row)| *row));
    }
    all_taken(rows, &UInt32Array::from(order)).map_err(arrow)
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
    array.values().as_string_opt::<i32>().map(|texts| texts.value(key)).filter(|text| *text != NO_TEXT).map(str::to_owned)
}

/// A dictionary of texts, or of none.
pub(super) fn texts<'a>(each: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    each.for_each(|text| builder.append_value(text.unwrap_or(NO_TEXT)));
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
