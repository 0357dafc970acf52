//! Recomputes everything that was ever recorded and names the first thing that differs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use audit_log::{Claimed, Frontier, Hash, Salt, row_digest, verify_entries};
use domain::audit::EntryBody;
use domain::lake::Snapshot;
use domain::port::Lake;
use domain::{SubjectId, Timestamp};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::publish::LOG_FOLDER;
use super::{AuditReport, BadFinding};
use crate::consent::{Chunk, NOBODY, PermittedSets, Rules, Whom, basis, chunks, history_of, replayed, standings};
use crate::import::{known, people_digest};
use crate::plane::Inner;
use crate::reconcile::Lost;
use crate::store::{RECORDED, from_i64, row_text};
use crate::{ControlPlane, Error};

/// Found something, or not.
type Finding = Option<BadFinding>;

fn found(entry: impl Into<Option<u64>>, what: impl Into<String>) -> Finding {
    Some(BadFinding { entry: entry.into(), what: what.into() })
}

impl ControlPlane {
    /// Recomputes leaves, tree, checkpoints, the digest of every recorded row, every projection
    /// (choices, permitted sets, budgets, people's losses) and, with `lake`, the hash of every live file.
    ///
    /// # Guarantee
    /// A changed byte in an entry or in a recorded row is found, and the first bad entry is named; so
    /// is an entry without its row, a row without its entry, and a log that was cut below a published
    /// checkpoint. Rewriting everything with the true signing key is found by whoever holds an older
    /// checkpoint.
    ///
    /// # Errors
    /// A fault when the store cannot be read at all; what is merely wrong is reported.
    pub async fn audit_verify(&self, lake: Option<&dyn Lake>) -> Result<AuditReport, Error> {
        self.verify(&mut *self.inner.store.snapshot().await?, lake).await
    }

    /// The same for what `tx` sees.
    pub(crate) async fn verify(&self, tx: &mut SqliteConnection, lake: Option<&dyn Lake>) -> Result<AuditReport, Error> {
        let entries = read_entries(tx).await?;
        let claimed = entries.iter().filter_map(|e| e.as_ref().ok()).map(|e| e.claimed.clone());
        let count = entries.len() as u64;
        let mut report = AuditReport { entries: count, root: String::new(), checkpoint: None, verified: false, bad: None };
        let unreadable = entries.iter().find_map(|e| e.as_ref().err()).map(|index| BadFinding { entry: Some(*index), what: "the entry cannot be read".into() });
        let frontier = match verify_entries(claimed) {
            Ok(frontier) => frontier,
            Err(bad) => {
                let earlier = unreadable.filter(|u| u.entry <= Some(bad.index));
                report.bad = earlier.or_else(|| found(bad.index, bad.why));
                return Ok(report);
            }
        };
        report.root = frontier.root().to_string();
        let entries: Vec<Entry> = entries.into_iter().flatten().collect();
        report.bad = match unreadable {
            Some(bad) => Some(bad),
            None => self.first_bad(tx, &entries, &frontier, &mut report.checkpoint, lake).await?,
        };
        report.verified = report.bad.is_none();
        Ok(report)
    }

    async fn first_bad(&self, tx: &mut SqliteConnection, entries: &[Entry], frontier: &Frontier, newest: &mut Option<u64>, lake: Option<&dyn Lake>) -> Result<Finding, Error> {
        if let bad @ Some(_) = rows_of_entries(tx, entries).await? {
            return Ok(bad);
        }
        if let bad @ Some(_) = self.checkpoints(tx, entries, frontier, newest).await? {
            return Ok(bad);
        }
        if let bad @ Some(_) = entries_of_rows(tx, entries).await? {
            return Ok(bad);
        }
        let lost = &Lost::read(tx).await?;
        if let bad @ Some(_) = people(tx, entries, lost).await? {
            return Ok(bad);
        }
        if let bad @ Some(_) = choices(tx, &self.inner, self.now()).await? {
            return Ok(bad);
        }
        if let bad @ Some(_) = crate::budget::first_wrong(tx).await?.and_then(|what| found(None, what)) {
            return Ok(bad);
        }
        if let bad @ Some(_) = crate::accounting::first_wrong(tx, &self.inner, lost).await?.and_then(|what| found(None, what)) {
            return Ok(bad);
        }
        if let bad @ Some(_) = crate::creator::first_wrong(tx, &self.inner, lost).await?.and_then(|what| found(None, what)) {
            return Ok(bad);
        }
        match lake {
            Some(lake) => self.lake(tx, entries, lake).await,
            None => Ok(None),
        }
    }

