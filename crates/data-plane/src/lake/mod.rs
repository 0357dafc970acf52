//! The lake: Parquet files on local disk or in a bucket (*store*, *s3*), clustered by person.
//!
//! A table is cut into buckets of consecutive subject ids; every file of a bucket is sorted by person.
//! An import sorts its rows into buckets (*append*, *spill*) and writes each bucket that it touches
//! once (*merge*): as one more file when little comes to much, else as one file that replaces all. The
//! control store then names the new manifest in the transaction that records the import. Until it
//! does, nothing of the import is visible, and what no manifest names is garbage for [`Lake::sweep`].

mod append;
mod arrivals;
mod complete;
mod features;
mod files;
mod identity;
mod merge;
mod order;
mod partner;
mod rewrite;
mod s3;
mod spill;
mod store;
mod trace;
mod undo;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use domain::catalog::TableName;
use domain::lake::{Arrival, LakeFile, Manifest, Staged, Traced, Undo};
use domain::partner_table::{PartnerRows, PartnerTableId};
use domain::port::{FeatureExtractor, Lake, LakeImport, Progress, Unwatched};
use domain::record::Counts;
use domain::{Fault, SubjectId, SubjectSet};
use hashbrown::HashMap;

use complete::Sources;
use merge::Bucket;
use s3::S3;
pub use s3::{NoLocation, S3Access, S3Location};
use spill::{Limits, Spill};
pub(crate) use store::Store;

/// People per bucket of a new lake.
const BUCKET_SIZE: u32 = 8_192;

/// The version of [`Manifest`] that this lake writes.
const MANIFEST_SCHEMA: u32 = 1;

/// A lake in one place.
#[derive(Debug, Clone)]
pub struct ParquetLake {
    store: Store,
    bucket_size: u32,
    limits: Limits,
}

impl ParquetLake {
    /// The lake below `root`, which is made when the first file is written.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { store: Store::local(root.into()), bucket_size: BUCKET_SIZE, limits: Limits::DEFAULT }
    }

    /// The lake in a bucket. Files are written below the local folder `root` before they go there.
    ///
    /// # Errors
    /// A fault when the access makes no sense. The bucket itself is not asked yet.
    pub fn in_bucket(location: S3Location, access: S3Access, root: impl Into<PathBuf>) -> Result<Self, Fault> {
        Ok(Self { store: Store::bucket(S3::open(location, access)?, root.into()), bucket_size: BUCKET_SIZE, limits: Limits::DEFAULT })
    }

    /// The same with so many people per bucket, for a lake without files: tests want many small ones.
    #[cfg(test)]
    pub(crate) fn with_bucket_size(root: impl Into<PathBuf>, bucket_size: u32) -> Self {
        Self { store: Store::local(root.into()), bucket_size, limits: Limits::DEFAULT }
    }

    /// Why a new lake cannot be made here, if so: something is there, or deleted objects would be kept.
    ///
    /// # Errors
    /// A fault when the place cannot be reached.
    pub fn why_unfit(&self) -> Result<Option<String>, Fault> {
        self.store.s3().map_or(Ok(None), |s3| s3.why_unfit())
    }

    /// Copies a file of the lake to `to` on local disk; tells its size.
    ///
    /// # Errors
    /// A fault of either place.
    pub fn fetch(&self, file: &LakeFile, to: &Path) -> Result<u64, Fault> {
        self.store.fetch(&file.path, to)
    }

    /// A lake without rows.
    const fn empty(&self) -> Manifest {
        Manifest { schema: MANIFEST_SCHEMA, bucket_size: self.bucket_size, tables: BTreeMap::new() }
    }

    /// Where the files are.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }
}

impl Lake for ParquetLake {
    fn import(&self, base: Option<&Manifest>, first_source: u32) -> Result<Box<dyn LakeImport>, Fault> {
        let base = base.cloned().unwrap_or_else(|| self.empty());
        let spill = Spill::new(self.store.folder(), base.bucket_size, self.limits);
        Ok(Box::new(Importing {
            store: self.store.clone(),
            base,
            known: Sources { first: first_source, platforms: Vec::new(), withdrawn: BTreeMap::new() },
            spill,
            merged: BTreeMap::new(),
            sources: Vec::new(),
            acts: 0,
        }))
    }

    fn erase(&self, bases: &[Manifest], people: &SubjectSet) -> Result<Vec<Manifest>, Fault> {
        rewrite::rewrite_all(&self.store, bases, &Unwatched, |bucket| {
            let touched = people.iter().any(|s| s.0.checked_div(bucket.size) == Some(bucket.number));
            if touched { bucket.without(people) } else { Ok(None) }
        })
    }

    fn undo(&self, base: &Manifest, undo: &Undo) -> Result<Manifest, Fault> {
        undo::undo(&self.store, base, undo)
    }

    fn merge(&self, base: &Manifest, keep: SubjectId, other: SubjectId) -> Result<Manifest, Fault> {
        identity::Move::merge(keep, other).apply(&self.store, base)
    }

    fn split(&self, base: &Manifest, keep: SubjectId, other: SubjectId) -> Result<Manifest, Fault> {
        identity::Move::split(keep, other).apply(&self.store, base)
    }

