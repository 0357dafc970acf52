//! Partners' tables: each is written whole, once.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, UInt32Array, new_null_array};
use datafusion::arrow::datatypes::{DataType, Date32Type};
use domain::catalog::TableName;
use domain::lake::Manifest;
use domain::partner_table::{PartnerRows, PartnerTableId, PartnerValues};
use domain::{Fault, SubjectId};

use super::files::{self, Part};
use super::identity::bucket;
use super::merge::texts;
use super::store::Store;
use crate::schema::{PLACE, dictionary, schema};

/// Writes the files of a table that is not in `base`; gives the snapshot in which it is, also when it has no
/// rows.
pub(super) fn put(store: &Store, base: &Manifest, id: PartnerTableId, rows: &PartnerRows) -> Result<Manifest, Fault> {
    let table = TableName::Partner(id);
    let mut order = Vec::with_capacity(rows.owners.len());
    for (place, owner) in (0_u32..).zip(&rows.owners) {
        order.push((*owner, place));
    }
    order.sort_unstable();
    let mut written = Vec::new();
    let mut rest = order.as_slice();
    while let Some((first, _)) = rest.first() {
        let number = bucket(base, *first)?;
        let people = base.bucket_size.saturating_mul(number.saturating_add(1));
        let (own, others) = rest.split_at(rest.partition_point(|(owner, _)| owner.0 < people).max(1));
        written.push(files::write(store, Part { table, bucket: number, features: 0 }, &batch(table, rows, own)?)?);
        rest = others;
    }
    store.sync()?;
    let mut manifest = base.clone();
    manifest.tables.insert(table, written);
    Ok(manifest)
}

/// Rows with their owners and places, in that order.
fn batch(table: TableName, rows: &PartnerRows, order: &[(SubjectId, u32)]) -> Result<RecordBatch, Fault> {
    let schema = schema(table);
    let mut declared: Vec<Option<&PartnerValues>> = rows.columns.iter().map(Some).collect();
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "subject_id" => Arc::new(order.iter().map(|(owner, _)| owner.0).collect::<UInt32Array>()),
            PLACE => Arc::new(order.iter().map(|(_, place)| *place).collect::<UInt32Array>()),
            // A declared column takes the next slot of its type.
            _ => match declared.iter_mut().find(|column| column.is_some_and(|column| is_of(column, field.data_type()))).and_then(Option::take) {
                Some(values) => taken(values, order),
                None if *field.data_type() == dictionary() => texts(order.iter().map(|_| None)),
                None => new_null_array(field.data_type(), order.len()),
            },
        }
    });
    let columns = columns.collect();
    RecordBatch::try_new(schema, columns).map_err(|e| Fault::new("building a partner's rows for the lake", e))
}

/// Whether values lie in a slot of that type.
fn is_of(values: &PartnerValues, slot: &DataType) -> bool {
    match values {
        PartnerValues::Text(_) => *slot == dictionary(),
        PartnerValues::Integer(_) => *slot == DataType::Int64,
        PartnerValues::Float(_) => *slot == DataType::Float64,
        PartnerValues::Date(_) => *slot == DataType::Date32,
    }
}

/// The values of rows, in their order.
fn taken(values: &PartnerValues, order: &[(SubjectId, u32)]) -> ArrayRef {
    fn at<'a, T>(values: &'a [Option<T>], order: &'a [(SubjectId, u32)]) -> impl Iterator<Item = Option<&'a T>> {
        order.iter().map(|(_, place)| usize::try_from(*place).ok().and_then(|place| values.get(place)).and_then(Option::as_ref))
    }
    match values {
        PartnerValues::Text(values) => texts(at(values, order).map(|text| text.map(String::as_str))),
        PartnerValues::Integer(values) => Arc::new(at(values, order).map(Option::<&i64>::copied).collect::<Int64Array>()),
        PartnerValues::Float(values) => Arc::new(at(values, order).map(Option::<&f64>::copied).collect::<Float64Array>()),
        PartnerValues::Date(values) => Arc::new(at(values, order).map(|day| day.map(|day| Date32Type::from_naive_date(*day))).collect::<Date32Array>()),
    }
}
