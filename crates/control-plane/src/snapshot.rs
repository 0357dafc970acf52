//! Snapshots of the lake: visible through their row alone.

use std::fs::{File, TryLockError};

use domain::Fault;
use domain::Timestamp;
use domain::audit::EntryKind;
use domain::lake::{Manifest, Snapshot, SnapshotCause};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::audit::AuditWriter;
use crate::error::unreadable;
use crate::store::{parse_time, parse_word, time_text};
use crate::{ControlPlane, Error};

/// The right to change the lake; one process has it at a time.
#[derive(Debug)]
pub struct LakeLock(#[expect(dead_code, reason = "held, not read")] File);

impl ControlPlane {
    /// Takes the right to change the lake until the lock is dropped.
    ///
    /// # Errors
    /// A conflict while somebody else has it.
    pub fn lake_lock(&self) -> Result<LakeLock, Error> {
        // A store that is behind would take newer files for garbage.
        self.inner.store.check_unlocked()?;
        let fault = |e: std::io::Error| Fault::new("locking the lake", e);
        let lock = File::create(self.inner.dir.join("lake.lock")).map_err(fault)?;
        match lock.try_lock() {
            Ok(()) => Ok(LakeLock(lock)),
            Err(TryLockError::WouldBlock) => Err(Error::Conflict("another import, erasure or compaction is changing the lake; wait until it has ended".to_owned())),
            Err(TryLockError::Error(e)) => Err(fault(e).into()),
        }
    }

    /// The newest visible snapshots, newest first, `limit` at most.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn snapshot_list(&self, limit: u32) -> Result<Vec<Snapshot>, Error> {
        let rows = sqlx::query("SELECT id, cause, manifest, at FROM snapshot ORDER BY id DESC LIMIT ?").bind(limit).fetch_all(self.inner.store.reader()).await?;
        rows.iter().map(snapshot).collect()
    }

    /// The newest visible snapshot.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn snapshot_head(&self) -> Result<Option<Snapshot>, Error> {
        head(&mut *self.inner.store.snapshot().await?).await
    }

    /// Makes visible what compaction made of the newest snapshot; the caller has the lake's lock.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn snapshot_compacted(&self, _lock: &LakeLock, manifest: &Manifest) -> Result<i64, Error> {
        let mut tx = self.inner.store.begin().await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        let id = publish(&mut tx, &mut audit, SnapshotCause::Compaction, manifest, self.now()).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Whether a release is being answered, which may still read older snapshots.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn release_running(&self) -> Result<bool, Error> {
        let open = "SELECT 1 FROM release_reservation r WHERE NOT EXISTS (SELECT 1 FROM release_outcome o WHERE o.release = r.release) LIMIT 1";
        Ok(sqlx::query(open).fetch_optional(self.inner.store.reader()).await?.is_some())
    }
}

/// The newest visible snapshot, as `connection` sees it.
pub(crate) async fn head(connection: &mut SqliteConnection) -> Result<Option<Snapshot>, Error> {
    let row = sqlx::query("SELECT id, cause, manifest, at FROM snapshot ORDER BY id DESC LIMIT 1").fetch_optional(connection).await?;
    row.map(|row| snapshot(&row)).transpose()
}

/// Makes a snapshot visible when `tx` commits.
pub(crate) async fn publish(tx: &mut SqliteConnection, audit: &mut AuditWriter<'_>, cause: SnapshotCause, manifest: &Manifest, at: Timestamp) -> Result<i64, Error> {
    let inserted =
        sqlx::query("INSERT INTO snapshot (cause, manifest, at) VALUES (?, ?, ?)").bind(cause.as_str()).bind(manifest.to_json()).bind(time_text(at)).execute(&mut *tx).await?;
    let id = inserted.last_insert_rowid();
    audit.append(tx, EntryKind::SnapshotPublished, "snapshot", id).await?;
    Ok(id)
}

fn snapshot(row: &SqliteRow) -> Result<Snapshot, Error> {
    let manifest: Manifest = serde_json::from_str(row.try_get(2)?).map_err(|e| unreadable("a snapshot", e))?;
    Ok(Snapshot { id: row.try_get(0)?, cause: parse_word(row.try_get(1)?)?, at: parse_time(row.try_get(3)?)?, manifest })
}
