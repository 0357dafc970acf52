//! Recording choices, and reading them back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use domain::audit::EntryKind;
use domain::consent::{ConsentAction, ConsentEvent, ConsentKey, ConsentMethod, ConsentState, Facts, permitted};
use domain::notice::NoticeRef;
use domain::subject::{AgeBand, SubjectStatus};
use domain::{Fault, NoticeName, PartnerName, Purpose, Refusal, RefusalCode, SubjectId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::permitted::{self, PermittedSets};
use crate::audit::{AuditWriter, WRITE_ENTRIES};
use crate::plane::Inner;
use crate::store::{Bound, ROWS, from_i64, insert_rows, json_rows, parse_time, parse_word, parsed, quoted, time_text, to_i64};
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
        let written = record_each(&mut tx, &self.inner, self.now(), requests).await?;
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

/// Records choices within a transaction: all of them or none.
pub(crate) async fn record(tx: &mut SqliteConnection, inner: &Inner, at: Timestamp, choices: &[Choice]) -> Result<Vec<Receipt>, Error> {
    record_each(tx, inner, at, &[choices]).await?.pop().unwrap_or(Ok(Vec::new()))
}

/// The same for several requests; one that cannot be recorded changes nothing for the others.
async fn record_each(tx: &mut SqliteConnection, inner: &Inner, at: Timestamp, requests: &[&[Choice]]) -> Result<Vec<Result<Vec<Receipt>, Error>>, Error> {
    let mut known = Known::read(tx, inner, requests).await?;
    let mut seq = known.seq;
    let mut written = Vec::with_capacity(requests.len());
    for request in requests {
        written.push(known.events(request, at, &mut seq));
    }
    let events: Vec<&ConsentEvent> = written.iter().flatten().flatten().map(|receipt: &Receipt| &receipt.event).collect();
    if events.is_empty() {
        return Ok(written);
    }
    let texts = events.iter().map(|event| Ok((to_i64(event.seq)?, row_text(event)))).collect::<Result<Vec<_>, Fault>>()?;
    let entry = known.audit.append_texts(EntryKind::ConsentRecorded, "consent_event", to_i64(known.seq + 1)?..=to_i64(seq)?, &texts)?;
    write(tx, &events, &known).await?;
    written.iter_mut().flatten().flatten().zip(entry..).for_each(|(receipt, entry)| receipt.entry = entry);
    Ok(written)
}

/// What some choices need to know, as one row: each call is a journey to another thread and back.
static READ: LazyLock<String> = LazyLock::new(|| {
    let sets = PermittedSets::read("wanted");
    format!(
        "WITH wanted AS MATERIALIZED (SELECT a.subject_id AS asked, s.subject_id, s.status, s.age_band, j.value ->> 1 AS partner, j.value ->> 2 AS purpose \
           FROM json_each(?1) j CROSS JOIN subject a ON a.subject_id = j.value ->> 0 CROSS JOIN subject s ON s.subject_id = coalesce(a.merged_into, a.subject_id)) \
         SELECT (SELECT value FROM counter WHERE name = 'consent'), \
           (SELECT frontier FROM audit_tree WHERE id = 1), \
           (SELECT json_group_array(json_array(asked, subject_id, status, age_band)) FROM wanted), \
           (SELECT json_group_array(json_array(n.name, n.version, json(n.purposes), json(n.partners))) FROM json_each(?2) j CROSS JOIN notice n ON n.name = j.value ->> 0 AND n.version = j.value ->> 1), \
           ({sets})"
    )
});

/// What some choices need to know.
struct Known<'a> {
    /// The number of the last choice that was recorded.
    seq: u64,
    audit: AuditWriter<'a>,
    /// By the id that a choice names.
    people: HashMap<SubjectId, Person>,
    /// The purposes and partners that each notice asks consent for.
    notices: BTreeMap<NoticeRef, (Vec<Purpose>, Vec<PartnerName>)>,
    permitted_sets: PermittedSets,
}

/// A person by the id that counts.
#[derive(Clone, Copy)]
struct Person {
    subject: SubjectId,
    status: SubjectStatus,
    age: AgeBand,
}

