//! Records → rows in the shape of the lake, still in the order in which they arrived.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate, Timelike};
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, FixedSizeBinaryBuilder, Float64Array, RecordBatch, StringArray, StringDictionaryBuilder, TimestampMicrosecondArray, UInt8Array,
    UInt32Array, UInt64Array,
};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, Int32Type, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use domain::catalog::TableName;
use domain::lake::Arrival;
use domain::record::{ActivityKind, ActivityRecord, InterestOrigin, Media, SubjectRecord, Visibility};
use domain::subject::{AgeBand, FollowersBand};
use domain::{Fault, Platform, SubjectId};
use sha2::{Digest, Sha256};

use crate::schema::{ACTIVITY_ID_BYTES, ARRIVED_AS, schema};

/// The act's number within its import: ties tags to acts.
pub(super) const ORDINAL: &str = "ordinal";
/// Whether the row says that the act was deleted.
pub(super) const REMOVED: &str = "removed";

/// A table's schema while rows are on their way: with what only an import needs to know.
pub(super) fn arriving(table: TableName) -> SchemaRef {
    let mut fields: Vec<_> = schema(table).fields().iter().cloned().collect();
    if matches!(table, TableName::Activity | TableName::ActivityTag) {
        fields.push(Arc::new(Field::new(ORDINAL, DataType::UInt64, false)));
    }
    if table == TableName::Activity {
        fields.push(Arc::new(Field::new(REMOVED, DataType::Boolean, false)));
    }
    Arc::new(Schema::new(fields))
}

/// Whose an act is.
#[derive(Clone, Copy)]
struct Owner {
    id: SubjectId,
    /// The id that the source names, when it was merged into the owner's.
    arrived_as: Option<SubjectId>,
}

/// An arrival as rows of each table; `first_ordinal` numbers its acts, `merged` tells whose they are
/// when the source names another id of a person.
pub(super) fn rows(arrival: &Arrival, source: u32, first_ordinal: u64, merged: &BTreeMap<SubjectId, SubjectId>) -> Result<Vec<(TableName, RecordBatch)>, Fault> {
    let Arrival { batch, ids } = arrival;
    let described = ids.len().checked_sub(batch.subjects.len()).and_then(|earlier| ids.get(earlier..));
    let described = described.ok_or_else(|| Fault::broken("people of an arrival have no ids"))?;
    let resolved = |named: SubjectId| merged.get(&named).map_or(Owner { id: named, arrived_as: None }, |keep| Owner { id: *keep, arrived_as: Some(named) });
    let owner = |act: &ActivityRecord| usize::try_from(act.owner).ok().and_then(|place| ids.get(place)).copied().map(resolved);
    let owners = batch.activities.iter().map(|act| owner(act).ok_or_else(|| Fault::broken("an act without an owner"))).collect::<Result<Vec<_>, _>>()?;
    let keys: Vec<[u8; 16]> = batch.activities.iter().map(|act| activity_id(batch.source.platform, &act.native_key)).collect();
    let fault = |e: ArrowError| Fault::new("building rows for the lake", e);
    let acts = Acts { records: &batch.activities, owners: &owners, ids: &keys, platform: batch.source.platform, source, first_ordinal };
    let mut tables = vec![(TableName::Activity, acts.activity().map_err(fault)?), (TableName::ActivityTag, acts.tags().map_err(fault)?)];
    tables.push((TableName::Subject, subjects(&batch.subjects, described).map_err(fault)?));
    tables.push((TableName::SubjectInterest, interests(&batch.subjects, described).map_err(fault)?));
    tables.retain(|(_, rows)| rows.num_rows() > 0);
    Ok(tables)
}

/// An act's id: the same for the same platform and native key, whatever file it came from. 128 bits of
/// SHA-256: uniqueness matters within one owner only, so that a forged collision can touch nobody but
/// its author.
fn activity_id(platform: Platform, native_key: &str) -> [u8; 16] {
    let digest = Sha256::new().chain_update(platform.as_str()).chain_update([0]).chain_update(native_key).finalize();
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    id
}

/// The place of a word in its public list.
pub(super) fn place<T: PartialEq>(all: &[T], word: &T) -> Option<u8> {
    all.iter().position(|w| w == word).and_then(|place| u8::try_from(place).ok())
}

fn words<T: PartialEq>(all: &[T], each: impl Iterator<Item = T>) -> ArrayRef {
    Arc::new(each.map(|word| place(all, &word)).collect::<UInt8Array>())
}

fn texts<'a>(each: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    each.for_each(|text| builder.append_option(text));
    Arc::new(builder.finish())
}

fn ids<'a>(each: impl Iterator<Item = &'a [u8; 16]>) -> Result<ArrayRef, ArrowError> {
    let mut builder = FixedSizeBinaryBuilder::new(ACTIVITY_ID_BYTES);
    for id in each {
        builder.append_value(id)?;
    }
    Ok(Arc::new(builder.finish()))
}

fn day(day: NaiveDate) -> i32 {
    Date32Type::from_naive_date(day)
}

struct Acts<'a> {
    records: &'a [ActivityRecord],
    owners: &'a [Owner],
    ids: &'a [[u8; 16]],
    platform: Platform,
    source: u32,
    first_ordinal: u64,
}

