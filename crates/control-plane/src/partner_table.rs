//! Partners' own tables: who uploaded what, whose rows are in it, and when it went.
//!
//! ```text
//! partner_table_begin    who may be matched: people who agreed to a purpose of the partner's agreements
//! (the lake)             rows of those people; nobody else's are kept, and nothing is visible yet
//! partner_table_commit   one transaction: the record and the snapshot, visible from the next tick on
//! ```

use std::collections::{BTreeMap, BTreeSet};

use domain::audit::EntryKind;
use domain::catalog::TableName;
use domain::consent::DataScope;
use domain::lake::{Manifest, Snapshot, SnapshotCause};
use domain::partner_table::{HashedAddress, PartnerColumn, PartnerTable, PartnerTableId};
use domain::question::Plan;
use domain::{Fault, PartnerIdentifier, PartnerName, Purpose, Refusal, RefusalCode, SubjectId, SubjectSet, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::audit::AuditWriter;
use crate::error::unreadable;
use crate::snapshot::LakeLock;
use crate::store::{from_i64, parse_time, parse_word, time_text, to_i64};
use crate::{ControlPlane, Error, agreement, consent, snapshot};

/// What a partner declares of a table to come.
#[derive(Debug, Clone)]
pub struct NewPartnerTable {
    /// Whose.
    pub partner: PartnerName,
    /// What it is called.
    pub name: PartnerIdentifier,
    /// Its columns.
    pub columns: Vec<PartnerColumn>,
    /// Rows of one person, at most.
    pub rows_per_person: u32,
    /// Whether it takes the place of one of the same name.
    pub replace: bool,
}

/// An upload that is under way. Dropping it leaves nothing behind.
pub struct Upload {
    partner: PartnerName,
    table: PartnerTable,
    replaces: Option<PartnerTableId>,
    base: Option<Snapshot>,
    people: BTreeMap<[u8; 32], Vec<SubjectId>>,
    lock: LakeLock,
}

impl Upload {
    /// The table to come.
    #[must_use]
    pub const fn table(&self) -> &PartnerTable {
        &self.table
    }

    /// The snapshot that it is put into.
    #[must_use]
    pub const fn base(&self) -> Option<&Snapshot> {
        self.base.as_ref()
    }

    /// The right to change the lake, which the upload has.
    #[must_use]
    pub const fn lock(&self) -> &LakeLock {
        &self.lock
    }

    /// Whose row it is.
    ///
    /// # Guarantee
    /// Only people who agreed to a purpose of the partner's agreements, and everybody of them who has this
    /// address: that one of them is here changes nothing for another.
    #[must_use]
    pub fn owners(&self, address: &HashedAddress) -> &[SubjectId] {
        self.people.get(&address.0).map_or(&[], Vec::as_slice)
    }
}

/// The file that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFile {
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Rows that were read, whether they belong to somebody here or not.
    pub rows: u64,
}

/// Where a partner's table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartnerTableState {
    /// Questions can name it.
    Visible,
    /// Questions can name it from then on.
    Waiting(Timestamp),
    /// It was deleted then.
    Deleted(Timestamp),
    /// Another of its name took its place.
    Replaced,
    /// Its rows were lost with a restore: it must be uploaded again.
    Lost,
}

/// A partner's table as its partner and the operator see it: nothing here depends on who is in it.
#[derive(Debug, Clone)]
pub struct PartnerTableInfo {
    /// Whose.
    pub partner: PartnerName,
    /// What was declared.
    pub table: PartnerTable,
    /// The file.
    pub file: UploadedFile,
    /// When it was uploaded.
    pub at: Timestamp,
    /// Where it stands.
    pub state: PartnerTableState,
}

impl ControlPlane {
    /// Begins an upload; changes nothing.
    ///
    /// # Errors
    /// A refusal when the partner may ask nothing now, the declaration makes no sense or the name is taken; a
    /// conflict while something else changes the lake.
    pub async fn partner_table_begin(&self, new: NewPartnerTable) -> Result<Upload, Error> {
        let lock = self.lake_lock()?;
        let NewPartnerTable { partner, name, columns, rows_per_person, replace } = new;
        let mut tx = self.inner.store.begin().await?;
        let at = self.now();
        let purposes = agreement::purposes(&mut tx, &partner, at.date_naive()).await?;
        // Nobody else gets this number while the lock is held.
        let id: u32 = sqlx::query("SELECT coalesce(max(id), 0) + 1 FROM partner_table").fetch_one(&mut *tx).await?.try_get(0)?;
        let table = PartnerTable::new(PartnerTableId(id), name, columns, rows_per_person)?;
        let base = snapshot::head(&mut tx).await?;
        let replaces = undeleted(&mut tx, &partner).await?.into_iter().rev().find(|other| other.name() == table.name()).map(|other| other.id());
        if let (Some(_), false) = (replaces, replace) {
            let message = format!("the partner {partner} has a table partner.{} already", table.name());
            return Err(Refusal::new(RefusalCode::PartnerTable, message).hint("replace it with --replace, or choose another name").into());
        }
        consent::freshen(&mut tx, &self.inner, at).await?;
        let people = matchable(&mut tx, &partner, &purposes).await?;
        tx.commit().await?;
        Ok(Upload { partner, table, replaces, base, people, lock })
    }

