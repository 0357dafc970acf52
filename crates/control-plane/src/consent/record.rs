//! Recording choices, and reading them back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::audit::EntryKind;
use domain::consent::{ConsentAction, ConsentEvent, ConsentKey, ConsentMethod, ConsentState, Facts, permitted};
use domain::notice::{Notice, NoticeRef};
use domain::subject::{AgeBand, SubjectStatus};
use domain::{Fault, Refusal, RefusalCode, SubjectId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::permitted::PermittedWriter;
use crate::audit::AuditWriter;
use crate::plane::Inner;
use crate::store::{from_i64, json_rows, parse_time, parse_word, time_text, to_i64};
use crate::subject::not_found;
use crate::{ControlPlane, Error};

/// A choice that a person made.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What it is about.
    pub key: ConsentKey,
    /// The choice.
    pub action: ConsentAction,
    /// The text that the person saw.
    pub notice: NoticeRef,
    /// How it reached us.
    pub method: ConsentMethod,
}

/// That a choice is on disk.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The choice as the ledger keeps it.
    pub event: ConsentEvent,
    /// Its entry in the audit log.
    pub entry: u64,
}

impl ControlPlane {
    /// Records choices, all or none.
    ///
    /// # Guarantee
    /// When it returns, the choices are durable, and every release that starts afterwards honours them:
    /// the ledger, the state and the permitted bitmaps change in one transaction, and a release reads
    /// the bitmaps in the transaction that pays for it. A withdrawal is never refused for its content.
    ///
    /// # Errors
    /// Not found for an unknown person or notice; a refusal for a yes that the notice did not ask for.
    pub async fn consent_record(&self, choices: &[Choice]) -> Result<Vec<Receipt>, Error> {
        let mut tx = self.inner.store.begin().await?;
        // Whatever id of theirs a person is called by, the choice is about the one that counts.
        let merged = crate::subject::merged(&mut tx).await?;
        let mut choices = choices.to_vec();
        for Choice { key, .. } in &mut choices {
            key.subject = merged.get(&key.subject).copied().unwrap_or(key.subject);
        }
        let receipts = record(&mut tx, &self.inner, self.now(), &choices).await?;
        tx.commit().await?;
        Ok(receipts)
    }

    /// What the ledger says now.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn consent_state(&self, key: &ConsentKey) -> Result<ConsentState, Error> {
        state(&mut *self.inner.store.snapshot().await?, key).await
    }

    /// Everything a person ever chose, oldest first.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn consent_history(&self, subject: SubjectId) -> Result<Vec<ConsentEvent>, Error> {
        let rows = sqlx::query("SELECT id, subject_id, partner, purpose, action, notice, notice_version, method, at FROM consent_event WHERE subject_id = ? ORDER BY id")
            .bind(subject.0)
            .fetch_all(self.inner.store.reader())
            .await?;
        rows.iter().map(event).collect()
    }
}

/// Records choices about people by the ids that count, within a transaction.
pub(crate) async fn record(tx: &mut SqliteConnection, inner: &Inner, at: Timestamp, choices: &[Choice]) -> Result<Vec<Receipt>, Error> {
    let before = ControlPlane::consent_seq(tx).await?;
    let mut known = Known::read(tx, choices).await?;
    let mut permitted_sets = PermittedWriter::default();
    let (mut events, mut receipts) = (Vec::with_capacity(choices.len()), Vec::with_capacity(choices.len()));
    for (seq, Choice { key, action, notice, method }) in (before + 1..).zip(choices) {
        check(*action, key, known.notice(notice)?)?;
        let (status, age) = known.facts(key.subject)?;
        let consent = known.choose(key, *action, seq);
        permitted_sets.set(tx, &key.partner, key.purpose, key.subject, permitted(Facts { status, age, consent }, key.purpose)).await?;
        events.push((seq, key.subject, &key.partner, key.purpose, action, &notice.name, notice.version, method));
        receipts.push(Receipt { event: ConsentEvent { seq, key: key.clone(), action: *action, notice: notice.clone(), method: *method, at }, entry: 0 });
    }
    let Some(last) = receipts.last().map(|r| r.event.seq) else { return Ok(receipts) };
    sqlx::query("INSERT INTO consent_event (id, subject_id, partner, purpose, action, notice, notice_version, method, at) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, ?2 FROM json_each(?1)")
        .bind(json_rows(&events)?)
        .bind(time_text(at))
        .execute(&mut *tx)
        .await?;
    known.write(tx).await?;
    sqlx::query("UPDATE counter SET value = ? WHERE name = 'consent'").bind(to_i64(last)?).execute(&mut *tx).await?;
    permitted_sets.finish(tx).await?;
    let mut audit = AuditWriter::begin(tx, inner).await?;
    let entry = audit.append_all(tx, EntryKind::ConsentRecorded, "consent_event", to_i64(before + 1)?..=to_i64(last)?).await?;
    audit.finish(tx).await?;
    receipts.iter_mut().zip(entry..).for_each(|(receipt, entry)| receipt.entry = entry);
    Ok(receipts)
}

/// What some choices need to know, read at once.
struct Known {
    notices: BTreeMap<NoticeRef, Notice>,
    facts: HashMap<SubjectId, (SubjectStatus, AgeBand)>,
    states: BTreeMap<ConsentKey, ConsentState>,
    /// States that changed, with the number of the last choice.
    changed: BTreeMap<ConsentKey, (ConsentState, u64)>,
}