    /// Every checkpoint, kept or published, must be ours and the root of the entries it covers.
    async fn checkpoints(&self, tx: &mut SqliteConnection, entries: &[Entry], frontier: &Frontier, newest: &mut Option<u64>) -> Result<Finding, Error> {
        let stored = sqlx::query("SELECT frontier FROM audit_tree WHERE id = 1").fetch_optional(&mut *tx).await?;
        let stored: Option<Vec<u8>> = stored.map(|row| row.try_get(0)).transpose()?;
        let stored = stored.and_then(|bytes| Frontier::from_bytes(&bytes).ok()).unwrap_or_default();
        if stored.size() > frontier.size() {
            return Ok(found(frontier.size(), "entries at the end of the log are missing"));
        }
        if stored != *frontier {
            return Ok(found(None, "the stored tree is not the tree of the entries"));
        }
        let rows = sqlx::query("SELECT note FROM checkpoint ORDER BY size").fetch_all(&mut *tx).await?;
        let mut notes = rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?;
        notes.extend(fs::read_to_string(self.inner.dir.join(LOG_FOLDER).join("checkpoint")));
        let verifier = self.verifier();
        let mut wanted: BTreeMap<u64, Hash> = BTreeMap::new();
        for note in notes {
            let Ok(checkpoint) = verifier.open(&note) else { return Ok(found(None, "a checkpoint was not signed by this deployment's key")) };
            if checkpoint.size > frontier.size() {
                return Ok(found(frontier.size(), format!("entries are missing: a signed checkpoint covers {}", checkpoint.size)));
            }
            if wanted.insert(checkpoint.size, checkpoint.root).is_some_and(|root| root != checkpoint.root) {
                return Ok(found(None, "two checkpoints of one size differ: the log was forked"));
            }
        }
        *newest = wanted.keys().next_back().copied();
        let mut growing = Frontier::default();
        for entry in entries {
            growing.push(entry.claimed.leaf);
            if wanted.get(&growing.size()).is_some_and(|root| *root != growing.root()) {
                return Ok(found(growing.size() - 1, "the log up to this entry is not the one that a checkpoint vouches for"));
            }
        }
        Ok(None)
    }

    async fn lake(&self, tx: &mut SqliteConnection, entries: &[Entry], lake: &dyn Lake) -> Result<Finding, Error> {
        let mut seen = BTreeSet::new();
        for snapshot in crate::snapshot::live(tx, self.now()).await? {
            let Snapshot { id, mut manifest, .. } = snapshot;
            manifest.tables.values_mut().for_each(|files| files.retain(|file| seen.insert(file.path.clone())));
            if let Some((table, file)) = lake.first_damaged(&manifest)? {
                let entry = entries.iter().find(|e| e.body.row.table == "snapshot" && e.body.row.id == id).map(|e| e.claimed.index);
                return Ok(found(entry, format!("the file {file} of the table {table} is not the one that was imported")));
            }
        }
        Ok(None)
    }
}

struct Entry {
    claimed: Claimed,
    body: EntryBody,
}

/// All entries in order; those that cannot be read by their index.
async fn read_entries(tx: &mut SqliteConnection) -> Result<Vec<Result<Entry, u64>>, Error> {
    let rows = sqlx::query("SELECT id, salt, body, leaf FROM audit_entry ORDER BY id").fetch_all(tx).await?;
    let read = |row: &sqlx::sqlite::SqliteRow| -> Option<Entry> {
        let bytes = |column: usize| row.try_get::<Vec<u8>, _>(column).ok().and_then(|b| <[u8; 32]>::try_from(b).ok());
        let body: String = row.try_get(2).ok()?;
        let index = u64::try_from(row.try_get::<i64, _>(0).ok()?).ok()?;
        let parsed = serde_json::from_str(&body);
        let claimed = Claimed { index, salt: Salt::from_bytes(bytes(1)?), body: body.into_bytes(), leaf: Hash::from_bytes(bytes(3)?) };
        // A body that was changed so that it cannot be parsed still has a leaf that does not fit.
        let body = parsed.ok()?;
        Some(Entry { claimed, body })
    };
    Ok(rows.iter().map(|row| read(row).ok_or_else(|| row.try_get::<i64, _>(0).ok().and_then(|i| u64::try_from(i).ok()).unwrap_or(0))).collect())
}

