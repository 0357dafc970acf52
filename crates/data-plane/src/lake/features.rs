//! Features derived from texts: a pass of its own, bucket by bucket.
//!
//! What the source said stays as it is. A derived value is marked as such, so that a later version of
//! the rules replaces it: the result depends on what sources said and on the version, and on nothing
//! that an earlier pass did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryBuilder, RecordBatch, StringArray, UInt8Array, UInt32Array};
use datafusion::arrow::compute::{cast, concat_batches, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, UInt8Type, UInt32Type};
use datafusion::arrow::error::ArrowError;
use domain::Fault;
use domain::catalog::TableName;
use domain::lake::{LakeFile, Manifest};
use domain::port::FeatureExtractor;
use domain::record::Features;
use hashbrown::{HashMap, HashSet};

use super::files::{self, Part};
use super::merge::{ActKey, column, keys, sort, texts};
use super::store::Store;
use crate::schema::{ACTIVITY_ID_BYTES, ARRIVED_AS, NO_TEXT, schema};

/// Bits of the column `derived`.
const LANGUAGE: u8 = 1;
const LINK: u8 = 2;
const WORDS: u8 = 4;

fn arrow(error: ArrowError) -> Fault {
    Fault::new("deriving features", error)
}

/// Derives the features of some buckets anew where they are of an older version.
pub(super) fn derive(store: &Store, base: &Manifest, buckets: &BTreeSet<u32>, extractor: &dyn FeatureExtractor) -> Result<Manifest, Fault> {
    let by_bucket = |table: TableName| {
        let mut all: BTreeMap<u32, Vec<LakeFile>> = BTreeMap::new();
        base.files(table).iter().for_each(|f| all.entry(f.bucket).or_default().push(f.clone()));
        all
    };
    let (mut acts, mut tags) = (by_bucket(TableName::Activity), by_bucket(TableName::ActivityTag));
    for &number in buckets {
        let pass = Pass { store, number, extractor };
        let mut derived = Derived::default();
        for file in acts.entry(number).or_default().iter_mut().filter(|f| f.features < extractor.version()) {
            *file = pass.acts(file, &mut derived)?;
        }
        let files = pass.tags(tags.remove(&number).unwrap_or_default(), derived)?;
        tags.insert(number, files);
    }
    let mut manifest = base.clone();
    for (table, buckets) in [(TableName::Activity, acts), (TableName::ActivityTag, tags)] {
        manifest.tables.insert(table, buckets.into_values().flatten().collect());
    }
    store.sync()?;
    Ok(manifest)
}

struct Pass<'a> {
    store: &'a Store,
    number: u32,
    extractor: &'a dyn FeatureExtractor,
}

/// Hashtags of the acts that were read.
#[derive(Default)]
struct Derived {
    /// Acts with a text.
    acts: HashSet<ActKey>,
    tags: Vec<DerivedTag>,
}

/// A hashtag found in the text of an act.
struct DerivedTag {
    act: ActKey,
    /// As the act's row says.
    arrived_as: Option<u32>,
    tag: String,
}

impl Pass<'_> {
    fn part(&self, table: TableName) -> Part {
        Part { table, bucket: self.number, features: self.extractor.version() }
    }

    /// A file of acts with the features of this version. One without texts stays as it is.
    fn acts(&self, file: &LakeFile, derived: &mut Derived) -> Result<LakeFile, Fault> {
        let parts = files::read(self.store, file, TableName::Activity)?;
        let rows = concat_batches(&schema(TableName::Activity), &parts).map_err(arrow)?;
        drop(parts);
        let texts = column(&rows, "text")?.as_string::<i32>();
        if texts.null_count() == rows.num_rows() {
            return Ok(LakeFile { features: self.extractor.version(), ..file.clone() });
        }
        let arrived = column(&rows, ARRIVED_AS)?.as_primitive::<UInt32Type>();
        let said = Said::of(&rows)?;
        let mut features = Vec::with_capacity(rows.num_rows());
        for (row, key) in keys(&rows)?.into_iter().enumerate() {
            let Some(text) = texts.is_valid(row).then(|| texts.value(row)) else {
                features.push(Features::default());
                continue;
            };
            let mut extracted = self.extractor.extract(text, said.language(row));
            derived.acts.insert(key);
            let arrived_as = arrived.is_valid(row).then(|| arrived.value(row));
            derived.tags.extend(extracted.tags.drain(..).map(|tag| DerivedTag { act: key, arrived_as, tag }));
            features.push(extracted);
        }
        let rows = said.with(&rows, &features)?;
        files::write(self.store, self.part(TableName::Activity), &rows)
    }

    /// The bucket's hashtags: what sources said, and what was derived besides.
    fn tags(&self, base: Vec<LakeFile>, derived: Derived) -> Result<Vec<LakeFile>, Fault> {
        let mut parts = Vec::new();
        for file in &base {
            parts.extend(files::read(self.store, file, TableName::ActivityTag)?);
        }
        let there = concat_batches(&schema(TableName::ActivityTag), &parts).map_err(arrow)?;
        let (there_keys, marks) = (keys(&there)?, column(&there, "derived")?.as_boolean());
        let stays: BooleanArray = there_keys.iter().zip(marks.values()).map(|(key, mark)| Some(!(mark && derived.acts.contains(key)))).collect();
        let Derived { acts, tags } = derived;
        let mut said: HashMap<ActKey, HashSet<String>> = HashMap::new();
        let words = cast(column(&there, "tag")?, &DataType::Utf8).map_err(arrow)?;
        for ((key, stays), word) in there_keys.into_iter().zip(stays.values()).zip(words.as_string::<i32>()) {
            if stays && acts.contains(&key) {
                said.entry(key).or_default().insert(word.unwrap_or_default().to_owned());
            }
        }
        let new: Vec<DerivedTag> = tags.into_iter().filter(|t| said.get(&t.act).is_none_or(|said| !said.contains(&t.tag))).collect();
        if new.is_empty() && stays.true_count() == there.num_rows() {
            return Ok(base.into_iter().map(|file| LakeFile { features: self.extractor.version(), ..file }).collect());
        }
        let kept = filter_record_batch(&there, &stays).map_err(arrow)?;
        let all = concat_batches(&schema(TableName::ActivityTag), [&kept, &tag_rows(&new).map_err(arrow)?]).map_err(arrow)?;
        if all.num_rows() == 0 {
            return Ok(Vec::new());
        }
        Ok(vec![files::write(self.store, self.part(TableName::ActivityTag), &sort(TableName::ActivityTag, &all)?)?])
    }
}

