//! Acts that go to another id, because two ids are one person's, or are not after all.
//!
//! All rows of a person must lie under one id and in one run of a sorted file: only then is the person
//! one unit to the clean room. So merging moves rows, and each moved row says where it came from.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute::{concat_batches, filter_record_batch, not};
use datafusion::arrow::datatypes::UInt32Type;
use datafusion::arrow::error::ArrowError;
use domain::catalog::TableName;
use domain::lake::{LakeFile, Manifest};
use domain::{Fault, SubjectId};
use hashbrown::HashSet;

use super::files;
use super::merge::{column, keys};
use super::rewrite::{BucketFiles, owners};
use super::store::Store;
use crate::schema::{ARRIVED_AS, schema};

/// The tables whose rows are acts, or parts of acts.
const ACTS: [TableName; 2] = [TableName::Activity, TableName::ActivityTag];

/// Which acts go where.
pub(super) struct Move {
    from: SubjectId,
    to: SubjectId,
    /// The mark that the rows have now, and the one that they get.
    marks: (Option<SubjectId>, Option<SubjectId>),
}

fn arrow(error: ArrowError) -> Fault {
    Fault::new("moving rows to another id", error)
}

impl Move {
    /// All acts of `other` become acts of `keep`.
    pub(super) fn merge(keep: SubjectId, other: SubjectId) -> Self {
        Self { from: other, to: keep, marks: (None, Some(other)) }
    }

    /// The acts of `keep` that arrived as `other`'s become acts of `other` again.
    pub(super) fn split(keep: SubjectId, other: SubjectId) -> Self {
        Self { from: keep, to: other, marks: (Some(other), None) }
    }

    /// The snapshot after the move.
    ///
    /// # Guarantee
    /// An act that both had is there once afterwards: the one that `to` had.
    pub(super) fn apply(&self, store: &Store, base: &Manifest) -> Result<Manifest, Fault> {
        let mut manifest = base.clone();
        let (from, to) = (bucket(base, self.from)?, bucket(base, self.to)?);
        let there = self.there(store, &files_of(base, TableName::Activity, to))?;
        for table in ACTS {
            let (source, target) = (files_of(base, table, from), files_of(base, table, to));
            let source = BucketFiles { store, table, number: from, size: base.bucket_size, files: &source };
            let target = BucketFiles { store, table, number: to, size: base.bucket_size, files: &target };
            let rows = source.rows()?;
            let moves = self.moves(&rows)?;
            if moves.true_count() == 0 {
                continue;
            }
            let stay = filter_record_batch(&rows, &not(&moves).map_err(arrow)?).map_err(arrow)?;
            let moved = self.relabelled(&filter_record_batch(&rows, &moves).map_err(arrow)?)?;
            let new: BooleanArray = keys(&moved)?.into_iter().map(|(_, act)| Some(!there.contains(&act))).collect();
            let moved = filter_record_batch(&moved, &new).map_err(arrow)?;
            let together = |rows: &RecordBatch| concat_batches(&schema(table), [rows, &moved]).map_err(arrow);
            if from == to {
                replace(&mut manifest, table, from, source.write(&together(&stay)?)?);
            } else {
                replace(&mut manifest, table, to, target.write(&together(&target.rows()?)?)?);
                replace(&mut manifest, table, from, source.write(&stay)?);
            }
        }
        store.sync()?;
        Ok(manifest)
    }

    /// The acts that the id they go to has already.
    fn there(&self, store: &Store, files: &[LakeFile]) -> Result<HashSet<[u8; 16]>, Fault> {
        let mut there = HashSet::new();
        for file in files {
            for batch in files::columns(store, file, TableName::Activity, &["subject_id", "activity_id"])? {
                there.extend(keys(&batch)?.into_iter().filter(|(owner, _)| *owner == self.to.0).map(|(_, act)| act));
            }
        }
        Ok(there)
    }

    fn moves(&self, rows: &RecordBatch) -> Result<BooleanArray, Fault> {
        let marks = column(rows, ARRIVED_AS)?.as_primitive::<UInt32Type>();
        let mark = self.marks.0.map(|s| s.0);
        Ok(owners(rows)?.values().iter().zip(marks).map(|(owner, arrived_as)| Some(*owner == self.from.0 && arrived_as == mark)).collect())
    }

    fn relabelled(&self, rows: &RecordBatch) -> Result<RecordBatch, Fault> {
        let mark = self.marks.1.map(|s| s.0);
        let columns = rows.schema_ref().fields().iter().zip(rows.columns()).map(|(field, column)| -> ArrayRef {
            match field.name().as_str() {
                "subject_id" => Arc::new(UInt32Array::from_value(self.to.0, rows.num_rows())),
                ARRIVED_AS => Arc::new(std::iter::repeat_n(mark, rows.num_rows()).collect::<UInt32Array>()),
                _ => Arc::clone(column),
            }
        });
        RecordBatch::try_new(Arc::clone(rows.schema_ref()), columns.collect()).map_err(arrow)
    }
}

/// The bucket that holds a person.
pub(super) fn bucket(base: &Manifest, subject: SubjectId) -> Result<u32, Fault> {
    subject.0.checked_div(base.bucket_size).ok_or_else(|| Fault::broken("the lake has no bucket size"))
}

/// The files of one table's bucket.
pub(super) fn files_of(base: &Manifest, table: TableName, bucket: u32) -> Vec<LakeFile> {
    base.files(table).iter().filter(|f| f.bucket == bucket).cloned().collect()
}

/// Puts `files` in the place of a bucket's files; buckets stay in order.
fn replace(manifest: &mut Manifest, table: TableName, bucket: u32, files: Vec<LakeFile>) {
    let all = manifest.tables.entry(table).or_default();
    all.retain(|f| f.bucket != bucket);
    let place = all.partition_point(|f| f.bucket < bucket);
    all.splice(place..place, files);
}