/// Forwards: what an entry vouches for is there, unchanged.
async fn rows_of_entries(tx: &mut SqliteConnection, entries: &[Entry]) -> Result<Finding, Error> {
    for Entry { claimed, body } in entries {
        let row = &body.row;
        let Ok(text) = row_text(tx, &row.table, row.id).await else { return Ok(found(claimed.index, format!("row {} of {} cannot be read", row.id, row.table))) };
        match text {
            None => return Ok(found(claimed.index, format!("row {} of {} is missing", row.id, row.table))),
            Some(text) if row_digest(&claimed.salt, text.as_bytes()).to_string() != row.digest => {
                return Ok(found(claimed.index, format!("row {} of {} was changed", row.id, row.table)));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// Backwards: every recorded row has exactly one entry.
async fn entries_of_rows(tx: &mut SqliteConnection, entries: &[Entry]) -> Result<Finding, Error> {
    let mut vouched: HashMap<(&str, i64), u64> = HashMap::new();
    for entry in entries {
        let row = &entry.body.row;
        if vouched.insert((row.table.as_str(), row.id), entry.claimed.index).is_some() {
            return Ok(found(entry.claimed.index, format!("row {} of {} has two entries", row.id, row.table)));
        }
    }
    for (table, _) in RECORDED {
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT id FROM {table} ORDER BY id"))).fetch_all(&mut *tx).await?;
        for row in rows {
            let id: i64 = row.try_get(0)?;
            if !vouched.contains_key(&(*table, id)) {
                return Ok(found(None, format!("row {id} of {table} has no entry")));
            }
        }
    }
    Ok(None)
}

/// What imports told about people is what the import's row vouches for, and leads to the people table.
async fn people(tx: &mut SqliteConnection, entries: &[Entry], lost: &Lost) -> Result<Finding, Error> {
    let imports = sqlx::query("SELECT id, people_sha256 FROM import ORDER BY id").fetch_all(&mut *tx).await?;
    for row in imports {
        let (id, expected): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        if !lost.contains("import", id) && people_digest(tx, id).await? != expected {
            let entry = entries.iter().find(|e| e.body.row.table == "import" && e.body.row.id == id).map(|e| e.claimed.index);
            return Ok(found(entry, format!("the people of import {id} were changed")));
        }
    }
    let differing = "SELECT s.subject_id FROM subject s WHERE s.status <> 'erased' AND (s.salt IS NULL OR NOT EXISTS (SELECT 1 FROM account a WHERE a.subject_id = s.subject_id))
        OR s.status = 'erased' AND (s.salt IS NOT NULL OR NOT EXISTS (SELECT 1 FROM erasure e WHERE e.subject_id = s.subject_id)) LIMIT 1";
    let row = sqlx::query(differing).fetch_optional(&mut *tx).await?;
    let changed = |id: u32| found(None, format!("what is known of subject {id} is not what was imported"));
    if let Some(row) = row {
        return Ok(changed(row.try_get(0)?));
    }
    let stored = sqlx::query("SELECT subject_id, age_band, country, region FROM subject WHERE status <> 'erased'").fetch_all(&mut *tx).await?;
    let people = stored.iter().map(|row| Ok(SubjectId(row.try_get(0)?))).collect::<Result<Vec<_>, Error>>()?;
    let mut told = known(tx, &people).await?;
    for row in &stored {
        let id: u32 = row.try_get(0)?;
        let (age, country, region): (&str, Option<String>, Option<String>) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        if told.remove(&SubjectId(id)).is_none_or(|known| known.age.as_str() != age || known.country != country || known.region != region) {
            return Ok(changed(id));
        }
    }
    if let Some(what) = crate::reconcile::first_wrong(tx, lost).await? {
        return Ok(found(None, what));
    }
    if let Some(what) = crate::contact::first_wrong(tx, lost).await? {
        return Ok(found(None, what));
    }
    Ok(crate::identity::first_wrong(tx, lost).await?.and_then(|what| found(None, what)))
}

/// Replay = state = permitted bitmaps.
async fn choices(tx: &mut SqliteConnection, inner: &Inner, now: Timestamp) -> Result<Finding, Error> {
    let gap = "SELECT n FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM consent_event) WHERE id <> n LIMIT 1";
    if let Some(row) = sqlx::query(gap).fetch_optional(&mut *tx).await? {
        return Ok(found(None, format!("choice {} is missing", row.try_get::<i64, _>(0)?)));
    }
    let counts = sqlx::query("SELECT (SELECT value FROM counter WHERE name = 'consent'), (SELECT count(*) FROM consent_event)").fetch_one(&mut *tx).await?;
    let (counter, events): (i64, i64) = (counts.try_get(0)?, counts.try_get(1)?);
    if counter != events {
        return Ok(found(None, "the number of choices is not the counter's"));
    }
    let (mut differs, mut seen) = (false, 0);
    for chunk in chunks(tx).await? {
        let Ok(events) = history_of(tx, chunk).await else { return Ok(found(None, "a choice cannot be read")) };
        seen += events.len() as u64;
        let mut replayed = replayed(events);
        let stored = standings(tx, Whom::Chunk(chunk)).await?;
        for person in stored.people() {
            for (key, standing) in stored.of(person.subject) {
                differs |= replayed.remove(&key).as_ref() != Some(standing);
            }
        }
        differs |= !replayed.is_empty();
    }
    if differs || seen != from_i64(events)? {
        return Ok(found(None, "the state of choices is not the replay of the ledger"));
    }
    if let Some(what) = first_wrong_limit(tx).await? {
        return Ok(found(None, what));
    }
    if let Some(what) = crate::notice::first_wrong(tx).await? {
        return Ok(found(None, what));
    }
    permitted_sets(tx, inner, now).await
}

/// Between what was permitted when time was last looked at and what is permitted now: consents end with time, and
/// laws begin.
///
/// Each person by themselves, on purpose: not by what is made for everybody at once, which wrote the sets.
async fn permitted_sets(tx: &mut SqliteConnection, inner: &Inner, now: Timestamp) -> Result<Finding, Error> {
    let (act, until, as_of) = basis(tx).await?;
    let law = inner.law.at(tx, as_of).await?;
    if law.act != act || law.law.ends_at() != until || as_of > now {
        return Ok(found(None, "the law by which permissions are kept is not the law of the rule packs"));
    }
    let (then, now) = (Rules { law, now: as_of }, Rules::read(tx, inner, now).await?);
    let mut rows = 0;
    for chunk in chunks(tx).await? {
        let stored = standings(tx, Whom::Chunk(chunk)).await?;
        let (then, now) = (stored.permitted(&then), stored.permitted(&now));
        let places: Vec<_> = then.keys().map(|(partner, purpose)| (*partner, *purpose, chunk)).collect();
        let Ok(sets) = PermittedSets::of(tx, &places).await else { return Ok(found(None, "a permitted set cannot be read")) };
        for ((&(partner, purpose), then), now) in then.iter().zip(now.values()) {
            let Some(set) = sets.get(&(partner.clone(), purpose, chunk)) else { continue };
            // Nobody who was permitted at neither time, and nobody missing who was at both.
            if set.without(&then.or(now)) != NOBODY || then.and(now).without(set) != NOBODY {
                return Ok(found(None, format!("whom {partner} may count for {purpose} is not what people chose")));
            }
            rows += i64::from(set.without(&Chunk::EMPTY) != NOBODY);
        }
    }
    let all = sqlx::query("SELECT count(*) FROM permitted_chunk WHERE ltrim(hex(bits), '0') <> ''").fetch_one(&mut *tx).await?;
    Ok((all.try_get::<i64, _>(0)? != rows).then(|| BadFinding { entry: None, what: "somebody may be counted who chose nothing".to_owned() }))
}

/// Whether the limits that hold are those that were recorded.
async fn first_wrong_limit(tx: &mut SqliteConnection) -> Result<Option<String>, Error> {
    let newest = "SELECT subject_id, kind, coalesce(purpose, ''), coalesce(partner, '') FROM (SELECT *, row_number() OVER (PARTITION BY subject_id, kind, purpose, partner ORDER BY at DESC, act = 'set' DESC) AS n FROM limit_event) WHERE n = 1 AND act = 'set'";
    let differing = format!(
        "SELECT 1 FROM (SELECT * FROM ({newest}) EXCEPT SELECT subject_id, kind, purpose, partner FROM limit_state UNION ALL SELECT * FROM (SELECT subject_id, kind, purpose, partner FROM limit_state EXCEPT {newest})) LIMIT 1"
    );
    let row = sqlx::query(AssertSqlSafe(differing)).fetch_optional(tx).await?;
    Ok(row.map(|_| "the limits that hold are not those that were recorded".to_owned()))
}
