//! Recording choices, and reading them back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use domain::audit::EntryKind;
use domain::consent::{ConsentAction, ConsentEvent, ConsentKey, ConsentMethod, ConsentState, Facts, permitted};
use domain::notice::{Notice, NoticeRef};
use domain::subject::{AgeBand, SubjectStatus};
use domain::{PartnerName, Purpose, Refusal, RefusalCode, SubjectId, Timestamp};
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::permitted::PermittedWriter;
use crate::audit::AuditWriter;
use crate::error::unreadable;
use crate::plane::Inner;
use crate::store::{from_i64, json_rows, parse_row_texts, parse_time, parse_word, row_texts_sql, time_text, to_i64};
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
    /// Writes requests in one transaction, each all or none; gives what became of each.
    ///
    /// # Errors
    /// When nothing was written.
    pub(super) async fn write_choices(&self, requests: &[&[Choice]]) -> Result<Vec<Result<Vec<Receipt>, Error>>, Error> {
        let mut tx = self.inner.store.begin().await?;
        // Whatever id of theirs a person is called by, the choice is about the one that counts.
        let merged = crate::subject::merged(&mut tx).await?;
        let mut requests: Vec<Vec<Choice>> = requests.iter().map(|request| request.to_vec()).collect();
        for Choice { key, .. } in requests.iter_mut().flatten() {
            key.subject = merged.get(&key.subject).copied().unwrap_or(key.subject);
        }
        let requests: Vec<&[Choice]> = requests.iter().map(Vec::as_slice).collect();
        let written = record_each(&mut tx, &self.inner, self.now(), &requests).await?;
        tx.commit().await?;
        Ok(written)
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

/// Records choices about people by the ids that count, within a transaction: all of them or none.
pub(crate) async fn record(tx: &mut SqliteConnection, inner: &Inner, at: Timestamp, choices: &[Choice]) -> Result<Vec<Receipt>, Error> {
    record_each(tx, inner, at, &[choices]).await?.pop().unwrap_or(Ok(Vec::new()))
}

/// The same for several requests; one that cannot be recorded changes nothing for the others.
async fn record_each(tx: &mut SqliteConnection, inner: &Inner, at: Timestamp, requests: &[&[Choice]]) -> Result<Vec<Result<Vec<Receipt>, Error>>, Error> {
    let mut known = Known::read(tx, requests).await?;
    let mut permitted_sets = PermittedWriter::default();
    let keys = requests.iter().flat_map(|request| request.iter()).map(|c| (&c.key.partner, c.key.purpose, c.key.subject));
    permitted_sets.read(tx, keys).await?;
    let (before, mut seq) = (known.seq, known.seq);
    let (mut events, mut written) = (Vec::new(), Vec::with_capacity(requests.len()));
    for request in requests {
        if let Err(error) = known.check(request) {
            written.push(Err(error));
            continue;
        }
        let mut receipts = Vec::with_capacity(request.len());
        for Choice { key, action, notice, method } in *request {
            seq += 1;
            let (status, age) = known.facts(key.subject)?;
            let consent = known.choose(key, *action, seq);
            permitted_sets.set(tx, &key.partner, key.purpose, key.subject, permitted(Facts { status, age, consent }, key.purpose)).await?;
            events.push((seq, key.subject, &key.partner, key.purpose, action, &notice.name, notice.version, method));
            receipts.push(Receipt { event: ConsentEvent { seq, key: key.clone(), action: *action, notice: notice.clone(), method: *method, at }, entry: 0 });
        }
        written.push(Ok(receipts));
    }
    if events.is_empty() {
        return Ok(written);
    }
    let mut audit = AuditWriter::begin(tx, inner).await?;
    let row = sqlx::query(AssertSqlSafe(WRITE.as_str()))
        .bind(time_text(at))
        .bind(json_rows(&events)?)
        .bind(known.changed_rows()?)
        .bind(to_i64(seq)?)
        .bind(to_i64(before)?)
        .bind(to_i64(seq)?)
        .fetch_one(&mut *tx)
        .await?;
    let entry = audit.append_texts(EntryKind::ConsentRecorded, "consent_event", to_i64(before + 1)?..=to_i64(seq)?, &parse_row_texts(&row)?)?;
    permitted_sets.finish(tx).await?;
    audit.finish(tx).await?;
    written.iter_mut().flatten().flatten().zip(entry..).for_each(|(receipt, entry)| receipt.entry = entry);
    Ok(written)
}

/// What some choices need to know: the sequence number, facts and states, as one row.
const READ: &str = "SELECT (SELECT value FROM counter WHERE name = 'consent'), \
    (SELECT json_group_array(json_array(s.subject_id, s.status, s.age_band)) FROM json_each(?1) j CROSS JOIN subject s ON s.subject_id = j.value), \
    (SELECT json_group_array(json_array(s.subject_id, s.partner, s.purpose, s.state)) FROM json_each(?2) j CROSS JOIN consent_state s ON s.subject_id = j.value ->> 0 AND s.partner = j.value ->> 1 AND s.purpose = j.value ->> 2)";

/// Writes events, states and the sequence number, and gives the texts of the events back: one call for
/// everything, since each is a journey to another thread; arguments in the order of the statements.
/// `WHERE true` tells the parser that ON CONFLICT is not a join's ON.
static WRITE: LazyLock<String> = LazyLock::new(|| {
    let events = "INSERT INTO consent_event (id, subject_id, partner, purpose, action, notice, notice_version, method, at) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, ? FROM json_each(?)";
    let states = "INSERT INTO consent_state (subject_id, partner, purpose, state, seq) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?) WHERE true ON CONFLICT (subject_id, partner, purpose) DO UPDATE SET state = excluded.state, seq = excluded.seq";
    let counter = "UPDATE counter SET value = ? WHERE name = 'consent'";
    let texts = row_texts_sql("consent_event", "BETWEEN ? + 1 AND ?").unwrap_or_default();
    [events, states, counter, &texts].join("; ")
});

/// What some choices need to know, read at once.
struct Known {
    /// The number of the last choice that was recorded.
    seq: u64,
    notices: BTreeMap<NoticeRef, Notice>,
    facts: HashMap<SubjectId, (SubjectStatus, AgeBand)>,
    states: BTreeMap<ConsentKey, ConsentState>,
    /// States that changed, with the number of the last choice.
    changed: BTreeMap<ConsentKey, (ConsentState, u64)>,
}

impl Known {
    async fn read(tx: &mut SqliteConnection, requests: &[&[Choice]]) -> Result<Self, Error> {
        let choices = || requests.iter().flat_map(|request| request.iter());
        let people: BTreeSet<SubjectId> = choices().map(|c| c.key.subject).collect();
        let keys: BTreeSet<_> = choices().map(|c| (c.key.subject, &c.key.partner, c.key.purpose)).collect();
        let row = sqlx::query(READ).bind(json_rows(&people)?).bind(json_rows(&keys)?).fetch_one(&mut *tx).await?;
        let facts: Vec<(SubjectId, SubjectStatus, AgeBand)> = parsed(&row, 1)?;
        let states: Vec<(SubjectId, PartnerName, Purpose, ConsentState)> = parsed(&row, 2)?;
        let mut known = Self {
            seq: from_i64(row.try_get(0)?)?,
            notices: BTreeMap::new(),
            facts: facts.into_iter().map(|(subject, status, age)| (subject, (status, age))).collect(),
            states: states.into_iter().map(|(subject, partner, purpose, state)| (ConsentKey { subject, partner, purpose }, state)).collect(),
            changed: BTreeMap::new(),
        };
        for Choice { notice, .. } in choices() {
            if !known.notices.contains_key(notice) {
                match crate::notice::find(tx, &notice.name, Some(notice.version)).await {
                    Ok(found) => {
                        known.notices.insert(notice.clone(), found);
                    }
                    // Said to whoever names it, in `check`.
                    Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(known)
    }

    /// Whether all of a request can be recorded.
    fn check(&self, request: &[Choice]) -> Result<(), Error> {
        for Choice { key, action, notice, .. } in request {
            let found = self.notices.get(notice).ok_or_else(|| crate::notice::not_found(&notice.name, Some(notice.version)))?;
            check(*action, key, found)?;
            self.facts(key.subject)?;
        }
        Ok(())
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

    fn changed_rows(&self) -> Result<String, Error> {
        let rows: Vec<_> = self.changed.iter().map(|(key, (state, seq))| (key.subject, &key.partner, key.purpose, state, seq)).collect();
        Ok(json_rows(&rows)?)
    }
}

fn parsed<T: DeserializeOwned>(row: &SqliteRow, column: usize) -> Result<T, Error> {
    Ok(serde_json::from_str(row.try_get(column)?).map_err(|e| unreadable("people and their choices", e))?)
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
