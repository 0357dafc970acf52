//! An older copy of the store is brought up to its log.
//!
//! ```text
//! check     the copy's entries and the journal's are the log that the published checkpoint vouches for
//! replay    rows and entries are put back, projections follow
//! people    whoever is known by number only is erased; what was told of people and is lost counts no more
//! lake      files that are there, with every later act on them
//! verify    everything is recomputed; then all of it is committed at once
//! ```

mod lake;
mod lost;
mod people;
mod replay;

use std::fs;

use audit_log::{Frontier, Hash, Salt, entry_leaf};
use domain::audit::EntryKind;
use domain::port::Lake;
use sqlx::{Row, SqliteConnection};

use crate::audit::journal::{self, Line};
use crate::audit::{AuditWriter, LOG_FOLDER, leaves};
use crate::consent::{Rules, recompute_all};
use crate::error::unreadable;
use crate::store::to_i64;
use crate::{ControlPlane, Error};

pub(crate) use lost::{Lost, first_wrong};
use replay::Replay;

/// What bringing a copy up to its log led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// The first entry that was put back, and how many.
    pub entries: (u64, u64),
    /// Choices among them.
    pub choices: u64,
    /// Releases that were paid for among them; each charges everybody.
    pub releases: u64,
    /// People who came after the copy was made: known by number only, and erased.
    pub lost_people: u64,
    /// Imports that must be made again, so that their people and rows are there.
    pub imports: Vec<i64>,
    /// The snapshot that took the place of newer ones whose files are not there.
    pub snapshot: Option<i64>,
}

impl ControlPlane {
    /// Why the store must not be used, if its own published log or journal knows more than it: then it is
    /// a backup that was put back, and going on would forget withdrawals and spend budgets twice.
    pub(crate) async fn behind_its_log(&self) -> Result<Option<String>, Error> {
        let own = tree(&mut *self.inner.store.snapshot().await?).await?.size();
        // What cannot be read of the log is for `audit verify` to say.
        let published = fs::read_to_string(self.inner.dir.join(LOG_FOLDER).join("checkpoint")).ok().and_then(|note| self.verifier().open(&note).ok());
        let known = published.map_or(0, |p| p.size).max(journal::end(&self.inner.dir)?);
        Ok((known > own).then(|| {
            format!(
                "locked: the store has {own} audit entries, and its published log and journal {known}; this is an older copy, and using it would forget withdrawals and spend budgets twice. Bring it up to its log: fairshare backup reconcile (docs/operating.md, Restore)"
            )
        }))
    }