impl Known {
    async fn read(tx: &mut SqliteConnection, choices: &[Choice]) -> Result<Self, Error> {
        let mut known = Self { notices: BTreeMap::new(), facts: HashMap::new(), states: BTreeMap::new(), changed: BTreeMap::new() };
        for Choice { notice, .. } in choices {
            if !known.notices.contains_key(notice) {
                known.notices.insert(notice.clone(), crate::notice::find(tx, &notice.name, Some(notice.version)).await?);
            }
        }
        let people: BTreeSet<SubjectId> = choices.iter().map(|c| c.key.subject).collect();
        let rows = sqlx::query("SELECT s.subject_id, s.status, s.age_band FROM json_each(?) j CROSS JOIN subject s ON s.subject_id = j.value")
            .bind(json_rows(&people)?)
            .fetch_all(&mut *tx)
            .await?;
        for row in rows {
            known.facts.insert(SubjectId(row.try_get(0)?), (parse_word(row.try_get(1)?)?, parse_word(row.try_get(2)?)?));
        }
        let keys: BTreeSet<_> = choices.iter().map(|c| (c.key.subject, &c.key.partner, c.key.purpose)).collect();
        let rows = sqlx::query("SELECT s.subject_id, s.partner, s.purpose, s.state FROM json_each(?) j CROSS JOIN consent_state s ON s.subject_id = j.value ->> 0 AND s.partner = j.value ->> 1 AND s.purpose = j.value ->> 2")
            .bind(json_rows(&keys)?)
            .fetch_all(tx)
            .await?;
        for row in rows {
            let key = ConsentKey { subject: SubjectId(row.try_get(0)?), partner: parse_word(row.try_get(1)?)?, purpose: parse_word(row.try_get(2)?)? };
            known.states.insert(key, parse_word(row.try_get(3)?)?);
        }
        Ok(known)
    }

    fn notice(&self, notice: &NoticeRef) -> Result<&Notice, Fault> {
        self.notices.get(notice).ok_or_else(|| Fault::broken("a notice that was not read"))
    }

    fn facts(&self, subject: SubjectId) -> Result<(SubjectStatus, AgeBand), Error> {
        self.facts.get(&subject).copied().ok_or_else(|| not_found(subject))
    }

    /// The state after a choice.
    fn choose(&mut self, key: &ConsentKey, action: ConsentAction, seq: u64) -> ConsentState {
        let before = self.changed.get(key).map(|(state, _)| *state).or_else(|| self.states.get(key).copied()).unwrap_or(ConsentState::Unknown);
        let after = before.after(action);
        self.changed.insert(key.clone(), (after, seq));
        after
    }

    async fn write(&self, tx: &mut SqliteConnection) -> Result<(), Error> {
        let rows: Vec<_> = self.changed.iter().map(|(key, (state, seq))| (key.subject, &key.partner, key.purpose, state, seq)).collect();
        // `WHERE true` tells the parser that ON CONFLICT is not a join's ON.
        sqlx::query("INSERT INTO consent_state (subject_id, partner, purpose, state, seq) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?) WHERE true ON CONFLICT (subject_id, partner, purpose) DO UPDATE SET state = excluded.state, seq = excluded.seq")
            .bind(json_rows(&rows)?)
            .execute(tx)
            .await?;
        Ok(())
    }
}

/// A yes counts only for what the person was asked; a no and a withdrawal always count.
fn check(action: ConsentAction, key: &ConsentKey, notice: &Notice) -> Result<(), Refusal> {
    let asked = notice.purposes.contains(&key.purpose) && notice.partners.contains(&key.partner);
    match action {
        ConsentAction::Give if !asked => {
            let message = format!("the notice {} v{} does not ask consent for {} by {}", notice.name, notice.version, key.purpose, key.partner);
            Err(Refusal::new(RefusalCode::Consent, message).hint("publish a notice that names this purpose and partner, and ask again"))
        }
        ConsentAction::Give | ConsentAction::Refuse | ConsentAction::Withdraw => Ok(()),
    }
}

pub(crate) async fn state(connection: &mut SqliteConnection, key: &ConsentKey) -> Result<ConsentState, Error> {
    let row = sqlx::query("SELECT state FROM consent_state WHERE subject_id = ? AND partner = ? AND purpose = ?")
        .bind(key.subject.0)
        .bind(key.partner.as_str())
        .bind(key.purpose.as_str())
        .fetch_optional(connection)
        .await?;
    match row {
        Some(row) => Ok(parse_word(row.try_get(0)?)?),
        None => Ok(ConsentState::Unknown),
    }
}

fn event(row: &SqliteRow) -> Result<ConsentEvent, Error> {
    let word = |column: usize| row.try_get::<String, _>(column);
    let key = ConsentKey { subject: SubjectId(row.try_get(1)?), partner: parse_word(&word(2)?)?, purpose: parse_word(&word(3)?)? };
    Ok(ConsentEvent {
        seq: from_i64(row.try_get(0)?)?,
        key,
        action: parse_word(&word(4)?)?,
        notice: NoticeRef { name: parse_word(&word(5)?)?, version: row.try_get(6)? },
        method: parse_word(&word(7)?)?,
        at: parse_time(&word(8)?)?,
    })
}
