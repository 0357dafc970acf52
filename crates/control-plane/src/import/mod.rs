//! Imports: ids for people, the transaction that makes a lake snapshot visible, and the way back.

mod accounts;
mod known;
mod people;
mod provenance;
mod undo;

use std::collections::BTreeMap;

use domain::audit::EntryKind;
use domain::lake::{Snapshot, SnapshotCause, Staged};
use domain::record::{Counts, NormalizedBatch, SourceInfo};
use domain::{Fault, SubjectId, SubjectSet};
use sqlx::{Row, SqliteConnection};

use crate::audit::AuditWriter;
use crate::error::unreadable;
use crate::snapshot::LakeLock;
use crate::{ControlPlane, Error, snapshot};

use people::People;
pub use provenance::{ImportInfo, ImportedSource, Provenance};
pub use undo::Undoing;

pub(crate) use known::{known, learn};
pub(crate) use people::{lines_of, people_digest};
pub(crate) use provenance::find;
pub(crate) use undo::{people_of, undo_of};

/// An import that is under way. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Import {
    id: i64,
    base: Option<Snapshot>,
    merged: BTreeMap<SubjectId, SubjectId>,
    first_subject: u32,
    next_subject: u32,
    first_source: u32,
    people: People,
    sources: Vec<Named>,
    /// Held until the import ends, so that no other can give the same ids.
    lock: LakeLock,
}

impl Import {
    /// The right to change the lake, which the import has.
    #[must_use]
    pub const fn lock(&self) -> &LakeLock {
        &self.lock
    }

    /// The number that the import will have.
    #[must_use]
    pub const fn id(&self) -> i64 {
        self.id
    }

    /// The snapshot that the import builds on.
    #[must_use]
    pub const fn base(&self) -> Option<&Snapshot> {
        self.base.as_ref()
    }

    /// Whose acts go to whom, because two ids are one person's. Does not change while the import runs.
    #[must_use]
    pub const fn merged(&self) -> &BTreeMap<SubjectId, SubjectId> {
        &self.merged
    }

    /// The number of its first source; the others follow.
    #[must_use]
    pub const fn first_source(&self) -> u32 {
        self.first_source
    }

    /// Everybody whom its source number `source` names so far, by the ids that their accounts have.
    #[must_use]
    pub fn named(&self, source: u32) -> Option<&SubjectSet> {
        usize::try_from(source).ok().and_then(|place| self.sources.get(place)).map(|source| &source.people)
    }

    /// Says that source number `source` was read to its end: the SHA-256 of its bytes, and whom it turned
    /// out not to name. Whoever is new and named by no other source stays unknown.
    ///
    /// # Errors
    /// A fault when there is no such source.
    pub fn end(&mut self, source: u32, sha256: String, withdrawn: &SubjectSet) -> Result<(), Error> {
        let source = usize::try_from(source).ok().and_then(|place| self.sources.get_mut(place)).ok_or_else(|| Fault::broken("a source ends that never began"))?;
        source.sha256 = Some(sha256);
        withdrawn.iter().for_each(|id| {
            source.people.remove(id);
        });
        Ok(())
    }
}

/// A source and the people it named so far.
#[derive(Debug)]
struct Named {
    info: SourceInfo,
    people: SubjectSet,
    /// Known at its end.
    sha256: Option<String>,
}

impl Named {
    /// The source as the import's row keeps it.
    fn row(&self, number: u32, counts: Counts) -> Result<ImportedSource, Fault> {
        let SourceInfo { path, kind, platform, parser } = self.info.clone();
        let sha256 = self.sha256.clone().ok_or_else(|| Fault::broken("a source was not read to its end"))?;
        Ok(ImportedSource { number, path, kind, platform, sha256, parser, subjects: self.people.len(), counts })
    }

    /// Whose source it is, when it is one person's.
    fn only(&self) -> Option<SubjectId> {
        self.people.iter().next().filter(|_| self.people.len() == 1)
    }
}

/// An import that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportRecord {
    /// Its number.
    pub id: i64,
    /// The snapshot that became visible; none when nothing was new.
    pub snapshot: Option<i64>,
}