    /// Takes in the table whose files `manifest` has besides the upload's base. Questions can name it from the
    /// next tick on; one that it replaces, until then.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn partner_table_commit(&self, upload: Upload, manifest: &Manifest, file: &UploadedFile) -> Result<PartnerTableInfo, Error> {
        let Upload { partner, table, replaces, base: _, people: _, lock } = upload;
        let mut tx = self.inner.store.begin().await?;
        let at = self.now();
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        let manifest = replaces.map_or_else(|| manifest.clone(), |old| manifest.without(TableName::Partner(old)));
        let snapshot = snapshot::publish(&mut tx, &mut audit, SnapshotCause::PartnerTable, &manifest, at).await?;
        let columns = serde_json::to_string(table.columns()).map_err(|e| unreadable("columns", e))?;
        let inserted =
            sqlx::query("INSERT INTO partner_table (id, partner, name, columns, rows_per_person, sha256, rows, replaces, snapshot_id, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .bind(table.id().0)
                .bind(partner.as_str())
                .bind(table.name().as_str())
                .bind(columns)
                .bind(table.rows_per_person())
                .bind(&file.sha256)
                .bind(to_i64(file.rows)?)
                .bind(replaces.map(|old| old.0))
                .bind(snapshot)
                .bind(time_text(at))
                .execute(&mut *tx)
                .await?;
        audit.append(&mut tx, EntryKind::PartnerTableUploaded, "partner_table", inserted.last_insert_rowid()).await?;
        audit.finish(&mut tx).await?;
        let info = all(&mut tx, Some(&partner), at).await?.into_iter().find(|info| info.table.id() == table.id());
        tx.commit().await?;
        drop(lock);
        info.ok_or_else(|| Fault::broken("a partner's table that was just written is not there").into())
    }

    /// Deletes a partner's table: no question can name it from now on, and no snapshot that will be looked at
    /// has its rows. The caller has the lake's lock, and sweeps it afterwards.
    ///
    /// # Errors
    /// Not found; a fault of the store.
    pub async fn partner_table_delete(&self, _lock: &LakeLock, partner: &PartnerName, name: &PartnerIdentifier) -> Result<PartnerTableId, Error> {
        let mut tx = self.inner.store.begin().await?;
        let at = self.now();
        let deleted: Vec<PartnerTableId> = undeleted(&mut tx, partner).await?.iter().filter(|table| table.name() == name).map(PartnerTable::id).collect();
        let newest = *deleted.last().ok_or_else(|| Error::NotFound { what: "table", name: format!("partner.{name} of {partner}") })?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        // Also the one that it replaced, which questions may name until the next tick.
        let without = |manifest: &Manifest| deleted.iter().fold(manifest.clone(), |manifest, id| manifest.without(TableName::Partner(*id)));
        let live = snapshot::live(&mut tx, at).await?.into_iter();
        let rewritten: Vec<(Snapshot, Manifest)> = live.map(|live| (live.clone(), without(&live.manifest))).collect();
        snapshot::replace(&mut tx, &mut audit, SnapshotCause::PartnerTableDeletion, &rewritten, at).await?;
        for id in &deleted {
            let inserted = sqlx::query("INSERT INTO partner_table_deletion (table_id, at) VALUES (?, ?)").bind(id.0).bind(time_text(at)).execute(&mut *tx).await?;
            audit.append(&mut tx, EntryKind::PartnerTableDeleted, "partner_table_deletion", inserted.last_insert_rowid()).await?;
        }
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        Ok(newest)
    }

    /// The tables of one partner or all, oldest first.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn partner_table_list(&self, partner: Option<&PartnerName>) -> Result<Vec<PartnerTableInfo>, Error> {
        all(&mut *self.inner.store.snapshot().await?, partner, self.now()).await
    }

    /// The tables that questions of this partner can name now.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn partner_table_visible(&self, partner: &PartnerName) -> Result<Vec<PartnerTable>, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let at = self.now();
        let Some(visible) = snapshot::visible(&mut tx, at).await? else { return Ok(Vec::new()) };
        let tables = undeleted(&mut tx, partner).await?;
        Ok(tables.into_iter().filter(|table| visible.manifest.tables.contains_key(&TableName::Partner(table.id()))).collect())
    }
}