fn tag_rows(tags: &[DerivedTag]) -> Result<RecordBatch, ArrowError> {
    let mut ids = FixedSizeBinaryBuilder::new(ACTIVITY_ID_BYTES);
    for DerivedTag { act: (_, id), .. } in tags {
        ids.append_value(id)?;
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(tags.iter().map(|t| t.act.0))),
        Arc::new(ids.finish()),
        texts(tags.iter().map(|t| Some(t.tag.as_str()))),
        Arc::new(tags.iter().map(|_| Some(true)).collect::<BooleanArray>()),
        Arc::new(tags.iter().map(|t| t.arrived_as).collect::<UInt32Array>()),
    ];
    RecordBatch::try_new(schema(TableName::ActivityTag), columns)
}

/// What sources said of acts, without what an earlier pass derived.
struct Said {
    languages: StringArray,
    links: StringArray,
    words: UInt32Array,
    derived: UInt8Array,
}

impl Said {
    fn of(rows: &RecordBatch) -> Result<Self, Fault> {
        let texts = |name: &str| Ok::<_, Fault>(cast(column(rows, name)?, &DataType::Utf8).map_err(arrow)?.as_string::<i32>().clone());
        Ok(Self {
            languages: texts("language")?,
            links: texts("link_domain")?,
            words: column(rows, "word_count")?.as_primitive::<UInt32Type>().clone(),
            derived: column(rows, "derived")?.as_primitive::<UInt8Type>().clone(),
        })
    }

    fn said(&self, row: usize, bit: u8) -> bool {
        self.derived.value(row) & bit == 0
    }

    fn language(&self, row: usize) -> Option<&str> {
        Some(self.languages.value(row)).filter(|language| self.said(row, LANGUAGE) && *language != NO_TEXT)
    }

    fn link(&self, row: usize) -> Option<&str> {
        Some(self.links.value(row)).filter(|link| self.said(row, LINK) && *link != NO_TEXT)
    }

    fn word_count(&self, row: usize) -> Option<u32> {
        (self.said(row, WORDS) && self.words.is_valid(row)).then(|| self.words.value(row))
    }

    /// The rows with features where sources said nothing.
    fn with(&self, rows: &RecordBatch, features: &[Features]) -> Result<RecordBatch, Fault> {
        let each = || features.iter().enumerate();
        let marks = each().map(|(row, f)| {
            let mark = |bit: u8, said: bool, derived: bool| if !said && derived { bit } else { 0 };
            mark(LANGUAGE, self.language(row).is_some(), f.language.is_some())
                | mark(LINK, self.link(row).is_some(), f.link_domain.is_some())
                | mark(WORDS, self.word_count(row).is_some(), f.word_count.is_some())
        });
        let columns = [
            ("language", texts(each().map(|(row, f)| self.language(row).or(f.language.as_deref())))),
            ("link_domain", texts(each().map(|(row, f)| self.link(row).or(f.link_domain.as_deref())))),
            ("word_count", Arc::new(each().map(|(row, f)| self.word_count(row).or(f.word_count)).collect::<UInt32Array>()) as ArrayRef),
            ("derived", Arc::new(UInt8Array::from_iter_values(marks)) as ArrayRef),
        ];
        let replaced = |name: &str| columns.iter().find(|(column, _)| *column == name).map(|(_, values)| Arc::clone(values));
        let all = rows.schema_ref().fields().iter().zip(rows.columns()).map(|(field, old)| replaced(field.name()).unwrap_or_else(|| Arc::clone(old)));
        RecordBatch::try_new(rows.schema(), all.collect()).map_err(arrow)
    }
}

#[cfg(test)]
mod tests;