impl<'a> Known<'a> {
    async fn read(tx: &mut SqliteConnection, inner: &'a Inner, requests: &[&[Choice]]) -> Result<Self, Error> {
        let choices = || requests.iter().flat_map(|request| request.iter());
        let keys: BTreeSet<_> = choices().map(|c| (c.key.subject, c.key.partner.as_str(), c.key.purpose)).collect();
        let notices: BTreeSet<_> = choices().map(|c| (c.notice.name.as_str(), c.notice.version)).collect();
        let row = sqlx::query(AssertSqlSafe(READ.as_str())).bind(json_rows(&keys)?).bind(json_rows(&notices)?).fetch_one(tx).await?;
        let people: Vec<(SubjectId, SubjectId, SubjectStatus, AgeBand)> = parsed(&row, 2)?;
        let notices: Vec<(NoticeName, u32, Vec<Purpose>, Vec<PartnerName>)> = parsed(&row, 3)?;
        Ok(Self {
            seq: from_i64(row.try_get(0)?)?,
            audit: AuditWriter::at(row.try_get(1)?, inner)?,
            people: people.into_iter().map(|(asked, subject, status, age)| (asked, Person { subject, status, age })).collect(),
            notices: notices.into_iter().map(|(name, version, purposes, partners)| (NoticeRef { name, version }, (purposes, partners))).collect(),
            permitted_sets: PermittedSets::parse(row.try_get(4)?)?,
        })
    }

    /// The events that a request leads to and what they permit, all or none; `seq` is the number of the
    /// last event.
    fn events(&mut self, request: &[Choice], at: Timestamp, seq: &mut u64) -> Result<Vec<Receipt>, Error> {
        for choice in request {
            self.check(choice)?;
        }
        let mut receipts = Vec::with_capacity(request.len());
        for Choice { key, action, notice, method } in request {
            // Whatever id of theirs a person is called by, the choice is about the one that counts.
            let Person { subject, status, age } = self.person(key.subject)?;
            let key = ConsentKey { subject, ..key.clone() };
            let consent = after(*action);
            self.permitted_sets.set(&key.partner, key.purpose, subject, permitted(Facts { status, age, consent }, key.purpose))?;
            *seq += 1;
            receipts.push(Receipt { event: ConsentEvent { seq: *seq, key, action: *action, notice: notice.clone(), method: *method, at }, entry: 0 });
        }
        Ok(receipts)
    }

    /// A yes counts only for what the person was asked; a no and a withdrawal always count.
    fn check(&self, Choice { key, action, notice, .. }: &Choice) -> Result<(), Error> {
        let (purposes, partners) = self.notices.get(notice).ok_or_else(|| crate::notice::not_found(&notice.name, Some(notice.version)))?;
        let asked = purposes.contains(&key.purpose) && partners.contains(&key.partner);
        match action {
            ConsentAction::Give if !asked => {
                let message = format!("the notice {} v{} does not ask consent for {} by {}", notice.name, notice.version, key.purpose, key.partner);
                return Err(Refusal::new(RefusalCode::Consent, message).hint("publish a notice that names this purpose and partner, and ask again").into());
            }
            ConsentAction::Give | ConsentAction::Refuse | ConsentAction::Withdraw => {}
        }
        let Person { subject, .. } = self.person(key.subject)?;
        if !self.permitted_sets.has_read(&key.partner, key.purpose, subject) {
            return Err(Fault::broken("a choice of somebody whose permissions were not read").into());
        }
        Ok(())
    }

    fn person(&self, id: SubjectId) -> Result<Person, Error> {
        self.people.get(&id).copied().ok_or_else(|| not_found(id))
    }
}

/// The state after a choice. The newest wins, whatever came before: what was is not even read.
const fn after(action: ConsentAction) -> ConsentState {
    ConsentState::Unknown.after(action)
}

/// Writes events, states, permitted sets, entries and the sequence number in one call, as far as the
/// rows of one call go.
static WRITE: LazyLock<String> = LazyLock::new(|| {
    let events = insert_rows("consent_event (id, subject_id, partner, purpose, action, notice, notice_version, method, at)", 9, "");
    let states = "ON CONFLICT (subject_id, partner, purpose) DO UPDATE SET state = excluded.state, seq = excluded.seq";
    let states = insert_rows("consent_state (subject_id, partner, purpose, state, seq)", 5, states);
    let counter = "UPDATE counter SET value = ? WHERE name = 'consent'";
    [&events, &states, permitted::WRITE.as_str(), WRITE_ENTRIES.as_str(), counter].join("; ")
});

