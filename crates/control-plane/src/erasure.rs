//! Erasing a person: unreachable at once, gone from every file soon after.
//!
//! ```text
//! subject_erase     one transaction: nothing counts the person any more, accounts and facts go
//! erasure_pending   whose rows are still in files of the lake
//! erasure_finish    the snapshot without them becomes visible; the store forgets its old pages
//! ```

use domain::audit::EntryKind;
use domain::lake::{Manifest, Snapshot, SnapshotCause};
use domain::subject::SubjectStatus;
use domain::{Refusal, RefusalCode, SubjectId, SubjectSet};
use sqlx::{Row, SqliteConnection};

use crate::audit::AuditWriter;
use crate::consent::{Rules, recompute};
use crate::import::lines_of;
use crate::snapshot::LakeLock;
use crate::{ControlPlane, Error, snapshot};

impl ControlPlane {
    /// Makes a person unreachable, under every id that they have, and deletes what the store knows of
    /// them but their numbers.
    ///
    /// # Guarantee
    /// No release that starts after this returns includes the person. Their accounts, names, country
    /// and age are deleted with the salt that bound them to the log; what stays are digests that say
    /// nothing without it, and choices and losses under a number that is never used again.
    ///
    /// # Errors
    /// Not found; a refusal when the person was erased before.
    pub async fn subject_erase(&self, subject: SubjectId) -> Result<(), Error> {
        let mut tx = self.inner.store.begin().await?;
        let subject = crate::subject::resolve(&mut tx, subject).await?;
        let status = crate::subject::person(&mut tx, subject).await?.status;
        if status == SubjectStatus::Erased {
            return Err(Refusal::new(RefusalCode::State, format!("subject {subject} was erased before")).into());
        }
        let ids = crate::subject::ids_left(&mut tx, subject).await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        crate::creator::withdraw_erased(&mut tx, &mut audit, subject, self.now()).await?;
        for &id in &ids {
            forget(&mut tx, id).await?;
            let inserted = sqlx::query("INSERT INTO erasure (subject_id, at) VALUES (?, ?)").bind(id.0).bind(self.now_text()).execute(&mut *tx).await?;
            audit.append(&mut tx, EntryKind::SubjectErased, "erasure", inserted.last_insert_rowid()).await?;
        }
        audit.finish(&mut tx).await?;
        let rules = Rules::read(&mut tx, &self.inner, self.now()).await?;
        recompute(&mut tx, &rules, &ids).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Erased people whose rows may still be in files of the lake.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn erasure_pending(&self) -> Result<SubjectSet, Error> {
        let rows = sqlx::query("SELECT subject_id FROM erasure_pending").fetch_all(self.inner.store.reader()).await?;
        rows.iter().map(|row| Ok(SubjectId(row.try_get(0)?))).collect()
    }

    /// Puts the snapshots without `people` into the places of the live ones, and takes the people off the
    /// list; the caller has the lake's lock.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn erasure_finish(&self, _lock: &LakeLock, people: &SubjectSet, rewritten: &[(Snapshot, Manifest)]) -> Result<(), Error> {
        let mut tx = self.inner.store.begin().await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        snapshot::replace(&mut tx, &mut audit, SnapshotCause::Erasure, rewritten, self.now()).await?;
        audit.finish(&mut tx).await?;
        for subject in people.iter() {
            sqlx::query("DELETE FROM erasure_pending WHERE subject_id = ?").bind(subject.0).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        self.inner.store.forget().await?;
        Ok(())
    }
}

/// Deletes what the store knows of one id.
pub(crate) async fn forget(tx: &mut SqliteConnection, id: SubjectId) -> Result<(), Error> {
    let lines = lines_of(tx, id).await?;
    for (import, digest) in lines {
        sqlx::query("INSERT INTO erased_line (import_id, digest) VALUES (?, ?)").bind(import).bind(digest.as_slice()).execute(&mut *tx).await?;
    }
    for statement in [
        "UPDATE subject SET status = 'erased', age_band = 'unknown', country = NULL, region = NULL, salt = NULL WHERE subject_id = ?",
        "DELETE FROM account WHERE subject_id = ?",
        "DELETE FROM subject_fact WHERE subject_id = ?",
        "DELETE FROM source_path WHERE subject_id = ?",
        "DELETE FROM identity_evidence WHERE act_id IN (SELECT id FROM identity_act WHERE ? IN (keep_id, other_id))",
        "DELETE FROM contact_address WHERE subject_id = ?",
        "DELETE FROM mail WHERE subject_id = ?",
        "INSERT INTO erasure_pending (subject_id) VALUES (?)",
    ] {
        sqlx::query(statement).bind(id.0).execute(&mut *tx).await?;
    }
    Ok(())
}