/// That all partners' tables of a plan belong to the partner, and are in the snapshot.
///
/// # Errors
/// A refusal when one was deleted or replaced since the question was understood.
pub(crate) async fn check(tx: &mut SqliteConnection, partner: &PartnerName, plan: &Plan, manifest: &Manifest) -> Result<(), Error> {
    let asked: BTreeSet<PartnerTableId> = plan.partner_tables().collect();
    if asked.is_empty() {
        return Ok(());
    }
    let own: BTreeSet<PartnerTableId> = undeleted(tx, partner).await?.iter().map(PartnerTable::id).collect();
    if asked.iter().all(|id| own.contains(id) && manifest.tables.contains_key(&TableName::Partner(*id))) {
        return Ok(());
    }
    Err(Refusal::new(RefusalCode::Table, "a table of the question was deleted or replaced just now")
        .hint("ask again: fairshare table list --partner NAME says what is there")
        .into())
}

/// Takes out what was deleted or replaced: files that are older than that may have it.
pub(crate) async fn without_deleted(tx: &mut SqliteConnection, manifest: Manifest) -> Result<Manifest, Error> {
    let rows = sqlx::query("SELECT table_id FROM partner_table_deletion UNION SELECT replaces FROM partner_table WHERE replaces IS NOT NULL").fetch_all(tx).await?;
    rows.iter().try_fold(manifest, |manifest, row| Ok(manifest.without(TableName::Partner(PartnerTableId(row.try_get(0)?)))))
}

const COLUMNS: &str = "SELECT t.id, t.name, t.columns, t.rows_per_person, t.partner, t.sha256, t.rows, t.at, t.replaces, d.at FROM partner_table t LEFT JOIN partner_table_deletion d ON d.table_id = t.id";

fn table(row: &SqliteRow) -> Result<PartnerTable, Error> {
    let columns: Vec<PartnerColumn> = serde_json::from_str(row.try_get(2)?).map_err(|e| unreadable("columns", e))?;
    PartnerTable::new(PartnerTableId(row.try_get(0)?), parse_word(row.try_get(1)?)?, columns, row.try_get(3)?).map_err(|e| unreadable("a partner's table", e).into())
}

/// The partner's tables that were not deleted, oldest first, also those that were replaced.
async fn undeleted(tx: &mut SqliteConnection, partner: &PartnerName) -> Result<Vec<PartnerTable>, Error> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE t.partner = ? AND d.at IS NULL ORDER BY t.id"))).bind(partner.as_str()).fetch_all(tx).await?;
    rows.iter().map(table).collect()
}

async fn all(tx: &mut SqliteConnection, partner: Option<&PartnerName>, at: Timestamp) -> Result<Vec<PartnerTableInfo>, Error> {
    let live = snapshot::live(tx, at).await?;
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE ?1 IS NULL OR t.partner = ?1 ORDER BY t.id"))).bind(partner.map(PartnerName::as_str)).fetch_all(tx).await?;
    let replaced = rows.iter().filter_map(|row| row.try_get::<Option<u32>, _>(8).transpose()).collect::<Result<BTreeSet<u32>, _>>()?;
    rows.iter()
        .map(|row| {
            let table = table(row)?;
            let of_table = |snapshot: &&Snapshot| snapshot.manifest.tables.contains_key(&TableName::Partner(table.id()));
            let deleted: Option<&str> = row.try_get(9)?;
            let state = match (deleted, live.iter().position(|snapshot| of_table(&snapshot))) {
                (Some(deleted), _) => PartnerTableState::Deleted(parse_time(deleted)?),
                (None, Some(0)) => PartnerTableState::Visible,
                (None, Some(_)) => live.iter().find(of_table).map_or(PartnerTableState::Lost, |snapshot| PartnerTableState::Waiting(snapshot.visible_from)),
                (None, None) if replaced.contains(&table.id().0) => PartnerTableState::Replaced,
                (None, None) => PartnerTableState::Lost,
            };
            let file = UploadedFile { sha256: row.try_get(5)?, rows: from_i64(row.try_get(6)?)? };
            Ok(PartnerTableInfo { partner: parse_word(row.try_get(4)?)?, table, file, at: parse_time(row.try_get(7)?)?, state })
        })
        .collect()
}

/// Whose rows may be taken in, by the hash of their address.
async fn matchable(tx: &mut SqliteConnection, partner: &PartnerName, purposes: &[Purpose]) -> Result<BTreeMap<[u8; 32], Vec<SubjectId>>, Error> {
    let mut permitted = SubjectSet::new();
    for purpose in purposes {
        permitted.union_with(&consent::permitted_set(tx, partner, *purpose, &[DataScope::Profile]).await?);
    }
    let addresses = "SELECT coalesce(s.merged_into, s.subject_id), c.address FROM contact_address c JOIN subject s USING (subject_id) WHERE s.status <> 'erased'";
    let mut people: BTreeMap<[u8; 32], Vec<SubjectId>> = BTreeMap::new();
    for row in sqlx::query(addresses).fetch_all(tx).await? {
        let (subject, address) = (SubjectId(row.try_get(0)?), row.try_get::<&str, _>(1)?);
        if !permitted.contains(subject) {
            continue;
        }
        let owners = people.entry(Sha256::digest(address.trim().to_lowercase()).into()).or_default();
        if !owners.contains(&subject) {
            owners.push(subject);
        }
    }
    Ok(people)
}