impl Acts<'_> {
    fn activity(&self) -> Result<RecordBatch, ArrowError> {
        let all = || self.records.iter();
        let counts = |get: &dyn Fn(&ActivityRecord) -> Option<u32>| -> ArrayRef { Arc::new(all().map(get).collect::<UInt32Array>()) };
        let schema = arriving(TableName::Activity);
        let column = |field: &Arc<Field>| {
            Ok(match field.name().as_str() {
                "subject_id" => Arc::new(UInt32Array::from_iter_values(self.owners.iter().map(|o| o.id.0))) as ArrayRef,
                "activity_id" => ids(self.ids.iter())?,
                "platform" => words(Platform::ALL, all().map(|_| self.platform)),
                "kind" => words(ActivityKind::ALL, all().map(|r| r.kind)),
                "at" => Arc::new(all().map(|r| r.at.map(|t| t.timestamp_micros())).collect::<TimestampMicrosecondArray>()),
                "day" => Arc::new(all().map(|r| r.at.map(|t| day(t.date_naive()))).collect::<Date32Array>()),
                "hour" => Arc::new(all().map(|r| r.at.and_then(|t| u8::try_from(t.hour()).ok())).collect::<UInt8Array>()),
                "language" => texts(all().map(|r| r.language.as_deref())),
                "sentiment" => Arc::new(Float64Array::new_null(self.records.len())),
                "word_count" => counts(&|r| r.word_count),
                "media" => words(Media::ALL, all().map(|r| r.media)),
                "visibility" => words(Visibility::ALL, all().map(|r| r.visibility)),
                "link_domain" => texts(all().map(|r| r.link_domain.as_deref())),
                "container" => texts(all().map(|r| r.container.as_deref())),
                "likes_received" => counts(&|r| r.likes_received),
                "replies_received" => counts(&|r| r.replies_received),
                "shares_received" => counts(&|r| r.shares_received),
                "source" => counts(&|_| Some(self.source)),
                "native_key" => Arc::new(StringArray::from_iter_values(all().map(|r| r.native_key.as_str()))),
                "text" => Arc::new(all().map(|r| r.text.as_deref()).collect::<StringArray>()),
                "derived" => Arc::new(UInt8Array::from_value(0, self.records.len())),
                ARRIVED_AS => Arc::new(self.owners.iter().map(|o| o.arrived_as.map(|s| s.0)).collect::<UInt32Array>()),
                ORDINAL => Arc::new(UInt64Array::from_iter_values((self.first_ordinal..).take(self.records.len()))),
                REMOVED => Arc::new(all().map(|r| Some(r.removed)).collect::<BooleanArray>()),
                other => return Err(ArrowError::SchemaError(format!("no value for column {other}"))),
            })
        };
        let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(schema, columns)
    }

    fn tags(&self) -> Result<RecordBatch, ArrowError> {
        let acts = || self.records.iter().zip(self.owners).zip(self.ids).zip(self.first_ordinal..);
        let tagged = || acts().flat_map(|(((act, owner), id), ordinal)| act.tags.iter().map(move |tag| (owner, id, tag, ordinal)));
        let columns: Vec<ArrayRef> = vec![
            ids(tagged().map(|(_, id, _, _)| id))?,
            texts(tagged().map(|(_, _, tag, _)| Some(tag.as_str()))),
            Arc::new(tagged().map(|_| Some(false)).collect::<BooleanArray>()),
            Arc::new(tagged().map(|(owner, ..)| owner.arrived_as.map(|s| s.0)).collect::<UInt32Array>()),
            Arc::new(UInt64Array::from_iter_values(tagged().map(|(_, _, _, ordinal)| ordinal))),
        ];
        let owners: ArrayRef = Arc::new(UInt32Array::from_iter_values(tagged().map(|(owner, ..)| owner.id.0)));
        RecordBatch::try_new(arriving(TableName::ActivityTag), [vec![owners], columns].concat())
    }
}

/// What a source knows of people: unknown is empty, so that merging can tell.
fn subjects(records: &[SubjectRecord], ids: &[SubjectId]) -> Result<RecordBatch, ArrowError> {
    let all = || records.iter();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(ids.iter().map(|s| s.0))),
        texts(all().map(|s| s.country.as_deref())),
        texts(all().map(|s| s.region.as_deref())),
        words(AgeBand::ALL, all().map(|s| s.age)),
        texts(all().map(|s| s.language.as_deref())),
        Arc::new(all().map(|s| s.joined.map(|at| day(at.date_naive().with_day(1).unwrap_or_else(|| at.date_naive())))).collect::<Date32Array>()),
        words(FollowersBand::ALL, all().map(|s| FollowersBand::of(s.followers))),
    ];
    RecordBatch::try_new(arriving(TableName::Subject), columns)
}

fn interests(records: &[SubjectRecord], ids: &[SubjectId]) -> Result<RecordBatch, ArrowError> {
    let all = || records.iter().zip(ids).flat_map(|(s, id)| s.interests.iter().map(move |i| (id, i)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(all().map(|(id, _)| id.0))),
        texts(all().map(|(_, i)| Some(i.topic.as_str()))),
        words(InterestOrigin::ALL, all().map(|(_, i)| i.origin)),
    ];
    RecordBatch::try_new(arriving(TableName::SubjectInterest), columns)
}
