//! Snapshots of the lake: they exist through their row alone, and become visible by a public clock.

use std::fs::{File, TryLockError};

use domain::Fault;
use domain::Timestamp;
use domain::audit::EntryKind;
use domain::lake::{Manifest, Snapshot, SnapshotCause, SnapshotClock};
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
        self.lake_lock_anyway()
    }

    /// The same for whoever brings the store up to its log.
    pub(crate) fn lake_lock_anyway(&self) -> Result<LakeLock, Error> {
        let fault = |e: std::io::Error| Fault::new("locking the lake", e);
        let lock = File::create(self.inner.dir.join("lake.lock")).map_err(fault)?;
        match lock.try_lock() {
            Ok(()) => Ok(LakeLock(lock)),
            Err(TryLockError::WouldBlock) => Err(Error::Conflict("another import, erasure or compaction is changing the lake; wait until it has ended".to_owned())),
            Err(TryLockError::Error(e)) => Err(fault(e).into()),
        }
    }

    /// When new data become visible in this deployment.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn snapshot_clock(&self) -> Result<SnapshotClock, Error> {
        clock(&mut *self.inner.store.snapshot().await?).await
    }

    /// The newest snapshot of all, visible or not: what imports build on.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn snapshot_head(&self) -> Result<Option<Snapshot>, Error> {
        head(&mut *self.inner.store.snapshot().await?).await
    }

    /// The snapshots that releases look at from now on: the visible one, then those that wait for their
    /// tick, ascending. The last is the head.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn snapshot_live(&self) -> Result<Vec<Snapshot>, Error> {
        live(&mut *self.inner.store.snapshot().await?, self.now()).await
    }

    /// Manifests whose files must stay: of the live snapshots, and of those that a release is reading.
    ///
    /// # Guarantee
    /// No release that starts later looks at any other snapshot: this is read while nobody can reserve
    /// one, and releases take their time after that.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn snapshot_kept(&self, _lock: &LakeLock) -> Result<Kept, Error> {
        let mut tx = self.inner.store.begin().await?;
        let live = live(&mut tx, self.now()).await?;
        let mut manifests: Vec<Manifest> = Vec::new();
        let running = "SELECT DISTINCT r.snapshot_id FROM release_reservation r WHERE NOT EXISTS (SELECT 1 FROM release_outcome o WHERE o.release = r.release)";
        for row in sqlx::query(running).fetch_all(&mut *tx).await? {
            let id: i64 = row.try_get(0)?;
            if live.iter().all(|s| s.id != id) {
                let row = sqlx::query(SELECT_ONE).bind(id).fetch_one(&mut *tx).await?;
                manifests.push(snapshot(&row)?.manifest);
            }
        }
        let waiting = !manifests.is_empty();
        manifests.extend(live.into_iter().map(|s| s.manifest));
        Ok(Kept { manifests, waiting })
    }

    /// Puts rewritten snapshots into the places of live ones, each visible from when its original was;
    /// the caller has the lake's lock. Does nothing when nothing was changed.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn snapshot_replace(&self, _lock: &LakeLock, cause: SnapshotCause, rewritten: &[(Snapshot, Manifest)]) -> Result<(), Error> {
        let mut tx = self.inner.store.begin().await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        replace(&mut tx, &mut audit, cause, rewritten, self.now()).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Makes the head into what is made of it, visible from the next tick; the caller has the lake's lock.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn snapshot_advance(&self, _lock: &LakeLock, cause: SnapshotCause, manifest: &Manifest) -> Result<i64, Error> {
        let mut tx = self.inner.store.begin().await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        let id = publish(&mut tx, &mut audit, cause, manifest, self.now()).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Makes the head visible now, before its tick: an act of the operator. Gives the new snapshot; none
    /// when nothing waits.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn snapshot_publish(&self, _lock: &LakeLock) -> Result<Option<i64>, Error> {
        let mut tx = self.inner.store.begin().await?;
        let at = self.now();
        let Some(head) = head(&mut tx).await?.filter(|head| head.visible_from > at) else { return Ok(None) };
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        let id = insert(&mut tx, &mut audit, SnapshotCause::Publish, &head.manifest, at, at).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        Ok(Some(id))
    }
}

/// What a sweep must leave.
#[derive(Debug)]
pub struct Kept {
    /// Whose files.
    pub manifests: Vec<Manifest>,
    /// Whether some of them are kept only for releases that are being answered.
    pub waiting: bool,
}

const SELECT_ONE: &str = "SELECT id, cause, manifest, at, visible_from FROM snapshot WHERE id = ?";
const SELECT_HEAD: &str = "SELECT id, cause, manifest, at, visible_from FROM snapshot ORDER BY id DESC LIMIT 1";
const SELECT_BEFORE: &str = "SELECT id, cause, manifest, at, visible_from FROM snapshot WHERE id < ? AND visible_from < ? ORDER BY id DESC LIMIT 1";

