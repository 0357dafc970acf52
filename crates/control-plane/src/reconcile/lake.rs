//! The lake after a restore: the newest files that are there, with every later act on them.

use domain::catalog::TableName;
use domain::lake::{Manifest, Snapshot, SnapshotCause};
use domain::port::Lake;
use domain::subject::IdentityAct;
use domain::{SubjectId, Timestamp};
use sqlx::{Row, SqliteConnection};

use crate::audit::AuditWriter;
use crate::import::undo_of;
use crate::partner_table::without_deleted;
use crate::store::parse_word;
use crate::{Error, snapshot};

/// Makes a new head when files of the live snapshots are not there; gives it, and the imports whose rows
/// it lacks.
///
/// # Guarantee
/// Rows of erased people, of imports that were taken back and of partners' tables that were deleted do not
/// come back with older files, and nobody's rows are counted under an id that they were split from.
pub(super) async fn restore(tx: &mut SqliteConnection, audit: &mut AuditWriter<'_>, lake: &dyn Lake, at: Timestamp) -> Result<(Option<i64>, Vec<i64>), Error> {
    let live = snapshot::live(tx, at).await?;
    let Some(head) = live.last() else { return Ok((None, Vec::new())) };
    let mut whole = true;
    for live in &live {
        whole = whole && lake.first_damaged(&live.manifest)?.is_none();
    }
    if whole {
        return Ok((None, Vec::new()));
    }
    let (base, manifest) = match newest_whole(tx, lake).await? {
        Some(found) => (found.id, found.manifest),
        // Nothing is there: an empty lake, into which everything is imported again, and partners upload theirs.
        None => (0, Manifest { tables: TableName::PRIVATE.iter().map(|table| (*table, Vec::new())).collect(), ..head.manifest.clone() }),
    };
    let manifest = acted(tx, lake, base, manifest).await?;
    let manifest = without_deleted(tx, manifest).await?;
    // Older files may hold whoever was erased since; the list is worked off after this.
    sqlx::query("INSERT INTO erasure_pending (subject_id) SELECT subject_id FROM erasure WHERE true ON CONFLICT DO NOTHING").execute(&mut *tx).await?;
    let id = snapshot::publish_now(tx, audit, SnapshotCause::Restore, &manifest, at).await?;
    // An import whose snapshot still waited when the files were written is not in them either.
    let without = "SELECT i.id FROM import i JOIN snapshot s ON s.id = i.snapshot_id LEFT JOIN snapshot b ON b.id = ?1 WHERE s.id > ?1 OR s.visible_from > b.visible_from";
    let rows = sqlx::query(without).bind(base).fetch_all(tx).await?;
    let without = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<_, Error>>()?;
    Ok((Some(id), without))
}

/// The newest snapshot all of whose files are there, unchanged.
async fn newest_whole(tx: &mut SqliteConnection, lake: &dyn Lake) -> Result<Option<Snapshot>, Error> {
    let mut before = None;
    while let Some(snapshot) = snapshot::newest_before(tx, before).await? {
        if lake.first_damaged(&snapshot.manifest)?.is_none() {
            return Ok(Some(snapshot));
        }
        before = Some(snapshot.id);
    }
    Ok(None)
}

/// The files after the acts that changed rows, in the order of the acts: merges and splits since snapshot
/// `base`, and every undone import, which may have waited in another snapshot when the files were written.
/// What was carried out on them before is found done.
async fn acted(tx: &mut SqliteConnection, lake: &dyn Lake, base: i64, mut manifest: Manifest) -> Result<Manifest, Error> {
    let acts = "SELECT coalesce(snapshot_id, 0), 'undo', import_id, 0 FROM import_undo UNION ALL SELECT snapshot_id, act, keep_id, other_id FROM identity_act WHERE snapshot_id > ?1 ORDER BY 1";
    for row in sqlx::query(acts).bind(base).fetch_all(&mut *tx).await? {
        let act: &str = row.try_get(1)?;
        if act == "undo" {
            let undo = undo_of(tx, row.try_get(2)?).await?;
            manifest = lake.undo(&manifest, &undo)?;
            continue;
        }
        let (keep, other) = (SubjectId(row.try_get(2)?), SubjectId(row.try_get(3)?));
        manifest = match parse_word(act)? {
            IdentityAct::Merge => lake.merge(&manifest, keep, other)?,
            IdentityAct::Split => lake.split(&manifest, keep, other)?,
        };
    }
    Ok(manifest)
}
