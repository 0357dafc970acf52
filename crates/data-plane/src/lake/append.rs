//! Records → rows on their way into the lake, still in the order in which they arrived.
//!
//! What follows from other columns is left out until the rows go into a file (*complete*): rows are moved
//! several times before.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Datelike;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, FixedSizeBinaryArray, RecordBatch, TimestampMicrosecondArray, UInt8Array, UInt32Array, UInt64Array, new_null_array,
};
use datafusion::arrow::buffer::{Buffer, NullBuffer};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use domain::catalog::TableName;
use domain::lake::Arrival;
use domain::record::{Activities, InterestOrigin, SubjectRecord};
use domain::subject::{AgeBand, FollowersBand};
use domain::{CreatorId, Fault, Platform, SubjectId};

use super::complete::{FOLLOWING, activity_id};
use super::words::{self, Dictionaries};
use crate::schema::{ACTIVITY_ID_BYTES, ARRIVED_AS, CREATOR, schema};

/// The act's number within its import: ties tags to acts.
pub(super) const ORDINAL: &str = "ordinal";
/// Whether the row says that the act was deleted: 1, else 0.
pub(super) const REMOVED: &str = "removed";

/// A table's schema while rows are on their way: with what only an import needs to know, and without
/// what follows.
pub(super) fn arriving(table: TableName) -> SchemaRef {
    let schema = words::numbered(&schema(table));
    let mut fields: Vec<_> = schema.fields().iter().filter(|field| table != TableName::Activity || !FOLLOWING.contains(&field.name().as_str())).cloned().collect();
    if matches!(table, TableName::Activity | TableName::ActivityTag) {
        fields.push(Arc::new(Field::new(ORDINAL, DataType::UInt64, false)));
    }
    match table {
        TableName::Activity => fields.push(Arc::new(Field::new(REMOVED, DataType::UInt8, false))),
        TableName::ActivityTag => {}
        // They do not arrive with imports.
        TableName::Partner(_) | TableName::Creator => {}
        TableName::Subject | TableName::SubjectInterest => fields.push(Arc::new(Field::new("source", DataType::UInt32, false))),
    }
    Arc::new(Schema::new(fields))
}

/// An arrival as rows of each table; `first_ordinal` numbers its acts, `merged` tells whose they are
/// when the source names another id of a person.
pub(super) fn rows(
    arrival: &Arrival,
    source: u32,
    first_ordinal: u64,
    merged: &BTreeMap<SubjectId, SubjectId>,
    dictionaries: &mut Dictionaries,
) -> Result<Vec<(TableName, RecordBatch)>, Fault> {
    let Arrival { batch, ids } = arrival;
    let described = ids.len().checked_sub(batch.subjects.len()).and_then(|earlier| ids.get(earlier..));
    let described = described.ok_or_else(|| Fault::broken("people of an arrival have no ids"))?;
    let named = |owner: &u32| usize::try_from(*owner).ok().and_then(|place| ids.get(place)).copied().ok_or_else(|| Fault::broken("an act without an owner"));
    let named = batch.activities.owners.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    let fault = |e: ArrowError| Fault::new("building rows for the lake", e);
    let acts = Acts { acts: &batch.activities, named: &named, merged, source, first_ordinal };
    let mut tables = Vec::new();
    if !batch.activities.is_empty() {
        tables.push((TableName::Activity, acts.activity(dictionaries).map_err(fault)?));
    }
    if !batch.activities.tagged.is_empty() {
        tables.push((TableName::ActivityTag, acts.tags(batch.source.platform, dictionaries)?));
    }
    if !batch.subjects.is_empty() {
        tables.push((TableName::Subject, subjects(&batch.subjects, described, source, dictionaries).map_err(fault)?));
        tables.push((TableName::SubjectInterest, interests(&batch.subjects, described, source, dictionaries).map_err(fault)?));
    }
    tables.retain(|(_, rows)| rows.num_rows() > 0);
    Ok(tables)
}