async fn write(tx: &mut SqliteConnection, events: &[&ConsentEvent], known: &Known<'_>) -> Result<(), Error> {
    let newest: BTreeMap<&ConsentKey, &ConsentEvent> = events.iter().map(|event| (&event.key, *event)).collect();
    let newest: Vec<_> = newest.into_iter().collect();
    let permitted_rows = known.permitted_sets.changed();
    let last = events.last().map_or(known.seq, |event| event.seq);
    // One row of each kind at most follows from an event.
    for call in 0..events.len().div_ceil(ROWS) {
        let mut values = Bound::default();
        values.rows(events, call, 9, |values, event| {
            values.value(to_i64(event.seq)?)?;
            values.value(event.key.subject.0)?;
            values.value(event.key.partner.as_str())?;
            values.value(event.key.purpose.as_str())?;
            values.value(event.action.as_str())?;
            values.value(event.notice.name.as_str())?;
            values.value(event.notice.version)?;
            values.value(event.method.as_str())?;
            values.value(time_text(event.at))
        })?;
        values.rows(&newest, call, 5, |values, (key, event)| {
            values.value(key.subject.0)?;
            values.value(key.partner.as_str())?;
            values.value(key.purpose.as_str())?;
            values.value(after(event.action).as_str())?;
            values.value(to_i64(event.seq)?)
        })?;
        permitted::bind(&mut values, &permitted_rows, call)?;
        known.audit.bind(&mut values, call)?;
        values.value(to_i64(last)?)?;
        sqlx::query_with(AssertSqlSafe(WRITE.as_str()), values.into_arguments()).execute(&mut *tx).await?;
    }
    Ok(())
}

/// The row of an event as [`crate::store::row_texts`] gives it, which the entry vouches for.
fn row_text(ConsentEvent { seq, key, action, notice, method, at }: &ConsentEvent) -> String {
    let (partner, purpose) = (quoted(key.partner.as_str()), quoted(key.purpose.as_str()));
    let (action, method, at) = (quoted(action.as_str()), quoted(method.as_str()), quoted(&time_text(*at)));
    let (name, version) = (quoted(notice.name.as_str()), notice.version);
    format!("{seq},{},{partner},{purpose},{action},{name},{version},{method},{at}", key.subject)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::tests::deployment;
    use crate::store::row_texts;

    #[tokio::test]
    async fn the_text_of_a_choice_is_that_of_its_row() {
        let (_folder, plane) = deployment().await;
        let mut tx = plane.inner.store.begin().await.unwrap();
        sqlx::query("INSERT INTO subject (subject_id, status, age_band) VALUES (4294967295, 'active', '25_34')").execute(&mut *tx).await.unwrap();
        let purposes = serde_json::to_string(Purpose::ALL).unwrap();
        let notice = "INSERT INTO notice (name, version, language, purposes, partners, text, sha256, at) VALUES ('9_a-b', 4294967295, 'en', ?, '[\"0-x_\"]', '?', '', '')";
        sqlx::query(notice).bind(purposes).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let mut choices = Vec::new();
        for &purpose in Purpose::ALL {
            let key = ConsentKey { subject: SubjectId(u32::MAX), partner: "0-x_".parse().unwrap(), purpose };
            let notice = NoticeRef { name: "9_a-b".parse().unwrap(), version: u32::MAX };
            for &action in ConsentAction::ALL {
                choices.extend(ConsentMethod::ALL.iter().map(|&method| Choice { key: key.clone(), action, notice: notice.clone(), method }));
            }
        }
        let receipts = plane.consent_record(&choices).await.unwrap();
        let last = i64::try_from(choices.len()).unwrap();
        let read = row_texts(&mut plane.inner.store.snapshot().await.unwrap(), "consent_event", 1..=last).await.unwrap();
        assert_eq!(receipts.iter().map(|r| row_text(&r.event)).collect::<Vec<_>>(), read.into_iter().map(|(_, text)| text).collect::<Vec<_>>());
    }
}
