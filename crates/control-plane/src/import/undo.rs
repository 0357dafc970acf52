//! Taking an import back.
//!
//! ```text
//! undo_begin    what goes: rows of its sources, people whom it alone named, what it told
//! (the lake)    files without them; nothing is visible yet
//! undo_commit   one transaction: the record, the snapshot, ages and permissions
//! ```

use std::collections::BTreeMap;

use domain::audit::EntryKind;
use domain::lake::{Manifest, Snapshot, SnapshotCause, Undo};
use domain::{Refusal, RefusalCode, SubjectId, SubjectSet};
use sqlx::{Row, SqliteConnection};

use super::known::{learn, told};
use super::provenance::{self, ImportInfo};
use crate::audit::AuditWriter;
use crate::consent::Rules;
use crate::snapshot::LakeLock;
use crate::{ControlPlane, Error, snapshot};

/// An import on its way back. Dropping it leaves everything as it was.
#[derive(Debug)]
pub struct Undoing {
    import: ImportInfo,
    base: Option<Snapshot>,
    undo: Undo,
    lock: LakeLock,
}

impl Undoing {
    /// The import.
    #[must_use]
    pub const fn import(&self) -> &ImportInfo {
        &self.import
    }

    /// The newest snapshot, which holds its rows.
    #[must_use]
    pub const fn base(&self) -> Option<&Snapshot> {
        self.base.as_ref()
    }

    /// What of it goes.
    #[must_use]
    pub const fn undo(&self) -> &Undo {
        &self.undo
    }

    /// The right to change the lake.
    #[must_use]
    pub const fn lock(&self) -> &LakeLock {
        &self.lock
    }
}

impl ControlPlane {
    /// Begins to take an import back; changes nothing.
    ///
    /// # Errors
    /// Not found; a refusal when it was taken back before; a conflict while something else changes the
    /// lake.
    pub async fn undo_begin(&self, import: i64) -> Result<Undoing, Error> {
        let lock = self.lake_lock()?;
        let mut tx = self.inner.store.snapshot().await?;
        let import = provenance::find(&mut tx, import).await?;
        check(&import)?;
        let undo = undo_of(&mut tx, import.id).await?;
        let base = snapshot::head(&mut tx).await?;
        Ok(Undoing { import, base, undo, lock })
    }

    /// Takes an import back: the snapshot `without` its rows is visible from the next tick on, when there
    /// is one, and what it told of people counts no more.
    ///
    /// # Guarantee
    /// All of it in one transaction, with an audit entry; the import's own row and lines stay, so that
    /// what they vouched for can still be checked. An age that only this import told closes advertising
    /// at once.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn undo_commit(&self, undoing: Undoing, without: Option<&Manifest>) -> Result<Option<i64>, Error> {
        let Undoing { import, base, undo: _, lock } = undoing;
        let mut tx = self.inner.store.begin().await?;
        check(&provenance::find(&mut tx, import.id).await?)?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        let snapshot = match without.filter(|m| base.as_ref().is_none_or(|b| b.manifest != **m)) {
            Some(manifest) => Some(snapshot::publish(&mut tx, &mut audit, SnapshotCause::Undo, manifest, self.now()).await?),
            None => None,
        };
        let inserted =
            sqlx::query("INSERT INTO import_undo (import_id, snapshot_id, at) VALUES (?, ?, ?)").bind(import.id).bind(snapshot).bind(self.now_text()).execute(&mut *tx).await?;
        audit.append(&mut tx, EntryKind::ImportUndone, "import_undo", inserted.last_insert_rowid()).await?;
        audit.finish(&mut tx).await?;
        let told_of = people_of(&mut tx, import.id).await?;
        let rules = Rules::read(&mut tx, &self.inner, self.now()).await?;
        learn(&mut tx, &rules, told_of).await?;
        tx.commit().await?;
        drop(lock);
        Ok(snapshot)
    }
}

/// What of an import goes when it is taken back, as far as the lake needs to know it.
pub(crate) async fn undo_of(connection: &mut SqliteConnection, import: i64) -> Result<Undo, Error> {
    let imports = provenance::all(connection).await?;
    let import = provenance::find(connection, import).await?;
    let mut others = SubjectSet::new();
    imports.iter().filter(|other| other.id != import.id && other.undone.is_none()).for_each(|other| others.union_with(&other.named));
    let alone: SubjectSet = import.named.iter().filter(|s| !others.contains(*s)).collect();
    let rest: Vec<SubjectId> = people_of(connection, import.id).await?.into_iter().filter(|s| !alone.contains(*s)).collect();
    let known: BTreeMap<_, _> = told(connection, &rest, Some(import.id)).await?.into_iter().map(|(id, known)| (id, (known.age, known.country))).collect();
    let first = import.sources.first().map_or(0, |s| s.number);
    let end = import.sources.last().map_or(0, |s| s.number.saturating_add(1));
    Ok(Undo { sources: first..end, alone, known })
}

fn check(import: &ImportInfo) -> Result<(), Refusal> {
    match import.undone {
        None => Ok(()),
        Some(at) => Err(Refusal::new(RefusalCode::State, format!("import {} was taken back before, at {}", import.id, at.format("%Y-%m-%d %H:%M:%S UTC")))),
    }
}

/// Of whom an import told anything, also if what it told was lost.
pub(crate) async fn people_of(connection: &mut SqliteConnection, import: i64) -> Result<Vec<SubjectId>, Error> {
    let rows = sqlx::query("SELECT subject_id FROM subject_fact WHERE import_id = ?1 UNION SELECT subject_id FROM lost_word WHERE import_id = ?1")
        .bind(import)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(SubjectId(row.try_get(0)?))).collect()
}