/// The place of a word in its public list.
pub(super) fn place<T: PartialEq>(all: &[T], word: &T) -> Option<u8> {
    all.iter().position(|w| w == word).and_then(|place| u8::try_from(place).ok())
}

fn words<T: PartialEq>(all: &[T], each: impl Iterator<Item = T>) -> ArrayRef {
    Arc::new(each.map(|word| place(all, &word)).collect::<UInt8Array>())
}

/// What is one byte of each; the words of a public list are numbered in its order.
fn bytes<T: Copy>(all: &[T], byte: impl Fn(T) -> u8) -> ArrayRef {
    Arc::new(UInt8Array::from_iter_values(all.iter().map(|one| byte(*one))))
}

/// The numbers of accounts. Many sources name none.
fn creators(creators: &[Option<CreatorId>]) -> ArrayRef {
    if creators.iter().all(Option::is_none) {
        return new_null_array(&DataType::UInt64, creators.len());
    }
    Arc::new(creators.iter().map(|creator| creator.map(CreatorId::number)).collect::<UInt64Array>())
}

/// The acts of an arrival, and the ids under which their owners arrived.
struct Acts<'a> {
    acts: &'a Activities,
    named: &'a [SubjectId],
    merged: &'a BTreeMap<SubjectId, SubjectId>,
    source: u32,
    first_ordinal: u64,
}

impl Acts<'_> {
    fn owner(&self, named: SubjectId) -> u32 {
        self.merged.get(&named).unwrap_or(&named).0
    }

    /// The id that the source names, where it was merged into the owner's.
    fn arrived_as(&self, named: impl ExactSizeIterator<Item = SubjectId>) -> ArrayRef {
        if self.merged.is_empty() {
            return new_null_array(&DataType::UInt32, named.len());
        }
        Arc::new(named.map(|named| self.merged.contains_key(&named).then_some(named.0)).collect::<UInt32Array>())
    }

    fn activity(&self, dictionaries: &mut Dictionaries) -> Result<RecordBatch, ArrowError> {
        let Self { acts, named, .. } = self;
        let schema = arriving(TableName::Activity);
        // Many sources know none.
        let counts = |counts: &[Option<u32>]| {
            if counts.iter().all(Option::is_none) { new_null_array(&DataType::UInt32, counts.len()) } else { Arc::new(counts.iter().copied().collect::<UInt32Array>()) }
        };
        let column = |field: &Arc<Field>| {
            Ok(match field.name().as_str() {
                "subject_id" => Arc::new(UInt32Array::from_iter_values(named.iter().map(|n| self.owner(*n)))) as ArrayRef,
                "kind" => bytes(&acts.kinds, |kind| kind as u8),
                "at" => Arc::new(acts.at.iter().map(|at| at.map(|t| t.timestamp_micros())).collect::<TimestampMicrosecondArray>()),
                "language" => dictionaries.recoded(TableName::Activity, "language", &acts.languages)?,
                "word_count" => counts(&acts.word_counts),
                "media" => bytes(&acts.media, |media| media as u8),
                "visibility" => bytes(&acts.visibilities, |visibility| visibility as u8),
                "link_domain" => dictionaries.recoded(TableName::Activity, "link_domain", &acts.link_domains)?,
                "container" => dictionaries.recoded(TableName::Activity, "container", &acts.containers)?,
                CREATOR => creators(&acts.creators),
                "likes_received" => counts(&acts.likes_received),
                "replies_received" => counts(&acts.replies_received),
                "shares_received" => counts(&acts.shares_received),
                "source" => Arc::new(UInt32Array::from_value(self.source, acts.len())),
                "native_key" => words::texts(&acts.native_keys, None)?,
                "text" => words::texts(&acts.texts, Some(NullBuffer::from(acts.has_text.as_slice())))?,
                ARRIVED_AS => self.arrived_as(named.iter().copied()),
                ORDINAL => Arc::new(UInt64Array::from_iter_values((self.first_ordinal..).take(acts.len()))),
                REMOVED => bytes(&acts.removed, u8::from),
                other => return Err(ArrowError::SchemaError(format!("no value for column {other}"))),
            })
        };
        let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(schema, columns)
    }

    fn tags(&self, platform: Platform, dictionaries: &mut Dictionaries) -> Result<RecordBatch, Fault> {
        let tagged = &self.acts.tagged;
        let named = tagged.iter().map(|row| self.named.get(*row).copied());
        let named = named.collect::<Option<Vec<_>>>().ok_or_else(|| Fault::broken("a hashtag without an act"))?;
        let ids: Vec<u8> = tagged.iter().flat_map(|row| activity_id(platform, self.acts.native_keys.get(*row))).collect();
        self.tag_rows(&named, ids, dictionaries).map_err(|e| Fault::new("building rows for the lake", e))
    }

    fn tag_rows(&self, named: &[SubjectId], ids: Vec<u8>, dictionaries: &mut Dictionaries) -> Result<RecordBatch, ArrowError> {
        let tagged = &self.acts.tagged;
        let ordinal = |row: &usize| u64::try_from(*row).unwrap_or(u64::MAX).saturating_add(self.first_ordinal);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from_iter_values(named.iter().map(|n| self.owner(*n)))),
            Arc::new(FixedSizeBinaryArray::try_new(ACTIVITY_ID_BYTES, Buffer::from(ids), None)?),
            dictionaries.recoded(TableName::ActivityTag, "tag", &self.acts.tags)?,
            Arc::new(BooleanArray::from(vec![false; tagged.len()])),
            self.arrived_as(named.iter().copied()),
            Arc::new(UInt64Array::from_iter_values(tagged.iter().map(ordinal))),
        ];
        RecordBatch::try_new(arriving(TableName::ActivityTag), columns)
    }
}