    /// Brings a store that is behind its log up to it, from the journal, and unlocks it. Gives nothing when
    /// it is not behind.
    ///
    /// # Guarantee
    /// One transaction, and only if everything adds up: every row is the one that its entry vouches for,
    /// the tree is that of the signed checkpoint, and the whole verification passes. Afterwards every
    /// withdrawal, charge, cap, erasure and number that the log knows holds. Nobody is permitted who was
    /// not, no budget or loss is smaller, and no number is used again.
    ///
    /// # Errors
    /// A conflict that says what is missing or damaged; the store stays as it was, and locked.
    pub async fn reconcile(&self, lake: &dyn Lake) -> Result<Option<Reconciled>, Error> {
        let _lock = self.lake_lock_anyway()?;
        let mut tx = self.inner.store.begin_reconciling().await?;
        if self.behind_its_log().await?.is_none() {
            drop(tx);
            self.inner.store.lock(None);
            return Ok(None);
        }
        sqlx::query("PRAGMA defer_foreign_keys = ON").execute(&mut *tx).await?;
        let Checked { lines, note, frontier, first } = self.checked(&mut tx).await?;
        let mut replay = Replay::default();
        for (entry, (line, leaf)) in (first..).zip(&lines) {
            replay.entry(&mut tx, &self.inner, entry, line, *leaf).await?;
        }
        sqlx::query("UPDATE audit_tree SET frontier = ? WHERE id = 1").bind(frontier.to_bytes()).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO checkpoint (size, note) VALUES (?, ?) ON CONFLICT (size) DO NOTHING").bind(to_i64(note.0)?).bind(&note.1).execute(&mut *tx).await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        let written = sqlx::query("INSERT INTO reconciliation (first_entry, end_entry, at) VALUES (?, ?, ?)").bind(to_i64(first)?).bind(to_i64(frontier.size())?);
        let written = written.bind(self.now_text()).execute(&mut *tx).await?;
        audit.append(&mut tx, EntryKind::DeploymentReconciled, "reconciliation", written.last_insert_rowid()).await?;
        let rules = Rules::read(&mut tx, &self.inner, self.now()).await?;
        let lost_people = people::finish(&mut tx, &mut audit, &replay, &rules, &self.now_text()).await?;
        // Whatever was put back: choices, limits, notices, ages, packs.
        recompute_all(&mut tx, &rules).await?;
        // Whether a letter went out since the copy was made is not known: nobody is written to twice.
        crate::mail::give_up_all(&mut tx).await?;
        let (snapshot, without_rows) = lake::restore(&mut tx, &mut audit, lake, self.now()).await?;
        audit.finish(&mut tx).await?;
        let report = self.verify(&mut tx, None).await?;
        if let Some(bad) = report.bad {
            let entry = bad.entry.map_or_else(String::new, |e| format!(" (entry {e})"));
            return Err(Error::Conflict(format!("the copy and the journal do not add up to the log: {}{entry}. Nothing was changed", bad.what)));
        }
        tx.commit().await?;
        self.inner.store.lock(None);
        self.inner.store.forget().await?;
        self.recover().await?;
        let mut imports: Vec<i64> = replay.imports().chain(without_rows).collect();
        imports.sort_unstable();
        imports.dedup();
        let again = sqlx::query("SELECT import_id FROM import_undo").fetch_all(self.inner.store.reader()).await?;
        let undone = again.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
        imports.retain(|import| !undone.contains(import));
        let (choices, releases) = (replay.choices, replay.releases);
        Ok(Some(Reconciled { entries: (first, frontier.size() - first), choices, releases, lost_people, imports, snapshot }))
    }

    /// The missing entries, after the tree over all entries was compared with the published checkpoint.
    async fn checked(&self, tx: &mut SqliteConnection) -> Result<Checked, Error> {
        let path = self.inner.dir.join(LOG_FOLDER).join("checkpoint");
        let refuse = |why: String| Error::Conflict(format!("{why}. Nothing was changed"));
        let note = fs::read_to_string(&path).map_err(|e| refuse(format!("the published checkpoint {} cannot be read ({e}); put the newest log/ there", path.display())))?;
        let checkpoint = self.verifier().open(&note).map_err(|e| refuse(format!("the published checkpoint {} is not this deployment's: {e}", path.display())))?;
        let first = tree(tx).await?.size();
        let lines = journal::read(&self.inner, first, checkpoint.size)?;
        let mut frontier = Frontier::default();
        let (mut checked, mut with_leaves) = (checkpoint.size == 0, Vec::with_capacity(lines.len()));
        let mut push = |leaf: Hash| {
            frontier.push(leaf);
            checked |= frontier.size() == checkpoint.size && frontier.root() == checkpoint.root;
        };
        leaves(tx).await?.into_iter().for_each(&mut push);
        for line in lines {
            let leaf = entry_leaf(&salt(&line)?, line.body.as_bytes());
            push(leaf);
            with_leaves.push((line, leaf));
        }
        if !checked {
            return Err(refuse("the copy's entries and the journal's are not the log that the published checkpoint vouches for".to_owned()));
        }
        Ok(Checked { lines: with_leaves, note: (checkpoint.size, note), frontier, first })
    }
}

/// Entries that lead from the copy to the log.
struct Checked {
    lines: Vec<(Line, Hash)>,
    /// The published checkpoint, with its size.
    note: (u64, String),
    /// The tree over everything.
    frontier: Frontier,
    /// The first entry that the copy lacks.
    first: u64,
}

async fn tree(connection: &mut SqliteConnection) -> Result<Frontier, Error> {
    let row = sqlx::query("SELECT frontier FROM audit_tree WHERE id = 1").fetch_one(connection).await?;
    Ok(Frontier::from_bytes(row.try_get(0)?).map_err(|e| unreadable("the audit tree", e))?)
}

fn salt(line: &Line) -> Result<Salt, Error> {
    let mut salt = [0; 32];
    hex::decode_to_slice(&line.salt, &mut salt).map_err(|e| unreadable("the salt of an entry", e))?;
    Ok(Salt::from_bytes(salt))
}