impl ControlPlane {
    /// Begins an import; only one runs at a time in a deployment.
    ///
    /// # Errors
    /// A conflict while something else changes the lake.
    pub async fn import_begin(&self) -> Result<Import, Error> {
        let lock = self.lake_lock()?;
        let mut tx = self.inner.store.snapshot().await?;
        let base = snapshot::head(&mut tx).await?;
        // Nobody else can take it while the lock is held.
        let id = sqlx::query("SELECT coalesce(max(id), 0) + 1 FROM import").fetch_one(&mut *tx).await?.try_get(0)?;
        let merged = crate::subject::merged(&mut tx).await?;
        let first_subject = counter(&mut tx, "subject").await?;
        let first_source = counter(&mut tx, "source").await?;
        Ok(Import { id, base, merged, first_subject, next_subject: first_subject, first_source, people: People::default(), sources: Vec::new(), lock })
    }

    /// The ids of the people of a batch of source number `source`, in order: known accounts keep
    /// theirs, new ones get the next. Nothing is written.
    ///
    /// # Errors
    /// A fault when ids run out.
    pub async fn import_assign(&self, import: &mut Import, source: u32, batch: &NormalizedBatch) -> Result<Vec<SubjectId>, Error> {
        let place = usize::try_from(source).map_err(|e| Fault::new("numbering sources", e))?;
        if import.sources.len() == place {
            import.sources.push(Named { info: batch.source.clone(), people: SubjectSet::new(), sha256: None });
        }
        let ids = import.people.assign(&self.inner, &mut import.next_subject, batch).await?;
        let named = import.sources.get_mut(place).ok_or_else(|| Fault::broken("sources must come in order"))?;
        ids.iter().for_each(|id| {
            named.people.insert(*id);
        });
        Ok(ids)
    }

    /// Makes an import visible: people, their attributes, the sources and the lake snapshot, with their
    /// audit entry, in one transaction.
    ///
    /// # Guarantee
    /// Before it returns nothing of the import can be seen, afterwards everything; a crash in between
    /// leaves one or the other. A newly known age counts for every permission at once.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn import_commit(&self, import: Import, staged: &Staged) -> Result<ImportRecord, Error> {
        let Import { id, base, merged: _, first_subject, next_subject: _, first_source, people, sources, lock } = import;
        let mut tx = self.inner.store.begin().await?;
        let nothing = Counts::default();
        let counts = staged.counts.iter().chain(std::iter::repeat(&nothing));
        let rows: Vec<ImportedSource> = (first_source..).zip(&sources).zip(counts).map(|((number, source), counts)| source.row(number, *counts)).collect::<Result<_, _>>()?;
        let rows = serde_json::to_string(&rows).map_err(|e| unreadable("sources", e))?;
        let mut named = SubjectSet::new();
        sources.iter().for_each(|source| named.union_with(&source.people));
        let people = people.write(&mut tx, &self.inner, id, &named, first_subject).await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        let changed = base.as_ref().is_none_or(|b| b.manifest != staged.manifest);
        let snapshot = if changed { Some(snapshot::publish(&mut tx, &mut audit, SnapshotCause::Import, &staged.manifest, self.now()).await?) } else { None };
        sqlx::query("INSERT INTO import (id, sources, named, snapshot_id, people_sha256, at) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(id)
            .bind(rows)
            .bind(named.to_bytes())
            .bind(snapshot)
            .bind(people)
            .bind(self.now_text())
            .execute(&mut *tx)
            .await?;
        let next_source = u32::try_from(sources.len()).ok().and_then(|n| first_source.checked_add(n)).ok_or_else(|| Fault::broken("there are no source numbers left"))?;
        // Ids beyond the last that somebody has are free for the next import.
        let next_subject = named.last().map_or(Some(first_subject), |last| last.0.checked_add(1)).ok_or_else(|| Fault::broken("there are no subject ids left"))?.max(first_subject);
        for (name, value) in [("subject", next_subject), ("source", next_source)] {
            sqlx::query("UPDATE counter SET value = ? WHERE name = ?").bind(value).bind(name).execute(&mut *tx).await?;
        }
        for (number, (source, only)) in (first_source..).zip(sources.iter().map(|s| (&s.info, s.only()))) {
            sqlx::query("INSERT INTO source_path (number, path, subject_id) VALUES (?, ?, ?)").bind(number).bind(&source.path).bind(only.map(|s| s.0)).execute(&mut *tx).await?;
        }
        audit.append(&mut tx, EntryKind::ImportCommitted, "import", id).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        drop(lock);
        Ok(ImportRecord { id, snapshot })
    }
}

async fn counter(connection: &mut SqliteConnection, name: &str) -> Result<u32, Error> {
    let row = sqlx::query("SELECT value FROM counter WHERE name = ?").bind(name).fetch_one(connection).await?;
    Ok(u32::try_from(row.try_get::<i64, _>(0)?).map_err(|e| unreadable("a counter", e))?)
}
