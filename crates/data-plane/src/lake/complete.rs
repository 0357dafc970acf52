//! Rows on their way become rows of the lake: in their final order, and with what follows from other
//! columns.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, FixedSizeBinaryArray, RecordBatch, UInt8Array, UInt32Array, new_null_array};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::{concat, filter_record_batch, interleave, take};
use datafusion::arrow::datatypes::{Field, Schema, TimestampMicrosecondType, UInt32Type};
use datafusion::arrow::error::ArrowError;
use domain::catalog::TableName;
use domain::{Fault, Platform, SubjectId, SubjectSet};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::append::place;
use super::merge::column;
use crate::schema::{ACTIVITY_ID_BYTES, schema};

/// Columns of acts that follow from others, or that nobody knows yet.
pub(super) const FOLLOWING: [&str; 6] = ["activity_id", "platform", "day", "hour", "sentiment", "derived"];

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// An act's id: the same for the same platform and native key, whatever file it came from.
///
/// 128 bits of SipHash under a public key. It keeps acts of one owner apart and nothing else: all that
/// somebody who forges a collision among their own acts can do is to hide one of them.
pub(super) fn activity_id(platform: Platform, native_key: &str) -> [u8; 16] {
    id_under(on(platform), native_key)
}

/// The beginning that all ids of a platform have in common.
fn on(platform: Platform) -> SipHasher13 {
    let mut hasher = SipHasher13::new_with_keys(0x6661_6972_7368_6172, 0x6163_7469_7669_7479);
    hasher.write(platform.as_str().as_bytes());
    hasher.write_u8(0);
    hasher
}

fn id_under(mut platform: SipHasher13, native_key: &str) -> [u8; 16] {
    platform.write(native_key.as_bytes());
    platform.finish128().as_bytes()
}

/// The sources of an import.
pub(super) struct Sources {
    /// The number of the first; the others follow.
    pub(super) first: u32,
    pub(super) platforms: Vec<Platform>,
    /// Whose rows of which source are not taken in after all, by the ids under which they arrived.
    pub(super) withdrawn: BTreeMap<u32, SubjectSet>,
}

impl Sources {
    fn platform(&self, source: u32) -> Result<Platform, Fault> {
        let place = source.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| self.platforms.get(place)).copied().ok_or_else(|| Fault::broken("a row of no source"))
    }

    /// Whether anybody's rows are withdrawn.
    pub(super) fn withdraw(&self) -> bool {
        !self.withdrawn.is_empty()
    }

    /// Whether what a source brought of somebody is withdrawn.
    pub(super) fn is_withdrawn(&self, source: u32, named: u32) -> bool {
        self.withdrawn.get(&source).is_some_and(|people| people.contains(SubjectId(named)))
    }

    /// The rows about people that are not withdrawn.
    pub(super) fn kept(&self, rows: RecordBatch) -> Result<RecordBatch, Fault> {
        if !self.withdraw() {
            return Ok(rows);
        }
        let (people, sources) = (column(&rows, "subject_id")?.as_primitive::<UInt32Type>(), sources(&rows)?);
        let kept: BooleanArray = sources.values().iter().zip(people.values()).map(|(source, named)| Some(!self.is_withdrawn(*source, *named))).collect();
        filter_record_batch(&rows, &kept).map_err(|e| Fault::new("choosing rows for the lake", e))
    }

    /// The ids of arriving acts.
    pub(super) fn ids(&self, rows: &RecordBatch) -> Result<Vec<[u8; 16]>, Fault> {
        let keys = column(rows, "native_key")?.as_string_opt::<i32>().ok_or_else(|| Fault::broken("native keys that are no texts"))?;
        let mut ids = Vec::with_capacity(rows.num_rows());
        for run in sources(rows)?.values().chunk_by(|a, b| a == b) {
            let Some(source) = run.first() else { continue };
            let platform = on(self.platform(*source)?);
            ids.extend((ids.len()..ids.len() + run.len()).map(|row| id_under(platform, keys.value(row))));
        }
        Ok(ids)
    }

    fn places(&self, sources: &UInt32Array) -> Result<ArrayRef, Fault> {
        let place = |source: &u32| place(Platform::ALL, &self.platform(*source)?).ok_or_else(|| Fault::broken("a platform without a place"));
        let mut places = Vec::with_capacity(sources.len());
        for run in sources.values().chunk_by(|a, b| a == b) {
            let Some(first) = run.first() else { continue };
            places.resize(places.len() + run.len(), place(first)?);
        }
        Ok(Arc::new(UInt8Array::from(places)))
    }
}

fn sources(rows: &RecordBatch) -> Result<&UInt32Array, Fault> {
    column(rows, "source")?.as_primitive_opt::<UInt32Type>().ok_or_else(|| Fault::broken("a source that is no number"))
}

