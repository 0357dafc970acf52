//! Where a person's rows come from.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::UInt32Type;
use domain::catalog::TableName;
use domain::lake::{Manifest, Traced};
use domain::{Fault, SubjectId};

use super::files;
use super::identity::{bucket, files_of};
use super::merge::{column, keys};
use super::rewrite::owners;
use super::store::Store;
use crate::schema::ARRIVED_AS;

/// Source, and the id under which the row arrived.
type Origin = (u32, Option<SubjectId>);

/// A person's rows by table and origin; those of one act, when its native key is given.
pub(super) fn trace(store: &Store, manifest: &Manifest, subject: SubjectId, native_key: Option<&str>) -> Result<Vec<Traced>, Fault> {
    let number = bucket(manifest, subject)?;
    let read = |table: TableName, columns: &[&str]| -> Result<Vec<_>, Fault> {
        let mut batches = Vec::new();
        for file in files_of(manifest, table, number) {
            batches.extend(files::columns(store, &file, table, columns)?);
        }
        Ok(batches)
    };
    let mut acts: BTreeMap<[u8; 16], Origin> = BTreeMap::new();
    for batch in read(TableName::Activity, &["subject_id", "activity_id", "source", "native_key", ARRIVED_AS])? {
        let (sources, arrived) = (column(&batch, "source")?.as_primitive::<UInt32Type>(), column(&batch, ARRIVED_AS)?.as_primitive::<UInt32Type>());
        let natives = column(&batch, "native_key")?.as_string::<i32>();
        for (row, (owner, act)) in keys(&batch)?.into_iter().enumerate() {
            if owner == subject.0 && native_key.is_none_or(|key| natives.value(row) == key) {
                acts.insert(act, (sources.value(row), arrived.is_valid(row).then(|| SubjectId(arrived.value(row)))));
            }
        }
    }
    let mut rows: BTreeMap<(TableName, Option<Origin>), u64> = BTreeMap::new();
    for origin in acts.values() {
        *rows.entry((TableName::Activity, Some(*origin))).or_default() += 1;
    }
    for batch in read(TableName::ActivityTag, &["subject_id", "activity_id"])? {
        for (_, act) in keys(&batch)?.into_iter().filter(|(owner, _)| *owner == subject.0) {
            if let Some(origin) = acts.get(&act) {
                *rows.entry((TableName::ActivityTag, Some(*origin))).or_default() += 1;
            }
        }
    }
    if native_key.is_none() {
        let partners = manifest.tables.keys().filter(|table| matches!(table, TableName::Partner(_)));
        for &table in [TableName::Subject, TableName::SubjectInterest].iter().chain(partners) {
            for batch in read(table, &["subject_id"])? {
                let here = owners(&batch)?.values().iter().filter(|s| **s == subject.0).count() as u64;
                if here > 0 {
                    *rows.entry((table, None)).or_default() += here;
                }
            }
        }
    }
    Ok(rows.into_iter().map(|((table, origin), rows)| Traced { table, source: origin.map(|o| o.0), arrived_as: origin.and_then(|o| o.1), rows }).collect())
}