    fn put(&self, base: Option<&Manifest>, table: PartnerTableId, rows: &PartnerRows) -> Result<Manifest, Fault> {
        partner::put(&self.store, &base.cloned().unwrap_or_else(|| self.empty()), table, rows)
    }

    fn trace(&self, manifest: &Manifest, subject: SubjectId, native_key: Option<&str>) -> Result<Vec<Traced>, Fault> {
        trace::trace(&self.store, manifest, subject, native_key)
    }

    fn compact(&self, bases: &[Manifest], progress: &dyn Progress) -> Result<Vec<Manifest>, Fault> {
        rewrite::rewrite_all(&self.store, bases, progress, |bucket| if bucket.files.len() > 1 { bucket.as_one().map(Some) } else { Ok(None) })
    }

    fn derive(&self, base: &Manifest, buckets: &BTreeSet<u32>, extractor: &dyn FeatureExtractor) -> Result<Manifest, Fault> {
        features::derive(&self.store, base, buckets, extractor)
    }

    fn sweep(&self, live: &[Manifest]) -> Result<u64, Fault> {
        let named: BTreeSet<&str> = live.iter().flat_map(|m| m.tables.values().flatten()).map(|f| f.path.as_str()).collect();
        self.store.remove_all_but(&named)
    }

    fn first_damaged(&self, manifest: &Manifest) -> Result<Option<(TableName, String)>, Fault> {
        for (table, files) in &manifest.tables {
            for file in files {
                if self.store.sha256(&file.path)?.as_deref() != Some(file.sha256.as_str()) {
                    return Ok(Some((*table, file.path.clone())));
                }
            }
        }
        Ok(None)
    }
}

/// An import that is under way.
struct Importing {
    store: Store,
    base: Manifest,
    known: Sources,
    spill: Spill,
    /// Whose acts go to whom.
    merged: BTreeMap<SubjectId, SubjectId>,
    /// What was left out or rejected, by source.
    sources: Vec<Counts>,
    acts: u64,
}

impl LakeImport for Importing {
    fn resolve(&mut self, merged: &BTreeMap<SubjectId, SubjectId>) {
        self.merged.clone_from(merged);
    }

    fn append(&mut self, source: u32, arrival: &Arrival) -> Result<(), Fault> {
        let place = usize::try_from(source).map_err(|e| Fault::new("numbering sources", e))?;
        if self.sources.len() <= place {
            self.sources.resize(place + 1, Counts::default());
            self.known.platforms.resize(place + 1, arrival.batch.source.platform);
        }
        if let Some(counts) = self.sources.get_mut(place) {
            counts.deleted += arrival.batch.deleted;
            counts.rejected += arrival.batch.rejected.len() as u64;
        }
        let number = self.known.first.checked_add(source).ok_or_else(|| Fault::broken("there are no source numbers left"))?;
        for (table, rows) in append::rows(arrival, number, self.acts, &self.merged, &mut self.spill.dictionaries)? {
            self.spill.push(table, rows)?;
        }
        self.spill.limit_texts()?;
        self.acts += arrival.batch.activities.len() as u64;
        Ok(())
    }

    fn withdraw(&mut self, source: u32, people: SubjectSet) {
        if !people.is_empty() {
            self.known.withdrawn.entry(self.known.first.saturating_add(source)).or_default().union_with(&people);
        }
    }

    fn finish(self: Box<Self>, progress: &dyn Progress) -> Result<Staged, Fault> {
        let Self { store, base, known, mut spill, merged: _, mut sources, acts: _ } = *self;
        spill.close()?;
        let mut tables: BTreeMap<TableName, BTreeMap<u32, Vec<LakeFile>>> = BTreeMap::new();
        // An import changes no partner's table, and leaves out none.
        for &table in TableName::PRIVATE.iter().chain(base.tables.keys()) {
            let buckets = tables.entry(table).or_default();
            if buckets.is_empty() {
                base.files(table).iter().for_each(|f| buckets.entry(f.bucket).or_default().push(f.clone()));
            }
        }
        let mut counts: HashMap<u32, Counts> = HashMap::new();
        let buckets = spill.buckets();
        progress.begin("writing", "buckets", Some(buckets.len() as u64));
        for number in buckets {
            let base = |table: TableName| tables.get(&table).and_then(|t| t.get(&number)).cloned().unwrap_or_default();
            let merged = Bucket { store: &store, number, base: &base }.merge(&mut spill, &known, &mut counts)?;
            for (table, files) in merged {
                tables.entry(table).or_default().insert(number, files);
            }
            progress.advance(1);
        }
        progress.finish();
        store.sync()?;
        for (place, total) in (0..).zip(&mut sources) {
            if let Some(counts) = counts.get(&(known.first + place)) {
                total.add(counts);
            }
        }
        let tables = tables.into_iter().map(|(table, buckets)| (table, buckets.into_values().flatten().collect())).collect();
        Ok(Staged { manifest: Manifest { schema: MANIFEST_SCHEMA, bucket_size: base.bucket_size, tables }, counts: sources })
    }
}

#[cfg(test)]
mod tests;
