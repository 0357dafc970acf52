//! Imports: ids for people, and the transaction that makes a lake snapshot visible.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, TryLockError};

use domain::audit::EntryKind;
use domain::consent::{Facts, permitted};
use domain::lake::{Arrival, Manifest, Snapshot, Staged};
use domain::record::{AccountKey, Counts, NormalizedBatch, SourceInfo};
use domain::subject::{AgeBand, SubjectStatus};
use domain::{Fault, PartnerName, Purpose, SubjectId};
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::audit::AuditWriter;
use crate::consent::PermittedWriter;
use crate::error::unreadable;
use crate::store::{parse_time, parse_word};
use crate::{ControlPlane, Error};

/// An import that is under way. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Import {
    base: Option<Snapshot>,
    next_subject: u32,
    new_accounts: BTreeMap<AccountKey, SubjectId>,
    /// Held until the import ends, so that no other can give the same ids.
    _lock: File,
}

impl Import {
    /// The snapshot that the import builds on.
    #[must_use]
    pub const fn base(&self) -> Option<&Snapshot> {
        self.base.as_ref()
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

/// A source as the import's row keeps it.
#[derive(Serialize)]
struct SourceRow<'a> {
    #[serde(flatten)]
    source: &'a SourceInfo,
    subjects: usize,
    counts: &'a Counts,
}

impl ControlPlane {
    /// Begins an import; only one runs at a time in a deployment.
    ///
    /// # Errors
    /// A conflict while another one runs.
    pub async fn import_begin(&self) -> Result<Import, Error> {
        let fault = |e: std::io::Error| Fault::new("locking imports", e);
        let lock = File::create(self.inner.dir.join("import.lock")).map_err(fault)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Conflict("another import is running in this deployment; wait until it has ended".to_owned())),
            Err(TryLockError::Error(e)) => return Err(fault(e).into()),
        }
        let mut tx = self.inner.store.snapshot().await?;
        let base = head(&mut tx).await?;
        let row = sqlx::query("SELECT value FROM counter WHERE name = 'subject'").fetch_one(&mut *tx).await?;
        let next_subject = u32::try_from(row.try_get::<i64, _>(0)?).map_err(|e| unreadable("the subject counter", e))?;
        Ok(Import { base, next_subject, new_accounts: BTreeMap::new(), _lock: lock })
    }

    /// The ids of a batch's people, in order: known accounts keep theirs, new ones get the next. Nothing
    /// is written.
    ///
    /// # Errors
    /// A fault when ids run out.
    pub async fn import_assign(&self, import: &mut Import, batch: &NormalizedBatch) -> Result<Vec<SubjectId>, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let mut ids = Vec::with_capacity(batch.subjects.len());
        for subject in &batch.subjects {
            let key = &subject.account;
            if let Some(id) = import.new_accounts.get(key) {
                ids.push(*id);
                continue;
            }
            let row = sqlx::query("SELECT subject_id FROM account WHERE platform = ? AND native_id = ?")
                .bind(key.platform.as_str())
                .bind(&key.native_id)
                .fetch_optional(&mut *tx)
                .await?;
            let id = match row {
                Some(row) => SubjectId(row.try_get(0)?),
                None => {
                    let id = SubjectId(import.next_subject);
                    import.next_subject = import.next_subject.checked_add(1).ok_or_else(|| Fault::broken("there are no subject ids left"))?;
                    import.new_accounts.insert(key.clone(), id);
                    id
                }
            };
            ids.push(id);
        }
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
    pub async fn import_commit(&self, import: Import, staged: &Staged, arrivals: &[Arrival]) -> Result<ImportRecord, Error> {
        let mut tx = self.inner.store.begin().await?;
        let changed = import.base.as_ref().is_none_or(|b| b.manifest != staged.manifest);
        let manifest = changed.then(|| staged.manifest.to_json());
        let row = sqlx::query("SELECT coalesce(max(id), 0) + 1 FROM import").fetch_one(&mut *tx).await?;
        let id: i64 = row.try_get(0)?;
        let handles: HashMap<&AccountKey, Option<&String>> = arrivals.iter().flat_map(|a| &a.batch.subjects).map(|s| (&s.account, s.handle.as_ref())).collect();
        let facts = new_facts(&mut tx, arrivals).await?;
        let sources: Vec<SourceRow<'_>> =
            arrivals.iter().zip(&staged.counts).map(|(a, counts)| SourceRow { source: &a.batch.source, subjects: a.batch.subjects.len(), counts }).collect();
        let sources = serde_json::to_string(&sources).map_err(|e| unreadable("sources", e))?;
        let people = digest_of(
            import.new_accounts.iter().map(|(key, subject)| account_text(key.platform.as_str(), &key.native_id, handles.get(key).copied().flatten().map(String::as_str), *subject)),
            facts.iter().map(|(subject, (age, country))| fact_text(*subject, age.as_str(), country.as_deref())),
        );
        sqlx::query("INSERT INTO import (id, sources, manifest, people_sha256, at) VALUES (?, ?, ?, ?, ?)")
            .bind(id)
            .bind(sources)
            .bind(manifest)
            .bind(people)
            .bind(self.now_text())
            .execute(&mut *tx)
            .await?;
        for (key, subject) in &import.new_accounts {
            sqlx::query("INSERT INTO account (platform, native_id, handle, subject_id, import_id) VALUES (?, ?, ?, ?, ?)")
                .bind(key.platform.as_str())
                .bind(&key.native_id)
                .bind(handles.get(key).copied().flatten())
                .bind(subject.0)
                .bind(id)
                .execute(&mut *tx)
                .await?;
        }
        let mut permitted_sets = PermittedWriter::default();
        for (subject, (age, country)) in &facts {
            sqlx::query("INSERT INTO subject_fact (import_id, subject_id, age_band, country) VALUES (?, ?, ?, ?)")
                .bind(id)
                .bind(subject.0)
                .bind(age.as_str())
                .bind(country.as_deref())
                .execute(&mut *tx)
                .await?;
            sqlx::query("INSERT INTO subject (subject_id, status, age_band, country) VALUES (?, 'active', ?, ?) ON CONFLICT (subject_id) DO UPDATE SET age_band = excluded.age_band, country = excluded.country").bind(subject.0).bind(age.as_str()).bind(country.as_deref()).execute(&mut *tx).await?;
            recompute(&mut tx, &mut permitted_sets, *subject, *age).await?;
        }
        permitted_sets.finish(&mut tx).await?;
        sqlx::query("UPDATE counter SET value = ? WHERE name = 'subject'").bind(import.next_subject).execute(&mut *tx).await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        audit.append(&mut tx, EntryKind::ImportCommitted, "import", id).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        Ok(ImportRecord { id, snapshot: changed.then_some(id) })
    }

    /// The newest visible snapshots, newest first, `limit` at most.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn snapshot_list(&self, limit: u32) -> Result<Vec<Snapshot>, Error> {
        let rows = sqlx::query("SELECT id, at, manifest FROM import WHERE manifest IS NOT NULL ORDER BY id DESC LIMIT ?").bind(limit).fetch_all(self.inner.store.reader()).await?;
        rows.iter().map(snapshot).collect()
    }

    /// The newest visible snapshot.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn snapshot_head(&self) -> Result<Option<Snapshot>, Error> {
        head(&mut *self.inner.store.snapshot().await?).await
    }
}

