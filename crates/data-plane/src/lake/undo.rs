//! What an import brought goes again.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt8Array};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{UInt8Type, UInt32Type};
use datafusion::arrow::error::ArrowError;
use domain::catalog::TableName;
use domain::lake::{LakeFile, Manifest, Undo};
use domain::port::Unwatched;
use domain::subject::AgeBand;
use domain::{Fault, SubjectId};
use hashbrown::HashSet;

use super::identity::files_of;
use super::merge::{ActKey, column, keys, text, texts};
use super::rewrite::{self, BucketFiles, owners};
use super::store::Store;
use super::{append, files};

fn arrow(error: ArrowError) -> Fault {
    Fault::new("taking rows of an import back", error)
}

/// The snapshot without the acts of an import's sources, and without what describes people whom no
/// other import names; of the rest, age and country become what the other imports say.
pub(super) fn undo(store: &Store, base: &Manifest, undo: &Undo) -> Result<Manifest, Fault> {
    rewrite::rewrite(store, base, &Unwatched, |bucket| match bucket.table {
        TableName::Activity => {
            if acts_of(store, bucket.files, undo)?.is_empty() {
                return Ok(None);
            }
            bucket.only(|rows| Ok(column(rows, "source")?.as_primitive::<UInt32Type>().values().iter().map(|s| Some(!undo.sources.contains(s))).collect()))
        }
        TableName::ActivityTag => {
            let gone = acts_of(store, &files_of(base, TableName::Activity, bucket.number), undo)?;
            if gone.is_empty() {
                return Ok(None);
            }
            bucket.only(|rows| Ok(keys(rows)?.into_iter().map(|key| Some(!gone.contains(&key))).collect()))
        }
        TableName::Subject => describe(bucket, undo),
        // A partner's row about somebody whom only this import names says nothing without them.
        TableName::SubjectInterest | TableName::Partner(_) => bucket.without(&undo.alone),
        TableName::Creator => Ok(None),
    })
}

/// The acts in `files` that come from the import.
fn acts_of(store: &Store, files: &[LakeFile], undo: &Undo) -> Result<HashSet<ActKey>, Fault> {
    let mut acts = HashSet::new();
    for file in files {
        for batch in files::columns(store, file, TableName::Activity, &["subject_id", "activity_id", "source"])? {
            let sources = column(&batch, "source")?.as_primitive::<UInt32Type>();
            acts.extend(keys(&batch)?.into_iter().zip(sources.values()).filter(|(_, source)| undo.sources.contains(source)).map(|(key, _)| key));
        }
    }
    Ok(acts)
}

/// The descriptions of one bucket's people as the other imports give them; none when nothing changes.
fn describe(bucket: &BucketFiles<'_>, undo: &Undo) -> Result<Option<Vec<LakeFile>>, Fault> {
    let before = bucket.rows()?;
    let stays: BooleanArray = owners(&before)?.values().iter().map(|s| Some(!undo.alone.contains(SubjectId(*s)))).collect();
    let rows = filter_record_batch(&before, &stays).map_err(arrow)?;
    let (ages, countries) = (column(&rows, "age_band")?.as_primitive::<UInt8Type>(), column(&rows, "country")?);
    let mut described = Vec::with_capacity(rows.num_rows());
    let mut changed = rows.num_rows() != before.num_rows();
    for (row, subject) in owners(&rows)?.values().iter().enumerate() {
        let was = (ages.is_valid(row).then(|| ages.value(row)), text(countries, row));
        let is = undo.known.get(&SubjectId(*subject)).map_or_else(|| was.clone(), |(age, country)| (append::place(AgeBand::ALL, age), country.clone()));
        changed |= is != was;
        described.push(is);
    }
    if !changed {
        return Ok(None);
    }
    let columns = rows.schema_ref().fields().iter().zip(rows.columns()).map(|(field, column)| -> ArrayRef {
        match field.name().as_str() {
            "age_band" => Arc::new(described.iter().map(|(age, _)| *age).collect::<UInt8Array>()),
            "country" => texts(described.iter().map(|(_, country)| country.as_deref())),
            _ => Arc::clone(column),
        }
    });
    let rows = RecordBatch::try_new(Arc::clone(rows.schema_ref()), columns.collect()).map_err(arrow)?;
    bucket.write(&rows).map(Some)
}