/// The rows of `order` in the shape of the lake; `ids` are those of all rows.
pub(super) fn acts(rows: &RecordBatch, ids: &[[u8; 16]], order: &UInt32Array, known: &Sources) -> Result<RecordBatch, Fault> {
    let doing = |e: ArrowError| Fault::new("completing rows for the lake", e);
    let at = taken(column(rows, "at")?, order).map_err(doing)?;
    let at = at.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| Fault::broken("an instant that is none"))?;
    let days = || Date32Array::try_new(at.values().iter().map(|at| i32::try_from(at.div_euclid(DAY)).unwrap_or(0)).collect(), at.nulls().cloned());
    let hours = || UInt8Array::try_new(at.values().iter().map(|at| u8::try_from(at.rem_euclid(DAY) / HOUR).unwrap_or(0)).collect(), at.nulls().cloned());
    let id = |row: &u32| usize::try_from(*row).ok().and_then(|row| ids.get(row)).copied();
    let schema = schema(TableName::Activity);
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        columns.push(match field.name().as_str() {
            "activity_id" => {
                let bytes = order.values().iter().map(id).collect::<Option<Vec<_>>>().ok_or_else(|| Fault::broken("an act without an id"))?;
                Arc::new(FixedSizeBinaryArray::try_new(ACTIVITY_ID_BYTES, Buffer::from(bytes.into_flattened()), None).map_err(doing)?)
            }
            "platform" => known.places(taken(column(rows, "source")?, order).map_err(doing)?.as_primitive())?,
            "at" => Arc::new(at.clone()),
            "day" => Arc::new(days().map_err(doing)?),
            "hour" => Arc::new(hours().map_err(doing)?),
            "sentiment" => new_null_array(field.data_type(), order.len()),
            "derived" => Arc::new(UInt8Array::from_value(0, order.len())),
            other => taken(column(rows, other)?, order).map_err(doing)?,
        });
    }
    RecordBatch::try_new(schema, columns).map_err(doing)
}

/// The values of `order`. Columns without any are common, and made faster than taken.
pub(super) fn taken(array: &ArrayRef, order: &UInt32Array) -> Result<ArrayRef, ArrowError> {
    if array.null_count() == array.len() { Ok(new_null_array(array.data_type(), order.len())) } else { take(array, order, None) }
}

/// The same for all columns.
pub(super) fn all_taken(rows: &RecordBatch, order: &UInt32Array) -> Result<RecordBatch, ArrowError> {
    let columns = rows.columns().iter().map(|array| taken(array, order)).collect::<Result<_, _>>()?;
    RecordBatch::try_new(rows.schema(), columns)
}

/// Rows of several batches in another order; each is named by the place of its batch and its own in it.
pub(super) fn gathered(batches: &[RecordBatch], order: &[(usize, usize)]) -> Result<RecordBatch, ArrowError> {
    let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    let column = |(place, field): (usize, &Arc<Field>)| {
        let arrays: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(place).as_ref()).collect();
        if arrays.iter().all(|array| array.null_count() == array.len()) { Ok(new_null_array(field.data_type(), order.len())) } else { interleave(&arrays, order) }
    };
    let columns = schema.fields().iter().enumerate().map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(schema, columns)
}

/// Rows of several batches of one schema, one after the other.
pub(super) fn joined(batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    if let [only] = batches {
        return Ok(only.clone());
    }
    let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let column = |(place, field): (usize, &Arc<Field>)| {
        let arrays: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(place).as_ref()).collect();
        if arrays.iter().all(|array| array.null_count() == array.len()) { Ok(new_null_array(field.data_type(), rows)) } else { concat(&arrays) }
    };
    let columns = schema.fields().iter().enumerate().map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(schema, columns)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::StringArray;
    use datafusion::arrow::datatypes::DataType;

    use super::*;

    #[test]
    fn ids_are_those_of_platform_and_key() {
        let id = |platform, key: &str| hex::encode(activity_id(platform, key));
        assert_eq!(id(Platform::Csv, "k1"), id(Platform::Csv, "k1"));
        assert_ne!(id(Platform::Csv, "k1"), id(Platform::Csv, "k2"));
        assert_ne!(id(Platform::Csv, "k1"), id(Platform::Mastodon, "k1"));
    }

    #[test]
    fn rows_of_several_batches_come_in_the_order_that_is_asked_for() {
        let batch = |numbers: Vec<Option<u32>>, texts: Vec<&str>| {
            let nothing = new_null_array(&DataType::UInt32, numbers.len());
            let columns: [(&str, ArrayRef, bool); 3] =
                [("number", Arc::new(UInt32Array::from(numbers)), true), ("text", Arc::new(StringArray::from(texts)), false), ("nothing", nothing, true)];
            RecordBatch::try_from_iter_with_nullable(columns).unwrap()
        };
        let batches = [batch(vec![Some(1), None], vec!["a", "b"]), batch(vec![Some(3)], vec!["c"])];
        let expected = batch(vec![Some(3), None, Some(1), Some(3)], vec!["c", "b", "a", "c"]);
        assert_eq!(gathered(&batches, &[(1, 0), (0, 1), (0, 0), (1, 0)]).unwrap(), expected);
        assert_eq!(gathered(&batches, &[]).unwrap().num_rows(), 0);
        assert_eq!(joined(&batches).unwrap(), gathered(&batches, &[(0, 0), (0, 1), (1, 0)]).unwrap());
        assert_eq!(joined(&batches[1..]).unwrap(), batches[1]);
    }
}