/// What a source knows of people: unknown is empty, so that merging can tell.
fn subjects(records: &[SubjectRecord], ids: &[SubjectId], source: u32, dictionaries: &mut Dictionaries) -> Result<RecordBatch, ArrowError> {
    let all = || records.iter();
    let mut texts = |column, text: fn(&SubjectRecord) -> Option<&str>| dictionaries.coded(TableName::Subject, column, all().map(text));
    let month = |s: &SubjectRecord| s.joined.map(|at| Date32Type::from_naive_date(at.date_naive().with_day(1).unwrap_or_else(|| at.date_naive())));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(ids.iter().map(|s| s.0))),
        texts("country", |s| s.country.as_deref())?,
        texts("region", |s| s.region.as_deref())?,
        words(AgeBand::ALL, all().map(|s| s.age)),
        texts("language", |s| s.language.as_deref())?,
        Arc::new(all().map(month).collect::<Date32Array>()),
        words(FollowersBand::ALL, all().map(|s| FollowersBand::of(s.followers))),
        Arc::new(UInt32Array::from_value(source, records.len())),
    ];
    RecordBatch::try_new(arriving(TableName::Subject), columns)
}

fn interests(records: &[SubjectRecord], ids: &[SubjectId], source: u32, dictionaries: &mut Dictionaries) -> Result<RecordBatch, ArrowError> {
    let all = || records.iter().zip(ids).flat_map(|(s, id)| s.interests.iter().map(move |i| (id, i)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(all().map(|(id, _)| id.0))),
        dictionaries.coded(TableName::SubjectInterest, "interest", all().map(|(_, i)| Some(i.topic.as_str())))?,
        words(InterestOrigin::ALL, all().map(|(_, i)| i.origin)),
        Arc::new(UInt32Array::from_value(source, all().count())),
    ];
    RecordBatch::try_new(arriving(TableName::SubjectInterest), columns)
}
