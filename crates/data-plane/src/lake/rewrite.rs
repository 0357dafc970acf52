//! The same rows in fewer files, or fewer rows.

use std::cell::RefCell;

use datafusion::arrow::array::{AsArray, BooleanArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute::{concat_batches, filter_record_batch};
use datafusion::arrow::datatypes::UInt32Type;
use domain::catalog::TableName;
use domain::lake::{LakeFile, Manifest};
use domain::port::Progress;
use domain::{Fault, SubjectId, SubjectSet};
use hashbrown::HashMap;

use super::files::{self, Part};
use super::merge;
use super::store::Store;
use crate::schema::schema;

/// The files of one table's bucket.
pub(super) struct BucketFiles<'a> {
    pub(super) store: &'a Store,
    pub(super) table: TableName,
    pub(super) number: u32,
    /// People in it.
    pub(super) size: u32,
    pub(super) files: &'a [LakeFile],
}

/// Gives each bucket the files that `each` makes of it; none leaves it as it is.
pub(super) fn rewrite(store: &Store, base: &Manifest, progress: &dyn Progress, each: impl Fn(&BucketFiles<'_>) -> Result<Option<Vec<LakeFile>>, Fault>) -> Result<Manifest, Fault> {
    let mut manifest = base.clone();
    let buckets = |files: &[LakeFile]| files.chunk_by(|a, b| a.bucket == b.bucket).count() as u64;
    progress.begin("rewriting", "buckets", Some(base.tables.values().map(|files| buckets(files)).sum()));
    for (&table, files) in &base.tables {
        let mut all = Vec::with_capacity(files.len());
        for files in files.chunk_by(|a, b| a.bucket == b.bucket) {
            let number = files.first().map_or(0, |f| f.bucket);
            all.extend(each(&BucketFiles { store, table, number, size: base.bucket_size, files })?.unwrap_or_else(|| files.to_vec()));
            progress.advance(1);
        }
        manifest.tables.insert(table, all);
    }
    progress.finish();
    store.sync()?;
    Ok(manifest)
}

/// The same for several bases; files that they share are rewritten once.
pub(super) fn rewrite_all(
    store: &Store,
    bases: &[Manifest],
    progress: &dyn Progress,
    each: impl Fn(&BucketFiles<'_>) -> Result<Option<Vec<LakeFile>>, Fault>,
) -> Result<Vec<Manifest>, Fault> {
    let done = RefCell::new(HashMap::<(TableName, Vec<String>), Option<Vec<LakeFile>>>::new());
    let once = |bucket: &BucketFiles<'_>| {
        let key = (bucket.table, bucket.files.iter().map(|f| f.path.clone()).collect());
        if let Some(files) = done.borrow().get(&key) {
            return Ok(files.clone());
        }
        let files = each(bucket)?;
        done.borrow_mut().insert(key, files.clone());
        Ok(files)
    };
    bases.iter().map(|base| rewrite(store, base, progress, once)).collect()
}

impl BucketFiles<'_> {
    /// All rows in one file.
    pub(super) fn as_one(&self) -> Result<Vec<LakeFile>, Fault> {
        self.write(&self.rows()?)
    }

    /// All rows but those of `people`, in one file; none when they have no rows here.
    pub(super) fn without(&self, people: &SubjectSet) -> Result<Option<Vec<LakeFile>>, Fault> {
        self.only(|rows| Ok(owners(rows)?.values().iter().map(|s| Some(!people.contains(SubjectId(*s)))).collect()))
    }

    /// All rows but those that `stays` says no to, in one file; none when all stay.
    pub(super) fn only(&self, stays: impl FnOnce(&RecordBatch) -> Result<BooleanArray, Fault>) -> Result<Option<Vec<LakeFile>>, Fault> {
        let rows = self.rows()?;
        let stays = stays(&rows)?;
        if stays.true_count() == rows.num_rows() {
            return Ok(None);
        }
        self.write(&filter_record_batch(&rows, &stays).map_err(|e| Fault::new("leaving out rows", e))?).map(Some)
    }

    /// All rows, in no order.
    pub(super) fn rows(&self) -> Result<RecordBatch, Fault> {
        let mut parts = Vec::new();
        for file in self.files {
            parts.extend(files::read(self.store, file, self.table)?);
        }
        concat_batches(&schema(self.table), &parts).map_err(|e| Fault::new("reading a bucket", e))
    }

    /// Rows as the one file of the bucket; no file when there are none.
    pub(super) fn write(&self, rows: &RecordBatch) -> Result<Vec<LakeFile>, Fault> {
        if rows.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let part = Part { table: self.table, bucket: self.number, features: merge::features(self.files) };
        Ok(vec![files::write(self.store, part, &merge::sort(self.table, rows)?)?])
    }
}

/// Whose each row is.
pub(super) fn owners(rows: &RecordBatch) -> Result<&UInt32Array, Fault> {
    rows.column(0).as_primitive_opt::<UInt32Type>().ok_or_else(|| Fault::broken("an owner that is no id"))
}