/// The newest visible snapshot, as `connection` sees it.
pub(crate) async fn head(connection: &mut SqliteConnection) -> Result<Option<Snapshot>, Error> {
    let row = sqlx::query("SELECT id, at, manifest FROM import WHERE manifest IS NOT NULL ORDER BY id DESC LIMIT 1").fetch_optional(connection).await?;
    row.map(|row| snapshot(&row)).transpose()
}

fn snapshot(row: &SqliteRow) -> Result<Snapshot, Error> {
    let manifest: String = row.try_get(2)?;
    let manifest: Manifest = serde_json::from_str(&manifest).map_err(|e| unreadable("a snapshot", e))?;
    Ok(Snapshot { id: row.try_get(0)?, at: parse_time(row.try_get(1)?)?, manifest })
}

/// What this import newly knows about people; people of whom it says nothing new are left out.
async fn new_facts(tx: &mut SqliteConnection, arrivals: &[Arrival]) -> Result<BTreeMap<SubjectId, (AgeBand, Option<String>)>, Error> {
    let mut facts: BTreeMap<SubjectId, (AgeBand, Option<String>)> = BTreeMap::new();
    let mut known: BTreeMap<SubjectId, Option<(AgeBand, Option<String>)>> = BTreeMap::new();
    for (record, id) in arrivals.iter().flat_map(|a| a.batch.subjects.iter().zip(&a.ids)) {
        if !known.contains_key(id) {
            let row = sqlx::query("SELECT age_band, country FROM subject WHERE subject_id = ?").bind(id.0).fetch_optional(&mut *tx).await?;
            let before = row.map(|row| Ok::<_, Error>((parse_word(row.try_get(0)?)?, row.try_get(1)?))).transpose()?;
            facts.insert(*id, before.clone().unwrap_or((AgeBand::Unknown, None)));
            known.insert(*id, before);
        }
        if let Some((age, country)) = facts.get_mut(id) {
            if record.age != AgeBand::Unknown {
                *age = record.age;
            }
            if record.country.is_some() {
                country.clone_from(&record.country);
            }
        }
    }
    facts.retain(|id, fact| known.get(id).is_none_or(|before| before.as_ref() != Some(fact)));
    Ok(facts)
}

