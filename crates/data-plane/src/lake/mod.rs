//! The lake: Parquet files on local disk, clustered by person.
//!
//! A table is cut into buckets of consecutive subject ids, one file each, sorted by person. An import
//! rewrites the buckets that it touches under new, content-addressed names; the control store then
//! names the new manifest in the transaction that records the import. Until it does, nothing of the
//! import is visible, and what no manifest names is garbage for [`ParquetLake::sweep`].

mod bucket;
mod files;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use domain::Fault;
use domain::catalog::TableName;
use domain::lake::{Arrival, LakeFile, Manifest, Staged};
use domain::port::{Lake, Progress};
use domain::record::Counts;

/// People per bucket of a new lake.
const BUCKET_SIZE: u32 = 1_024;

/// The version of [`Manifest`] that this lake writes.
const MANIFEST_SCHEMA: u32 = 1;

/// A lake below one folder.
#[derive(Debug, Clone)]
pub struct ParquetLake {
    root: PathBuf,
}

impl ParquetLake {
    /// The lake below `root`, which is made when the first file is written.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

impl Lake for ParquetLake {
    fn stage(&self, base: Option<&Manifest>, arrivals: &[Arrival], progress: &dyn Progress) -> Result<Staged, Fault> {
        let empty = Manifest { schema: MANIFEST_SCHEMA, bucket_size: BUCKET_SIZE, tables: BTreeMap::new() };
        let base = base.unwrap_or(&empty);
        let by_bucket = rows::by_bucket(arrivals, base.bucket_size)?;
        let mut counts: Vec<Counts> = arrivals.iter().map(|a| Counts { deleted: a.batch.deleted, rejected: a.batch.rejected.len() as u64, ..Counts::default() }).collect();
        let mut tables: BTreeMap<TableName, BTreeMap<u32, LakeFile>> = TableName::ALL.iter().map(|&t| (t, base.files(t).iter().map(|f| (f.bucket, f.clone())).collect())).collect();
        let total: usize = by_bucket.values().map(|rows| rows.activities.len()).sum();
        progress.begin("writing", "rows", Some(total as u64));
        for (bucket, rows) in &by_bucket {
            for written in bucket::merge(&self.root, base, *bucket, rows, &mut counts)? {
                tables.entry(written.table).or_default().insert(*bucket, written.file);
            }
            progress.advance(rows.activities.len() as u64);
        }
        progress.finish();
        files::sync_folder(&self.root)?;
        let tables = tables.into_iter().map(|(t, files)| (t, files.into_values().collect())).collect();
        Ok(Staged { manifest: Manifest { schema: MANIFEST_SCHEMA, bucket_size: base.bucket_size, tables }, counts })
    }

    fn sweep(&self, live: &[Manifest]) -> Result<u64, Fault> {
        let named: BTreeSet<&str> = live.iter().flat_map(|m| m.tables.values().flatten()).map(|f| f.path.as_str()).collect();
        files::remove_all_but(&self.root, &named)
    }

    fn first_damaged(&self, manifest: &Manifest) -> Result<Option<(TableName, String)>, Fault> {
        for (table, files) in &manifest.tables {
            for file in files {
                if files::sha256(&self.root.join(&file.path))?.as_deref() != Some(file.sha256.as_str()) {
                    return Ok(Some((*table, file.path.clone())));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