/// The newest snapshot of all, as `connection` sees it.
pub(crate) async fn head(connection: &mut SqliteConnection) -> Result<Option<Snapshot>, Error> {
    let row = sqlx::query(SELECT_HEAD).fetch_optional(connection).await?;
    row.map(|row| snapshot(&row)).transpose()
}

/// The newest snapshot before the one with this number, or of all.
pub(crate) async fn newest_before(connection: &mut SqliteConnection, before: Option<i64>) -> Result<Option<Snapshot>, Error> {
    let row = sqlx::query("SELECT id, cause, manifest, at, visible_from FROM snapshot WHERE id < ? ORDER BY id DESC LIMIT 1").bind(before.unwrap_or(i64::MAX));
    row.fetch_optional(connection).await?.map(|row| snapshot(&row)).transpose()
}

/// What a release that starts at `now` looks at: the newest snapshot whose time has come.
pub(crate) async fn visible(connection: &mut SqliteConnection, now: Timestamp) -> Result<Option<Snapshot>, Error> {
    Ok(live(connection, now).await?.into_iter().next())
}

/// The visible snapshot at `now`, then those that wait, ascending. A snapshot is never looked at when a
/// newer one is visible from the same time or earlier; the very first is visible from when it was made.
pub(crate) async fn live(connection: &mut SqliteConnection, now: Timestamp) -> Result<Vec<Snapshot>, Error> {
    let Some(head) = head(connection).await? else { return Ok(Vec::new()) };
    // A clock that was set back does not bring back what another took the place of.
    let now = now.max(head.at);
    let mut live = vec![head];
    while let Some(oldest) = live.last().filter(|s| s.visible_from > now) {
        let before = sqlx::query(SELECT_BEFORE).bind(oldest.id).bind(time_text(oldest.visible_from)).fetch_optional(&mut *connection).await?;
        let Some(before) = before else { break };
        live.push(snapshot(&before)?);
    }
    live.reverse();
    Ok(live)
}

pub(crate) async fn clock(connection: &mut SqliteConnection) -> Result<SnapshotClock, Error> {
    let row = sqlx::query("SELECT snapshot_clock FROM deployment WHERE id = 1").fetch_one(connection).await?;
    Ok(parse_word(row.try_get(0)?)?)
}

/// Makes the newest snapshot when `tx` commits. It is visible from the next tick of the deployment's
/// clock on; the very first at once.
pub(crate) async fn publish(tx: &mut SqliteConnection, audit: &mut AuditWriter<'_>, cause: SnapshotCause, manifest: &Manifest, at: Timestamp) -> Result<i64, Error> {
    let first = head(tx).await?.is_none();
    let visible_from = if first { at } else { clock(tx).await?.next(at) };
    insert(tx, audit, cause, manifest, visible_from, at).await
}

/// Makes the newest snapshot when `tx` commits, visible at once.
pub(crate) async fn publish_now(tx: &mut SqliteConnection, audit: &mut AuditWriter<'_>, cause: SnapshotCause, manifest: &Manifest, at: Timestamp) -> Result<i64, Error> {
    insert(tx, audit, cause, manifest, at, at).await
}

/// Puts rewritten snapshots into the places of live ones when `tx` commits: those from the first that
/// changed on, so that their order stays. Gives the newest; none when nothing was changed.
pub(crate) async fn replace(
    tx: &mut SqliteConnection,
    audit: &mut AuditWriter<'_>,
    cause: SnapshotCause,
    rewritten: &[(Snapshot, Manifest)],
    at: Timestamp,
) -> Result<Option<i64>, Error> {
    let mut newest = None;
    for (original, manifest) in rewritten.iter().skip_while(|(original, manifest)| original.manifest == *manifest) {
        newest = Some(insert(tx, audit, cause, manifest, original.visible_from, at).await?);
    }
    Ok(newest)
}

async fn insert(tx: &mut SqliteConnection, audit: &mut AuditWriter<'_>, cause: SnapshotCause, manifest: &Manifest, visible_from: Timestamp, at: Timestamp) -> Result<i64, Error> {
    let inserted = sqlx::query("INSERT INTO snapshot (cause, manifest, visible_from, at) VALUES (?, ?, ?, ?)")
        .bind(cause.as_str())
        .bind(manifest.to_json())
        .bind(time_text(visible_from))
        .bind(time_text(at))
        .execute(&mut *tx)
        .await?;
    let id = inserted.last_insert_rowid();
    audit.append(tx, EntryKind::SnapshotPublished, "snapshot", id).await?;
    Ok(id)
}

fn snapshot(row: &SqliteRow) -> Result<Snapshot, Error> {
    let manifest: Manifest = serde_json::from_str(row.try_get(2)?).map_err(|e| unreadable("a snapshot", e))?;
    Ok(Snapshot { id: row.try_get(0)?, cause: parse_word(row.try_get(1)?)?, at: parse_time(row.try_get(3)?)?, visible_from: parse_time(row.try_get(4)?)?, manifest })
}