/// Brings every permission of one person up to date with their age.
async fn recompute(tx: &mut SqliteConnection, permitted_sets: &mut PermittedWriter, subject: SubjectId, age: AgeBand) -> Result<(), Error> {
    let rows = sqlx::query("SELECT partner, purpose, state FROM consent_state WHERE subject_id = ?").bind(subject.0).fetch_all(&mut *tx).await?;
    for row in rows {
        let (partner, purpose): (PartnerName, Purpose) = (parse_word(row.try_get(0)?)?, parse_word(row.try_get(1)?)?);
        let facts = Facts { status: SubjectStatus::Active, age, consent: parse_word(row.try_get(2)?)? };
        permitted_sets.set(tx, &partner, purpose, subject, permitted(facts, purpose)).await?;
    }
    Ok(())
}

fn account_text(platform: &str, native_id: &str, handle: Option<&str>, subject: SubjectId) -> String {
    serde_json::json!([platform, native_id, handle, subject]).to_string()
}

fn fact_text(subject: SubjectId, age: &str, country: Option<&str>) -> String {
    serde_json::json!([subject, age, country]).to_string()
}

fn digest_of(accounts: impl Iterator<Item = String>, facts: impl Iterator<Item = String>) -> String {
    let mut accounts: Vec<String> = accounts.collect();
    accounts.sort();
    let mut digest = Sha256::new();
    for line in accounts.into_iter().chain(facts) {
        digest.update(line);
        digest.update("\n");
    }
    hex::encode(digest.finalize())
}

/// The digest over what an import told about people, recomputed from the store.
pub(crate) async fn people_digest(connection: &mut SqliteConnection, import: i64) -> Result<String, Error> {
    let accounts = sqlx::query("SELECT platform, native_id, handle, subject_id FROM account WHERE import_id = ?").bind(import).fetch_all(&mut *connection).await?;
    let accounts =
        accounts.iter().map(|row| Ok(account_text(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, SubjectId(row.try_get(3)?)))).collect::<Result<Vec<_>, sqlx::Error>>()?;
    let facts = sqlx::query("SELECT subject_id, age_band, country FROM subject_fact WHERE import_id = ? ORDER BY subject_id").bind(import).fetch_all(connection).await?;
    let facts = facts.iter().map(|row| Ok(fact_text(SubjectId(row.try_get(0)?), row.try_get(1)?, row.try_get(2)?))).collect::<Result<Vec<_>, sqlx::Error>>()?;
    Ok(digest_of(accounts.into_iter(), facts.into_iter()))
}
