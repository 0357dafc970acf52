//! Reading choices back.

use std::collections::{BTreeMap, BTreeSet};

use domain::SubjectId;
use domain::consent::{Consent, ConsentEvent, ConsentKey, ConsentState, Standing};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::permitted::ids_of;
use super::rows::{self, EVENT_SELECT};
use super::standing::{Whom, standings};
use crate::store::{Bound, json_rows};
use crate::{ControlPlane, Error};

impl ControlPlane {
    /// Where the consent of a key stands now.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn consent_state(&self, key: &ConsentKey) -> Result<ConsentState, Error> {
        let stands = self.consent_show(key.subject).await?;
        Ok(stands.get(key).map_or(ConsentState::Unknown, |(_, consent)| consent.state))
    }

    /// Where every consent of a person stands, and what that says now: a yes whose time is over or whose words are
    /// outdated is none.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn consent_show(&self, subject: SubjectId) -> Result<BTreeMap<ConsentKey, (Standing, Consent)>, Error> {
        let now = self.now();
        let known = standings(&mut *self.inner.store.snapshot().await?, Whom::These(&[subject])).await?;
        Ok(known.of(subject).map(|(key, standing)| (key.clone(), (standing.clone(), known.alone(&key, standing, now)))).collect())
    }

    /// Everything that happened to a person's consents, in the order in which it was recorded.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn consent_history(&self, subject: SubjectId) -> Result<Vec<ConsentEvent>, Error> {
        history(&mut *self.inner.store.snapshot().await?, &BTreeSet::from([subject])).await
    }
}

/// Everything that happened to consents of these people, in the order in which it was recorded.
pub(super) async fn history(connection: &mut SqliteConnection, people: &BTreeSet<SubjectId>) -> Result<Vec<ConsentEvent>, Error> {
    let sql = format!(
        "{EVENT_SELECT} WHERE id IN (SELECT e.value FROM consent_state c CROSS JOIN json_each('[' || c.events || ']') e WHERE c.subject_id IN (SELECT value FROM json_each(?))) ORDER BY id"
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(json_rows(people)?).fetch_all(connection).await?;
    rows.iter().map(rows::event).collect()
}

/// The same of everybody of one row of the permitted sets: each event once, as far as the state of its own key names
/// it. Where these are as many as the ledger has, states name all events and no other.
pub(crate) async fn history_of(connection: &mut SqliteConnection, chunk: u32) -> Result<Vec<ConsentEvent>, Error> {
    let own = "SELECT e.id FROM consent_state c CROSS JOIN json_each('[' || c.events || ']') j CROSS JOIN consent_event e ON e.id = j.value AND \
        (e.subject_id, e.purpose, e.recipient, e.scope) = (c.subject_id, c.purpose, c.recipient, c.scope) WHERE c.subject_id >= ? AND c.subject_id < ?";
    let (sql, ids) = (format!("{EVENT_SELECT} WHERE id IN ({own}) ORDER BY id"), ids_of(chunk));
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(ids.start).bind(ids.end).fetch_all(connection).await?;
    rows.iter().map(rows::event).collect()
}

/// Where each key stands after these events.
pub(crate) fn replayed(events: Vec<ConsentEvent>) -> BTreeMap<ConsentKey, Standing> {
    let mut by_key: BTreeMap<ConsentKey, Vec<ConsentEvent>> = BTreeMap::new();
    for event in events {
        by_key.entry(event.key.clone()).or_default().push(event);
    }
    by_key.into_iter().filter_map(|(key, events)| Standing::replay(&events).map(|standing| (key, standing))).collect()
}

/// Brings the state of the key of the event `id` up to the ledger.
pub(crate) async fn follow(tx: &mut SqliteConnection, id: i64) -> Result<SubjectId, Error> {
    let row = sqlx::query(AssertSqlSafe(format!("{EVENT_SELECT} WHERE id = ?"))).bind(id).fetch_one(&mut *tx).await?;
    let event = rows::event(&row)?;
    let (key, seq) = (event.key.clone(), event.seq);
    let mut of_person = history(tx, &BTreeSet::from([key.subject])).await?;
    // No state names it yet.
    of_person.push(event);
    if let Some(standing) = replayed(of_person).get(&key) {
        let mut values = Bound::default();
        rows::bind_state(&mut values, &key, standing, &[seq])?;
        let places = vec!["?"; rows::STATE_COLUMNS].join(", ");
        let sql = format!("INSERT INTO {} VALUES ({places}) {}", rows::STATE, rows::NEWER_STATE);
        sqlx::query_with(AssertSqlSafe(sql), values.into_arguments()).execute(tx).await?;
    }
    Ok(key.subject)
}
