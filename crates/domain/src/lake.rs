//! What the lake holds, as the control store knows it: names, sizes and hashes of files.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrono::{DurationRound, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::catalog::TableName;
use crate::record::{Counts, NormalizedBatch};
use crate::subject::AgeBand;
use crate::{SubjectId, SubjectSet, Timestamp};

/// One file of a snapshot, sorted by person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LakeFile {
    /// Path below the lake's folder.
    pub path: String,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Which range of people: ids with this quotient by [`Manifest::bucket_size`].
    pub bucket: u32,
    /// Which version of the features its rows have; 0 when they have what their sources said only.
    #[serde(default)]
    pub features: u32,
}

/// All files of one snapshot.
///
/// A snapshot counts only through the control-store row that holds its manifest; files that no
/// such row names are garbage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this layout.
    pub schema: u32,
    /// People per bucket.
    pub bucket_size: u32,
    /// The files of each table, by bucket, ascending. Files of different buckets share no person.
    pub tables: BTreeMap<TableName, Vec<LakeFile>>,
}

impl Manifest {
    /// The manifest as the JSON that is stored and hashed.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A struct of strings and integers always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The buckets with acts whose features are of an older version than `version`.
    #[must_use]
    pub fn without_features(&self, version: u32) -> BTreeSet<u32> {
        self.files(TableName::Activity).iter().filter(|f| f.features < version).map(|f| f.bucket).collect()
    }

    /// The same without a table.
    #[must_use]
    pub fn without(&self, table: TableName) -> Self {
        let mut manifest = self.clone();
        manifest.tables.remove(&table);
        manifest
    }

    /// The files of one table.
    #[must_use]
    pub fn files(&self, table: TableName) -> &[LakeFile] {
        self.tables.get(&table).map_or(&[], Vec::as_slice)
    }
}

/// Normalised rows whose people have their ids: a source, or a part of one.
#[derive(Debug)]
pub struct Arrival {
    /// The rows.
    pub batch: NormalizedBatch,
    /// The ids of all people of the source so far; the last of them are those of `batch.subjects`, in
    /// the same order. The owners of acts are places in it.
    pub ids: Vec<SubjectId>,
}

/// What writing arrivals into the lake led to. Nothing of it is visible yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Staged {
    /// The snapshot that would be visible.
    pub manifest: Manifest,
    /// For each source, what was new and what was there before.
    pub counts: Vec<Counts>,
}

/// An import that is taken back, as far as the lake needs to know it.
#[derive(Debug, Clone)]
pub struct Undo {
    /// The sources whose rows go.
    pub sources: Range<u32>,
    /// Whom no other import names: what describes them goes as well.
    pub alone: SubjectSet,
    /// What the other imports say of the age and country of the rest.
    pub known: BTreeMap<SubjectId, (AgeBand, Option<String>)>,
}

/// Some of a person's rows, and where they come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Traced {
    /// The table.
    pub table: TableName,
    /// The number of their source; none for what several sources may have told together.
    pub source: Option<u32>,
    /// The id under which they arrived, when that is not their owner's.
    pub arrived_as: Option<SubjectId>,
    /// How many.
    pub rows: u64,
}

crate::words! {
    /// Why a snapshot of the lake was made.
    pub enum SnapshotCause("cause of a snapshot") {
        /// Rows arrived.
        Import = "import",
        /// An import was taken back.
        Undo = "undo",
        /// Two ids became one person's.
        Merge = "merge",
        /// Two ids became two people's again.
        Split = "split",
        /// People were erased.
        Erasure = "erasure",
        /// Small files were made large.
        Compaction = "compaction",
        /// Features were derived from texts.
        Features = "features",
        /// A partner uploaded a table.
        PartnerTable = "partner_table",
        /// A partner's table was deleted.
        PartnerTableDeletion = "partner_table_deletion",
        /// The operator made the newest data visible before their tick.
        Publish = "publish",
        /// A backup was put back whose files are not the newest.
        Restore = "restore",
    }
}

crate::words! {
    /// When new data become visible: a public parameter of the deployment.
    pub enum SnapshotClock("snapshot clock") {
        /// At the next midnight, UTC.
        Daily = "daily",
        /// At the next full hour, UTC.
        Hourly = "hourly",
        /// At once.
        Import = "import",
    }
}

impl SnapshotClock {
    /// The first tick after `at`.
    #[must_use]
    pub fn next(self, at: Timestamp) -> Timestamp {
        let step = match self {
            Self::Daily => TimeDelta::days(1),
            Self::Hourly => TimeDelta::hours(1),
            Self::Import => return at,
        };
        // Both steps divide the time since the epoch, which began at a midnight.
        at.duration_trunc(step).unwrap_or(at) + step
    }
}

/// A snapshot, visible or waiting for its tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its number, from 1 upwards.
    pub id: i64,
    /// Why it was made.
    pub cause: SnapshotCause,
    /// When it was made.
    pub at: Timestamp,
    /// From when on releases look at it, unless there is a newer one.
    pub visible_from: Timestamp,
    /// Its files.
    pub manifest: Manifest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_come_after_the_instant() {
        for (clock, at, tick) in [
            (SnapshotClock::Daily, "2026-11-24T10:00:00.5Z", "2026-11-25T00:00:00Z"),
            (SnapshotClock::Daily, "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"),
            (SnapshotClock::Daily, "1969-12-31T10:00:00Z", "1970-01-01T00:00:00Z"),
            (SnapshotClock::Hourly, "2026-12-31T23:59:59.999999Z", "2027-01-01T00:00:00Z"),
            (SnapshotClock::Hourly, "2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z"),
            (SnapshotClock::Import, "2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z"),
        ] {
            assert_eq!(clock.next(at.parse().unwrap()), tick.parse::<Timestamp>().unwrap(), "{clock} {at}");
        }
    }
}
